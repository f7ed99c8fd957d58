"""Finds and reads the files of exports.

They need not be inside of what is scanned: a scheduled job leaves them wherever it likes.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from iam_preflight.account.load import SUFFIXES
from iam_preflight.errors import UsageError
from iam_preflight.source import SourceFile

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path


def find_exports(paths: Iterable[Path], top: Path) -> Iterator[SourceFile]:
    """The files at the paths, each once, sorted; of folders those that look like exports.

    Raises `UsageError` where one cannot be read: unlike what is in it, that is for who runs this.
    """
    found = {file.resolve(): file for path in paths for file in _files(path)}
    for resolved, file in sorted(found.items()):
        try:
            data = file.read_bytes()
        except OSError as error:
            raise UsageError(f"{file}: cannot be read: {error.strerror}") from None
        yield SourceFile(_shown(resolved, top), data, is_record=True)


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    top = path.resolve()
    return sorted(
        file
        for file in path.rglob("*")
        if file.suffix in SUFFIXES and file.is_file() and top in file.resolve().parents
    )


def _shown(file: Path, top: Path) -> str:
    """From the root where it is inside; else as an absolute path."""
    inside = top == file or top in file.parents
    return file.relative_to(top).as_posix() if inside else os.fspath(file)
