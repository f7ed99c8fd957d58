from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.findings import Confidence, Finding, Framework, Severity
from iam_preflight.graph.accounts import Ownership, account_of, is_example, shown_account
from iam_preflight.graph.foreign import foreign_grants
from iam_preflight.graph.trust import grants_by_statement
from iam_preflight.knowledge.accounts import known_account
from iam_preflight.rules import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.model import Graph, Policy
    from iam_preflight.policy.document import PrincipalPattern, Statement

    Use = tuple[Policy, Statement, PrincipalPattern]

MAX_RELATED = 8


class UnknownAccount(Rule):
    """An account is let in that nobody knows.

    ## What it checks
    Account ids in trust policies, resource policies, permissions and shares that are none of your
    own, not in the organization of the code, not in the settings, and not among the public
    accounts of AWS and of vendors. Each id is reported once, with its places. An id from
    documentation (`123456789012`) is a note: a placeholder that somebody forgot.

    Where the code says of no account that it is your own, every id may be, and the confidence
    is low. EXT-001 and EXT-006 say more about the same account and mention this rule.

    ## Why it matters
    When nobody knows whose account it is, nobody will take its access away.

    ## How to fix
    Name the account in `.iam-preflight.yaml`: under `accounts` if it is yours, under
    `trusted_accounts` with its owner if it is a partner's. Otherwise remove it.

    ## Example
    ```yaml
    trusted_accounts:
      "210987654321":
        name: Example Payments Ltd
    ```
    """

    id = "EXT-005"
    name = "unknown-account"
    severity = Severity.MEDIUM
    practice = 7
    yields_to = ("SEG-007", "EXT-001", "EXT-003", "EXT-004", "EXT-006")
    compliance = {
        Framework.NIST: ("AC-20", "CA-3"),
        Framework.ISO: ("A.5.19", "A.5.9"),
        Framework.WELL_ARCHITECTED: ("SEC03-BP09",),
    }
    equivalents = {
        "cfripper": ("CrossAccountTrustRule", "GenericCrossAccountTrustRule"),
    }
    references = ("https://docs.aws.amazon.com/IAM/latest/UserGuide/what-is-access-analyzer.html",)

    def check_graph(self, graph: Graph) -> Iterator[Finding]:
        by_account: dict[str, list[Use]] = {}
        for account, use in _uses(graph):
            known = known_account(account)
            if known is None or is_example(account):
                by_account.setdefault(account, []).append(use)
        for account, uses in by_account.items():
            policy, statement, principal = uses[0]
            places = {use[2].span: f"{use[0].address} too" for use in uses[1:]}
            places.pop(principal.span, None)
            shown = shown_account(principal.pattern)
            is_placeholder = is_example(account)
            what = "the example number" if is_placeholder else "nobody knows whose account"
            yield self.finding(
                f"{policy.address} lets in {shown}: {what}"
                + (f", as {len(places)} more do" * bool(places)),
                on=policy,
                at=principal.span,
                severity=Severity.INFO if is_placeholder else None,
                confidence=Confidence.HIGH if graph.accounts.is_known else Confidence.LOW,
                related=list(places.items())[:MAX_RELATED],
                hint="name it in the settings with its owner, or remove it",
                evidence=shown,
                causes=(statement.span,),
                assumptions=(*statement.assumptions, *principal.pattern.assumptions),
            )


def _uses(graph: Graph) -> Iterator[tuple[str, Use]]:
    for role in graph.roles:
        for statement, grants in grants_by_statement(role.trust, graph):
            for grant in grants:
                account = account_of(grant.principal.pattern)
                is_external = grant.ownership is Ownership.EXTERNAL
                if role.trust is not None and is_external and isinstance(account, str):
                    yield account, (role.trust, statement, grant.principal)
    for policy in graph.policies:
        for given in foreign_grants(policy, graph):
            if given.ownership is Ownership.EXTERNAL:
                yield given.account, (policy, given.statement, given.principal)
