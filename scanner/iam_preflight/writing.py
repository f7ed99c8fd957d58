"""Writes what a command makes, to where it was told to and nowhere else."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TextIO

from iam_preflight.errors import UsageError


def open_output(path: Path) -> TextIO:
    """A file to write to. Raises `UsageError` for a link, and OSError as `open` does.

    A link may have come with the scanned repository: a report written through it would land in a
    file of the attacker's choice.
    """
    if path.is_symlink() and path.parts[:2] != ("/", "dev"):
        raise UsageError(f"cannot write {path}: it is a link")
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.open("w", encoding="utf-8", newline="\n", errors="replace")


def cache_folder() -> Path:
    """Where this system keeps what can be made again. Raises RuntimeError for nobody's home."""
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA", "")
        return (Path(base) if base else Path.home() / "AppData" / "Local") / "iam-preflight"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "iam-preflight"
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if base else Path.home() / ".cache") / "iam-preflight"
