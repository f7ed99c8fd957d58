"""GitLab's code quality report.

https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TextIO

from iam_preflight.reporters.escape import json_text, visible

if TYPE_CHECKING:
    from iam_preflight.reporters.model import Finding, Options, Problem, Report, SeverityName

_SEVERITIES: dict[SeverityName, str] = {
    "critical": "blocker",
    "high": "critical",
    "medium": "major",
    "low": "minor",
    "info": "info",
}


def write(report: Report, stream: TextIO, _options: Options) -> None:
    entries = [_finding(finding) for finding in report.shown]
    entries += [_problem(problem, index) for index, problem in enumerate(report.problems)]
    stream.write(json_text(json.dumps(entries, indent=2, ensure_ascii=False)))
    stream.write("\n")


def _finding(finding: Finding) -> dict[str, Any]:
    hint = f". {finding.hint}" if finding.hint else ""
    place = finding.place
    return {
        "check_name": finding.rule,
        "description": visible(finding.message + hint),
        "fingerprint": finding.fingerprint,
        "severity": _SEVERITIES[finding.severity],
        "location": {"path": place.file, "lines": {"begin": place.line, "end": place.end_line}},
    }


def _problem(problem: Problem, index: int) -> dict[str, Any]:
    return {
        "check_name": problem.code,
        "description": visible(problem.message),
        "fingerprint": f"{problem.code}:{problem.file}:{index}",
        "severity": "critical" if problem.fails else "info",
        "location": {"path": problem.file, "lines": {"begin": max(problem.line, 1)}},
    }
