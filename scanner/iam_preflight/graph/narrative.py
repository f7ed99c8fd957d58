"""Escalations told to people: which one to tell, where it starts, what follows from what."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.findings import Confidence, Place, Severity
from iam_preflight.graph.model import Origin
from iam_preflight.graph.standing import Standing
from iam_preflight.policy.match import as_glob, overlaps
from iam_preflight.policy.truth import Truth

if TYPE_CHECKING:
    from collections.abc import Iterable

    from iam_preflight.graph.escalation import Escalation
    from iam_preflight.graph.model import Graph, Principal


def worst(escalations: Iterable[Escalation], graph: Graph) -> list[Escalation]:
    """Escalations by what they are worth telling: to administrator first, surest, simplest."""

    def key(one: Escalation) -> tuple[bool, int, int, str, str]:
        target = one.target.address if one.target is not None else ""
        ends_as_admin = graph.powers.makes_admin(one)
        return (not ends_as_admin, -one.confidence, len(one.uses), one.method.id, target)

    return sorted(escalations, key=key)


def severity_of(escalation: Escalation, graph: Graph) -> Severity:
    """Critical where it ends with an administrator, high for any other gain.

    One step milder with MFA, and where conditions restrict when or where it may be used.
    """
    severity = Severity.HIGH
    target = escalation.target
    if graph.powers.makes_admin(escalation) or (
        target is not None and is_production(target, graph)
    ):
        severity = Severity.CRITICAL
    if escalation.method.is_closed or escalation.is_guarded:
        severity = severity.lowered()
    return severity


def is_production(principal: Principal, graph: Graph) -> bool:
    """Whether it belongs to the most protected environment."""
    names = list(graph.settings.environments)
    return bool(names) and principal.environment == names[-1]


def passes_by_name(escalation: Escalation) -> bool:
    """Whether the role that is passed may be passed by its own name, and by no wildcard."""
    target = escalation.target
    reasons = [u.reason for u in escalation.uses if u.permission.action == "iam:PassRole"]
    if target is None or not reasons:
        return False
    statements = [reason.statement for reason in reasons if reason is not None]
    return all(
        not statement.is_not_resource
        and not any(
            any(mark in as_glob(pattern, "") for mark in "*?")
            for pattern in statement.resources
            if overlaps(pattern, target.arn) is not Truth.NO
        )
        for statement in statements
    )


def start_of(escalation: Escalation) -> Place:
    """The element to put the caret under: the permission that opens the way."""
    places = escalation.places
    if not places:
        return Place(escalation.actor.resource.header, "the principal")
    for use, place in zip(escalation.uses, places, strict=False):
        if use.permission.action == "iam:PassRole":
            return place
    return places[0]


def story_of(escalation: Escalation, graph: Graph) -> tuple[Place, ...]:
    """What else there is to see: the other permissions, the target, why that is worth having."""
    first = start_of(escalation)
    told = [place for place in escalation.places if place != first]
    target = escalation.target
    if escalation.through is not None:
        workload = escalation.through
        told.append(Place(workload.place, f"runs as {workload.role.label}"))
    if target is not None:
        told.append(
            Place(target.resource.header, f"{target.label} is {standing_text(target, graph)}")
        )
        evidence = evidence_of(target, graph)
        if evidence is not None:
            told.append(evidence)
    return tuple(dict.fromkeys(told))


def standing_text(principal: Principal, graph: Graph) -> str:
    standing = graph.standing(principal)
    return "the target" if standing is Standing.ORDINARY else standing.describe()


def standing_note(principal: Principal, graph: Graph) -> str:
    """The same after a name, in brackets; nothing where it is not worth telling."""
    standing = graph.standing(principal)
    return "" if standing is Standing.ORDINARY else f" ({standing.describe()})"


def evidence_of(principal: Principal, graph: Graph) -> Place | None:
    """The statement or attachment that makes a principal what it is."""
    effective = graph.effective(principal)
    documents = [grant.document for grant in effective.administration.grants]
    if not documents:
        for escalation in worst(graph.powers.of_self(principal), graph):
            return start_of(escalation)
        return None
    for attachment in principal.held():
        if attachment.policy.document is documents[0]:
            if attachment.policy.origin is Origin.AWS_MANAGED:
                return Place(attachment.place, f"holds {attachment.policy.name}")
            statement = effective.administration.grants[0].statement
            return Place(statement.span, "gives it everything")
    return None


def others(escalations: list[Escalation]) -> str:
    """`, and in 3 other ways`, for what is not told in full."""
    methods = {one.method.id for one in escalations[1:]} - {escalations[0].method.id}
    if not methods:
        return ""
    return f", and in {len(methods)} other way{'' if len(methods) == 1 else 's'}"


def sure(escalations: Iterable[Escalation]) -> list[Escalation]:
    """Those that do not hang on something unknown; all, where there are no others."""
    listed = list(escalations)
    return [one for one in listed if one.confidence is not Confidence.LOW] or listed
