"""Whether those who make roles and users must bound them, and which policies are boundaries.

https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html#access_policies_boundaries-delegate
"""

from __future__ import annotations

from enum import IntEnum
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from iam_preflight.graph.model import Policy
from iam_preflight.policy.context import Context, Presence
from iam_preflight.policy.document import DocumentUse
from iam_preflight.policy.truth import Doubt, Truth
from iam_preflight.values import Known

if TYPE_CHECKING:
    from collections.abc import Iterable

    from iam_preflight.graph.lookup import Lookup
    from iam_preflight.graph.model import Graph
    from iam_preflight.policy.document import Pattern, Statement
    from iam_preflight.policy.effective import Effective
    from iam_preflight.resources import Resource
    from iam_preflight.settings import Settings

KEY = "iam:permissionsboundary"

_UNBOUNDED = Context({KEY: Presence.ABSENT})
_MADE_UP = Context({KEY: "arn:aws:iam::000000000000:policy/iam-preflight-new"})
_ADMINISTRATOR = Context({KEY: "arn:aws:iam::aws:policy/AdministratorAccess"})


class Demand(IntEnum):
    """What an action on roles or users asks of their permissions boundary."""

    NOTHING = 0
    """It may be done without a boundary."""
    ANY = 1
    """There must be a boundary, whichever."""
    NAMED = 2
    """Only named boundaries will do."""


def demand(
    effective: Effective,
    action: str,
    resource: str | Pattern | None,
    statement: Statement | None = None,
) -> Demand:
    """What the policies ask when an action is used; of one statement's grant where it is given."""
    if _lets(effective, action, resource, _UNBOUNDED, statement):
        return Demand.NOTHING
    for context in (_MADE_UP, _ADMINISTRATOR):
        if _lets(effective, action, resource, context, statement):
            return Demand.ANY
    return Demand.NAMED


def _lets(
    effective: Effective,
    action: str,
    resource: str | Pattern | None,
    context: Context,
    statement: Statement | None,
) -> bool:
    """Whether a request with such a boundary passes; one that hangs on a hole does not.

    A boundary whose ARN is not known yet is one fixed ARN, and none of those that are tried.
    """
    decision = effective.allows(action, resource, context)
    if not decision.is_possible or (decision.doubt & Doubt.HOLE and decision.missing):
        return False
    if any(reason.doubt & Doubt.HOLE for reason in decision.denied_by):
        return False
    return any(
        reason.truth is Truth.YES or not reason.doubt & Doubt.HOLE
        for reason in decision.allowed_by
        if statement is None or reason.statement is statement
    )


def mark_boundaries(policies: Iterable[Policy], lookup: Lookup, settings: Settings) -> None:
    """Marks as boundary the policies that conditions or settings ask for, or whose name says so.

    A policy that somebody holds is judged by what it gives, whatever its name.
    """
    for policy in policies:
        for statement in policy.document.statements:
            for condition in statement.conditions:
                if condition.key_name == KEY:
                    for value in condition.values:
                        named = _policy_of(value, policy.resource, lookup)
                        if named is not None:
                            named.is_boundary = True
        if not policy.attachments and policy.use is DocumentUse.IDENTITY:
            names = (policy.name, policy.resource.name, policy.arn.text if policy.arn else "")
            is_listed = any(fnmatchcase(n, p) for p in settings.boundaries for n in names)
            if is_listed or any("boundary" in name.lower() for name in names):
                policy.is_boundary = True


def _policy_of(value: Pattern, resource: Resource, lookup: Lookup) -> Policy | None:
    reference = value.reference
    if reference is not None:
        where = reference.deployment or resource.deployment.path
        return lookup.at(where, reference.address, Policy)
    return lookup.find(Known(value.text, value.span), Policy, resource)


def boundary_of(graph: Graph) -> Policy | None:
    """The policy that serves as permissions boundary, where the code has just one."""
    found = [policy for policy in graph.policies if policy.is_boundary]
    return found[0] if len(found) == 1 else None
