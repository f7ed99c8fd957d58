"""What could not be analysed, said once, with a place: the scanner's own `SCAN-9xx` codes.

A `Problem` is data, not an exception: the scan goes on and ends with exit code 4.
`UsageError` is the one exception that reaches the command line (exit code 2).
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from iam_preflight.source import Span


class ProblemKind(Enum):
    UNREADABLE = "SCAN-900"
    """A file that cannot be read: permissions, binary, too large."""
    SYNTAX = "SCAN-901"
    """A file, or a part of one, that its language does not accept."""
    RULE_CRASH = "SCAN-902"
    """A rule raised an error; the other rules went on."""
    UNRESOLVED_MODULE = "SCAN-903"
    """A module whose source is not here."""
    BAD_IGNORE = "SCAN-904"
    """An ignore comment without a reason, of an unknown rule, unused, or past its date."""
    LIMIT = "SCAN-906"
    """A bound on size, depth, expansion or time was reached."""
    EVALUATION = "SCAN-907"
    """An expression that is certainly in error, or configuration that cannot be built."""
    STALE_DATA = "SCAN-908"
    """The shipped AWS data is old."""
    ACCOUNT_CONTEXT = "SCAN-909"
    """A snapshot of an account that is truncated, old, contradictory, or something else."""
    FAULT = "SCAN-910"
    """A file, root module, stack, resource or finding that we failed on: the others went on."""


FAILS_THE_SCAN = frozenset(
    {
        ProblemKind.UNREADABLE,
        ProblemKind.SYNTAX,
        ProblemKind.RULE_CRASH,
        ProblemKind.LIMIT,
        ProblemKind.ACCOUNT_CONTEXT,
        ProblemKind.FAULT,
    }
)
"""Kinds after which the scan cannot vouch for the code: exit code 4."""


class Problem(NamedTuple):
    """No struct like other data: `--version` waits for this module, and not for msgspec."""

    kind: ProblemKind
    message: str
    path: str
    span: Span | None = None

    @property
    def code(self) -> str:
        return self.kind.value

    @property
    def fails_the_scan(self) -> bool:
        return self.kind in FAILS_THE_SCAN

    @property
    def place(self) -> str:
        return str(self.span) if self.span is not None else self.path

    def sort_key(self) -> tuple[str, int, str, str]:
        return (self.path, self.span.start if self.span else 0, self.code, self.message)


class UsageError(Exception):
    """The command line or the settings are wrong: exit code 2, one clear line."""
