"""The base of rules about actions that a statement allows on resources of any name."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from msgspec import Struct
from msgspec.structs import replace

from iam_preflight.findings import Confidence, Persona
from iam_preflight.graph.model import Origin
from iam_preflight.graph.wide import formats, is_told_by_tag, used, where, widest
from iam_preflight.rules import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.findings import Finding, Severity
    from iam_preflight.graph.exposure import Exposure
    from iam_preflight.graph.model import Graph, Policy
    from iam_preflight.knowledge.actionset import ActionSet


class Wide(Struct, frozen=True):
    """The actions of an exposure that are worth telling, and how bad they are."""

    actions: ActionSet
    severity: Severity
    persona: Persona = Persona.REGULAR
    confidence: Confidence = Confidence.HIGH
    limit: str = ""
    """What limits them all the same, as a clause."""
    cure: str = ""
    """What to do where the resources cannot be named, as a clause."""


class AnyResourceRule(Rule, abstract=True):
    """At most one finding for each exposure: who may use what on which wildcard.

    What AWS manages cannot be edited, and has rules of its own.
    """

    points_at_actions: ClassVar[bool]
    """Whether the actions are the element to edit, and not the resource."""

    def wide(self, exposure: Exposure) -> Wide | None:
        """What to tell of an exposure by its actions alone; None where there is nothing."""
        raise NotImplementedError

    def weighed(self, wide: Wide, exposure: Exposure) -> Wide:
        """The same as bad as the holders' limits leave it, and as sure as the actions are."""
        severity = exposure.severity(wide.severity, wide.actions)
        return replace(wide, severity=severity, confidence=exposure.confidence(wide.actions))

    def check_policy(self, policy: Policy, graph: Graph) -> Iterator[Finding]:
        if policy.origin is Origin.AWS_MANAGED:
            return
        for exposure in graph.exposures.of(policy):
            wide = self.wide(exposure)
            if wide is not None:
                yield self._told(exposure, self.weighed(wide, exposure))

    def _told(self, exposure: Exposure, wide: Wide) -> Finding:
        resource = widest(exposure, wide.actions)
        patterns = exposure.opening.action_patterns(wide.actions)
        places = [
            (exposure.action_place(patterns), "may do this"),
            (exposure.resource_place(resource), "on these"),
        ]
        (place, label), beside = places if self.points_at_actions else reversed(places)
        named = formats(wide.actions, resource, exposure.catalog)
        cure = wide.cure
        if not cure and is_told_by_tag(wide.actions, resource, exposure.catalog):
            cure = ", or require a tag with aws:ResourceTag"
        may = f"may use {used(exposure, wide.actions)} on {where(resource)}"
        return self.finding(
            f"{exposure.who} {may}{wide.limit}",
            on=exposure.policy,
            at=place,
            label=label,
            severity=wide.severity,
            confidence=wide.confidence,
            persona=wide.persona,
            related=[beside, *exposure.related()],
            hint=f"name the resources, like {named}{cure}",
            causes=(exposure.statement.span, place),
            assumptions=exposure.assumptions(next(iter(patterns), None), resource),
            principal=exposure.holder,
        )
