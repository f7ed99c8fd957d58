"""Where the text of a scalar is written, piece by piece.

What a block scalar says is its lines without their indentation; a quoted one has escapes and
folded lines. Whatever looks into such text (JSON in it, `${}` in it) needs to know where each
part of it stands in the file.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from iam_preflight.source import Span
from iam_preflight.values import Fragment, Known

if TYPE_CHECKING:
    from collections.abc import Iterator

_LINES = re.compile(r"[^\r\n]+")
_DOUBLE = re.compile(
    r"\\(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|\r?\n[ \t]*|.)|[^\\\r\n]+", re.DOTALL
)
_SINGLE = re.compile(r"''|[^'\r\n]+")


def fragments_of(known: Known) -> tuple[Fragment, ...]:
    """The pieces of a string as it stands in its file; together they are its whole text."""
    if known.fragments:
        return known.fragments
    text = known.value
    if not isinstance(text, str):
        return ()
    span = known.span
    written = span.end - span.start
    size = len(text) if text.isascii() else len(text.encode("utf-8"))
    first = span.source.data[span.start : span.start + 1]
    if written == size and first not in (b"|", b">"):
        return (Fragment(text, span, known.sensitive),)
    if written == size + 2 and first in (b'"', b"'"):
        inner = Span(span.source, span.start + 1, span.end - 1)
        return (Fragment(text, inner, known.sensitive),)
    if first in (b"|", b">") and b"\n" not in span.source.data[span.start : span.end]:
        return (Fragment(text, span, known.sensitive),)
    return tuple(_align(text, span, first, sensitive=known.sensitive))


def with_fragments(known: Known) -> Known:
    """The same string, knowing where its pieces stand when it is not written in one piece."""
    text = known.value
    if not isinstance(text, str) or known.fragments:
        return known
    span = known.span
    written = span.end - span.start
    if written <= len(text) + 2 and "\n" not in text:
        return known
    pieces = fragments_of(known)
    if len(pieces) < 2:
        return known
    return Known(text, span, pieces, known.reference, known.sensitive)


def _align(text: str, span: Span, first: bytes, *, sensitive: bool) -> Iterator[Fragment]:
    """Finds each written run in the text, in order; what lies between belongs to the gap."""
    source = span.source
    raw = source.data[span.start : span.end].decode("utf-8", "replace")
    runs = _runs(raw, first)
    to_byte = _byte_counter(raw)
    at = 0
    written = 0
    for start, end, width in runs:
        if width:
            # an escape stands for so many characters
            at_end = min(at + width, len(text))
            yield Fragment(text[at:at_end], _at(span, to_byte, start, end), sensitive)
            at, written = at_end, end
            continue
        run = raw[start:end]
        found = text.find(run, at)
        if found < 0:
            continue
        if found > at:
            yield Fragment(text[at:found], _at(span, to_byte, written, start), sensitive)
        at = found + len(run)
        written = end
        yield Fragment(run, _at(span, to_byte, start, end), sensitive)
    if at < len(text):
        yield Fragment(text[at:], _at(span, to_byte, written, len(raw)), sensitive)


def _runs(raw: str, first: bytes) -> Iterator[tuple[int, int, int]]:
    """Start and end of each run, and how many characters it stands for when it is an escape."""
    match first:
        case b'"':
            for found in _DOUBLE.finditer(raw, 1, max(len(raw) - 1, 1)):
                run = found.group()
                if run[0] == "\\":
                    if run[1] not in "\r\n":
                        yield found.start(), found.end(), 1
                else:
                    yield from _stripped(found)
        case b"'":
            for found in _SINGLE.finditer(raw, 1, max(len(raw) - 1, 1)):
                if found.group() == "''":
                    yield found.start(), found.end(), 1
                else:
                    yield from _stripped(found)
        case _:
            start = raw.find("\n") + 1 if first in (b"|", b">") else 0
            for found in _LINES.finditer(raw, start):
                yield from _stripped(found)


def _stripped(found: re.Match[str]) -> Iterator[tuple[int, int, int]]:
    run = found.group()
    left = len(run) - len(run.lstrip(" \t"))
    right = len(run.rstrip(" \t"))
    if left < right:
        yield found.start() + left, found.start() + right, 0


def _at(span: Span, to_byte: list[int] | None, start: int, end: int) -> Span:
    if to_byte is None:
        return Span(span.source, span.start + start, span.start + end)
    return Span(span.source, span.start + to_byte[start], span.start + to_byte[end])


def _byte_counter(raw: str) -> list[int] | None:
    """Byte offset of each character; None when they are the same."""
    if raw.isascii():
        return None
    offsets = [0]
    total = 0
    for char in raw:
        total += len(char.encode("utf-8", "replace"))
        offsets.append(total)
    return offsets
