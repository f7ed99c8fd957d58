from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.findings import Confidence, Finding, Framework, Severity
from iam_preflight.graph.accounts import Ownership, account_of, describe
from iam_preflight.graph.external_ids import shared_ids, weakness
from iam_preflight.graph.trust import grants_by_statement, positive_values
from iam_preflight.rules import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.model import Graph

_OUTSIDE = (Ownership.EXTERNAL, Ownership.TRUSTED, Ownership.UNKNOWN)


class WeakExternalId(Rule):
    """An ExternalId tells no customer from another.

    ## What it checks
    The values that a trust policy accepts as `sts:ExternalId` from an account that is not known
    to be your own: one with a wildcard in it, a short one, a word of documentation
    (`external-id`, `example`, `test`), zeros, an account id, the name of the role; and one value
    that roles for different partners share. Operators that pass without an ExternalId are EXT-001.

    Accounts under `trusted_accounts` with `unique_external_id: true` give every customer a value of
    its own, whatever it looks like.

    ## Why it matters
    An ExternalId protects because no other customer of the partner has it. One that is guessed,
    or used for two partners, lets one of them be used against you.

    ## How to fix
    Use the value that the partner made for you; if you choose it, take a new UUID for each role.

    ## Example
    ```hcl
    condition {
      test     = "StringEquals"
      variable = "sts:ExternalId"
      values   = ["0d4f6a2e-6c1b-4c0b-9c7e-2f1a7b3d5e90"] # not "acme"
    }
    ```
    """

    id = "EXT-002"
    name = "weak-external-id"
    severity = Severity.MEDIUM
    practice = 7
    yields_to = ("SEG-007", "EXT-001")
    compliance = {
        Framework.NIST: ("IA-5", "AC-20"),
        Framework.ISO: ("A.5.19",),
        Framework.WELL_ARCHITECTED: ("SEC03-BP09",),
    }
    references = (
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_common-scenarios_third-party.html#id_roles_third-party_external-id",
    )

    def check_graph(self, graph: Graph) -> Iterator[Finding]:
        shared = shared_ids(graph)
        for role in graph.roles:
            for statement, grants in grants_by_statement(role.trust, graph):
                outside = [grant for grant in grants if grant.ownership in _OUTSIDE]
                accounts = [str(account_of(grant.principal.pattern)) for grant in outside]
                trusted = graph.settings.trusted_accounts
                if not outside or any(
                    account in trusted and trusted[account].unique_external_id
                    for account in accounts
                ):
                    continue
                for condition, text in positive_values(statement, "sts:externalid"):
                    value = next(v for v in condition.values if v.text == text)
                    fault = weakness(value, condition, role) or shared.get(text)
                    if fault is None:
                        continue
                    is_known = any(g.ownership is not Ownership.UNKNOWN for g in outside)
                    who = describe(outside[0].principal.pattern) if is_known else "whom it lets in"
                    yield self.finding(
                        f"the ExternalId that {role.label} asks of {who} {fault}",
                        on=role,
                        at=value.span,
                        confidence=Confidence.HIGH if is_known else Confidence.MEDIUM,
                        related=((role.resource.header, "the role"),),
                        hint="use the value that the partner made for you, or a new UUID",
                        evidence=text,
                        causes=(statement.span,),
                        assumptions=(*statement.assumptions, *value.assumptions),
                    )
                    break
