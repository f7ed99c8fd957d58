"""Standard streams that can write whatever a repository holds."""

from __future__ import annotations

import sys


def use_utf8() -> None:
    """UTF-8 into files and pipes; on a terminal, a question mark for what it cannot show."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is None:
            continue
        if stream.isatty():
            reconfigure(errors="replace")
        else:
            reconfigure(encoding="utf-8", errors="replace")
