"""The graph as data, for other programs: nodes, their policies, and edges with their reasons.

The shape is published as a JSON Schema (docs/graph.schema.json): `version` changes when a
field changes its meaning.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from iam_preflight.graph.model import Origin, PrincipalKind
from iam_preflight.graph.tags import tags_of
from iam_preflight.policy.document import DocumentUse, Resolution
from iam_preflight.values import plain, show

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.findings import Place
    from iam_preflight.graph.model import Graph, Policy, Principal
    from iam_preflight.policy.document import Document
    from iam_preflight.resources import Resource
    from iam_preflight.source import Span

VERSION = 1

_KINDS = {
    "aws_iam_role": "role",
    "aws_iam_user": "user",
    "aws_iam_group": "group",
    "aws_iam_policy": "policy",
    "aws_iam_policy_document": "policy_document",
    "aws_iam_instance_profile": "instance_profile",
    "aws_ssoadmin_permission_set": "permission_set",
    "aws_iam_openid_connect_provider": "identity_provider",
    "aws_iam_saml_provider": "identity_provider",
    "aws_organizations_account": "account",
    "aws_organizations_policy": "organization_policy",
}
_EDGES_ONLY = (
    "_attachment",
    "_attachments_exclusive",
    "_policies_exclusive",
    "_membership",
    "_assignment",
)
"""Types that only tie others together: they are edges, not nodes."""


def as_data(graph: Graph) -> dict[str, Any]:
    """`{version, nodes, edges}`; ids are addresses, prefixed where several roots share one."""
    ids = NodeIds(graph)
    return {
        "version": VERSION,
        "nodes": list(_nodes(graph, ids)),
        "edges": list(_edges(graph, ids)),
    }


class NodeIds:
    """A unique id for each resource: its address, with its root before it when that is shared."""

    def __init__(self, graph: Graph) -> None:
        places = {(r.deployment.path, r.address) for r in graph.resources if is_node(r)}
        self._count = Counter(address for _, address in places)

    def of(self, resource: Resource) -> str:
        if self._count[resource.address] > 1:
            return f"{resource.deployment.path}:{resource.address}"
        return resource.address


def is_node(resource: Resource) -> bool:
    return not resource.type.endswith(_EDGES_ONLY)


@dataclass(slots=True)
class _Node:
    resource: Resource
    policies: list[Policy] = field(default_factory=list)
    principal: Principal | None = None
    is_compute: bool = False


def _nodes(graph: Graph, ids: NodeIds) -> Iterator[dict[str, Any]]:
    nodes: dict[str, _Node] = {}
    for resource in graph.resources:
        if is_node(resource) and not resource.is_data:
            nodes.setdefault(ids.of(resource), _Node(resource))
    for policy in graph.policies:
        node = nodes.setdefault(ids.of(policy.resource), _Node(policy.resource))
        node.policies.append(policy)
    for principal in graph.principals:
        nodes[ids.of(principal.resource)].principal = principal
    for workload in graph.workloads:
        nodes[ids.of(workload.resource)].is_compute = True
    for node_id, node in nodes.items():
        yield _node(node_id, node)
    for policy in graph.managed:
        yield _managed_node(policy)


def _node(node_id: str, node: _Node) -> dict[str, Any]:
    resource, principal = node.resource, node.principal
    tags = principal.tags if principal is not None else tags_of(resource)
    policies = [_policy(policy) for policy in node.policies]
    boundary = principal.boundary if principal is not None else None
    if boundary is not None and boundary.policy is not None:
        document = boundary.policy.document
        policies.append(_document(document, "boundary", "permissions_boundary", boundary.place))
    return {
        "id": node_id,
        "kind": _KINDS.get(resource.type, "compute" if node.is_compute else "resource"),
        "type": resource.native_type,
        "name": principal.name.text if principal is not None else _name(resource),
        "file": resource.header.path,
        "line": resource.header.line,
        "environment": principal.environment if principal is not None else None,
        "account": principal.account if principal is not None else None,
        "tags": {key: show(value) for key, value in tags.values.items()},
        "policies": policies,
    }


def _managed_node(policy: Policy) -> dict[str, Any]:
    """An AWS-managed policy: it has no place in the code."""
    return {
        "id": managed_id(policy),
        "kind": "policy",
        "type": "AWS managed policy",
        "name": policy.name,
        "file": None,
        "line": None,
        "environment": None,
        "account": None,
        "tags": {},
        "policies": [],
    }


def managed_id(policy: Policy) -> str:
    return f"aws:policy/{policy.name}"


def _name(resource: Resource) -> str:
    value = resource.get("name")
    return show(value) if value is not None else resource.name


_EXPORTED_USES = {
    DocumentUse.RCP: DocumentUse.SCP,
    DocumentUse.ENDPOINT: DocumentUse.RESOURCE,
    DocumentUse.UNATTACHED: DocumentUse.IDENTITY,
}


def _policy(policy: Policy) -> dict[str, Any]:
    use = _EXPORTED_USES.get(policy.use, policy.use)
    return _document(policy.document, use.value, policy.attribute, policy.document.span)


def _document(document: Document, use: str, attribute: str, place: Span) -> dict[str, Any]:
    why = [] if document.resolution is Resolution.FULL else document.holes
    return {
        "use": use,
        "attribute": attribute,
        "file": place.path,
        "line": place.line,
        "resolved": document.resolution.value,
        "why": [hole.explanation for hole in why],
        "document": plain(document.value) if document.value is not None else None,
    }


def _edges(graph: Graph, ids: NodeIds) -> Iterator[dict[str, Any]]:
    for policy in (*graph.policies, *graph.managed):
        if policy.use is DocumentUse.TRUST:
            continue
        target = (
            managed_id(policy) if policy.origin is Origin.AWS_MANAGED else ids.of(policy.resource)
        )
        for attachment in policy.attachments:
            source = ids.of(attachment.principal.resource)
            if source != target:
                yield _edge(source, target, "holds", attachment.place, "attached here")
    for principal in graph.principals:
        source = ids.of(principal.resource)
        boundary = principal.boundary
        if boundary is not None and boundary.policy is not None:
            policy = boundary.policy
            target = (
                managed_id(policy)
                if policy.origin is Origin.AWS_MANAGED
                else ids.of(policy.resource)
            )
            yield _edge(source, target, "bounded by", boundary.place, "permissions boundary")
        if principal.kind is PrincipalKind.USER:
            for membership in principal.memberships:
                group = ids.of(membership.group.resource)
                yield _edge(source, group, "member of", membership.place, "in the group")
    for workload in graph.workloads:
        source, target = ids.of(workload.resource), ids.of(workload.role.resource)
        yield _edge(source, target, "runs as", workload.place, workload.attribute)


def _edge(source: str, target: str, kind: str, place: Span, text: str) -> dict[str, Any]:
    return {
        "from": source,
        "to": target,
        "kind": kind,
        "method": None,
        "why": [{"file": place.path, "line": place.line, "text": text}],
    }


def why(places: Iterator[Place]) -> list[dict[str, Any]]:
    """The reasons of an edge, as the export writes them."""
    return [
        {"file": place.span.path, "line": place.span.line, "text": place.label} for place in places
    ]
