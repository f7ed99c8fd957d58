"""The report for people at a terminal or in a build log.

Each finding is one block: place and verdict, the source with a caret under the element, the
places that belong to it, the smallest edit, and where to read more.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from iam_preflight.decisions import Outcome
from iam_preflight.findings import Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.findings import Finding
    from iam_preflight.scan import Report
    from iam_preflight.source import Span

MAX_WIDTH = 120
_COLOURS = {
    Severity.CRITICAL: "1;97;41",
    Severity.HIGH: "1;31",
    Severity.MEDIUM: "1;33",
    Severity.LOW: "36",
    Severity.INFO: "2",
}
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200e\u200f]")


def write(report: Report, stream: TextIO) -> None:
    style = _Style(stream)
    for finding in report.shown:
        stream.writelines(line + "\n" for line in _finding(finding, report, style))
        stream.write("\n")
    for problem in report.problems:
        place = safe(_shown_path(problem.place, report.root))
        label = style.paint("1;31" if problem.fails_the_scan else "33", problem.code)
        stream.write(f"{place}  {label}  {safe(problem.message)}\n")
    if report.problems:
        stream.write("\n")
    stream.writelines(line + "\n" for line in _summary(report, style))


class _Style:
    """Colours where the stream is a terminal and nobody asked for none (NO_COLOR)."""

    def __init__(self, stream: TextIO) -> None:
        self.is_on = (
            stream is sys.stdout and stream.isatty() and not os.environ.get("NO_COLOR")
        ) or bool(os.environ.get("FORCE_COLOR"))

    def paint(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.is_on else text


def safe(text: str) -> str:
    """Text from the repository, with nothing in it that a terminal would act on."""
    return _CONTROL.sub("\ufffd", text).replace("\n", " ")


def _shown_path(path: str, root: str) -> str:
    """A path from the scan's root as seen from the current folder."""
    full = Path(root, path)
    try:
        return os.path.relpath(full)
    except ValueError:
        return str(full)


def _finding(finding: Finding, report: Report, style: _Style) -> Iterator[str]:
    span = finding.primary.span
    path = _shown_path(span.path, report.root)
    position = span.first
    severity = style.paint(_COLOURS[finding.severity], str(finding.severity).upper())
    rule = style.paint("1", finding.rule)
    where = safe(f"{path}:{position.line}:{position.column}")
    yield f"{where}  {severity}  {rule}  {safe(finding.message)}"
    yield from _excerpt(span, finding.primary.label, style)
    indent = "  "
    for place in finding.steps:
        yield f"{indent}{'then':<9} {_where(place.span, report)}  {safe(place.label)}"
    for place in finding.related:
        yield f"{indent}{'see':<9} {_where(place.span, report)}  {safe(place.label)}"
    if finding.assumptions:
        conditions = ", ".join(str(assumption) for assumption in finding.assumptions)
        yield f"{indent}{'when':<9} {safe(conditions)}"
    yield f"{indent}{'resource':<9} {safe(_addresses(finding))}"
    if finding.hint:
        yield f"{indent}{'fix':<9} {safe(finding.hint)}"
    also = f"also {', '.join(finding.also)} · " if finding.also else ""
    sure = f"confidence {finding.confidence} · "
    yield style.paint("2", f"{indent}{also}{sure}iam-preflight explain {finding.rule}")


def _addresses(finding: Finding) -> str:
    shown = ", ".join(finding.addresses[:3])
    more = len(finding.addresses) - 3
    return shown if more <= 0 else f"{shown} and {more} more"


def _where(span: Span, report: Report) -> str:
    position = span.first
    return safe(f"{_shown_path(span.path, report.root)}:{position.line}:{position.column}")


def _excerpt(span: Span, label: str, style: _Style) -> Iterator[str]:
    """The line before, the line itself, and a caret under the element."""
    first, last = span.first, span.last
    source = span.source
    width = len(str(first.line))
    if first.line > 1 and source.line_text(first.line - 1).strip():
        text = safe(source.line_text(first.line - 1))[:MAX_WIDTH]
        yield style.paint("2", f"  {first.line - 1:>{width}} │ {text}")
    line = source.line_text(first.line)
    start = first.column - 1
    offset = max(0, start - MAX_WIDTH + 40)
    shown = safe(line[offset : offset + MAX_WIDTH])
    yield f"  {first.line:>{width}} │ {shown}"
    end = last.column - 1 if last.line == first.line else len(line)
    length = max(1, min(end, offset + MAX_WIDTH) - start)
    caret = style.paint("1;31", "^" * length)
    note = f" {safe(label)}" if label else ""
    yield f"  {' ' * width} │ {' ' * (start - offset)}{caret}{note}"


def _summary(report: Report, style: _Style) -> Iterator[str]:
    counts = dict.fromkeys(sorted(Severity, reverse=True), 0)
    for finding in report.shown:
        counts[finding.severity] += 1
    total = sum(counts.values())
    detail = ", ".join(f"{count} {severity}" for severity, count in counts.items() if count)
    outcomes = dict.fromkeys(Outcome, 0)
    for decided in report.findings:
        outcomes[decided.outcome] += 1
    rest = [
        f"{count} {outcome.value}"
        for outcome, count in outcomes.items()
        if count and outcome is not Outcome.SHOWN
    ]
    words = [f"{total} finding{'' if total == 1 else 's'}" + (f" ({detail})" if detail else "")]
    yield style.paint("1", ", ".join([*words, *rest]))
    coverage = report.coverage
    line = (
        f"{coverage.principals} principals, {coverage.policies} policies: "
        f"{coverage.full} resolved, {coverage.partly} partly, {coverage.none} not"
    )
    if coverage.reasons:
        reason, count = coverage.reasons[0]
        line += f" (most: {safe(reason)}, {count})"
    yield f"{line} · {report.files} files · {report.seconds:.2f} s"
