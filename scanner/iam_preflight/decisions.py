"""What becomes of each finding: shown, merged into another, ignored, known, hidden.

One place decides, so that every report and the exit code agree. In order:

1. severity, by the settings: per rule, then per environment;
2. the outcome of every instance by itself, so that an ignore at one module call does not hide
   the others: ignored in the code, known (baseline, or the base of a change), hidden by persona;
3. instances of one place are merged where they share an outcome;
4. a finding that another one on the same cause speaks for is folded into that under `also`.
   Folding comes last, so that ignoring the stronger finding does not bring the weaker one up.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct, field
from msgspec.structs import replace

from iam_preflight.faults import KeptTo
from iam_preflight.findings import Confidence, Finding, Persona, Severity

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterable, Sequence

    from iam_preflight.baseline import Known
    from iam_preflight.comments import Ignore
    from iam_preflight.errors import Problem
    from iam_preflight.registry import Registry
    from iam_preflight.rules import Rule
    from iam_preflight.settings import Settings


class Outcome(Enum):
    SHOWN = "shown"
    SUPPRESSED = "suppressed"
    BASELINE = "baseline"
    UNCHANGED = "unchanged"
    """The base of the change has it too."""
    HIDDEN = "hidden"
    """Below the confidence or beyond the persona that was asked for."""


class Decided(Struct, frozen=True):
    finding: Finding
    outcome: Outcome = Outcome.SHOWN
    reason: str = ""
    ignore: Ignore | None = None
    """The ignore in the code that suppresses it."""
    instances: tuple[Finding, ...] = ()
    """The findings that were merged into this one, itself among them."""
    folded: tuple[Finding, ...] = ()
    """What it speaks for."""

    @property
    def is_shown(self) -> bool:
        return self.outcome is Outcome.SHOWN

    @property
    def until(self) -> dt.date | None:
        return self.ignore.until if self.ignore is not None else None


class Ignores(Protocol):
    """Who knows the ignores in the code."""

    def find(self, finding: Finding) -> Ignore | None: ...


class Grounds(Struct, frozen=True):
    """What is decided upon, beside the findings."""

    settings: Settings
    registry: Registry
    ignores: Ignores | None = None
    known: Known | None = None
    known_as: Outcome = Outcome.BASELINE
    environments: Callable[[Finding], Environments] | None = None
    faults: list[Problem] = field(default_factory=list)
    """The findings that we failed to decide about: they are shown as the rules gave them."""


class Environments(Struct, frozen=True):
    """Where a finding is, and the most protected environment that a path of it leads to."""

    own: str | None
    reached: str | None = None


def decide(findings: Iterable[Finding], grounds: Grounds) -> list[Decided]:
    """Every finding that is left after merging and folding, worst first."""
    adjusted = list(findings)
    for i, finding in enumerate(adjusted):
        with _kept_to(finding, grounds):
            adjusted[i] = _with_severity(finding, grounds)
    adjusted.sort(key=Finding.sort_key)
    decided = [Decided(finding, instances=(finding,)) for finding in adjusted]
    for i, finding in enumerate(adjusted):
        with _kept_to(finding, grounds):
            decided[i] = _decide(finding, grounds)
    folded = _fold(_merge_instances(decided), grounds.registry)
    folded.sort(key=lambda one: one.finding.sort_key())
    return folded


def _kept_to(finding: Finding, grounds: Grounds) -> KeptTo:
    what = f"{finding.rule} is shown and not decided about"
    return KeptTo(finding.primary.span, grounds.faults, what)


def _with_severity(finding: Finding, grounds: Grounds) -> Finding:
    settings = grounds.settings
    name = settings.severities.get(finding.rule)
    severity = finding.severity if name is None else Severity[name.upper()]
    if settings.lower_in and grounds.environments is not None:
        where = grounds.environments(finding)
        order = list(settings.environments)
        is_gain = where.own in order and where.reached in order
        if not (is_gain and order.index(str(where.reached)) > order.index(str(where.own))):
            severity = severity.lowered(settings.lower_in.get(where.own or "", 0))
    return finding if severity is finding.severity else replace(finding, severity=severity)


def _decide(finding: Finding, grounds: Grounds) -> Decided:
    only = (finding,)
    ignore = grounds.ignores.find(finding) if grounds.ignores is not None else None
    if ignore is not None:
        return Decided(finding, Outcome.SUPPRESSED, ignore.reason, ignore, only)
    persona = Persona[grounds.settings.persona.upper()]
    if persona is not Persona.AUDITOR and finding.confidence is Confidence.LOW:
        reason = "low confidence: shown with --persona auditor"
        return Decided(finding, Outcome.HIDDEN, reason, instances=only)
    if finding.persona > persona:
        reason = f"shown with --persona {finding.persona}"
        return Decided(finding, Outcome.HIDDEN, reason, instances=only)
    if grounds.known is not None and grounds.known.take(finding):
        return Decided(finding, grounds.known_as, instances=only)
    return Decided(finding, instances=only)


def _merge_instances(decided: list[Decided]) -> list[Decided]:
    """The same flaw at the same place in several instances is one finding with all addresses."""
    merged: dict[tuple[object, ...], Decided] = {}
    flaws: dict[tuple[object, ...], list[str]] = {}
    for one in decided:
        finding = one.finding
        key = (
            one.outcome,
            one.reason,
            finding.rule,
            id(finding.primary.span.source),
            finding.primary.span.start,
            finding.primary.span.end,
            finding.resource.span.start,
            *_flaw(finding),
        )
        if finding.principal == "":
            # messages name the instance, so that they only tell the flaws of one instance apart
            told = flaws.setdefault((key, finding.resource.deployment, finding.address), [])
            if finding.message not in told:
                told.append(finding.message)
            key = (*key, told.index(finding.message))
        held = merged.get(key)
        merged[key] = one if held is None else _joined(held, one)
    return list(merged.values())


def _flaw(finding: Finding) -> tuple[object, ...]:
    """What is wrong, without the names of whom it is wrong of: a principal has one flaw a place."""
    if finding.principal:
        return ()
    return (finding.evidence, *((id(span.source), span.start) for span in finding.causes))


def _joined(held: Decided, other: Decided) -> Decided:
    left, right = held.finding, other.finding
    worst = max(left, right, key=lambda one: (one.severity, one.confidence))
    finding = replace(
        worst,
        addresses=tuple(dict.fromkeys((*left.addresses, *right.addresses))),
        related=tuple(dict.fromkeys((*left.related, *right.related)))[:8],
    )
    return replace(held, finding=finding, instances=(*held.instances, *other.instances))


_FOLDS_INTO = {
    Outcome.SHOWN: (Outcome.SHOWN, Outcome.SUPPRESSED, Outcome.BASELINE, Outcome.UNCHANGED),
    Outcome.SUPPRESSED: (Outcome.SUPPRESSED,),
    Outcome.BASELINE: (Outcome.BASELINE,),
    Outcome.UNCHANGED: (Outcome.UNCHANGED,),
    Outcome.HIDDEN: (Outcome.HIDDEN, Outcome.SHOWN),
}
"""What may speak for a finding of each outcome, the best first."""


def _fold(decided: list[Decided], registry: Registry) -> list[Decided]:
    """Takes out findings whose cause a stronger rule reports, naming them there under `also`."""
    target = _folding(decided, registry)
    folded: dict[int, list[Decided]] = {}
    for i in target:
        folded.setdefault(_end(i, target), []).append(decided[i])
    return [
        _with_folded(one, folded.get(i, ())) for i, one in enumerate(decided) if i not in target
    ]


def _folding(decided: list[Decided], registry: Registry) -> dict[int, int]:
    """Which finding is folded into which, by their indexes."""
    yields = {rule.id: _stronger(rule) for rule in registry}
    by_cause: dict[tuple[int, int], list[int]] = {}
    for i, one in enumerate(decided):
        for span in one.finding.causes:
            by_cause.setdefault((id(span.source), span.start), []).append(i)
    target: dict[int, int] = {}
    for i, one in enumerate(decided):
        stronger = yields.get(one.finding.rule)
        if not stronger:
            continue
        allowed = _FOLDS_INTO[one.outcome]
        others = (
            j
            for span in one.finding.causes
            for j in by_cause[(id(span.source), span.start)]
            # two rules that yield to each other must not make both vanish
            if _speaks_for(decided[j], one, stronger) and _end(j, target) != i
        )
        best = min(others, key=lambda j: (allowed.index(decided[j].outcome), j), default=None)
        if best is not None:
            target[i] = best
    return target


def _end(i: int, target: dict[int, int]) -> int:
    while i in target:
        i = target[i]
    return i


def _stronger(rule: Rule) -> dict[str, int]:
    """The rules that may speak for one, with how many steps graver they have to be."""
    return dict.fromkeys(rule.yields_when_milder_to, 1) | dict.fromkeys(rule.yields_to, 0)


def _speaks_for(other: Decided, one: Decided, stronger: dict[str, int]) -> bool:
    steps = stronger.get(other.finding.rule)
    return (
        steps is not None
        and other.outcome in _FOLDS_INTO[one.outcome]
        and other.finding.confidence >= one.finding.confidence
        and other.finding.severity >= one.finding.severity + steps
    )


def _with_folded(one: Decided, folded: Sequence[Decided]) -> Decided:
    seen = [other for other in folded if other.outcome is not Outcome.HIDDEN]
    if not seen:
        return one
    also = {*one.finding.also, *(other.finding.rule for other in seen)}
    return replace(
        one,
        finding=replace(one.finding, also=tuple(sorted(also))),
        folded=tuple(finding for other in seen for finding in other.instances),
    )
