"""JUnit XML, for build servers that show tests: a suite for each rule, a case for each finding.

A rule without findings is one passed case, so that a clean run shows what was checked. What
could not be analysed is an error, which no build server takes for success.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from iam_preflight.reporters.escape import visible, xml

if TYPE_CHECKING:
    from iam_preflight.reporters.model import Finding, Options, Problem, Report, Rule


def write(report: Report, stream: TextIO, options: Options) -> None:
    root = Element("testsuites", name="IAM Preflight")
    for rule in report.rules:
        _suite(root, rule, report, options)
    _problems(root, report)
    for name in ("tests", "failures", "errors", "skipped"):
        root.set(name, str(sum(int(suite.get(name, "0")) for suite in root)))
    indent(root)
    stream.write('<?xml version="1.0" encoding="UTF-8"?>\n')
    stream.write(tostring(root, encoding="unicode"))
    stream.write("\n")


def _suite(root: Element, rule: Rule, report: Report, options: Options) -> None:
    findings = [
        finding
        for finding in report.findings
        if finding.rule == rule.id
        and (
            finding.outcome == "shown"
            or (options.show_suppressed and finding.outcome in ("suppressed", "baseline"))
        )
    ]
    suite = SubElement(root, "testsuite", name=xml(f"{rule.id} {rule.title}"))
    if not findings:
        SubElement(suite, "testcase", name=xml(rule.title), classname=rule.id)
    for finding in findings:
        _case(suite, finding)
    failures = sum(finding.outcome == "shown" for finding in findings)
    _count(suite, max(len(findings), 1), failures=failures, skipped=len(findings) - failures)


def _case(suite: Element, finding: Finding) -> None:
    place = finding.place
    case = SubElement(
        suite,
        "testcase",
        name=xml(visible(f"{finding.address}: {finding.message}")),
        classname=finding.rule,
        file=xml(visible(place.file)),
        line=str(place.line),
    )
    if finding.outcome != "shown":
        SubElement(case, "skipped", message=xml(visible(finding.reason or finding.outcome)))
        return
    failure = SubElement(
        case, "failure", message=xml(visible(finding.message)), type=finding.severity
    )
    failure.text = xml(_text(finding))


def _text(finding: Finding) -> str:
    place = finding.place
    lines = [
        f"{place.file}:{place.line}:{place.column}",
        f"severity {finding.severity}, confidence {finding.confidence}",
        *(f"then {one.file}:{one.line}:{one.column} {one.label}" for one in finding.steps),
        *(f"see {one.file}:{one.line}:{one.column} {one.label}" for one in finding.related),
    ]
    if finding.hint:
        lines.append(f"fix: {finding.hint}")
    if finding.also:
        lines.append(f"also: {', '.join(finding.also)}")
    return "\n".join(map(visible, lines))


def _problems(root: Element, report: Report) -> None:
    if not report.problems:
        return
    suite = SubElement(root, "testsuite", name="analysis")
    for problem in report.problems:
        _problem(suite, problem)
    errors = sum(problem.fails for problem in report.problems)
    _count(suite, len(report.problems), errors=errors, skipped=len(report.problems) - errors)


def _problem(suite: Element, problem: Problem) -> None:
    place = f"{problem.file}:{problem.line}" if problem.line else problem.file
    case = SubElement(
        suite, "testcase", name=xml(visible(f"{place} {problem.message}")), classname=problem.code
    )
    message = xml(visible(problem.message))
    if problem.fails:
        SubElement(case, "error", message=message, type=problem.code)
    else:
        SubElement(case, "skipped", message=message)


def _count(suite: Element, tests: int, *, failures: int = 0, errors: int = 0, skipped: int) -> None:
    for name, number in (
        ("tests", tests),
        ("failures", failures),
        ("errors", errors),
        ("skipped", skipped),
    ):
        suite.set(name, str(number))
