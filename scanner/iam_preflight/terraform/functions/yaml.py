"""`yamldecode` with a place under every leaf, and `yamlencode`.

Read from libyaml's events, so that depth and aliases are bounded here and not by the stack.
The scalars are those of Terraform's own YAML library, which is neither 1.1 nor 1.2.
https://github.com/zclconf/go-cty-yaml
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from iam_preflight.jsontext import HOLE, Origin, flatten
from iam_preflight.terraform import numbers
from iam_preflight.terraform.functions.arguments import (
    MAX_WEIGHT,
    Function,
    Invocation,
    NotKnown,
    TooLarge,
    WrongArguments,
)
from iam_preflight.values import (
    Fragment,
    Known,
    Listing,
    Mapping,
    Scalar,
    Unknown,
    Value,
    join_parts,
    show,
    weight_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.source import Span

MAX_DEPTH = 200

_TRUE = frozenset(("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"))
_FALSE = frozenset(("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"))
_NULL = frozenset(("", "~", "null", "Null", "NULL"))
_DATE = re.compile(
    r"(\d{4})-(\d{1,2})-(\d{1,2})"
    r"(?:([Tt ])(\d{1,2}):(\d{1,2}):(\d{1,2})(?:\.\d+)?(Z|[+-]\d\d:\d\d)?)?\Z"
)


def _yamldecode(call: Invocation, arguments: tuple[Value, ...]) -> Value:
    value = arguments[0]
    if isinstance(value, Unknown):
        raise NotKnown(value.reason)
    call.see(value)
    return _Reader(call, *flatten(call.parts(value), value.span)).document()


class _Reader:
    """Builds values from events, iteratively."""

    def __init__(self, call: Invocation, text: str, origin: Origin) -> None:
        self.call = call
        self.text = text
        self.origin = origin
        self.anchors: dict[str, Value] = {}
        self.holes = iter([piece for piece in origin.pieces if isinstance(piece, Unknown)])

    def document(self) -> Value:
        import yaml

        loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        try:
            return self._build(yaml.parse(self.text, Loader=loader))
        except yaml.YAMLError:
            raise WrongArguments from None

    def _build(self, events: Iterator[Any]) -> Value:
        import yaml

        stack: list[_Open] = []
        result: Value | None = None
        event: Any
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent) and result is not None:
                raise WrongArguments
            made: Value | None = None
            anchor: str | None = None
            if isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
                is_mapping = isinstance(event, yaml.MappingStartEvent)
                stack.append(_Open(is_mapping, event.anchor, _index(event.start_mark)))
                if len(stack) > MAX_DEPTH:
                    raise TooLarge
            elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
                done = stack.pop()
                made = self._collection(done, _index(event.end_mark))
                anchor = done.anchor
            elif isinstance(event, yaml.ScalarEvent):
                made, anchor = self._scalar(event), event.anchor
            elif isinstance(event, yaml.AliasEvent):
                if event.anchor not in self.anchors:
                    raise WrongArguments
                made = self.anchors[event.anchor]
            if made is None:
                continue
            if anchor:
                self.anchors[anchor] = made
            if stack:
                stack[-1].add(made)
            else:
                result = made
        if result is None:
            raise WrongArguments
        return result

    def _collection(self, done: _Open, end: int) -> Value:
        span = self.origin.span(done.start, max(end, done.start + 1))
        weight = 1 + sum(weight_of(value) for value in done.values)
        if weight > MAX_WEIGHT:
            raise TooLarge
        sensitive = self.call.sensitive
        if not done.is_mapping:
            return Listing(tuple(done.values), span, sensitive=sensitive, weight=weight)
        entries: dict[str, Value] = {}
        spans: dict[str, Span] = {}
        for key, value in zip(done.values[::2], done.values[1::2], strict=True):
            if not isinstance(key, Known | Unknown):
                raise WrongArguments
            name = numbers_or_text(key)
            if name == "<<" and isinstance(value, Mapping):
                for inherited in value.entries:
                    entries.setdefault(inherited, value.entries[inherited])
                    spans.setdefault(inherited, value.key_span(inherited))
                continue
            entries[name] = value
            spans[name] = key.span
        return Mapping(entries, span, spans, sensitive=sensitive, weight=weight)

    def _scalar(self, event: Any) -> Value:
        start, end = event.start_mark.index, event.end_mark.index
        span = self.origin.span(start, end)
        text: str = event.value
        if HOLE in text:
            parts: list[Fragment | Unknown] = []
            for i, piece in enumerate(text.split(HOLE)):
                if i:
                    parts.append(next(self.holes))
                if piece:
                    parts.append(Fragment(piece, span, self.call.sensitive))
            return join_parts(parts, span)
        if not event.style or event.tag:
            resolved = _resolve(event.tag, text, is_plain=not event.style)
            return Known(resolved, span, sensitive=self.call.sensitive)
        return self._text(text, start, end, event.style, span)

    def _text(self, text: str, start: int, end: int, style: str, span: Span) -> Known:
        """A quoted or block string; its lines keep their places where they stand as written."""
        fragments: list[Fragment] = []
        if style in ("|", ">"):
            at = start
            for line in text.splitlines(keepends=True):
                found = self.text.find(line.strip(), at, end) if line.strip() else -1
                if found < 0:
                    place = span
                else:
                    place = self.origin.span(found, found + len(line.strip()))
                    at = found + len(line.strip())
                fragments.append(Fragment(line, place, self.call.sensitive))
        return Known(text, span, tuple(fragments), sensitive=self.call.sensitive)


def _index(mark: Any) -> int:
    """A mark's place in the text, in characters."""
    return int(mark.index)


class _Open:
    """A list or mapping whose end has not come yet."""

    __slots__ = ("anchor", "is_mapping", "start", "values")

    def __init__(self, is_mapping: bool, anchor: str | None, start: int) -> None:
        self.is_mapping = is_mapping
        self.anchor = anchor
        self.start = start
        self.values: list[Value] = []

    def add(self, value: Value) -> None:
        self.values.append(value)


def numbers_or_text(key: Known | Unknown) -> str:
    """A scalar as a key."""
    if isinstance(key, Unknown):
        return show(key)
    match key.value:
        case None:
            raise WrongArguments
        case str(text):
            return text
        case bool(flag):
            return "true" if flag else "false"
        case _:
            return numbers.render(numbers.number_of(key) or 0)


def _resolve(tag: str | None, text: str, *, is_plain: bool) -> Scalar:
    short = (tag or "").removeprefix("tag:yaml.org,2002:")
    if short in ("str", "binary") or (not is_plain and not short):
        return text
    if short == "null" or text in _NULL:
        return None
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    if short == "bool":
        raise WrongArguments
    if short in ("", "timestamp"):
        moment = _DATE.match(text)
        if moment is not None:
            return _timestamp(moment)
    if short in ("", "int", "float"):
        number = _number(text)
        if number is not None:
            return number
    if short:
        raise WrongArguments
    return text


def _number(text: str) -> numbers.Number | None:
    lowered = text.lower()
    for prefix, base in (("0x", 16), ("0o", 8)):
        if lowered.startswith(prefix) and "_" not in text:
            try:
                return int(lowered[2:], base)
            except ValueError:
                return None
    return numbers.parse(text) if text[:1] in "0123456789+-." else None


def _timestamp(found: re.Match[str]) -> str:
    year, month, day = (int(found[i]) for i in (1, 2, 3))
    hour, minute, second = (int(found[i] or 0) for i in (5, 6, 7))
    zone = found[8] or "Z"
    return f"{year:04d}-{month:02d}-{day:02d}T{hour:02d}:{minute:02d}:{second:02d}{zone}"


# ---------------------------------------------------------------- writing


def _yamlencode(call: Invocation, arguments: tuple[Value, ...]) -> Value:
    import yaml

    if isinstance(arguments[0], Unknown):
        raise NotKnown(arguments[0].reason)
    dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    events = [
        yaml.StreamStartEvent(),
        yaml.DocumentStartEvent(explicit=False),
        *_events(call, arguments[0], 0),
        yaml.DocumentEndEvent(explicit=False),
        yaml.StreamEndEvent(),
    ]
    text: Any = yaml.emit(events, Dumper=dumper, allow_unicode=True)
    return call.known(str(text))


def _events(call: Invocation, value: Value, depth: int) -> Iterator[Any]:
    import yaml

    if depth > MAX_DEPTH:
        raise TooLarge
    match value:
        case Listing():
            items = call.items(value)
            yield yaml.SequenceStartEvent(None, None, implicit=True, flow_style=not items)
            for item in items:
                yield from _events(call, item, depth + 1)
            yield yaml.SequenceEndEvent()
        case Mapping():
            entries = call.whole_mapping(value).entries
            yield yaml.MappingStartEvent(None, None, implicit=True, flow_style=not entries)
            for key in sorted(entries):
                yield yaml.ScalarEvent(None, None, (True, True), key, style='"')
                yield from _events(call, entries[key], depth + 1)
            yield yaml.MappingEndEvent()
        case Known(value=str(text)):
            call.see(value)
            style = "|" if "\n" in text else '"'
            yield yaml.ScalarEvent(None, None, (True, True), text, style=style)
        case Known(value=None):
            yield yaml.ScalarEvent(None, None, (True, True), "null")
        case _:
            plain = None if isinstance(value, Known) else '"'
            yield yaml.ScalarEvent(None, None, (True, True), call.text(value), style=plain)


FUNCTIONS: dict[str, Function] = {"yamldecode": _yamldecode, "yamlencode": _yamlencode}
