"""Blocks that the defaults of a root's variables switch off: nobody judges what they would make.

What a caller or a local decides is meant so; a default is only what stands there until somebody
says otherwise. To tell them apart, a block without instances is asked about again in a copy of
the root whose default is not known: where it has instances then, the default is what decides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from iam_preflight.resources import SwitchedOff
from iam_preflight.terraform.dependence import References, defaults_behind, repetition_of
from iam_preflight.terraform.repetition import is_repeated
from iam_preflight.terraform.scope import Budget
from iam_preflight.values import Reason, Unknown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from iam_preflight.source import Span
    from iam_preflight.terraform.instances import ModuleInstance
    from iam_preflight.terraform.scope import Scope
    from iam_preflight.terraform.tree import Block
    from iam_preflight.values import Value

MAX_STEPS = 200_000
"""Expressions that are evaluated again for one root."""
MAX_SECONDS = 2.0
MAX_SWITCHES = 8
"""Variables that are tried one by one for one block."""


Key = tuple[str, str, str]


class Switches:
    """What the defaults of the roots of a scan switch off."""

    def __init__(self, is_wanted: Callable[[str], bool]) -> None:
        self._is_wanted = is_wanted
        self._made: set[Span] = set()
        self._off: dict[Span, SwitchedOff] = {}
        self._references = References()

    @property
    def off(self) -> Iterator[SwitchedOff]:
        """Blocks that no root makes anything of, each once."""
        return (one for block, one in self._off.items() if block not in self._made)

    def look_at(self, top: ModuleInstance) -> None:
        """Looks at everything under a root; where a plan says what there is, defaults do not."""
        copies = _Copies(top, self._references) if top.root.join is None else None
        for instance in top.walk():
            for key, block in self._blocks_of(instance):
                if block.header in self._made:
                    continue
                if instance.instances(key):
                    self._made.add(block.header)
                elif copies is not None and block.header not in self._off:
                    self._ask_about_block(key, block, instance, copies)
            if copies is None:
                continue
            for name, block in instance.module.calls.items():
                call = instance.call(name)
                if not call.instances and call.why is None and is_repeated(block):
                    self._ask_about_call(name, block, instance, copies)

    def _ask_about_block(
        self, key: Key, block: Block, instance: ModuleInstance, copies: _Copies
    ) -> None:
        for twin, switches in copies.that_have(instance, block):
            if twin.instances(key):
                self._note((block.header,), switches, copies.top)
                return

    def _ask_about_call(
        self, name: str, block: Block, instance: ModuleInstance, copies: _Copies
    ) -> None:
        for twin, switches in copies.that_have(instance, block):
            if twin.call(name).instances:
                self._note(self._below(twin, name), switches, copies.top)
                return

    def _note(self, blocks: Iterable[Span], switches: str, top: ModuleInstance) -> None:
        for block in blocks:
            self._off.setdefault(block, SwitchedOff(switches, top.root.deployment.path))

    def _blocks_of(self, instance: ModuleInstance) -> Iterator[tuple[Key, Block]]:
        for key, block in instance.module.resources.items():
            if key[0] == "resource" and self._is_wanted(key[1]):
                yield key, block

    def _below(self, instance: ModuleInstance, name: str) -> Iterator[Span]:
        """What a module call makes."""
        for _, child in instance.call(name).instances:
            for below in child.walk():
                for key, block in self._blocks_of(below):
                    if below.instances(key):
                        yield block.header


# ---------------------------------------------------------------- the root once more


class _Copies:
    """A root with some of its defaults unknown."""

    def __init__(self, top: ModuleInstance, references: References) -> None:
        self.top = top
        self._references = references
        self._made: dict[frozenset[str], ModuleInstance] = {}
        self._root = replace(
            top.root,
            configuration=top.root.configuration.aside(),
            budget=Budget(MAX_STEPS, MAX_SECONDS),
            limits=set(),
        )

    def that_have(
        self, instance: ModuleInstance, block: Block
    ) -> Iterator[tuple[ModuleInstance, str]]:
        """The same module instance in copies of the root, and which defaults are unknown there.

        First one by one, as far as a block's `count` or `for_each` hangs on them, then together.
        """
        switches = sorted(defaults_behind(repetition_of(block), instance, self._references))
        groups: list[tuple[str, ...]] = [(name,) for name in switches[:MAX_SWITCHES]]
        if len(switches) > 1:
            groups.append(tuple(switches))
        for group in groups:
            twin = self._twin(instance, frozenset(group))
            if twin is not None:
                yield twin, " and ".join(f"var.{name}" for name in group)

    def _twin(self, instance: ModuleInstance, switches: frozenset[str]) -> ModuleInstance | None:
        if instance.caller is None:
            if switches not in self._made:
                inputs = {name: _unknown(name, self.top) for name in switches}
                self._made[switches] = self.top.once_more(self._root, inputs)
            return self._made[switches]
        caller = self._twin(instance.caller, switches)
        if caller is None:
            return None
        children = caller.call(instance.call_name).instances
        for repetition, child in children:
            if repetition.suffix == instance.suffix:
                return child
        return children[0][1] if children else None


def _unknown(name: str, top: ModuleInstance) -> Callable[[Scope], Value]:
    hole = Unknown(Reason.VARIABLE, f"var.{name}", top.module.variables[name].header)
    return lambda _: hole
