from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.findings import Confidence, Finding, Framework, Severity
from iam_preflight.graph.accounts import account_of, describe, shown_account
from iam_preflight.graph.trust import (
    as_shown,
    grants_by_statement,
    is_whole_account,
    label_of,
    pins_caller,
    requires_external_id,
    role_of,
)
from iam_preflight.knowledge.accounts import known_account
from iam_preflight.rules import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.model import Graph, Policy
    from iam_preflight.graph.trust import Grant
    from iam_preflight.policy.document import Statement


class ExternalAccountAsAWhole(Rule):
    """An external account is trusted as a whole.

    ## What it checks
    A trust policy that names a foreign account by its number or its `:root`, without a condition
    on `aws:PrincipalArn`: every principal whom that account's administrators let may then assume
    the role. Where an ExternalId is asked for, or the account is a vendor's public one, the
    finding is low: this is how AWS and most vendors document it.

    Resource policies are left out here although the catalogue has them: naming the account is
    their usual form, and what matters there is what they allow (EXT-006).

    ## Why it matters
    Whoever gets into any corner of the partner's account gets into yours.

    ## How to fix
    Trust the ARN of the partner's role instead of the account, or keep the account and add the
    condition `ArnEquals: {"aws:PrincipalArn": "arn:aws:iam::<account>:role/<their role>"}`.

    ## Example
    ```hcl
    # bad
    identifiers = ["arn:aws:iam::210987654321:root"]
    # good
    identifiers = ["arn:aws:iam::210987654321:role/collector"]
    ```
    """

    id = "EXT-003"
    name = "external-account-as-a-whole"
    severity = Severity.MEDIUM
    practice = 7
    yields_to = ("SEG-007", "EXT-001", "EXT-002")
    compliance = {
        Framework.NIST: ("AC-20", "AC-6"),
        Framework.ISO: ("A.5.19",),
        Framework.WELL_ARCHITECTED: ("SEC03-BP09",),
    }
    equivalents = {
        "checkov": ("CKV_AWS_61",),
        "cfripper": ("GenericResourcePartialWildcardPrincipalRule", "CrossAccountTrustRule"),
        "cloudsplaining": ("AssumableByCrossAccountPrincipal",),
        "kics": ("12b7e704-37f0-4d1e-911a-44bf60c48c21",),
    }
    references = (
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html#principal-accounts",
    )

    def check_policy(self, policy: Policy, graph: Graph) -> Iterator[Finding]:
        for statement, grants in grants_by_statement(policy, graph):
            if pins_caller(statement):
                continue
            for grant in grants:
                outside = grant.ownership is not None and grant.ownership.is_outside
                if outside and is_whole_account(grant.principal):
                    yield self._finding(policy, statement, grant, graph)

    def _finding(self, policy: Policy, statement: Statement, grant: Grant, graph: Graph) -> Finding:
        pattern = grant.principal.pattern
        is_known = known_account(str(account_of(pattern))) is not None
        is_usual = requires_external_id(statement) or is_known
        return self.finding(
            f"everyone in {describe(pattern)} whom its administrators let "
            f"may assume {label_of(policy)}",
            on=policy,
            principal=role_of(policy),
            at=grant.principal.span,
            severity=as_shown(Severity.LOW if is_usual else self.severity, policy),
            confidence=Confidence.HIGH if graph.accounts.is_known else Confidence.MEDIUM,
            related=((policy.resource.header, "the role"),),
            hint="name the partner's role instead of the account, or add the condition "
            f"ArnEquals aws:PrincipalArn = arn:aws:iam::{shown_account(pattern)}:role/…",
            causes=(statement.span,),
            assumptions=(*statement.assumptions, *grant.principal.pattern.assumptions),
        )
