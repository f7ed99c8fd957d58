"""Access that depends on tags, and who may set those tags.

A condition on a tag is a lock whose key is the permission to set tags. Whoever is let in by a
tag and may also write it has the key.

https://docs.aws.amazon.com/IAM/latest/UserGuide/access_tags.html
"""

from __future__ import annotations

import re
from enum import Enum
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from msgspec import Struct

from iam_preflight.graph.model import Origin, PrincipalKind
from iam_preflight.graph.trust import grants as trust_grants
from iam_preflight.graph.trust import lets_assume
from iam_preflight.knowledge.catalog import AccessLevel
from iam_preflight.policy.effective import statement_actions
from iam_preflight.policy.globs import Wildcards, may_meet, text_tokens
from iam_preflight.policy.truth import Truth

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from iam_preflight.graph.model import Graph, Principal
    from iam_preflight.knowledge.catalog import Catalog
    from iam_preflight.policy.document import Condition, Document, Statement
    from iam_preflight.policy.effective import Effective, Grant
    from iam_preflight.source import Span

PRINCIPAL_TAG = "aws:principaltag/"
_VARIABLE = re.compile(r"\$\{\s*aws:PrincipalTag/([^},]+)", re.IGNORECASE)
RESOURCE_TAGS = ("resourcetag/", "existingobjecttag/")
TAG_KEYS, REQUEST_TAG = "aws:tagkeys", "aws:requesttag/"
AT_CREATION = frozenset({"ec2:createaction", "elasticloadbalancing:createaction"})
_OWN_TAGS = {
    PrincipalKind.ROLE: ("iam:TagRole", "iam:UntagRole"),
    PrincipalKind.USER: ("iam:TagUser", "iam:UntagUser"),
    PrincipalKind.GROUP: ("iam:TagUser", "iam:UntagUser"),
}
"""Of a group, those of its members; only users can be in one."""


class Whose(Enum):
    """Whose tag a condition asks for."""

    PRINCIPAL = "own"
    RESOURCE = "the resources'"


class Lock(Struct, frozen=True):
    """A condition or a resource that lets a tag decide about somebody's access."""

    key: str
    """The tag, in lower case: keys of conditions do not differ by case."""
    whose: Whose
    statement: Statement
    place: Span
    opens_without: bool = False
    """Whether it is enough to take the tag away: a Deny for all that have it."""


class Picked(Struct, frozen=True):
    """That whom a lock should hold may set the tag it depends on."""

    principal: Principal
    lock: Lock
    action: str
    place: Span
    statement: Span
    is_sure: bool


def picked_locks(principal: Principal, graph: Graph) -> Iterator[Picked]:
    """The locks on a principal's access that it can open by itself; each tag once."""
    own = [a.policy.document for a in principal.held() if a.policy.origin is not Origin.AWS_MANAGED]
    locks = [lock for document in own for lock in _locks_in(document)]
    if not locks:
        return
    effective = graph.effective(principal)
    told: set[tuple[str, Whose]] = set()
    for lock in locks:
        if (lock.key, lock.whose) in told:
            continue
        for picked in _ways(principal, lock, own, effective, graph):
            told.add((lock.key, lock.whose))
            yield picked
            break


def _locks_in(document: Document) -> Iterator[Lock]:
    for statement in document.statements:
        for condition in statement.conditions:
            if condition.operator.base != "null" and condition.key.is_known:
                yield from _locks_of(condition, statement)
        for pattern in statement.resources if statement.is_allow else ():
            for tag in _VARIABLE.findall(pattern.text):
                yield Lock(tag.lower(), Whose.PRINCIPAL, statement, pattern.span)


def _locks_of(condition: Condition, statement: Statement) -> Iterator[Lock]:
    """The tag that a condition is about, and the own ones that its values name."""
    name, is_negated = condition.key_name, condition.operator.is_negated
    if statement.is_allow and is_negated:
        return
    if not any(value.text.strip("*?") for value in condition.values):
        return
    opens_without = not statement.is_allow and not is_negated
    if name.startswith(PRINCIPAL_TAG):
        key = name.removeprefix(PRINCIPAL_TAG)
        yield Lock(key, Whose.PRINCIPAL, statement, condition.span, opens_without)
    elif any(f":{word}" in name for word in RESOURCE_TAGS):
        key = name.partition("/")[2]
        yield Lock(key, Whose.RESOURCE, statement, condition.span, opens_without)
    for value in condition.values:
        for tag in _VARIABLE.findall(value.text):
            yield Lock(tag.lower(), Whose.PRINCIPAL, statement, value.span)


def _ways(
    principal: Principal, lock: Lock, own: list[Document], effective: Effective, graph: Graph
) -> Iterator[Picked]:
    written = {id(document) for document in own}
    for action in _tagging(principal, lock, effective):
        if _is_denied(action, lock, effective):
            continue
        for grant in effective.grants(action):
            if id(grant.document) not in written or _guards(grant.statement, lock):
                continue
            if not _is_about_locked(grant, lock, effective.catalog):
                continue
            if _is_open_anyway(grant.statement, lock, own, effective.catalog):
                continue
            if _is_wide(grant, action, principal, lock, effective):
                is_sure = grant.decision.truth is Truth.YES
                place, statement = grant.action_place, grant.statement.span
                yield Picked(principal, lock, grant.action, place, statement, is_sure)
    if lock.whose is Whose.PRINCIPAL:
        yield from _as_session(principal, lock, graph)


def _tagging(principal: Principal, lock: Lock, effective: Effective) -> Iterator[str]:
    """The actions that set the tag."""
    if lock.whose is Whose.PRINCIPAL:
        for name in _OWN_TAGS.get(principal.kind, ()):
            if lock.opens_without or not _only_removes(name):
                yield name
        return
    catalog = effective.catalog
    locked = statement_actions(lock.statement, catalog, is_sure=True)
    for service in locked.services:
        types = _types(locked.of_service(service), catalog)
        for name in (catalog.expand(f"{service}:*") & effective.possible).at_level(
            AccessLevel.TAGGING
        ):
            if _only_removes(name) and not lock.opens_without:
                continue
            if types & _types((name,), catalog):
                yield name


def _only_removes(action: str) -> bool:
    return action.partition(":")[2].startswith(("Delete", "Remove", "Untag"))


def _types(actions: Iterable[str], catalog: Catalog) -> set[str]:
    known = (catalog.action(name) for name in actions)
    return {use.type.glob for action in known if action is not None for use in action.resources}


def _is_about_locked(grant: Grant, lock: Lock, catalog: Catalog) -> bool:
    """Whether a permission to tag is one for what the lock is on: for the same kind of thing."""
    if lock.whose is Whose.PRINCIPAL:
        return True
    service = grant.action.partition(":")[0]
    locked = statement_actions(lock.statement, catalog, is_sure=True).of_service(service)
    both = _types(locked, catalog) & _types((grant.action,), catalog)
    return any(_takes_in(lock.statement, t) and _takes_in(grant.statement, t) for t in both)


def _is_open_anyway(tagging: Statement, lock: Lock, own: list[Document], catalog: Catalog) -> bool:
    """Whether what may be tagged is open already, by another tag that the permission asks for."""
    asked = {_meaning(condition) for condition in tagging.conditions if _is_of_tags(condition)}
    if lock.whose is Whose.PRINCIPAL or not lock.statement.is_allow or not asked:
        return False
    left = statement_actions(lock.statement, catalog, is_sure=True)
    for statement in (each for document in own for each in document.statements):
        asks = {_meaning(condition) for condition in statement.conditions}
        if statement.is_allow and asks <= asked and _is_as_wide(statement, lock.statement):
            left -= statement_actions(statement, catalog, is_sure=True)
    return not left


def _meaning(condition: Condition) -> tuple[str, str, tuple[str, ...]]:
    values = tuple(sorted(value.text for value in condition.values))
    return condition.operator.name, condition.key_name, values


def _is_of_tags(condition: Condition) -> bool:
    """Whether it asks for a tag that the resource has already."""
    return not condition.operator.is_if_exists and any(
        f":{word}" in condition.key_name for word in RESOURCE_TAGS
    )


def _is_as_wide(statement: Statement, other: Statement) -> bool:
    """Whether one statement is about all the resources of another, as far as can be seen."""
    patterns = {pattern.text for pattern in statement.resources}
    if statement.is_not_resource or other.is_not_resource:
        return False
    return "*" in patterns or {pattern.text for pattern in other.resources} <= patterns


def _takes_in(statement: Statement, glob: str) -> bool:
    """Whether a statement may be about resources with such ARNs."""
    if not statement.has_resource or statement.is_not_resource:
        return True
    kind = text_tokens(glob, Wildcards.ARN)
    return any(may_meet(pattern.arn_tokens, kind) for pattern in statement.resources)


def _is_wide(
    grant: Grant, action: str, principal: Principal, lock: Lock, effective: Effective
) -> bool:
    """Whether the permission reaches the principal itself, or any resource."""
    if lock.whose is Whose.PRINCIPAL and principal.kind is not PrincipalKind.GROUP:
        return effective.allows(action, principal.arn).is_possible
    if lock.whose is Whose.PRINCIPAL and _is_for_oneself(grant.statement):
        return True
    return grant.breadth is not Truth.NO


def _is_for_oneself(statement: Statement) -> bool:
    """Whether the resources name whoever asks."""
    return any("${aws:username}" in pattern.text for pattern in statement.resources)


def _guards(statement: Statement, lock: Lock) -> bool:
    """Whether a statement lets somebody set tags, but not this one, not later, or not before."""
    for condition in statement.conditions:
        name = condition.key_name
        if name == TAG_KEYS:
            names_key = _names(condition, lock.key)
            if names_key is condition.operator.is_negated:
                return True
        elif name in AT_CREATION or name == f"{REQUEST_TAG}{lock.key}":
            return True
        elif lock.whose is Whose.RESOURCE and name.endswith(f"tag/{lock.key}"):
            return not name.startswith(PRINCIPAL_TAG)
        elif condition.span == lock.place and statement.is_allow:
            return True  # the permission to tag lies behind the lock itself
    return False


def _names(condition: Condition, key: str) -> bool:
    """Whether the values of a condition on tag keys include one."""
    texts = [value.text.lower() for value in condition.values]
    if condition.operator.base == "stringlike":
        return any(fnmatchcase(key, text) for text in texts)
    return key in texts


def _is_denied(action: str, lock: Lock, effective: Effective) -> bool:
    """Whether a Deny keeps the tag, by its key or its value, or the action altogether."""
    policies = effective.policies
    limits = [document for level in policies.scps for document in level]
    boundary = (policies.boundary,) if policies.boundary is not None else ()
    for document in (*policies.identity, *boundary, *limits):
        for statement in document.statements:
            if statement.is_allow or action not in statement_actions(statement, effective.catalog):
                continue
            for condition in statement.conditions:
                is_about_it = condition.key_name == f"{REQUEST_TAG}{lock.key}" or (
                    condition.key_name == TAG_KEYS and _names(condition, lock.key)
                )
                if is_about_it:
                    return True
    return False


def _as_session(principal: Principal, lock: Lock, graph: Graph) -> Iterator[Picked]:
    """A role whose callers may give their sessions tags of their own choice.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/id_session-tags.html
    """
    callers = {
        id(grant.statement)
        for grant in trust_grants(principal.trust, graph.accounts)
        if grant.is_aws
    }
    document = principal.trust.document if principal.trust is not None else None
    for statement in document.statements if document is not None else ():
        if not statement.is_allow or not any(one.kind == "AWS" for one in statement.principals):
            continue
        if not callers or not lets_assume(statement, ("sts:TagSession",)):
            continue
        if not _guards(statement, lock):
            pattern = next(iter(statement.actions), None)
            place = pattern.span if pattern is not None else statement.span
            yield Picked(principal, lock, "sts:TagSession", place, statement.span, is_sure=True)
