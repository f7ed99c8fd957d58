from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.findings import Confidence, Finding, Framework, Severity
from iam_preflight.graph.accounts import Ownership, describe, is_example
from iam_preflight.graph.foreign import foreign_grants, worst_of
from iam_preflight.graph.trust import pins_caller
from iam_preflight.rules import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.foreign import ForeignGrant
    from iam_preflight.graph.model import Graph, Policy


class ExternalAccountWithBroadAccess(Rule):
    """A resource policy or share gives an external account access.

    ## What it checks
    A resource policy, or a permission, share, grant or launch permission that amounts to one,
    that names an account which is none of your own, among its principals or, for `*`, in a
    condition on `aws:PrincipalAccount` or `aws:PrincipalArn`. High where it may manage
    permissions, do everything (`sqs:*`), or where the whole account may write; medium where a
    named principal may write, or data may be read; low where it may only list, look up, or connect.
    One step milder for accounts under `trusted_accounts` in the settings, and where a condition
    narrows the caller to a principal of the account.

    What a `Deny` of the policy takes from the account again does not count, and one that keeps out
    whoever is not of the organization asks for the organization.

    Accounts of AWS itself that deliver logs are left alone; so are shares of AWS RAM that do not
    allow external principals, and the accounts that the policy itself shows to be the resource's
    own: that of the ARNs under `Resource`, and the only one that a key policy gives the key to.
    Where no own account is known the confidence is medium.

    ## Why it matters
    What another company's people and programs do with the access is out of your hands, and out of
    your audit trail.

    ## How to fix
    Allow the actions that are needed and no more, name a role instead of the account, or put a
    role with an ExternalId in between. If the account is yours, name it under `accounts`.

    ## Example
    ```hcl
    # bad
    actions = ["sqs:*"]
    principals {
      type        = "AWS"
      identifiers = ["arn:aws:iam::210987654321:root"]
    }
    # good
    actions = ["sqs:GetQueueAttributes"]
    principals {
      type        = "AWS"
      identifiers = ["arn:aws:iam::210987654321:role/monitor"]
    }
    ```
    """

    id = "EXT-006"
    name = "external-account-with-broad-access"
    severity = Severity.HIGH
    practice = 7
    reads = ("aws_ram_resource_share",)
    compliance = {
        Framework.NIST: ("AC-3", "AC-20"),
        Framework.ISO: ("A.5.19", "A.8.3"),
        Framework.FSBP: ("S3.6",),
        Framework.WELL_ARCHITECTED: ("SEC03-BP07", "SEC03-BP09"),
    }
    equivalents = {
        "checkov": ("CKV_AWS_385",),
        "cfripper": (
            "GenericCrossAccountTrustRule",
            "KMSKeyCrossAccountTrustRule",
            "S3CrossAccountTrustRule",
        ),
    }
    references = (
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies-cross-account-resource-access.html",
        "https://docs.aws.amazon.com/ram/latest/userguide/getting-started-sharing.html",
    )

    def check_policy(self, policy: Policy, graph: Graph) -> Iterator[Finding]:
        by_statement: dict[int, list[ForeignGrant]] = {}
        for grant in foreign_grants(policy, graph):
            by_statement.setdefault(grant.statement.index, []).append(grant)
        for grants in by_statement.values():
            yield self._finding(grants, policy, graph)

    def _finding(self, grants: list[ForeignGrant], policy: Policy, graph: Graph) -> Finding:
        first = grants[0]
        severity = worst_of(first, graph)
        if all(grant.ownership is Ownership.TRUSTED for grant in grants):
            severity = severity.lowered()
        if first.principal in first.statement.principals and pins_caller(first.statement):
            severity = severity.lowered()
        named = list(dict.fromkeys(describe(grant.principal.pattern) for grant in grants))
        who = " and ".join(named) if len(named) < 3 else f"{named[0]} and {len(named) - 1} others"
        is_sure = graph.accounts.is_known and not all(is_example(g.account) for g in grants)
        actions = first.statement.actions
        what = actions[0].text if actions else "everything"
        more = f" and {len(actions) - 1} more" if len(actions) > 1 else ""
        return self.finding(
            f"{who} may use {'all but ' * first.statement.is_not_action}{what}{more} "
            f"on {policy.address}",
            on=policy,
            at=first.principal.span,
            severity=severity,
            confidence=Confidence.HIGH if is_sure else Confidence.MEDIUM,
            related=((grant.principal.span, "and this one") for grant in grants[1:4]),
            hint="allow only what the other account needs, to the role that needs it; "
            "or list the account as your own in the settings",
            causes=(first.statement.span,),
            assumptions=first.assumptions,
        )
