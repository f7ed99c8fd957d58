"""Who uses a role: the services, people, pipelines and accounts that its trust policy lets in.

Parties that belong together (services that AWS lets share a role) are one.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from msgspec import Struct

from iam_preflight.graph.trust import grants
from iam_preflight.knowledge.services import class_of, families, service_name

if TYPE_CHECKING:
    from iam_preflight.graph.model import Graph, Principal
    from iam_preflight.graph.trust import Grant
    from iam_preflight.source import Span


class PartyKind(Enum):
    SERVICES = "services"
    FEDERATED = "an identity provider"
    PRINCIPALS = "people or other roles"


class Party(Struct, frozen=True):
    kind: PartyKind
    names: tuple[str, ...]
    place: Span
    work: str = ""
    """What kind of work a service does; empty where that is not known."""

    @property
    def label(self) -> str:
        return " and ".join(self.names[:2]) + (" and more" if len(self.names) > 2 else "")


_KUBERNETES = ("pods.eks", "eks-auth")


def parties_of(role: Principal, graph: Graph) -> list[Party]:
    """Who may assume a role, those that belong together as one; the role itself left out."""
    by_service: dict[str, Grant] = {}
    found: list[Party] = []
    providers: list[Grant] = []
    principals: list[Grant] = []
    for grant in grants(role.trust, graph.accounts):
        if grant.is_service:
            by_service.setdefault(service_name(grant.principal.pattern.text), grant)
        elif grant.is_federated:
            providers.append(grant)
        elif not _is_itself(grant, role):
            principals.append(grant)
    for family in families(by_service):
        if any(name in family for name in _KUBERNETES) and _are_clusters(providers):
            # a move from IAM roles for service accounts to Pod Identity
            continue
        place = by_service[family[0]].principal.span
        work = next((name for service in family if (name := class_of(service))), "")
        found.append(Party(PartyKind.SERVICES, family, place, work))
    for kind, group in ((PartyKind.FEDERATED, providers), (PartyKind.PRINCIPALS, principals)):
        if group:
            names = tuple(dict.fromkeys(_short(grant) for grant in group))
            found.append(Party(kind, names, group[0].principal.span))
    return found


def _are_clusters(providers: list[Grant]) -> bool:
    """Whether all identity providers are those of Kubernetes clusters."""
    words = ("oidc.eks.", "eks", "cluster")
    texts = [grant.principal.pattern.text.lower() for grant in providers]
    return bool(texts) and all(any(word in text for word in words) for text in texts)


def _is_itself(grant: Grant, role: Principal) -> bool:
    pattern = grant.principal.pattern
    reference = pattern.reference
    if reference is not None and reference.address == role.address:
        return True
    name = role.name.text
    return role.name.is_known and pattern.text.endswith(f":role{role.path}{name}")


def _short(grant: Grant) -> str:
    text = grant.principal.pattern.text
    return text.rpartition("oidc-provider/")[2] or text
