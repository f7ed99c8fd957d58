"""Files and places in files.

A place is a `Span`: a file and two byte offsets. Lines and columns are worked out when
somebody asks, so that the millions of spans nobody prints cost nothing.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place that people read: line and column, both from 1; columns count Unicode characters."""

    line: int
    column: int


class SourceFile:
    """One file as it was read: `path` for people (always with `/`), `data` as bytes.

    A record is a snapshot of what an account holds: not code, and with personal data in it, so
    that its places are named and its lines are not shown. The same goes for what is private.
    """

    __slots__ = ("_is_ascii", "_line_starts", "data", "is_private", "is_record", "path")

    def __init__(self, path: str, data: bytes, *, is_record: bool = False) -> None:
        self.path = path
        self.data = data
        self.is_record = is_record
        self.is_private = False
        self._line_starts: list[int] | None = None
        self._is_ascii: bool | None = None

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
        offset = max(0, min(offset, len(self.data)))
        row = bisect_right(starts, offset) - 1
        prefix = self.data[starts[row] : offset]
        column = len(prefix) if self.is_ascii else len(prefix.decode("utf-8", "replace"))
        return Position(row + 1, column + 1)

    def offset(self, position: Position) -> int:
        """Byte offset of a position; the inverse of `position`, clamped to the file."""
        starts = self.line_starts
        if position.line > len(starts):
            return len(self.data)
        start = starts[max(position.line, 1) - 1]
        end = starts[position.line] if position.line < len(starts) else len(self.data)
        if self.is_ascii:
            return min(start + position.column - 1, end)
        line = self.data[start:end].decode("utf-8", "replace")
        return start + len(line[: position.column - 1].encode("utf-8"))

    def line_text(self, line: int) -> str:
        """The text of a line without its ending; empty past the end of the file."""
        starts = self.line_starts
        if not 1 <= line <= len(starts):
            return ""
        end = starts[line] if line < len(starts) else len(self.data)
        return self.data[starts[line - 1] : end].decode("utf-8", "replace").rstrip("\r\n")

    def whole(self) -> Span:
        return Span(self, 0, len(self.data))


def _source_file(path: str, data: bytes, is_record: bool) -> SourceFile:
    return SourceFile(path, data, is_record=is_record)


@dataclass(frozen=True, slots=True)
class Span:
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

    def contains(self, other: Span) -> bool:
        return self.source is other.source and self.start <= other.start and other.end <= self.end

    def sort_key(self) -> tuple[str, int, int]:
        return (self.source.path, self.start, self.end)

    def __str__(self) -> str:
        first = self.first
        return f"{self.path}:{first.line}:{first.column}"
