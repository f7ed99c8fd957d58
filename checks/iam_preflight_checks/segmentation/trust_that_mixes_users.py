from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.findings import Confidence, Finding, Framework, Severity
from iam_preflight.graph.exposure import is_exempt
from iam_preflight.graph.parties import PartyKind, parties_of
from iam_preflight.graph.sharing import is_basic
from iam_preflight.rules import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.model import Graph, Principal
    from iam_preflight.graph.parties import Party

MANY = 3
"""So many services are a mix, whatever they do."""


class TrustThatMixesUsers(Rule):
    """One role serves people and services, or services that have nothing to do with each other.

    ## What it checks
    Trust policies that let in, side by side, a service and people, other roles or an identity
    provider; or services that do different kinds of work (compute, data, delivery, events); or
    three services and more. Services that AWS's own pages let share a role (Lambda and
    Lambda@Edge, EC2 and Systems Manager, Step Functions and EventBridge, CodePipeline and
    CodeBuild, SageMaker and what it works with, …) count as one, a role's trust in itself does
    not count, and neither does the pair of Pod Identity and the cluster's identity provider.
    A role that may do nothing sensitive is low where only services share it, and one that may
    only write logs and traces is left alone.

    ## Why it matters
    Each of them gets what any of them needs, and the audit trail cannot tell a person from a
    machine.

    ## How to fix
    One role for each of them, with its own permissions.

    ## Example
    ```json
    {
      "Effect": "Allow",
      "Action": "sts:AssumeRole",
      "Principal": { "Service": "lambda.amazonaws.com" }
    }
    ```
    """

    id = "SEG-005"
    name = "trust-that-mixes-users"
    severity = Severity.MEDIUM
    practice = 3
    yields_to = ("SEG-007",)
    compliance = {
        Framework.NIST: ("AC-5", "AC-6"),
        Framework.ISO: ("A.5.3",),
        Framework.WELL_ARCHITECTED: ("SEC03-BP01", "SEC03-BP02"),
    }
    references = (
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_create_for-service.html",
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html",
    )

    def check_principal(self, principal: Principal, graph: Graph) -> Iterator[Finding]:
        if principal.trust is None or is_exempt(principal, graph.settings):
            return
        parties = parties_of(principal, graph)
        services = [party for party in parties if party.kind is PartyKind.SERVICES]
        others = [party for party in parties if party.kind is not PartyKind.SERVICES]
        if not services or not (others or _differ(services)):
            return
        if not others and is_basic(principal, graph):
            return
        is_privileged = graph.standing(principal).is_privileged
        odd = others[0] if others else services[-1]
        rest = [party for party in parties if party is not odd]
        named = ", ".join(party.label for party in rest)
        yield self.finding(
            f"{principal.label} is for {named} and for {odd.label} alike",
            on=principal,
            at=odd.place,
            severity=Severity.MEDIUM if others or is_privileged else Severity.LOW,
            confidence=Confidence.HIGH if principal.name.is_known else Confidence.MEDIUM,
            related=[
                *((party.place, f"also for {party.label}") for party in rest),
                (principal.resource.header, "the role"),
            ],
            hint="give each of them a role of its own",
            evidence=principal.label,
        )


def _differ(services: list[Party]) -> bool:
    """Whether groups of services have nothing to do with each other."""
    kinds = {party.work for party in services if party.work}
    return len(kinds) > 1 or len(services) >= MANY
