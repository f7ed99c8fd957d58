"""Findings and problems as an editor shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types

from iam_preflight.errors import FAILS_THE_SCAN, ProblemKind
from iam_preflight.findings import Severity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from iam_preflight.editor.pages import Pages
    from iam_preflight.editor.positions import Ranges
    from iam_preflight.errors import Problem
    from iam_preflight.findings import Finding, Place

SOURCE = "iam-preflight"
SEVERITIES = {
    Severity.CRITICAL: types.DiagnosticSeverity.Error,
    Severity.HIGH: types.DiagnosticSeverity.Error,
    Severity.MEDIUM: types.DiagnosticSeverity.Warning,
    Severity.LOW: types.DiagnosticSeverity.Information,
    Severity.INFO: types.DiagnosticSeverity.Hint,
}
INSTALLED = ".terraform/"
"""Below here is other people's code."""


class Diagnostics:
    """Turns what a scan found into diagnostics, by file."""

    def __init__(self, ranges: Ranges, pages: Pages, uri_of: Callable[[str], str]) -> None:
        self._ranges = ranges
        self._pages = pages
        self._uri_of = uri_of

    def by_file(
        self, findings: Iterable[Finding], problems: Iterable[Problem]
    ) -> dict[str, list[types.Diagnostic]]:
        found: dict[str, list[types.Diagnostic]] = {}
        for finding in findings:
            path = finding.primary.span.path
            found.setdefault(path, []).append(self.of_finding(finding))
        for problem in problems:
            if not problem.path.startswith(INSTALLED) and f"/{INSTALLED}" not in problem.path:
                found.setdefault(problem.path, []).append(self.of_problem(problem))
        return found

    def of_finding(self, finding: Finding) -> types.Diagnostic:
        lines = [finding.message]
        if finding.assumptions:
            lines.append("if " + " and ".join(str(one) for one in finding.assumptions))
        if finding.hint:
            lines.append(f"fix: {finding.hint}")
        if finding.also:
            lines.append(f"also {', '.join(finding.also)}")
        page = self._pages.address(finding.rule)
        return types.Diagnostic(
            range=self._ranges.range(finding.primary.span),
            message="\n".join(lines),
            severity=SEVERITIES[finding.severity],
            code=finding.rule,
            code_description=types.CodeDescription(page) if page else None,
            source=SOURCE,
            related_information=list(self._related(finding)) or None,
        )

    def _related(self, finding: Finding) -> Iterator[types.DiagnosticRelatedInformation]:
        for place in dict.fromkeys((*finding.steps, *finding.related)):
            if self._is_a_file(place):
                location = types.Location(
                    self._uri_of(place.span.path), self._ranges.range(place.span)
                )
                message = place.label or "see also"
                yield types.DiagnosticRelatedInformation(location, message)

    def _is_a_file(self, place: Place) -> bool:
        """AWS's own policies have places too, but in no file."""
        return not place.span.path.startswith("arn:")

    def of_problem(self, problem: Problem) -> types.Diagnostic:
        start = types.Position(0, 0)
        where = types.Range(start, start)
        if problem.span is not None:
            where = self._ranges.range(problem.span)
        if problem.kind is ProblemKind.RULE_CRASH:
            severity = types.DiagnosticSeverity.Information
        elif problem.kind in FAILS_THE_SCAN:
            severity = types.DiagnosticSeverity.Error
        else:
            severity = types.DiagnosticSeverity.Information
        return types.Diagnostic(
            range=where,
            message=problem.message,
            severity=severity,
            code=problem.code,
            source=SOURCE,
        )


def merged(several: Iterable[list[types.Diagnostic]]) -> list[types.Diagnostic]:
    """Diagnostics of one file from several roots; what they all say is said once."""
    kept: dict[tuple[object, ...], types.Diagnostic] = {}
    for diagnostics in several:
        for one in diagnostics:
            start, end = one.range.start, one.range.end
            place = (start.line, start.character, end.line, end.character)
            kept.setdefault((*place, one.code, one.message), one)
    return [kept[key] for key in sorted(kept, key=_order)]


def _order(key: tuple[object, ...]) -> tuple[object, ...]:
    return tuple(str(part) if not isinstance(part, int) else part for part in key)
