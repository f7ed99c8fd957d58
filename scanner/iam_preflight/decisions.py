"""What becomes of each finding: shown, merged into another, ignored, hidden, known before.

One place decides, so that every report and the exit code agree.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING

from iam_preflight.findings import Confidence, Finding, Persona, Severity

if TYPE_CHECKING:
    from collections.abc import Iterable

    from iam_preflight.registry import Registry
    from iam_preflight.settings import Settings


class Outcome(Enum):
    SHOWN = "shown"
    SUPPRESSED = "suppressed"
    BASELINE = "baseline"
    HIDDEN = "hidden"
    """Below the confidence or beyond the persona that was asked for."""


@dataclass(frozen=True, slots=True)
class Decided:
    finding: Finding
    outcome: Outcome = Outcome.SHOWN
    reason: str = ""

    @property
    def is_shown(self) -> bool:
        return self.outcome is Outcome.SHOWN


def decide(findings: Iterable[Finding], registry: Registry, settings: Settings) -> list[Decided]:
    """Merges instances, folds what another finding says already, and hides by persona."""
    adjusted = [_with_settings(finding, settings) for finding in findings]
    folded = _fold(_merge_instances(adjusted), registry)
    folded.sort(key=Finding.sort_key)
    return [_decide(finding, settings) for finding in folded]


def _with_settings(finding: Finding, settings: Settings) -> Finding:
    name = settings.severities.get(finding.rule)
    return finding if name is None else replace(finding, severity=Severity[name.upper()])


def _decide(finding: Finding, settings: Settings) -> Decided:
    persona = Persona[settings.persona.upper()]
    if persona is not Persona.AUDITOR and finding.confidence is Confidence.LOW:
        return Decided(finding, Outcome.HIDDEN, "low confidence: shown with --persona auditor")
    if finding.persona > persona:
        return Decided(finding, Outcome.HIDDEN, f"shown with --persona {finding.persona}")
    return Decided(finding)


def _merge_instances(findings: list[Finding]) -> list[Finding]:
    """The same flaw at the same place in several instances is one finding with all addresses."""
    merged: dict[tuple[object, ...], Finding] = {}
    for finding in findings:
        key = (
            finding.rule,
            id(finding.primary.span.source),
            finding.primary.span.start,
            finding.primary.span.end,
            finding.resource.span.start,
            finding.message if finding.principal == "" else finding.rule,
        )
        held = merged.get(key)
        if held is None:
            merged[key] = finding
            continue
        worst = max(held, finding, key=lambda one: (one.severity, one.confidence))
        addresses = tuple(dict.fromkeys((*held.addresses, *finding.addresses)))
        related = tuple(dict.fromkeys((*held.related, *finding.related)))[:8]
        merged[key] = replace(worst, addresses=addresses, related=related)
    return list(merged.values())


def _fold(findings: list[Finding], registry: Registry) -> list[Finding]:
    """Takes out findings whose cause a stronger rule reports, naming them there under `also`."""
    yields = {rule.id: frozenset(rule.yields_to) for rule in registry}
    by_cause: dict[tuple[int, int], list[int]] = {}
    for i, finding in enumerate(findings):
        for span in finding.causes:
            by_cause.setdefault((id(span.source), span.start), []).append(i)
    target: dict[int, int] = {}
    for i, finding in enumerate(findings):
        stronger = yields.get(finding.rule, frozenset())
        if not stronger:
            continue
        for span in finding.causes:
            for j in by_cause[(id(span.source), span.start)]:
                other = findings[j]
                if other.rule in stronger and other.confidence >= finding.confidence:
                    target.setdefault(i, j)
    also: dict[int, list[str]] = {}
    for i in target:
        j = target[i]
        while j in target:
            j = target[j]
        also.setdefault(j, []).append(findings[i].rule)
    return [
        replace(finding, also=tuple(sorted({*finding.also, *also.get(i, ())})))
        for i, finding in enumerate(findings)
        if i not in target
    ]
