"""Findings under headings: by severity, by practice, or by the controls of a framework."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.reporters.model import SEVERITIES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.reporters.model import Finding, Options, Report

OTHER = "No control named"


def grouped(report: Report, options: Options) -> Iterator[tuple[str, list[Finding]]]:
    """Headings with their findings, empty ones left out. By framework one may come twice."""
    match options.group_by:
        case "cause":
            yield from _by_severity(report)
        case "practice":
            yield from _by_practice(report)
        case "framework":
            yield from _by_framework(report)


def _by_severity(report: Report) -> Iterator[tuple[str, list[Finding]]]:
    for severity in SEVERITIES:
        found = [finding for finding in report.shown if finding.severity == severity]
        if found:
            yield severity.capitalize(), found


def _by_practice(report: Report) -> Iterator[tuple[str, list[Finding]]]:
    practice_of = {rule.id: str(rule.practice) for rule in report.rules}
    for number, title in report.practices.items():
        found = [one for one in report.shown if practice_of.get(one.rule) == number]
        if found:
            yield f"{number}. {title}", found


def _by_framework(report: Report) -> Iterator[tuple[str, list[Finding]]]:
    """Every control of every framework that a finding, or what it speaks for, goes against."""
    rules = {rule.id: rule for rule in report.rules}
    headings: dict[tuple[str, str], list[Finding]] = {}
    for finding in report.shown:
        controls = {
            (framework, control)
            for rule_id in (finding.rule, *finding.also)
            if rule_id in rules
            for framework, ids in rules[rule_id].compliance.items()
            for control in ids
        }
        for heading in controls or {("", OTHER)}:
            headings.setdefault(heading, []).append(finding)
    for framework, control in sorted(headings, key=lambda key: (not key[0], _natural(key))):
        title = f"{framework} {control}" if framework else control
        yield title, headings[framework, control]


def _natural(key: tuple[str, str]) -> tuple[str, list[tuple[int, str]]]:
    """An order in which `1.10` comes after `1.9`."""
    framework, control = key
    words = control.replace("(", ".").replace("-", ".").split(".")
    return framework, [(int(word) if word.isdigit() else -1, word) for word in words]
