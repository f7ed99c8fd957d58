from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.findings import Confidence, Finding, Framework, Persona, Severity
from iam_preflight.graph.accounts import account_of, shown_account
from iam_preflight.graph.exposure import is_exempt
from iam_preflight.graph.mfa import asks_for_mfa, denies_without_mfa
from iam_preflight.graph.trust import grants, is_whole_account, pins_caller, requires_external_id
from iam_preflight.policy.scope import Strength, restriction
from iam_preflight.policy.truth import Truth
from iam_preflight.rules import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.model import Graph, Principal
    from iam_preflight.graph.trust import Grant
    from iam_preflight.policy.document import Pattern, Statement


class WholeAccountTrusted(Rule):
    """A role trusts a whole account of its own organization, without limits.

    ## What it checks
    Trust policies that name an own account, or one of the organization, by its number or its
    `:root`, and ask for nothing: no ARN or tag of the caller, no path of the organization, no
    second factor, no ExternalId. The organization's id alone is no limit inside of it.

    Medium where the role is privileged; else low, and only for those who want to see hygiene:
    to let the account's own policies decide is a usual way to delegate. Accounts of others are
    left to EXT-003. In resource policies `:root` means the account's IAM policies, and is fine.

    ## Why it matters
    Whoever may write policies in that account, or holds `sts:AssumeRole` on everything there,
    has the role.

    ## How to fix
    Name the roles that may assume it, or add the condition `ArnLike aws:PrincipalArn`.

    ## Example
    ```json
    {
      "Effect": "Allow",
      "Action": "sts:AssumeRole",
      "Principal": { "AWS": "arn:aws:iam::111122223333:root" },
      "Condition": {
        "ArnLike": { "aws:PrincipalArn": "arn:aws:iam::111122223333:role/release" }
      }
    }
    ```
    """

    id = "SEG-006"
    name = "whole-account-trusted"
    severity = Severity.LOW
    practice = 3
    yields_to = ("MFA-001", "SEG-003")
    compliance = {
        Framework.NIST: ("AC-6",),
        Framework.ISO: ("A.5.15",),
        Framework.WELL_ARCHITECTED: ("SEC03-BP02",),
    }
    equivalents = {
        "checkov": ("CKV_AWS_61",),
        "kics": ("12b7e704-37f0-4d1e-911a-44bf60c48c21",),
        "cfripper": ("PartialWildcardPrincipalRule",),
    }
    references = (
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html#principal-accounts",
    )

    def check_principal(self, principal: Principal, graph: Graph) -> Iterator[Finding]:
        trust = principal.trust
        if trust is None or is_exempt(principal, graph.settings):
            return
        if denies_without_mfa(trust.document) is not Truth.NO:
            return
        is_privileged = graph.standing(principal).is_privileged
        for grant in grants(trust, graph.accounts):
            inside = grant.ownership is not None and grant.ownership.is_inside
            if not inside or not is_whole_account(grant.principal):
                continue
            if not _is_limited(grant.statement, graph):
                yield self._finding(principal, grant, is_privileged)

    def _finding(self, principal: Principal, grant: Grant, is_privileged: bool) -> Finding:
        pattern = grant.principal.pattern
        whose = _whose(pattern)
        return self.finding(
            f"everyone in {whose} whom a policy there lets may assume {principal.label}",
            on=principal,
            at=grant.principal.span,
            severity=Severity.MEDIUM if is_privileged else None,
            confidence=Confidence.HIGH,
            persona=Persona.REGULAR if is_privileged else Persona.PEDANTIC,
            related=((principal.resource.header, "the role"),),
            hint="name the roles that may assume it, or add the condition ArnLike aws:PrincipalArn",
            causes=(grant.statement.span,),
            assumptions=(*grant.statement.assumptions, *pattern.assumptions),
        )


_OF_EVERYONE = ("aws:principalaccount", "aws:principalorgid")
"""What everyone in the account has alike."""


def _whose(pattern: Pattern) -> str:
    """The account that is trusted: by its number, or by what tells it when it is deployed.

    A data source may be of another provider, and so of another account.
    """
    account = account_of(pattern)
    if isinstance(account, str):
        return f"account {shown_account(pattern)}"
    read = account.reference if account is not None else None
    return f"the account of {read.address}" if read is not None else "its account"


def _is_limited(statement: Statement, graph: Graph) -> bool:
    """Whether a condition limits the caller more than to be of the organization."""
    if pins_caller(statement) or requires_external_id(statement):
        return True
    if asks_for_mfa(statement) is not Truth.NO:
        return True
    others = [c for c in statement.conditions if c.key_name not in _OF_EVERYONE]
    if len(others) == len(statement.conditions):
        catalog = graph.permissions.evaluator.catalog
        return restriction(statement, "sts:AssumeRole", catalog) >= Strength.SCOPE
    return bool(others)
