"""JSON text to values, with a span under every key and leaf and with holes kept.

Policies reach us as JSON inside something else: a heredoc, a template file, a concatenation, a
YAML block. The text arrives as fragments (each knows where it was written) and holes; a hole
stands for one character of the text while it is being read, so that a hole inside a string
becomes text with a hole, and a hole in place of a value becomes that hole. A comma before a
closing bracket is let pass: what stands before it is better judged than lost.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from decimal import Decimal, InvalidOperation
from itertools import accumulate
from typing import TYPE_CHECKING

from msgspec import Struct, field

from iam_preflight.late_patterns import late
from iam_preflight.source import Span
from iam_preflight.values import (
    MAX_EXPONENT,
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
    arms_of,
    join_parts,
    parts_of,
    show,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from iam_preflight.source import SourceFile

HOLE = "\ue000"
"""Stands for one hole while the text is read; from Unicode's private use area."""

MAX_DEPTH = 200

_BOM = b"\xef\xbb\xbf"

_WIDE = late(r"[^\x00-\x7f]")
_SPACE = late(r"[ \t\r\n]*")
_NUMBER = late(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?")
_PLAIN = late(r'[^"\\\ue000\x00-\x1f]+')
_WHOLE = late(r'"([^"\\\ue000\x00-\x1f]*)"')
"""A string that is one piece, as nearly all are."""
_COLON = late(r"[ \t\r\n]*:[ \t\r\n]*")
_COMMA = late(r"[ \t\r\n]*,[ \t\r\n]*(?=[^,\ue000 \t\r\n])")
"""The one comma between two items, none of which is a hole."""
_SLOPPY = late(r'[^"\\\ue000]+')
_NO_ITEM = "[{" + HOLE
_AFTER_A_HOLE = ' \t\r\n,]}{["' + HOLE
_ESCAPES = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


class JsonError(ValueError):
    """The text is not JSON: what was wrong, and where in its source."""

    def __init__(self, message: str, span: Span) -> None:
        super().__init__(message)
        self.message = message
        self.span = span


class Origin(Struct, frozen=True):
    """Where characters of flattened text come from: each piece begins at `starts[i]`."""

    starts: tuple[int, ...]
    pieces: tuple[Fragment | Unknown, ...]
    whole: Span
    _wide: dict[int, tuple[list[int], list[int]]] = field(default_factory=dict)
    """By piece: the characters that take several bytes, and how many more up to each."""
    _base: int = -1
    """Where the text begins in its file, where it is one piece of it, byte for byte."""

    def span(self, start: int, end: int) -> Span:
        if self._base >= 0:  # a heredoc, a file: nearly all, and asked for with every value
            return Span(self.whole.source, self._base + start, self._base + max(end, start))
        if not self.pieces:
            return self.whole
        first, last = self._offset(start, is_end=False), self._offset(max(end, start), is_end=True)
        if first.source is not last.source or last.end < first.start:
            return Span(first.source, first.start, first.end)
        return Span(first.source, first.start, last.end)

    def _offset(self, at: int, *, is_end: bool) -> Span:
        index = max(bisect_right(self.starts, at - 1 if is_end and at else at) - 1, 0)
        piece = self.pieces[index]
        if isinstance(piece, Unknown):
            return piece.span
        inner = at - self.starts[index]
        span = piece.span
        written = span.end - span.start
        size, byte = self._byte_offsets(index, piece.text, inner)
        if written == size + 2 and span.source.data[span.start : span.start + 1] in (b'"', b"'"):
            byte += 1
        elif written != size:
            return span
        return Span(span.source, span.start + byte, span.start + byte)

    def _byte_offsets(self, index: int, text: str, at: int) -> tuple[int, int]:
        """How many bytes a piece's text has, and how many come before the character `at`."""
        # asked for every string of a document: text that is ASCII, nearly all, must cost nothing,
        # and any other must not be gone through from the start each time
        if text.isascii():
            return len(text), at
        wide = self._wide.get(index)
        if wide is None:
            places = [found.start() for found in _WIDE.finditer(text)]
            extra = [0, *accumulate(len(text[place].encode()) - 1 for place in places)]
            wide = self._wide[index] = (places, extra)
        places, extra = wide
        return len(text) + extra[-1], at + extra[bisect_left(places, at)]

    def is_sensitive(self, start: int, end: int) -> bool:
        first = max(bisect_right(self.starts, start) - 1, 0)
        last = bisect_right(self.starts, max(end - 1, start))
        return any(piece.sensitive for piece in self.pieces[first:last])


def read_json(source: SourceFile) -> Value:
    """What a JSON file holds; raises `JsonError`."""
    start = len(_BOM) if source.data.startswith(_BOM) else 0
    whole = Span(source, start, len(source.data))
    try:
        text = source.data[start:].decode("utf-8")
    except UnicodeDecodeError as error:
        raise JsonError("not UTF-8 text", Span(source, start + error.start, whole.end)) from None
    return parse_parts((Fragment(text, whole),), whole)


def parse_json(text: Value) -> Value:
    """The value that a string (known, or with holes) holds as JSON; raises `JsonError`."""
    if isinstance(text, Json):
        return text.value
    parts = parts_of(text)
    if parts is None:
        raise JsonError("not a string", text.span)
    return parse_parts(parts, text.span)


def object_of(value: Value | None) -> Mapping | None:
    """An object that is written as such or as JSON text; None where there is none."""
    for _, arm in arms_of(value) if value is not None else ():
        match arm:
            case Mapping():
                return arm
            case Json(value=Mapping() as inner):
                return inner
            case Known(value=str()):
                try:
                    parsed = parse_json(arm)
                except JsonError:
                    return None
                return parsed if isinstance(parsed, Mapping) else None
    return None


def flatten(parts: Sequence[Fragment | Unknown], whole: Span) -> tuple[str, Origin]:
    """Parts as one text, each hole as one `HOLE`, and where its characters come from."""
    flat: list[str] = []
    starts: list[int] = []
    at = 0
    for part in parts:
        starts.append(at)
        piece = part.text.replace(HOLE, "\ufffd") if isinstance(part, Fragment) else HOLE
        flat.append(piece)
        at += len(piece)
    return "".join(flat), Origin(tuple(starts), tuple(parts), whole, _base=_base_of(parts, whole))


def _base_of(parts: Sequence[Fragment | Unknown], whole: Span) -> int:
    """The offset of text that is one piece of its file, byte for byte; else -1."""
    if len(parts) != 1 or isinstance(parts[0], Unknown) or not parts[0].text.isascii():
        return -1
    span = parts[0].span
    is_exact = span.source is whole.source and span.end - span.start == len(parts[0].text)
    return span.start if is_exact else -1


def parse_parts(parts: Sequence[Fragment | Unknown], whole: Span) -> Value:
    return _Reader(*flatten(parts, whole)).document()


def _number(text: str) -> int | Decimal | None:
    """A number as JSON writes it; None where it has more places than anybody writes out."""
    if text.lstrip("-").isdigit() and len(text) < MAX_EXPONENT:
        return int(text)
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if abs(number.adjusted()) <= MAX_EXPONENT else None


class _Reader:
    __slots__ = ("at", "depth", "holes", "is_sensitive", "origin", "text")

    def __init__(self, text: str, origin: Origin) -> None:
        self.text = text
        self.origin = origin
        self.at = 0
        self.depth = 0
        self.is_sensitive = any(piece.sensitive for piece in origin.pieces)
        self.holes = {
            start: piece
            for start, piece in zip(origin.starts, origin.pieces, strict=True)
            if isinstance(piece, Unknown)
        }

    def document(self) -> Value:
        self._space()
        value = self._value()
        self._space()
        if self.at < len(self.text):
            raise self._error("text after the end of the JSON value")
        return value

    def _error(self, message: str) -> JsonError:
        end = min(self.at + 1, len(self.text))
        return JsonError(message, self.origin.span(self.at, end))

    def _space(self) -> None:
        found = _SPACE.match(self.text, self.at)
        if found:
            self.at = found.end()

    def _peek(self) -> str:
        return self.text[self.at] if self.at < len(self.text) else ""

    def _value(self) -> Value:
        start = self.at
        match self._peek():
            case "{":
                return self._object()
            case "[":
                return self._array()
            case '"':
                return self._string()
            case "t" if self.text.startswith("true", start):
                return self._word(True, 4)
            case "f" if self.text.startswith("false", start):
                return self._word(False, 5)
            case "n" if self.text.startswith("null", start):
                return self._word(None, 4)
            case char if char == HOLE:
                self.at += 1
                hole = self.holes[start]
                following = self._peek()
                if following and following not in _AFTER_A_HOLE:
                    raise self._error("text directly after an interpolated value")
                return hole
            case "":
                raise self._error("the JSON text ends too early")
            case _:
                return self._number()

    def _word(self, value: bool | None, length: int) -> Value:
        start = self.at
        self.at += length
        return self._known(value, start)

    def _number(self) -> Value:
        found = _NUMBER.match(self.text, self.at)
        if not found:
            raise self._error(f"unexpected {self._peek()!r}")
        number = _number(found.group())
        if number is None:
            raise self._error("a number too large or too small to write out")
        start, self.at = self.at, found.end()
        return self._known(number, start)

    def _known(self, value: Scalar, start: int) -> Known:
        span = self.origin.span(start, self.at)
        sensitive = self.is_sensitive and self.origin.is_sensitive(start, self.at)
        return Known(value, span, sensitive=sensitive)

    def _fragment(self, text: str, start: int, end: int) -> Fragment:
        sensitive = self.is_sensitive and self.origin.is_sensitive(start, end)
        return Fragment(text, self.origin.span(start, end), sensitive)

    def _string(self) -> Known | Text | Unknown:
        start = self.at
        whole = _WHOLE.match(self.text, start)
        if whole is not None and whole[1]:
            self.at = whole.end()
            inner = self._fragment(whole[1], start + 1, self.at - 1)
            return join_parts((inner,), self.origin.span(start, self.at))
        self.at += 1
        parts: list[Fragment | Unknown] = []
        while True:
            found = _PLAIN.match(self.text, self.at) or _SLOPPY.match(self.text, self.at)
            if found:
                parts.append(self._fragment(found.group(), self.at, found.end()))
                self.at = found.end()
            char = self._peek()
            if char == '"':
                self.at += 1
                break
            if char == HOLE:
                parts.append(self.holes[self.at])
                self.at += 1
            elif char == "\\":
                parts.append(self._escape())
            else:
                raise self._error("a string is not closed")
        span = self.origin.span(start, self.at)
        return join_parts(parts, span)

    def _escape(self) -> Fragment:
        start = self.at
        code = self.text[start + 1 : start + 2]
        if code == "u":
            digits = self.text[start + 2 : start + 6]
            try:
                char = chr(int(digits, 16))
            except ValueError:
                raise self._error("a \\u escape needs four hexadecimal digits") from None
            self.at += 6
            low = re.match(r"\\u([dD][c-fC-F][0-9a-fA-F]{2})", self.text[self.at : self.at + 6])
            if "\ud800" <= char < "\udc00" and low:
                self.at += 6
                char = chr(0x10000 + ((ord(char) - 0xD800) << 10) + int(low[1], 16) - 0xDC00)
            elif "\ud800" <= char < "\ue000":
                char = "\ufffd"
        elif code in _ESCAPES:
            char = _ESCAPES[code]
            self.at += 2
        else:
            raise self._error("an unknown escape in a string")
        return self._fragment(char, start, self.at)

    def _enter(self) -> None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise self._error("nested too deeply")

    def _array(self) -> Listing:
        start = self.at
        self._enter()
        self.at += 1
        items: list[Value] = []
        self._separator()
        while self._peek() != "]":
            item = self._value()
            items.append(item)
            if not self._separator() and self._peek() != "]":
                raise self._error("expected a comma or a closing bracket")
        self.at += 1
        self.depth -= 1
        return Listing(tuple(items), self.origin.span(start, self.at))

    def _separator(self) -> bool:
        """Passes over what stands between two items, and says whether another may follow.

        Whoever fills a hole also sets the commas around it, as does what is repeated.
        """
        before = self.text[self.at - 1]
        if before not in _NO_ITEM:
            found = _COMMA.match(self.text, self.at)
            if found is not None:
                self.at = found.end()
                return True
        is_loose = before == HOLE
        commas = 1 if before in "[{" else 0
        self._space()
        while True:
            if self._is_repetition():
                is_loose = True
            elif self._peek() == "," and (is_loose or not commas):
                commas += 1
            else:
                return is_loose or commas > 0 or self._peek() == HOLE
            self.at += 1
            self._space()

    def _is_repetition(self) -> bool:
        hole = self.holes.get(self.at)
        return hole is not None and hole.reason is Reason.REPEATED

    def _key(self) -> tuple[str, Span]:
        start = self.at
        whole = _WHOLE.match(self.text, start)
        if whole is not None:
            self.at = whole.end()
            return whole[1], self.origin.span(start, self.at)
        key = self._string()
        # a key is a name: masked ones would all be the same one
        return str(key.value if isinstance(key, Known) else show(key)), key.span

    def _object(self) -> Mapping:
        start = self.at
        self._enter()
        self.at += 1
        entries: dict[str, Value] = {}
        key_spans: dict[str, Span] = {}
        rest: Unknown | None = None
        self._separator()
        while self._peek() != "}":
            if self._peek() == HOLE:
                rest = rest or self.holes[self.at]
                self.at += 1
            elif self._peek() == '"':
                name, span = self._key()
                colon = _COLON.match(self.text, self.at)
                if colon is None:
                    self._space()
                    raise self._error("expected a colon after a key")
                self.at = colon.end()
                entries[name] = self._value()
                key_spans[name] = span
            else:
                raise self._error("expected a key in double quotes")
            if not self._separator() and self._peek() != "}":
                raise self._error("expected a comma or a closing brace")
        self.at += 1
        self.depth -= 1
        return Mapping(entries, self.origin.span(start, self.at), key_spans, rest)
