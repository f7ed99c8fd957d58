"""Roles for pods, servers outside of AWS and users of apps: who else gets in.

https://docs.aws.amazon.com/eks/latest/userguide/pod-id-role.html
https://docs.aws.amazon.com/rolesanywhere/latest/userguide/trust-model.html
https://docs.aws.amazon.com/cognito/latest/developerguide/role-trust-and-permissions.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from iam_preflight.findings import Severity
from iam_preflight.graph.federation import web_identities, whoever
from iam_preflight.graph.model import Principal
from iam_preflight.graph.trust import grants, is_positive, standing_behind
from iam_preflight.knowledge.catalog import AccessLevel
from iam_preflight.knowledge.issuers import IssuerKind, Level
from iam_preflight.resources import Resource
from iam_preflight.values import blocks_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.federation import WebIdentity
    from iam_preflight.graph.model import Graph, Policy
    from iam_preflight.graph.trust import Grant
    from iam_preflight.policy.document import Statement
    from iam_preflight.source import Span

_SOURCES = ("aws:sourcearn", "aws:sourceaccount", "aws:sourceorgid", "aws:sourceorgpaths")
_CHANGES = (AccessLevel.WRITE, AccessLevel.PERMISSIONS_MANAGEMENT, AccessLevel.TAGGING)
_POD_TAGS = ("aws:requesttag/kubernetes-", "aws:requesttag/eks-cluster-")
_CERTIFICATE = "aws:principaltag/x509"
_BY_LEVEL = {
    Level.TENANT: Severity.HIGH,
    Level.PROJECT: Severity.HIGH,
    Level.CONTEXT: Severity.MEDIUM,
}


class Weakness(Struct, frozen=True):
    """That a role lets in more than what needs it: whom, where it says so, and the cure."""

    who: str
    statement: Statement
    place: Span
    severity: Severity
    hint: str
    is_sure: bool = True


def cluster_identities(policy: Policy, graph: Graph) -> Iterator[Weakness]:
    """Service accounts of a cluster that get in without being named."""
    for identity in web_identities(policy, graph):
        level = identity.open_level
        if identity.issuer.kind is not IssuerKind.CLUSTER or level is None or identity.is_closed:
            continue
        value = identity.widest
        who = "any service account of the cluster"
        if value is not None and level is Level.CONTEXT:
            who = whoever(identity, level)
        yield Weakness(
            who,
            identity.statement,
            value.span if value is not None else identity.principal.span,
            _BY_LEVEL[level],
            f"add the condition StringEquals {identity.host or '<issuer>'}:sub = "
            f"{identity.issuer.example}",
            value is None or value.is_known,
        )


def identity_pools(policy: Policy, graph: Graph) -> Iterator[Weakness]:
    """Identity pools, and their users, that get in without being named."""
    for identity in web_identities(policy, graph):
        if identity.issuer.kind is IssuerKind.POOL and not identity.is_closed:
            weakness = _of_pool(identity, policy, graph)
            if weakness is not None:
                yield weakness


def _of_pool(identity: WebIdentity, policy: Policy, graph: Graph) -> Weakness | None:
    statement, place, host = identity.statement, identity.principal.span, identity.url
    if Level.TENANT not in identity.pinned:
        hint = f"add the condition StringEquals {host}:aud = <id of the identity pool>"
        return Weakness(
            "any identity pool of any account", statement, place, Severity.CRITICAL, hint
        )
    hint = f"add the condition ForAnyValue:StringLike {host}:amr = authenticated"
    tests = [c for c in statement.conditions if c.key_name == f"{host}:amr".lower()]
    if not tests:
        who = "whoever has not signed in, if the identity pool lets them,"
        return Weakness(who, statement, place, Severity.MEDIUM, hint)
    guests = [v for c in tests if is_positive(c) for v in c.values if v.text == "unauthenticated"]
    if guests and standing_behind(policy, graph).is_privileged:
        who = "people who have not signed in"
        return Weakness(who, statement, guests[0].span, Severity.HIGH, hint)
    return None


def guest_role(pool: Resource, graph: Graph) -> Principal | None:
    """The role that an identity pool gives to people who have not signed in."""
    for attachment in graph.of_type("aws_cognito_identity_pool_roles_attachment"):
        of_pool = attachment.get("identity_pool_id")
        if of_pool is None or graph.lookup.find(of_pool, Resource, attachment) is not pool:
            continue
        for _, roles in blocks_of(attachment.get("roles")):
            for _, role, _ in graph.lookup.find_all(
                roles.get("unauthenticated"), Principal, attachment
            ):
                return role
    return None


def may_change(role: Principal, graph: Graph) -> bool:
    """Whether a role may do more than read and list."""
    return bool(graph.effective(role).possible.at_level(*_CHANGES))


def weaknesses(policy: Policy, graph: Graph) -> Iterator[Weakness]:
    """What the services that bring pods and servers are not asked for."""
    for grant in grants(policy, graph.accounts):
        if not grant.is_service:
            continue
        match grant.principal.pattern.text:
            case "pods.eks.amazonaws.com":
                yield from _pods(grant, policy, graph)
            case "rolesanywhere.amazonaws.com":
                yield from _certificates(grant, policy, graph)


def _asks_for(statement: Statement, *keys: str) -> bool:
    """Whether some condition asks for a key that begins so."""
    return any(c.key_name.startswith(keys) for c in statement.conditions if is_positive(c))


def _pods(grant: Grant, policy: Policy, graph: Graph) -> Iterator[Weakness]:
    if _asks_for(grant.statement, *_SOURCES, *_POD_TAGS):
        return
    if standing_behind(policy, graph).is_privileged:
        yield Weakness(
            "any pod that is given an association with it",
            grant.statement,
            grant.principal.span,
            Severity.MEDIUM,
            "add conditions on aws:RequestTag/kubernetes-namespace and "
            "aws:RequestTag/kubernetes-service-account",
        )


def _certificates(grant: Grant, policy: Policy, graph: Graph) -> Iterator[Weakness]:
    place = grant.principal.span
    if not _asks_for(grant.statement, *_SOURCES):
        hint = "add the condition ArnEquals aws:SourceArn = <ARN of the trust anchor>"
        who = "a certificate of any trust anchor"
        yield Weakness(who, grant.statement, place, Severity.HIGH, hint)
    elif not _asks_for(grant.statement, _CERTIFICATE):
        severity = Severity.MEDIUM if standing_behind(policy, graph).is_privileged else Severity.LOW
        hint = "add the condition StringEquals aws:PrincipalTag/x509Subject/CN = <its name>"
        who = "any certificate of the trust anchor's authority"
        yield Weakness(who, grant.statement, place, severity, hint)
