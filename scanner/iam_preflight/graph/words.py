"""Where texts stand in files, as words of their own.

A few texts are looked for one after the other, which for one text is faster than anything
else. Whoever keeps on asking gets an index, so that thousands of names in a file of thousands
of blocks are not each looked for from its first to its last byte.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from iam_preflight.source import SourceFile

PATIENCE = 20
"""Texts that are looked for before an index is worth its making."""
LONGEST_KEY = 256
"""Bytes of a word by which texts are found; names in AWS are shorter."""
_WORD = re.compile(rb"[A-Za-z0-9][\w-]*")
_INNER = re.compile(rb"[_-](?=[A-Za-z0-9])")
_BEFORE = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.")
_AFTER = _BEFORE - frozenset(b".") | frozenset(b"_-")
"""What stands before or after a text where it is only a part of a longer word."""


class Words:
    """The words of some files; `keys` are those of all texts that may be asked for."""

    def __init__(self, sources: Iterable[SourceFile], keys: Callable[[], frozenset[bytes]]) -> None:
        self._sources = tuple(sources)
        self._keys = keys
        self._asked = 0
        self._index: dict[bytes, list[tuple[SourceFile, int]]] | None = None

    def places(self, text: bytes) -> Iterator[tuple[SourceFile, int]]:
        """Where a text stands with nothing around it that would make it another name."""
        self._asked += 1
        if self._asked > PATIENCE:
            key = key_of(text)
            if key in self._keys():
                yield from self._indexed(text, key)
                return
        for source in self._sources:
            yield from ((source, at) for at in _found(text, source.data))

    def _indexed(self, text: bytes, key: bytes) -> Iterator[tuple[SourceFile, int]]:
        if self._index is None:
            self._index = _index(self._sources, self._keys())
        before = text.rindex(key)
        for source, at in self._index.get(key, ()):
            start = at - before
            is_there = start >= 0 and source.data.startswith(text, start)
            if is_there and _is_whole(source.data, start, start + len(text)):
                yield source, start


def key_of(text: bytes) -> bytes:
    """The word of a text by which an index finds it: its last, as others often share the first.

    It ends where a word of a file ends that has the text, and begins after a separator there.
    """
    words = _WORD.findall(text)
    return words[-1] if words and len(words[-1]) <= LONGEST_KEY else b""


def _index(
    sources: Iterable[SourceFile], keys: frozenset[bytes]
) -> dict[bytes, list[tuple[SourceFile, int]]]:
    """Where the files have the keys: as words, or at the end of a word after a separator."""
    longest = max(map(len, keys), default=0)
    found: dict[bytes, list[tuple[SourceFile, int]]] = {}
    for source in sources:
        for match in _WORD.finditer(source.data):
            word = match[0]
            if word in keys:
                found.setdefault(word, []).append((source, match.start()))
            for separator in _INNER.finditer(word, max(len(word) - longest - 1, 0)):
                end = word[separator.end() :]
                if end in keys:
                    found.setdefault(end, []).append((source, match.start() + separator.end()))
    return found


def _found(text: bytes, data: bytes) -> Iterator[int]:
    """Where a text stands in one file, read from its beginning."""
    start = data.find(text)
    while start >= 0:
        if _is_whole(data, start, start + len(text)):
            yield start
        start = data.find(text, start + 1)


def _is_whole(data: bytes, start: int, end: int) -> bool:
    is_part = start > 0 and data[start - 1] in _BEFORE
    return not is_part and not (end < len(data) and data[end] in _AFTER)
