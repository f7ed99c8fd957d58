"""Text of CloudFormation templates, YAML or JSON, to raw values: every node with its place.

libyaml splits the text into events; they are put together here and not by PyYAML's composer,
whose C recursion ends the process on deep nesting. JSON is read the same way, because YAML
includes it but for a few escapes, which the JSON reader takes over.

The raw values are the ones of `values`: `Known`, `Listing`, `Mapping`. An intrinsic function is
a mapping of one entry, whether it was written `!Sub …` or `Fn::Sub: …`; cfn-flip says how the
short forms are spelled out. Scalars are typed as CloudFormation types them (YAML 1.1 without
dates), except that a number which would not be written back the same way (an account id with a
leading zero, `1.10`) stays text.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from typing import TYPE_CHECKING, Any

import yaml
from cfn_tools.yaml_loader import (  # type: ignore[import-untyped]  # part of cfn-flip
    FN_PREFIX,
    UNCONVERTED_SUFFIXES,
    construct_getatt,
)
from msgspec import Struct, field

from iam_preflight.jsontext import JsonError, parse_parts
from iam_preflight.source import Span
from iam_preflight.values import Fragment, Known, Listing, Mapping, Scalar, Unknown, Value, arms_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.source import SourceFile

MAX_DEPTH = 200
MAX_NODES = 500_000
"""CloudFormation takes templates of up to 1 MB, which hold some 100,000 nodes."""
MAX_EXPANDED_NODES = 1_000_000
"""Nodes of a document in which every alias is written out."""

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_PROPERTIES = re.compile(rb"(?:[!&]\S*\s+)+")
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")
_FLOAT = re.compile(r"-?(?:0|[1-9][0-9]{0,14})\.[0-9]{1,15}")
_NOT_ASCII = re.compile(r"[^\x00-\x7f]")
_WORDS: dict[str, Scalar] = {
    word: value
    for value, spellings in (
        (True, ("true", "yes", "on")),
        (False, ("false", "no", "off")),
        (None, ("null",)),
    )
    for plain in spellings
    for word in (plain, plain.capitalize(), plain.upper())
}
_WORDS |= {"": None, "~": None}


class TemplateError(Exception):
    """Text that is neither YAML nor JSON: what is wrong, and where."""

    def __init__(self, message: str, span: Span, *, is_limit: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.span = span
        self.is_limit = is_limit


class RawDocument(Struct, frozen=True):
    """One YAML document of a file, or the JSON value."""

    root: Value
    duplicates: tuple[tuple[str, Span], ...] = field(default=())
    """Keys that a mapping holds twice, at their later place."""


class Places:
    """Character positions of the text that libyaml reads, as spans of the file."""

    __slots__ = ("_base", "_beyond", "_extra", "source")

    def __init__(self, source: SourceFile, text: str, base: int = 0) -> None:
        self.source = source
        self._base = base
        self._beyond: list[int] = []
        self._extra: list[int] = []
        if not text.isascii():
            extra = 0
            for found in _NOT_ASCII.finditer(text):
                self._beyond.append(found.start())
                extra += len(found.group().encode("utf-8")) - 1
                self._extra.append(extra)

    def offset(self, index: int) -> int:
        if self._beyond:
            before = bisect_left(self._beyond, index)
            if before:
                return self._base + index + self._extra[before - 1]
        return self._base + index

    def span(self, start: int, end: int) -> Span:
        return Span(self.source, self.offset(start), self.offset(end))


class TextPlaces(Places):
    """Positions in text that stands inside a value of another file, piece by piece."""

    __slots__ = ("_pieces", "_starts", "_whole")

    def __init__(self, pieces: tuple[Fragment | Unknown, ...], whole: Span) -> None:
        super().__init__(whole.source, "")
        self._pieces = pieces
        self._whole = whole
        self._starts: list[int] = []
        at = 0
        for piece in pieces:
            self._starts.append(at)
            at += len(piece.text) if isinstance(piece, Fragment) else 1

    def offset(self, index: int) -> int:
        if not self._pieces:
            return self._whole.start
        at = max(bisect_left(self._starts, index + 1) - 1, 0)
        piece = self._pieces[at]
        inner = index - self._starts[at]
        if isinstance(piece, Fragment) and piece.span.source is self.source:
            size = len(piece.text)
            written = piece.span.end - piece.span.start
            if written == size + 2:
                inner += 1
            elif written != size and inner:
                return piece.span.end if inner >= size else piece.span.start
            return min(piece.span.start + inner, piece.span.end)
        return self._whole.start


def read_documents(source: SourceFile) -> Iterator[RawDocument]:
    """The documents of a file; raises `TemplateError` where the text is broken."""
    data = source.data
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        span = Span(source, error.start, error.end)
        raise TemplateError("the text is not UTF-8", span) from None
    base = 0
    if text.startswith("\ufeff"):
        text = text[1:]
        base = 3
    yield from read_text(text, Places(source, text, base))


def read_text(text: str, places: Places) -> Iterator[RawDocument]:
    """The documents in a text; raises `TemplateError` where it is broken."""
    is_json = text.lstrip()[:1] == "{"
    composer = _Composer(text, places)
    try:
        yield from composer.documents()
    except TemplateError as error:
        if not is_json or error.is_limit:
            raise
        try:
            value = _as_json(text, places)
        except JsonError as fault:
            if not places.source.path.lower().endswith(".json"):
                raise error from None
            raise TemplateError(f"not JSON: {fault.message}", fault.span) from None
        yield RawDocument(value)


def _as_json(text: str, places: Places) -> Value:
    """JSON that YAML does not take: surrogate pairs, long keys. Raises `JsonError`."""
    pieces = [Fragment(text, places.span(0, len(text)))]
    return parse_parts(pieces, pieces[0].span)


def scalar_of(text: str) -> Scalar:
    """What a plain scalar is: text, or the number, boolean or null that it spells."""
    if text in _WORDS:
        return _WORDS[text]
    first = text[0]
    if first.isdigit() or first == "-":
        if _INTEGER.fullmatch(text):
            return int(text)
        if _FLOAT.fullmatch(text):
            number = float(text)
            return number if repr(number) == text else text
    return text


def long_name(tag: str) -> str:
    """The function that a tag is short for: `!Sub` is `Fn::Sub`, `!Ref` stays `Ref`."""
    suffix = tag[1:]
    return suffix if suffix in UNCONVERTED_SUFFIXES else FN_PREFIX + suffix


_LONG_NAMES = {tag: long_name(tag) for tag in ("!GetAtt", "!If", "!Join", "!Ref", "!Sub")}


class _Composer:
    """Puts the events of one text together."""

    def __init__(self, text: str, places: Places) -> None:
        self.text = text
        self.places = places
        self.source = places.source
        self.anchors: dict[str, Value] = {}
        self.duplicates: list[tuple[str, Span]] = []
        self.nodes = 0
        self.depth = 0
        self.has_alias = False
        self.parser: Any = None
        self.next: Any = None
        self.offset = places.offset

    def documents(self) -> Iterator[RawDocument]:
        try:
            self.parser = _LOADER(self.text)
            self.next = self.parser.get_event
            self.next()
            while True:
                event = self.next()
                if not isinstance(event, yaml.DocumentStartEvent):
                    return
                self.anchors = {}
                self.duplicates = []
                self.has_alias = False
                root = self._value(self.next())
                self.next()
                if self.has_alias:
                    self._weigh(root)
                yield RawDocument(root, tuple(self.duplicates))
        except yaml.MarkedYAMLError as error:
            raise self._marked(error) from None
        except yaml.reader.ReaderError as error:
            at = self.places.span(min(error.position, len(self.text)), len(self.text))
            span = Span(at.source, at.start, min(at.start + 1, at.end))
            raise TemplateError(f"not YAML: {error.reason}", span) from None
        except (yaml.YAMLError, ValueError, UnicodeError) as error:
            raise TemplateError(f"not YAML: {error}", self.places.span(0, 0)) from None

    def _marked(self, error: yaml.MarkedYAMLError) -> TemplateError:
        mark: Any = error.problem_mark or error.context_mark
        if error.context_mark is not None and mark.index >= len(self.text):
            # what is not closed is better shown where it was opened than at the end of the file
            mark = error.context_mark
        index = min(mark.index, len(self.text)) if mark is not None else 0
        text = error.problem or error.context or "the text is broken"
        context = f" {error.context}" if error.context and error.problem else ""
        span = self.places.span(index, min(index + 1, len(self.text)))
        return TemplateError(f"not YAML: {text}{context}", span)

    def _weigh(self, root: Value) -> None:
        """Refuses a document that aliases would blow up."""
        weights: dict[int, int] = {}

        def weigh(value: Value) -> int:
            if not isinstance(value, Listing | Mapping):
                return 1
            known = weights.get(id(value))
            if known is None:
                children = value.items if isinstance(value, Listing) else value.entries.values()
                known = weights[id(value)] = 1 + sum(weigh(child) for child in children)
            return known

        if weigh(root) > MAX_EXPANDED_NODES:
            raise TemplateError(
                f"aliases expand it to more than {MAX_EXPANDED_NODES:,} nodes",
                root.span,
                is_limit=True,
            )

    # ---- nodes

    def _value(self, event: Any) -> Value:
        kind = event.__class__
        if kind is yaml.ScalarEvent:
            value = self._scalar(event)
        elif kind is yaml.AliasEvent:
            self.has_alias = True
            found = self.anchors.get(event.anchor)
            if found is None:
                raise TemplateError(
                    f"not YAML: no anchor &{event.anchor} before this", self._place(event)
                )
            return found
        else:
            self.depth += 1
            if self.depth > MAX_DEPTH:
                raise TemplateError(
                    f"nested more than {MAX_DEPTH} levels deep", self._place(event), is_limit=True
                )
            is_mapping = kind is yaml.MappingStartEvent
            value = self._mapping(event) if is_mapping else self._listing(event)
            self.depth -= 1
            if event.tag is not None and event.tag[:1] == "!" and len(event.tag) > 1:
                value = self._long_form(event, value)
        if event.anchor is not None:
            self.anchors[event.anchor] = value
        return value

    def _count(self, more: int, event: Any) -> None:
        self.nodes += more
        if self.nodes > MAX_NODES:
            raise TemplateError(f"more than {MAX_NODES:,} nodes", self._place(event), is_limit=True)

    def _end(self, event: Any) -> int:
        return self.offset(event.end_mark.index)

    def _place(self, event: Any) -> Span:
        return self.places.span(event.start_mark.index, event.end_mark.index)

    def _scalar(self, event: Any) -> Value:
        offset = self.offset
        start = offset(event.start_mark.index)
        end = offset(event.end_mark.index)
        text = event.value
        tag = event.tag
        if tag is not None or event.anchor is not None:
            found = _PROPERTIES.match(self.source.data, start, end)
            if found and found.end() <= end:
                start = found.end()
        style = event.style
        if style == "|" or style == ">":
            end = start + len(self.source.data[start:end].rstrip())
        span = Span(self.source, start, end)
        if tag is not None and tag[:1] == "!" and len(tag) > 1:
            return self._long_form(event, Known(text, span))
        if event.implicit[0] and not style:
            return Known(scalar_of(text), span)
        return Known(text, span)

    def _long_form(self, event: Any, value: Value) -> Mapping:
        """`!Name value` as the mapping that it is short for."""
        tag = event.tag
        name = _LONG_NAMES.get(tag) or long_name(tag)
        start = self.offset(event.start_mark.index)
        if name == "Fn::GetAtt" and isinstance(value, Known):
            value = _split_attribute(tag, value)
        end = value.span.end
        tag_span = Span(self.source, start, min(start + len(tag), end))
        return Mapping({name: value}, Span(self.source, start, end), {name: tag_span})

    def _listing(self, event: Any) -> Listing:
        following = self.next
        items: list[Value] = []
        last: Any = None
        while True:
            inner: Any = following()
            if inner.__class__ is yaml.SequenceEndEvent:
                break
            last = inner
            items.append(self._value(inner))
        self._count(len(items) + 1, event)
        start = self.offset(event.start_mark.index)
        if event.flow_style or last is None:
            end = self._end(inner)
        elif last.__class__ is yaml.AliasEvent:
            end = self._end(last)
        else:
            end = max(items[-1].span.end, start)
        return Listing(tuple(items), Span(self.source, start, end))

    def _mapping(self, event: Any) -> Mapping:
        following = self.next
        offset = self.offset
        source = self.source
        entries: dict[str, Value] = {}
        key_spans: dict[str, Span] = {}
        merged: list[Mapping] = []
        last: Any = None
        while True:
            inner: Any = following()
            kind = inner.__class__
            if kind is yaml.MappingEndEvent:
                break
            if kind is yaml.ScalarEvent and inner.tag is None and inner.anchor is None:
                name = inner.value
                name_span = Span(
                    source, offset(inner.start_mark.index), offset(inner.end_mark.index)
                )
            else:
                name, name_span = self._key(inner)
            last = following()
            value = self._value(last)
            if name == "<<" and not inner.style:
                merged.extend(_mappings(value))
                continue
            if name in entries:
                self.duplicates.append((name, name_span))
            entries[name] = value
            key_spans[name] = name_span
        self._count(2 * len(entries) + 1, event)
        start = offset(event.start_mark.index)
        if event.flow_style or last is None:
            end = self._end(inner)
        elif last.__class__ is yaml.AliasEvent:
            end = self._end(last)
        else:
            end = max(value.span.end, start)
        for base in merged:
            for name in base.entries:
                if name not in entries:
                    entries[name] = base.entries[name]
                    key_spans[name] = base.key_span(name)
        return Mapping(entries, Span(source, start, end), key_spans)

    def _key(self, event: Any) -> tuple[str, Span]:
        if event.__class__ is yaml.ScalarEvent:
            value = self._scalar(event)
            if isinstance(value, Known):
                if event.anchor is not None:
                    self.anchors[event.anchor] = value
                return event.value, value.span
        elif event.__class__ is yaml.AliasEvent:
            found = self.anchors.get(str(event.anchor))
            if isinstance(found, Known):
                return str(found.value), self._place(event)
        raise TemplateError("a key must be a string", self._place(event))


def _mappings(value: Value) -> Iterator[Mapping]:
    """What `<<` merges: one mapping or several, the first one winning."""
    for _, arm in arms_of(value):
        for item in arm.items if isinstance(arm, Listing) else (arm,):
            if isinstance(item, Mapping):
                yield item


def _split_attribute(tag: str, value: Known) -> Listing:
    """`!GetAtt Role.Arn` as its two parts, each with its place."""
    parts: list[str] = construct_getatt(yaml.ScalarNode(tag, value.value))
    span = value.span
    size = span.end - span.start
    text_size = len(str(value.value).encode())
    start = span.start + (1 if size == text_size + 2 else 0)
    items: list[Value] = []
    for part in parts:
        end = start + len(part.encode())
        is_exact = end <= span.end
        items.append(Known(part, Span(span.source, start, end) if is_exact else span))
        start = end + 1
    return Listing(tuple(items), span)
