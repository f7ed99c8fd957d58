"""One line on standard error that says what takes so long, on a terminal only."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import TextIO

PATIENCE = 1.0
"""Seconds before anything is said."""
INTERVAL = 0.1


class Progress:
    """Called with what is being done; writes seldom, and wipes what it wrote at the end."""

    def __init__(self, stream: TextIO | None = None, *, is_wanted: bool = True) -> None:
        self._stream = stream if stream is not None else sys.stderr
        self._is_on = is_wanted and self._stream.isatty()
        self._started = time.monotonic()
        self._last = 0.0
        self._width = 0

    def __call__(self, stage: str) -> None:
        if not self._is_on:
            return
        now = time.monotonic()
        if now - self._started < PATIENCE or now - self._last < INTERVAL:
            return
        self._last = now
        text = f"{stage}, {now - self._started:.0f} s"
        self._stream.write(f"\r{text:<{self._width}}")
        self._stream.flush()
        self._width = len(text)

    def close(self) -> None:
        if self._width:
            self._stream.write(f"\r{'':<{self._width}}\r")
            self._stream.flush()
            self._width = 0

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
