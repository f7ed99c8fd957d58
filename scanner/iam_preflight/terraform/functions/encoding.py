"""JSON, base64, URL, CSV and character encodings.

https://developer.hashicorp.com/terraform/language/functions (encoding functions)
"""

from __future__ import annotations

import binascii
import codecs
from decimal import Decimal
from typing import TYPE_CHECKING
from urllib.parse import quote

from iam_preflight.jsontext import JsonError, parse_parts
from iam_preflight.terraform import numbers
from iam_preflight.terraform.functions.arguments import (
    MAX_TEXT,
    Function,
    Invocation,
    NotKnown,
    TooLarge,
    WrongArguments,
)
from iam_preflight.terraform.functions.formatting import quoted
from iam_preflight.values import (
    Choice,
    Fragment,
    Json,
    Known,
    Listing,
    Mapping,
    Reason,
    Text,
    Unknown,
    Value,
    is_conditional,
    weight_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.errors import Problem
    from iam_preflight.source import Span

MAX_DEPTH = 200


def json_parts(value: Value) -> list[Fragment | Unknown]:
    """A value as the JSON text that Terraform makes of it: every leaf keeps its place, every
    hole stays a hole, keys are sorted.
    """
    if weight_of(value) > MAX_TEXT // 8:
        raise TooLarge
    return list(_json(value, 0))


def _json(value: Value, depth: int) -> Iterator[Fragment | Unknown]:
    if depth > MAX_DEPTH:
        raise TooLarge
    span = value.span
    match value:
        case Unknown():
            yield value
        case Text(parts=parts):
            yield Fragment('"', span)
            for part in parts:
                if isinstance(part, Unknown):
                    yield part
                else:
                    yield Fragment(quoted(part.text)[1:-1], part.span, part.sensitive)
            yield Fragment('"', span)
        case Listing(items=items, rest=rest):
            yield Fragment("[", span)
            for i, item in enumerate((*items, rest) if rest is not None else items):
                if i:
                    yield Fragment(",", span)
                yield from _json(item, depth + 1)
            yield Fragment("]", span)
        case Mapping(entries=entries):
            yield Fragment("{", span)
            for i, key in enumerate(sorted(entries)):
                comma = "," if i else ""
                yield Fragment(f"{comma}{quoted(key)}:", value.key_span(key))
                yield from _json(entries[key], depth + 1)
            yield Fragment("}", span)
        case Choice(arms=arms):
            # an alternative inside a structure: text can hold only one, so it is a hole
            label = "one of several values" if len(arms) > 1 else "a value under a condition"
            yield Unknown(Reason.FUNCTION, label, span)
        case Json(value=inner):
            text: list[Fragment | Unknown] = list(_json(inner, depth + 1))
            yield from _json(Text(tuple(text), span), depth + 1)
        case Known():
            yield Fragment(_scalar(value), span, value.sensitive)


def _scalar(value: Known) -> str:
    match value.value:
        case None:
            return "null"
        case bool(flag):
            return "true" if flag else "false"
        case str(text):
            return quoted(text)
        case _:
            return numbers.render(numbers.number_of(value) or 0)


def _jsonencode(call: Invocation, arguments: tuple[Value, ...]) -> Value:
    value = arguments[0]
    if isinstance(value, Unknown):
        raise NotKnown(value.reason)
    if weight_of(value) > MAX_TEXT // 8:
        raise TooLarge
    return Json(value, call.span)


def _jsondecode(call: Invocation, arguments: tuple[Value, ...]) -> Value:
    value = arguments[0]
    if isinstance(value, Unknown):
        raise NotKnown(value.reason)
    if isinstance(value, Json) and not _has_alternatives(value.value):
        return _as_decoded(value.value)
    try:
        return _parsed(call, value)
    except JsonError:
        if isinstance(value, Text):
            raise NotKnown from None
        raise WrongArguments from None


def _parsed(call: Invocation, value: Value) -> Value:
    parts = call.parts(value)
    source = value.span.source
    if len(parts) == 1 and isinstance(parts[0], Fragment) and not parts[0].sensitive:
        text, place = parts[0].text, parts[0].span
        if place == value.span == source.whole():
            frame = call.scope.frame
            return frame.decoded(source, text, lambda: parse_parts(parts, place))
    return parse_parts(parts, value.span)


def _has_alternatives(value: Value) -> bool:
    return is_conditional(value)


def _as_decoded(value: Value) -> Value:
    """What decoding the JSON of a value gives: lists and sets come back as tuples."""
    match value:
        case Listing(items=items, rest=rest):
            inner = tuple(_as_decoded(item) for item in items)
            return Listing(inner, value.span, rest, weight=value.weight)
        case Mapping(entries=dict() as entries) if value.is_map:
            decoded = {key: _as_decoded(entry) for key, entry in entries.items()}
            return Mapping(decoded, value.span, value.key_spans, value.rest, weight=value.weight)
        case _:
            return value


# ---------------------------------------------------------------- base64 and URLs


def _bytes(call: Invocation, value: Value) -> bytes:
    return call.text(value).encode("utf-8", "surrogateescape")


def decode_base64(text: str) -> bytes:
    import base64

    try:
        return base64.b64decode(text.replace("\r", "").replace("\n", ""), validate=True)
    except (binascii.Error, ValueError):
        raise WrongArguments from None


def _base64(data: bytes) -> str:
    return binascii.b2a_base64(data, newline=False).decode()


def _base64encode(call: Invocation, arguments: tuple[Value, ...]) -> Value:
    return call.known(_base64(_bytes(call, arguments[0])))


def _base64decode(call: Invocation, arguments: tuple[Value, ...]) -> Value:
    data = decode_base64(call.text(arguments[0]))
    try:
        return call.known(data.decode("utf-8"))
    except UnicodeDecodeError:
        raise WrongArguments from None


def _encoding(name: str) -> codecs.CodecInfo:
    try:
        found = codecs.lookup(name)
    except (LookupError, ValueError):
        raise WrongArguments from None
    if not found._is_text_encoding:  # noqa: SLF001  hex, zip and the like are not charsets
        raise WrongArguments
    return found


def _textencodebase64(call: Invocation, arguments: tuple[Value, ...]) -> Value:
    encoding = _encoding(call.text(arguments[1]))
    try:
        data, _ = encoding.encode(call.text(arguments[0]))
    except UnicodeError:
        raise WrongArguments from None
    return call.known(_base64(data))


def _textdecodebase64(call: Invocation, arguments: tuple[Value, ...]) -> Value:
    encoding = _encoding(call.text(arguments[1]))
    try:
        text, _ = encoding.decode(decode_base64(call.text(arguments[0])))
    except UnicodeError:
        raise WrongArguments from None
    return call.known(text)


def _urlencode(call: Invocation, arguments: tuple[Value, ...]) -> Value:
    return call.known(quote(_bytes(call, arguments[0]), safe=" ").replace(" ", "+"))


# ---------------------------------------------------------------- CSV


def _csvdecode(call: Invocation, arguments: tuple[Value, ...]) -> Value:
    import csv
    import io

    text = call.text(arguments[0])
    try:
        rows = [row for row in csv.reader(io.StringIO(text), strict=True) if row]
    except csv.Error:
        raise WrongArguments from None
    if not rows:
        raise WrongArguments
    names, *records = rows
    if len(set(names)) < len(names) or any(len(record) != len(names) for record in records):
        raise WrongArguments
    made: list[Value] = []
    for record in records:
        cells: dict[str, Value] = {
            name: call.known(cell) for name, cell in zip(names, record, strict=True)
        }
        made.append(Mapping(cells, call.span, sensitive=call.sensitive, weight=1 + len(cells)))
    return call.typed_list(made)


# ---------------------------------------------------------------- tfvars


def _encode_expression(call: Invocation, arguments: tuple[Value, ...]) -> Value:
    return call.known("".join(_hcl(call, arguments[0], 0)))


def _encode_tfvars(call: Invocation, arguments: tuple[Value, ...]) -> Value:
    entries = call.whole_mapping(arguments[0]).entries
    width = max((len(key) for key in entries), default=0)
    lines = [
        f"{key.ljust(width)} = {''.join(_hcl(call, entries[key], 0))}\n" for key in sorted(entries)
    ]
    return call.known("".join(lines))


def _hcl(call: Invocation, value: Value, depth: int) -> Iterator[str]:
    """A value as `terraform fmt` writes it."""
    if depth > MAX_DEPTH:
        raise TooLarge
    match value:
        case Listing():
            inner = ["".join(_hcl(call, item, depth)) for item in call.items(value)]
            yield f"[{', '.join(inner)}]"
        case Mapping():
            entries = call.whole_mapping(value).entries
            if not entries:
                yield "{}"
                return
            pad = "  " * (depth + 1)
            names = {key: key if _is_identifier(key) else quoted(key) for key in sorted(entries)}
            width = max(len(name) for name in names.values())
            yield "{\n"
            for key, name in names.items():
                yield f"{pad}{name.ljust(width)} = "
                yield from _hcl(call, entries[key], depth + 1)
                yield "\n"
            yield "  " * depth + "}"
        case Known(value=None):
            yield "null"
        case Known(value=bool() | int() | Decimal()):
            yield call.text(value)
        case _:
            text = quoted(call.text(value)).replace("${", "$${").replace("%{", "%%{")
            yield text.replace("\\u003c", "<").replace("\\u003e", ">").replace("\\u0026", "&")


def _is_identifier(text: str) -> bool:
    return text.replace("-", "_").isidentifier()


def _decode_tfvars(call: Invocation, arguments: tuple[Value, ...]) -> Value:
    from iam_preflight.source import SourceFile
    from iam_preflight.terraform.evaluation import evaluate
    from iam_preflight.terraform.syntax import parse_file

    text = call.text(arguments[0])
    problems: list[Problem] = []
    source = SourceFile(call.span.path, text.encode("utf-8", "surrogatepass"))
    parsed = parse_file(source, problems)
    if problems or parsed.blocks:
        raise WrongArguments
    scope = call.scope.closed({})
    entries = {
        name: _moved(evaluate(attribute.expression, scope), call.span)
        for name, attribute in parsed.attributes.items()
    }
    return Mapping(entries, call.span, sensitive=call.sensitive, weight=1 + len(entries))


def _moved(value: Value, span: Span) -> Value:
    """A value read from text that is in no file: its place is the call's."""
    match value:
        case Known(value=scalar):
            return Known(scalar, span, sensitive=value.sensitive)
        case Listing(items=items):
            inner = tuple(_moved(item, span) for item in items)
            return Listing(inner, span, weight=value.weight)
        case Mapping(entries=entries):
            moved = {key: _moved(entry, span) for key, entry in entries.items()}
            return Mapping(moved, span, weight=value.weight)
        case _:
            return Unknown(Reason.ERROR, "not a constant", span)


def _not_reproducible(_call: Invocation, _arguments: tuple[Value, ...]) -> Value:
    # gzip's bytes depend on the compressor; Go's cannot be reproduced
    raise NotKnown


FUNCTIONS: dict[str, Function] = {
    "base64decode": _base64decode,
    "base64encode": _base64encode,
    "base64gzip": _not_reproducible,
    "csvdecode": _csvdecode,
    "jsondecode": _jsondecode,
    "jsonencode": _jsonencode,
    "provider::terraform::decode_tfvars": _decode_tfvars,
    "provider::terraform::encode_expr": _encode_expression,
    "provider::terraform::encode_tfvars": _encode_tfvars,
    "textdecodebase64": _textdecodebase64,
    "textencodebase64": _textencodebase64,
    "urlencode": _urlencode,
}
