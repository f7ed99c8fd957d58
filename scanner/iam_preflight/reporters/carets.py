"""An excerpt as text: numbered lines with a mark under each element."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from iam_preflight.reporters.escape import source_line, visible
from iam_preflight.reporters.model import Line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from iam_preflight.reporters.model import Excerpt, Mark

    Paint = Callable[[str, str], str]

DEFAULT_WIDTH = 120
_DIM, _PRIMARY, _OTHER = "2", "1;31", "36"


def plain(_code: str, text: str) -> str:
    """Paints nothing."""
    return text


def draw(excerpt: Excerpt, width: int, paint: Paint) -> Iterator[str]:
    """The excerpt's lines; `width` is that of the terminal, 0 where there is none."""
    numbers = [line.number for line in excerpt.lines]
    digits = len(str(max(numbers, default=1)))
    room = max((width or DEFAULT_WIDTH) - digits - 5, 40)
    before: int | None = None
    for line in excerpt.lines:
        if before is not None and line.number != before + 1:
            yield paint(_DIM, f"  {'⋮':>{digits}}")
        before = line.number
        marks = [mark for mark in excerpt.marks if mark.line == line.number]
        shown = _cropped(line, marks, room)
        head, text = f"  {line.number:>{digits}} │ ", source_line(shown.text)
        if not marks:
            yield paint(_DIM, f"{head}{text}".rstrip())
            continue
        yield f"{paint(_DIM, head)}{text}".rstrip()
        for row in _rows(shown, marks, paint):
            yield paint(_DIM, f"  {' ' * digits} │ ") + row


def _cropped(line: Line, marks: Sequence[Mark], room: int) -> Line:
    """A line that fits, with its first mark in view."""
    if len(line.text) <= room:
        return line
    first = min((mark.column for mark in marks), default=line.start)
    offset = max(0, min(first - line.start - room // 3, len(line.text) - room))
    text = line.text[offset : offset + room]
    return Line(number=line.number, text=text, start=line.start + offset)


def _rows(line: Line, marks: Sequence[Mark], paint: Paint) -> Iterator[str]:
    """Rows of marks under a line: one row, unless labels would run into each other."""
    seen = [mark for mark in marks if line.start <= mark.column <= line.start + len(line.text)]
    if not seen:
        return
    if all(not mark.label for mark in seen[:-1]):
        yield _row(line, seen, paint)
        return
    for mark in seen:
        yield _row(line, [mark], paint)


def _row(line: Line, marks: Sequence[Mark], paint: Paint) -> str:
    out, at = "", 0
    for mark in marks:
        first = mark.column - line.start
        last = min(mark.end_column - line.start, len(line.text))
        start = max(cells(line.text[:first]), at)
        end = max(cells(line.text[: max(last, first + 1)]), start + 1)
        is_primary = mark.kind == "primary"
        sign = ("^" if is_primary else "~") * (end - start)
        out += " " * (start - at) + paint(_PRIMARY if is_primary else _OTHER, sign)
        at = end
    label = visible(marks[-1].label)
    return f"{out} {label}" if label else out


def cells(text: str) -> int:
    """How many columns of a terminal a text takes."""
    if text.isascii():
        return len(text)
    return sum(_width(char) for char in text)


def _width(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1
