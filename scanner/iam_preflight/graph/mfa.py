"""Whether policies insist on a second factor, or only look as if they did.

A request without a second factor comes in two forms: signed with long-lived access keys it
carries neither of AWS's two keys, from a session it says `aws:MultiFactorAuthPresent: false` and
has no age. A policy asks for a second factor only when it stops both.

https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_mfa_configure-api-require.html
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-multifactorauthpresent
"""

from __future__ import annotations

import functools
from enum import Enum
from typing import TYPE_CHECKING

import msgspec

from iam_preflight.graph.accounts import Ownership
from iam_preflight.graph.model import Principal
from iam_preflight.graph.trust import (
    is_role_arn,
    is_whole_account,
    names_role,
    positive_values,
)
from iam_preflight.knowledge.catalog import AccessLevel
from iam_preflight.knowledge.reading import read_data
from iam_preflight.policy.conditions import ConditionMatcher
from iam_preflight.policy.context import Context, Presence
from iam_preflight.policy.effective import statement_actions
from iam_preflight.policy.match import action_matches
from iam_preflight.policy.truth import Truth, all_of, any_of
from iam_preflight.values import Reason, Unknown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from iam_preflight.graph.model import Graph
    from iam_preflight.graph.trust import Grant as TrustGrant
    from iam_preflight.knowledge.actionset import ActionSet
    from iam_preflight.knowledge.catalog import Catalog
    from iam_preflight.policy.document import Condition, Document, Statement
    from iam_preflight.policy.effective import Effective, Grant

PRESENT = "aws:multifactorauthpresent"
AGE = "aws:multifactorauthage"
KEYS = frozenset({PRESENT, AGE})


class SignIn(Enum):
    """How a request without a second factor is made."""

    ACCESS_KEY = "long-lived access keys"
    SESSION = "a session without MFA"

    @property
    def context(self) -> Context:
        return _CONTEXTS[self]


_CONTEXTS = {
    SignIn.ACCESS_KEY: Context({PRESENT: Presence.ABSENT, AGE: Presence.ABSENT}),
    SignIn.SESSION: Context({PRESENT: "false", AGE: Presence.ABSENT}),
}


def mfa_conditions(statement: Statement) -> tuple[Condition, ...]:
    """The conditions of a statement that are about the second factor."""
    return tuple(c for c in statement.conditions if c.key_name in KEYS)


def passes(conditions: Iterable[Condition], sign_in: SignIn) -> Truth:
    """Whether a request without a second factor meets conditions about it."""
    return all_of(ConditionMatcher(c, False).holds(sign_in.context)[0] for c in conditions)


def asks_for_mfa(statement: Statement) -> Truth:
    """Whether an Allow holds only for callers who proved a second factor."""
    conditions = mfa_conditions(statement)
    return any_of(passes(conditions, sign_in) for sign_in in SignIn).negated()


def requires_mfa(statement: Statement) -> bool:
    """Whether an Allow surely holds only for callers who proved a second factor."""
    return asks_for_mfa(statement) is Truth.YES


def stops(statement: Statement, sign_in: SignIn) -> Truth:
    """Whether a Deny applies to everybody who comes without a second factor that way.

    Maybe where it has further conditions, which some of them may escape.
    """
    if statement.is_allow:
        return Truth.NO
    conditions = mfa_conditions(statement)
    if not conditions:
        return Truth.NO
    met = passes(conditions, sign_in)
    is_whole = len(conditions) == len(statement.conditions) and not statement.assumptions
    return met if is_whole and statement.is_effect_known else min(met, Truth.MAYBE)


def denies_without_mfa(document: Document, action: str = "sts:AssumeRole") -> Truth:
    """Whether the Deny statements of a document stop an action without a second factor."""
    denials = [s for s in document.statements if _is_about(s, action) is Truth.YES]
    return all_of(any_of(stops(s, sign_in) for s in denials) for sign_in in SignIn)


def _is_about(statement: Statement, action: str) -> Truth:
    covered = any_of(action_matches(pattern, action) for pattern in statement.actions)
    return covered.negated() if statement.is_not_action else covered


def admits_people(grant: TrustGrant) -> Truth:
    """Whether a trust policy's grant lets in somebody who could prove a second factor.

    Roles and services cannot: their first hop has to ask. Whole accounts can hold users.
    """
    if not grant.is_aws:
        return Truth.NO
    named = [value for _, value in positive_values(grant.statement, "aws:principalarn")]
    if named and all(is_role_arn(value) for value in named):
        return Truth.NO
    if names_role(grant.principal):
        return Truth.NO
    pattern = grant.principal.pattern
    if ":user/" in pattern.text or grant.ownership is Ownership.ANYONE:
        return Truth.YES
    is_account = is_whole_account(grant.principal) or any(
        hole.reason is Reason.ACCOUNT for hole in pattern.parts if isinstance(hole, Unknown)
    )
    is_known = grant.ownership is not Ownership.UNKNOWN
    return Truth.YES if is_account and is_known else Truth.MAYBE


# ---------------------------------------------------------------- what only looks like it


def escapes(statement: Statement, document: Document, catalog: Catalog) -> tuple[SignIn, ...]:
    """How to get past a statement that tests the second factor, without having one.

    For an Allow: who meets its conditions all the same. For a Deny: whom it does not stop. What
    another Deny of the same document stops for all of its actions does not count.
    """
    conditions = mfa_conditions(statement)
    if not conditions:
        return ()
    wanted = Truth.YES if statement.is_allow else Truth.NO
    open_ways = [way for way in SignIn if passes(conditions, way) is wanted]
    if not open_ways:
        return ()
    actions = statement_actions(statement, catalog)
    others = [
        other
        for other in document.statements
        if other is not statement and not other.is_allow and mfa_conditions(other)
    ]
    return tuple(
        way
        for way in open_ways
        if not any(
            stops(other, way) is Truth.YES
            and statement_actions(other, catalog, is_sure=True).covers(actions)
            for other in others
        )
    )


def is_inverted(statement: Statement) -> bool:
    """Whether those who proved a second factor are the ones that the statement leaves out."""
    with_mfa = Context({PRESENT: "true", AGE: Presence.PRESENT})
    conditions = mfa_conditions(statement)
    met = all_of(ConditionMatcher(c, False).holds(with_mfa)[0] for c in conditions)
    return met is (Truth.NO if statement.is_allow else Truth.YES)


def is_self_service(statement: Statement, catalog: Catalog) -> bool:
    """Whether it is only about what people without a second factor need to get one."""
    self_service = catalog.expand_all(mfa_actions().self_service)
    return not statement_actions(statement, catalog) - self_service


def looks_like_mfa(condition: Condition, catalog: Catalog) -> bool:
    """Whether a condition tests a key that AWS does not have, and means the second factor."""
    name = condition.key_name
    if name in KEYS or not condition.key.is_known or not ("mfa" in name or "multifactor" in name):
        return False
    return name.startswith("aws:") and "/" not in name and catalog.condition_key(name) is None


def left_open(statement: Statement, catalog: Catalog) -> ActionSet:
    """What a Deny without a second factor spares by its `NotAction`, and should not."""
    if statement.is_allow or not statement.is_not_action or not mfa_conditions(statement):
        return catalog.nothing
    spared = ~statement_actions(statement, catalog)
    harmless = catalog.expand_all(mfa_actions().self_service + mfa_actions().may_be_spared)
    changes = spared.at_level(AccessLevel.WRITE, AccessLevel.PERMISSIONS_MANAGEMENT)
    return (changes & catalog.sensitive) - harmless


# ---------------------------------------------------------------- what is left without it


class MfaActions(msgspec.Struct):
    """Actions that matter here; the lists are data."""

    self_service: tuple[str, ...]
    may_be_spared: tuple[str, ...]
    removal: tuple[str, ...]
    destructive: tuple[str, ...]


@functools.cache
def mfa_actions() -> MfaActions:
    return read_data("mfa_actions.json", MfaActions)


def left_without_mfa(effective: Effective, sign_in: SignIn) -> ActionSet:
    """The actions that somebody may do without a second factor, on at least something."""
    catalog = effective.catalog
    left = catalog.nothing
    for document in effective.policies.identity:
        for statement in document.statements:
            conditions = mfa_conditions(statement)
            if statement.is_allow and passes(conditions, sign_in) is not Truth.NO:
                actions = statement_actions(statement, catalog)
                left |= effective.evaluator.reachable(statement, actions)
    left &= effective.possible
    for statement in _stopping(effective, sign_in):
        left -= statement_actions(statement, catalog, is_sure=True)
    return left


def insists_on_mfa(effective: Effective, sign_in: SignIn = SignIn.SESSION) -> bool:
    """Whether all that somebody may do without a second factor is to get one.

    Who is allowed nothing here may be allowed things elsewhere: then the Deny has to be there.
    """
    catalog = effective.catalog
    self_service = catalog.expand_all(mfa_actions().self_service)
    if effective.possible:
        return not left_without_mfa(effective, sign_in) - self_service
    spared = ~catalog.nothing
    for statement in _stopping(effective, sign_in):
        spared -= statement_actions(statement, catalog, is_sure=True)
    return not spared - self_service


def may_act_without_mfa(effective: Effective, sign_in: SignIn = SignIn.SESSION) -> bool:
    """Whether somebody may do more without a second factor than get one and assume roles."""
    harmless = mfa_actions().self_service + mfa_actions().may_be_spared
    return bool(left_without_mfa(effective, sign_in) - effective.catalog.expand_all(harmless))


def broad_without_mfa(effective: Effective, action: str) -> Grant | None:
    """A broad grant of an action that asks for no second factor; None without one."""
    if not any(action in left_without_mfa(effective, way) for way in SignIn):
        return None
    for grant in effective.grants(action, only_broad=True):
        if grant.is_broad and grant.is_sure and not requires_mfa(grant.statement):
            return grant
    return None


def _stopping(effective: Effective, sign_in: SignIn) -> Iterator[Statement]:
    """The Deny statements that stop everybody who comes without a second factor that way."""
    for statement in _denials(effective):
        if stops(statement, sign_in) is Truth.YES and _is_everywhere(statement):
            yield statement


def _denials(effective: Effective) -> Iterator[Statement]:
    policies = effective.policies
    documents = [*policies.identity, *(document for level in policies.scps for document in level)]
    if policies.boundary is not None:
        documents.append(policies.boundary)
    for document in documents:
        for statement in document.statements:
            if not statement.is_allow:
                yield statement


def _is_everywhere(statement: Statement) -> bool:
    """Whether it is about every resource, or every one but people's own users and devices."""
    if statement.is_not_resource:
        return all("${aws:username}" in pattern.text for pattern in statement.resources)
    return any(pattern.text == "*" for pattern in statement.resources)


def has_device(user: Principal, graph: Graph) -> bool:
    """Whether the code gives a user a virtual device; CloudFormation can, Terraform cannot."""
    return any(
        found is user
        for resource in graph.of_type("aws_iam_virtual_mfa_device")
        for _, found, _ in graph.lookup.find_all(resource.get("users"), Principal, resource)
    )
