"""Markdown for comments, job summaries and wikis: GitHub's and GitLab's common part.

Everything from the repository is escaped: it can neither format, link, mention nor hide.
`parts` gives the report in pieces, for those who must keep to a size and cut between findings.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO

from iam_preflight.reporters.carets import draw, plain
from iam_preflight.reporters.escape import code, fence, markdown
from iam_preflight.reporters.grouping import grouped
from iam_preflight.reporters.model import SEVERITIES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.reporters.model import Change, Finding, Options, Place, Report

_VERDICTS = {
    "clean": "passed",
    "findings": "failed",
    "nothing-to-scan": "nothing to scan",
    "not-analysed": "failed: not everything could be analysed",
}
WIDTH = 100


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and the findings below it, each a piece of Markdown."""

    heading: str
    findings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Parts:
    """The report in pieces: `head`, then `sections`, then `tail`."""

    head: str
    sections: tuple[Section, ...]
    tail: str


def write(report: Report, stream: TextIO, options: Options) -> None:
    pieces = parts(report, options)
    stream.write(pieces.head)
    for section in pieces.sections:
        stream.write(f"\n## {section.heading}\n")
        stream.writelines(f"\n{finding}" for finding in section.findings)
    stream.write(pieces.tail)


def parts(report: Report, options: Options) -> Parts:
    return Parts(
        head="\n".join(_head(report)) + "\n",
        sections=tuple(
            Section(markdown(heading), tuple(_finding(one) for one in findings))
            for heading, findings in grouped(report, options)
        ),
        tail="\n".join(_tail(report, options)) + "\n",
    )


# ---------------------------------------------------------------- before the findings


def _head(report: Report) -> Iterator[str]:
    counts = report.counts
    yield f"# IAM Preflight: {_VERDICTS[report.verdict]}"
    yield ""
    yield "| " + " | ".join(SEVERITIES) + " |"
    yield "| " + " | ".join("---:" for _ in SEVERITIES) + " |"
    yield "| " + " | ".join(str(getattr(counts, name)) for name in SEVERITIES) + " |"
    rest = [
        f"{count} {word}"
        for count, word in (
            (counts.fixed, "fixed"),
            (counts.unchanged, "unchanged"),
            (counts.suppressed, "suppressed"),
            (counts.baseline, "in the baseline"),
            (counts.hidden, "hidden"),
        )
        if count
    ]
    if rest:
        yield ""
        yield ", ".join(rest)
    if report.change is not None:
        yield from _change(report.change)


def _change(change: Change) -> Iterator[str]:
    yield ""
    yield f"From {code(change.base)} to {code(change.head)}."
    if change.paths:
        yield ""
        yield "## New ways to become an administrator"
        yield ""
        for path in change.paths:
            yield f"- {markdown(path.message)} ({_where(path.place)})"
            for step in path.steps:
                yield f"  1. {markdown(step.label)} ({_where(step)})"
    for title, told in (("New access", change.access), ("New trust", change.trust)):
        if told:
            yield ""
            yield f"## {title}"
            yield ""
            for one in told:
                yield f"- {markdown(one.message)} ({_where(one.place)})"
    if change.ignores:
        yield ""
        yield "## Ignores that the change adds"
        yield ""
        for ignore in change.ignores:
            until = f", until {ignore.until}" if ignore.until else ""
            rules = ", ".join(map(code, ignore.rules))
            yield f"- {rules}: {markdown(ignore.reason)}{until} ({_where(ignore.place)})"
    if change.other_settings:
        yield ""
        yield "The settings differ: findings may have come or gone by that alone."


# ---------------------------------------------------------------- findings


def _finding(finding: Finding) -> str:
    return "\n".join(_finding_lines(finding)) + "\n"


def _finding_lines(finding: Finding) -> Iterator[str]:
    yield f"**{finding.severity.upper()}** {code(finding.rule)} {markdown(finding.message)}  "
    yield f"{_where(finding.place)} · {_addresses(finding)} · confidence {finding.confidence}"
    if finding.excerpts:
        yield ""
        yield from _source(finding)
    yield ""
    for number, place in enumerate(finding.steps, 1):
        yield f"{number}. {markdown(place.label)} ({_where(place)})"
    if finding.steps:
        yield ""
    told: set[str] = set()
    for place in finding.related:
        line = f"- see {markdown(place.label)} ({_where(place)})"
        if line not in told:
            told.add(line)
            yield line
    if finding.assumptions:
        yield f"- when {', '.join(map(code, finding.assumptions))}"
    if finding.hint:
        yield f"- fix: {markdown(finding.hint)}"
    if finding.also:
        yield f"- also {', '.join(map(code, finding.also))}"


def _source(finding: Finding) -> Iterator[str]:
    excerpt = finding.excerpts[0]
    lines = list(draw(excerpt, WIDTH, plain))
    marks = fence("\n".join(lines))
    language = "hcl" if excerpt.file.endswith((".tf", ".tofu")) else "text"
    yield f"{marks}{language}"
    yield from lines
    yield marks


def _addresses(finding: Finding) -> str:
    shown = ", ".join(map(code, finding.addresses[:3]))
    more = len(finding.addresses) - 3
    return shown if more <= 0 else f"{shown} and {more} more"


def _where(place: Place) -> str:
    return code(f"{place.file}:{place.line}:{place.column}")


# ---------------------------------------------------------------- after the findings


def _tail(report: Report, options: Options) -> Iterator[str]:
    if options.show_suppressed and report.counts.suppressed:
        yield ""
        yield "## Suppressed"
        yield ""
        for finding in report.with_outcome("suppressed"):
            until = f", until {finding.until}" if finding.until else ""
            reason = markdown(finding.reason)
            yield f"- {code(finding.rule)} {_where(finding.place)}: {reason}{until}"
    if report.change is not None and report.change.fixed:
        yield ""
        yield "## Fixed"
        yield ""
        for finding in report.change.fixed:
            yield f"- {code(finding.rule)} {markdown(finding.message)} ({_where(finding.place)})"
    if report.problems:
        yield ""
        yield "## Not analysed"
        yield ""
        for problem in report.problems:
            place = f"{problem.file}:{problem.line}" if problem.line else problem.file
            yield f"- {problem.code} {code(place)}: {markdown(problem.message)}"
    coverage = report.coverage
    yield ""
    yield (
        f"{coverage.principals} principals, {coverage.policies} policies: {coverage.full}"
        f" resolved, {coverage.partly} partly, {coverage.none} not · {report.files} files"
    )
    for one in coverage.unresolved[:5]:
        yield f"- {markdown(one.reason)} ({one.policies})"
