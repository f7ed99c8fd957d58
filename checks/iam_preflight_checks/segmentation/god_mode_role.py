from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.findings import Confidence, Finding, Framework, Severity
from iam_preflight.graph.exposure import is_exempt
from iam_preflight.graph.model import Origin, PrincipalKind
from iam_preflight.graph.narrative import evidence_of
from iam_preflight.graph.parties import parties_of
from iam_preflight.graph.standing import Standing
from iam_preflight.knowledge.platform_roles import platform_of
from iam_preflight.knowledge.services import families, runner_of
from iam_preflight.rules import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.model import Graph, Principal
    from iam_preflight.source import Span


class GodModeRole(Rule):
    """A role is an administrator for everybody and everything.

    ## What it checks
    Roles and permission sets that end up as administrators, all policies, boundaries and
    control policies told, and that the settings do not name under `admin_roles` or
    `break_glass_roles`.

    It speaks for itself where such a role is shared: by workloads of several kinds, or by
    several of services, people, identity providers and accounts. Where only one of them has it,
    the policy that makes it an administrator is the flaw, and the finding about that policy
    (LEAST-001, LEAST-002, LEAST-007) names this rule under `also`. Permission sets and roles
    that only one of them has are high. Roles that a tool of AWS's own needs (the CDK's execution
    role, Control Tower, StackSets) are medium.

    ## Why it matters
    One role that does everything cannot be taken away from anybody, and one leak of any of its
    users is the whole account.

    ## How to fix
    Split it by function, and give each function the actions it calls. People belong on
    permission sets, with MFA and short sessions.

    ## Example
    ```hcl
    resource "aws_iam_role" "reports" {
      name               = "reports"
      assume_role_policy = data.aws_iam_policy_document.lambda.json
    }
    ```
    """

    id = "SEG-001"
    name = "god-mode-role"
    severity = Severity.CRITICAL
    practice = 3
    yields_to = ("LEAST-001", "LEAST-002", "LEAST-007")
    compliance = {
        Framework.CIS: ("2.14",),
        Framework.NIST: ("AC-5", "AC-6(2)", "AC-6(5)"),
        Framework.ISO: ("A.5.3", "A.8.2"),
        Framework.WELL_ARCHITECTED: ("SEC03-BP02", "SEC03-BP05"),
    }
    equivalents = {
        "kics": (
            "1b3af2f9-af8c-4dfc-a0f1-a03adb70deb2",
            "a0ae0a4e-712b-4115-8112-51b9eeed9d69",
        ),
        "terrascan": ("AC_AWS_0087",),
    }
    references = (
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/best-practices.html#grant-least-privilege",
        "https://docs.aws.amazon.com/wellarchitected/latest/security-pillar/permissions-management.html",
    )

    def check_principal(self, principal: Principal, graph: Graph) -> Iterator[Finding]:
        if principal.kind not in (PrincipalKind.ROLE, PrincipalKind.PERMISSION_SET):
            return
        if is_exempt(principal, graph.settings):
            return
        if graph.standing(principal) is not Standing.ADMIN:
            return
        users = _users(principal, graph)
        is_shared = len(users) > 1
        tool = platform_of(principal.name.text)
        severity = Severity.CRITICAL
        if tool is not None:
            severity = Severity.MEDIUM
        elif principal.kind is PrincipalKind.PERMISSION_SET or not is_shared:
            severity = Severity.HIGH
        shared = ", used by " + " and by ".join(label for label, _ in users) if users else ""
        evidence = evidence_of(principal, graph)
        yield self.finding(
            f"{principal.label} is an administrator{shared}"
            + (f"; {tool} needs it" if tool is not None else ""),
            on=principal,
            at=principal.resource.header,
            severity=severity,
            confidence=Confidence.HIGH,
            related=[
                *([(evidence.span, evidence.label)] if evidence is not None else []),
                *((place, f"used by {label}") for label, place in users),
            ],
            hint="protect it with a boundary or a control policy, and keep who may assume it small"
            if tool is not None
            else "split it by function, with the actions that each function calls",
            evidence=principal.label,
            causes=(principal.resource.header,) if is_shared else _causes(principal, graph),
            assumptions=graph.permissions.assumptions_as_administrator(principal),
        )


def _users(principal: Principal, graph: Graph) -> list[tuple[str, Span]]:
    """Who has the role: kinds of workloads, and whoever else its trust policy lets in."""
    runners = {runner_of(w.resource.type): w for w in reversed(principal.workloads)}
    users = [
        (" and ".join(family), runners[family[0]].place) for family in families(runners) if family
    ]
    running = {name for family in families(runners) for name in family}
    others = (p for p in parties_of(principal, graph) if not running.intersection(p.names))
    return [*users, *((party.label, party.place) for party in others)]


def _causes(principal: Principal, graph: Graph) -> Iterator[Span]:
    """What makes it an administrator, so that the finding about that speaks for this one."""
    documents = {id(grant.document) for grant in graph.effective(principal).administration.grants}
    for attachment in principal.held():
        policy = attachment.policy
        if id(policy.document) in documents:
            yield attachment.place
            if policy.origin is not Origin.AWS_MANAGED:
                yield from (statement.span for statement in policy.document.statements)
