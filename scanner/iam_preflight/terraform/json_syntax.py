"""`.tf.json` and `.tfvars.json` to the same tree as HCL.

A string is a template; an object under a block's type is its labels, then its body; what would
be a nested block is written as an argument, and read as one.
https://developer.hashicorp.com/terraform/language/syntax/json
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from iam_preflight.jsontext import JsonError, flatten, read_json
from iam_preflight.terraform.tree import (
    Attribute,
    Block,
    Body,
    Broken,
    Complaints,
    Expression,
    File,
    Literal,
    Object,
    Template,
    Tuple,
)
from iam_preflight.values import (
    Fragment,
    Known,
    Listing,
    Mapping,
    Value,
    parts_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.errors import Problem
    from iam_preflight.source import SourceFile, Span

LABELS = {
    "resource": 2,
    "data": 2,
    "ephemeral": 2,
    "variable": 1,
    "output": 1,
    "module": 1,
    "provider": 1,
    "locals": 0,
    "terraform": 0,
}
COMMENT = "//"
REFERENCES = {
    "variable": ("type",),
    "module": ("providers", "depends_on"),
    "resource": ("provider", "depends_on"),
    "data": ("provider", "depends_on"),
}
"""Arguments whose strings are expressions rather than templates, by block type."""


def parse_json_file(source: SourceFile, problems: list[Problem]) -> File:
    """The blocks of a `.tf.json` file."""
    complaints = Complaints(problems)
    top = _document(source, complaints)
    blocks: list[Block] = []
    if top is not None:
        for block_type, labels in LABELS.items():
            if block_type in top.entries:
                value = top.entries[block_type]
                span = top.key_span(block_type)
                blocks.extend(_blocks(value, block_type, (), labels, span, complaints))
    return File(source, tuple(blocks), {})


def parse_json_values(source: SourceFile, problems: list[Problem]) -> File:
    """The values of a `.tfvars.json` file: plain JSON, strings are not templates there."""
    top = _document(source, Complaints(problems))
    attributes: dict[str, Attribute] = {}
    if top is not None:
        for name in top.entries:
            span = top.key_span(name)
            attributes[name] = Attribute(name, span, span, _constant(top.entries[name]))
    return File(source, (), attributes)


def _document(source: SourceFile, complaints: Complaints) -> Mapping | None:
    try:
        value = read_json(source)
    except JsonError as error:
        complaints.add(error.message, error.span)
        return None
    if not isinstance(value, Mapping):
        complaints.add("a JSON object must stand here", value.span)
        return None
    return value


def _each(value: Value) -> Iterator[Value]:
    """One body, or each of a list of bodies."""
    if isinstance(value, Listing):
        yield from value.items
    else:
        yield value


def _blocks(
    value: Value,
    block_type: str,
    labels: tuple[str, ...],
    missing: int,
    header: Span,
    complaints: Complaints,
) -> Iterator[Block]:
    for item in _each(value):
        if not isinstance(item, Mapping):
            complaints.add("a JSON object must stand here", item.span)
            continue
        if not missing:
            lower = functools.partial(_body, item, block_type, complaints)
            yield Block(block_type, labels, item.span, header, lower)
            continue
        for label in item.entries:
            if label != COMMENT:
                inner, span = item.entries[label], item.key_span(label)
                yield from _blocks(
                    inner, block_type, (*labels, label), missing - 1, span, complaints
                )


def _body(value: Mapping, block_type: str, complaints: Complaints) -> Body:
    attributes: dict[str, Attribute] = {}
    blocks: list[Block] = []
    for name in value.entries:
        entry, span = value.entries[name], value.key_span(name)
        if name == COMMENT:
            continue
        if name == "dynamic":
            blocks.extend(_blocks(entry, "dynamic", (), 1, span, complaints))
            continue
        if (name == "content" and block_type == "dynamic") or _holds_dynamic(entry):
            blocks.extend(_blocks(entry, name, (), 0, span, complaints))
            continue
        is_reference = name in REFERENCES.get(block_type, ())
        lower = functools.partial(_expression, entry, complaints, is_reference=is_reference)
        attributes[name] = Attribute(name, span, span, lower)
    return Body(attributes, tuple(blocks), value.span)


def _holds_dynamic(value: Value) -> bool:
    """Whether what could be an argument is nested blocks for certain: a `dynamic` is inside."""
    return any(
        isinstance(item, Mapping)
        and ("dynamic" in item.entries or any(map(_holds_dynamic, item.entries.values())))
        for item in _each(value)
    )


def _expression(value: Value, complaints: Complaints, *, is_reference: bool) -> Expression:
    span = value.span
    match value:
        case Known(value=str(text)):
            return _string(value, text, complaints, is_reference=is_reference)
        case Known(value=scalar):
            return Literal(scalar, span)
        case Listing(items=items):
            inner = tuple(_expression(i, complaints, is_reference=is_reference) for i in items)
            return Tuple(inner, span)
        case Mapping(entries=entries):
            pairs: list[tuple[Expression, Expression]] = []
            for key in entries:
                if key == COMMENT:
                    continue
                name = Known(key, value.key_span(key))
                pairs.append(
                    (
                        _string(name, key, complaints, is_reference=False),
                        _expression(entries[key], complaints, is_reference=is_reference),
                    )
                )
            return Object(tuple(pairs), span)
        case _:
            return Broken(span)


def _string(value: Known, text: str, complaints: Complaints, *, is_reference: bool) -> Expression:
    if "${" not in text and "%{" not in text and not is_reference:
        parts = parts_of(value) or ()
        if len(parts) > 1:
            return Template(tuple(part for part in parts if isinstance(part, Fragment)), value.span)
        return Literal(text, value.span)
    from iam_preflight.terraform.expressions import parse_expression, parse_template

    data = text.encode("utf-8", "surrogatepass")
    _, origin = flatten(parts_of(value) or (), value.span)

    def place(start: int, end: int) -> Span:
        first = len(data[:start].decode("utf-8", "replace"))
        return origin.span(first, first + len(data[start:end].decode("utf-8", "replace")))

    if is_reference and "${" not in text:
        return parse_expression(data, value.span, place, complaints)
    return parse_template(data, value.span, place, complaints)


def _constant(value: Value) -> Expression:
    match value:
        case Known(value=scalar, fragments=fragments) if len(fragments) > 1:
            return Template(fragments, value.span)
        case Known(value=scalar):
            return Literal(scalar, value.span)
        case Listing(items=items):
            return Tuple(tuple(_constant(item) for item in items), value.span)
        case Mapping(entries=entries):
            pairs = tuple(
                (Literal(key, value.key_span(key)), _constant(entries[key])) for key in entries
            )
            return Object(pairs, value.span)
        case _:
            return Broken(value.span)
