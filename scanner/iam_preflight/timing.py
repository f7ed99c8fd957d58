"""How long work may take: a watch for what is done bit by bit, an alarm for what is done at once.

Counts of steps bound nearly everything, and give the same answer on every machine. Time is the
last resort, for what nobody has thought of.
"""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

TIMEOUT = 300.0
"""Seconds for one root, and for one rule; the largest real ones seen take a hundredth of it."""


class Stopwatch:
    """The time that one thing takes, which others interrupt: roots are evaluated on demand."""

    __slots__ = ("_since", "_spent", "is_told", "limit")

    def __init__(self, limit: float = TIMEOUT) -> None:
        self.limit = limit
        self.is_told = False
        """Whether somebody has said already that the time is over."""
        self._spent = 0.0
        self._since: float | None = None

    def start(self) -> bool:
        """Lets it run; whether it did not run already."""
        if self._since is not None:
            return False
        self._since = time.perf_counter()
        return True

    def stop(self) -> None:
        if self._since is not None:
            self._spent += time.perf_counter() - self._since
            self._since = None

    @property
    def is_over(self) -> bool:
        running = time.perf_counter() - self._since if self._since is not None else 0.0
        return self._spent + running > self.limit


class OutOfTime(Exception):
    """What was being done has taken too long."""


@contextlib.contextmanager
def alarm(seconds: float) -> Iterator[None]:
    """Raises `OutOfTime` in the block after a time, where the platform can interrupt it."""
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or not hasattr(signal, "setitimer"):
        yield
        return

    def ring(_number: int, _frame: object) -> None:
        raise OutOfTime

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
