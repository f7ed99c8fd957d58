"""Writes what a command makes, to where it was told to and nowhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

from iam_preflight.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path


def open_output(path: Path) -> TextIO:
    """A file to write to. Raises `UsageError` for a link, and OSError as `open` does.

    A link may have come with the scanned repository: a report written through it would land in a
    file of the attacker's choice.
    """
    if path.is_symlink() and path.parts[:2] != ("/", "dev"):
        raise UsageError(f"cannot write {path}: it is a link")
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.open("w", encoding="utf-8", newline="\n", errors="replace")
