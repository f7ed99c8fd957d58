"""Who from outside the resources' own policies let in: everyone, services on anyone's behalf.

Rules about resource policies and trust policies ask here; the decision is the policy engine's,
for callers that the policy does not name.
"""

from __future__ import annotations

import functools
import itertools
from typing import TYPE_CHECKING

from msgspec import Struct

from iam_preflight.findings import Confidence, Severity
from iam_preflight.graph.accounts import account_of
from iam_preflight.graph.bucket_access import BucketAccess
from iam_preflight.graph.trust import ASSUME_ACTIONS
from iam_preflight.knowledge.catalog import AccessLevel
from iam_preflight.knowledge.policy_services import (
    answers_anonymous,
    open_severity,
    service_of_type,
)
from iam_preflight.policy.callers import Caller
from iam_preflight.policy.document import DocumentUse
from iam_preflight.policy.effective import statement_actions
from iam_preflight.policy.outsiders import Outsiders, Route

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from iam_preflight.graph.model import Graph, Policy
    from iam_preflight.knowledge.actionset import ActionSet
    from iam_preflight.policy.document import Pattern, PrincipalPattern, Statement
    from iam_preflight.policy.outsiders import Entry
    from iam_preflight.source import Span
    from iam_preflight.values import Assumptions

LEVELS = {
    AccessLevel.PERMISSIONS_MANAGEMENT: Severity.CRITICAL,
    AccessLevel.WRITE: Severity.CRITICAL,
    AccessLevel.TAGGING: Severity.CRITICAL,
    AccessLevel.READ: Severity.HIGH,
    AccessLevel.LIST: Severity.MEDIUM,
}
"""How bad it is that anybody may do something, by its level; the worst first."""

MOST_TRIED = 64
"""So many actions of a pattern are tried, to see whether it belongs to what is let through."""

SAMPLES = 4
"""So many actions of a level are tried; denials seldom tell them apart."""


class Admission(Struct, frozen=True):
    """That a statement lets somebody in whom it does not name, or names too widely."""

    policy: Policy
    statement: Statement
    principal: PrincipalPattern | None
    """None for `NotPrincipal`."""
    entry: Entry
    severity: Severity
    """By the worst that is let through."""
    patterns: tuple[Pattern, ...]
    """The statement's action patterns of which something is let through."""

    @property
    def place(self) -> Span:
        if self.principal is not None:
            return self.principal.span
        return self.statement.span_of("NotPrincipal")

    @property
    def what(self) -> str:
        """What is let through, as it is written: `sqs:*`, `s3:GetObject and 2 more`."""
        statement = self.statement
        if statement.is_not_action:
            return f"everything but {statement.actions[0].text}" if statement.actions else "all"
        rest = len(self.patterns) - 1
        first = self.patterns[0].text if self.patterns else self.entry.action
        return f"{first} and {rest} more" if rest > 0 else first

    @property
    def assumptions(self) -> Assumptions:
        more = self.principal.pattern.assumptions if self.principal is not None else ()
        return (*self.statement.assumptions, *more)

    @property
    def confidence(self) -> Confidence:
        return Confidence(self.entry.certainty)


class Admissions:
    """Answers are remembered by document."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.evaluator = graph.permissions.evaluator
        self.outsiders = Outsiders(self.evaluator)
        self._everyone: dict[int, tuple[Admission, ...]] = {}

    @functools.cached_property
    def buckets(self) -> BucketAccess:
        return BucketAccess(self.graph)

    # ---- everyone

    def everyone(self, policy: Policy) -> tuple[Admission, ...]:
        """The statements of a resource or trust policy that let anybody in, each once."""
        found = self._everyone.get(id(policy))
        if found is None:
            found = self._everyone[id(policy)] = tuple(self._let_everyone(policy))
        return found

    def _let_everyone(self, policy: Policy) -> Iterator[Admission]:
        if policy.use not in (DocumentUse.RESOURCE, DocumentUse.TRUST):
            return
        for statement in policy.document.statements:
            if not statement.is_allow:
                continue
            for principal in _open_principals(statement):
                found = self._admission(policy, statement, principal, _routes(policy, principal))
                if found is not None:
                    yield found
                    break

    def service(
        self, policy: Policy, statement: Statement, principal: PrincipalPattern
    ) -> Admission | None:
        """How a statement lets a service in that acts for somebody else's resource."""
        caller = Caller.service(principal.pattern.text)
        routes = [Route.SERVICE]
        if principal.pattern.text.startswith(("s3.", "logging.s3.")):
            routes.append(Route.BUCKET)
        return self._admission(policy, statement, principal, routes, caller)

    def _admission(
        self,
        policy: Policy,
        statement: Statement,
        principal: PrincipalPattern | None,
        routes: Iterable[Route],
        caller: Caller | None = None,
    ) -> Admission | None:
        given = principal.pattern.assumptions if principal is not None else ()
        for route in routes:
            for severity, actions in self._candidates(policy, statement):
                entry = self.outsiders.entry(
                    policy.document, statement, route, actions, caller, given
                )
                if entry is None:
                    continue
                patterns = tuple(
                    pattern
                    for pattern in statement.actions
                    if self._is_let(pattern, policy, statement, entry, caller, given)
                )
                return Admission(policy, statement, principal, entry, severity, patterns)
        return None

    def _is_let(
        self,
        pattern: Pattern,
        policy: Policy,
        statement: Statement,
        entry: Entry,
        caller: Caller | None,
        given: Assumptions,
    ) -> bool:
        """Whether any action of a pattern gets by the conditions: not every action has their keys.

        What cannot be asked, because AWS's reference does not have it, is taken to.
        """
        if not statement.conditions or not pattern.is_known or policy.use is DocumentUse.TRUST:
            return True
        actions = tuple(itertools.islice(self.evaluator.catalog.expand(pattern.text), MOST_TRIED))
        if not actions or entry.action in actions:
            return True
        found = self.outsiders.entry(
            policy.document, statement, entry.route, actions, caller, given
        )
        return found is not None

    def _candidates(
        self, policy: Policy, statement: Statement
    ) -> Iterator[tuple[Severity, list[str]]]:
        """Actions of the statement worth trying, the worst first, by how bad they are."""
        if policy.use is DocumentUse.TRUST:
            yield Severity.CRITICAL, [*ASSUME_ACTIONS]
            return
        actions = self.actions_of(policy, statement)
        by_severity: dict[Severity, list[str]] = {}
        for level, severity in LEVELS.items():
            for action in itertools.islice(actions.at_level(level), SAMPLES):
                own = open_severity(action)
                worth = severity if own is None else Severity[own.upper()]
                by_severity.setdefault(worth, []).append(action)
        if not by_severity:
            texts = [p.text for p in statement.actions if p.is_known and ":" in p.text]
            yield Severity.HIGH, texts if not statement.is_not_action else []
        for severity in sorted(by_severity, reverse=True):
            yield severity, by_severity[severity]

    def actions_of(self, policy: Policy, statement: Statement) -> ActionSet:
        """What a statement of a resource policy is about: actions of the resource's service."""
        about = statement_actions(statement, self.evaluator.catalog)
        service = service_of_type(policy.resource.type)
        if service in self.evaluator.catalog.services and about.mask(service):
            about = about.of_service(service)
        return self.evaluator.reachable(statement, about)


def _open_principals(statement: Statement) -> Iterator[PrincipalPattern | None]:
    """The principals that stand for everyone; None for `NotPrincipal`."""
    if statement.is_not_principal:
        # beside everyone nobody is left
        if not any(p.is_anyone and not p.pattern.assumptions for p in statement.principals):
            yield None
        return
    for principal in statement.principals:
        if is_everyone(principal):
            yield principal


def is_everyone(principal: PrincipalPattern) -> bool:
    """Whether a principal is `*`, or an ARN that leaves the account open."""
    if principal.kind == "*" or principal.pattern.text == "*":
        return True
    return principal.kind == "AWS" and account_of(principal.pattern) == "*"


def _routes(policy: Policy, principal: PrincipalPattern | None) -> Iterator[Route]:
    """How outsiders may come that an open principal lets in."""
    kind = "*" if principal is None else principal.kind
    if kind == "Service":
        yield Route.SERVICE
        return
    if policy.use is DocumentUse.TRUST:
        if kind != "Federated":
            yield Route.ACCOUNT
        if kind != "AWS":
            yield Route.PROVIDER
        return
    if answers_anonymous(service_of_type(policy.resource.type)):
        yield Route.ANONYMOUS
    yield from (Route.ACCOUNT, Route.SERVICE, Route.BUCKET)
