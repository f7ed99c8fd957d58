"""What reports say, as data: the one thing that every reporter gets.

It holds no file, rule or graph object, so it survives being written as JSON and read back: what
posts a comment for a fork's pull request reads our JSON and renders the same report. Text in it
comes from the scanned repository: each reporter escapes it for its own format.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

VERSION = 1
"""Changes when a field changes its meaning or goes away; new fields do not change it."""

SeverityName = Literal["info", "low", "medium", "high", "critical"]
ConfidenceName = Literal["low", "medium", "high"]
PersonaName = Literal["regular", "pedantic", "auditor"]
OutcomeName = Literal["shown", "suppressed", "baseline", "unchanged", "hidden"]
MarkKind = Literal["primary", "related", "step"]
VerdictName = Literal["clean", "findings", "nothing-to-scan", "not-analysed"]

SEVERITIES: tuple[SeverityName, ...] = ("critical", "high", "medium", "low", "info")
"""Worst first."""


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A part of the report."""


class Place(Part, frozen=True):
    """Somewhere in a file. Lines and columns count from 1, columns in Unicode characters."""

    file: str
    line: int
    column: int
    end_line: int
    end_column: int
    """Just past the last character."""
    label: str = ""
    """What there is to see."""


class Line(Part, frozen=True, omit_defaults=True):
    """A line of source."""

    number: int
    text: str
    """Without its ending; of a very long line, what surrounds the places on it."""
    start: int = 1
    """The column of the first character of `text`."""


class Mark(Part, frozen=True, omit_defaults=True):
    """What to underline in an excerpt: columns of one line, and what to say about them."""

    line: int
    column: int
    end_column: int
    label: str = ""
    kind: MarkKind = "primary"


class Excerpt(Part, frozen=True):
    """Some lines of a file with the places in them."""

    file: str
    lines: tuple[Line, ...]
    marks: tuple[Mark, ...]


class Finding(Part, frozen=True):
    """One finding and what was decided about it."""

    rule: str
    severity: SeverityName
    confidence: ConfidenceName
    message: str
    """What is granted to whom."""
    address: str
    """The resource, as Terraform or CloudFormation writes it."""
    addresses: tuple[str, ...]
    """Every instance that it holds for."""
    type: str
    """The resource's type: `aws_iam_role`, `AWS::IAM::Role`."""
    root: str
    """What it is deployed with: the folder of the root module, or the template."""
    place: Place
    """The offending element."""
    fingerprint: str
    """Stays the same when lines move; unique in a report."""
    outcome: OutcomeName = "shown"
    reason: str = ""
    """Why it is suppressed or hidden."""
    until: str = ""
    """The last day on which the ignore counts."""
    persona: PersonaName = "regular"
    also: tuple[str, ...] = ()
    """Other rules that the same cause breaks."""
    principal: str = ""
    """The address of the principal that it is about."""
    environment: str = ""
    group: str = ""
    """The same for findings with one cause: its file and line."""
    hint: str = ""
    """The smallest edit that cures it."""
    fix: str = ""
    """What `--fix` would do."""
    assumptions: tuple[str, ...] = ()
    """What has to hold for it to be true."""
    related: tuple[Place, ...] = ()
    steps: tuple[Place, ...] = ()
    """The hops of a path, in order."""
    excerpts: tuple[Excerpt, ...] = ()
    """The source, the primary place first."""


class Problem(Part, frozen=True):
    """Something that could not be analysed, or is wrong beside the code."""

    code: str
    message: str
    file: str
    fails: bool = False
    """Whether the scan cannot vouch for the code because of it."""
    line: int = 0
    column: int = 0
    end_line: int = 0
    end_column: int = 0


class Unresolved(Part, frozen=True):
    """A reason why policies are not resolved in full, and how many wait for it."""

    reason: str
    policies: int


class Switch(Part, frozen=True):
    """A default value that keeps blocks from making anything (`count` or `for_each` is empty)."""

    name: str
    """`var.create_user`, or several of them that do so together."""
    root: str
    """The root module that it is a variable of."""
    blocks: int


class Coverage(Part, frozen=True):
    """How many policies could be worked out, and what is there only when somebody asks for it."""

    principals: int
    policies: int
    full: int
    partly: int
    none: int
    unresolved: tuple[Unresolved, ...] = ()
    switched_off: int = 0
    """Blocks that no value of the scan makes anything of: nobody judged them."""
    switches: tuple[Switch, ...] = ()
    """What switches them off, most blocks first."""

    @property
    def not_judged(self) -> str:
        """What defaults keep from being judged, in a sentence; empty where there is no such."""
        if not self.switches:
            return ""
        most, count = self.switches[0], self.switched_off
        where = "" if most.root in ("", ".") else f" in {most.root}"
        blocks = "1 block is" if count == 1 else f"{count} blocks are"
        return (
            f"{blocks} switched off by default values (count or for_each is empty, most: "
            f"{most.name}{where}): give --var to judge {'it' if count == 1 else 'them'}"
        )


class Rule(Part, frozen=True):
    """A rule that ran."""

    id: str
    name: str
    title: str
    severity: SeverityName
    practice: int
    """Which of the practices it guards: see `practices`."""
    page: str = ""
    """Its page in Markdown; only where there is a finding of it."""
    compliance: dict[str, tuple[str, ...]] = {}
    """Controls by framework."""
    equivalents: dict[str, tuple[str, ...]] = {}
    """Ids of the same check in other tools."""
    references: tuple[str, ...] = ()


class Counts(Part, frozen=True):
    """How many findings are shown, by severity, and what became of the others."""

    critical: int = 0
    high: int = 0
    medium: int = 0
    low: int = 0
    info: int = 0
    suppressed: int = 0
    baseline: int = 0
    unchanged: int = 0
    hidden: int = 0
    fixed: int = 0

    @property
    def shown(self) -> int:
        return self.critical + self.high + self.medium + self.low + self.info


class Tool(Part, frozen=True):
    """Who made the report."""

    version: str
    name: str = "iam-preflight"
    data: str = ""
    """The day that the AWS service reference is of."""


class Access(Part, frozen=True):
    """Something that is allowed now and was not before."""

    address: str
    subject: str
    message: str
    action: str
    resource: str
    place: Place
    caller: str = ""
    given: tuple[str, ...] = ()
    sure: bool = True


class Escalation(Part, frozen=True):
    """A principal that can become an administrator now and could not before."""

    address: str
    message: str
    place: Place
    steps: tuple[Place, ...] = ()


class Trust(Part, frozen=True):
    """Somebody who may assume a role now and could not before."""

    address: str
    who: str
    kind: str
    message: str
    place: Place


class AddedIgnore(Part, frozen=True):
    """An ignore that the change adds."""

    rules: tuple[str, ...]
    reason: str
    place: Place
    until: str = ""


class Change(Part, frozen=True):
    """How the head differs from the base. New findings are those whose outcome is `shown`."""

    base: str
    head: str
    fixed: tuple[Finding, ...] = ()
    access: tuple[Access, ...] = ()
    paths: tuple[Escalation, ...] = ()
    trust: tuple[Trust, ...] = ()
    ignores: tuple[AddedIgnore, ...] = ()
    other_settings: bool = False
    """The settings differ: findings may have come or gone by that alone."""


class Report(Part, frozen=True, omit_defaults=True):
    """A scan, or the comparison of two."""

    version: int
    tool: Tool
    verdict: VerdictName
    fail_on: str
    """The severity from which on findings make the scan fail, or `never`."""
    counts: Counts
    coverage: Coverage
    files: int
    """Files that held infrastructure code."""
    findings: tuple[Finding, ...]
    """Worst first."""
    problems: tuple[Problem, ...]
    rules: tuple[Rule, ...]
    """The rules that ran."""
    practices: dict[str, str]
    """Titles of the practices by number."""
    change: Change | None = None
    root: str = ""
    """The scanned folder. Never written to a file: reports do not tell where they were made."""
    seconds: float = 0
    """How long it took; only for people."""
    graph: dict[str, Any] | None = None
    """The graph's picture, for the HTML page only."""

    @property
    def shown(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.outcome == "shown")

    def with_outcome(self, outcome: OutcomeName) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.outcome == outcome)

    def rule(self, rule_id: str) -> Rule | None:
        return next((rule for rule in self.rules if rule.id == rule_id), None)


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """How a report is to be written, for the formats that leave a choice."""

    show_suppressed: bool = False
    group_by: Literal["cause", "practice", "framework"] = "cause"
    color: bool = False
    width: int = 100
    """Columns of the terminal."""
    here: str = ""
    """The folder that shown paths start from; empty: the scan's root."""
    shows_time: bool = False
    """For whoever waits at a terminal; a report that is kept has the same bytes each time."""
