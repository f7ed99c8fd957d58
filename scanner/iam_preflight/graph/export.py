"""The graph as data, for other programs: nodes, their policies, and edges with their reasons.

The shape is published as a JSON Schema (docs/graph.schema.json): `version` changes when a
field changes its meaning.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field

from iam_preflight.findings import Confidence, Place
from iam_preflight.graph.accounts import Ownership
from iam_preflight.graph.alternatives import with_alternatives
from iam_preflight.graph.model import Origin, PrincipalKind
from iam_preflight.graph.tags import tags_of
from iam_preflight.graph.trust import grants
from iam_preflight.policy.document import DocumentUse, Resolution
from iam_preflight.policy.read import PRINCIPAL_KINDS
from iam_preflight.values import show

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.model import Graph, Policy, Principal
    from iam_preflight.graph.trust import Grant
    from iam_preflight.policy.document import Document
    from iam_preflight.resources import Resource
    from iam_preflight.source import Span

VERSION = 1

_KINDS = {
    "aws_iam_role": "role",
    "aws_iam_user": "user",
    "aws_iam_group": "group",
    "aws_iam_policy": "policy",
    "aws_iam_role_policy": "policy",
    "aws_iam_user_policy": "policy",
    "aws_iam_group_policy": "policy",
    "aws_ssoadmin_permission_set_inline_policy": "policy",
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
_OF_THE_CODE = "terraform_"
"""Outputs, providers and backends."""


def as_data(graph: Graph) -> dict[str, Any]:
    """`{version, nodes, edges}`; ids are addresses, prefixed where several roots share one."""
    ids = NodeIds(graph)
    data: dict[str, Any] = {
        "version": VERSION,
        "nodes": list(_nodes(graph, ids)),
        "edges": list(_once(_edges(graph, ids))),
    }
    secrets = graph.secrets
    return secrets.masked(data) if secrets else data


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
    return not resource.type.endswith(_EDGES_ONLY) and not resource.type.startswith(_OF_THE_CODE)


class _Node(Struct):
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
        yield _bare_node(managed_id(policy), "policy", "AWS managed policy", policy.name)
    outside: dict[str, Grant] = {}
    for principal in graph.principals:
        for grant in grants(principal.trust, graph.accounts):
            if _is_outside(grant):
                outside.setdefault(outside_id(grant), grant)
    for node_id, grant in outside.items():
        kind = "service" if grant.is_service else "provider" if grant.is_federated else "external"
        # a type that AWS does not have is text of the code, which may be anything
        known = grant.principal.kind in (*PRINCIPAL_KINDS, "*")
        told = grant.principal.kind if known else "unknown"
        yield _bare_node(node_id, kind, told, grant.principal.pattern.text)


def _is_outside(grant: Grant) -> bool:
    """Whether somebody is let in who is not in the code: those who are have edges of their own."""
    return not grant.is_aws or grant.ownership is not Ownership.OWN


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


def _bare_node(node_id: str, kind: str, node_type: str, name: str) -> dict[str, Any]:
    """Something that the code names and does not hold: it has no place."""
    return {
        "id": node_id,
        "kind": kind,
        "type": node_type,
        "name": name,
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
        "document": with_alternatives(document.value) if document.value is not None else None,
    }


def _edges(graph: Graph, ids: NodeIds) -> Iterator[dict[str, Any]]:
    for policy in (*graph.policies, *graph.managed):
        if policy.use is DocumentUse.TRUST:
            continue
        target = _policy_id(policy, ids)
        for attachment in policy.attachments:
            source = ids.of(attachment.principal.resource)
            if source != target:
                yield _edge(source, target, "holds", [Place(attachment.place, "attached here")])
    for principal in graph.principals:
        source = ids.of(principal.resource)
        boundary = principal.boundary
        if boundary is not None and boundary.policy is not None:
            target = _policy_id(boundary.policy, ids)
            place = Place(boundary.place, "permissions boundary")
            yield _edge(source, target, "bounded by", [place])
        if principal.kind is PrincipalKind.USER:
            for membership in principal.memberships:
                group = ids.of(membership.group.resource)
                place = Place(membership.place, "in the group")
                yield _edge(source, group, "member of", [place])
        for grant in grants(principal.trust, graph.accounts):
            if _is_outside(grant):
                place = Place(grant.principal.span, "trusts")
                yield _edge(outside_id(grant), source, "can assume", [place])
    for workload in graph.workloads:
        source, target = ids.of(workload.resource), ids.of(workload.role.resource)
        yield _edge(source, target, "runs as", [Place(workload.place, workload.attribute)])
    yield from _escalations(graph, ids)


def _once(edges: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Each edge once, however many places make it true."""
    found: dict[tuple[str, str, str, str | None], dict[str, Any]] = {}
    for edge in edges:
        known = found.setdefault((edge["from"], edge["to"], edge["kind"], edge["method"]), edge)
        if known is not edge:
            known["why"] += [place for place in edge["why"] if place not in known["why"]]
    yield from found.values()


def _escalations(graph: Graph, ids: NodeIds) -> Iterator[dict[str, Any]]:
    """Who can assume, pass and take over whom; what hangs on an unknown is left out."""
    for actor in graph.principals:
        source = ids.of(actor.resource)
        path = graph.paths.to_admin(actor)
        # a hop that gains nothing by itself is still a part of a path
        hops = path.hops if path is not None else ()
        for escalation in (*graph.escalations.all_of(actor), *hops[:1]):
            if escalation.confidence is Confidence.LOW:
                continue
            target = source
            if escalation.target is not None:
                target = ids.of(escalation.target.resource)
            kind = escalation.method.kind.value
            if escalation.is_plain_assume:
                kind = "can assume"
            places = list(escalation.places) or [Place(actor.resource.header, "the principal")]
            if escalation.needs_mfa:
                places = [*places, Place(places[0].span, "needs MFA")]
            yield _edge(source, target, kind, places, escalation.method.id)
        for role, use in graph.escalations.passable_by(actor):
            place = use.place(actor)
            if place is not None:
                yield _edge(source, ids.of(role.resource), "can pass", [place])


def _edge(
    source: str, target: str, kind: str, why: list[Place], method: str | None = None
) -> dict[str, Any]:
    return {
        "from": source,
        "to": target,
        "kind": kind,
        "method": method,
        "why": [
            {"file": place.span.path, "line": place.span.line, "text": place.label} for place in why
        ],
    }


def _policy_id(policy: Policy, ids: NodeIds) -> str:
    if policy.origin is Origin.AWS_MANAGED:
        return managed_id(policy)
    return ids.of(policy.resource)


def outside_id(grant: Grant) -> str:
    """The id of somebody whom a trust policy names and who is not in the code."""
    text = grant.principal.pattern.text
    if grant.is_service:
        return f"service/{text}"
    if grant.is_federated:
        return f"provider/{text}"
    return "anyone" if text == "*" else f"external/{text}"
