from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.findings import Confidence, Finding, Framework, Severity
from iam_preflight.graph.accounts import account_of, describe, is_example
from iam_preflight.graph.mfa import requires_mfa
from iam_preflight.graph.trust import (
    as_shown,
    asked_for,
    grants_by_statement,
    label_of,
    requires_external_id,
    role_of,
)
from iam_preflight.rules import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.model import Graph, Policy


class ExternalAccountWithoutExternalId(Rule):
    """An external account may assume a role without an ExternalId.

    ## What it checks
    A trust policy that lets an account which is not one of your own assume the role, without
    a positive condition on `sts:ExternalId` and without pinning your organization; a `Deny` for
    whoever lacks them asks for them as well. It may be
    among the principals, or in a condition on `aws:PrincipalAccount` or `aws:PrincipalArn` that
    is all that is left of `"AWS": "*"`. Your own accounts are those the providers deploy to,
    those of the organization in the code, and those in the settings. Where no own account is
    known the confidence is medium: the account may turn out to be yours. Where MFA is required
    the rule is silent: only people have a second factor, and what can be confused is software
    (EXT-003 speaks about the account).

    An account for which a template has a parameter is medium, with medium confidence: it is hardly
    the one that the template is deployed to.

    ## Why it matters
    A vendor serves many customers with one account. Without an ExternalId, another customer
    of the vendor can have it act on your account: the confused deputy.

    ## How to fix
    Add the condition `StringEquals: {"sts:ExternalId": "<value the vendor gave you>"}`. If the
    account is yours, name it under `accounts` in `.iam-preflight.yaml`; if it belongs to your
    company but not to your organization, under `trusted_accounts` with `first_party: true`.

    ## Example
    ```hcl
    condition {
      test     = "StringEquals"
      variable = "sts:ExternalId"
      values   = ["d2f1c9e0-partner"]
    }
    ```
    ```yaml
    Condition:
      StringEquals:
        sts:ExternalId: d2f1c9e0-partner
    ```
    """

    id = "EXT-001"
    name = "external-account-without-external-id"
    severity = Severity.HIGH
    practice = 7
    yields_to = ("SEG-007",)
    compliance = {
        Framework.NIST: ("AC-20", "AC-3", "IA-9"),
        Framework.ISO: ("A.5.19", "A.5.20", "A.5.15"),
        Framework.WELL_ARCHITECTED: ("SEC03-BP09",),
    }
    equivalents = {
        "kics": (
            "09c35abf-5852-4622-ac7a-b987b331232e",
            "85138beb-ce7c-4ca3-a09f-e8fbcc57ddd7",
        ),
        "regula": ("FG_R00255",),
    }
    references = (
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html",
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_common-scenarios_third-party.html",
    )

    def check_policy(self, policy: Policy, graph: Graph) -> Iterator[Finding]:
        for statement, grants in grants_by_statement(policy, graph):
            if requires_external_id(statement) or requires_mfa(statement):
                continue
            outside = [g for g in grants if g.ownership is not None and g.ownership.is_outside]
            accounts = [str(account_of(grant.principal.pattern)) for grant in outside]
            names = [describe(grant.principal.pattern) for grant in outside]
            severity, confidence = self.severity, Confidence.MEDIUM
            if graph.accounts.is_known and not all(map(is_example, accounts)):
                confidence = Confidence.HIGH
            if not outside:
                holes = [(g, hole) for g in grants if (hole := asked_for(g)) is not None]
                outside = [grant for grant, _ in holes]
                names = [f"the account that {hole.label} is given" for _, hole in holes]
                severity, confidence = severity.lowered(), Confidence.MEDIUM
            if not outside:
                continue
            named = " and ".join(dict.fromkeys(names))
            first = outside[0].principal
            yield self.finding(
                f"{named} may assume {label_of(policy)} without an ExternalId",
                on=policy,
                principal=role_of(policy),
                at=first.span,
                severity=as_shown(severity, policy),
                confidence=confidence,
                related=(
                    *((grant.principal.span, "and this one") for grant in outside[1:]),
                    (policy.resource.header, "the role"),
                ),
                hint="add the condition StringEquals sts:ExternalId with a value that is yours "
                "alone, or list the account as your own in the settings",
                causes=(statement.span,),
                assumptions=(*statement.assumptions, *first.pattern.assumptions),
            )
