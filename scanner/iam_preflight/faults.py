"""What nobody foresaw, kept to the file, the root module or the stack that it happened in."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from iam_preflight.errors import Problem, ProblemKind, UsageError
from iam_preflight.timing import OutOfTime

if TYPE_CHECKING:
    from types import TracebackType


class KeptTo:
    """Turns a crash in a block into a problem of a file or folder, so that the rest goes on."""

    __slots__ = ("_path", "_problems")

    def __init__(self, path: str, problems: list[Problem]) -> None:
        self._path = path
        self._problems = problems

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: object
    ) -> bool:
        if not isinstance(error, Exception) or isinstance(error, UsageError | OutOfTime):
            return False
        # the error's own text may hold what is secret
        what = f"{type(error).__name__} {_place_of(error.__traceback__)}"
        message = f"not analysed, by a fault of iam-preflight ({what}): please report it"
        self._problems.append(Problem(ProblemKind.FAULT, message, self._path))
        return True


def _place_of(trace: TracebackType | None) -> str:
    """Where in the code it happened."""
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return "somewhere"
    return f"in {Path(trace.tb_frame.f_code.co_filename).stem}, line {trace.tb_lineno}"
