"""Conditions of federated trust that no token meets, or that only happen to work.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_saml_3rd-party.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from iam_preflight.graph.federation import (
    SAML,
    WEB_IDENTITY,
    is_loose,
    web_identities,
)
from iam_preflight.graph.trust import grants, is_positive, lets_assume
from iam_preflight.knowledge.issuers import HOLE
from iam_preflight.policy.match import as_glob

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.federation import ClaimTest, WebIdentity
    from iam_preflight.graph.model import Graph, Policy
    from iam_preflight.graph.trust import Grant
    from iam_preflight.policy.document import Pattern, Statement
    from iam_preflight.source import Span

SIGN_IN = ("signin.aws", "signin.amazonaws", "/saml")
"""What the audience of an assertion for AWS has in it: its sign-in endpoint."""


class Fault(Struct, frozen=True):
    """What is wrong with a condition, where, and what it should be."""

    statement: Statement
    span: Span
    message: str
    hint: str


def faults(policy: Policy, graph: Graph) -> Iterator[Fault]:
    """What is wrong with how a trust policy lets identity providers in."""
    for identity in web_identities(policy, graph):
        yield from _strays(identity)
        for test in identity.tests:
            if test.condition in identity.statement.conditions:
                yield from _of_test(identity, test)
        yield from _audience(identity)
    for grant in grants(policy, graph.accounts):
        if grant.is_federated:
            yield from _wrong_action(grant)
            if _is_saml(grant):
                yield from _saml_audience(grant)


def _strays(identity: WebIdentity) -> Iterator[Fault]:
    for condition in identity.strays:
        key = condition.key.text
        claim = key.rpartition(":")[2]
        yield Fault(
            identity.statement,
            condition.key.span,
            f"no token of {identity.issuer.name} has the key {key}",
            f"the key begins with the provider's URL: {identity.host}:{claim}",
        )


def _of_test(identity: WebIdentity, test: ClaimTest) -> Iterator[Fault]:
    name = identity.issuer.name
    for value in test.condition.values:
        text = as_glob(value, HOLE)
        if test.is_literal and "*" in text:
            operator = test.condition.operator.name
            yield Fault(
                identity.statement,
                value.span,
                f"{operator} takes the * in {value} for a character, so that no token fits",
                f"write {_as_like(operator)}, or better the whole {test.claim}",
            )
        elif test.pins(value) is None:
            example = identity.issuer.example if test.claim == "sub" else ""
            yield Fault(
                identity.statement,
                value.span,
                f"no {test.claim} of {name} has the form of {value}",
                f"it looks like {example}" if example else "",
            )
    if is_loose(test.condition) and test.claim in ("sub", "aud"):
        operator = test.condition.operator.name
        yield Fault(
            identity.statement,
            test.condition.span,
            f"{operator} on {test.claim} lets pass whoever has no such claim",
            f"write {operator.rpartition(':')[2].removesuffix('IfExists')}",
        )


def _as_like(operator: str) -> str:
    quantifier, colon, _ = operator.rpartition(":")
    return f"{quantifier}{colon}StringLike"


def _audience(identity: WebIdentity) -> Iterator[Fault]:
    """A test of the audience that leaves none of those that the provider accepts."""
    accepted = identity.audiences
    if accepted is None or identity.provider is None:
        return
    for test in identity.tests_of("aud"):
        values = test.condition.values
        if any(not value.is_known or "*" in value.text for value in values):
            continue
        if not {value.text for value in values} & set(accepted):
            yield Fault(
                identity.statement,
                values[0].span if values else test.condition.span,
                f"the provider accepts no token for {' or '.join(v.text for v in values)}",
                f"ask for {' or '.join(accepted)}, or add the audience to the provider",
            )


def _wrong_action(grant: Grant) -> Iterator[Fault]:
    """A provider whose kind of token no action of the statement takes."""
    text = as_glob(grant.principal.pattern, HOLE)
    is_saml = ":saml-provider/" in text
    if not is_saml and ":oidc-provider/" not in text:
        return
    wanted = SAML if is_saml else WEB_IDENTITY
    if not lets_assume(grant.statement, (wanted,)):
        kind = "SAML" if is_saml else "OpenID Connect"
        first: Pattern | None = next(iter(grant.statement.actions), None)
        yield Fault(
            grant.statement,
            first.span if first is not None else grant.principal.span,
            f"the {kind} provider needs {wanted}, which is not allowed here",
            f"allow {wanted}",
        )


def _is_saml(grant: Grant) -> bool:
    text = as_glob(grant.principal.pattern, HOLE)
    return ":oidc-provider/" not in text and lets_assume(grant.statement, (SAML,))


def _saml_audience(grant: Grant) -> Iterator[Fault]:
    for condition in grant.statement.conditions:
        if condition.key_name != "saml:aud" or not is_positive(condition):
            continue
        for value in condition.values:
            if value.is_known and not any(mark in value.text for mark in SIGN_IN):
                yield Fault(
                    grant.statement,
                    value.span,
                    f"no assertion for AWS has the audience {value}",
                    "it is the sign-in endpoint: https://signin.aws.amazon.com/saml",
                )
