"""Whom trust policies let in through identity providers, and what they ask of a token.

A condition key is the issuer's URL, a colon and a claim. Every token says `iss`, `sub` and `aud`,
so that operators which pass without their key still test these; of other claims they ask nothing.
A hole in a value is fixed text: it exempts, it never opens.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_iam-condition-keys.html#condition-keys-wif
https://openid.net/specs/openid-connect-core-1_0.html#IDToken
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from iam_preflight.graph.trust import grants, lets_assume
from iam_preflight.knowledge.issuers import (
    HOLE,
    NO_LEVELS,
    Issuer,
    IssuerKind,
    Level,
    cluster_issuer,
    issuer_of,
)
from iam_preflight.policy.document import pattern_from
from iam_preflight.policy.match import as_glob
from iam_preflight.resources import Resource
from iam_preflight.values import arms_of, items_of, show, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.model import Graph, Policy
    from iam_preflight.policy.document import Condition, Pattern, PrincipalPattern, Statement

WEB_IDENTITY = "sts:AssumeRoleWithWebIdentity"
SAML = "sts:AssumeRoleWithSAML"

ALWAYS = frozenset({"iss", "sub", "aud"})
"""Claims that every token has."""

_LITERAL = frozenset({"stringequals", "stringequalsignorecase"})
_TEXT = _LITERAL | {"stringlike", "arnlike", "arnequals"}
_SCHEME = "https://"
_PROVIDER = ":oidc-provider/"
_CLUSTERS = ("aws_eks_cluster.", "AWS::EKS::Cluster")
_CLUSTER_URL = "oidc.eks."
_CLUSTER_SUBJECT = "system:serviceaccount:"


class ClaimTest(Struct, frozen=True):
    """A condition on a claim that only tokens with one of its values pass."""

    condition: Condition
    claim: str
    issuer: Issuer

    @property
    def is_literal(self) -> bool:
        """Whether wildcards in the values are just characters."""
        return self.condition.operator.base in _LITERAL

    def pins(self, value: Pattern) -> frozenset[Level] | None:
        """What one value pins; None where no token can have it."""
        text = as_glob(value, HOLE)
        if self.is_literal and ("*" in text or "?" in text):
            return None
        return self.issuer.pins(self.claim, text)

    @property
    def pinned(self) -> frozenset[Level]:
        """What is pinned whichever of the values a token has."""
        found = [pins for value in self.condition.values if (pins := self.pins(value)) is not None]
        return frozenset.intersection(*found) if found else frozenset(Level)

    @property
    def is_possible(self) -> bool:
        return any(self.pins(value) is not None for value in self.condition.values)

    def widest(self, level: Level) -> Pattern | None:
        """The first value that leaves a level open."""
        for value in self.condition.values:
            pins = self.pins(value)
            if pins is not None and level not in pins:
                return value
        return None


class WebIdentity(Struct, frozen=True):
    """That a statement lets in whoever an OpenID Connect provider vouches for."""

    policy: Policy
    statement: Statement
    principal: PrincipalPattern
    issuer: Issuer
    url: str
    """The issuer's URL without its scheme, each hole as `HOLE`; empty where nothing is known."""
    tests: tuple[ClaimTest, ...]
    strays: tuple[Condition, ...]
    """Conditions on claims of another issuer, which no token of this one meets."""
    provider: Resource | None
    """The provider, where the code makes it."""

    @property
    def host(self) -> str:
        """The URL for people; empty where part of it is not known."""
        return "" if HOLE in self.url else self.url

    def tests_of(self, *claims: str) -> tuple[ClaimTest, ...]:
        return tuple(test for test in self.tests if test.claim in claims)

    @property
    def identifying(self) -> tuple[ClaimTest, ...]:
        """The tests that ask who holds the token."""
        return tuple(test for test in self.tests if self.issuer.identifies(test.claim))

    @property
    def pinned(self) -> frozenset[Level]:
        return NO_LEVELS.union(*(test.pinned for test in self.identifying))

    @property
    def is_closed(self) -> bool:
        """Whether no token at all gets in."""
        return bool(self.strays) or any(not test.is_possible for test in self.tests)

    @property
    def open_level(self) -> Level | None:
        """The widest level that is left open; None where all are pinned."""
        return min(set(Level) - self.pinned, default=None)

    @property
    def widest(self) -> Pattern | None:
        """The value that leaves the most open, of the test that leaves the least."""
        level, closest = self.open_level, self._closest
        return closest.widest(level) if closest is not None and level is not None else None

    @property
    def _closest(self) -> ClaimTest | None:
        """The test that leaves the least, of those that leave the widest level open."""
        level = self.open_level
        if level is None:
            return None
        open_tests = [test for test in self.identifying if test.widest(level) is not None]
        return max(open_tests, key=lambda test: len(test.pinned), default=None)

    @property
    def is_about_called(self) -> bool:
        """Whether what leaves the most open says what is called, and nothing of who calls it."""
        closest, value = self._closest, self.widest
        if closest is None or value is None:
            return False
        return self.issuer.is_about_called(closest.claim, value.text)

    @property
    def audiences(self) -> tuple[str, ...] | None:
        """The audiences that the provider accepts; None where that is not known in full."""
        if self.provider is None or self.provider.is_data:
            return None
        texts = [text_of(item) for _, item in items_of(self.provider.get("client_id_list"))]
        known = tuple(text for text in texts if text is not None)
        return known if known and len(known) == len(texts) else None

    def is_own(self, graph: Graph) -> bool:
        """Whether the settings name the issuer as the company's own."""
        own = graph.settings.oidc_issuers
        return any(host.lower().removeprefix(_SCHEME) == self.url.lower() for host in own)


def web_identities(policy: Policy | None, graph: Graph) -> tuple[WebIdentity, ...]:
    """What a trust policy lets in by web identity, provider by provider."""
    if policy is None:
        return ()
    return tuple(
        _web_identity(policy, grant.statement, grant.principal, graph)
        for grant in grants(policy, graph.accounts)
        if grant.is_federated
        and as_glob(grant.principal.pattern) != "*"
        and ":saml-provider/" not in grant.principal.pattern.text
        and lets_assume(grant.statement, (WEB_IDENTITY,))
    )


def _web_identity(
    policy: Policy, statement: Statement, principal: PrincipalPattern, graph: Graph
) -> WebIdentity:
    provider = _provider(policy, principal, graph)
    url = _url(principal.pattern, provider)
    keyed = [(c, host, claim) for c in statement.conditions for host, claim in _claim_of(c)]
    if not url.strip(HOLE):
        url = next((host for _, host, _ in keyed if HOLE not in host), url)
    issuer = _issuer(url, principal, statement)
    tests: list[ClaimTest] = []
    strays: list[Condition] = []
    for condition, host, claim in keyed:
        if not _tests_claim(condition, claim):
            continue
        if _is_host_of(host, url, statement):
            tests.append(ClaimTest(condition, claim, issuer))
        else:
            strays.append(condition)
    return WebIdentity(
        policy, statement, principal, issuer, url, tuple(tests), tuple(strays), provider
    )


def _provider(policy: Policy, principal: PrincipalPattern, graph: Graph) -> Resource | None:
    pattern = principal.pattern
    for reference in (pattern.reference, *(hole.reference for hole in pattern.holes)):
        if reference is None:
            continue
        where = reference.deployment or policy.resource.deployment.path
        found = graph.lookup.at(where, reference.address, Resource)
        if found is not None and found.type == "aws_iam_openid_connect_provider":
            return found
    _, _, host = pattern.text.partition(_PROVIDER)
    for resource in graph.of_type("aws_iam_openid_connect_provider"):
        if host and show(resource.get("url")).removeprefix(_SCHEME) == host:
            return resource
    return None


def _url(pattern: Pattern, provider: Resource | None) -> str:
    text = as_glob(pattern, HOLE)
    if _PROVIDER in text:
        url = text.partition(_PROVIDER)[2]
        if url.strip(HOLE) or provider is None:
            return url.removeprefix(_SCHEME)
    elif not text.startswith("arn:") and HOLE not in text:
        return text.removeprefix(_SCHEME)
    written = provider.get("url") if provider is not None else None
    for _, arm in arms_of(written) if written is not None else ():
        known = pattern_from(arm)
        if known is not None:
            return as_glob(known, HOLE).removeprefix(_SCHEME)
    return HOLE


def _issuer(url: str, principal: PrincipalPattern, statement: Statement) -> Issuer:
    known = issuer_of(url) if url.strip(HOLE) else None
    if known is not None:
        return known
    host = url.partition("/")[0]
    is_nameless = HOLE in host or not host
    if url.startswith(_CLUSTER_URL) or _is_of_eks(principal, statement):
        return cluster_issuer()
    if _is_of_cluster(statement):
        return cluster_issuer(is_eks=is_nameless)
    return Issuer(name="an identity provider" if is_nameless else host, hosts=(), source="")


def _is_of_eks(principal: PrincipalPattern, statement: Statement) -> bool:
    patterns = [principal.pattern, *(c.key for c in statement.conditions)]
    return any(mark in pattern.text for pattern in patterns for mark in _CLUSTERS)


def _is_of_cluster(statement: Statement) -> bool:
    return any(
        value.text.startswith(_CLUSTER_SUBJECT)
        for condition in statement.conditions
        for value in condition.values
    )


def _claim_of(condition: Condition) -> Iterator[tuple[str, str]]:
    """The issuer and the claim of a condition key that is about a token."""
    key = as_glob(condition.key, HOLE).lower()
    if _SCHEME not in condition.key.span.text:  # Terraform has the provider's `url` in both forms
        key = key.removeprefix(_SCHEME)
    host, colon, claim = key.rpartition(":")
    if colon and claim and HOLE not in claim and ("." in host or HOLE in host):
        yield host, claim


def _tests_claim(condition: Condition, claim: str) -> bool:
    """Whether only tokens with one of the values pass."""
    how = condition.operator
    if how.base not in _TEXT or how.is_negated:
        return False
    return claim in ALWAYS or not is_loose(condition)


def is_loose(condition: Condition) -> bool:
    """Whether a condition passes where its key is missing."""
    how = condition.operator
    return not how.is_negated and (how.is_if_exists or how.quantifier == "forallvalues")


def _is_host_of(host: str, url: str, statement: Statement) -> bool:
    """Whether a key is about the issuer; where there are several, about any of them."""
    if HOLE in host or HOLE in url or not url or host == url.lower():
        return True
    others = (as_glob(p.pattern, HOLE) for p in statement.principals if p.kind == "Federated")
    return any(HOLE in other or other.lower().endswith((f"/{host}", host)) for other in others)


def whoever(identity: WebIdentity, level: Level) -> str:
    """Who gets in where a level is left open."""
    kind = identity.issuer.kind
    match level:
        case Level.TENANT if identity.issuer.is_shared:
            return f"anyone with an account at {identity.issuer.name}"
        case Level.TENANT:
            return f"anyone whom {identity.issuer.name} vouches for"
        case Level.PROJECT if identity.is_about_called:
            return "whoever calls any workflow of the owner"
        case Level.CONTEXT if identity.is_about_called:
            return "whoever calls the workflow, as any branch or tag has it,"
        case Level.PROJECT if kind is IssuerKind.CLUSTER:
            return "any namespace of the cluster"
        case Level.PROJECT:
            return "any repository or project of the owner"
        case Level.CONTEXT if kind is IssuerKind.CLUSTER:
            return "any service account of the namespace"
        case Level.CONTEXT:
            return "any branch, pull request or environment of the repository"
