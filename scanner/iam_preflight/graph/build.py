"""Resources to the graph: who there is, which documents they hold, what runs as whom.

Things are joined by reference first (`aws_iam_role.ci.name` says which role it is) and by name
or ARN second, within one deployment before across several.
"""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING, TypeAlias

from iam_preflight.graph.accounts import account_book
from iam_preflight.graph.arns import join_texts, partition_of
from iam_preflight.graph.attribute_grants import granted_by
from iam_preflight.graph.boundaries import mark_boundaries
from iam_preflight.graph.environments import Environments
from iam_preflight.graph.lookup import Lookup
from iam_preflight.graph.model import (
    Attachment,
    Boundary,
    Graph,
    Membership,
    Origin,
    OutsideAttachment,
    Policy,
    Principal,
    PrincipalKind,
    Workload,
)
from iam_preflight.graph.records import is_written, same_principals, sole_account
from iam_preflight.graph.tags import Tags, tags_of
from iam_preflight.knowledge.policy_blocks import OVERRIDES, POLICY_DOCUMENT, SOURCES
from iam_preflight.knowledge.resource_types import resource_types
from iam_preflight.policy.document import DocumentUse, Pattern, pattern_from
from iam_preflight.policy.match import as_glob
from iam_preflight.policy.read import read_policy
from iam_preflight.resources import Framework, Resource
from iam_preflight.values import (
    Json,
    Known,
    Mapping,
    Reason,
    Reference,
    Text,
    Unknown,
    Value,
    blocks_of,
    is_null,
    items_of,
    show,
    text_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from iam_preflight.policy.document import Document
    from iam_preflight.settings import Settings
    from iam_preflight.source import Span
    from iam_preflight.values import Assumptions

_KINDS = {
    "aws_iam_role": PrincipalKind.ROLE,
    "aws_iam_user": PrincipalKind.USER,
    "aws_iam_group": PrincipalKind.GROUP,
    "aws_ssoadmin_permission_set": PrincipalKind.PERMISSION_SET,
}
_ARN_KIND = {
    PrincipalKind.ROLE: "role",
    PrincipalKind.USER: "user",
    PrincipalKind.GROUP: "group",
    PrincipalKind.PERMISSION_SET: "permissionSet",
}
Documents: TypeAlias = "dict[int, tuple[Value, Document]]"
"""Documents by the identity of the value that they were read from, with the value."""

_AWS_MANAGED = re.compile(r"arn:[^:]*:iam::aws:policy/(.+)")


def build_graph(
    resources: Iterable[Resource],
    settings: Settings,
    today: dt.date | None = None,
    documents: Documents | None = None,
) -> Graph:
    """The graph of a scan. Resources keep the order of the scan; `today` dates conditions.

    Who builds graphs again and again of much the same values gives the `documents` that were
    read before; afterwards they are those of this graph.
    """
    listed = tuple(resources)
    builder = _Builder(listed, settings, documents or {})
    builder.add_principals()
    builder.add_policies()
    builder.add_resources()
    for resource in listed:
        builder.join(resource)
    builder.add_boundaries()
    builder.add_workloads()
    builder.judge_uses()
    if documents is not None:
        documents.clear()
        documents.update(builder.documents)
    return Graph(
        settings=settings,
        resources=listed,
        principals=tuple(builder.principals),
        policies=tuple(builder.policies),
        managed=tuple(builder.managed.values()),
        workloads=tuple(builder.workloads),
        outside=tuple(builder.outside),
        elsewhere=tuple(builder.elsewhere.values()),
        accounts=builder.accounts,
        lookup=builder.lookup,
        today=today or dt.datetime.now(dt.timezone.utc).date(),
    )


class _Builder:
    def __init__(
        self, resources: tuple[Resource, ...], settings: Settings, earlier: Documents
    ) -> None:
        self.resources = resources
        self.settings = settings
        self.accounts = account_book(resources, settings)
        self.environments = Environments(settings)
        self.types = resource_types()
        self.principals: list[Principal] = []
        self.policies: list[Policy] = []
        self.managed: dict[str, Policy] = {}
        self.workloads: list[Workload] = []
        self.outside: list[OutsideAttachment] = []
        self.elsewhere: dict[tuple[str, PrincipalKind, str], Principal] = {}
        """By deployment, kind and what the code calls them."""
        self.lookup = Lookup()
        self.documents: Documents = {}
        self._earlier = dict(earlier)
        self._texts: dict[int, list[Policy]] = {}
        self._account = sole_account(resources)

    # ---- nodes

    def add_principals(self) -> None:
        for resource in self.resources:
            kind = _KINDS.get(resource.type)
            if kind is None or resource.is_data:
                continue
            name = self._name(resource)
            accounts = resource.provider.account_ids
            account = accounts[0] if len(accounts) == 1 else self._account if not accounts else None
            tags = tags_of(resource)
            environment = self.environments.of_resource(resource, tags, account, name.text)
            path = resource.text("path") or "/"
            principal = Principal(
                kind=kind,
                resource=resource,
                name=name,
                path=path,
                arn=_arn(resource, kind, name, path, account),
                tags=tags,
                account=account,
                environment=environment,
            )
            self.principals.append(principal)
        self._join_records()
        for principal in self.principals:
            resource = principal.resource
            names = (principal.arn.text,) if resource.is_recorded else ()
            self.lookup.add(resource, principal, principal.name.text, *names)

    def _join_records(self) -> None:
        """What a snapshot and the code both have is the code's, which remembers the snapshot's."""
        recorded = [one for one in self.principals if one.resource.is_recorded]
        if not recorded:
            return
        coded = [one for one in self.principals if not one.resource.is_recorded]
        same = same_principals(coded, recorded)
        for one in recorded:
            node = same.get(id(one))
            if node is not None:
                node.recorded = one
                self.lookup.add(one.resource, node, one.arn.text)
        self.principals = coded + [one for one in recorded if id(one) not in same]

    def _name(self, resource: Resource) -> Pattern:
        value = resource.get("name")
        pattern = pattern_from(value) if value is not None else None
        if pattern is not None:
            return pattern
        prefix = resource.get("name_prefix")
        reference = Reference(resource.address, "name", resource.deployment.path)
        hole = Unknown(Reason.COMPUTED, f"{resource.address}.name", resource.header, reference)
        start = pattern_from(prefix) if prefix is not None else None
        parts = (*start.parts, hole) if start is not None else (hole,)
        return Pattern(parts, resource.header)

    def add_policies(self) -> None:
        for resource in self.resources:
            for attribute, use in self.types.policy.get(resource.type, {}).items():
                if attribute == "inline_policy" and resource.type == "aws_iam_role":
                    self._inline_blocks(resource)
                    continue
                value = resource.get(attribute)
                if value is None and attribute not in ("policy", "assume_role_policy"):
                    value = _nested(resource, attribute)
                if value is not None and not resource.is_data:
                    self._policy(resource, attribute, value, self._use(resource, use))
            self._composed(resource)
        for resource in self.resources:
            if resource.is_data and resource.type == POLICY_DOCUMENT:
                self._source_document(resource)

    def _composed(self, resource: Resource) -> None:
        """What a resource grants by attributes, as a resource policy."""
        document = granted_by(resource)
        if document is None:
            return
        policy = Policy(
            document=document,
            use=DocumentUse.RESOURCE,
            resource=resource,
            attribute="",
            origin=Origin.INLINE,
            name=resource.text("name") or resource.name,
            is_composed=True,
        )
        self.policies.append(policy)

    def _use(self, resource: Resource, use: str) -> DocumentUse:
        if use != "organization":
            return DocumentUse(use)
        match resource.text("type"):
            case None | "SERVICE_CONTROL_POLICY":
                return DocumentUse.SCP
            case "RESOURCE_CONTROL_POLICY":
                return DocumentUse.RCP
            case _:
                return DocumentUse.UNATTACHED

    def _policy(
        self, resource: Resource, attribute: str, value: Value, use: DocumentUse, name: str = ""
    ) -> Policy:
        origin = Origin.CUSTOMER_MANAGED if resource.type == "aws_iam_policy" else Origin.INLINE
        policy = Policy(
            document=self._document(value),
            use=use,
            resource=resource,
            attribute=attribute,
            origin=origin,
            name=name or resource.text("name") or resource.name,
        )
        self.policies.append(policy)
        self._texts.setdefault(id(resource), []).append(policy)
        if origin is Origin.CUSTOMER_MANAGED:
            pattern = self._name(resource)
            known = self._written(resource, pattern)
            if known is not None:
                known.recorded = policy
                self.lookup.add(resource, known, text_of(resource.get("arn")) or "")
                return policy
            self.lookup.add(resource, policy, pattern.text)
            path = resource.text("path") or "/"
            policy.arn = _arn_pattern(resource, "policy", path, pattern, None)
        return policy

    def _written(self, resource: Resource, name: Pattern) -> Policy | None:
        """For a managed policy of a snapshot, the code's own version of it."""
        if not resource.is_recorded:
            return None
        found = self.lookup.named(Policy, name.text)
        account = resource.provider.account_ids[0]
        for policy in found:
            if not policy.resource.is_recorded:
                own = policy.resource.provider.account_ids
                if own == (account,) or (not own and self._account == account):
                    return policy
        return None

    def _document(self, value: Value) -> Document:
        """The parsed document of a value; the same value is parsed once."""
        held = self.documents.get(id(value))
        if held is None:
            # the value is kept, so that its id stays its own
            held = self._earlier.get(id(value)) or (value, read_policy(value))
            self.documents[id(value)] = held
        return held[1]

    def _inline_blocks(self, resource: Resource) -> None:
        principal = self._own_principal(resource)
        for given, block in blocks_of(resource.get("inline_policy")):
            value = block.get("policy")
            if value is None or is_null(value) or principal is None:
                continue
            name = text_of(block.get("name")) or ""
            policy = self._policy(resource, "inline_policy", value, DocumentUse.IDENTITY, name)
            _attach(principal, policy, block.span, given)

    def _source_document(self, resource: Resource) -> None:
        """A policy document block; judged by itself only when no consumer shows it."""
        look_up = getattr(resource.attributes.entries, "attribute", None)
        value = look_up("json", resource.header) if look_up is not None else None
        if not isinstance(value, Json):
            return
        document = self._document(value.value)
        use = DocumentUse.IDENTITY
        if any(statement.has_principal for statement in document.statements):
            is_trust = all(
                pattern.text.lower().startswith("sts:")
                for statement in document.statements
                for pattern in statement.actions
            )
            use = DocumentUse.TRUST if is_trust else DocumentUse.RESOURCE
        self.policies.append(
            Policy(
                document=document,
                use=use,
                resource=resource,
                attribute="json",
                origin=Origin.INLINE,
                name=resource.name,
                is_source_only=True,
            )
        )

    def add_resources(self) -> None:
        """Everything else that a value may refer to."""
        for resource in self.resources:
            names = (resource.text("name"), resource.text("bucket"), resource.text("function_name"))
            self.lookup.add(resource, resource, *dict.fromkeys(name for name in names if name))

    # ---- finding what a value refers to

    def _own_principal(self, resource: Resource) -> Principal | None:
        return self.lookup.at(resource.deployment.path, resource.address, Principal)

    def principals_of(
        self, value: Value | None, kind: PrincipalKind, resource: Resource
    ) -> Iterator[tuple[Assumptions, Principal, Span]]:
        """The principals of one kind that a value (or list) names, by reference, name or ARN."""
        for given, principal, place in self.lookup.find_all(value, Principal, resource):
            if principal.kind is kind:
                yield given, principal, place

    def policies_of(
        self, value: Value | None, resource: Resource
    ) -> Iterator[tuple[Assumptions, Policy | Unknown, Span]]:
        """The managed policies that a value (or list) of ARNs names; a hole where unknown."""
        for given, item in items_of(value):
            found = self.lookup.find(item, Policy, resource)
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

    # ---- edges

    def join(self, resource: Resource) -> None:
        """What one resource ties together: attachments, memberships, trust."""
        if resource.is_data:
            return
        get = resource.get
        match resource.type:
            case "aws_iam_role":
                principal = self._own_principal(resource)
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
        for given, found, place in self.policies_of(arns, resource):
            assumptions = (*resource.assumptions, *given)
            if isinstance(found, Policy):
                if resource.is_recorded and principal.recorded is not None:
                    principal.recorded.attachments.append(Attachment(principal, found, place))
                    if any(attachment.policy is found for attachment in principal.attachments):
                        continue
                _attach(principal, found, place, assumptions)
            else:
                principal.unresolved.append((place, found))

    def _attach_to(
        self, resource: Resource, kind: PrincipalKind, attribute: str, arns: Value | None
    ) -> None:
        value = resource.get(attribute)
        found = [principal for _, principal, _ in self.principals_of(value, kind, resource)]
        for principal in found:
            self._attach_all(principal, arns, resource)
        for principal in self._elsewhere(value, kind, resource):
            for given, policy, place in self.policies_of(arns, resource):
                if isinstance(policy, Policy):
                    assumptions = (*resource.assumptions, *given)
                    principal.attachments.append(Attachment(principal, policy, place, assumptions))
                else:
                    principal.unresolved.append((place, policy))
        if not found and any(True for _ in items_of(value)):
            for given, policy, place in self.policies_of(arns, resource):
                if isinstance(policy, Policy):
                    assumptions = (*resource.assumptions, *given)
                    outside = OutsideAttachment(kind, policy, resource, place, assumptions)
                    self.outside.append(outside)

    def _hold_own(self, resource: Resource, kind: PrincipalKind, attribute: str) -> None:
        """An inline policy resource: its document is held by the principal that it names."""
        value = resource.get(attribute)
        for policy in self._texts.get(id(resource), ()):
            for given, principal, place in self.principals_of(value, kind, resource):
                if resource.is_recorded and principal.recorded is not None:
                    principal.recorded.attachments.append(Attachment(principal, policy, place))
                    if is_written(principal, policy):
                        continue
                _attach(principal, policy, place, (*resource.assumptions, *given))
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
            if name is None or self.lookup.find(item, Principal, resource) is not None:
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
                    arn=_arn(resource, kind, name, "/", account),
                    tags=Tags({}, {}, is_complete=False),
                    account=account,
                    is_elsewhere=True,
                )
            yield known

    def _attach_customer_managed(self, resource: Resource) -> None:
        value = resource.get("customer_managed_policy_reference")
        sets = self.principals_of(
            resource.get("permission_set_arn"), PrincipalKind.PERMISSION_SET, resource
        )
        for _, principal, _ in sets:
            for _, block in blocks_of(value):
                name = block.get("name")
                found = self.lookup.find(name, Policy, resource) if name is not None else None
                if found is not None:
                    _attach(principal, found, block.span, resource.assumptions)
                elif name is not None:
                    hole = Unknown(Reason.MISSING, f"policy {show(name)}", block.span)
                    principal.unresolved.append((block.span, hole))

    def _members(self, resource: Resource, groups: Value | None, users: Value | None) -> None:
        for _, group, _ in self.principals_of(groups, PrincipalKind.GROUP, resource):
            for _, user, place in self.principals_of(users, PrincipalKind.USER, resource):
                membership = Membership(user, group, place)
                user.memberships.append(membership)
                group.memberships.append(membership)

    def _trust(self, resource: Resource) -> None:
        principal = self._own_principal(resource)
        if principal is None:
            return
        for policy in self._texts.get(id(resource), ()):
            if policy.use is DocumentUse.TRUST:
                if principal.recorded is not None and resource.is_recorded:
                    principal.recorded.trust = policy
                    continue
                principal.trust = policy
                policy.attachments.append(Attachment(principal, policy, resource.header))

    # ---- boundaries and workloads

    def add_boundaries(self) -> None:
        for principal in self.principals:
            value = principal.resource.get("permissions_boundary")
            if value is not None:
                self._bound(principal, value, principal.resource)
        for resource in self.resources:
            if resource.type != "aws_ssoadmin_permissions_boundary_attachment":
                continue
            for _, principal, _ in self.principals_of(
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
        for _, found, place in self.policies_of(value, resource):
            policy = found if isinstance(found, Policy) else None
            principal.boundary = Boundary(value, policy, place)
            if policy is not None:
                policy.bounds.append(principal)
                policy.is_boundary = True

    def add_workloads(self) -> None:
        for resource in self.resources:
            attributes = self.types.role.get(resource.type)
            if attributes is None or resource.is_data or resource.type.startswith("aws_iam_"):
                continue
            for attribute in attributes:
                value = resource.get(attribute)
                if value is None:
                    value = _nested(resource, attribute)
                for item in _named_in(value):
                    role = self._role_or_profile(item, resource)
                    if role is not None:
                        workload = Workload(resource, attribute, role, item.span)
                        role.workloads.append(workload)
                        self.workloads.append(workload)

    def _role_or_profile(self, item: Value, resource: Resource) -> Principal | None:
        """The role that a role or instance profile attribute names."""
        found = self.lookup.find(item, Principal, resource)
        if found is not None:
            return found if found.is_role else None
        profile = self.lookup.find(item, Resource, resource)
        if profile is None or profile.type != "aws_iam_instance_profile":
            return None
        role = profile.get("role")
        for _, principal, _ in self.principals_of(role, PrincipalKind.ROLE, profile):
            return principal
        return None

    # ---- uses

    def judge_uses(self) -> None:
        """Decides what documents are for, now that it is known who holds them."""
        mark_boundaries(self.policies, self.lookup, self.settings)
        shown: set[tuple[int, int]] = set()
        for policy in self.policies:
            if policy.is_source_only:
                if policy.is_boundary:
                    policy.use = DocumentUse.BOUNDARY
                continue
            if policy.is_boundary and not policy.attachments:
                policy.use = DocumentUse.BOUNDARY
            for statement in policy.document.statements:
                shown.add((id(statement.span.source), statement.span.start))
        merged = self._merged()
        kept: list[Policy] = []
        for policy in self.policies:
            if policy.is_source_only and (
                (policy.resource.deployment.path, policy.address) in merged
                or any(
                    (id(statement.span.source), statement.span.start) in shown
                    for statement in policy.document.statements
                )
            ):
                continue
            kept.append(policy)
        self.policies = kept

    def _merged(self) -> set[tuple[str, str]]:
        """The policy document blocks that others take in, by deployment and address.

        What an override leaves of them is in those others; the rest is nobody's.
        """
        found: set[tuple[str, str]] = set()
        for resource in self.resources:
            if not resource.is_data or resource.type != POLICY_DOCUMENT:
                continue
            for argument in (*SOURCES, *OVERRIDES):
                for _, item in items_of(resource.get(argument)):
                    reference = getattr(item, "reference", None)
                    if reference is not None:
                        path = reference.deployment or resource.deployment.path
                        found.add((path, reference.address))
        return found


def _named_in(value: Value | None) -> Iterator[Value]:
    """The names or ARNs that an attribute gives, plain or as a block with `name` or `arn`."""
    for _, item in items_of(value):
        if isinstance(item, Mapping):
            for key in ("arn", "name"):
                inner = item.get(key)
                if inner is not None and not is_null(inner):
                    yield inner
        else:
            yield item


def _attach(
    principal: Principal, policy: Policy, place: Span, assumptions: Assumptions = ()
) -> None:
    attachment = Attachment(principal, policy, place, assumptions)
    principal.attachments.append(attachment)
    policy.attachments.append(attachment)


def _arn(
    resource: Resource, kind: PrincipalKind, name: Pattern, path: str, account: str | None
) -> Pattern:
    return _arn_pattern(resource, _ARN_KIND[kind], path, name, account)


def _arn_pattern(
    resource: Resource, kind: str, path: str, name: Pattern, account: str | None
) -> Pattern:
    span = resource.header
    owner: str | Unknown = account or Unknown(Reason.ACCOUNT, "account", span)
    partition = f"arn:{partition_of(resource)}:iam::"
    parts: list[str | Unknown] = [partition, owner, f":{kind}{path}", *name.parts]
    reference = Reference(resource.address, "arn", resource.deployment.path)
    return Pattern(tuple(join_texts(parts)), span, (), reference)


def _nested(resource: Resource, attribute: str) -> Value | None:
    """An attribute of a nested block, looked for only where the block's text mentions it."""
    is_source = resource.deployment.framework is Framework.TERRAFORM
    if is_source and attribute.encode() not in _raw(resource):
        return None
    found: list[Value] = []
    for name in resource.attributes.entries:
        value = resource.attributes.entries[name]
        for _, block in blocks_of(value.value if isinstance(value, Json) else value):
            _collect(block, attribute, found)
    if not found:
        return None
    if len(found) == 1:
        return found[0]
    from iam_preflight.values import Listing

    return Listing(tuple(found), found[0].span)


def _raw(resource: Resource) -> bytes:
    span = resource.span
    return span.source.data[span.start : span.end]


def _collect(block: Mapping, attribute: str, found: list[Value]) -> None:
    for name in block.entries:
        value = block.entries[name]
        if name == attribute:
            if not is_null(value):
                found.append(value)
            continue
        if isinstance(value, Known | Text | Unknown):
            continue
        for _, inner in blocks_of(value.value if isinstance(value, Json) else value):
            _collect(inner, attribute, found)
