from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.findings import Finding, Framework, Severity
from iam_preflight.graph.accounts import Ownership, account_of, describe
from iam_preflight.graph.analyzer import TYPE, external_findings
from iam_preflight.policy.document import Pattern
from iam_preflight.rules import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.analyzer import ExternalAccess
    from iam_preflight.graph.model import Graph


class ExternalAccessInAccount(Rule):
    """Somebody outside has access to a resource of the account already.

    ## What it checks
    Active findings of IAM Access Analyzer about external access in the account context. Those
    about accounts of the own organization, in the settings (`accounts`, `trusted_accounts`), or
    in the organization's export are left out, and so is what is public on purpose (`public_ok`).
    A finding about a resource that the code defines is placed there.

    ## Why it matters
    The code shows what a change opens; this is what is open before it.

    ## How to fix
    Take the outside principal out of the resource's policy; list partners under
    `trusted_accounts`. Archive findings that are meant in Access Analyzer.

    ## Example
    ```yaml
    trusted_accounts:
      "444455556666": {name: payroll}
    ```
    """

    id = "EXT-010"
    name = "external-access-in-account"
    severity = Severity.MEDIUM
    practice = 7
    judges_records = True
    reads = (TYPE,)
    compliance = {
        Framework.CIS: ("1.19",),
        Framework.NIST: ("AC-3", "AC-4"),
        Framework.ISO: ("A.5.15", "A.8.3"),
        Framework.FSBP: ("IAM.28",),
        Framework.WELL_ARCHITECTED: ("SEC03-BP07",),
    }
    equivalents = {"prowler": ("accessanalyzer_enabled_without_findings",)}
    references = ("https://docs.aws.amazon.com/IAM/latest/UserGuide/access-analyzer-findings.html",)

    def check_graph(self, graph: Graph) -> Iterator[Finding]:
        for access in external_findings(graph):
            who = _who(access, graph)
            if who is None:
                continue
            resource = access.in_code or access.resource
            is_coded = access.in_code is not None
            yield self.finding(
                f"{who} has access to {access.arn}",
                on=resource,
                at=resource.header,
                severity=Severity.HIGH if access.is_public else None,
                related=((access.resource.header, "found by Access Analyzer"),) if is_coded else (),
                hint="take it out of the resource's policy, or list it under trusted_accounts",
                evidence=f"{who} {access.arn}",
            )


def _who(access: ExternalAccess, graph: Graph) -> str | None:
    """The outsider, as people call it; None where nobody is one."""
    if access.is_public:
        return "anyone"
    for text in access.principals:
        pattern = Pattern((text,), access.resource.header)
        ownership = graph.accounts.ownership(pattern)
        account = account_of(pattern)
        if ownership.is_inside or ownership in (Ownership.TRUSTED, Ownership.AWS):
            continue
        return describe(pattern) if isinstance(account, str) and account != "*" else text
    return None if access.principals else "an outside principal"
