"""A report in Markdown that keeps to a size: cut between findings, never in one.

Sections stand in the order of their importance, yet none may crowd out those below it: each first
gets up to half of the room that is left, and what remains goes to them in order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from iam_preflight.reporters.markdown_report import Parts, Section

_NUMBER = 9_999_999
"""Stands for the count in a note while room is kept for it."""


def fitted(parts: Parts, limit: int, *, where: str) -> str:
    """The report in at most `limit` bytes of UTF-8; `where` says where all of it is."""
    whole = parts.text()
    if size(whole) <= limit:
        return whole
    fixed = (parts.head, parts.tail)
    kept = [_bare(section, _NUMBER, where) for section in parts.sections]
    room = limit - sum(map(size, (*fixed, *kept)))
    if room < 0:
        return _clipped(f"{parts.head}\n{_note(_NUMBER, where)}", limit)
    taken = [0] * len(parts.sections)
    for share in (2, 1):
        for index, section in enumerate(parts.sections):
            count, used = _taken(section, taken[index], room // share)
            taken[index] += count
            room -= used
    told = (
        _cut(section, count, where) for section, count in zip(parts.sections, taken, strict=True)
    )
    return "".join((parts.head, *told, parts.tail))


def size(text: str) -> int:
    """Bytes of UTF-8."""
    return len(text.encode("utf-8", "replace"))


def _taken(section: Section, start: int, room: int) -> tuple[int, int]:
    """How many further items go into the room, and how much of it they use."""
    used = 0
    for count, item in enumerate(section.items[start:]):
        needed = size(item) + size(section.gap)
        if used + needed > room:
            return count, used
        used += needed
    return len(section.items) - start, used


def _cut(section: Section, count: int, where: str) -> str:
    left = len(section.items) - count
    return section.text() if not left else _bare(section, left, where, count)


def _bare(section: Section, left: int, where: str, count: int = 0) -> str:
    gap = "\n" if count else ""
    return f"{section.text(count)}{gap}{_note(left, where)}"


def _note(left: int, where: str) -> str:
    number = "more" if left == _NUMBER else f"{left} more"
    return f"*{number} left out here: see {where}.*\n"


def _clipped(text: str, limit: int) -> str:
    return text.encode("utf-8", "replace")[:limit].decode("utf-8", "ignore")
