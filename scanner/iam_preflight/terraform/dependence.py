"""What expressions hang on: variables that a root leaves at their defaults.

References are followed through locals, the inputs and outputs of modules, and the number of
instances of blocks. Whether a value would be another one is not asked: all that it may hang on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.terraform import tree
from iam_preflight.terraform.configuration import nested_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from iam_preflight.terraform.instances import ModuleInstance
    from iam_preflight.terraform.tree import Attribute, Block, Body, Expression

Names = tuple[str, ...]
"""How a reference begins: `var.x`, `data.aws_iam_policy_document.y`, `module.z.arn`."""
Found = tuple["Attribute", "ModuleInstance"]
LONGEST = 3


class References:
    """What attributes refer to; each is looked into once."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[Attribute, frozenset[Names]]] = {}

    def of(self, attribute: Attribute) -> frozenset[Names]:
        known = self._known.get(id(attribute))
        if known is None:
            found = frozenset(_references(attribute.expression))
            # the attribute is kept, so that its id stays its own
            known = self._known[id(attribute)] = (attribute, found)
        return known[1]


def defaults_behind(
    attributes: Iterable[Attribute], instance: ModuleInstance, references: References
) -> set[str]:
    """The variables of the root that have their default and that attributes may hang on."""
    found: set[str] = set()
    seen: set[tuple[int, Names]] = set()
    left: list[Found] = [(attribute, instance) for attribute in attributes]
    while left:
        attribute, here = left.pop()
        for names in references.of(attribute):
            if (id(here), names) in seen:
                continue
            seen.add((id(here), names))
            if names[0] == "var" and here.caller is None:
                found.update(name for name in names[1:2] if here.has_default(name))
            elif len(names) > 1:
                left += _behind(names, here)
    return found


def _behind(names: Names, instance: ModuleInstance) -> Iterator[Found]:
    """The expressions that a reference stands for: of the module, or of another one."""
    module = instance.module
    match names:
        case ("var", name, *_) if instance.caller is not None:
            call = instance.caller.module.calls[instance.call_name]
            if name in call.body.attributes:
                # its `each` and `count` are those of the call
                for attribute in (call.body.attributes[name], *repetition_of(call)):
                    yield attribute, instance.caller
        case ("local", name, *_) if name in module.locals:
            yield module.locals[name], instance
        case ("module", name, *outputs) if name in module.calls:
            for attribute in repetition_of(module.calls[name]):
                yield attribute, instance
            for _, child in instance.call(name).instances:
                for output in outputs or child.module.outputs:
                    block = child.module.outputs.get(output)
                    if block is not None and "value" in block.body.attributes:
                        yield block.body.attributes["value"], child
        case ("data", kind, name):
            block = module.resources.get(("data", kind, name))
            for attribute in attributes_in(block.body) if block is not None else ():
                yield attribute, instance
        case (kind, name, *_):
            block = module.resources.get(("resource", kind, name))
            for attribute in repetition_of(block) if block is not None else ():
                yield attribute, instance


def repetition_of(block: Block) -> Iterator[Attribute]:
    """What says how many instances of a block there are."""
    attributes = block.body.attributes
    return (attributes[name] for name in ("count", "for_each") if name in attributes)


def attributes_in(body: Body, *names: str) -> Iterator[Attribute]:
    """The attributes of a block and of the blocks in it; of those with the names, if given."""
    for name, attribute in body.attributes.items():
        if not names or name in names:
            yield attribute
    for block in body.blocks:
        if not names or nested_name(block) in names:
            yield from attributes_in(block.body)


def _references(expression: Expression) -> Iterator[Names]:
    left: list[Expression] = [expression]
    while left:
        node = left.pop()
        names: list[str] = []
        while isinstance(node, tree.GetAttribute | tree.Index):
            if isinstance(node, tree.GetAttribute):
                names.append(node.name)
            else:
                left.append(node.key)
            node = node.operand
        if isinstance(node, tree.Variable):
            yield (node.name, *reversed(names))[:LONGEST]
        else:
            left.extend(tree.subexpressions(node))
