"""A plan over the sources that it was made of.

The plan says which instances there are and what is known; the sources say where it was written
and what an unknown value is made of. So a value of the plan takes the place of the written one,
as far as it is known, and keeps the written one's place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from iam_preflight.jsontext import JsonError, parse_json
from iam_preflight.terraform.evaluation import evaluate
from iam_preflight.terraform.functions.conversion import mark
from iam_preflight.terraform.plan import INDEX, Plan, without_keys
from iam_preflight.terraform.plan_reader import PlanReader
from iam_preflight.values import (
    Choice,
    Json,
    Known,
    Listing,
    Mapping,
    Unknown,
    Value,
    is_null,
    text_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from iam_preflight.source import Span
    from iam_preflight.terraform.configuration import Module
    from iam_preflight.terraform.inputs import Inputs
    from iam_preflight.terraform.resources import BlockEntries, BodyEntries
    from iam_preflight.terraform.scope import Scope
    from iam_preflight.terraform.tree import Block


class Join:
    """What a root's evaluation asks the plan."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.reader = PlanReader(plan, follows=False)
        self.keys = _keys(plan)

    def keys_of(self, address: str) -> list[str | int] | None:
        """The keys of a repeated block's instances; None when the plan does not know the block."""
        known = self.keys.get(address)
        if known is not None:
            return known
        bare = without_keys(address)
        if bare in self.plan.by_config or bare in self.plan.calls:
            return []
        return None

    def overlaid(
        self, address: str, written: BodyEntries, header: Span
    ) -> dict[str, Callable[[], Value]]:
        """Those entries of a block that the plan knows, laid over what is written."""
        known = self.plan.planned.get(address)
        if known is None:
            return {}
        planned = self.reader.entries(known)
        return {name: _entry(written, planned, name, header) for name in planned}


def _keys(plan: Plan) -> dict[str, list[str | int]]:
    """The keys under each address without its last one: of resources and of module calls."""
    found: dict[str, dict[str | int, None]] = {}
    for planned in plan.planned.values():
        if planned.index is not None:
            found.setdefault(planned.base, {})[planned.index] = None
        for index in INDEX.finditer(planned.module_address):
            text = index[1]
            key = text[1:-1].replace('\\"', '"') if text.startswith('"') else int(text)
            found.setdefault(planned.module_address[: index.start()], {})[key] = None
    return {address: list(keys) for address, keys in found.items()}


def _entry(
    written: BodyEntries, planned: BlockEntries, name: str, header: Span
) -> Callable[[], Value]:
    def value() -> Value:
        if name not in written:
            return relocate(planned[name], header)
        return overlay(planned[name], written[name])

    return value


def overlay(known: Value, written: Value) -> Value:
    """A value of the plan in the place where it was written; holes are as they were written."""
    match known, written:
        case Unknown(), _:
            return written
        case _, Unknown():
            return relocate(known, written.span)
        case _, Choice():
            return _arm(known, written)
        case Known(value=str()), Json():
            return _json(known, written)
        case Json(value=inner), Json():
            return replace(written, value=overlay(inner, written.value))
        case Known(), Known():
            same = text_of(known) == text_of(written) and is_null(known) == is_null(written)
            if not same:
                return relocate(known, written.span)
            return mark(written) if known.sensitive and not written.sensitive else written
        case Listing(), Listing():
            return _listing(known, written)
        case Mapping(), Mapping():
            return _mapping(known, written)
        case Listing(items=(only,)), Mapping():
            return overlay(only, written)
        case _:
            return relocate(known, written.span)


def _arm(known: Value, written: Choice) -> Value:
    """Of several alternatives the one that the plan took."""
    text = text_of(known)
    for _, arm in written.arms:
        if text is not None and text_of(arm) == text:
            return arm
    for _, arm in written.arms:
        if isinstance(arm, Listing | Mapping | Json):
            found = overlay(known, arm)
            if not isinstance(found, Known):
                return found
    return relocate(known, written.span)


def _json(known: Known, written: Json) -> Value:
    try:
        parsed = parse_json(known)
    except JsonError:
        return relocate(known, written.span)
    return replace(written, value=overlay(parsed, written.value))


def _listing(known: Listing, written: Listing) -> Value:
    """Items by what they say, for sets come in another order; the others by their position."""
    left: list[Value | None] = list(written.items)
    by_text: dict[str, list[int]] = {}
    for i, item in enumerate(written.items):
        text = text_of(item)
        if text is not None:
            by_text.setdefault(text, []).append(i)
    matched: dict[int, Value] = {}
    for i, item in enumerate(known.items):
        places = by_text.get(text_of(item) or "\0")
        if places:
            place = places.pop(0)
            matched[i] = written.items[place]
            left[place] = None
    remaining = iter([item for item in left if item is not None])
    same_length = len(known.items) == len(written.items)
    items: list[Value] = []
    for i, item in enumerate(known.items):
        other = matched.get(i) or (next(remaining, None) if same_length else None)
        items.append(overlay(item, other) if other is not None else relocate(item, written.span))
    return replace(written, items=tuple(items), rest=None)


def _mapping(known: Mapping, written: Mapping) -> Value:
    entries: dict[str, Value] = {}
    for key in known.entries:
        value = known.entries[key]
        if key in written.entries:
            entries[key] = overlay(value, written.entries[key])
        elif not is_null(value):
            entries[key] = relocate(value, written.span)
    for key in written.entries:
        if key not in entries and key not in known.entries and not known.entries:
            entries[key] = written.entries[key]
    return replace(written, entries=entries, rest=None)


def relocate(value: Value, span: Span) -> Value:
    """A value of the plan at a place in the sources."""
    match value:
        case Known(value=scalar, sensitive=sensitive):
            return Known(scalar, span, (), value.reference, sensitive)
        case Listing(items=items):
            return replace(value, items=tuple(relocate(i, span) for i in items), span=span)
        case Mapping(entries=dict() as entries):
            moved = {key: relocate(entry, span) for key, entry in entries.items()}
            return replace(value, entries=moved, span=span, key_spans=None)
        case _:
            return replace(value, span=span)


def planned_inputs(join: Join, module: Module, inputs: Inputs) -> Inputs:
    """The values that the plan was made with, at the places where the sources give them."""
    joined = dict(inputs)
    for name, data in join.plan.variables.items():
        if name in module.variables:
            joined[name] = _input(join, module.variables[name], data, inputs.get(name))
    return joined


def _input(
    join: Join, block: Block, data: object, given: Callable[[Scope], Value] | None
) -> Callable[[Scope], Value]:
    def value(scope: Scope) -> Value:
        known = relocate(join.reader.value(data), block.header)
        default = block.body.attributes.get("default")
        if given is not None:
            return overlay(known, given(scope))
        if default is not None:
            return overlay(known, evaluate(default.expression, scope))
        return known

    return value


def matches(plan: Plan, module: Module) -> float:
    """How much of a plan's root module is declared in a folder: from 0 to 1."""
    declared = {
        f"{'data.' if mode == 'data' else ''}{resource_type}.{name}"
        for mode, resource_type, name in module.resources
    } | {f"module.{name}" for name in module.calls}
    top = plan.modules.get("")
    wanted = {resource.address for resource in top.resources} if top is not None else set()
    wanted |= {f"module.{name}" for name in top.module_calls} if top is not None else set()
    return len(wanted & declared) / len(wanted) if wanted else 0.0
