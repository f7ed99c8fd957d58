"""What ties principals to policies, groups and boundaries: the edges of the graph."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from iam_preflight.graph.arns import iam_arn
from iam_preflight.graph.model import (
    Attachment,
    Boundary,
    Membership,
    Origin,
    OutsideAttachment,
    Policy,
    Principal,
    PrincipalKind,
)
from iam_preflight.graph.records import is_written
from iam_preflight.graph.tags import Tags
from iam_preflight.policy.document import DocumentUse, pattern_from
from iam_preflight.policy.match import as_glob
from iam_preflight.policy.read import read_policy
from iam_preflight.values import (
    Reason,
    Unknown,
    Value,
    arms_of,
    blocks_of,
    is_null,
    items_of,
    show,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.nodes import Nodes
    from iam_preflight.resources import Resource
    from iam_preflight.source import Span
    from iam_preflight.values import Assumptions

_AWS_MANAGED = re.compile(r"arn:[^:]*:iam::aws:policy/(.+)")


class Joins:
    """Joins the nodes, and keeps what they are joined to that no resource makes."""

    def __init__(self, nodes: Nodes) -> None:
        self._nodes = nodes
        self.managed: dict[str, Policy] = {}
        """AWS-managed policies by their names."""
        self.outside: list[OutsideAttachment] = []
        self.elsewhere: dict[tuple[str, PrincipalKind, str], Principal] = {}
        """By deployment, kind and what the code calls them."""
        for resource in nodes.resources:
            with nodes.kept_to(resource):
                self._join(resource)
        self._add_boundaries()

    def _policies_of(
        self, value: Value | None, resource: Resource
    ) -> Iterator[tuple[Assumptions, Policy | Unknown, Span]]:
        """The managed policies that a value (or list) of ARNs names; a hole where unknown."""
        for given, item in items_of(value):
            found = self._nodes.lookup.find(item, Policy, resource)
            if found is not None:
                yield given, found, item.span
                continue
            pattern = pattern_from(item, given)
            text = as_glob(pattern, "") if pattern is not None else ""
            match = _AWS_MANAGED.fullmatch(text)
            if match:
                yield given, self._aws_managed(match[1], resource, item.span), item.span
            elif isinstance(item, Unknown):
                yield given, item, item.span
            elif pattern is not None:
                label = pattern.text
                yield given, Unknown(Reason.MISSING, label, item.span), item.span

    def _aws_managed(self, name: str, resource: Resource, place: Span) -> Policy:
        policy = self.managed.get(name)
        if policy is None:
            from iam_preflight.knowledge.managed import managed_policy

            document = managed_policy(name)
            if document is None:
                hole = Unknown(Reason.MISSING, f"AWS-managed policy {name}", place)
                document = read_policy(hole)
            policy = Policy(document, DocumentUse.IDENTITY, resource, "", Origin.AWS_MANAGED, name)
            self.managed[name] = policy
        return policy

    def _join(self, resource: Resource) -> None:
        """What one resource ties together: attachments, memberships, trust."""
        if resource.is_data:
            return
        get = resource.get
        match resource.type:
            case "aws_iam_role":
                principal = self._nodes.own_principal(resource)
                if principal is not None:
                    self._attach_all(principal, get("managed_policy_arns"), resource)
                self._trust(resource)
            case "aws_iam_role_policy":
                self._hold_own(resource, PrincipalKind.ROLE, "role")
            case "aws_iam_user_policy":
                self._hold_own(resource, PrincipalKind.USER, "user")
            case "aws_iam_group_policy":
                self._hold_own(resource, PrincipalKind.GROUP, "group")
            case "aws_ssoadmin_permission_set_inline_policy":
                self._hold_own(resource, PrincipalKind.PERMISSION_SET, "permission_set_arn")
            case "aws_iam_role_policy_attachment":
                self._attach_to(resource, PrincipalKind.ROLE, "role", get("policy_arn"))
            case "aws_iam_user_policy_attachment":
                self._attach_to(resource, PrincipalKind.USER, "user", get("policy_arn"))
            case "aws_iam_group_policy_attachment":
                self._attach_to(resource, PrincipalKind.GROUP, "group", get("policy_arn"))
            case "aws_iam_policy_attachment":
                self._attach_to(resource, PrincipalKind.ROLE, "roles", get("policy_arn"))
                self._attach_to(resource, PrincipalKind.USER, "users", get("policy_arn"))
                self._attach_to(resource, PrincipalKind.GROUP, "groups", get("policy_arn"))
            case "aws_iam_role_policy_attachments_exclusive":
                self._attach_to(resource, PrincipalKind.ROLE, "role_name", get("policy_arns"))
            case "aws_iam_user_policy_attachments_exclusive":
                self._attach_to(resource, PrincipalKind.USER, "user_name", get("policy_arns"))
            case "aws_iam_group_policy_attachments_exclusive":
                self._attach_to(resource, PrincipalKind.GROUP, "group_name", get("policy_arns"))
            case "aws_ssoadmin_managed_policy_attachment":
                self._attach_to(
                    resource,
                    PrincipalKind.PERMISSION_SET,
                    "permission_set_arn",
                    get("managed_policy_arn"),
                )
            case "aws_ssoadmin_managed_policy_attachments_exclusive":
                self._attach_to(
                    resource,
                    PrincipalKind.PERMISSION_SET,
                    "permission_set_arn",
                    get("managed_policy_arns"),
                )
            case (
                "aws_ssoadmin_customer_managed_policy_attachment"
                | "aws_ssoadmin_customer_managed_policy_attachments_exclusive"
            ):
                self._attach_customer_managed(resource)
            case "aws_iam_group_membership":
                self._members(resource, get("group"), get("users"))
            case "aws_iam_user_group_membership":
                self._members(resource, get("groups"), get("user"))

    def _attach_all(self, principal: Principal, arns: Value | None, resource: Resource) -> None:
        for given, found, place in self._policies_of(arns, resource):
            assumptions = (*resource.assumptions, *given)
            if isinstance(found, Policy):
                if resource.is_recorded and principal.recorded is not None:
                    principal.recorded.attachments.append(Attachment(principal, found, place))
                    if any(attachment.policy is found for attachment in principal.attachments):
                        continue
                principal.hold(found, place, assumptions)
            else:
                principal.unresolved.append((place, found))

    def _attach_to(
        self, resource: Resource, kind: PrincipalKind, attribute: str, arns: Value | None
    ) -> None:
        value = resource.get(attribute)
        found = [principal for _, principal, _ in self._nodes.principals_of(value, kind, resource)]
        for principal in found:
            self._attach_all(principal, arns, resource)
        for principal in self._elsewhere(value, kind, resource):
            for given, policy, place in self._policies_of(arns, resource):
                if isinstance(policy, Policy):
                    assumptions = (*resource.assumptions, *given)
                    principal.attachments.append(Attachment(principal, policy, place, assumptions))
                else:
                    principal.unresolved.append((place, policy))
        if not found and any(True for _ in items_of(value)):
            for given, policy, place in self._policies_of(arns, resource):
                if isinstance(policy, Policy):
                    assumptions = (*resource.assumptions, *given)
                    outside = OutsideAttachment(kind, policy, resource, place, assumptions)
                    self.outside.append(outside)

    def _hold_own(self, resource: Resource, kind: PrincipalKind, attribute: str) -> None:
        """An inline policy resource: its document is held by the principal that it names."""
        value = resource.get(attribute)
        for policy in self._nodes.texts_of(resource):
            for given, principal, place in self._nodes.principals_of(value, kind, resource):
                if resource.is_recorded and principal.recorded is not None:
                    principal.recorded.attachments.append(Attachment(principal, policy, place))
                    if is_written(principal, policy):
                        continue
                principal.hold(policy, place, (*resource.assumptions, *given))
            for principal in self._elsewhere(value, kind, resource):
                attachment = Attachment(principal, policy, resource.header, resource.assumptions)
                principal.attachments.append(attachment)

    def _elsewhere(
        self, value: Value | None, kind: PrincipalKind, resource: Resource
    ) -> Iterator[Principal]:
        """The principals that a value (or list) names and that the code does not make."""
        if resource.is_recorded:
            return
        for given, item in items_of(value):
            name = pattern_from(item, given)
            if name is None or self._nodes.lookup.find(item, Principal, resource) is not None:
                continue
            key = (resource.deployment.path, kind, show(item))
            known = self.elsewhere.get(key)
            if known is None:
                account = resource.provider.account_id
                known = self.elsewhere[key] = Principal(
                    kind=kind,
                    resource=resource,
                    name=name,
                    path="/",
                    arn=iam_arn(resource, kind.arn_type, "/", name, account),
                    tags=Tags({}, {}, is_complete=False),
                    account=account,
                    is_elsewhere=True,
                )
            yield known

    def _attach_customer_managed(self, resource: Resource) -> None:
        value = resource.get("customer_managed_policy_reference")
        sets = self._nodes.principals_of(
            resource.get("permission_set_arn"), PrincipalKind.PERMISSION_SET, resource
        )
        for _, principal, _ in sets:
            for _, block in blocks_of(value):
                name = block.get("name")
                found = (
                    self._nodes.lookup.find(name, Policy, resource) if name is not None else None
                )
                if found is not None:
                    principal.hold(found, block.span, resource.assumptions)
                elif name is not None:
                    hole = Unknown(Reason.MISSING, f"policy {show(name)}", block.span)
                    principal.unresolved.append((block.span, hole))

    def _members(self, resource: Resource, groups: Value | None, users: Value | None) -> None:
        for _, group, _ in self._nodes.principals_of(groups, PrincipalKind.GROUP, resource):
            for _, user, place in self._nodes.principals_of(users, PrincipalKind.USER, resource):
                membership = Membership(user, group, place)
                user.memberships.append(membership)
                group.memberships.append(membership)

    def _trust(self, resource: Resource) -> None:
        principal = self._nodes.own_principal(resource)
        if principal is None:
            return
        for policy in self._nodes.texts_of(resource):
            if policy.use is DocumentUse.TRUST:
                if principal.recorded is not None and resource.is_recorded:
                    principal.recorded.trust = policy
                    continue
                principal.trust = policy
                policy.attachments.append(Attachment(principal, policy, resource.header))

    def _add_boundaries(self) -> None:
        for principal in self._nodes.principals:
            with self._nodes.kept_to(principal.resource):
                value = principal.resource.get("permissions_boundary")
                if value is not None:
                    self._bound(principal, value, principal.resource)
        for resource in self._nodes.resources:
            if resource.type == "aws_ssoadmin_permissions_boundary_attachment":
                with self._nodes.kept_to(resource):
                    self._bound_set(resource)

    def _bound_set(self, resource: Resource) -> None:
        for _, principal, _ in self._nodes.principals_of(
            resource.get("permission_set_arn"), PrincipalKind.PERMISSION_SET, resource
        ):
            for _, block in blocks_of(resource.get("permissions_boundary")):
                arn = block.get("managed_policy_arn")
                if arn is not None and not is_null(arn):
                    self._bound(principal, arn, resource)
                for _, inner in blocks_of(block.get("customer_managed_policy_reference")):
                    name = inner.get("name")
                    if name is not None:
                        self._bound(principal, name, resource)

    def _bound(self, principal: Principal, value: Value, resource: Resource) -> None:
        for _, found, place in self._policies_of(value, resource):
            policy = found if isinstance(found, Policy) else None
            principal.boundary = Boundary(value, policy, place, _absence(value, principal))
            if policy is not None:
                policy.bounds.append(principal)
                policy.is_boundary = True


def _absence(value: Value, principal: Principal) -> Assumptions:
    """With what an attribute of a principal is null; nothing where it never is."""
    for given, arm in arms_of(value, principal.resource.assumptions):
        if is_null(arm):
            return given
    return ()
