"""Values under assumptions: alternatives that contradict them fall away."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from iam_preflight.values import (
    Absent,
    Assumptions,
    Choice,
    Json,
    Known,
    Listing,
    Mapping,
    Reason,
    Text,
    Unknown,
    Value,
    choice,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_NODES = 50_000
MAX_LOOKED_AT = 500


def remaining(assumptions: Assumptions, given: Assumptions) -> Assumptions | None:
    """What an alternative still takes for granted; None when it contradicts what is given."""
    held = {assumption.subject: assumption.holds for assumption in given}
    left = []
    for assumption in assumptions:
        holds = held.get(assumption.subject)
        if holds is None:
            left.append(assumption)
        elif holds != assumption.holds:
            return None
    return tuple(left)


def settle(value: Value, given: Assumptions) -> Value:
    """The alternatives of a value that are left under assumptions; not looked into deeper."""
    if not given or not isinstance(value, Choice):
        return value
    kept: list[tuple[Assumptions, Value]] = []
    for assumptions, arm in value.arms:
        left = remaining(assumptions, given)
        if left is None:
            continue
        if assumptions and not left:
            return arm
        kept.append((left, arm))
    if not kept or len(kept) == len(value.arms):
        return value
    return choice(kept, value.span)


def narrow(value: Value, given: Assumptions, chosen: tuple[Choice, Value] | None = None) -> Value:
    """The value under assumptions all the way down; `chosen` replaces one choice by an arm."""
    return _Narrowing(given, chosen).of(value)


class _Narrowing:
    def __init__(self, given: Assumptions, chosen: tuple[Choice, Value] | None) -> None:
        self.given = given
        self.chosen = chosen
        self.nodes = 0

    def of(self, value: Value) -> Value:
        self.nodes += 1
        if type(value) is Known or self.nodes > MAX_NODES:
            return value
        match value:
            case Choice():
                if self.chosen is not None and value is self.chosen[0]:
                    return self.chosen[1]
                return settle(value, self.given)
            case Listing(items=items, rest=rest):
                kept = tuple(
                    item
                    for item in (self.of(item) for item in items)
                    if not isinstance(item, Absent)
                )
                more = None if rest is None else self.of(rest)
                if isinstance(more, Absent):
                    more = None
                same = len(kept) == len(items) and all(map(_is, kept, items)) and more is rest
                return value if same else replace(value, items=kept, rest=more)
            case Mapping(entries=dict() as entries, rest=rest):
                left = {
                    key: entry
                    for key, entry in ((key, self.of(entries[key])) for key in entries)
                    if not isinstance(entry, Absent)
                }
                more = None if rest is None else self.of(rest)
                same = len(left) == len(entries) and all(left[k] is entries[k] for k in left)
                return value if same and more is rest else replace(value, entries=left, rest=more)
            case Json(value=inner):
                changed = self.of(inner)
                return value if changed is inner else replace(value, value=changed)
            case _:
                return value


def has_choice(value: Value) -> bool:
    """Whether anything in a value has alternatives that `narrow` could decide between.

    So it is said of a value that is larger than what `narrow` looks at, too.
    """
    stack, seen = [value], 0
    while stack:
        one = stack.pop()
        seen += 1
        if seen > MAX_NODES:
            return True
        if type(one) is Known:
            continue
        match one:
            case Choice():
                return True
            case Listing(items=items, rest=rest):
                stack.extend(items)
                if rest is not None:
                    stack.append(rest)
            case Mapping(entries=entries, rest=rest):
                if isinstance(entries, dict):
                    stack.extend(entries.values())
                    if rest is not None:
                        stack.append(rest)
            case Json(value=inner):
                stack.append(inner)
            case _:
                continue
    return False


def _is(left: Value, right: Value) -> bool:
    return left is right


def is_error(value: Value) -> bool:
    return isinstance(value, Unknown) and value.reason in (Reason.ERROR, Reason.MISSING)


def cause_of(values: Sequence[Value]) -> Reason | None:
    """Why something made of these values is not known: the reason of the first hole in them."""
    stack, seen = list(reversed(values)), 0
    while stack:
        value = stack.pop()
        seen += 1
        if seen > MAX_LOOKED_AT:
            return None
        match value:
            case Unknown(reason=reason):
                return reason
            case Text(parts=parts):
                stack.extend(part for part in reversed(parts) if isinstance(part, Unknown))
            case Listing(items=items, rest=rest):
                stack.extend([rest] if rest is not None else [])
                stack.extend(reversed(items))
            case Mapping(entries=dict() as entries):
                stack.extend(reversed(list(entries.values())))
            case Choice(arms=arms):
                stack.extend(arm for _, arm in reversed(arms))
            case Json(value=inner):
                stack.append(inner)
            case _:
                continue
    return None


def without_errors(
    arms: Sequence[tuple[Assumptions, Value]],
) -> list[tuple[Assumptions, Value]]:
    """The alternatives that can come about: configuration that is applied is not in error."""
    kept = [(given, arm) for given, arm in arms if not is_error(arm)]
    return kept or list(arms)
