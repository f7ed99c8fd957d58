"""Workflow commands: annotations on the lines of a pull request, from the build log alone.

https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
GitHub keeps ten errors and ten warnings of a step, so the worst come first and the last line
says how many are left.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

from iam_preflight.reporters.escape import command, command_property

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.reporters.model import Finding, Options, Problem, Report, SeverityName

MAX_OF_LEVEL = 10
_LEVELS: dict[SeverityName, str] = {
    "critical": "error",
    "high": "error",
    "medium": "warning",
    "low": "notice",
    "info": "notice",
}


def write(report: Report, stream: TextIO, _options: Options) -> None:
    stream.writelines(f"{line}\n" for line in _lines(report))


def _lines(report: Report) -> Iterator[str]:
    left = dict.fromkeys(("error", "warning", "notice"), MAX_OF_LEVEL)
    skipped = 0
    for problem in report.problems:
        if problem.fails and left["error"] > 1:
            left["error"] -= 1
            yield _problem(problem)
    for finding in report.shown:
        level = _LEVELS[finding.severity]
        # the last notice is kept for what is left out
        if left[level] <= (1 if level == "notice" else 0):
            skipped += 1
            continue
        left[level] -= 1
        yield _finding(finding, level)
    if skipped:
        yield f"::notice title=IAM Preflight::{skipped} more findings: see the report"


def _finding(finding: Finding, level: str) -> str:
    place = finding.place
    properties = {
        "file": place.file,
        "line": str(place.line),
        "endLine": str(place.end_line),
        "title": f"{finding.rule} {finding.severity}",
    }
    if place.line == place.end_line:
        properties["col"] = str(place.column)
        properties["endColumn"] = str(place.end_column)
    message = finding.message
    if finding.hint:
        message += f"\nfix: {finding.hint}"
    if finding.also:
        message += f"\nalso: {', '.join(finding.also)}"
    return _command(level, properties, message)


def _problem(problem: Problem) -> str:
    properties = {"file": problem.file, "title": problem.code}
    if problem.line:
        properties["line"] = str(problem.line)
    return _command("error", properties, problem.message)


def _command(level: str, properties: dict[str, str], message: str) -> str:
    listed = ",".join(f"{name}={command_property(value)}" for name, value in properties.items())
    return f"::{level} {listed}::{command(message)}"
