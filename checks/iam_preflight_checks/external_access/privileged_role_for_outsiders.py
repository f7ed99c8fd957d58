from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.findings import Confidence, Finding, Framework, Severity
from iam_preflight.graph.accounts import Ownership, account_of, describe, is_example
from iam_preflight.graph.standing import Standing, changes_sensitive
from iam_preflight.graph.trust import grants_by_statement
from iam_preflight.rules import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.model import Graph, Principal
    from iam_preflight.graph.trust import Grant


class PrivilegedRoleForOutsiders(Rule):
    """A role that an external account may assume is privileged.

    ## What it checks
    Roles that let in an account which is none of your own, and that are an administrator, can make
    themselves one (critical), or may change something sensitive or read all data or secrets
    (high). One step milder for accounts under `trusted_accounts`. An ExternalId does not change
    that: it keeps other customers of the partner out, not whoever breaks into the partner.

    Pipelines of a repository that the subject pins are no outsiders; where the subject does not
    pin it FED-001 and FED-002 are as severe. A partner that may only look is left alone.

    ## Why it matters
    The partner's security is then the security of your account.

    ## How to fix
    Give the partner a role of its own with the actions and resources that its product documents.

    ## Example
    ```hcl
    resource "aws_iam_role_policy_attachment" "partner" {
      role       = aws_iam_role.partner.name
      policy_arn = aws_iam_policy.read_billing.arn # not AdministratorAccess
    }
    ```
    """

    id = "EXT-004"
    name = "privileged-role-for-outsiders"
    severity = Severity.CRITICAL
    practice = 7
    yields_to = ("SEG-007",)
    compliance = {
        Framework.NIST: ("AC-6", "AC-20"),
        Framework.ISO: ("A.5.19", "A.8.2"),
        Framework.WELL_ARCHITECTED: ("SEC03-BP02", "SEC03-BP09"),
    }
    equivalents = {"prowler": ("iam_role_cross_account_readonlyaccess_policy",)}
    references = (
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_common-scenarios_third-party.html",
    )

    def check_principal(self, principal: Principal, graph: Graph) -> Iterator[Finding]:
        for statement, grants in grants_by_statement(principal.trust, graph):
            outside = [g for g in grants if g.ownership is not None and g.ownership.is_outside]
            severity = _severity(principal, outside, graph) if outside else None
            if severity is None:
                continue
            first = outside[0]
            accounts = [str(account_of(grant.principal.pattern)) for grant in outside]
            named = dict.fromkeys(describe(grant.principal.pattern) for grant in outside)
            is_sure = graph.accounts.is_known and not all(map(is_example, accounts))
            yield self.finding(
                f"{' and '.join(named)} may assume {principal.label}, "
                f"{graph.standing(principal).describe()}",
                on=principal,
                at=first.principal.span,
                severity=severity,
                confidence=Confidence.HIGH if is_sure else Confidence.MEDIUM,
                related=(
                    (principal.resource.header, "the role"),
                    *((a.place, f"holds {a.policy.name}") for a in principal.attachments[:2]),
                ),
                hint="give the partner a role with the actions and resources that it needs",
                causes=(first.principal.span,),
                assumptions=(*statement.assumptions, *first.principal.pattern.assumptions),
            )


def _severity(principal: Principal, outside: list[Grant], graph: Graph) -> Severity | None:
    standing = graph.standing(principal)
    if standing.is_administrative:
        severity = Severity.CRITICAL
    elif standing is Standing.SENSITIVE and changes_sensitive(principal, graph):
        severity = Severity.HIGH
    else:
        return None
    is_trusted = all(grant.ownership is Ownership.TRUSTED for grant in outside)
    return severity.lowered() if is_trusted else severity
