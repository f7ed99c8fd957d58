"""Which locals depend on nothing but other such locals.

They have one value in every instance of their module, so a module that is called a hundred times
works them out once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.terraform import tree

if TYPE_CHECKING:
    from iam_preflight.terraform.configuration import Module

READS_FILES = frozenset(
    {"file", "fileexists", "fileset", "filebase64", "filemd5", "filesha1", "filesha256"}
    | {"filesha512", "filebase64sha256", "filebase64sha512", "templatefile", "abspath"}
)
MAX_NODES = 20_000


def is_closed(module: Module, name: str) -> bool:
    """Whether a local's value is the same in every instance of the module."""
    known = module.closed.get(name)
    if known is None:
        module.closed[name] = False  # while it is looked into: a cycle is not closed
        attribute = module.locals.get(name)
        known = attribute is not None and _is_closed(module, attribute.expression)
        module.closed[name] = known
    return known


def _is_closed(module: Module, expression: tree.Expression) -> bool:
    stack: list[tuple[tree.Expression, frozenset[str]]] = [(expression, frozenset())]
    seen = 0
    while stack:
        node, bound = stack.pop()
        seen += 1
        if seen > MAX_NODES:
            return False
        match node:
            case tree.Variable(name=name):
                if name not in bound and name != tree.SPLAT_ITEM:
                    return False
                continue
            case tree.GetAttribute(operand=tree.Variable(name="local"), name=name):
                if "local" in bound or not is_closed(module, name):
                    return False
                continue
            case tree.Call(name=name) if name in READS_FILES or name.startswith("provider::"):
                return False
            case tree.Broken():
                return False
            case tree.Template() if _has_loop(node):
                return False
            case tree.ForTuple(key=key, value=value) | tree.ForObject(key=key, value=value):
                bound = bound | {value} | ({key} if key else set())
        stack.extend((inner, bound) for inner in tree.subexpressions(node))
    return True


def _has_loop(template: tree.Template) -> bool:
    return any(isinstance(part, tree.ForDirective | tree.IfDirective) for part in template.parts)
