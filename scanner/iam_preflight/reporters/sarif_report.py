"""SARIF 2.1.0, for code scanning.

https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
https://docs.github.com/en/code-security/code-scanning/integrating-with-code-scanning/sarif-support-for-code-scanning
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TextIO
from urllib.parse import quote

from iam_preflight import __version__
from iam_preflight.decisions import Outcome
from iam_preflight.findings import Severity

if TYPE_CHECKING:
    from iam_preflight.decisions import Decided
    from iam_preflight.errors import Problem
    from iam_preflight.findings import Place
    from iam_preflight.rules import Rule
    from iam_preflight.scan import Report
    from iam_preflight.source import Span

SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
ROOT = "SRCROOT"

_LEVELS = {
    Severity.CRITICAL: "error",
    Severity.HIGH: "error",
    Severity.MEDIUM: "warning",
    Severity.LOW: "note",
    Severity.INFO: "note",
}
_SECURITY_SEVERITY = {
    Severity.CRITICAL: "9.5",
    Severity.HIGH: "8.0",
    Severity.MEDIUM: "5.5",
    Severity.LOW: "3.0",
    Severity.INFO: "0.5",
}


def write(report: Report, stream: TextIO) -> None:
    json.dump(as_data(report), stream, indent=2, ensure_ascii=False)
    stream.write("\n")


def as_data(report: Report) -> dict[str, Any]:
    indexes = {rule.id: index for index, rule in enumerate(report.rules)}
    results = [
        _result(decided, indexes)
        for decided in report.findings
        if decided.outcome in (Outcome.SHOWN, Outcome.SUPPRESSED)
    ]
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "iam-preflight",
                        "version": __version__,
                        "semanticVersion": __version__,
                        "rules": [_rule(rule) for rule in report.rules],
                    }
                },
                "columnKind": "unicodeCodePoints",
                "originalUriBaseIds": {ROOT: {"description": {"text": "top of the repository"}}},
                "invocations": [
                    {
                        "executionSuccessful": not any(
                            problem.fails_the_scan for problem in report.problems
                        ),
                        "toolExecutionNotifications": [
                            _notification(problem) for problem in report.problems
                        ],
                    }
                ],
                "results": results,
            }
        ],
    }


def _rule(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.id,
        "name": "".join(word.capitalize() for word in rule.name.split("-")),
        "shortDescription": {"text": rule.title()},
        "fullDescription": {"text": rule.title()},
        "help": {"text": rule.page(), "markdown": rule.page()},
        "defaultConfiguration": {"level": _LEVELS[rule.severity]},
        "properties": {
            "security-severity": _SECURITY_SEVERITY[rule.severity],
            "tags": ["security", "iam", "aws"],
        },
    }


def _result(decided: Decided, indexes: dict[str, int]) -> dict[str, Any]:
    finding = decided.finding
    properties: dict[str, Any] = {
        "confidence": str(finding.confidence),
        "severity": str(finding.severity),
        "security-severity": _SECURITY_SEVERITY[finding.severity],
        "also": list(finding.also),
    }
    if finding.principal:
        properties["principal"] = finding.principal
    if finding.assumptions:
        properties["assumptions"] = [str(assumption) for assumption in finding.assumptions]
    hint = f". {finding.hint}" if finding.hint else ""
    result: dict[str, Any] = {
        "ruleId": finding.rule,
        "ruleIndex": indexes[finding.rule],
        "level": _LEVELS[finding.severity],
        "message": {"text": finding.message + hint},
        "locations": [
            {
                "physicalLocation": _physical(finding.primary.span),
                "logicalLocations": [
                    {"fullyQualifiedName": address, "kind": "resource"}
                    for address in finding.addresses
                ],
            }
        ],
        "properties": properties,
    }
    related = [
        _related(place, index) for index, place in enumerate((*finding.steps, *finding.related))
    ]
    if related:
        result["relatedLocations"] = related
    if decided.outcome is Outcome.SUPPRESSED:
        result["suppressions"] = [{"kind": "inSource", "justification": decided.reason}]
    return result


def _related(place: Place, index: int) -> dict[str, Any]:
    return {
        "id": index,
        "physicalLocation": _physical(place.span),
        "message": {"text": place.label or "related"},
    }


def _physical(span: Span) -> dict[str, Any]:
    first, last = span.first, span.last
    return {
        "artifactLocation": {"uri": quote(span.path), "uriBaseId": ROOT},
        "region": {
            "startLine": first.line,
            "startColumn": first.column,
            "endLine": last.line,
            "endColumn": last.column,
        },
    }


def _notification(problem: Problem) -> dict[str, Any]:
    location: dict[str, Any] = {
        "physicalLocation": (
            _physical(problem.span)
            if problem.span is not None
            else {"artifactLocation": {"uri": quote(problem.path), "uriBaseId": ROOT}}
        )
    }
    return {
        "level": "error" if problem.fails_the_scan else "warning",
        "message": {"text": problem.message},
        "descriptor": {"id": problem.code},
        "locations": [location],
    }
