"""A tree that remembers what it was asked, so that one can tell later whether the answers hold.

A scan learns of the files only through its tree. Where every question that it asked would be
answered alike today, it would find the same.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from iam_preflight.discovery import Tree

_KEY_BYTES = 16


class Question(Struct, frozen=True, array_like=True):
    """One question to a tree, and a digest of what it answered."""

    kind: str
    path: str
    answer: bytes


class TracedTree:
    """Answers as the tree below does, and keeps a record."""

    def __init__(self, tree: Tree) -> None:
        self.below = tree
        self._asked: dict[tuple[str, str], bytes] = {}

    @property
    def trace(self) -> list[Question]:
        return [Question(kind, path, answer) for (kind, path), answer in self._asked.items()]

    def remember(self, trace: Iterable[Question]) -> None:
        """Adds what somebody else has asked of the same tree."""
        for asked in trace:
            self._asked[asked.kind, asked.path] = asked.answer

    def answer_to(self, kind: str, path: str) -> bytes | None:
        """Asks, and gives the digest of the answer; None where there is no such question."""
        with contextlib.suppress(OSError):  # a failure is an answer
            match kind:
                case "files":
                    self.files(path)
                case "read":
                    self.read(path)
                case "is_file":
                    self.is_file(path)
                case "is_directory":
                    self.is_directory(path)
                case "names":
                    self.names(path)
        return self._asked.get((kind, path))

    @property
    def closed(self) -> Mapping[str, str]:
        return self.below.closed

    def files(self, below: str) -> Iterator[str]:
        found = list(self.below.files(below))
        self._asked["files", below] = _of_names([*found, *self.closed])
        return iter(found)

    def read(self, path: str) -> bytes:
        try:
            data = self.below.read(path)
        except OSError as error:
            self._asked["read", path] = _of_failure(error)
            raise
        self._asked["read", path] = digest(data)
        return data

    def is_file(self, path: str) -> bool:
        answer = self.below.is_file(path)
        self._asked["is_file", path] = _of_truth(answer)
        return answer

    def is_directory(self, path: str) -> bool:
        answer = self.below.is_directory(path)
        self._asked["is_directory", path] = _of_truth(answer)
        return answer

    def names(self, directory: str) -> list[str]:
        found = self.below.names(directory)
        self._asked["names", directory] = _of_names(found)
        return found


def still_holds(tree: Tree, trace: Iterable[Question]) -> bool:
    """Whether a tree would answer everything as it did."""
    again = TracedTree(tree)
    return all(again.answer_to(asked.kind, asked.path) == asked.answer for asked in trace)


def digest(data: bytes) -> bytes:
    import hashlib

    return hashlib.blake2b(data, digest_size=_KEY_BYTES).digest()


def _of_names(names: Iterable[str]) -> bytes:
    return digest("\0".join(names).encode("utf-8", "surrogateescape"))


def _of_truth(answer: bool) -> bytes:
    return b"yes" if answer else b"no"


def _of_failure(error: OSError) -> bytes:
    return digest(f"{type(error).__name__} {error.errno} {error.strerror}".encode())
