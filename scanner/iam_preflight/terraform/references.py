"""Attributes and items of values: `a.b`, `a["b"]`, `a[0]`.

An unknown key picks any entry, each labelled with the key it stands for; an entry that is there
only under assumptions is picked under them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.terraform import numbers
from iam_preflight.terraform.labels import deeper
from iam_preflight.terraform.narrowing import cause_of, narrow, without_errors
from iam_preflight.values import (
    MAX_ARMS,
    Absent,
    Assumption,
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
    either,
    is_conditional,
    is_null,
    show,
    text_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from iam_preflight.source import Span


def attribute_of(value: Value, name: str, span: Span, *, tries: bool = False) -> Value:
    match value:
        case Mapping(entries=entries, rest=rest):
            look_up: Callable[[str, Span], Value] | None = getattr(entries, "attribute", None)
            if look_up is not None:
                return look_up(name, span)
            if name in entries:
                return _present(entries[name], name, span, tries=tries)
            if len(entries) < MAX_ARMS:
                for key in entries:
                    if "«" in key:
                        rest = either(rest, entries[key])
            return _beyond(rest, name, span)
        case Unknown():
            return deeper(value, f".{name}", name, span)
        case Choice():
            return _each_arm(value, lambda arm: attribute_of(arm, name, span), tries=tries)
        case Listing() if name.isdigit():
            return item_of(value, Known(int(name), span), span, tries=tries)
        case _:
            return _no_such(value, f".{name}", span)


def item_of(value: Value, key: Value, span: Span, *, tries: bool = False) -> Value:
    if isinstance(value, Choice):
        return _each_arm(value, lambda arm: item_of(arm, key, span), tries=tries)
    if isinstance(key, Choice):
        return _each_arm(key, lambda arm: item_of(value, arm, span), tries=tries)
    match value:
        case Unknown():
            return deeper(value, _index_suffix(key), "", span)
        case Mapping(entries=entries, rest=rest):
            name = text_of(key)
            if name is not None:
                return attribute_of(value, name, span, tries=tries)
            if not isinstance(key, Unknown | Text):
                return _no_such(value, _index_suffix(key), span)
            return _any_of([(k, entries[k]) for k in entries], rest, key, span)
        case Listing(items=items, rest=rest, is_set=False):
            number = numbers.number_of(key)
            if number is None:
                if not isinstance(key, Unknown):
                    return _no_such(value, _index_suffix(key), span)
                return _any_of([(str(i), item) for i, item in enumerate(items)], rest, key, span)
            if not isinstance(number, int) or number < 0:
                return _no_such(value, _index_suffix(key), span)
            return _at(value, number, span, tries=tries)
        case _:
            return _no_such(value, _index_suffix(key), span)


def _at(listing: Listing, number: int, span: Span, *, tries: bool) -> Value:
    """The item at an index, whichever of the items before it are there."""
    for item in listing.items[: number + 1]:
        if is_conditional(item):
            assert isinstance(item, Choice)
            arms: list[tuple[Assumptions, Value]] = []
            for given, arm in item.arms:
                shorter = narrow(listing, given, (item, arm))
                assert isinstance(shorter, Listing)
                arms.append((given, _at(shorter, number, span, tries=tries)))
                if len(arms) > MAX_ARMS:
                    break
            return choice(arms if tries else without_errors(arms), span)
    if number < len(listing.items):
        return listing.items[number]
    return _beyond(listing.rest, f"[{number}]", span)


def _index_suffix(key: Value) -> str:
    shown = text_of(key)
    if shown is None:
        return f"[{show(key)[:60]}]" if isinstance(key, Unknown | Text) else "[…]"
    return f"[{shown}]" if shown.isdigit() else f'["{shown}"]'


def _no_such(value: Value, suffix: str, span: Span) -> Unknown:
    what = "null" if is_null(value) else "text" if isinstance(value, Known | Text | Json) else "it"
    return Unknown(Reason.ERROR, f"{what}{suffix}", span)


def _present(value: Value, name: str, span: Span, *, tries: bool) -> Value:
    """An entry that is asked for by name is there: else the expression would be in error."""
    if not is_conditional(value):
        return value
    assert isinstance(value, Choice)
    missing = Unknown(Reason.MISSING, name, span)
    arms = [(given, missing if isinstance(arm, Absent) else arm) for given, arm in value.arms]
    return choice(arms if tries else without_errors(arms), value.span)


def _beyond(rest: Value | None, name: str, span: Span) -> Value:
    return rest if rest is not None else Unknown(Reason.MISSING, name, span)


def _any_of(
    entries: Sequence[tuple[str, Value]], rest: Value | None, key: Value, span: Span
) -> Value:
    """Every value that an unknown key may pick, labelled with the key."""
    subject = show(key).strip("«»")
    if not entries and rest is not None:
        return rest
    if not entries or len(entries) >= MAX_ARMS:
        return Unknown(cause_of((key,)) or Reason.FUNCTION, f"[{subject}]", span)
    arms: list[tuple[Assumptions, Value]] = [
        ((Assumption(subject, name),), value) for name, value in entries
    ]
    if rest is not None:
        arms.append(((Assumption(subject, "another"),), rest))
    return choice(arms, span)


def _each_arm(value: Choice, change: Callable[[Value], Value], *, tries: bool) -> Value:
    arms = [(given, change(arm)) for given, arm in value.arms]
    return choice(arms if tries else without_errors(arms), value.span)
