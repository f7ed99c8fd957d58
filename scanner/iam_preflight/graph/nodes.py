"""The principals and the policies of a scan, and how to find them: nothing is joined yet."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from iam_preflight.faults import KeptTo
from iam_preflight.graph.arns import attribute_parts, iam_arn
from iam_preflight.graph.attribute_grants import granted_by, values_at
from iam_preflight.graph.environments import Environments
from iam_preflight.graph.lookup import Lookup
from iam_preflight.graph.model import Origin, Policy, Principal, PrincipalKind
from iam_preflight.graph.nested import nested
from iam_preflight.graph.records import same_principals, sole_account
from iam_preflight.graph.tags import tags_of
from iam_preflight.knowledge.policy_blocks import POLICY_DOCUMENT
from iam_preflight.knowledge.resource_types import LIKELY, resource_types
from iam_preflight.policy.document import DocumentUse, Pattern, pattern_from
from iam_preflight.policy.read import read_policy
from iam_preflight.values import (
    Json,
    Reason,
    Reference,
    Unknown,
    Value,
    blocks_of,
    is_null,
    text_of,
    with_reference,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.errors import Problem
    from iam_preflight.policy.document import Document
    from iam_preflight.resources import Resource
    from iam_preflight.settings import Settings
    from iam_preflight.source import Span
    from iam_preflight.values import Assumptions

_KINDS = {
    "aws_iam_role": PrincipalKind.ROLE,
    "aws_iam_user": PrincipalKind.USER,
    "aws_iam_group": PrincipalKind.GROUP,
    "aws_ssoadmin_permission_set": PrincipalKind.PERMISSION_SET,
}
Documents: TypeAlias = "dict[int, tuple[Value, Document]]"
"""Documents by the identity of the value that they were read from, with the value."""


class Nodes:
    """Everything that the graph has edges between; `earlier` documents are not read again."""

    def __init__(
        self, resources: tuple[Resource, ...], settings: Settings, earlier: Documents
    ) -> None:
        self.resources = resources
        self.faults: list[Problem] = []
        """The resources that we failed on: they cost themselves, not the graph."""
        self.principals: list[Principal] = []
        self.policies: list[Policy] = []
        self.lookup = Lookup()
        self.documents: Documents = {}
        """Those that were read, or taken from earlier."""
        self._earlier = dict(earlier)
        self._texts: dict[int, list[Policy]] = {}
        self._environments = Environments(settings)
        self._types = resource_types()
        self._account = sole_account(resources)
        self._add_principals()
        self._add_policies()
        self._add_resources()

    def texts_of(self, resource: Resource) -> tuple[Policy, ...]:
        """The policies whose text a resource holds."""
        return tuple(self._texts.get(id(resource), ()))

    def kept_to(self, resource: Resource) -> KeptTo:
        """Keeps a crash to the resource that it happens at."""
        return KeptTo(resource.header, self.faults)

    def _add_principals(self) -> None:
        for resource in self.resources:
            kind = _KINDS.get(resource.type)
            if kind is not None and not resource.is_data:
                with self.kept_to(resource):
                    self.principals.append(self._principal(resource, kind))
        self._join_records()
        for principal in self.principals:
            resource = principal.resource
            names = (principal.arn.text,) if resource.is_recorded else ()
            self.lookup.add(resource, principal, principal.name.text, *names)

    def _principal(self, resource: Resource, kind: PrincipalKind) -> Principal:
        name = self._name(resource)
        accounts = resource.provider.account_ids
        account = accounts[0] if len(accounts) == 1 else self._account if not accounts else None
        tags = tags_of(resource)
        environment = self._environments.of_resource(resource, tags, account, name.text)
        path = resource.text("path") or "/"
        return Principal(
            kind=kind,
            resource=resource,
            name=name,
            path=path,
            arn=iam_arn(resource, kind.arn_type, attribute_parts(resource, "path"), name, account),
            tags=tags,
            account=account,
            environment=environment,
        )

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
        reference = Reference(resource.address, "name", resource.deployment.path)
        if isinstance(value, Unknown):
            value = with_reference(value, reference)
        pattern = pattern_from(value) if value is not None else None
        if pattern is not None:
            return pattern
        prefix = resource.get("name_prefix")
        hole = Unknown(Reason.COMPUTED, f"{resource.address}.name", resource.header, reference)
        start = pattern_from(prefix) if prefix is not None else None
        parts = (*start.parts, hole) if start is not None else (hole,)
        return Pattern(parts, resource.header)

    def _add_policies(self) -> None:
        for resource in self.resources:
            with self.kept_to(resource):
                self._policies_in(resource)
        for resource in self.resources:
            if resource.is_data and resource.type == POLICY_DOCUMENT:
                with self.kept_to(resource):
                    self._source_document(resource)

    def _policies_in(self, resource: Resource) -> None:
        for attribute, use in self._types.documents(resource.type).items():
            if attribute == "inline_policy" and resource.type == "aws_iam_role":
                self._inline_blocks(resource)
                continue
            if "." in attribute:
                for _, inner in values_at(resource.attributes, attribute):
                    self._policy(resource, attribute, inner, self._use(resource, use))
                continue
            value = resource.get(attribute)
            if use == LIKELY:
                if value is not None and not resource.is_data and self._admits(value):
                    self._policy(resource, attribute, value, DocumentUse.RESOURCE)
                continue
            if value is None and attribute not in ("policy", "assume_role_policy"):
                value = nested(resource, attribute)
            if value is not None and not resource.is_data:
                self._policy(resource, attribute, value, self._use(resource, use))
        self._composed(resource)

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
            path = attribute_parts(resource, "path")
            policy.arn = iam_arn(resource, "policy", path, pattern, None)
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

    def _admits(self, value: Value) -> bool:
        """Whether a value is a document that says whom it lets in or keeps out."""
        return any(statement.has_principal for statement in self._document(value).statements)

    def _inline_blocks(self, resource: Resource) -> None:
        principal = self.own_principal(resource)
        for given, block in blocks_of(resource.get("inline_policy")):
            value = block.get("policy")
            if value is None or is_null(value) or principal is None:
                continue
            name = text_of(block.get("name")) or ""
            policy = self._policy(resource, "inline_policy", value, DocumentUse.IDENTITY, name)
            principal.hold(policy, block.span, given)

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

    def _add_resources(self) -> None:
        """Everything else that a value may refer to."""
        for resource in self.resources:
            with self.kept_to(resource):
                texts = (resource.text(key) for key in ("name", "bucket", "function_name"))
                names = [name for name in texts if name]
                self.lookup.add(resource, resource, *dict.fromkeys(names))

    # ---- what the others are joined by

    def own_principal(self, resource: Resource) -> Principal | None:
        """The principal that a resource makes."""
        return self.lookup.at(resource.deployment.path, resource.address, Principal)

    def principals_of(
        self, value: Value | None, kind: PrincipalKind, resource: Resource
    ) -> Iterator[tuple[Assumptions, Principal, Span]]:
        """The principals of one kind that a value (or list) names, by reference, name or ARN."""
        for given, principal, place in self.lookup.find_all(value, Principal, resource):
            if principal.kind is kind:
                yield given, principal, place
