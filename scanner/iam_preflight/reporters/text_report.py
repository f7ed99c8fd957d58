"""The report for people at a terminal or in a build log.

Findings with one cause are one block: verdicts, the source with a mark under each element, the
places that belong to it, the smallest edit, and where to read more. The last lines are the
verdict and what the scan could not see.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from iam_preflight.reporters.carets import draw
from iam_preflight.reporters.escape import visible
from iam_preflight.reporters.excerpts import merged
from iam_preflight.reporters.model import SEVERITIES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from iam_preflight.reporters.model import (
        Change,
        Excerpt,
        Finding,
        Options,
        Place,
        Problem,
        Report,
        SeverityName,
    )

LABEL = 9
MAX_ADDRESSES = 3
_COLOURS: dict[SeverityName, str] = {
    "critical": "1;97;41",
    "high": "1;31",
    "medium": "1;33",
    "low": "36",
    "info": "2",
}
_DIM, _BOLD, _GREEN, _RED = "2", "1", "32", "1;31"


def write(report: Report, stream: TextIO, options: Options) -> None:
    writer = _Writer(report, options)
    stream.writelines(f"{line}\n" for line in writer.lines())


def write_summary(report: Report, stream: TextIO, options: Options) -> None:
    """The verdict alone."""
    stream.writelines(f"{line}\n" for line in _Writer(report, options).summary())


class _Writer:
    def __init__(self, report: Report, options: Options) -> None:
        self.report = report
        self.options = options

    # ---- the whole

    def lines(self) -> Iterator[str]:
        report = self.report
        if report.change is not None:
            yield from self._change(report.change)
        for group in _groups(report.shown):
            yield from self._block(group)
            yield ""
        if self.options.show_suppressed:
            yield from self._suppressed()
        for problem in report.problems:
            yield self._problem(problem)
        if report.problems:
            yield ""
        yield from self.summary()

    def paint(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.options.color else text

    def path(self, file: str) -> str:
        """A file as seen from the current folder, or in full where that is shorter."""
        if not self.report.root or not self.options.here:
            return file
        full = str(Path(self.report.root, file))
        try:
            return min(os.path.relpath(full, self.options.here), full, key=len)
        except ValueError:  # another drive
            return full

    def where(self, place: Place) -> str:
        return visible(f"{self.path(place.file)}:{place.line}:{place.column}")

    # ---- findings

    def _block(self, group: Sequence[Finding]) -> Iterator[str]:
        for finding in group:
            severity = self.paint(_COLOURS[finding.severity], finding.severity.upper())
            rule = self.paint(_BOLD, finding.rule)
            place = self.where(finding.place)
            yield f"{place}  {severity}  {rule}  {visible(finding.message)}"
        near = [finding.excerpts[0] for finding in group if finding.excerpts]
        excerpt = merged(near) if near else None
        if excerpt is not None:
            yield from draw(excerpt, self.options.width, self.paint)
        for finding in group:
            yield from self._details(finding, excerpt, named=len(group) > 1)

    def _details(self, finding: Finding, excerpt: Excerpt | None, *, named: bool) -> Iterator[str]:
        told: set[str] = set()
        for label, places in (("then", finding.steps), ("see", finding.related)):
            for place in places:
                if excerpt is not None and _shows(excerpt, place) and label == "see":
                    continue
                line = f"{self.where(place)}  {visible(place.label)}".rstrip()
                if line not in told:
                    told.add(line)
                    yield from self._entry(label, line)
        if finding.assumptions:
            yield from self._entry("when", visible(", ".join(finding.assumptions)))
        yield from self._entry("resource", visible(_addresses(finding)))
        if finding.hint:
            yield from self._entry("fix", visible(finding.hint))
        also = f"also {', '.join(finding.also)} · " if finding.also else ""
        sure = f"confidence {finding.confidence} · "
        fixable = "--fix can do it · " if finding.fix else ""
        rule = f"{finding.rule}: " if named else ""
        more = f"  {rule}{also}{sure}{fixable}iam-preflight explain {finding.rule}"
        yield self.paint(_DIM, more)

    def _entry(self, label: str, text: str) -> Iterator[str]:
        head = f"  {label:<{LABEL}} "
        width = self.options.width
        if not width or len(head) + len(text) <= width:
            yield head + text
            return
        indent = " " * len(head)
        import textwrap

        yield from textwrap.wrap(
            text,
            width=max(width, 40),
            initial_indent=head,
            subsequent_indent=indent,
            break_long_words=False,
            break_on_hyphens=False,
        )

    def _suppressed(self) -> Iterator[str]:
        for finding in self.report.with_outcome("suppressed"):
            until = f" until {finding.until}" if finding.until else ""
            rule = self.paint(_BOLD, finding.rule)
            label = self.paint(_DIM, "IGNORED")
            yield f"{self.where(finding.place)}  {label}  {rule}  {visible(finding.message)}"
            yield from self._entry("reason", visible(finding.reason) + until)
            yield ""

    # ---- what a change adds

    def _change(self, change: Change) -> Iterator[str]:
        yield self.paint(_BOLD, visible(f"From {change.base} to {change.head}"))
        yield ""
        if change.paths:
            yield self.paint(_RED, "New ways to become an administrator")
            for path in change.paths:
                yield from self._entry("new", visible(path.message))
                for step in path.steps:
                    yield from self._entry("then", f"{self.where(step)}  {visible(step.label)}")
            yield ""
        for title, told in (("New access", change.access), ("New trust", change.trust)):
            if not told:
                continue
            yield self.paint(_BOLD, title)
            for one in told:
                yield from self._entry("new", visible(one.message))
                yield from self._entry("", self.where(one.place))
            yield ""
        if change.ignores:
            yield self.paint(_BOLD, "Ignores that the change adds")
            for ignore in change.ignores:
                until = f" until {ignore.until}" if ignore.until else ""
                rules = ", ".join(ignore.rules)
                text = f"{self.where(ignore.place)}  {visible(rules)}: {visible(ignore.reason)}"
                yield from self._entry("ignore", text + until)
            yield ""
        if change.other_settings:
            yield "The settings differ: findings may have come or gone by that alone."
            yield ""
        if change.fixed:
            yield self.paint(_BOLD, "Fixed")
            for finding in change.fixed:
                message = visible(finding.message)
                text = f"{self.where(finding.place)}  {finding.rule}  {message}"
                yield from self._entry(finding.severity, text)
            yield ""
        if self.report.shown:
            yield self.paint(_BOLD, "New findings")
            yield ""

    # ---- the end

    def _problem(self, problem: Problem) -> str:
        place = self.path(problem.file)
        if problem.line:
            place = f"{place}:{problem.line}:{problem.column}"
        label = self.paint(_RED if problem.fails else "33", problem.code)
        return f"{visible(place)}  {label}  {visible(problem.message)}"

    def summary(self) -> Iterator[str]:
        report, counts = self.report, self.report.counts
        if report.verdict == "nothing-to-scan":
            yield "nothing to scan: no Terraform, plan or CloudFormation file was found"
            return
        new = "new " if report.change is not None else ""
        words = [f"{counts.shown} {new}finding{'' if counts.shown == 1 else 's'}"]
        by_severity = [
            f"{getattr(counts, name)} {name}" for name in SEVERITIES if getattr(counts, name)
        ]
        if by_severity:
            words[0] += f" ({', '.join(by_severity)})"
        for count, word in (
            (counts.fixed, "fixed"),
            (counts.unchanged, "unchanged"),
            (counts.suppressed, "suppressed"),
            (counts.baseline, "in the baseline"),
            (counts.hidden, "hidden (--persona auditor shows all)"),
        ):
            if count:
                words.append(f"{count} {word}")
        yield self._verdict() + self.paint(_BOLD, ", ".join(words))
        yield self._coverage()
        if report.coverage.not_judged:
            yield visible(report.coverage.not_judged)

    def _verdict(self) -> str:
        match self.report.verdict:
            case "clean":
                return self.paint(_GREEN, "passed") + ": "
            case "findings":
                return self.paint(_RED, "failed") + ": "
            case _:
                return self.paint(_RED, "failed, not everything could be analysed") + ": "

    def _coverage(self) -> str:
        coverage = self.report.coverage
        files = self.report.files
        text = (
            f"{_counted(coverage.principals, 'principal')}, "
            f"{coverage.policies} {'policy' if coverage.policies == 1 else 'policies'}: "
            f"{coverage.full} resolved, {coverage.partly} partly, {coverage.none} not"
        )
        if coverage.unresolved:
            most = coverage.unresolved[0]
            text += f" (most: {visible(most.reason)}, {most.policies})"
        text += f" · {_counted(files, 'file')}"
        if self.options.shows_time and self.report.seconds:
            text += f" · {self.report.seconds:.2f} s"
        return text


def _counted(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"


def _groups(findings: Iterable[Finding]) -> list[list[Finding]]:
    """Findings with one cause in one file together, where the first of them stands."""
    groups: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        groups.setdefault((finding.group, finding.place.file), []).append(finding)
    return list(groups.values())


def _shows(excerpt: Excerpt, place: Place) -> bool:
    return excerpt.file == place.file and any(
        mark.line == place.line and mark.column == place.column for mark in excerpt.marks
    )


def _addresses(finding: Finding) -> str:
    shown = ", ".join(finding.addresses[:MAX_ADDRESSES])
    more = len(finding.addresses) - MAX_ADDRESSES
    return shown if more <= 0 else f"{shown} and {more} more"
