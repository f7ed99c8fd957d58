"""Questions about everything inside of a value: what is secret, unknown, or heavy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from iam_preflight.values.kinds import (
    Choice,
    Json,
    Known,
    Listing,
    Mapping,
    Reference,
    Text,
    Unknown,
    Value,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


def is_sensitive(value: Value) -> bool:
    """Whether anything in the value is marked sensitive."""
    match value:
        case Known(sensitive=sensitive) | Unknown(sensitive=sensitive):
            return sensitive
        case Text(parts=parts, sensitive=sensitive):
            return sensitive or any(part.sensitive for part in parts)
        case Listing(items=items, rest=rest, sensitive=sensitive):
            return (
                sensitive
                or any(is_sensitive(item) for item in items)
                or (rest is not None and is_sensitive(rest))
            )
        case Mapping(entries=entries, rest=rest, sensitive=sensitive):
            return (
                sensitive
                or any(is_sensitive(entry) for entry in entries.values())
                or (rest is not None and is_sensitive(rest))
            )
        case Choice(arms=arms):
            return any(is_sensitive(arm) for _, arm in arms)
        case Json(value=inner):
            return is_sensitive(inner)


def holes_of(value: Value) -> Iterator[Unknown]:
    """Every hole anywhere inside a value, in order."""
    match value:
        case Unknown():
            yield value
        case Text(parts=parts):
            for part in parts:
                if isinstance(part, Unknown):
                    yield part
        case Listing(items=items, rest=rest):
            for item in items:
                yield from holes_of(item)
            if rest is not None:
                yield from holes_of(rest)
        case Mapping(entries=entries, rest=rest):
            for entry in entries.values():
                yield from holes_of(entry)
            if rest is not None:
                yield from holes_of(rest)
        case Choice(arms=arms):
            for _, arm in arms:
                yield from holes_of(arm)
        case Json(value=inner):
            yield from holes_of(inner)
        case Known():
            return


def weight_of(value: Value) -> int:
    """How many leaves a value has when it is written out in full, as far as they were counted."""
    if type(value) is Known:  # nearly all, and asked for more often than anything else
        return 1
    match value:
        case Listing(weight=weight) | Mapping(weight=weight):
            return weight
        case Choice(arms=arms):
            return sum(weight_of(arm) for _, arm in arms)
        case Json(value=inner):
            return 2 * weight_of(inner)  # JSON in JSON in JSON doubles its backslashes each time
        case _:
            return 1


def with_reference(value: Value, reference: Reference) -> Value:
    match value:
        case Unknown():
            return replace(value, reference=reference, origin=_origin(value))
        case Known() | Text() | Mapping() | Json():
            return replace(value, reference=reference)
        case Choice(arms=arms):
            arms = tuple((given, with_reference(arm, reference)) for given, arm in arms)
            return Choice(arms, value.span)
        case _:
            return value


def _origin(hole: Unknown) -> str:
    """What the value of a hole is called: after a variable, or another's attribute."""
    return hole.origin or (hole.label if hole.label == str(hole.reference) else "")


def as_name(value: Value) -> Value:
    """The same, and whatever is not known of it is the name of something that there is."""
    match value:
        case Unknown():
            return replace(value, is_name=True)
        case Text(parts=parts):
            named = (replace(p, is_name=True) if isinstance(p, Unknown) else p for p in parts)
            return replace(value, parts=tuple(named))
        case Choice(arms=arms):
            return Choice(tuple((given, as_name(arm)) for given, arm in arms), value.span)
        case _:
            return value
