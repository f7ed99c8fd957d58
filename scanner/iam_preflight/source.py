"""Files and places in files.

A place is a `Span`: a file and two byte offsets. Lines and columns are worked out when
somebody asks, so that the millions of spans nobody prints cost nothing.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, Any

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Callable

BLOCK = 4096
"""Bytes between the places whose characters are counted beforehand in files with long lines."""
_CONTINUATION = bytes(range(0x80, 0xC0))
"""The bytes of UTF-8 that are not the first of a character."""


class Position(Struct, frozen=True, order=True):
    """A place that people read: line and column, both from 1; columns count Unicode characters."""

    line: int
    column: int


class SourceFile:
    """One file as it was read: `path` for people (always with `/`), `data` as bytes.

    A record is a snapshot of what an account holds: not code, and with personal data in it, so
    that its places are named and its lines are not shown. The same goes for what is private.
    """

    __slots__ = (
        "_counts",
        "_is_ascii",
        "_line_starts",
        "data",
        "is_private",
        "is_record",
        "path",
    )

    def __init__(self, path: str, data: bytes, *, is_record: bool = False) -> None:
        self.path = path
        self.data = data
        self.is_record = is_record
        self.is_private = False
        self._line_starts: list[int] | None = None
        self._is_ascii: bool | None = None
        self._counts: list[int] | None = None

    def __repr__(self) -> str:
        return f"SourceFile({self.path!r}, {len(self.data)} bytes)"

    def __reduce__(self) -> tuple[Callable[[str, bytes, bool], SourceFile], tuple[Any, ...]]:
        return (_source_file, (self.path, self.data, self.is_record))

    @property
    def is_ascii(self) -> bool:
        if self._is_ascii is None:
            self._is_ascii = self.data.isascii()
        return self._is_ascii

    @property
    def line_starts(self) -> list[int]:
        """Byte offset of the first byte of each line."""
        if self._line_starts is None:
            starts = [0]
            find = self.data.find
            at = find(b"\n")
            while at >= 0:
                starts.append(at + 1)
                at = find(b"\n", at + 1)
            self._line_starts = starts
        return self._line_starts

    def position(self, offset: int) -> Position:
        starts = self.line_starts
        if not 0 <= offset <= len(self.data):
            offset = 0 if offset < 0 else len(self.data)
        row = bisect_right(starts, offset) - 1
        start = starts[row]
        if self._is_ascii:
            return Position(row + 1, offset - start + 1)
        return Position(row + 1, self._characters(start, offset) + 1)

    def offset(self, position: Position) -> int:
        """Byte offset of a position; the inverse of `position`, clamped to the file."""
        if position.line > len(self.line_starts):
            return len(self.data)
        start, end = self._line(max(position.line, 1))
        return self._forward(start, end, position.column - 1)

    def line_text(self, line: int) -> str:
        """The text of a line without its ending; empty past the end of the file."""
        start, end = self._line(line)
        return self.data[start:end].decode("utf-8", "replace").rstrip("\r\n")

    def line_size(self, line: int) -> int:
        """The bytes of a line with its ending; 0 past the end of the file."""
        start, end = self._line(line)
        return end - start

    def line_part(self, line: int, first: int, last: int) -> str:
        """A line's characters from one number up to another, without reading all of it."""
        start, end = self._line(line)
        begin = self._forward(start, end, first)
        part = self.data[begin : self._forward(begin, end, last - first)]
        return part.decode("utf-8", "replace").rstrip("\r\n")

    def _line(self, line: int) -> tuple[int, int]:
        """Where a line begins and ends; nothing past the end of the file."""
        starts = self.line_starts
        if not 1 <= line <= len(starts):
            return (0, 0)
        return starts[line - 1], starts[line] if line < len(starts) else len(self.data)

    # A plan is one line of many megabytes: what is asked of it must not read it from its start.

    def _characters(self, start: int, end: int) -> int:
        """The number of characters between two offsets."""
        if self.is_ascii:
            return end - start
        if end - start <= 2 * BLOCK:
            return len(self.data[start:end].decode("utf-8", "replace"))
        return self._characters_before(end) - self._characters_before(start)

    def _characters_before(self, offset: int) -> int:
        block = offset // BLOCK
        return self._block_counts[block] + _count(self.data[block * BLOCK : offset])

    def _forward(self, start: int, end: int, characters: int) -> int:
        """The offset so many characters after another one, at most `end`."""
        if self.is_ascii:
            return min(start + characters, end)
        if end - start > 2 * BLOCK and characters > BLOCK:
            wanted = self._characters_before(start) + characters
            block = bisect_right(self._block_counts, wanted - 1) - 1
            if block * BLOCK > start:
                start, characters = block * BLOCK, wanted - self._block_counts[block]
                # the block may begin inside of a character
                while start < end and 0x80 <= self.data[start] < 0xC0:
                    start += 1
        text = self.data[start : min(end, start + 4 * characters)].decode("utf-8", "replace")
        return min(start + len(text[:characters].encode("utf-8")), end)

    @property
    def _block_counts(self) -> list[int]:
        """The characters before each block."""
        if self._counts is None:
            counts = [0]
            for at in range(0, len(self.data), BLOCK):
                counts.append(counts[-1] + _count(self.data[at : at + BLOCK]))
            self._counts = counts
        return self._counts

    def whole(self) -> Span:
        return Span(self, 0, len(self.data))


def _count(data: bytes) -> int:
    """The characters that begin in some bytes."""
    return len(data.translate(None, _CONTINUATION))


def _source_file(path: str, data: bytes, is_record: bool) -> SourceFile:
    return SourceFile(path, data, is_record=is_record)


class Span(Struct, frozen=True, gc=False):
    """From byte `start` up to, not including, byte `end` of a file."""

    source: SourceFile
    start: int
    end: int

    @property
    def path(self) -> str:
        return self.source.path

    @property
    def first(self) -> Position:
        return self.source.position(self.start)

    @property
    def last(self) -> Position:
        """The position just past the last character."""
        return self.source.position(self.end)

    @property
    def line(self) -> int:
        return self.first.line

    @property
    def column(self) -> int:
        return self.first.column

    @property
    def text(self) -> str:
        return self.source.data[self.start : self.end].decode("utf-8", "replace")

    def to(self, other: Span) -> Span:
        """From here to the end of another place; this alone where that is not further on."""
        if self.source is other.source and other.end >= self.start:
            return Span(self.source, self.start, other.end)
        return self

    def contains(self, other: Span) -> bool:
        return self.source is other.source and self.start <= other.start and other.end <= self.end

    def sort_key(self) -> tuple[str, int, int]:
        return (self.source.path, self.start, self.end)

    def __str__(self) -> str:
        first = self.first
        return f"{self.path}:{first.line}:{first.column}"
