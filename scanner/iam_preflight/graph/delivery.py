"""Which roles are those of the delivery pipeline, which make what the code describes."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import msgspec

from iam_preflight.graph.federation import web_identities
from iam_preflight.graph.trust import grants
from iam_preflight.knowledge.issuers import IssuerKind
from iam_preflight.knowledge.reading import read_data

if TYPE_CHECKING:
    from iam_preflight.graph.model import Graph, Principal


class _File(msgspec.Struct):
    services: frozenset[str]


@functools.cache
def _services() -> frozenset[str]:
    return read_data("delivery_services.json", _File).services


def is_deployer(principal: Principal, graph: Graph) -> bool:
    """Whether a pipeline takes the role: by the settings, or by whom its trust policy lets in."""
    if not principal.is_role:
        return False
    if principal.is_listed(graph.settings.deployer_roles):
        return True
    trusted = list(grants(principal.trust, graph.accounts))
    if any(grant.is_service and grant.principal.pattern.text in _services() for grant in trusted):
        return True
    return any(one.issuer.kind is IssuerKind.CI for one in web_identities(principal.trust, graph))
