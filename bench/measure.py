"""Runs a command and says what it took: wall time, CPU time and the most memory."""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LONG = 30.0
"""Seconds from which on one run has to do."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One run; its children are counted in."""

    wall: float
    cpu: float
    peak: int
    """Resident bytes of the largest process."""
    code: int


@dataclass(frozen=True, slots=True)
class Measurement:
    """Several runs of one command."""

    samples: tuple[Sample, ...]

    @property
    def wall(self) -> float:
        return statistics.median(sample.wall for sample in self.samples)

    @property
    def cpu(self) -> float:
        return statistics.median(sample.cpu for sample in self.samples)

    @property
    def peak(self) -> int:
        return int(statistics.median(sample.peak for sample in self.samples))

    @property
    def codes(self) -> frozenset[int]:
        """What the runs exited with."""
        return frozenset(sample.code for sample in self.samples)

    @property
    def is_killed(self) -> bool:
        """Whether a run was cut off, so that the numbers are at least what it takes."""
        return any(sample.code < 0 for sample in self.samples)


def run_once(command: Sequence[str], environment: Mapping[str, str], limit: float) -> Sample:
    """Runs a command without its output; one that takes longer than `limit` is killed."""
    started = time.perf_counter()
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=dict(environment),
        start_new_session=True,
    )
    timer = threading.Timer(limit, os.killpg, (process.pid, signal.SIGKILL))
    timer.start()
    try:
        _, status, usage = os.wait4(process.pid, 0)
    finally:
        timer.cancel()
    process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - started
    # Linux counts kilobytes
    return Sample(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, process.returncode)


def measure(
    commands: Sequence[Sequence[str]],
    environment: Mapping[str, str],
    *,
    runs: int,
    limit: float,
) -> list[Measurement]:
    """The medians of several runs of each command; what takes half a minute is only run once.

    They take turns, so that what else the machine does falls on all of them.
    """
    samples: list[list[Sample]] = [[] for _ in commands]
    for number in range(runs):
        for command, found in zip(commands, samples, strict=True):
            if number == 0 or found[0].wall < LONG:
                found.append(run_once(command, environment, limit))
    return [Measurement(tuple(found)) for found in samples]
