"""Terraform's pure functions on values, as far as they are known.

A function is one entry of `FUNCTIONS`. Those that only move things about (`concat`, `merge`,
`flatten`) keep holes and spans; the others ask for known arguments and give a hole where one
is missing. Nothing here raises: a wrong call is an error hole, as `try` and `can` need it.

The list: https://developer.hashicorp.com/terraform/language/functions
"""

from __future__ import annotations

import decimal as decimal_module
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, TypeAlias

from iam_preflight.jsontext import JsonError, parse_json
from iam_preflight.values import (
    Choice,
    Fragment,
    Json,
    Known,
    Listing,
    Mapping,
    Reason,
    Scalar,
    Text,
    Unknown,
    Value,
    either,
    is_null,
    join_parts,
    number_of,
    parts_of,
    text_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from iam_preflight.source import Span
    from iam_preflight.terraform.expressions import Scope

PRECISION = 60
"""Decimal digits kept; Terraform's numbers have 512 bits."""


@dataclass(frozen=True, slots=True)
class Context:
    """The call that is being evaluated: its name, place, source text and scope."""

    name: str
    span: Span
    label: str
    scope: Scope

    def unknown(self, reason: Reason = Reason.FUNCTION) -> Unknown:
        return Unknown(reason, self.label, self.span)

    def error(self) -> Unknown:
        return self.unknown(Reason.ERROR)

    def known(self, value: Scalar) -> Known:
        return Known(value, self.span)


Function: TypeAlias = "Callable[[Context, tuple[Value, ...]], Value]"


class NotKnown(Exception):
    """An argument that a function needs is not known: the call becomes a hole."""


class WrongArguments(Exception):
    """The call is in error, as Terraform would say: the call becomes an error hole."""


def call(context: Context, arguments: tuple[Value, ...]) -> Value:
    """Calls a function by name on arguments without alternatives at the top."""
    name = context.name.removeprefix("core::")
    function = FUNCTIONS.get(name)
    if function is None:
        return context.unknown(Reason.UNSUPPORTED)
    try:
        return function(context, arguments)
    except NotKnown:
        return context.unknown()
    except (WrongArguments, IndexError, ValueError, ArithmeticError):
        return context.error()


# ---------------------------------------------------------------- numbers and equality


def precision() -> AbstractContextManager[decimal_module.Context]:
    return decimal_module.localcontext(decimal_module.Context(prec=PRECISION))


def decimal(number: int | float | Decimal) -> Decimal:
    return Decimal(repr(number)) if isinstance(number, float) else Decimal(number)


def number(value: Value) -> Decimal | None:
    """A known number, also from text; None when it is not one."""
    if isinstance(value, Known) and isinstance(value.value, Decimal):
        return value.value
    found = number_of(value)
    return None if found is None else decimal(found)


def tidy(value: Decimal) -> int | Decimal:
    """Whole numbers as int, so that text made of them has no decimal point."""
    if value == value.to_integral_value() and abs(value.adjusted()) < 400:
        return int(value)
    return value


def equal(left: Value, right: Value) -> bool | None:
    """Whether two values are equal; None when a hole decides."""
    match left, right:
        case (Unknown() | Choice(), _) | (_, Unknown() | Choice()):
            return None
        case (Json(), _) | (_, Json()):
            return None
        case Known(value=a), Known(value=b):
            if isinstance(a, bool) is not isinstance(b, bool) or isinstance(
                a, str
            ) is not isinstance(b, str):
                return False
            return a == b
        case (Text(), Known(value=None)) | (Known(value=None), Text()):
            return False
        case (Text() | Known(), Text() | Known()):
            return _equal_text(left, right)
        case Listing(items=a_items, rest=None), Listing(items=b_items, rest=None):
            if len(a_items) != len(b_items):
                return False
            return _all_equal(list(zip(a_items, b_items, strict=True)))
        case Mapping(entries=a_map, rest=None), Mapping(entries=b_map, rest=None):
            if set(a_map) != set(b_map):
                return False
            return _all_equal([(a_map[key], b_map[key]) for key in a_map])
        case (Listing(), Listing()) | (Mapping(), Mapping()):
            return None
        case _:
            return False


def _all_equal(pairs: list[tuple[Value, Value]]) -> bool | None:
    verdicts = [equal(a, b) for a, b in pairs]
    if False in verdicts:
        return False
    return None if None in verdicts else True


def _equal_text(left: Value, right: Value) -> bool | None:
    """Text with holes differs for certain when its known start or end differs."""
    a, b = parts_of(left) or (), parts_of(right) or ()
    for first, second in ((a[0], b[0]), (a[-1], b[-1])) if a and b else ():
        if isinstance(first, Fragment) and isinstance(second, Fragment):
            is_head = first is a[0]
            x, y = first.text, second.text
            shorter = min(len(x), len(y))
            same = x[:shorter] == y[:shorter] if is_head else x[-shorter:] == y[-shorter:]
            if not same:
                return False
    return None


# ---------------------------------------------------------------- argument helpers


def _text(value: Value) -> str:
    text = text_of(value)
    if text is not None:
        return text
    if isinstance(value, Unknown | Text | Json):
        raise NotKnown
    raise WrongArguments


def _int(value: Value) -> int:
    found = number_of(value)
    if found is None:
        raise NotKnown if isinstance(value, Unknown | Text) else WrongArguments
    return int(found)


def _listing(value: Value) -> Listing:
    match value:
        case Listing():
            return value
        case Unknown():
            raise NotKnown
        case _:
            raise WrongArguments


def _mapping(value: Value) -> Mapping:
    match value:
        case Mapping():
            return value
        case Unknown():
            raise NotKnown
        case _:
            raise WrongArguments


def spread(value: Value) -> Unknown:
    """A hole for any number of items of an unknown collection."""
    if isinstance(value, Unknown):
        return Unknown(value.reason, f"{value.label}[*]", value.span, value.reference)
    return Unknown(Reason.FUNCTION, "further items", value.span)


# ---------------------------------------------------------------- collections


def _concat(context: Context, arguments: tuple[Value, ...]) -> Value:
    items: list[Value] = []
    rest: Value | None = None
    for argument in arguments:
        match argument:
            case Listing(items=more, rest=open_end):
                items.extend(more)
                rest = either(rest, open_end)
            case Unknown():
                rest = either(rest, spread(argument))
            case _:
                return context.error()
    return Listing(tuple(items), context.span, rest)


def _merge(context: Context, arguments: tuple[Value, ...]) -> Value:
    entries: dict[str, Value] = {}
    key_spans: dict[str, Span] = {}
    rest: Value | None = None
    for argument in arguments:
        match argument:
            case Mapping(entries=more, rest=open_end):
                for key in more:
                    entries[key] = more[key]
                    key_spans[key] = argument.key_span(key)
                rest = either(rest, open_end)
            case Unknown():
                rest = either(rest, spread(argument))
            case Known(value=None):
                continue
            case _:
                return context.error()
    return Mapping(entries, context.span, key_spans, rest)


def _flatten(context: Context, arguments: tuple[Value, ...]) -> Value:
    items: list[Value] = []
    rest: Value | None = None

    def add(value: Value) -> None:
        nonlocal rest
        match value:
            case Listing():
                for item in value.items:
                    add(item)
                if value.rest is not None:
                    rest = either(rest, value.rest)
            case Choice(arms=arms) if any(isinstance(arm, Listing) for _, arm in arms):
                for _, arm in arms:
                    if isinstance(arm, Listing):
                        for item in arm.items:
                            rest = either(rest, item)
                    elif not is_null(arm):
                        rest = either(rest, arm)
            case _:
                items.append(value)

    add(_listing(arguments[0]))
    return Listing(tuple(items), context.span, rest)


def _compact(context: Context, arguments: tuple[Value, ...]) -> Value:
    listing = _listing(arguments[0])
    items = tuple(item for item in listing.items if not is_null(item) and text_of(item) != "")
    return Listing(items, context.span, listing.rest)


def _distinct(context: Context, arguments: tuple[Value, ...]) -> Value:
    listing = _listing(arguments[0])
    return Listing(tuple(_unique(listing.items)), context.span, listing.rest)


def _unique(items: tuple[Value, ...]) -> list[Value]:
    kept: list[Value] = []
    seen: set[str] = set()
    for item in items:
        text = text_of(item)
        if text is not None:
            if text in seen:
                continue
            seen.add(text)
        elif any(equal(item, other) for other in kept):
            continue
        kept.append(item)
    return kept


def _toset(context: Context, arguments: tuple[Value, ...]) -> Value:
    listing = _listing(arguments[0])
    items = _unique(listing.items)
    items.sort(key=lambda item: text_of(item) or "\U0010ffff")
    return Listing(tuple(items), context.span, listing.rest, is_set=True)


def _tolist(context: Context, arguments: tuple[Value, ...]) -> Value:
    listing = _listing(arguments[0])
    return Listing(listing.items, context.span, listing.rest)


def _keys(context: Context, arguments: tuple[Value, ...]) -> Value:
    mapping = _mapping(arguments[0])
    items = tuple(Known(key, mapping.key_span(key)) for key in sorted(mapping.entries))
    rest = None if mapping.rest is None else Unknown(Reason.EACH, context.label, context.span)
    return Listing(items, context.span, rest)


def _values(context: Context, arguments: tuple[Value, ...]) -> Value:
    mapping = _mapping(arguments[0])
    items = tuple(mapping.entries[key] for key in sorted(mapping.entries))
    return Listing(items, context.span, mapping.rest)


def _lookup(context: Context, arguments: tuple[Value, ...]) -> Value:
    from iam_preflight.terraform.expressions import item_of

    mapping = _mapping(arguments[0])
    name = text_of(arguments[1])
    if name is None:
        return item_of(mapping, arguments[1], context.span)
    if name in mapping.entries:
        return mapping.entries[name]
    if mapping.rest is not None:
        return either(mapping.rest, arguments[2]) if len(arguments) > 2 else mapping.rest  # type: ignore[return-value]
    return arguments[2] if len(arguments) > 2 else context.error()


def _length(context: Context, arguments: tuple[Value, ...]) -> Value:
    match arguments[0]:
        case Listing(items=items, rest=None):
            return context.known(len(items))
        case Mapping(entries=entries, rest=None):
            return context.known(len(entries))
        case Known(value=str(text)):
            return context.known(len(text))
        case Known():
            return context.error()
        case _:
            return context.unknown()


def _element(context: Context, arguments: tuple[Value, ...]) -> Value:
    listing = _listing(arguments[0])
    if listing.rest is not None:
        raise NotKnown
    return (
        listing.items[_int(arguments[1]) % len(listing.items)] if listing.items else context.error()
    )


def _coalesce(context: Context, arguments: tuple[Value, ...]) -> Value:
    for argument in arguments:
        if isinstance(argument, Unknown):
            return argument
        if not is_null(argument) and text_of(argument) != "":
            return argument
    return context.error()


def _coalescelist(context: Context, arguments: tuple[Value, ...]) -> Value:
    for argument in arguments:
        if isinstance(argument, Unknown):
            return argument
        if isinstance(argument, Listing) and (argument.items or argument.rest is not None):
            return argument
    return context.error()


def _contains(context: Context, arguments: tuple[Value, ...]) -> Value:
    listing = _listing(arguments[0])
    verdicts = [equal(item, arguments[1]) for item in listing.items]
    if True in verdicts:
        return context.known(True)
    if None in verdicts or listing.rest is not None:
        return context.unknown()
    return context.known(False)


# ---------------------------------------------------------------- text


def _join(context: Context, arguments: tuple[Value, ...]) -> Value:
    separator = _text(arguments[0])
    parts: list[Fragment | Unknown] = []
    for argument in arguments[1:]:
        listing = _listing(argument)
        if listing.rest is not None:
            parts.append(spread(listing.rest))
        for item in listing.items:
            pieces = parts_of(item)
            if pieces is None:
                raise NotKnown
            if parts:
                parts.append(Fragment(separator, context.span))
            parts.extend(pieces)
    if not parts:
        return context.known("")
    return join_parts(parts, context.span)


def _split(context: Context, arguments: tuple[Value, ...]) -> Value:
    separator, text = _text(arguments[0]), _text(arguments[1])
    pieces = text.split(separator) if separator else list(text)
    return Listing(tuple(context.known(piece) for piece in pieces), context.span)


def _format(context: Context, arguments: tuple[Value, ...]) -> Value:
    verbs = re.split(r"(%(?:\[\d+\])?[-+ #0]*\d*(?:\.\d+)?[a-zA-Z%])", _text(arguments[0]))
    values = list(arguments[1:])
    parts: list[Fragment | Unknown] = []
    for piece in verbs:
        if not piece:
            continue
        if not piece.startswith("%"):
            parts.append(Fragment(piece, context.span))
        elif piece == "%%":
            parts.append(Fragment("%", context.span))
        elif not values:
            raise WrongArguments
        else:
            value = values.pop(0)
            if isinstance(value, Json):
                pieces: tuple[Fragment | Unknown, ...] | None = tuple(json_parts(value.value))
            else:
                pieces = parts_of(value)
            if pieces is None:
                raise NotKnown
            if piece not in ("%s", "%v", "%d"):
                raise NotKnown
            parts.extend(pieces)
    return join_parts(parts, context.span)


def _replace(context: Context, arguments: tuple[Value, ...]) -> Value:
    text, search, into = (_text(argument) for argument in arguments[:3])
    if len(search) > 1 and search.startswith("/") and search.endswith("/"):
        return context.known(re.sub(search[1:-1], into.replace("$", "\\"), text))
    return context.known(text.replace(search, into))


def _on_text(change: Callable[[str], str]) -> Function:
    def apply(context: Context, arguments: tuple[Value, ...]) -> Value:
        parts = parts_of(arguments[0])
        if parts is None:
            raise WrongArguments
        changed = [
            Fragment(change(part.text), part.span) if isinstance(part, Fragment) else part
            for part in parts
        ]
        return join_parts(list(changed), context.span)

    return apply


def _tostring(context: Context, arguments: tuple[Value, ...]) -> Value:
    value = arguments[0]
    if is_null(value) or isinstance(value, Text | Json | Unknown):
        return value
    return context.known(_text(value))


def _same(_context: Context, arguments: tuple[Value, ...]) -> Value:
    return arguments[0]


# ---------------------------------------------------------------- encoding and files


def _jsonencode(context: Context, arguments: tuple[Value, ...]) -> Value:
    value = arguments[0]
    return value if isinstance(value, Unknown) else Json(value, context.span)


def _jsondecode(context: Context, arguments: tuple[Value, ...]) -> Value:
    value = arguments[0]
    if isinstance(value, Unknown):
        raise NotKnown
    try:
        return parse_json(value)
    except JsonError:
        return context.error()


def json_parts(value: Value) -> list[Fragment | Unknown]:
    """A value as JSON text in which every leaf keeps its place and every hole stays a hole."""
    from iam_preflight.values import to_json

    parts: list[Fragment | Unknown] = []

    def add(node: Value) -> None:
        match node:
            case Unknown():
                parts.append(node)
            case Text(parts=pieces, span=span):
                parts.append(Fragment('"', span))
                for piece in pieces:
                    if isinstance(piece, Unknown):
                        parts.append(piece)
                    else:
                        escaped = to_json(Known(piece.text, piece.span))[1:-1]
                        parts.append(Fragment(escaped, piece.span))
                parts.append(Fragment('"', span))
            case Listing(items=items, span=span, rest=rest):
                parts.append(Fragment("[", span))
                for i, item in enumerate((*items, rest) if rest is not None else items):
                    if i:
                        parts.append(Fragment(",", span))
                    add(item)
                parts.append(Fragment("]", span))
            case Mapping(entries=entries, span=span):
                parts.append(Fragment("{", span))
                for i, key in enumerate(entries):
                    comma = "," if i else ""
                    encoded = to_json(Known(key, span))
                    parts.append(Fragment(f"{comma}{encoded}:", node.key_span(key)))
                    add(entries[key])
                parts.append(Fragment("}", span))
            case _:
                parts.append(Fragment(to_json(node), node.span))

    add(value)
    return parts


def _file(context: Context, arguments: tuple[Value, ...]) -> Value:
    source = context.scope.frame.read_text(_text(arguments[0]))
    if source is None:
        return context.unknown(Reason.MISSING)
    text = source.data.decode("utf-8", "replace")
    return Known(text, source.whole(), (Fragment(text, source.whole()),))


def _templatefile(context: Context, arguments: tuple[Value, ...]) -> Value:
    from iam_preflight.terraform.expressions import Scope, render_parts
    from iam_preflight.terraform.syntax import parse_template

    source = context.scope.frame.read_text(_text(arguments[0]))
    if source is None:
        return context.unknown(Reason.MISSING)
    variables = _mapping(arguments[1])
    names = {key: variables.entries[key] for key in variables.entries}
    template = parse_template(source.whole())
    return render_parts(template.parts, Scope(context.scope.frame, names), context.span)


FUNCTIONS: dict[str, Function] = {
    "chomp": _on_text(lambda text: text.rstrip("\r\n")),
    "coalesce": _coalesce,
    "coalescelist": _coalescelist,
    "compact": _compact,
    "concat": _concat,
    "contains": _contains,
    "distinct": _distinct,
    "element": _element,
    "file": _file,
    "flatten": _flatten,
    "format": _format,
    "join": _join,
    "jsondecode": _jsondecode,
    "jsonencode": _jsonencode,
    "keys": _keys,
    "length": _length,
    "lookup": _lookup,
    "lower": _on_text(str.lower),
    "merge": _merge,
    "nonsensitive": _same,
    "replace": _replace,
    "sensitive": _same,
    "split": _split,
    "templatefile": _templatefile,
    "tolist": _tolist,
    "tomap": _same,
    "toset": _toset,
    "tostring": _tostring,
    "trimspace": _on_text(str.strip),
    "upper": _on_text(str.upper),
    "values": _values,
}
