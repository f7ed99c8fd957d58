"""What nobody foresaw, kept to what it happened in: a file, a root, a resource, a finding."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from iam_preflight.errors import Problem, ProblemKind, UsageError
from iam_preflight.timing import OutOfTime

if TYPE_CHECKING:
    from types import TracebackType

    from iam_preflight.source import Span


class KeptTo:
    """Turns a crash in a block into a problem of a file, folder or place: the rest goes on."""

    __slots__ = ("_path", "_problems", "_span", "_what")

    def __init__(
        self,
        path: str | Span,
        problems: list[Problem],
        what: str = "not analysed",
    ) -> None:
        self._span = None if isinstance(path, str) else path
        self._path = path if isinstance(path, str) else path.path
        self._problems = problems
        self._what = what

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: object
    ) -> bool:
        if not isinstance(error, Exception) or isinstance(error, UsageError | OutOfTime):
            return False
        message = f"{self._what}, {told(error)}"
        self._problems.append(Problem(ProblemKind.FAULT, message, self._path, self._span))
        return True


def told(error: BaseException) -> str:
    """A crash in words for people: where it was, and not its own text, which may hold secrets."""
    where = f"{type(error).__name__} {_place_of(error.__traceback__)}"
    return f"by a fault of iam-preflight ({where}): please report it"


def _place_of(trace: TracebackType | None) -> str:
    """Where in the code it happened."""
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return "somewhere"
    return f"in {Path(trace.tb_frame.f_code.co_filename).stem}, line {trace.tb_lineno}"
