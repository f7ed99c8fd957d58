"""`count` and `for_each`: the instances that a block makes, and what has to hold for each.

Where the number or the collection is not known there is one instance, `[*]`, that stands for
all of them. Where it depends on something undecided an instance is there under assumptions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from iam_preflight.terraform import numbers
from iam_preflight.terraform.evaluation import evaluate
from iam_preflight.terraform.labels import deeper, label_of
from iam_preflight.values import (
    Absent,
    Assumption,
    Assumptions,
    Choice,
    Known,
    LazyEntries,
    Listing,
    Mapping,
    Reason,
    Unknown,
    Value,
    arms_of,
    choice,
    combine,
    conditional,
    either,
    is_conditional,
    text_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from iam_preflight.source import Span
    from iam_preflight.terraform.scope import Scope
    from iam_preflight.terraform.tree import Attribute, Block

MAX_INSTANCES = 2048
"""Instances of one block; more are a limit problem."""


class Repetition(Struct, frozen=True):
    """One instance: its key, what `each` or `count` is in it, and what has to hold for it."""

    key: Value | None
    names: dict[str, Value]
    assumptions: Assumptions = ()

    @property
    def is_open(self) -> bool:
        """Whether it stands for any number of instances."""
        return self.key is not None and text_of(self.key) is None

    @property
    def suffix(self) -> str:
        """The index as Terraform writes it in an address; `[*]` when it is not known."""
        if self.key is None:
            return ""
        if isinstance(self.key, Known) and isinstance(self.key.value, int):
            return f"[{self.key.value}]"
        text = text_of(self.key)
        return "[*]" if text is None else f"[{quoted_key(text)}]"


SINGLE = Repetition(None, {})


def quoted_key(text: str) -> str:
    """A for_each key as addresses have it: in HCL's quotes."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    escaped = escaped.replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")
    return f'"{escaped.replace("${", "$${").replace("%{", "%%{")}"'


def is_repeated(block: Block) -> bool:
    attributes = block.body.attributes
    return "count" in attributes or "for_each" in attributes


def repetitions(block: Block, scope: Scope, address: str) -> list[Repetition]:
    """Every instance of a block, in the order of its keys."""
    attributes = block.body.attributes
    if "count" in attributes:
        made = _counted(attributes["count"], scope, address)
    elif "for_each" in attributes:
        made = _for_each(attributes["for_each"], scope, address)
    else:
        return [SINGLE]
    planned = scope.frame.planned_keys(address)
    if planned is not None:
        return [_as_planned(made, key, block) for key in planned[:MAX_INSTANCES]]
    kept = [found for found in made if combine(scope.given, found.assumptions) is not None]
    if len(kept) > MAX_INSTANCES:
        scope.frame.limit(f"{len(kept)} instances of {address}", block.header)
    return kept[:MAX_INSTANCES]


def _as_planned(made: list[Repetition], key: str | int, block: Block) -> Repetition:
    """The instance of a key that a plan has: as evaluated, or cut out of what is not known."""
    for found in made:
        if text_of(found.key) == str(key):
            return Repetition(found.key, found.names)
    known = Known(key, block.header)
    if "count" in block.body.attributes:
        return Repetition(known, {"count": Mapping({"index": known}, block.header)})
    opened = next((found for found in made if found.is_open), None)
    each = opened.names.get("each") if opened is not None else None
    value: Value = Unknown(Reason.EACH, "each.value", block.header)
    if isinstance(each, Mapping):
        value = each.entries["value"]
        if isinstance(value, Unknown) and opened is not None and value == opened.key:
            value = known  # a set: the value is the key
    names: dict[str, Value] = {"each": Mapping({"key": known, "value": value}, block.header)}
    return Repetition(known, names)


def together(instances: Sequence[tuple[Repetition, Value]], block: Block) -> Value:
    """All instances as expressions see them: a list under `count`, a map under `for_each`."""
    rest: Value | None = None
    items: list[Value] = []
    entries: dict[str, Value] = {}
    for repetition, value in instances:
        key = text_of(repetition.key)
        if key is None:
            rest = either(rest, value)
            continue
        there = conditional(value, repetition.assumptions)
        items.append(there)
        entries[key] = there
    if "count" in block.body.attributes:
        return Listing(tuple(items), block.header, rest)
    return Mapping(entries, block.header, None, rest)


# ---------------------------------------------------------------- count


def _counted(attribute: Attribute, scope: Scope, address: str) -> list[Repetition]:
    expression, span = attribute.expression, attribute.span
    arms: list[tuple[Assumptions, int | None]] = []
    for given, arm in arms_of(evaluate(expression, scope)):
        number = numbers.number_of(arm)
        if number is not None:
            arms.append((given, int(number)))
        elif not isinstance(arm, Known | Listing | Mapping):
            arms.append((given, None))
    largest = max((n for _, n in arms if n is not None), default=0)
    label = label_of(expression.span)
    out: list[Repetition] = []
    for i in range(min(largest, MAX_INSTANCES + 1)):
        here = [given for given, n in arms if n is None or n > i]
        assumptions = _shared(here, len(arms), f"{label} > {i}")
        key = Known(i, span)
        out.append(Repetition(key, {"count": Mapping({"index": key}, span)}, assumptions))
    unknown = [given for given, n in arms if n is None]
    if unknown:
        hole = Unknown(Reason.EACH, f"count.index of {address}", span)
        assumptions = _shared(unknown, len(arms), f"{label} > {largest}")
        out.append(Repetition(hole, {"count": Mapping({"index": hole}, span)}, assumptions))
    return out


def _shared(here: Sequence[Assumptions], everywhere: int, label: str) -> Assumptions:
    """What has to hold for something that is there in some of all alternatives."""
    if len(here) == everywhere:
        return ()
    if len(here) == 1:
        return here[0]
    return (Assumption(label, True),)


# ---------------------------------------------------------------- for_each


class _Entry(Struct):
    """One key, and its value in each alternative of the collection that has it."""

    key: Value
    values: list[tuple[Assumptions, Callable[[], Value]]]


def _for_each(attribute: Attribute, scope: Scope, address: str) -> list[Repetition]:
    span, label = attribute.span, label_of(attribute.expression.span)
    found: dict[str, _Entry] = {}
    opened: list[_Entry] = []
    arms = [
        (given, arm)
        for given, arm in arms_of(evaluate(attribute.expression, scope))
        if not isinstance(arm, Known)
    ]
    for given, arm in arms:
        for key, more, value in _entries(arm, address, span):
            both = combine(given, more)
            if both is None:
                continue
            name = text_of(key)
            if name is None:
                opened.append(_Entry(key, [(both, value)]))
            elif name in found:
                found[name].values.append((both, value))
            else:
                found[name] = _Entry(key, [(both, value)])
    out: list[Repetition] = []
    for name in sorted(found):
        entry = found[name]
        here = [given for given, _ in entry.values]
        is_certain = any(not given for given in here)
        everywhere = len(arms) if not is_certain else len(here)
        assumptions = _shared(here, everywhere, f'"{name}" in {label}')
        out.append(_each(entry, span, assumptions))
    # several that stand for any number of instances are one
    if opened:
        merged = _Entry(opened[0].key, [value for entry in opened for value in entry.values])
        here = [given for given, _ in merged.values]
        out.append(_each(merged, span, here[0] if len(here) == 1 else ()))
    return out


def _entries(
    collection: Value, address: str, span: Span
) -> Iterator[tuple[Value, Assumptions, Callable[[], Value]]]:
    """Key, what has to hold, and value of each entry of one alternative of a collection."""
    unknown_key = Unknown(Reason.EACH, f"each.key of {address}", span)
    match collection:
        case Mapping(entries=entries, rest=rest):
            for name in entries:
                key: Value = unknown_key
                if "«" not in name:
                    key = Known(name, collection.key_span(name) if _is_cheap(collection) else span)
                entry = entries[name] if isinstance(entries, dict) else None
                if entry is not None and is_conditional(entry):
                    assert isinstance(entry, Choice)
                    for given, arm in entry.arms:
                        if not isinstance(arm, Absent):
                            yield key, given, _constant(arm)
                else:
                    yield key, (), _entry(collection, name)
            if rest is not None:
                yield unknown_key, (), _constant(rest)
        case Listing(items=items, rest=rest):
            for item in items:
                for given, arm in arms_of(item):
                    if not isinstance(arm, Absent):
                        yield arm, given, _constant(arm)
            if rest is not None:
                yield unknown_key, (), _constant(rest)
        case Unknown():
            yield unknown_key, (), _constant(deeper(collection, "[*]", "", span))
        case _:
            return


def _is_cheap(mapping: Mapping) -> bool:
    return mapping.key_spans is not None or isinstance(mapping.entries, dict)


def _constant(value: Value) -> Callable[[], Value]:
    return lambda: value


def _entry(mapping: Mapping, name: str) -> Callable[[], Value]:
    return lambda: mapping.entries[name]


def _each(entry: _Entry, span: Span, assumptions: Assumptions) -> Repetition:
    def value() -> Value:
        if len(entry.values) == 1:
            return entry.values[0][1]()
        return choice([(given, make()) for given, make in entry.values], span)

    names = LazyEntries({"key": _constant(entry.key), "value": value})
    return Repetition(entry.key, {"each": Mapping(names, span)}, assumptions)
