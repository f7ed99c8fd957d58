"""The parts of the HTML page that are plain text and tables: overview, findings, problems."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from iam_preflight.reporters.escape import html, html_source
from iam_preflight.reporters.grouping import grouped
from iam_preflight.reporters.model import SEVERITIES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from iam_preflight.reporters.model import (
        Change,
        Excerpt,
        Finding,
        Line,
        Mark,
        Options,
        Place,
        Report,
    )

OPEN_FIRST = 10
"""So many findings are unfolded from the start."""


# ---------------------------------------------------------------- overview


def overview(report: Report) -> Iterator[str]:
    yield '<section id="overview"><h2>Overview</h2><div class="counts">'
    counts = report.counts
    for severity in SEVERITIES:
        yield f'<div class="count {severity}"><b>{getattr(counts, severity)}</b>{severity}</div>'
    for count, word in (
        (counts.fixed, "fixed"),
        (counts.unchanged, "unchanged"),
        (counts.suppressed, "suppressed"),
        (counts.baseline, "in the baseline"),
        (counts.hidden, "hidden"),
    ):
        if count:
            yield f'<div class="count"><b>{count}</b>{word}</div>'
    yield "</div>"
    if report.change is not None:
        yield from _change(report.change)
    yield '<h2>By practice</h2><div class="practices">'
    for number, title in report.practices.items():
        yield from _practice(report, number, title)
    yield "</div>"
    yield from _coverage(report)
    yield "</section>"


def _practice(report: Report, number: str, title: str) -> Iterator[str]:
    rules = {rule.id for rule in report.rules if str(rule.practice) == number}
    found = Counter(finding.severity for finding in report.shown if finding.rule in rules)
    total = sum(found.values())
    kind = "none" if not rules else ("ok" if not total else "found")
    yield f'<div class="practice {kind}"><h3>{html(number)}. {html(title)}</h3>'
    yield '<svg viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">'
    left = 0.0
    for severity in SEVERITIES:
        width = 100 * found[severity] / total if total else 0
        if width:
            yield (
                f'<rect class="fill-{severity}" x="{left:.2f}" y="0"'
                f' width="{width:.2f}" height="8"/>'
            )
        left += width
    yield "</svg>"
    if not rules:
        yield '<span class="soft small">no rule ran</span></div>'
        return
    listed = ", ".join(f"{found[one]} {one}" for one in SEVERITIES if found[one])
    rules_word = f"{len(rules)} rule{'' if len(rules) == 1 else 's'}"
    yield f'<span class="soft small">{rules_word}: {listed or "nothing found"}</span>'
    if total:
        yield f' <button type="button" class="link" data-show-practice="{html(number)}">'
        yield "show</button>"
    yield "</div>"


def _coverage(report: Report) -> Iterator[str]:
    unresolved, switches = report.coverage.unresolved, report.coverage.switches
    if switches:
        yield f'<p class="soft">{html(report.coverage.not_judged)}</p>'
        yield "<table><tr><th>Blocks</th><th>Left at its default</th><th>Where</th></tr>"
        for switch in switches[:20]:
            yield f"<tr><td>{switch.blocks}</td><td>{html(switch.name)}</td>"
            yield f"<td>{html(switch.root)}</td></tr>"
        yield "</table>"
    if not unresolved:
        return
    yield "<h2>What could not be resolved</h2><table><tr><th>Policies</th><th>Why</th></tr>"
    for one in unresolved[:20]:
        yield f"<tr><td>{one.policies}</td><td>{html(one.reason)}</td></tr>"
    yield "</table>"


def _change(change: Change) -> Iterator[str]:
    yield f"<h2>From {html(change.base)} to {html(change.head)}</h2>"
    if change.paths:
        yield "<h3>New ways to become an administrator</h3><ul>"
        for path in change.paths:
            yield f"<li>{html(path.message)} {_where(path.place)}<ol>"
            yield from (f"<li>{html(step.label)} {_where(step)}</li>" for step in path.steps)
            yield "</ol></li>"
        yield "</ul>"
    for title, told in (("New access", change.access), ("New trust", change.trust)):
        if told:
            yield f"<h3>{title}</h3><ul>"
            for one in told:
                yield f"<li>{html(one.message)} {_where(one.place)}</li>"
            yield "</ul>"
    if change.ignores:
        yield "<h3>Ignores that the change adds</h3><ul>"
        for ignore in change.ignores:
            until = f", until {html(ignore.until)}" if ignore.until else ""
            rules = html(", ".join(ignore.rules))
            yield f"<li>{rules}: {html(ignore.reason)}{until} {_where(ignore.place)}</li>"
        yield "</ul>"
    if change.other_settings:
        yield "<p>The settings differ: findings may have come or gone by that alone.</p>"
    if change.fixed:
        yield "<h3>Fixed</h3><ul>"
        for finding in change.fixed:
            rule = html(finding.rule)
            yield f"<li>{rule} {html(finding.message)} {_where(finding.place)}</li>"
        yield "</ul>"


# ---------------------------------------------------------------- findings


def findings(report: Report, options: Options) -> Iterator[str]:
    yield '<section id="findings"><h2>Findings</h2>'
    if not report.shown:
        yield "<p>Nothing was found.</p></section>"
        return
    yield from _tools(report)
    titles = {rule.id: rule.title for rule in report.rules}
    practices = {rule.id: str(rule.practice) for rule in report.rules}
    numbers = {id(finding): index for index, finding in enumerate(report.shown)}
    told: set[int] = set()
    yield '<div id="findings-list">'
    for heading, members in grouped(report, options):
        yield f"<div data-group><h3>{html(heading)}</h3>"
        for finding in members:
            number = numbers[id(finding)]
            yield from _finding(finding, number, titles, practices, is_first=number not in told)
            told.add(number)
        yield "</div>"
    yield "</div></section>"


def _tools(report: Report) -> Iterator[str]:
    shown = report.shown
    yield '<div class="tools">'
    yield '<input type="search" id="find" placeholder="Search findings" aria-label="Search">'
    for severity in SEVERITIES:
        yield (
            f'<label><input type="checkbox" checked data-filter="severity" value="{severity}"> '
            f"{severity}</label>"
        )
    titles = {rule.id: f"{rule.id} {rule.title}" for rule in report.rules}
    rules = sorted({finding.rule for finding in shown})
    yield from _choice("by-rule", "every rule", ((one, titles.get(one, one)) for one in rules))
    by_number = ((number, f"{number}. {title}") for number, title in report.practices.items())
    yield from _choice("by-practice", "every practice", by_number)
    names = sorted({finding.environment for finding in shown if finding.environment})
    yield from _choice("by-environment", "every environment", ((name, name) for name in names))
    yield '<button type="button" id="open-all">Unfold all</button>'
    yield '<span class="soft" id="find-count" aria-live="polite"></span></div>'


def _choice(identifier: str, every: str, entries: Iterable[tuple[str, str]]) -> Iterator[str]:
    yield f'<select id="{identifier}" aria-label="{every}"><option value="">{every}</option>'
    for value, label in entries:
        yield f'<option value="{html(value)}">{html(label)}</option>'
    yield "</select>"


def _finding(
    finding: Finding,
    number: int,
    titles: dict[str, str],
    practices: dict[str, str],
    *,
    is_first: bool,
) -> Iterator[str]:
    severity = finding.severity
    anchor = f' id="finding-{number}"' if is_first else ""
    unfolded = " open" if number < OPEN_FIRST else ""
    yield (
        f'<article class="finding {severity}"{anchor} data-severity="{severity}"'
        f' data-rule="{html(finding.rule)}" data-environment="{html(finding.environment)}"'
        f' data-practice="{html(practices.get(finding.rule, ""))}"><details{unfolded}>'
    )
    yield (
        f'<summary><span class="severity {severity}">{severity}</span>'
        f"<b>{html(finding.rule)}</b><span>{html(finding.message)}</span>"
        f"{_where(finding.place)}</summary>"
    )
    yield '<div class="body">'
    if finding.rule in titles:
        yield f'<div class="soft">{html(titles[finding.rule])}</div>'
    for excerpt in finding.excerpts:
        yield from _excerpt(excerpt)
    if finding.steps:
        yield "<ol>"
        for place in finding.steps:
            yield f"<li>{html(place.label)} {_where(place)}</li>"
        yield "</ol>"
    yield from _facts(finding)
    yield "</div></details></article>"


def _facts(finding: Finding) -> Iterator[str]:
    related = "<br>".join(
        f"{html(place.label)} {_where(place)}".strip() for place in dict.fromkeys(finding.related)
    )
    addresses = "<br>".join(
        f'<span class="address">{html(address)}</span>' for address in finding.addresses[:50]
    )
    more = len(finding.addresses) - 50
    if more > 0:
        addresses += f"<br>and {more} more"
    rows = (
        ("fix", html(finding.hint)),
        ("resource", addresses),
        ("principal", html(finding.principal if finding.principal != finding.address else "")),
        ("environment", html(finding.environment)),
        ("when", html(", ".join(finding.assumptions))),
        ("see", related),
        ("also", html(", ".join(finding.also))),
        ("confidence", html(finding.confidence)),
    )
    yield "<dl>"
    for name, value in rows:
        if value:
            yield f"<dt>{name}</dt><dd>{value}</dd>"
    yield "</dl>"


def _where(place: Place) -> str:
    return f'<span class="place">{html(place.file)}:{place.line}:{place.column}</span>'


def _excerpt(excerpt: Excerpt) -> Iterator[str]:
    digits = len(str(max((line.number for line in excerpt.lines), default=1)))
    yield f'<div><div class="file small">{html(excerpt.file)}</div><pre>'
    rows = []
    before = 0
    for line in excerpt.lines:
        if before and line.number != before + 1:
            rows.append(f'<span class="number">{"⋮":>{digits}}</span>')
        before = line.number
        marks = [mark for mark in excerpt.marks if mark.line == line.number]
        labels = "  ".join(dict.fromkeys(html(mark.label) for mark in marks if mark.label))
        note = f'   <span class="note">← {labels}</span>' if labels else ""
        number = f'<span class="number">{line.number:>{digits}} </span>'
        rows.append(f"{number}{_marked(line, marks)}{note}")
    yield "\n".join(rows) + "</pre></div>"


def _marked(line: Line, marks: Sequence[Mark]) -> str:
    """The text of a line with its marks; of marks that overlap, the first counts."""
    out: list[str] = []
    at = 0
    for mark in sorted(marks, key=lambda one: (one.column, -one.end_column)):
        start = max(mark.column - line.start, 0)
        end = min(mark.end_column - line.start, len(line.text))
        if start < at or end <= start:
            continue
        out.append(html_source(line.text[at:start]))
        inner = html_source(line.text[start:end])
        out.append(f'<mark class="{mark.kind}">{inner}</mark>')
        at = end
    out.append(html_source(line.text[at:]))
    return "".join(out)


# ---------------------------------------------------------------- the rest


def suppressed(report: Report, options: Options) -> Iterator[str]:
    ignored = report.with_outcome("suppressed")
    if not ignored or not options.show_suppressed:
        return
    yield "<section><h2>Suppressed</h2><table>"
    yield "<tr><th>Rule</th><th>Place</th><th>What</th><th>Reason</th><th>Until</th></tr>"
    for finding in ignored:
        yield (
            f"<tr><td>{html(finding.rule)}</td><td>{_where(finding.place)}</td>"
            f"<td>{html(finding.message)}</td><td>{html(finding.reason)}</td>"
            f"<td>{html(finding.until)}</td></tr>"
        )
    yield "</table></section>"


def problems(report: Report) -> Iterator[str]:
    if not report.problems:
        return
    yield '<section id="problems"><h2>Not analysed</h2><table>'
    yield "<tr><th>Code</th><th>Place</th><th>What</th></tr>"
    for problem in report.problems:
        place = f"{problem.file}:{problem.line}" if problem.line else problem.file
        yield (
            f'<tr><td>{html(problem.code)}</td><td class="place">{html(place)}</td>'
            f"<td>{html(problem.message)}</td></tr>"
        )
    yield "</table></section>"
