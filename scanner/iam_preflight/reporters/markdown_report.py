"""Markdown for comments, job summaries and wikis: GitHub's and GitLab's common part.

Everything from the repository is escaped: it can neither format, link, mention nor hide.
`parts` gives the report in pieces, for those who must keep to a size and cut between findings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

from msgspec import Struct

from iam_preflight.reporters.carets import draw, plain
from iam_preflight.reporters.escape import code, fence, markdown
from iam_preflight.reporters.grouping import grouped
from iam_preflight.reporters.model import SEVERITIES
from iam_preflight.reporters.picture import picture_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from iam_preflight.reporters.model import (
        Access,
        AddedIgnore,
        Change,
        Finding,
        Options,
        Place,
        Problem,
        Report,
        Trust,
    )

_VERDICTS = {
    "clean": "passed",
    "findings": "failed",
    "nothing-to-scan": "nothing to scan",
    "not-analysed": "failed: not everything could be analysed",
}
WIDTH = 100
MAX_PICTURES = 3


class Section(Struct, frozen=True):
    """A heading and what is told below it, each a piece of Markdown of its own."""

    heading: str
    items: tuple[str, ...]
    gap: str = ""
    """What stands between two items."""

    def text(self, count: int | None = None) -> str:
        """The heading and the first items (default: all)."""
        return f"\n## {self.heading}\n\n{self.gap.join(self.items[:count])}"


class Parts(Struct, frozen=True):
    """The report in pieces: `head`, then `sections`, the most important first, then `tail`."""

    head: str
    sections: tuple[Section, ...]
    tail: str

    def text(self) -> str:
        return "".join((self.head, *(section.text() for section in self.sections), self.tail))


def write(report: Report, stream: TextIO, options: Options) -> None:
    stream.write(parts(report, options).text())


def parts(report: Report, options: Options, title: str = "IAM Preflight") -> Parts:
    """The report in pieces. `title` is Markdown."""
    return Parts(
        head="\n".join(_head(report, title)) + "\n",
        sections=tuple(section for section in _sections(report, options) if section.items),
        tail="\n".join(_tail(report)) + "\n",
    )


def _sections(report: Report, options: Options) -> Iterator[Section]:
    yield _listed("Not analysed", map(_problem, report.problems))
    if report.change is not None:
        yield from _change(report.change)
    for heading, findings in grouped(report, options):
        yield Section(markdown(heading), tuple(map(_finding, findings)), gap="\n")
    if options.show_suppressed:
        yield _listed("Suppressed", map(_suppressed, report.with_outcome("suppressed")))
    if report.change is not None:
        yield _listed("Fixed", map(_fixed, report.change.fixed))


def _listed(heading: str, items: Iterable[str]) -> Section:
    return Section(heading, tuple(f"- {item}\n" for item in items))


# ---------------------------------------------------------------- before the findings


def _head(report: Report, title: str) -> Iterator[str]:
    counts = report.counts
    yield f"# {title}: {_VERDICTS[report.verdict]}"
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
        yield ""
        yield f"From {code(report.change.base)} to {code(report.change.head)}."
        if report.change.other_settings:
            yield ""
            yield "The settings differ: findings may have come or gone by that alone."


# ---------------------------------------------------------------- what a change brings


def _change(change: Change) -> Iterator[Section]:
    yield Section("New ways to become an administrator", tuple(_paths(change)))
    yield _listed("New access", map(_access, change.access))
    yield _listed("New trust", map(_trust, change.trust))
    yield _listed("Ignores that the change adds", map(_ignore, change.ignores))


def _paths(change: Change) -> Iterator[str]:
    for number, path in enumerate(change.paths):
        lines = [f"- {markdown(path.message)} ({_where(path.place)})"]
        lines += [f"  1. {markdown(step.label)} ({_where(step)})" for step in path.steps]
        if number < MAX_PICTURES:
            lines += ["", *(f"  {line}" for line in picture_of(path)), ""]
        yield "\n".join(lines) + "\n"


def _access(one: Access) -> str:
    proof = f", for example {code(one.action)} on {code(one.resource)}" if one.resource else ""
    return f"{markdown(one.message)}{proof} ({_where(one.place)})"


def _trust(one: Trust) -> str:
    return f"{markdown(one.message)} ({_where(one.place)})"


def _ignore(ignore: AddedIgnore) -> str:
    rules = ", ".join(map(code, ignore.rules))
    return f"{rules}: {markdown(ignore.reason)}{_until(ignore.until)} ({_where(ignore.place)})"


def _until(day: str) -> str:
    return f", until {markdown(day)}" if day else ""


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


# ---------------------------------------------------------------- beside the findings


def _suppressed(finding: Finding) -> str:
    reason = markdown(finding.reason)
    return f"{code(finding.rule)} {_where(finding.place)}: {reason}{_until(finding.until)}"


def _fixed(finding: Finding) -> str:
    return f"{code(finding.rule)} {markdown(finding.message)} ({_where(finding.place)})"


def _problem(problem: Problem) -> str:
    place = f"{problem.file}:{problem.line}" if problem.line else problem.file
    return f"{markdown(problem.code)} {code(place)}: {markdown(problem.message)}"


def _tail(report: Report) -> Iterator[str]:
    coverage = report.coverage
    yield ""
    yield (
        f"{coverage.principals} principals, {coverage.policies} policies: {coverage.full}"
        f" resolved, {coverage.partly} partly, {coverage.none} not · {report.files} files"
    )
    for one in coverage.unresolved[:5]:
        yield f"- {markdown(one.reason)} ({one.policies})"
    if coverage.not_judged:
        yield ""
        yield markdown(coverage.not_judged)
