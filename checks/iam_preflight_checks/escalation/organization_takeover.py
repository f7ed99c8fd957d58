from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.escalations import EscalationRule, itself
from iam_preflight.findings import Confidence, Framework, Severity
from iam_preflight.graph.exposure import is_exempt
from iam_preflight.graph.narrative import sure, worst
from iam_preflight.knowledge.escalation import MethodKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.findings import Finding
    from iam_preflight.graph.model import Graph, Principal

MANAGEMENT_TYPES = (
    "aws_organizations_organization",
    "aws_organizations_policy_attachment",
    "aws_organizations_delegated_administrator",
    "aws_ssoadmin_permission_set",
    "aws_ssoadmin_account_assignment",
)


class OrganizationTakeover(EscalationRule):
    """A principal can take over the organization or IAM Identity Center.

    ## What it checks
    Whether a role or user that is no administrator may assign permission sets, widen one, put
    people into groups that have assignments, change who administers the organization, or
    assume the administrator role of every member account (that of a named one is no more than that
    account). Critical in code that manages the
    organization or Identity Center; elsewhere medium and of low confidence, because these
    permissions only work in the management or a delegated administrator account.

    ## Why it matters
    One such permission reaches every account of the company.

    ## How to fix
    Keep these actions to a break-glass or identity-administration role with MFA.

    ## Example
    ```json
    { "Effect": "Deny", "Action": ["sso:*", "organizations:*"], "Resource": "*" }
    ```
    """

    id = "ESC-008"
    name = "organization-takeover"
    severity = Severity.CRITICAL
    practice = 5
    yields_to = ("LEAST-001", "LEAST-002", "LEAST-007", "LEAST-011")
    compliance = {
        Framework.NIST: ("AC-6", "AC-2"),
        Framework.ISO: ("A.8.2",),
        Framework.WELL_ARCHITECTED: ("SEC03-BP05",),
    }
    references = (
        "https://docs.aws.amazon.com/organizations/latest/userguide/orgs_best-practices_mgmt-acct.html",
        "https://pathfinding.cloud/",
    )

    def check_principal(self, principal: Principal, graph: Graph) -> Iterator[Finding]:
        if graph.powers.is_admin(principal) or is_exempt(principal, graph.settings):
            return
        found = worst(sure(graph.escalations.of_kind(principal, MethodKind.ORGANIZATION)), graph)
        if not found:
            return
        best = found[0]
        is_managed_here = any(
            resource.deployment == principal.resource.deployment
            for resource in graph.of_type(*MANAGEMENT_TYPES)
        )
        severity = Severity.CRITICAL if is_managed_here else Severity.MEDIUM
        if best.is_guarded:
            severity = severity.lowered()
        yield self.gain(
            found,
            f"can take over the organization with {best.actions}",
            graph,
            severity=severity,
            confidence=best.confidence if is_managed_here else Confidence.LOW,
            related=[itself(principal)],
            hint=f"keep {best.actions} to a role for identity administration with MFA",
        )
