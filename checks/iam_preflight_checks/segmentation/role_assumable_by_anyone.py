from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.findings import Finding, Framework, Severity
from iam_preflight.policy.document import DocumentUse
from iam_preflight.policy.outsiders import Need, Route
from iam_preflight.rules import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.model import Graph, Policy

_WHO = {
    Route.ACCOUNT: "anyone with an AWS account",
    Route.PROVIDER: "anyone with a token of any identity provider",
    Route.SERVICE: "any AWS service",
}


class RoleAssumableByAnyone(Rule):
    """A role can be assumed by anyone.

    ## What it checks
    A trust policy that lets callers in whom it does not name: the principal `*`, `"AWS": "*"`,
    an ARN with `*` for the account, a federated `*`, or `NotPrincipal`. The policy is put before
    a caller from an account that nobody named, with every condition and every `Deny` of the
    document. It is silent when none of these callers gets through, because a condition pins the
    organization, the account or the ARN of the caller. A test of the caller's tags or user name
    pins nothing: everybody sets those in their own account. An ExternalId alone lowers the
    severity by one step: it is a shared word, not an identity.

    ## Why it matters
    Everybody with an AWS account can take the role and everything it may do.

    ## How to fix
    Name the accounts or roles that may assume it. Where they are many, keep the wildcard and
    add `aws:PrincipalOrgID` with your organization's id.

    ## Example
    ```hcl
    # bad: everyone, as long as the tag is set, which everyone can do
    principals {
      type        = "AWS"
      identifiers = ["*"]
    }
    condition {
      test     = "StringEquals"
      variable = "aws:PrincipalTag/team"
      values   = ["platform"]
    }

    # good
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
        Framework.CIS: ("2.21",),
        Framework.NIST: ("AC-3", "AC-6"),
        Framework.ISO: ("A.5.15",),
        Framework.WELL_ARCHITECTED: ("SEC03-BP07",),
    }
    equivalents = {
        "checkov": ("CKV_AWS_60",),
        "regula": ("FG_R00219",),
        "semgrep": ("wildcard-assume-role",),
        "cfripper": ("FullWildcardPrincipalRule",),
        "cfn_nag": ("F6",),
        "access-analyzer": ("ROLE_TRUST_POLICY_UNSUPPORTED_WILDCARD_IN_PRINCIPAL",),
    }
    references = (
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html",
    )

    def check_policy(self, policy: Policy, graph: Graph) -> Iterator[Finding]:
        if policy.use is not DocumentUse.TRUST:
            return
        for admission in graph.admissions.everyone(policy):
            needs_secret = admission.entry.need is not Need.NOTHING
            who = _WHO[admission.entry.route]
            if admission.principal is None:
                who += " but those it names"
            yield self.finding(
                f"{who} can assume this role" + (" by its ExternalId" if needs_secret else ""),
                on=policy,
                at=admission.place,
                severity=Severity.HIGH if needs_secret else None,
                confidence=admission.confidence,
                related=((policy.resource.header, "the role"),),
                hint="name the accounts or roles that may assume it, "
                "or add a condition StringEquals aws:PrincipalOrgID with your organization's id",
                causes=(admission.statement.span, admission.place),
                assumptions=admission.assumptions,
            )
