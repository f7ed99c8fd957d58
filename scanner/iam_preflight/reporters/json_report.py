"""The report as JSON, for programs. `version` changes when a field changes its meaning."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TextIO

from iam_preflight import __version__

if TYPE_CHECKING:
    from iam_preflight.decisions import Decided
    from iam_preflight.errors import Problem
    from iam_preflight.findings import Place
    from iam_preflight.graph.model import Coverage
    from iam_preflight.scan import Report
    from iam_preflight.source import Span

VERSION = 1


def write(report: Report, stream: TextIO) -> None:
    json.dump(as_data(report), stream, indent=2, ensure_ascii=False)
    stream.write("\n")


def as_data(report: Report) -> dict[str, Any]:
    return {
        "version": VERSION,
        "tool": {"name": "iam-preflight", "version": __version__},
        "findings": [_finding(decided) for decided in report.findings],
        "problems": [_problem(problem) for problem in report.problems],
        "coverage": _coverage(report.coverage),
        "files": report.files,
    }


def _finding(decided: Decided) -> dict[str, Any]:
    finding = decided.finding
    return {
        "rule": finding.rule,
        "also": list(finding.also),
        "severity": str(finding.severity),
        "confidence": str(finding.confidence),
        "message": finding.message,
        "address": finding.address,
        "addresses": list(finding.addresses),
        "type": finding.resource.native_type,
        "principal": finding.principal or None,
        "place": _place(finding.primary),
        "related": [_place(place) for place in finding.related],
        "path": [_place(place) for place in finding.steps],
        "assumptions": [str(assumption) for assumption in finding.assumptions],
        "hint": finding.hint,
        "outcome": decided.outcome.value,
        "reason": decided.reason,
    }


def _place(place: Place) -> dict[str, Any]:
    return {**_region(place.span), "label": place.label}


def _region(span: Span) -> dict[str, Any]:
    first, last = span.first, span.last
    return {
        "file": span.path,
        "line": first.line,
        "column": first.column,
        "end_line": last.line,
        "end_column": last.column,
    }


def _problem(problem: Problem) -> dict[str, Any]:
    return {
        "code": problem.code,
        "message": problem.message,
        "file": problem.path,
        "line": problem.span.line if problem.span is not None else None,
        "column": problem.span.column if problem.span is not None else None,
    }


def _coverage(coverage: Coverage) -> dict[str, Any]:
    return {
        "principals": coverage.principals,
        "policies": coverage.policies,
        "full": coverage.full,
        "partly": coverage.partly,
        "none": coverage.none,
        "unresolved": [{"reason": reason, "policies": count} for reason, count in coverage.reasons],
    }
