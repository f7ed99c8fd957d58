"""SARIF 2.1.0, for code scanning.

https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
https://docs.github.com/en/code-security/code-scanning/integrating-with-code-scanning/sarif-support-for-code-scanning

The caps are those of code scanning: what is past them would be dropped there without order, so
we leave out the least important and say how many.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TextIO

from iam_preflight.reporters.escape import json_text, uri, visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from iam_preflight.reporters.model import (
        Finding,
        Options,
        Place,
        Problem,
        Report,
        Rule,
        SeverityName,
    )

SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
ROOT = "%SRCROOT%"

MAX_RESULTS = 5_000
MAX_RELATED = 100
MAX_STEPS = 1_000
MAX_TAGS = 10
MAX_DESCRIPTION = 1_024
MAX_LOGICAL = 100
MAX_NOTIFICATIONS = 1_000

_LEVELS: dict[SeverityName, str] = {
    "critical": "error",
    "high": "error",
    "medium": "warning",
    "low": "note",
    "info": "note",
}
_SECURITY_SEVERITY: dict[SeverityName, str] = {
    "critical": "9.5",
    "high": "8.0",
    "medium": "5.5",
    "low": "3.0",
    "info": "0.5",
}


def write(report: Report, stream: TextIO, options: Options) -> None:
    text = json.dumps(as_data(report, options), indent=2, ensure_ascii=False)
    stream.write(json_text(text))
    stream.write("\n")


def as_data(report: Report, options: Options) -> dict[str, Any]:
    findings = list(_told(report, options))
    indexes = {rule.id: index for index, rule in enumerate(report.rules)}
    results = [_result(finding, indexes, report) for finding in findings[:MAX_RESULTS]]
    notifications = [_notification(problem) for problem in report.problems[:MAX_NOTIFICATIONS]]
    if len(findings) > MAX_RESULTS:
        notifications.append(_left_out(len(findings) - MAX_RESULTS))
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "IAM Preflight",
                        "fullName": f"IAM Preflight {report.tool.version}",
                        "version": report.tool.version,
                        "semanticVersion": report.tool.version,
                        "rules": [_rule(rule) for rule in report.rules],
                    }
                },
                "columnKind": "unicodeCodePoints",
                "originalUriBaseIds": {ROOT: {"description": {"text": "top of the repository"}}},
                "invocations": [
                    {
                        "executionSuccessful": report.verdict != "not-analysed",
                        "toolExecutionNotifications": notifications,
                    }
                ],
                "results": results,
            }
        ],
    }


def _told(report: Report, options: Options) -> Iterator[Finding]:
    """Shown findings, worst first; then what stays as it was; then, when asked for, ignored ones.

    Code scanning would show suppressed results as open alerts, so they are left out by default.
    """
    yield from report.shown
    if report.change is not None:
        yield from report.with_outcome("unchanged")
    if options.show_suppressed:
        yield from report.with_outcome("suppressed")
        yield from report.with_outcome("baseline")


# ---------------------------------------------------------------- rules


def _rule(rule: Rule) -> dict[str, Any]:
    data: dict[str, Any] = {
        "id": rule.id,
        "name": "".join(word.capitalize() for word in rule.name.split("-")),
        "shortDescription": {"text": _cut(rule.title)},
        "fullDescription": {"text": _cut(_first_section(rule))},
        "help": {"text": rule.page or rule.title, "markdown": _help(rule)},
        "defaultConfiguration": {"level": _LEVELS[rule.severity]},
        "properties": {
            "security-severity": _SECURITY_SEVERITY[rule.severity],
            "precision": "high",
            "tags": _tags(rule)[:MAX_TAGS],
        },
    }
    if rule.references:
        data["helpUri"] = rule.references[0]
    return data


def _first_section(rule: Rule) -> str:
    """What the rule checks, as one paragraph."""
    _, found, rest = rule.page.partition("## What it checks\n")
    paragraph = rest.split("\n\n", 1)[0].split("\n## ", 1)[0] if found else rule.title
    return " ".join(paragraph.split()) or rule.title


def _help(rule: Rule) -> str:
    lines = [f"# {rule.id}: {rule.page or rule.title}"]
    if rule.compliance:
        lines += ["", "## Compliance"]
        lines += [f"- {name}: {', '.join(ids)}" for name, ids in rule.compliance.items()]
    if rule.references:
        lines += ["", "## References", *(f"- <{url}>" for url in rule.references)]
    return "\n".join(lines)


def _tags(rule: Rule) -> list[str]:
    return ["security", "aws", "iam", f"practice-{rule.practice}", *map(_tag, rule.compliance)]


def _tag(framework: str) -> str:
    return framework.lower().replace(" ", "-").replace("/", "-")


def _cut(text: str) -> str:
    return text if len(text) <= MAX_DESCRIPTION else f"{text[: MAX_DESCRIPTION - 1]}…"


# ---------------------------------------------------------------- results


def _result(finding: Finding, indexes: Mapping[str, int], report: Report) -> dict[str, Any]:
    hint = f". {visible(finding.hint)}" if finding.hint else ""
    logical = [
        {"fullyQualifiedName": address, "kind": "resource"}
        for address in finding.addresses[:MAX_LOGICAL]
    ]
    result: dict[str, Any] = {
        "ruleId": finding.rule,
        "ruleIndex": indexes.get(finding.rule, -1),
        "level": _LEVELS[finding.severity],
        "message": {"text": visible(finding.message) + hint},
        "locations": [{"physicalLocation": _physical(finding.place), "logicalLocations": logical}],
        "partialFingerprints": {
            # the key that code scanning tracks alerts by; ours stays when lines move
            "primaryLocationLineHash": finding.fingerprint,
            "iamPreflight/v1": finding.fingerprint,
        },
        "properties": _properties(finding),
    }
    related = (*finding.steps, *finding.related)[:MAX_RELATED]
    if related:
        result["relatedLocations"] = [
            {**_location(place, "related"), "id": index} for index, place in enumerate(related)
        ]
    if finding.steps:
        result["codeFlows"] = [_code_flow(finding)]
    if report.change is not None and finding.outcome in ("shown", "unchanged"):
        result["baselineState"] = "new" if finding.outcome == "shown" else "unchanged"
    if finding.outcome in ("suppressed", "baseline"):
        kind = "inSource" if finding.outcome == "suppressed" else "external"
        reason = visible(finding.reason) or "in the baseline"
        result["suppressions"] = [{"kind": kind, "status": "accepted", "justification": reason}]
    return result


def _properties(finding: Finding) -> dict[str, Any]:
    properties: dict[str, Any] = {
        "severity": finding.severity,
        "security-severity": _SECURITY_SEVERITY[finding.severity],
        "confidence": finding.confidence,
        "also": list(finding.also),
    }
    if finding.principal:
        properties["principal"] = finding.principal
    if finding.environment:
        properties["environment"] = finding.environment
    if finding.assumptions:
        properties["assumptions"] = list(finding.assumptions)
    if len(finding.addresses) > MAX_LOGICAL:
        properties["moreAddresses"] = len(finding.addresses) - MAX_LOGICAL
    return properties


def _code_flow(finding: Finding) -> dict[str, Any]:
    """The hops of a path and, at its end, the place that the finding stands at."""
    steps = finding.steps[: MAX_STEPS - 1]
    locations = [
        {"location": _location(place, "next"), "executionOrder": index}
        for index, place in enumerate((finding.place, *steps), 1)
    ]
    return {
        "message": {"text": visible(finding.message)},
        "threadFlows": [{"locations": locations}],
    }


def _location(place: Place, default: str) -> dict[str, Any]:
    return {
        "physicalLocation": _physical(place),
        "message": {"text": visible(place.label) or default},
    }


def _physical(place: Place) -> dict[str, Any]:
    return {
        "artifactLocation": {"uri": uri(place.file), "uriBaseId": ROOT},
        "region": {
            "startLine": place.line,
            "startColumn": place.column,
            "endLine": place.end_line,
            "endColumn": place.end_column,
        },
    }


# ---------------------------------------------------------------- notifications


def _notification(problem: Problem) -> dict[str, Any]:
    physical: dict[str, Any] = {"artifactLocation": {"uri": uri(problem.file), "uriBaseId": ROOT}}
    if problem.line:
        physical["region"] = {
            "startLine": problem.line,
            "startColumn": problem.column,
            "endLine": problem.end_line,
            "endColumn": problem.end_column,
        }
    return {
        "level": "error" if problem.fails else "warning",
        "message": {"text": visible(problem.message)},
        "descriptor": {"id": problem.code},
        "locations": [{"physicalLocation": physical}],
    }


def _left_out(count: int) -> dict[str, Any]:
    text = f"{count} less severe findings are left out: code scanning takes {MAX_RESULTS}"
    return {"level": "warning", "message": {"text": text}, "descriptor": {"id": "SCAN-909"}}
