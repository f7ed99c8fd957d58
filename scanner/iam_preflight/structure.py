"""YAML and JSON files as one plain tree with places, for what we look for in them ourselves.

Only ignores in templates and facts for a first settings file are read this way; what a template
means is the front end's business.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from iam_preflight import yamltext
from iam_preflight.source import Span

if TYPE_CHECKING:
    from collections.abc import Iterator

    from yaml import Node

    from iam_preflight.source import SourceFile
    from iam_preflight.values import Value


class StructureError(ValueError):
    """The file is neither YAML nor JSON."""


class Branch(Struct, frozen=True):
    """A mapping, a list or a scalar with its place."""

    span: Span
    entries: tuple[Entry, ...] = ()
    items: tuple[Branch, ...] = ()
    text: str | None = None

    def get(self, *keys: str) -> Branch | None:
        """What a route of keys leads to."""
        branch = self
        for key in keys:
            found = [entry.value for entry in branch.entries if entry.key == key]
            if not found:
                return None
            branch = found[-1]
        return branch

    def walk(self) -> Iterator[Branch]:
        stack = [self]
        while stack:
            branch = stack.pop()
            yield branch
            stack.extend(branch.items)
            stack.extend(entry.value for entry in branch.entries)


class Entry(Struct, frozen=True):
    key: str
    span: Span
    """From the key's first to the value's last character."""
    value: Branch


def read_structure(source: SourceFile) -> Branch | None:
    """The file as a tree; None when it is empty. Raises `StructureError`."""
    if source.path.lower().endswith(".json"):
        return _read_json(source)
    try:
        node = yamltext.compose(source)
    except yamltext.YamlError as error:
        raise StructureError(error.message) from None
    return _from_node(source, node) if node is not None else None


def _from_node(source: SourceFile, node: Node) -> Branch:
    span = yamltext.span_of(source, node)
    if yamltext.is_mapping(node):
        entries = []
        for key, child in yamltext.pairs(node):
            value = _from_node(source, child)
            start = yamltext.span_of(source, key).start
            whole = Span(source, start, max(start, value.span.end))
            entries.append(Entry(yamltext.text(key) or "", whole, value))
        return Branch(span, tuple(entries))
    if yamltext.is_sequence(node):
        return Branch(span, items=tuple(_from_node(source, one) for one in yamltext.items(node)))
    return Branch(span, text=yamltext.text(node))


def _read_json(source: SourceFile) -> Branch | None:
    from iam_preflight.jsontext import JsonError, parse_parts
    from iam_preflight.values import Fragment

    text = source.data.decode("utf-8-sig", "replace")
    if not text.strip():
        return None
    skipped = 3 if source.data.startswith(b"\xef\xbb\xbf") else 0
    whole = Span(source, skipped, len(source.data))
    try:
        return _from_value(parse_parts([Fragment(text, whole)], whole))
    except JsonError as error:
        raise StructureError(error.message) from None


def _from_value(value: Value) -> Branch:
    from iam_preflight.values import Listing, Mapping, text_of

    match value:
        case Mapping(entries=entries, span=span):
            return Branch(span, tuple(_entry(value, key, entries[key]) for key in entries))
        case Listing(items=items, span=span):
            return Branch(span, items=tuple(map(_from_value, items)))
        case _:
            return Branch(value.span, text=text_of(value))


def _entry(mapping: Value, key: str, value: Value) -> Entry:
    from iam_preflight.values import Mapping

    branch = _from_value(value)
    start = mapping.key_span(key) if isinstance(mapping, Mapping) else branch.span
    return Entry(key, Span(start.source, start.start, max(start.start, branch.span.end)), branch)
