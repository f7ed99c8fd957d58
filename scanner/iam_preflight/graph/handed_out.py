"""Credentials that are stored where an account of another company may read them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.graph.foreign import foreign_grants
from iam_preflight.graph.secrets import SinkKind
from iam_preflight.resources import Resource

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.foreign import ForeignGrant
    from iam_preflight.graph.model import Graph
    from iam_preflight.graph.secrets import Flow

READS = "secretsmanager:GetSecretValue"


def handed_out(graph: Graph) -> Iterator[tuple[Flow, ForeignGrant]]:
    """Each secret with a credential in it, and each grant that lets an outsider read it."""
    readers: dict[int, list[ForeignGrant]] = {}
    for policy in graph.policies:
        if not policy.resource.type.startswith("aws_secretsmanager_secret"):
            continue
        secret = _secret_of(policy.resource, "secret_arn", graph)
        for grant in foreign_grants(policy, graph):
            if READS in graph.admissions.actions_of(policy, grant.statement):
                readers.setdefault(id(secret), []).append(grant)
    if not readers:
        return
    for flow in graph.credentials.secrets.flows:
        if flow.kind is SinkKind.VAULT:
            secret = _secret_of(flow.sink, "secret_id", graph)
            for grant in readers.get(id(secret), ()):
                yield flow, grant


def _secret_of(resource: Resource, attribute: str, graph: Graph) -> Resource:
    """The secret that a resource is about; itself where it is one."""
    value = resource.get(attribute)
    found = graph.lookup.find(value, Resource, resource) if value is not None else None
    return found if found is not None else resource
