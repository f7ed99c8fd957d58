"""`format` and `formatlist`, with every verb.

https://developer.hashicorp.com/terraform/language/functions/format
"""

from __future__ import annotations

import re
from decimal import Context, Decimal
from typing import TYPE_CHECKING

from msgspec import Struct

from iam_preflight.terraform.functions.arguments import (
    Function,
    Invocation,
    NotKnown,
    TooLarge,
    WrongArguments,
)
from iam_preflight.values import (
    Fragment,
    Json,
    Known,
    Listing,
    Mapping,
    Text,
    Unknown,
    Value,
    is_null,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from iam_preflight.terraform import numbers

_VERB = re.compile(
    r"%(?P<flags>[-+ #0]*)(?P<width>\d+)?(?:\.(?P<precision>\d+))?(?:\[(?P<index>\d+)\])?"
    r"(?P<verb>[a-zA-Z%])"
)
MAX_WIDTH = 4096


class _Verb(Struct, frozen=True):
    letter: str
    flags: str
    width: int | None
    precision: int | None


def quoted(text: str) -> str:
    """A string in Go's quotes: JSON's, with `<`, `>` and `&` escaped."""
    out = ['"']
    for char in text:
        code = ord(char)
        if char in '"\\':
            out.append("\\" + char)
        elif char in _SHORT:
            out.append(_SHORT[char])
        elif code < 0x20 or char in "<>&\u2028\u2029":
            out.append(f"\\u{code:04x}")
        else:
            out.append(char)
    out.append('"')
    return "".join(out)


_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f"}


def _format(call: Invocation, arguments: tuple[Value, ...]) -> Value:
    template, values = arguments[0], arguments[1:]
    return call.joined(_formatted(call, template, values))


def _formatted(
    call: Invocation, template: Value, values: Sequence[Value]
) -> list[Fragment | Unknown]:
    out: list[Fragment | Unknown] = []
    following, highest = 0, 0
    pieces = call.parts(template)
    call.see(template)
    is_known = all(isinstance(piece, Fragment) for piece in pieces)
    if is_known:
        pieces = (call.fragment(call.text(template)),)
    for piece in pieces:
        if isinstance(piece, Unknown):
            out.append(piece)  # taken to hold no verbs
            continue
        for token in _tokens(piece.text):
            if isinstance(token, str):
                out.append(Fragment(token, call.span, call.sensitive))
                continue
            if token["index"] is not None:
                following = int(token["index"]) - 1
            if not 0 <= following < len(values):
                raise WrongArguments
            out.extend(_one(call, _read_verb(token), values[following]))
            following += 1
            highest = max(highest, following)
    if highest < len(values) and is_known:
        raise WrongArguments
    return out


def _tokens(text: str) -> Iterator[str | re.Match[str]]:
    """The verbs of a format and the text between them."""
    at = 0
    while at < len(text):
        percent = text.find("%", at)
        if percent < 0:
            percent = len(text)
        if percent > at:
            yield text[at:percent]
        if percent == len(text):
            return
        found = _VERB.match(text, percent)
        if found is None:
            raise WrongArguments
        at = found.end()
        if found["verb"] == "%":
            yield "%"
        else:
            yield found


def _read_verb(found: re.Match[str]) -> _Verb:
    width = int(found["width"]) if found["width"] else None
    precision = int(found["precision"]) if found["precision"] else None
    if (width or 0) > MAX_WIDTH or (precision or 0) > MAX_WIDTH:
        raise TooLarge
    return _Verb(found["verb"], found["flags"], width, precision)


def _one(call: Invocation, verb: _Verb, value: Value) -> Sequence[Fragment | Unknown]:
    """What one verb makes of its value; a hole stays a hole."""
    if verb.letter not in "vtbdoxXeEfgGsq":
        raise WrongArguments
    if isinstance(value, Unknown):
        return (value,)
    if isinstance(value, Text | Json) and verb.letter in "sv" and "#" not in verb.flags:
        return call.parts(value)
    if isinstance(value, Text) and verb.letter in "qv":
        quote = call.fragment('"')
        inner = [
            Fragment(quoted(part.text)[1:-1], part.span, part.sensitive)
            if isinstance(part, Fragment)
            else part
            for part in call.parts(value)
        ]
        return (quote, *inner, quote)
    if verb.letter == "v":
        return _as_is(call, verb, value)
    if is_null(value):
        raise WrongArguments
    match verb.letter:
        case "t":
            return (call.fragment("true" if call.boolean(value) else "false"),)
        case "s" | "q":
            text = call.text(value)
            if verb.precision:
                from iam_preflight.terraform.functions.text import graphemes

                text = "".join(graphemes(text)[: verb.precision])
            elif isinstance(value, Known) and verb.width is None and verb.letter == "s":
                return call.parts(value)
            padded = _pad(verb, quoted(text) if verb.letter == "q" else text)
            return (Fragment(padded, value.span, call.sensitive),)
        case "b" | "d" | "o" | "x" | "X":
            return (call.fragment(_integer(verb, call.integer(value))),)
        case _:
            return (call.fragment(_float(verb, call.number(value))),)


def _as_is(call: Invocation, verb: _Verb, value: Value) -> Sequence[Fragment | Unknown]:
    if "#" not in verb.flags and isinstance(value, Known) and value.value is not None:
        if isinstance(value.value, str):
            if verb.width is None:
                return call.parts(value)
            return (Fragment(_pad(verb, call.text(value)), value.span, call.sensitive),)
        if not isinstance(value.value, bool):
            shown = general(call.number(value), None)
            return (call.fragment(_pad(verb, shown)),)
    from iam_preflight.terraform.functions.encoding import json_parts

    if isinstance(value, Listing | Mapping | Known):
        parts = json_parts(value)
        if any(isinstance(part, Unknown) for part in parts) or verb.width is None:
            return parts
        whole = "".join(part.text for part in parts if isinstance(part, Fragment))
        return (call.fragment(_pad(verb, whole)),)
    raise NotKnown


def _pad(verb: _Verb, text: str) -> str:
    if verb.width is None:
        return text
    from iam_preflight.terraform.functions.text import graphemes

    missing = verb.width - len(graphemes(text))
    if missing <= 0:
        return text
    padding = ("0" if "0" in verb.flags else " ") * missing
    return text + padding if "-" in verb.flags else padding + text


# ---------------------------------------------------------------- numbers


def _integer(verb: _Verb, number: int) -> str:
    base = {"b": "b", "d": "d", "o": "o", "x": "x", "X": "X"}[verb.letter]
    digits = format(abs(number), base)
    if verb.precision is not None:
        digits = digits.rjust(verb.precision, "0")
    if "#" in verb.flags:
        digits = {"b": "0b", "o": "0", "x": "0x", "X": "0X"}.get(verb.letter, "") + digits
    return _signed(verb, number < 0, digits)


def _signed(verb: _Verb, is_negative: bool, digits: str) -> str:
    sign = "-" if is_negative else "+" if "+" in verb.flags else " " if " " in verb.flags else ""
    missing = (verb.width or 0) - len(sign) - len(digits)
    if missing <= 0:
        return sign + digits
    if "-" in verb.flags:
        return sign + digits + " " * missing
    if "0" in verb.flags:
        return sign + "0" * missing + digits
    return " " * missing + sign + digits


def _float(verb: _Verb, number: numbers.Number) -> str:
    size = abs(Decimal(number))
    match verb.letter:
        case "f":
            places = 6 if verb.precision is None else verb.precision
            digits = format(size, f".{places}f")
        case "e" | "E":
            places = 6 if verb.precision is None else verb.precision
            digits = _scientific(size, places + 1, verb.letter)
        case _:
            digits = general(size, verb.precision, "e" if verb.letter == "g" else "E")
    return _signed(verb, number < 0, digits)


def general(number: numbers.Number, precision: int | None, letter: str = "e") -> str:
    """`%g`: scientific for large and small exponents, the shortest digits without precision."""
    value = Decimal(number)
    sign = "-" if value < 0 else ""
    value = abs(value)
    if not value:
        return "0"
    if precision is not None:
        value = Context(prec=max(precision, 1)).plus(value)
    value = value.normalize(Context(prec=700))
    exponent = value.adjusted()
    digits = len(value.as_tuple().digits)
    threshold = 21 if precision is None else max(precision, 1)
    if precision is not None and threshold > digits >= exponent + 1:
        threshold = digits
    if precision is None:
        threshold = 6
    if exponent < -4 or exponent >= threshold:
        return sign + _scientific(value, digits, letter)
    return sign + format(value, "f")


def _scientific(value: Decimal, digits: int, letter: str) -> str:
    shown = format(value, f".{digits - 1}{letter}")
    mantissa, _, exponent = shown.partition(letter)
    sign = "-" if exponent.startswith("-") else "+"
    return f"{mantissa}{letter}{sign}{exponent.lstrip('+-').rjust(2, '0')}"


# ---------------------------------------------------------------- lists


def _formatlist(call: Invocation, arguments: tuple[Value, ...]) -> Value:
    values = arguments[1:]
    listings = [value for value in values if isinstance(value, Listing)]
    lengths = {len(listing.items) for listing in listings if listing.rest is None}
    for listing in listings:
        call.see(listing)
        call.certain(listing.items)
    rests = [listing for listing in listings if listing.rest is not None]
    if rests:
        row = [v.rest if isinstance(v, Listing) and v.rest is not None else v for v in values]
        if any(isinstance(value, Listing) for value in row):
            raise NotKnown
        rows = min(len(listing.items) for listing in listings)
        made = [_row(call, arguments[0], values, i) for i in range(rows)]
        return call.typed_list(made, call.joined(_formatted(call, arguments[0], row)))
    if len(lengths) > 1:
        raise WrongArguments
    count = lengths.pop() if lengths else 1
    return call.typed_list(_row(call, arguments[0], values, i) for i in range(count))


def _row(call: Invocation, template: Value, values: Sequence[Value], index: int) -> Value:
    row = [value.items[index] if isinstance(value, Listing) else value for value in values]
    parts = _formatted(call, template, row)
    return call.joined(parts) if parts else call.known("")


FUNCTIONS: dict[str, Function] = {"format": _format, "formatlist": _formatlist}
