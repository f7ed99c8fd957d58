from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.dates import moment
from iam_preflight.findings import Confidence, Finding, Framework, Severity
from iam_preflight.graph.usage import WATCHED_DAYS, watched_days
from iam_preflight.rules import Rule
from iam_preflight.values import Mapping, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.model import Graph, Principal


class UnusedRole(Rule):
    """A role of the code has not been used for 90 days.

    ## What it checks
    Roles that the code defines and that the authorization details of the account context have:
    when they were last used, counted from the latest date in the export. Roles made less than
    90 days before it, and roles for emergencies (`break_glass_roles`), may rest.

    ## Why it matters
    A role that nobody needs is a door that nobody watches.

    ## How to fix
    Delete the role. What runs once a year, or waits for an emergency, belongs into the settings.

    ## Example
    ```yaml
    break_glass_roles: [disaster-recovery]
    ```
    """

    id = "CRED-009"
    name = "unused-role"
    severity = Severity.LOW
    practice = 10
    confidence = Confidence.MEDIUM
    compliance = {
        Framework.NIST: ("AC-2(3)",),
        Framework.ISO: ("A.5.18",),
        Framework.WELL_ARCHITECTED: ("SEC03-BP04",),
    }
    references = ("https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_manage_delete.html",)

    def check_principal(self, principal: Principal, graph: Graph) -> Iterator[Finding]:
        recorded = principal.recorded
        if recorded is None or not principal.is_role or principal.is_service_linked:
            return
        if principal.is_listed(graph.settings.break_glass_roles):
            return
        date = moment(recorded.resource.text("report_date"))
        days = watched_days(principal, date)
        if date is None or days is None or days < WATCHED_DAYS:
            return
        last = recorded.resource.get("role_last_used")
        used = moment(text_of(last.get("last_used_date"))) if isinstance(last, Mapping) else None
        if used is not None and (date - used).days <= WATCHED_DAYS:
            return
        how = f"was last used {(date - used).days} days ago" if used else "was never used"
        yield self.finding(
            f"{principal.label} {how}",
            on=principal,
            at=principal.resource.header,
            related=((recorded.resource.header, f"it has been there for {days} days"),),
            hint="delete it, or list it as break-glass role",
            evidence=principal.label,
            principal=principal,
        )
