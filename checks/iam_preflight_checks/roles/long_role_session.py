from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.findings import Edit, Finding, Fix, Framework, Severity
from iam_preflight.graph.standing import Standing
from iam_preflight.graph.trust import grants, names_role
from iam_preflight.rules import Rule
from iam_preflight.values import number_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.model import Graph, Principal
    from iam_preflight.values import Value


class LongRoleSession(Rule):
    """A role that people or other accounts assume allows long sessions.

    ## What it checks
    A maximum session duration above the limit (one hour unless the settings say otherwise) on
    a role whose trust policy lets in an AWS or federated principal. High where the role is an
    administrator or can make itself one. An absent value is one hour.

    Roles that only services assume are left alone: services do not use the setting. Where only
    roles may assume it, the finding is but a note: AWS ends such chained sessions after an
    hour, whatever the setting says. Roles under `long_session_roles` in the settings are
    exempt.

    ## Why it matters
    Stolen session credentials work until they expire. A shorter session limits the damage.

    ## How to fix
    Set `max_session_duration = 3600`, or remove it. Long jobs should renew their credentials
    rather than hold them for longer.

    ## Example
    ```hcl
    resource "aws_iam_role" "deploy" {
      max_session_duration = 3600
    }
    ```
    ```yaml
    Deploy:
      Type: AWS::IAM::Role
      Properties:
        MaxSessionDuration: 3600
    ```
    """

    id = "ROLE-003"
    name = "long-role-session"
    severity = Severity.MEDIUM
    practice = 1
    compliance = {
        Framework.NIST: ("AC-12", "AC-2(5)", "SC-23"),
        Framework.ISO: ("A.8.2", "A.8.5"),
        Framework.WELL_ARCHITECTED: ("SEC02-BP02",),
    }
    references = (
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_update-role-settings.html",
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles.html#iam-term-role-chaining",
    )

    def check_principal(self, principal: Principal, graph: Graph) -> Iterator[Finding]:
        limit = graph.settings.max_session_seconds
        if not principal.is_role or principal.resource.get("max_session_duration") is None:
            return
        if principal.is_service_linked or principal.is_listed(graph.settings.long_session_roles):
            return
        callers = [g for g in grants(principal.trust, graph.accounts) if not g.is_service]
        if not callers:
            return
        for assumptions, value in principal.resource.arms("max_session_duration"):
            seconds = number_of(value)
            if seconds is None or seconds <= limit:
                continue
            severity = Severity.MEDIUM
            if all(names_role(grant.principal) for grant in callers):
                severity = Severity.INFO
            elif graph.standing(principal) >= Standing.ESCALATING:
                severity = Severity.HIGH
            yield self.finding(
                f"sessions of {principal.label} may last {seconds / 3600:g} hours",
                on=principal,
                at=value.span,
                severity=severity,
                related=((callers[0].principal.span, "may assume it"),),
                hint=f"set it to {limit}, or remove it",
                evidence=f"max_session_duration {seconds}",
                assumptions=assumptions,
                fix=_fix(principal, value, limit),
            )


def _fix(principal: Principal, value: Value, limit: int) -> Fix | None:
    """Only where the number is written here: a variable may be meant for other roles too."""
    if not principal.resource.span.contains(value.span):
        return None
    return Fix(f"set the session length to {limit}", (Edit(value.span, str(limit)),))
