"""Whom the policy of a KMS key lets in, and as what.

The `Resource` of a key policy is the key, so `*` says nothing. The account's root stands for
whoever its IAM policies let; every other principal gets the key without asking IAM.

https://docs.aws.amazon.com/kms/latest/developerguide/key-policies.html
"""

from __future__ import annotations

from enum import Enum
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from iam_preflight.graph.accounts import Ownership, account_of
from iam_preflight.graph.model import Principal
from iam_preflight.graph.trust import grants, is_positive, is_whole_account
from iam_preflight.knowledge.policy_services import service_of_type
from iam_preflight.policy.document import DocumentUse
from iam_preflight.policy.scope import Strength
from iam_preflight.values import Known, Unknown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.model import Graph, Policy
    from iam_preflight.policy.document import Pattern, PrincipalPattern
    from iam_preflight.policy.openness import Opening

VIA = ("kms:viaservice", "kms:encryptioncontext", "kms:grantisforawsresource")
"""Conditions, by their start, that leave only what a service does on somebody's behalf."""

PERSONS = ("aws:principalarn", "aws:userid", "aws:username", "aws:principaltag/")
"""Conditions, by their start, that tell principals of an account apart."""


class KeyHolder(Enum):
    """What a principal of a key policy stands for."""

    ROOT = "the account, by its IAM policies"
    EVERYONE = "everyone"
    ACCOUNT = "everyone in the account"
    SERVICE = "a service"
    WORKLOAD = "a workload"
    NAMED = "a named principal"
    OTHER_ACCOUNT = "another account"
    UNKNOWN = "somebody who is not known before deploy"


def is_key_policy(policy: Policy) -> bool:
    return (
        policy.use is DocumentUse.RESOURCE
        and not policy.is_composed
        and service_of_type(policy.resource.type) == "kms"
    )


def key_holders(
    opening: Opening, policy: Policy, graph: Graph
) -> Iterator[tuple[PrincipalPattern | None, KeyHolder]]:
    """The principals of a statement that allows something; None for `NotPrincipal`."""
    if opening.statement.is_not_principal:
        yield None, KeyHolder.EVERYONE
        return
    for principal in opening.statement.principals:
        yield principal, _key_holder(principal, opening, policy, graph)


def _key_holder(
    principal: PrincipalPattern, opening: Opening, policy: Policy, graph: Graph
) -> KeyHolder:
    if principal.kind == "Service":
        return KeyHolder.SERVICE
    account = account_of(principal.pattern)
    conditions = opening.statement.conditions
    if principal.kind == "*" or account == "*":
        if any(c.key_name.startswith(PERSONS) and is_positive(c) for c in conditions):
            return KeyHolder.NAMED
        is_open = any(
            admission.statement is opening.statement
            for admission in graph.admissions.everyone(policy)
        )
        return KeyHolder.EVERYONE if is_open else KeyHolder.ACCOUNT
    if is_whole_account(principal):
        owner = graph.accounts.ownership(principal.pattern)
        is_other = graph.accounts.is_known and owner in (Ownership.EXTERNAL, Ownership.TRUSTED)
        if owner is Ownership.UNKNOWN:
            is_other = _is_beside_the_owner(principal, opening, policy, graph)
        return KeyHolder.OTHER_ACCOUNT if is_other else KeyHolder.ROOT
    known = principal_of(principal.pattern, policy, graph)
    if known is not None:
        return KeyHolder.WORKLOAD if _is_workload(known, graph) else KeyHolder.NAMED
    is_hole = isinstance(account, Unknown) and len(principal.pattern.parts) == 1
    return KeyHolder.UNKNOWN if is_hole or account is None else KeyHolder.NAMED


def _is_beside_the_owner(
    principal: PrincipalPattern, opening: Opening, policy: Policy, graph: Graph
) -> bool:
    """Whether an account that nobody knows yet is not the key's own.

    Nobody gives a part of it to the account that has the whole key by another statement.
    """
    if opening.about.has_all_of("kms"):
        return False
    owners = {
        other.pattern.text
        for one in graph.exposures.openings.of(policy.document)
        if one.about.has_all_of("kms") and not one.is_conditional
        for other in one.statement.principals
        if is_whole_account(other)
    }
    return bool(owners) and principal.pattern.text not in owners


def principal_of(pattern: Pattern, policy: Policy, graph: Graph) -> Principal | None:
    """The principal of the code that an ARN or a reference names."""
    reference = pattern.reference
    if reference is not None:
        where = reference.deployment or policy.resource.deployment.path
        found = graph.lookup.at(where, reference.address, Principal)
        if found is not None:
            return found
    return graph.lookup.find(Known(pattern.text, pattern.span), Principal, policy.resource)


def is_administrator(pattern: Pattern, policy: Policy, graph: Graph) -> bool:
    """Whether a principal is there to administer: by the settings, its policies or its name."""
    settings = graph.settings
    listed = (*settings.admin_roles, *settings.break_glass_roles, *settings.security_admins)
    known = principal_of(pattern, policy, graph)
    if known is not None and (known.is_listed(listed) or graph.powers.is_admin(known)):
        return True
    text = pattern.text
    name = text.rpartition("/")[2]
    return "admin" in name.lower() or any(fnmatchcase(t, p) for t in (text, name) for p in listed)


def _is_workload(principal: Principal, graph: Graph) -> bool:
    """Whether only services take the role."""
    found = list(grants(principal.trust, graph.accounts))
    return bool(found) and all(grant.is_service for grant in found)


def is_on_behalf(opening: Opening, action: str) -> bool:
    """Whether a condition leaves an action only to what a service does for its callers."""
    return any(
        judgement.strength >= Strength.SCOPE and judgement.condition.key_name.startswith(VIA)
        for judgement in opening.judgements(action)
    )
