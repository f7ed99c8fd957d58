"""Values that depend on what nobody can decide here: arms, items and entries under assumptions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.values.kinds import (
    Absent,
    Assumption,
    Assumptions,
    Choice,
    Known,
    Listing,
    Mapping,
    Reason,
    Unknown,
    Value,
    is_null,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.source import Span

MAX_ARMS = 64
"""More arms than this are not followed one by one: the rest of a Choice is dropped to a hole."""


def choice(arms: list[tuple[Assumptions, Value]], span: Span) -> Value:
    """A `Choice`, flattened; contradictory arms are dropped, a single arm is just its value."""
    flat: list[tuple[Assumptions, Value]] = []
    for assumptions, value in arms:
        if not isinstance(value, Choice):
            flat.append((assumptions, value))
            continue
        for inner, leaf in arms_of(value):
            both = combine(assumptions, inner)
            if both is not None:
                flat.append((both, leaf))
    if len(flat) > MAX_ARMS:
        hole = Unknown(Reason.LIMIT, "more alternatives than are followed", span)
        flat = [*flat[: MAX_ARMS - 1], ((), hole)]
    if not flat:
        return Unknown(Reason.ERROR, "no alternative is possible", span)
    first = flat[0][1]
    if len(flat) == 1:
        return Choice(tuple(flat), span) if flat[0][0] else first
    if all(value is first or _both_null(value, first) for _, value in flat):
        return first
    return Choice(tuple(flat), span)


def _both_null(left: Value, right: Value) -> bool:
    return type(left) is type(right) is Known and left.value is None and right.value is None


def combine(left: Assumptions, right: Assumptions) -> Assumptions | None:
    """Both sets of assumptions together; None when they contradict each other."""
    if not right:
        return left
    if not left:
        return right
    known = {assumption.subject: assumption.holds for assumption in left}
    merged = list(left)
    for assumption in right:
        held = known.get(assumption.subject)
        if held is None:
            merged.append(assumption)
        elif held != assumption.holds:
            return None
    return tuple(merged)


def arms_of(value: Value, given: Assumptions = ()) -> Iterator[tuple[Assumptions, Value]]:
    """Every alternative of a value with its assumptions; a plain value is its only one."""
    if not isinstance(value, Choice):
        yield given, value
        return
    for assumptions, arm in value.arms:
        both = combine(given, assumptions)
        if both is None:
            continue
        if isinstance(arm, Choice):
            yield from arms_of(arm, both)
        else:
            yield both, arm


def items_of(value: Value | None, given: Assumptions = ()) -> Iterator[tuple[Assumptions, Value]]:
    """The items of a list, of a single value taken as a list, or of each alternative.

    Nulls are skipped; what stands for further items comes last.
    """
    if value is None:
        return
    for assumptions, arm in arms_of(value, given):
        match arm:
            case Known(value=None):
                continue
            case Listing(items=items, rest=rest):
                for item in items:
                    if not isinstance(item, Choice):
                        if not is_null(item):
                            yield assumptions, item
                        continue
                    for inner, leaf in arms_of(item, assumptions):
                        if not is_null(leaf):
                            yield inner, leaf
                if rest is not None:
                    yield from arms_of(rest, assumptions)
            case _:
                yield assumptions, arm


def blocks_of(
    value: Value | None, given: Assumptions = ()
) -> Iterator[tuple[Assumptions, Mapping]]:
    """The nested blocks or objects under an attribute, whether written once or many times."""
    for assumptions, item in items_of(value, given):
        if isinstance(item, Listing):
            yield from blocks_of(item, assumptions)
        elif isinstance(item, Mapping):
            yield assumptions, item


def either(left: Value | None, right: Value | None) -> Value | None:
    """What stands for further items when two collections are joined."""
    if left is None or right is None:
        return left if right is None else right
    return choice([((), left), ((), right)], left.span)


def conditional(value: Value, given: Assumptions, otherwise: Value | None = None) -> Value:
    """An item or entry that is there only under assumptions; else another, or it is absent."""
    if not given:
        return value
    opposite: Assumptions = ()
    if len(given) == 1 and isinstance(given[0].holds, bool):
        opposite = (Assumption(given[0].subject, not given[0].holds),)
    absent = otherwise if otherwise is not None else Absent(None, value.span)
    return choice([(given, value), (opposite, absent)], value.span)


def under(value: Value, given: Assumptions) -> Value:
    """What stands for further items under assumptions: a choice of it alone."""
    return Choice(((given, value),), value.span) if given else value


def is_conditional(value: Value) -> bool:
    """Whether an item or entry may not be there at all."""
    return isinstance(value, Choice) and any(isinstance(arm, Absent) for _, arm in value.arms)
