"""Literal text of HCL, whoever finds it: its tokens, its escapes, and what is wrong with them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from iam_preflight.source import SourceFile, Span
from iam_preflight.terraform.templates import BAD_ESCAPE, QUOTED_ESCAPE, TEMPLATE_ESCAPE, unescape
from iam_preflight.values import Fragment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.terraform.tree import Complaints

SPECIAL = re.compile(rb"[\\\n]|\$\{|%\{")
"""What makes text more than the bytes that stand there."""


class TextReader:
    """What every reader does over `data`, which begins at `base` of the source."""

    __slots__ = ("base", "complaints", "data", "source")

    def __init__(self, source: SourceFile, data: bytes, base: int, complaints: Complaints) -> None:
        self.source = source
        self.data = data
        self.base = base
        self.complaints = complaints

    def between(self, start: int, end: int) -> Span:
        return Span(self.source, start + self.base, end + self.base)

    def complain(self, message: str, start: int, end: int) -> None:
        self.complaints.add(message, self.between(start, end))

    def literals(self, start: int, end: int, *, is_quoted: bool) -> Iterator[list[Fragment]]:
        """The literal tokens of known text: one in a quoted string, else one for each line."""
        if start >= end:
            return
        if is_quoted:
            if self.data.find(b"\\", start, end) >= 0:
                self.check_escapes(start, end)
            newline = self.data.find(b"\n", start, end)
            if newline >= 0:
                self.complain("a quoted string must end on its line", newline, newline + 1)
            yield self._fragments(start, end, QUOTED_ESCAPE)
            return
        while start < end:
            newline = self.data.find(b"\n", start, end)
            stop = newline + 1 if newline >= 0 else end
            yield self._fragments(start, stop, TEMPLATE_ESCAPE)
            start = stop

    def _fragments(self, start: int, end: int, escape: re.Pattern[bytes]) -> list[Fragment]:
        """Known text, cut wherever it stops being byte for byte what the file says."""
        out: list[Fragment] = []
        data = self.data
        while start < end:
            found = escape.search(data, start, end)
            stop = found.start() if found else end
            if stop > start:
                text = data[start:stop].decode("utf-8", "replace")
                out.append(Fragment(text, self.between(start, stop)))
            if found is None:
                break
            raw = found.group().decode("utf-8", "replace")
            out.append(Fragment(unescape(raw), self.between(found.start(), found.end())))
            start = found.end()
        return out

    def check_escapes(self, start: int, end: int) -> None:
        at = start
        while True:
            at = self.data.find(b"\\", at, end)
            if at < 0:
                return
            if BAD_ESCAPE.match(self.data, at, end):
                self.complain("an unknown escape in a string", at, min(at + 2, end))
            at += 2
