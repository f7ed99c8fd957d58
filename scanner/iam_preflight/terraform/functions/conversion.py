"""Type conversion, and marking what is sensitive.

https://developer.hashicorp.com/terraform/language/functions (type conversion functions)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from iam_preflight.terraform import types
from iam_preflight.terraform.functions.arguments import Function, Invocation, WrongArguments
from iam_preflight.values import (
    Choice,
    Json,
    Known,
    LazyEntries,
    Listing,
    Mapping,
    Text,
    Unknown,
    Value,
    is_null,
    is_sensitive,
)

if TYPE_CHECKING:
    from collections.abc import Callable


def _to(wanted: types.Type) -> Function:
    def apply(_call: Invocation, arguments: tuple[Value, ...]) -> Value:
        value = arguments[0]
        if isinstance(value, Unknown) or is_null(value):
            return value
        try:
            return types.convert(value, wanted)
        except types.ConversionError:
            raise WrongArguments from None

    return apply


def mark(value: Value, *, sensitive: bool = True) -> Value:
    """The value and everything in it marked as sensitive, or not."""
    match value:
        case Known(fragments=fragments):
            pieces = tuple(replace(piece, sensitive=sensitive) for piece in fragments)
            return replace(value, fragments=pieces, sensitive=sensitive)
        case Unknown():
            return replace(value, sensitive=sensitive)
        case Text(parts=parts):
            pieces_of = tuple(replace(part, sensitive=sensitive) for part in parts)
            return replace(value, parts=pieces_of, sensitive=sensitive)
        case Listing(items=items, rest=rest):
            marked = tuple(mark(item, sensitive=sensitive) for item in items)
            more = None if rest is None else mark(rest, sensitive=sensitive)
            return replace(value, items=marked, rest=more, sensitive=sensitive)
        case Mapping(entries=entries, rest=rest):
            pending: dict[str, Callable[[], Value]] = {
                key: _marker(value, key, sensitive=sensitive) for key in entries
            }
            more = None if rest is None else mark(rest, sensitive=sensitive)
            lazy = LazyEntries(pending)
            made = lazy if isinstance(entries, LazyEntries) else dict(lazy)
            return replace(value, entries=made, rest=more, sensitive=sensitive)
        case Choice(arms=arms):
            each = tuple((given, mark(arm, sensitive=sensitive)) for given, arm in arms)
            return replace(value, arms=each)
        case Json(value=inner):
            return replace(value, value=mark(inner, sensitive=sensitive))


def _marker(mapping: Mapping, key: str, *, sensitive: bool) -> Callable[[], Value]:
    return lambda: mark(mapping.entries[key], sensitive=sensitive)


def _sensitive(call: Invocation, arguments: tuple[Value, ...]) -> Value:
    return call.scope.frame.keep_secret(mark(arguments[0]))


def _nonsensitive(_call: Invocation, arguments: tuple[Value, ...]) -> Value:
    return mark(arguments[0], sensitive=False)


def _issensitive(call: Invocation, arguments: tuple[Value, ...]) -> Value:
    value = arguments[0]
    match value:
        case Listing(sensitive=sensitive) | Mapping(sensitive=sensitive):
            return Known(sensitive, call.span)
        case _:
            return Known(is_sensitive(value), call.span)


def _ephemeralasnull(_call: Invocation, arguments: tuple[Value, ...]) -> Value:
    return arguments[0]


FUNCTIONS: dict[str, Function] = {
    "ephemeralasnull": _ephemeralasnull,
    "issensitive": _issensitive,
    "nonsensitive": _nonsensitive,
    "sensitive": _sensitive,
    "tobool": _to(types.BOOL),
    "tolist": _to(types.Type(types.Kind.LIST, types.ANY)),
    "tomap": _to(types.Type(types.Kind.MAP, types.ANY)),
    "tonumber": _to(types.NUMBER),
    "toset": _to(types.Type(types.Kind.SET, types.ANY)),
    "tostring": _to(types.STRING),
}
