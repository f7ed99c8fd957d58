"""Functions on sets.

https://developer.hashicorp.com/terraform/language/functions (collection functions)
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

from iam_preflight.terraform.equality import equal, sort_set, unique
from iam_preflight.terraform.functions.arguments import (
    MAX_ITEMS,
    MAX_WEIGHT,
    Function,
    Invocation,
    NotKnown,
    TooLarge,
    Undecided,
    WrongArguments,
)
from iam_preflight.terraform.functions.collections import gathered
from iam_preflight.values import (
    Choice,
    Listing,
    Value,
    either,
    weight_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence


def set_of(call: Invocation, items: Sequence[Value], rest: Value | None = None) -> Listing:
    weight = 1 + sum(weight_of(item) for item in items)
    if len(items) > MAX_ITEMS or weight > MAX_WEIGHT:
        raise TooLarge
    ordered = tuple(sort_set(unique(items)))
    return Listing(ordered, call.span, rest, is_set=True, sensitive=call.sensitive, weight=weight)


def _sets(call: Invocation, arguments: tuple[Value, ...]) -> list[list[Value]]:
    """The items of several sets, brought to one type."""
    groups = [list(call.items(argument)) for argument in arguments]
    together = call.as_list(call.listing([item for group in groups for item in group]))
    at = 0
    out: list[list[Value]] = []
    for group in groups:
        out.append(unique(together.items[at : at + len(group)]))
        at += len(group)
    return out


def _setunion(call: Invocation, arguments: tuple[Value, ...]) -> Value:
    items: list[Value] = []
    rest: Value | None = None
    for argument in arguments:
        more, open_end = gathered(call, argument)
        items.extend(more)
        rest = either(rest, open_end)
    listing = call.as_list(call.listing(items, rest))
    return set_of(call, listing.items, listing.rest)


def _is_member(item: Value, group: Sequence[Value]) -> bool:
    verdicts = [equal(item, other) for other in group]
    if True in verdicts:
        return True
    if None in verdicts:
        for other in (item, *group):
            if isinstance(other, Choice):
                raise Undecided(other)
        raise NotKnown
    return False


def _setintersection(call: Invocation, arguments: tuple[Value, ...]) -> Value:
    first, *others = _sets(call, arguments)
    kept = [item for item in first if all(_is_member(item, group) for group in others)]
    return set_of(call, kept)


def _setsubtract(call: Invocation, arguments: tuple[Value, ...]) -> Value:
    first, second = _sets(call, arguments)
    return set_of(call, [item for item in first if not _is_member(item, second)])


def _setproduct(call: Invocation, arguments: tuple[Value, ...]) -> Value:
    groups = [call.items(argument) for argument in arguments]
    if len(groups) < 2:
        raise WrongArguments
    total = 1
    for group in groups:
        total *= len(group)
        if total > MAX_ITEMS:
            raise TooLarge
    listings = [call.sequence(argument) for argument in arguments]
    rows: list[Value] = [call.listing(row) for row in product(*groups)]
    if all(listing.is_set for listing in listings):
        return set_of(call, rows)
    if all(listing.is_list or listing.is_set for listing in listings):
        return call.typed_list(rows)
    return call.as_list(call.listing(rows)) if rows else call.typed_list([])


FUNCTIONS: dict[str, Function] = {
    "setintersection": _setintersection,
    "setproduct": _setproduct,
    "setsubtract": _setsubtract,
    "setunion": _setunion,
}
