from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.findings import Edit, Finding, Fix, Framework, Severity
from iam_preflight.graph.trust import grants
from iam_preflight.rules import Rule
from iam_preflight.values import number_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.model import Graph, Principal


class LongRoleSession(Rule):
    """A role that people or other accounts assume allows long sessions.

    ## What it checks
    A maximum session duration above the limit (one hour unless the settings say otherwise) on
    a role whose trust policy lets in an AWS or federated principal. Roles that only services
    assume are left alone: services do not use the setting. An absent value is one hour.

    ## Why it matters
    Stolen session credentials work until they expire. A shorter session limits the damage.

    ## How to fix
    Set `max_session_duration = 3600`, or remove it. Long jobs should renew their credentials.
    Roles that truly need longer sessions belong under `long_session_roles` in the settings.

    ## Example
    ```hcl
    resource "aws_iam_role" "deploy" {
      max_session_duration = 3600
    }
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
    )

    def check_principal(self, principal: Principal, graph: Graph) -> Iterator[Finding]:
        limit = graph.settings.max_session_seconds
        if not principal.is_role or principal.is_listed(graph.settings.long_session_roles):
            return
        if all(grant.is_service for grant in grants(principal.trust, graph.accounts)):
            return
        for assumptions, value in principal.resource.arms("max_session_duration"):
            seconds = number_of(value)
            if seconds is None or seconds <= limit:
                continue
            yield self.finding(
                f"sessions of {principal.label} may last {seconds / 3600:g} hours",
                on=principal,
                at=value.span,
                hint=f"set it to {limit}, or remove it",
                assumptions=assumptions,
                fix=Fix(f"set the session length to {limit}", (Edit(value.span, str(limit)),)),
            )
