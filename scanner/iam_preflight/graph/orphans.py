"""Identities and policies that nobody uses.

Each kind is used in its own way: a group by its members, a user by what it holds, a policy by
those who hold it, a permission set by its assignments, a role by whoever may assume it.
"""

from __future__ import annotations

import functools
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from msgspec import Struct

from iam_preflight.findings import Confidence
from iam_preflight.graph.mentions import Mentions
from iam_preflight.graph.model import Origin, Principal, PrincipalKind
from iam_preflight.graph.trust import grants
from iam_preflight.policy.document import DocumentUse, Resolution
from iam_preflight.values import Reason, Unknown, items_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.model import Graph, Policy
    from iam_preflight.resources import Resource
    from iam_preflight.values import Value

ASSIGNMENT = "aws_ssoadmin_account_assignment"
PROFILE = "aws_iam_instance_profile"
_MEMBERSHIPS = ("aws_iam_group_membership", "aws_iam_user_group_membership")
_TIES = (
    "aws_iam_role_policy",
    "aws_iam_role_policy_attachment",
    "aws_iam_user_policy",
    "aws_iam_user_policy_attachment",
    "aws_iam_group_policy",
    "aws_iam_group_policy_attachment",
    "aws_iam_group_membership",
    "aws_iam_policy_attachment",
    "aws_ssoadmin_managed_policy_attachment",
    "aws_ssoadmin_customer_managed_policy_attachment",
    "aws_ssoadmin_permission_set_inline_policy",
    "aws_ssoadmin_permissions_boundary_attachment",
)
"""What ties policies to principals: it does not show that anybody uses them."""


class Orphan(Struct, frozen=True):
    resource: Resource
    what: str
    """`group admins has no members`."""
    cure: str
    confidence: Confidence = Confidence.HIGH
    is_usual: bool = False
    """Something outside of the code often uses it: for those who want hygiene."""
    principal: Principal | None = None


class Orphans:
    """What nobody in the code uses; files are looked at only for what seems to be one."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._mentions = Mentions(graph, (resource.span for resource in graph.of_type(*_TIES)))
        # whoever fills one group or attaches one policy in the code does so with all of them
        self._with_members = {resource.deployment.path for resource in graph.of_type(*_MEMBERSHIPS)}
        self._with_attachments = {
            policy.resource.deployment.path
            for policy in graph.policies
            if policy.origin is Origin.CUSTOMER_MANAGED and policy.is_attached
        }
        self._attached_outside = {id(one.policy) for one in graph.outside}

    def __iter__(self) -> Iterator[Orphan]:
        for principal in self._graph.principals:
            resource = principal.resource
            if resource.deployment.is_library or self._is_exported(principal):
                continue
            match principal.kind:
                case PrincipalKind.GROUP:
                    yield from self._group(principal)
                case PrincipalKind.USER:
                    yield from self._user(principal)
                case PrincipalKind.ROLE:
                    yield from self._role(principal)
                case PrincipalKind.PERMISSION_SET:
                    yield from self._permission_set(principal)
        for policy in self._graph.policies:
            if policy.origin is Origin.CUSTOMER_MANAGED:
                yield from self._policy(policy)
        for profile in self._graph.of_type(PROFILE):
            if profile.get("role") is None and not profile.deployment.is_library:
                yield Orphan(
                    profile, f"instance profile {profile.block} has no role", "give it one"
                )

    def _is_exported(self, principal: Principal) -> bool:
        return principal.is_listed(self._graph.settings.exported)

    # ---- each kind

    def _group(self, group: Principal) -> Iterator[Orphan]:
        if group.memberships or {group, None} & self._filled:
            return
        is_spoken_of = self._mentions.has(group.resource)
        yield Orphan(
            group.resource,
            f"{group.label} has no members",
            "add its members, or delete it",
            Confidence.LOW if is_spoken_of else Confidence.MEDIUM,
            is_usual=group.resource.deployment.path not in self._with_members,
            principal=group,
        )

    @functools.cached_property
    def _filled(self) -> set[Principal | None]:
        """Groups that a membership fills with users who are not in the code; None is any group."""
        by_group, by_user = _MEMBERSHIPS
        filled: set[Principal | None] = set()
        for resource in self._graph.of_type(by_group):
            named = self._graph.principal_named(resource, "group")
            if named is not None and any(True for _ in items_of(resource.get("users"))):
                filled.add(named)
            elif named is None and _may_be_any(resource.get("group")):
                filled.add(None)
        for resource in self._graph.of_type(by_user):
            for _, item in items_of(resource.get("groups")):
                found = self._graph.lookup.find(item, Principal, resource)
                if found is not None or _may_be_any(item):
                    filled.add(found)
        return filled

    def _user(self, user: Principal) -> Iterator[Orphan]:
        holds = bool(user.attachments or user.memberships or user.unresolved)
        if holds or self._graph.credentials.has_unknown_groups(user):
            return
        if self._graph.credentials.of(user) or self._mentions.has(user.resource):
            return
        yield Orphan(
            user.resource,
            f"{user.label} has no permissions, no group and no credentials",
            "delete it",
            Confidence.MEDIUM,
            principal=user,
        )

    def _role(self, role: Principal) -> Iterator[Orphan]:
        trust = role.trust
        if trust is None or role.is_service_linked:
            return
        document = trust.document
        if document.resolution is Resolution.NONE or document.lost:
            return
        if not any(statement.is_not_principal for statement in document.statements) and not any(
            True for _ in grants(trust, self._graph.accounts)
        ):
            yield Orphan(
                role.resource,
                f"nobody can assume {role.label}",
                "let somebody assume it, or delete it",
                principal=role,
            )

    def _permission_set(self, permission_set: Principal) -> Iterator[Orphan]:
        if {permission_set, None} & self._assigned:
            return
        if self._mentions.has(permission_set.resource):
            return
        yield Orphan(
            permission_set.resource,
            f"{permission_set.label} is assigned to nobody",
            "assign it, or delete it",
            Confidence.MEDIUM,
            is_usual=not self._assigned,
            principal=permission_set,
        )

    @functools.cached_property
    def _assigned(self) -> set[Principal | None]:
        """Permission sets that are assigned to somebody; None is one that nobody can tell."""
        assigned: set[Principal | None] = set()
        for resource in self._graph.of_type(ASSIGNMENT):
            value = resource.get("permission_set_arn")
            found = [one for _, one, _ in self._graph.lookup.find_all(value, Principal, resource)]
            assigned.update(found or [None])
        return assigned

    def _policy(self, policy: Policy) -> Iterator[Orphan]:
        resource = policy.resource
        is_used = policy.attachments or policy.bounds or id(policy) in self._attached_outside
        if is_used or policy.is_boundary or policy.use is not DocumentUse.IDENTITY:
            return
        if resource.deployment.is_library or any(
            fnmatchcase(policy.name, pattern) for pattern in self._graph.settings.exported
        ):
            return
        if self._mentions.has(resource, in_ties=True):
            return
        yield Orphan(
            resource,
            f"policy {resource.block} is attached to nothing",
            "attach it, or delete it",
            Confidence.MEDIUM,
            is_usual=resource.deployment.path not in self._with_attachments,
        )


def _may_be_any(value: Value | None) -> bool:
    """Whether a value may name anything; what refers to nothing does not."""
    return isinstance(value, Unknown) and value.reason is not Reason.MISSING
