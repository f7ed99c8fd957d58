"""The base of rules about ways in which a principal gains privileges."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.findings import Confidence, Place, Severity
from iam_preflight.graph.model import PrincipalKind
from iam_preflight.graph.narrative import others, start_of, story_of, worst
from iam_preflight.rules import Rule

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from iam_preflight.findings import Finding, Persona
    from iam_preflight.graph.escalation import Escalation
    from iam_preflight.graph.model import Graph, Principal


class EscalationRule(Rule, abstract=True):
    """At most one finding for each principal: the worst way, and how many others there are."""

    def gain(
        self,
        found: list[Escalation],
        may: str,
        graph: Graph,
        *,
        hint: str,
        severity: Severity | None = None,
        confidence: Confidence | None = None,
        persona: Persona | None = None,
        related: Iterable[Place] | None = None,
    ) -> Finding:
        """A finding about some ways of one principal, worst first.

        `may` is the clause after the principal's name. What else there is to see is the story of
        the worst way, unless `related` is given.
        """
        best = found[0]
        start = start_of(best)
        places = story_of(best, graph) if related is None else related
        return self.finding(
            f"{_who(best.actor)} {may}{others(found)}",
            on=best.actor,
            at=start.span,
            label=start.label,
            severity=severity,
            confidence=best.confidence if confidence is None else confidence,
            persona=persona,
            related=[(place.span, place.label) for place in places],
            hint=hint,
            evidence=best.method.id,
            causes=best.statements,
            assumptions=best.assumptions,
        )

    def potential(
        self, permitted: Iterable[Escalation], may: str, graph: Graph, *, hint: str
    ) -> Iterator[Finding]:
        """Medium where a permission covers any target, and the code holds none to gain by."""
        found = worst(permitted, graph)[:1]
        if found:
            yield self.gain(
                found,
                f"{may} with {found[0].actions}",
                graph,
                hint=hint,
                severity=Severity.MEDIUM,
                confidence=Confidence.MEDIUM,
                related=[itself(found[0].actor)],
            )


def itself(principal: Principal) -> Place:
    """Where the principal is written that a finding is about."""
    return Place(principal.resource.header, "the principal")


def _who(actor: Principal) -> str:
    # a group does nothing itself
    is_group = actor.kind is PrincipalKind.GROUP
    return f"whoever is in {actor.label}" if is_group else actor.label
