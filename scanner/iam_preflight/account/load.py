"""The front end's one entry: files of exports in, resources out, and what is wrong with them.

A file that cannot be used never stops the scan: the code is judged without it, and the problem
makes the scan end with exit code 4.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Protocol

from iam_preflight.account import (
    access_analyzer,
    action_usage,
    credential_report,
    details,
    identity_center,
    last_accessed,
    organization,
)
from iam_preflight.account.export import Export, ExportError, keys_of
from iam_preflight.errors import Problem, ProblemKind
from iam_preflight.source import Span

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from iam_preflight.resources import Resource
    from iam_preflight.source import SourceFile


class Format(Protocol):
    """A module that reads one format of exports."""

    def recognises(self, keys: frozenset[str]) -> bool:
        """Whether a JSON file with such names at its top is one."""

    def read(self, source: SourceFile) -> Export:
        """The export in a file; raises `ExportError`."""


SUFFIXES = (".json", ".csv")
FORMATS: tuple[Format, ...] = (
    details,
    credential_report,
    last_accessed,
    action_usage,
    access_analyzer,
    identity_center,
    organization,
)
"""Every format: what recognises a file by the names at its top, and what reads it."""

_NEVER = dt.datetime.min.replace(tzinfo=dt.timezone.utc)


def load_account(
    sources: Iterable[SourceFile], today: dt.date, max_days: int, problems: list[Problem]
) -> Iterator[Resource]:
    """The resources in the files of exports; each fact from one file only."""
    for export in _without_contradictions(_exports(sources, problems), problems):
        age = _age(export, today)
        if age is not None and age > max_days:
            message = f"{export.format}: {age} days old, more than {max_days}; export them again"
            problems.append(_problem(message, export.source))
        if export.is_cut:
            message = f"{export.format}: one page of several, the rest is missing"
            problems.append(_problem(message, export.source))
        yield from export.resources


def _exports(sources: Iterable[SourceFile], problems: list[Problem]) -> Iterator[Export]:
    for source in sources:
        try:
            yield _read(source)
        except ExportError as error:
            message = f"account context: {error.message}"
            problems.append(Problem(ProblemKind.ACCOUNT_CONTEXT, message, source.path, error.span))


def _read(source: SourceFile) -> Export:
    if not source.data.strip():
        raise ExportError("empty")
    try:
        source.data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ExportError("not UTF-8 text", Span(source, error.start, error.end)) from None
    try:
        return _read_text(source)
    except RecursionError:
        raise ExportError("nested too deeply") from None


def _read_text(source: SourceFile) -> Export:
    if credential_report.is_report(source):
        return credential_report.read(source)
    if not source.data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        raise ExportError("not an export of an account that is understood")
    keys = keys_of(source)
    for one in FORMATS:
        if one.recognises(keys):
            return one.read(source)
    names = ", ".join(sorted(keys)[:4]) or "nothing"
    raise ExportError(f"not an export of an account that is understood: it has {names}")


def _without_contradictions(exports: Iterable[Export], problems: list[Problem]) -> Iterator[Export]:
    """Of exports of the same thing the newest; the same file twice is no contradiction."""
    by_subject: dict[tuple[str, str, str], list[Export]] = {}
    for export in exports:
        key = (export.format, export.account, export.subject)
        by_subject.setdefault(key, []).append(export)
    for (name, account, subject), found in by_subject.items():
        best = max(found, key=lambda one: (one.date or one.until or _NEVER, one.source.path))
        yield best
        for other in found:
            if other is not best and other.source.data != best.source.data:
                what = " ".join(word for word in (name, account, subject) if word)
                message = f"contradicts {best.source.path}, which has {what} too and is used"
                problems.append(_problem(message, other.source))


def _age(export: Export, today: dt.date) -> int | None:
    return None if export.date is None else (today - export.date.date()).days


def _problem(message: str, source: SourceFile) -> Problem:
    return Problem(ProblemKind.ACCOUNT_CONTEXT, f"account context: {message}", source.path)
