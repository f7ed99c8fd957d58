from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.findings import Confidence, Finding, Framework, Severity
from iam_preflight.graph.accounts import Ownership
from iam_preflight.graph.mfa import admits_people, asks_for_mfa, denies_without_mfa
from iam_preflight.graph.standing import Standing, changes_sensitive
from iam_preflight.graph.trust import Grant, grants, requires_external_id, requires_organization
from iam_preflight.policy.truth import Truth
from iam_preflight.rules import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.model import Graph, Principal


class PrivilegedRoleWithoutMfa(Rule):
    """A privileged role can be assumed without a second factor.

    ## What it checks
    A role that is an administrator, can make itself one, or may change something sensitive on
    every resource, and whose trust policy lets in IAM users or whole accounts without asking
    for a second factor. What asks for it is `Bool aws:MultiFactorAuthPresent = true` or
    `NumericLessThan aws:MultiFactorAuthAge` in the Allow, or a Deny with
    `BoolIfExists aws:MultiFactorAuthPresent = false`; MFA-002 names the forms that only look so.

    Services, identity providers, roles (whose first hop has to ask), Identity Center's own
    roles and partners' machines that show an ExternalId are left alone, and with `no_users` in
    the settings so are your own accounts, unless a user of theirs is named. A role that is only
    allowed something sensitive is medium, and of low confidence where accounts of an organization
    may take it: those are most often machines. A role listed under `break_glass_roles` is critical.

    ## Why it matters
    A stolen password or access key is then enough to become the role and do what it may.

    ## How to fix
    Add the condition to the statement that lets people in. A limit on the age
    (`NumericLessThan aws:MultiFactorAuthAge = 3600`) does it too and is stricter. Better, let
    people in through IAM Identity Center.

    ## Example
    ```hcl
    statement {
      actions = ["sts:AssumeRole"]
      principals {
        type        = "AWS"
        identifiers = ["arn:aws:iam::111122223333:root"]
      }
      condition {
        test     = "Bool"
        variable = "aws:MultiFactorAuthPresent"
        values   = ["true"]
      }
    }
    ```
    ```yaml
    Condition:
      Bool:
        aws:MultiFactorAuthPresent: "true"
    ```
    """

    id = "MFA-001"
    name = "privileged-role-without-mfa"
    severity = Severity.HIGH
    practice = 4
    yields_to = ("SEG-007", "EXT-001")
    compliance = {
        Framework.CIS: ("1.10", "1.9", "2.10"),
        Framework.NIST: ("IA-2(1)", "IA-2(2)", "AC-6(5)"),
        Framework.ISO: ("A.8.5", "A.8.2"),
        Framework.WELL_ARCHITECTED: ("SEC02-BP01", "SEC03-BP02"),
    }
    equivalents = {
        "kics": (
            "09c35abf-5852-4622-ac7a-b987b331232e",
            "85138beb-ce7c-4ca3-a09f-e8fbcc57ddd7",
        ),
        "regula": ("FG_R00255",),
    }
    references = (
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_mfa_configure-api-require.html",
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_create_for-user.html",
    )

    def check_principal(self, principal: Principal, graph: Graph) -> Iterator[Finding]:
        trust = principal.trust
        if trust is None or principal.is_service_linked or principal.is_from_identity_center:
            return
        open_grants = _without_mfa(principal, graph)
        if not open_grants or denies_without_mfa(trust.document) is Truth.YES:
            return
        standing = graph.standing(principal)
        if standing is Standing.SENSITIVE and not changes_sensitive(principal, graph):
            standing = Standing.ORDINARY
        if standing is Standing.ORDINARY:
            return
        severity = Severity.HIGH if standing.is_administrative else Severity.MEDIUM
        if principal.is_listed(graph.settings.break_glass_roles):
            severity = Severity.CRITICAL
        for grant, truth, names in open_grants:
            whom = grant.principal.pattern
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
            yield self.finding(
                f"{whom}{more} may assume {principal.label}, {standing.describe()}, "
                "without a second factor",
                on=principal,
                at=grant.principal.span,
                severity=severity,
                confidence=_confidence(grant, truth, standing),
                related=((principal.resource.header, "the role"),),
                hint="add the condition Bool aws:MultiFactorAuthPresent = true to this statement",
                causes=(grant.statement.span,),
                assumptions=(*grant.statement.assumptions, *whom.assumptions),
            )


def _confidence(grant: Grant, truth: Truth, standing: Standing) -> Confidence:
    """Accounts of an organization that get an ordinary job done are most often machines."""
    if truth is not Truth.YES:
        return Confidence.LOW
    is_user = ":user/" in grant.principal.pattern.text
    if is_user or standing.is_administrative:
        return Confidence.HIGH
    return Confidence.LOW if requires_organization(grant.statement) else Confidence.MEDIUM


def _without_mfa(principal: Principal, graph: Graph) -> list[tuple[Grant, Truth, set[str]]]:
    """Grants to people without a second factor, the surest one of each statement.

    With all that the statement names.
    """
    found: dict[int, tuple[Grant, Truth, set[str]]] = {}
    for grant in grants(principal.trust, graph.accounts):
        statement = grant.statement
        people = min(admits_people(grant), asks_for_mfa(statement).negated())
        if people is Truth.NO or requires_external_id(statement):
            continue
        if graph.settings.no_users and _is_own_account(grant):
            continue
        held = found.get(id(statement))
        names = held[2] if held is not None else set()
        names.add(grant.principal.pattern.text)
        if held is None or people > held[1]:
            found[id(statement)] = (grant, people, names)
    return list(found.values())


def _is_own_account(grant: Grant) -> bool:
    """Whether it lets in whoever an account of one's own has; not the one user that it names."""
    is_own = grant.ownership in (Ownership.OWN, Ownership.ORGANIZATION)
    return is_own and ":user/" not in grant.principal.pattern.text
