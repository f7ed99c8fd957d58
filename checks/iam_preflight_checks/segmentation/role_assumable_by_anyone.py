from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.findings import Finding, Framework, Severity
from iam_preflight.graph.trust import (
    lets_assume,
    pins_caller,
    requires_external_id,
    requires_organization,
)
from iam_preflight.policy.document import DocumentUse
from iam_preflight.rules import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.model import Graph, Policy
    from iam_preflight.policy.document import Statement


class RoleAssumableByAnyone(Rule):
    """A role can be assumed by anyone.

    ## What it checks
    A trust policy that allows `sts:AssumeRole` to the principal `*` (or `"AWS": "*"`, or a
    federated `*`) without a condition that pins the organization, account or ARN of the
    caller. An ExternalId alone lowers the severity by one step: it is a shared word, not an
    identity.

    ## Why it matters
    Everybody with an AWS account can take the role and everything it may do.

    ## How to fix
    Name the accounts or roles that may assume it. Where they are many, keep the wildcard and
    add `aws:PrincipalOrgID` with your organization's id.

    ## Example
    ```hcl
    principals {
      type        = "AWS"
      identifiers = ["arn:aws:iam::111122223333:role/ci"]
    }
    ```
    """

    id = "SEG-007"
    name = "role-assumable-by-anyone"
    severity = Severity.CRITICAL
    practice = 3
    compliance = {
        Framework.NIST: ("AC-3", "AC-6"),
        Framework.ISO: ("A.5.15",),
        Framework.WELL_ARCHITECTED: ("SEC03-BP07",),
    }
    equivalents = {
        "checkov": ("CKV_AWS_60",),
        "regula": ("FG_R00219",),
        "semgrep": ("wildcard-assume-role",),
        "cfripper": ("FullWildcardPrincipalRule",),
    }
    references = (
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html",
    )

    def check_statement(
        self, statement: Statement, policy: Policy, graph: Graph
    ) -> Iterator[Finding]:
        if policy.use is not DocumentUse.TRUST or not statement.is_allow:
            return
        if statement.is_not_principal or not lets_assume(statement):
            return
        if requires_organization(statement) or pins_caller(statement):
            return
        for principal in statement.principals:
            if principal.kind == "Service" or principal.pattern.text != "*":
                continue
            is_weak = requires_external_id(statement)
            yield self.finding(
                "anyone with an AWS account can assume this role"
                + (" who knows its ExternalId" if is_weak else ""),
                on=policy,
                at=principal.span,
                severity=Severity.HIGH if is_weak else None,
                related=((policy.resource.header, "the role"),),
                hint="name the accounts or roles that may assume it, "
                "or add a condition aws:PrincipalOrgID",
                causes=(statement.span,),
                assumptions=(*statement.assumptions, *principal.pattern.assumptions),
            )
            return
