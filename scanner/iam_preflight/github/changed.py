"""Annotations in the order in which they are worth one of the few places that GitHub has."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from iam_preflight.errors import UsageError
from iam_preflight.reporters.model import SEVERITIES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from iam_preflight.gittree import Repository
    from iam_preflight.reporters.model import Finding, Place, Report

MAX_FILES = 200
"""Files that git is asked about: one question each."""
_HUNK = re.compile(rb"^@@ -[0-9,]+ \+(\d+)(?:,(\d+))? @@", re.MULTILINE)

Lines = dict[str, tuple[range, ...]]


def ordered(report: Report, is_changed: Callable[[Place], bool]) -> Report:
    """The worst first and, among equals, what stands on lines of the change."""

    def rank(finding: Finding) -> tuple[int, bool]:
        return SEVERITIES.index(finding.severity), not is_changed(finding.place)

    return msgspec.structs.replace(report, findings=tuple(sorted(report.findings, key=rank)))


def changed_lines(repository: Repository, base: str, files: Iterable[str]) -> Lines:
    """The lines of files that differ from a commit; nothing of what git does not know."""
    lines: Lines = {}
    for file in list(dict.fromkeys(files))[:MAX_FILES]:
        try:
            patch = repository.run(
                *("diff", "--unified=0", "--no-color", "--no-ext-diff", "--no-textconv"),
                *(base, "--", f":(literal){file}"),
            )
        except UsageError:
            continue
        lines[file] = tuple(
            range(int(start), int(start) + int(count or 1)) for start, count in _HUNK.findall(patch)
        )
    return lines


def on_lines(lines: Lines) -> Callable[[Place], bool]:
    """Whether a place touches the lines."""

    def is_changed(place: Place) -> bool:
        return any(
            span.start <= place.end_line and place.line < span.stop
            for span in lines.get(place.file, ())
        )

    return is_changed
