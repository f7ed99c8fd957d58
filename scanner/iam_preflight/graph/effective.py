"""What each principal of the graph may do: its policies put before the policy engine."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from iam_preflight.graph.model import PrincipalKind
from iam_preflight.graph.organization import FULL_ACCESS, Organization
from iam_preflight.knowledge.managed import managed_policy
from iam_preflight.policy.callers import Caller
from iam_preflight.policy.context import Context, Presence
from iam_preflight.policy.document import (
    Document,
    DocumentUse,
    Effect,
    Pattern,
    Resolution,
    Statement,
)
from iam_preflight.policy.effective import Effective
from iam_preflight.policy.evaluate import Evaluator, PolicySet
from iam_preflight.policy.truth import Truth
from iam_preflight.values import Reason, Unknown, text_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from iam_preflight.graph.model import Boundary, Policy, Principal
    from iam_preflight.graph.tags import Tags
    from iam_preflight.policy.context import ContextValue
    from iam_preflight.policy.evaluate import Levels
    from iam_preflight.resources import Resource
    from iam_preflight.source import Span
    from iam_preflight.values import Assumptions


class Permissions:
    """Effective permissions of principals; each is worked out once, when somebody asks."""

    def __init__(
        self, resources: Iterable[Resource], policies: Iterable[Policy], today: dt.date
    ) -> None:
        self.evaluator = Evaluator()
        self.organization = Organization(resources, policies)
        self._effective: dict[int, Effective] = {}
        self._unbounded: dict[int, Effective] = {}
        self._unguarded: dict[int, Effective] = {}
        self._widest: dict[int, Effective] = {}
        self._alone: dict[int, Effective] = {}
        self._tests: dict[int, frozenset[str]] = {}
        self._contexts: dict[tuple[int, frozenset[tuple[str, str]], int], Context] = {}
        moment = dt.datetime.combine(today, dt.time(12), dt.timezone.utc)
        self._now = {
            "aws:CurrentTime": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "aws:EpochTime": str(int(moment.timestamp())),
            # whoever has no session can get one, so that a limit on its age is met
            "aws:TokenIssueTime": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "aws:SecureTransport": "true",
        }

    def of(self, principal: Principal) -> Effective:
        """What it may do; where it may have no boundary, what it may do without."""
        found = self._effective.get(id(principal))
        if found is None:
            policies = self._policy_set(principal, _sure_boundary(principal))
            found = Effective(self.evaluator, policies, _caller(principal))
            self._effective[id(principal)] = found
        return found

    def of_document(self, document: Document) -> Effective:
        """What one document alone would let its holder do."""
        found = self._alone.get(id(document))
        if found is None:
            found = Effective(self.evaluator, PolicySet(identity=(document,)))
            self._alone[id(document)] = found
        return found

    def without_boundary(self, principal: Principal) -> Effective:
        """What it could do if its permissions boundary were gone."""
        if principal.boundary is None:
            return self.of(principal)
        found = self._unbounded.get(id(principal))
        if found is None:
            policies = self._policy_set(principal, None)
            found = Effective(self.evaluator, policies, _caller(principal))
            self._unbounded[id(principal)] = found
        return found

    def with_boundary(self, principal: Principal) -> Effective:
        """What it may do where it has its permissions boundary, if it has one anywhere."""
        if principal.boundary is _sure_boundary(principal):
            return self.of(principal)
        policies = self._policy_set(principal, principal.boundary)
        return Effective(self.evaluator, policies, _caller(principal))

    def within_boundary(self, principal: Principal) -> Effective | None:
        """What its boundary would leave of a policy that allows everything; None without one.

        None as well where the code does not hold the boundary: it may leave everything.
        """
        boundary = _sure_boundary(principal)
        if boundary is None or boundary.policy is None:
            return None
        found = self._widest.get(id(principal))
        if found is None:
            everything = _everything(principal.resource.header)
            policies = PolicySet(identity=(everything,), boundary=boundary.policy.document)
            found = Effective(self.evaluator, policies, _caller(principal))
            self._widest[id(principal)] = found
        return found

    def without_control_policies(self, principal: Principal) -> Effective:
        """What its own policies and its boundary allow, whatever binds the whole account."""
        if not self.organization:
            return self.of(principal)
        found = self._unguarded.get(id(principal))
        if found is None:
            bound = self._policy_set(principal, _sure_boundary(principal))
            policies = PolicySet(identity=bound.identity, boundary=bound.boundary)
            found = Effective(self.evaluator, policies, _caller(principal))
            self._unguarded[id(principal)] = found
        return found

    def _policy_set(self, principal: Principal, boundary: Boundary | None) -> PolicySet:
        identity = tuple(
            {id(a.policy.document): a.policy.document for a in principal.held()}.values()
        )
        document = None if boundary is None else _boundary_document(boundary)
        scps: Levels = ()
        rcps: Levels = ()
        if self.organization:
            full = managed_policy(FULL_ACCESS) or _everything(principal.resource.header)
            scps = self.organization.levels(principal, DocumentUse.SCP, full)
            rcps = self.organization.levels(principal, DocumentUse.RCP, full)
        return PolicySet(identity=identity, boundary=document, scps=scps, rcps=rcps)

    def resource_controls(self, resource: Resource) -> Levels:
        """The resource control policies that bind a resource, whoever asks for it."""
        if not self.organization:
            return ()
        chain = self.organization.chain_above(resource.provider.account_id, resource)
        full = managed_policy(FULL_ACCESS) or _everything(resource.header)
        return self.organization.levels_of(chain, DocumentUse.RCP, full)

    def context(
        self,
        actor: Principal,
        keys: tuple[tuple[str, str], ...] = (),
        tags: Tags | None = None,
        **present: Presence,
    ) -> Context:
        """What a request of the actor carries: the time, its tags, those of what it is about."""
        tests = self._tag_tests(actor)
        # without a policy that looks at tags it is the same for everybody
        key = (id(actor) if tests else 0, frozenset(keys), id(tags) if tests else 0)
        if not present and key in self._contexts:
            return self._contexts[key]
        known: dict[str, ContextValue] = {**self._now}
        known.update(_tag_keys("aws:principaltag/", actor.tags, tests))
        if tags is not None:
            # services have keys of their own for the tags of their resources, too
            for prefix in {key.partition("/")[0] + "/" for key in tests}:
                if prefix.endswith(":resourcetag/"):
                    known.update(_tag_keys(prefix, tags, tests))
        known.update(keys)
        known.update({name.replace("__", ":"): value for name, value in present.items()})
        context = Context(known)
        if not present:
            self._contexts[key] = context
        return context

    def _tag_tests(self, actor: Principal) -> frozenset[str]:
        """Condition keys about tags that the actor's policies test, in lower case."""
        found = self._tests.get(id(actor))
        if found is None:
            found = self._tests[id(actor)] = frozenset(_tested_tags(actor))
        return found

    def assumptions(self, principal: Principal, documents: Iterable[Document]) -> Assumptions:
        """Under which assumptions the principal holds the documents."""
        wanted = {id(document) for document in documents}
        found = [
            assumption
            for attachment in principal.held()
            if id(attachment.policy.document) in wanted
            for assumption in attachment.assumptions
        ]
        absent = () if principal.boundary is None else principal.boundary.absent
        return tuple(dict.fromkeys((*found, *absent)))

    def assumptions_as_administrator(self, principal: Principal) -> Assumptions:
        """Under which assumptions it holds what makes it an administrator: as few as will do."""
        documents = [attachment.policy.document for attachment in principal.held()]
        alone = [d for d in documents if self.of_document(d).is_admin is Truth.YES]
        if alone:
            return min((self.assumptions(principal, (d,)) for d in alone), key=len)
        grants = self.of(principal).administration.grants
        return self.assumptions(principal, (grant.document for grant in grants))


def _tag_keys(prefix: str, tags: Tags, tested: frozenset[str]) -> dict[str, ContextValue]:
    """Context keys for all tags, and for those that a policy tests and that are not there."""
    known: dict[str, ContextValue] = {}
    for written, value in tags.values.items():
        text = text_of(value)
        known[prefix + written.lower()] = text if text is not None else Presence.PRESENT
    if tags.is_complete:
        for key in tested:
            if key.startswith(prefix):
                known.setdefault(key, Presence.ABSENT)
    return known


def _tested_tags(actor: Principal) -> Iterator[str]:
    for attachment in actor.held():
        for statement in attachment.policy.document.statements:
            for condition in statement.conditions:
                if "tag/" in condition.key_name:
                    yield condition.key_name


def _caller(principal: Principal) -> Caller | None:
    match principal.kind:
        case PrincipalKind.USER:
            return Caller.user(principal.arn)
        case PrincipalKind.ROLE:
            return Caller.role(principal.arn)
        case _:
            return None


def _sure_boundary(principal: Principal) -> Boundary | None:
    """Its permissions boundary, unless it depends on something whether it has one."""
    boundary = principal.boundary
    return None if boundary is None or boundary.absent else boundary


def _boundary_document(boundary: Boundary) -> Document:
    if boundary.policy is not None:
        return boundary.policy.document
    return anything(boundary.place)


def anything(span: Span) -> Document:
    """A document that may say anything: every question to it is answered with maybe."""
    hole = Unknown(Reason.MISSING, "a policy that is not here", span)
    pattern = Pattern((hole,), span)
    statement = Statement(Effect.ALLOW, (pattern,), (pattern,), (), (), span, 0)
    return Document((statement,), span, "2012-10-17", Resolution.NONE, (hole,))


def _everything(span: Span) -> Document:
    pattern = Pattern(("*",), span)
    statement = Statement(Effect.ALLOW, (pattern,), (pattern,), (), (), span, 0)
    return Document((statement,), span, "2012-10-17")
