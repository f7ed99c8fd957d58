from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.findings import Confidence, Finding, Framework, Severity
from iam_preflight.graph.credentials import CredentialKind
from iam_preflight.graph.mfa import (
    admits_people,
    asks_for_mfa,
    broad_without_mfa,
    denies_without_mfa,
    mfa_actions,
)
from iam_preflight.graph.model import PrincipalKind
from iam_preflight.graph.trust import grants, requires_external_id
from iam_preflight.policy.truth import Truth
from iam_preflight.rules import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.model import Graph, Principal
    from iam_preflight.policy.effective import Grant
    from iam_preflight.source import Span


class DestructiveActionsWithoutMfa(Rule):
    """People may do what cannot be undone without a second factor.

    ## What it checks
    Groups, users who are not machines, and roles that people assume, which may delete or hand
    over things on every resource (keys, databases, buckets, trails, instances, users) while
    neither the policies nor the way to the role ask for a second factor.

    Told elsewhere and left out here: users with a console password (MFA-003) and privileged
    roles (MFA-001). Users with an access key are taken for machines. Principals of identity
    providers and of IAM Identity Center prove their second factor there.

    ## Why it matters
    One phished password or copied key and the data is gone, keys and backups included.

    ## How to fix
    Add a Deny with `BoolIfExists aws:MultiFactorAuthPresent = false` for these actions to the
    group.

    ## Example
    ```hcl
    statement {
      effect    = "Deny"
      actions   = ["kms:ScheduleKeyDeletion", "rds:DeleteDB*", "s3:DeleteBucket*"]
      resources = ["*"]
      condition {
        test     = "BoolIfExists"
        variable = "aws:MultiFactorAuthPresent"
        values   = ["false"]
      }
    }
    ```
    """

    id = "MFA-004"
    name = "destructive-actions-without-mfa"
    severity = Severity.MEDIUM
    practice = 4
    yields_to = ("MFA-001",)
    compliance = {
        Framework.NIST: ("IA-2(1)", "AC-6(5)"),
        Framework.ISO: ("A.8.5", "A.8.18"),
        Framework.WELL_ARCHITECTED: ("SEC02-BP01", "SEC03-BP02"),
    }
    equivalents = {"pmapper": ("gen_mfa_actions_findings",)}
    references = (
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_mfa_configure-api-require.html",
    )

    def check_principal(self, principal: Principal, graph: Graph) -> Iterator[Finding]:
        people, causes = _people(principal, graph)
        if people is Truth.NO:
            return
        effective = graph.effective(principal)
        found: list[Grant] = []
        for action in mfa_actions().destructive:
            if action in effective.possible:
                grant = broad_without_mfa(effective, action)
                if grant is not None:
                    found.append(grant)
        if not found:
            return
        first = found[0]
        more = f" and {len(found) - 1} more like it" if len(found) > 1 else ""
        place = first.action_place
        for attachment in principal.held():
            if attachment.policy.document is first.document:
                is_here = attachment.policy in graph.policies
                place = place if is_here else attachment.place
                break
        yield self.finding(
            f"{principal.label} may {first.action}{more} without a second factor",
            on=principal,
            at=place,
            confidence=Confidence.HIGH if people is Truth.YES else Confidence.LOW,
            related=((principal.resource.header, f"the {principal.kind.value}"),),
            hint="add a Deny with BoolIfExists aws:MultiFactorAuthPresent = false "
            "for what cannot be undone",
            evidence=principal.name.text,
            causes=causes,
            assumptions=graph.permissions.assumptions(principal, [first.document]),
        )


def _people(principal: Principal, graph: Graph) -> tuple[Truth, tuple[Span, ...]]:
    """Whether people act as it without a second factor, and what makes it so."""
    header = (principal.resource.header,)
    match principal.kind:
        case PrincipalKind.GROUP:
            return Truth.YES, header
        case PrincipalKind.USER:
            kinds = {credential.kind for credential in graph.credentials.of(principal)}
            is_told = kinds & {CredentialKind.PASSWORD, CredentialKind.ACCESS_KEY}
            is_alone = not principal.memberships and bool(principal.attachments)
            return Truth.of(not is_told and is_alone), header
        case PrincipalKind.ROLE if not principal.is_from_identity_center:
            return _admitted(principal, graph)
        case _:
            return Truth.NO, ()


def _admitted(role: Principal, graph: Graph) -> tuple[Truth, tuple[Span, ...]]:
    trust = role.trust
    if trust is None or denies_without_mfa(trust.document) is Truth.YES:
        return Truth.NO, ()
    open_to = [
        grant
        for grant in grants(trust, graph.accounts)
        if ":user/" in grant.principal.pattern.text
        and not requires_external_id(grant.statement)
        and asks_for_mfa(grant.statement) is Truth.NO
    ]
    truth = max((admits_people(grant) for grant in open_to), default=Truth.NO)
    return truth, tuple(grant.statement.span for grant in open_to)
