from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.findings import Confidence, Finding, Framework, Severity
from iam_preflight.graph.accounts import Ownership, account_of
from iam_preflight.graph.mfa import requires_mfa
from iam_preflight.graph.trust import (
    grants,
    requires_external_id,
    requires_organization,
)
from iam_preflight.rules import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.model import Graph, Principal


class ExternalAccountWithoutExternalId(Rule):
    """An external account may assume a role without an ExternalId.

    ## What it checks
    A trust policy that lets an account which is not one of your own assume the role, without
    a positive condition on `sts:ExternalId` and without pinning your organization. Your own
    accounts are those the providers deploy to, those of the organization in the code, and
    those in the settings. Where no own account is known the confidence is medium: the account
    may turn out to be yours. A partner's people who must use MFA are one step less severe.

    ## Why it matters
    A vendor serves many customers with one account. Without an ExternalId, another customer
    of the vendor can have it act on your account: the confused deputy.

    ## How to fix
    Add the condition `StringEquals: {"sts:ExternalId": "<value the vendor gave you>"}`. If the
    account is yours, name it under `accounts` in `.iam-preflight.yaml`.

    ## Example
    ```hcl
    condition {
      test     = "StringEquals"
      variable = "sts:ExternalId"
      values   = ["d2f1c9e0-partner"]
    }
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

    def check_principal(self, principal: Principal, graph: Graph) -> Iterator[Finding]:
        for grant in grants(principal.trust, graph.accounts):
            statement = grant.statement
            if grant.ownership not in (Ownership.EXTERNAL, Ownership.TRUSTED):
                continue
            account = account_of(grant.principal.pattern)
            known = graph.settings.trusted_accounts.get(str(account))
            if known is not None and known.first_party:
                continue
            if requires_external_id(statement) or requires_organization(statement):
                continue
            is_sure = bool(graph.accounts.own) or grant.ownership is Ownership.TRUSTED
            yield self.finding(
                f"account {account} may assume {principal.label} without an ExternalId",
                on=principal,
                at=grant.principal.span,
                severity=Severity.MEDIUM if requires_mfa(statement) else None,
                confidence=Confidence.HIGH if is_sure else Confidence.MEDIUM,
                related=((principal.resource.header, "the role"),),
                hint="add the condition StringEquals sts:ExternalId, "
                "or list the account as your own in the settings",
                causes=(statement.span,),
                assumptions=(*statement.assumptions, *grant.principal.pattern.assumptions),
            )
