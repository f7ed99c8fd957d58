from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.findings import Finding, Framework, Persona, Severity
from iam_preflight.knowledge.escalation import MethodKind, escalation_methods
from iam_preflight.policy.scope import Strength
from iam_preflight.rules import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.exposure import Exposure
    from iam_preflight.graph.model import Graph, Policy

PASS = "iam:PassRole"  # noqa: S105
LINK = "iam:CreateServiceLinkedRole"
MANY = 3


class PassRoleToAnyRole(Rule):
    """Any role may be passed to a service.

    ## What it checks
    An Allow of `iam:PassRole`, by name or by a wildcard, on `*` or on a pattern that leaves the
    role's name open (`arn:aws:iam::111122223333:role/*`), without a condition that limits it.
    With `iam:PassedToService` but any role it is medium: the service is fixed, the privileges
    are not. A fixed path or prefix (`role/app/*`) is left alone.

    With the persona *pedantic*: `iam:CreateServiceLinkedRole` on everything without
    `iam:AWSServiceName`.

    Whether the code holds a role that is worth passing is the business of ESC-003.

    ## Why it matters
    Whoever passes an administrator role to a function, an instance or a build that it controls
    is an administrator. Every role that is added later is within reach at once.

    ## How to fix
    Name the roles that may be passed and add the condition `iam:PassedToService` with the
    services that get them.

    ## Example
    ```hcl
    statement {
      actions   = ["iam:PassRole"]
      resources = [aws_iam_role.task.arn]

      condition {
        test     = "StringEquals"
        variable = "iam:PassedToService"
        values   = ["ecs-tasks.amazonaws.com"]
      }
    }
    ```
    """

    id = "WILD-003"
    name = "pass-role-to-any-role"
    severity = Severity.HIGH
    practice = 8
    yields_to = ("LEAST-001", "LEAST-003", "LEAST-005", "LEAST-006", "ESC-001", "ESC-003")
    compliance = {
        Framework.NIST: ("AC-6", "AC-6(1)"),
        Framework.ISO: ("A.8.2",),
        Framework.WELL_ARCHITECTED: ("SEC03-BP02",),
    }
    equivalents = {
        "kics": ("e39bee8c-fe54-4a3f-824d-e5e2d1cca40a",),
        "cfn_nag": ("F38", "F39", "F40"),
        "cfn-guard": (
            "IAM_POLICYDOCUMENT_NO_WILDCARD_RESOURCE_ON_PASSROLE",
            "IAM_MANAGEDPOLICY_NO_WILDCARD_RESOURCE_ON_PASSROLE",
        ),
        "trivy": ("AWS-0342",),
        "access-analyzer": ("PASS_ROLE_WITH_STAR_IN_RESOURCE", "CREATE_SLR_WITH_STAR_IN_RESOURCE"),
    }
    references = (
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html",
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_iam-condition-keys.html",
    )

    def check_policy(self, policy: Policy, graph: Graph) -> Iterator[Finding]:
        for exposure in graph.exposures.of(policy):
            if PASS in exposure.opening.broad:
                yield from self._passing(exposure)
            elif LINK in exposure.opening.open:
                yield self._linking(exposure)

    def _passing(self, exposure: Exposure) -> Iterator[Finding]:
        opening = exposure.opening
        judgements = list(opening.judgements(PASS))
        if any(judgement.strength is Strength.NEVER for judgement in judgements):
            return
        scopes = [j.condition for j in judgements if j.strength is Strength.SCOPE]
        services = [c for c in scopes if c.key_name == "iam:passedtoservice"]
        if len(services) < len(scopes):
            return
        named = [value.text for condition in services for value in condition.values]
        action = opening.action_pattern(PASS)
        resource = opening.resource_pattern(opening.catalog.action(PASS))
        only = opening.catalog.expand(PASS)
        base = Severity.MEDIUM if services else Severity.HIGH
        place = exposure.action_place([action] if action is not None else [])
        to = " or ".join(named) if 0 < len(named) <= MANY else "some services"
        hint = "name the roles that may be passed"
        if not services:
            hint += f" and add the condition iam:PassedToService = {_services(exposure)}"
        yield self.finding(
            f"{exposure.who} may pass any role to {to if services else 'any service'}",
            on=exposure.policy,
            at=place,
            label="may pass any role",
            severity=exposure.severity(base, only),
            confidence=exposure.confidence_in(PASS),
            related=[(exposure.resource_place(resource), "on these roles"), *exposure.related()],
            hint=hint,
            causes=(exposure.statement.span, place),
            assumptions=exposure.assumptions(action, resource),
            principal=exposure.holder,
        )

    def _linking(self, exposure: Exposure) -> Finding:
        opening = exposure.opening
        action = opening.action_pattern(LINK)
        only = opening.catalog.expand(LINK)
        place = exposure.action_place([action] if action is not None else [])
        return self.finding(
            f"{exposure.who} may create the service-linked role of any service",
            on=exposure.policy,
            at=place,
            severity=min(exposure.severity(Severity.LOW, only), Severity.LOW),
            confidence=exposure.confidence(only),
            persona=Persona.PEDANTIC,
            related=exposure.related(),
            hint="add the condition iam:AWSServiceName with the services that need one",
            causes=(place,),
            assumptions=exposure.assumptions(action),
            principal=exposure.holder,
        )


def _services(exposure: Exposure) -> str:
    """The services that the same document can start something on, as an example."""
    effective = exposure.graph.permissions.of_document(exposure.policy.document)
    found: dict[str, None] = {}
    for method in escalation_methods():
        if method.kind is not MethodKind.NEW_PASS:
            continue
        others = [action for action in method.actions if action != PASS]
        if others and all(action in effective.possible for action in others):
            found.update(dict.fromkeys(method.trust_services[:1]))
    names = [name for name in found if name]
    return " or ".join(names) if 0 < len(names) <= MANY else "the services that get them"
