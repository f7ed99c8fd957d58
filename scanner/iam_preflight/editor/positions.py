"""Places as the Language Server Protocol counts them: lines from 0, columns in UTF-16 units.

The engine counts bytes. Nothing here uses `str.splitlines`, which also ends lines at form feeds
and other characters that no editor takes for an end of line.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import TYPE_CHECKING

from lsprotocol import types

if TYPE_CHECKING:
    from iam_preflight.source import SourceFile, Span

_END_OF_LINE = re.compile(rb"\r\n|\n|\r")


class Lines:
    """The lines of a text, to turn bytes into positions and back."""

    __slots__ = ("data", "is_ascii", "starts")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.is_ascii = data.isascii()
        self.starts = [0, *(match.end() for match in _END_OF_LINE.finditer(data))]

    def position(self, offset: int) -> types.Position:
        offset = max(0, min(offset, len(self.data)))
        line = bisect_right(self.starts, offset) - 1
        before = self.data[self.starts[line] : offset]
        units = len(before) if self.is_ascii else _units(before.decode("utf-8", "replace"))
        return types.Position(line, units)

    def offset(self, position: types.Position) -> int:
        """The byte at a position; past the end of a line, that end; past the text, its end."""
        if position.line >= len(self.starts):
            return len(self.data)
        start = self.starts[position.line]
        line = self._text_of(position.line)
        if self.is_ascii:
            return start + min(position.character, len(line))
        units = 0
        taken = 0
        for character in line.decode("utf-8", "replace"):
            if units >= position.character:
                break
            units += 2 if ord(character) > 0xFFFF else 1
            taken += len(character.encode("utf-8"))
        return start + taken

    def _text_of(self, line: int) -> bytes:
        """A line without its ending."""
        last = line + 1 >= len(self.starts)
        end = len(self.data) if last else self.starts[line + 1]
        return self.data[self.starts[line] : end].rstrip(b"\r\n")

    def before(self, offset: int) -> str:
        """What stands before a byte on its line."""
        start = self.starts[bisect_right(self.starts, offset) - 1]
        return self.data[start:offset].decode("utf-8", "replace")


def _units(text: str) -> int:
    return len(text) + sum(1 for character in text if ord(character) > 0xFFFF)


class Ranges:
    """Spans as ranges; the lines of each file are found once."""

    def __init__(self) -> None:
        self._lines: dict[int, tuple[SourceFile, Lines]] = {}

    def lines(self, source: SourceFile) -> Lines:
        held = self._lines.get(id(source))
        if held is None:
            held = self._lines[id(source)] = (source, Lines(source.data))
        return held[1]

    def range(self, span: Span) -> types.Range:
        lines = self.lines(span.source)
        return types.Range(lines.position(span.start), lines.position(span.end))
