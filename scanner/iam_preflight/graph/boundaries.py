"""Whether those who make roles and users must bound them, and which policies are boundaries.

https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html#access_policies_boundaries-delegate
"""

from __future__ import annotations

from enum import IntEnum
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from msgspec import Struct

from iam_preflight.graph.model import Policy
from iam_preflight.policy.context import Context, Presence
from iam_preflight.policy.document import DocumentUse, pattern_from
from iam_preflight.policy.truth import Doubt, Truth
from iam_preflight.values import Known

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from iam_preflight.graph.lookup import Lookup
    from iam_preflight.graph.model import Graph, Principal
    from iam_preflight.policy.document import Condition, Document, Pattern, Statement
    from iam_preflight.policy.effective import Effective, Grant
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
    if not decision.is_possible or (decision.doubt & Doubt.UNKNOWN and decision.missing):
        return False
    if any(reason.doubt & Doubt.UNKNOWN for reason in decision.denied_by):
        return False
    return any(
        reason.truth is Truth.YES or not reason.doubt & Doubt.UNKNOWN
        for reason in decision.allowed_by
        if statement is None or reason.statement is statement
    )


def asked_of(grant: Grant) -> str | Pattern:
    """What to ask a grant about: everything where it is broad, else its widest resource."""
    return "*" if grant.resource is None or grant.breadth is not Truth.NO else grant.resource


# ---- delegation that asks for a boundary


class Kind(Struct, frozen=True):
    """The actions on one kind of principal that boundaries are about."""

    name: str
    make: str
    permit: tuple[str, ...]
    """Give permissions to one that exists."""
    take_over: tuple[str, ...]
    """Decide who uses one that exists."""
    replace: str
    remove: str


ROLES = Kind(
    "roles",
    "iam:CreateRole",
    ("iam:AttachRolePolicy", "iam:PutRolePolicy"),
    ("iam:UpdateAssumeRolePolicy",),
    "iam:PutRolePermissionsBoundary",
    "iam:DeleteRolePermissionsBoundary",
)
USERS = Kind(
    "users",
    "iam:CreateUser",
    ("iam:AttachUserPolicy", "iam:PutUserPolicy"),
    (),
    "iam:PutUserPermissionsBoundary",
    "iam:DeleteUserPermissionsBoundary",
)


class Loophole(IntEnum):
    """How a demanded boundary is got round, the worst last."""

    TAKE_OVER = 0
    """Others are taken over that nobody bounded."""
    PERMIT_INSIDE = 1
    """Permissions go to any of the same names, bounded or not."""
    PERMIT_OUTSIDE = 2
    """Permissions go to others than those that may be made."""
    REPLACE = 3
    """The boundary is replaced by another."""
    REMOVE = 4
    """The boundary is taken off."""


def delegation(effective: Effective, kind: Kind) -> Grant | None:
    """What lets somebody make roles or users, where they must all be given a named boundary."""
    found = list(effective.grants(kind.make))
    if all(demand(effective, kind.make, asked_of(grant)) is Demand.NAMED for grant in found):
        return next(iter(found), None)
    return None


def loopholes(effective: Effective, kind: Kind, made: Grant) -> Iterator[tuple[Loophole, Grant]]:
    """The permissions that make a demanded boundary pointless."""
    named = tuple(_named_boundaries(effective))
    for grant in effective.grants(kind.remove):
        if any(_may_remove(effective, grant, boundary) for boundary in named):
            yield Loophole.REMOVE, grant
    for grant in _unasked(effective, kind.replace):
        yield Loophole.REPLACE, grant
    is_made_everywhere = made.breadth is not Truth.NO
    for action in kind.permit:
        for grant in _unasked(effective, action):
            is_inside = grant.breadth is Truth.NO and not is_made_everywhere
            yield Loophole.PERMIT_INSIDE if is_inside else Loophole.PERMIT_OUTSIDE, grant
    for action in kind.take_over:
        for grant in _unasked(effective, action):
            if grant.breadth is not Truth.NO:
                yield Loophole.TAKE_OVER, grant


def _unasked(effective: Effective, action: str) -> Iterator[Grant]:
    """The grants of an action that do not ask for a named boundary."""
    for grant in effective.grants(action):
        asked = demand(effective, action, asked_of(grant), grant.statement)
        if asked is not Demand.NAMED:
            yield grant


def _may_remove(effective: Effective, grant: Grant, boundary: Pattern) -> bool:
    """Whether the boundary can be taken off where it is the one that was asked for."""
    decision = effective.allows(grant.action, asked_of(grant), Context({KEY: boundary}))
    return decision.is_possible and not any(
        reason.truth is Truth.YES or reason.doubt & Doubt.UNKNOWN for reason in decision.denied_by
    )


def _named_boundaries(effective: Effective) -> Iterator[Pattern]:
    policies = effective.policies
    limits = () if policies.boundary is None else (policies.boundary,)
    control = (document for level in policies.scps for document in level)
    for condition in boundary_conditions((*policies.identity, *limits, *control)):
        yield from condition.values


def boundary_conditions(documents: Iterable[Document]) -> Iterator[Condition]:
    """The conditions on `iam:PermissionsBoundary` in some documents."""
    for document in documents:
        for statement in document.statements:
            for condition in statement.conditions:
                if condition.key_name == KEY:
                    yield condition


# ---- which policies are boundaries


def mark_boundaries(policy: Policy, lookup: Lookup, settings: Settings) -> None:
    """Marks the policies that a policy's conditions ask for as boundary; itself, where the
    settings or its name say so.

    A policy that somebody holds is judged by what it gives, whatever its name.
    """
    for condition in boundary_conditions((policy.document,)):
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


def boundaries_over(principal: Principal) -> Iterator[Pattern]:
    """The ARN of a principal's own boundary, and of those that it must give to others."""
    own = principal.boundary
    if own is not None:
        pattern = own.policy.arn if own.policy is not None else pattern_from(own.value)
        if pattern is not None:
            yield pattern
    documents = {id(a.policy.document): a.policy.document for a in principal.held()}
    yield from boundaries_in(documents.values())


def boundaries_in(documents: Iterable[Document]) -> Iterator[Pattern]:
    """The ARNs of the boundaries that documents ask for by name."""
    for condition in boundary_conditions(documents):
        for value in condition.values:
            if not value.is_known or not set(value.text) & set("*?"):
                yield value
