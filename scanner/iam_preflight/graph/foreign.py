"""What resource policies, and what amounts to them, give to accounts of other companies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from iam_preflight.findings import Severity
from iam_preflight.graph.accounts import Ownership, account_of
from iam_preflight.graph.admission import LEVELS
from iam_preflight.graph.trust import (
    admitted,
    is_whole_account,
    positive_values,
    requires_organization,
)
from iam_preflight.knowledge.catalog import AccessLevel
from iam_preflight.knowledge.policy_services import open_severity
from iam_preflight.policy.denials import Denials
from iam_preflight.policy.document import DocumentUse
from iam_preflight.resources import Framework, Resource
from iam_preflight.values import bool_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.model import Graph, Policy
    from iam_preflight.policy.document import Pattern, PrincipalPattern, Statement
    from iam_preflight.values import Assumptions

_NOBODY = "0" * 12
_SERVICE_KEYS = ("aws:sourcearn", "aws:sourceaccount", "aws:sourceorgid", "aws:sourceorgpaths")
_EVERY_KEY_ACTION = frozenset({"kms:*", "*"})


class ForeignGrant(Struct, frozen=True):
    """That a statement gives something to a principal of another company's account."""

    policy: Policy
    statement: Statement
    principal: PrincipalPattern
    account: str
    ownership: Ownership

    @property
    def assumptions(self) -> Assumptions:
        return (*self.statement.assumptions, *self.principal.pattern.assumptions)


def foreign_grants(policy: Policy, graph: Graph) -> Iterator[ForeignGrant]:
    """What a resource policy gives to accounts that it names and that are not the company's."""
    if policy.use is not DocumentUse.RESOURCE or _stays_inside(policy, graph):
        return
    own = _own_accounts(policy)
    denials = Denials(policy.document)
    for written in policy.document.statements:
        if not written.is_allow or written.is_not_principal:
            continue
        for statement, principal in admitted(written, denials, _given):
            if requires_organization(statement, graph.settings.organization_ids):
                continue
            if _is_for_services(statement):
                continue
            account = account_of(principal.pattern) if principal.kind == "AWS" else None
            if not isinstance(account, str) or account in own or account == _NOBODY:
                continue
            ownership = graph.accounts.of_id(account)
            if ownership.is_outside:
                yield ForeignGrant(policy, statement, principal, account, ownership)


def _given(statement: Statement, _: PrincipalPattern) -> tuple[Pattern, ...] | None:
    """The actions of a statement, the same for all of its principals; None for nearly all."""
    return None if statement.is_not_action else statement.actions


def _is_for_services(statement: Statement) -> bool:
    """Whether it asks for what only requests of AWS services carry."""
    return any(any(positive_values(statement, key)) for key in _SERVICE_KEYS)


def _own_accounts(policy: Policy) -> frozenset[str]:
    """Accounts that the resource is in, by what its own policy says.

    A resource's ARN has its account, and every key policy names the key's account as a whole,
    unless the provider says that the key is in another one.
    """
    found: set[str] = set()
    keepers: set[str] = set()
    for statement in policy.document.statements:
        for pattern in statement.resources:
            fields = pattern.text.split(":")
            if len(fields) > 5 and fields[4].isdigit():
                found.add(fields[4])
        if statement.is_allow and any(p.text in _EVERY_KEY_ACTION for p in statement.actions):
            keepers.update(
                str(account_of(principal.pattern))
                for principal in statement.principals
                if is_whole_account(principal)
            )
    where = policy.resource.provider.account_ids
    is_elsewhere = bool(where) and keepers.isdisjoint(where)
    if "kms" in policy.resource.type.lower() and len(keepers) == 1 and not is_elsewhere:
        found |= keepers
    return frozenset(found)


def _stays_inside(policy: Policy, graph: Graph) -> bool:
    """Whether a share of AWS RAM is kept to the organization."""
    resource = policy.resource
    if resource.type != "aws_ram_principal_association":
        return False
    share = resource.get("resource_share_arn")
    found = graph.lookup.find(share, Resource, resource) if share is not None else None
    if found is None or found.type != "aws_ram_resource_share":
        return False
    is_open = bool_of(found.get("allow_external_principals"))
    if is_open is None:  # CloudFormation's default is yes, Terraform's no
        return found.deployment.framework is not Framework.CLOUDFORMATION
    return not is_open


def worst_of(grant: ForeignGrant, graph: Graph) -> Severity:
    """How bad a grant is by its worst action: a step milder than if it were to everyone.

    Two steps where a principal of the account is named and may not hand on what it may.
    """
    worst = Severity.INFO
    actions = graph.admissions.actions_of(grant.policy, grant.statement)
    for level, severity in LEVELS.items():
        for action in actions.at_level(level):
            own = open_severity(action)
            worst = max(worst, severity if own is None else Severity[own.upper()])
            if worst is Severity.CRITICAL:
                break
    is_whole = any("*" in pattern.text for pattern in grant.statement.actions)
    manages = bool(actions.at_level(AccessLevel.PERMISSIONS_MANAGEMENT))
    if worst is Severity.CRITICAL and not (
        is_whole or manages or is_whole_account(grant.principal)
    ):
        return worst.lowered(2)
    return worst.lowered()
