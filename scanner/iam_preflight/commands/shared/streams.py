"""Standard streams that can write whatever a repository holds, to whoever still listens."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from iam_preflight.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import TextIO


class Listener:
    """A stream whose reader may leave early, as `head` does: the rest goes nowhere.

    What the process returns is the verdict all the same. A stream that cannot be written for
    any other reason is a usage error.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.fault = ""
        """Why it cannot be written: click swallows what its first, empty write raises."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except OSError as error:
            self._give_up(error)
            return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._stream.fileno())
        os.close(nowhere)
        if not isinstance(error, BrokenPipeError):
            self.fault = f"cannot write {self._stream.name}: {error.strerror}"
            raise UsageError(self.fault) from None


def finish_output() -> None:
    """Says so where not all of the output could be written."""
    sys.stdout.flush()
    fault = getattr(sys.stdout, "fault", "")
    if fault:
        raise UsageError(fault)


def prepare_streams() -> None:
    """UTF-8 into files and pipes; on a terminal, a question mark for what it cannot show."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # whoever started the process has closed it
            stream = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115  open to the end
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is None or isinstance(stream, Listener):
            continue
        if stream.isatty():
            reconfigure(errors="replace")
        else:
            reconfigure(encoding="utf-8", errors="replace")
        setattr(sys, name, cast("TextIO", Listener(stream)))
