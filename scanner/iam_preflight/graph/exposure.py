"""What the identity policies of the code leave open, and who is left with it.

Rules about one statement ask here: which actions are open on everything, whether any holder can
use them inside boundaries, control policies and denials, and so how severe it is. A statement
that several documents show (a shared policy document) is one exposure, with all their holders.
"""

from __future__ import annotations

import functools
import itertools
import re
from typing import TYPE_CHECKING

from iam_preflight.findings import Confidence, Severity
from iam_preflight.graph.model import Origin, PrincipalKind
from iam_preflight.policy.document import DocumentUse
from iam_preflight.policy.effective import admin_probes
from iam_preflight.policy.openness import Openings
from iam_preflight.policy.truth import Truth

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from iam_preflight.graph.model import Attachment, Graph, Policy, Principal
    from iam_preflight.knowledge.actionset import ActionSet
    from iam_preflight.knowledge.catalog import Catalog
    from iam_preflight.policy.document import Condition, Pattern, Statement
    from iam_preflight.policy.effective import Effective
    from iam_preflight.policy.openness import Opening
    from iam_preflight.settings import Settings
    from iam_preflight.source import Span
    from iam_preflight.values import Assumptions

MAX_CHECKED = 64
"""So many actions are put before a holder's limits one by one."""

MAX_RELATED = 3

_INSTANCE = re.compile(r"\[[^\]]*\]")
"""The key of an instance in an address: all of them hold the same."""


class Exposure:
    """An Allow statement of an identity policy, what it leaves open and who holds it."""

    def __init__(
        self, graph: Graph, policy: Policy, opening: Opening, attachments: tuple[Attachment, ...]
    ) -> None:
        self.graph = graph
        self.policy = policy
        self.opening = opening
        self.attachments = attachments

    @property
    def statement(self) -> Statement:
        return self.opening.statement

    @property
    def catalog(self) -> Catalog:
        return self.opening.catalog

    def reaches(self, action: str) -> bool:
        """Whether the statement gives an action on some resource that the action takes."""
        if action not in self.opening.about:
            return False
        evaluator = self.graph.permissions.evaluator
        return action in evaluator.reachable(self.statement, self.catalog.expand(action))

    # ---- holders

    @functools.cached_property
    def holders(self) -> tuple[Principal, ...]:
        """Who holds the statement; for a group with members, these."""
        found: dict[int, Principal] = {}
        for attachment in self.attachments:
            principal = attachment.principal
            members = [membership.user for membership in principal.memberships]
            is_group = principal.kind is PrincipalKind.GROUP
            for each in members if is_group and members else [principal]:
                found[id(each)] = each
        return tuple(found.values())

    @functools.cached_property
    def _limited(self) -> tuple[Effective, ...] | None:
        """The holders' permissions; None where one of them has no limit at all, or nobody holds."""
        found: list[Effective] = []
        for holder in self.holders:
            effective = self.graph.effective(holder)
            if has_unknown_boundary(holder):
                effective = self.graph.permissions.without_boundary(holder)
            policies = effective.policies
            is_denied = any(
                not statement.is_allow
                for document in policies.identity
                if document is not self.opening.document
                for statement in document.statements
            )
            if policies.boundary is None and not policies.scps and not is_denied:
                return None
            found.append(effective)
        return tuple(found) or None

    def is_any_left(self, actions: ActionSet) -> bool:
        """Whether some holder may use any of those actions on everything, its other policies told.

        Asked of the first few actions only; of nobody's where some holder has no other policy.
        """
        if self._limited is None:
            return bool(actions)
        possible = self.catalog.nothing
        for effective in self._limited:
            possible |= actions & effective.possible
        asked = itertools.islice(possible, MAX_CHECKED)
        return any(self._is_left(action, one) for action in asked for one in self._limited)

    def _is_left(self, action: str, effective: Effective) -> bool:
        """Whether a holder's other policies leave an action of the statement on everything."""
        return any(
            grant.breadth is not Truth.NO and effective.is_broad_within_limits(grant)
            for grant in effective.grants(action, self._is_written_here)
        )

    def _is_written_here(self, statement: Statement) -> bool:
        own = self.statement.span
        return statement.span.source is own.source and statement.span.start == own.start

    # ---- what a finding about it says

    @property
    def who(self) -> str:
        """Who may do it, for messages: `role ci`, `role ci and 2 others`."""
        holders = self.holders
        if holders:
            names = list(dict.fromkeys(holder.label for holder in holders))
            if len(names) < 3:
                return " and ".join(names)
            return f"{names[0]} and {len(names) - 1} others"
        return f"whoever holds {_INSTANCE.sub('', self.policy.address)}"

    @property
    def holder(self) -> Principal | None:
        """The holder, where there is only one."""
        return self.holders[0] if len(self.holders) == 1 else None

    def severity(self, base: Severity, actions: ActionSet) -> Severity:
        """A rule's severity for these actions: milder where context or the holders' limits are."""
        base = self.severity_as_written(base, actions)
        return base if self.is_any_left(actions) else base.lowered(2)

    def severity_as_written(self, base: Severity, actions: ActionSet) -> Severity:
        """The same without asking what the holders' other policies leave."""
        if self.policy.is_source_only:
            base = base.lowered()
        return base.lowered() if self.opening.is_contextual(actions) else base

    def severity_of_the_rest(self, base: Severity) -> Severity:
        """The same where nothing sensitive is open on everything: milder where conditions bind.

        Asked of what tells for the rest, since such a statement is about nearly every action.
        """
        probes = self.opening.about & self.catalog.expand_all(admin_probes())
        is_restricted = self.opening.is_restricted(probes or self.opening.about)
        return self.severity_as_written(base.lowered(is_restricted), self.catalog.nothing)

    def conditions_on(self, key: str) -> Iterator[Condition]:
        """The statement's conditions on a key, given in lower case."""
        return (c for c in self.statement.conditions if c.key_name == key)

    def confidence(self, actions: ActionSet) -> Confidence:
        """High where at least one of the actions is open whatever the unknowns are."""
        return Confidence.HIGH if self.opening.sure.meets(actions) else Confidence.LOW

    def confidence_in(self, action: str) -> Confidence:
        """High where the action is on everything for sure, whatever its conditions are."""
        return Confidence.HIGH if action in self.opening.surely_broad else Confidence.LOW

    def assumptions(self, *patterns: Pattern | None) -> Assumptions:
        """What has to hold for the patterns to be there and for somebody to hold them."""
        given = self.opening.assumptions(*patterns)
        if self.attachments and all(each.assumptions for each in self.attachments):
            given = (*given, *self.attachments[0].assumptions)
        return tuple(dict.fromkeys(given))

    def patterns(self, actions: ActionSet) -> list[Pattern]:
        """The action patterns that give some actions; those with holes only where no other does."""
        found = self.opening.action_patterns(actions)
        return [pattern for pattern in found if pattern.is_known] or found

    def action_place(self, patterns: Iterable[Pattern]) -> Span:
        """Where the first of some action patterns is written; `NotAction` without one."""
        first = next(iter(patterns), None)
        return first.span if first is not None else self.statement.span_of("NotAction")

    def resource_place(self, pattern: Pattern | None) -> Span:
        return pattern.span if pattern is not None else self.statement.span_of("NotResource")

    def related(self) -> Iterator[tuple[Span, str]]:
        """Who holds it, the first few."""
        for attachment in self.attachments[:MAX_RELATED]:
            principal = attachment.principal
            if attachment.policy.origin is Origin.INLINE:
                yield principal.resource.header, f"held by {principal.label}"
            else:
                yield attachment.place, f"attached to {principal.label}"
        rest = len(self.attachments) - MAX_RELATED
        if rest > 0:
            place = self.attachments[MAX_RELATED].place
            yield place, f"and to {rest} more" if rest > 1 else "and here"


class Exposures:
    """The exposures of a graph, worked out once."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.openings = Openings(graph.permissions.evaluator.catalog)
        self._by_policy: dict[int, tuple[Exposure, ...]] = {}
        self._groups: dict[tuple[object, ...], list[Policy]] | None = None

    def of(self, policy: Policy) -> tuple[Exposure, ...]:
        """The exposures that a policy is to speak for; none where it is no identity policy."""
        found = self._by_policy.get(id(policy))
        if found is None:
            found = self._by_policy[id(policy)] = tuple(self._of(policy))
        return found

    def _of(self, policy: Policy) -> Iterator[Exposure]:
        if policy.use is not DocumentUse.IDENTITY:
            return
        for opening in self.openings.of(policy.document):
            group = self._sharing(opening.statement)
            if not _is_same_place(policy, group[0]):
                continue
            holding = [policy, *(other for other in group if not _is_same_place(other, policy))]
            attachments = tuple(a for other in holding for a in other.attachments)
            if attachments and all(
                is_exempt(a.principal, self.graph.settings) for a in attachments
            ):
                continue
            yield Exposure(self.graph, policy, opening, attachments)

    def _sharing(self, statement: Statement) -> list[Policy]:
        """The identity policies that show the same statement, in the order of the scan."""
        if self._groups is None:
            self._groups = {}
            for policy in self.graph.policies:
                if policy.use is not DocumentUse.IDENTITY:
                    continue
                for each in policy.document.statements:
                    if each.is_allow:
                        self._groups.setdefault(_identity(each), []).append(policy)
        return self._groups[_identity(statement)]


def listed(names: Iterable[str], most: int = 3) -> str:
    """A few names and how many more there are: `s3:GetObject, kms:Decrypt and 4 others`."""
    each = list(dict.fromkeys(names))
    rest = len(each) - most
    if not each:
        return ""
    if rest > 1:
        return f"{', '.join(each[:most])} and {rest} others"
    return " and ".join(part for part in (", ".join(each[:-1]), each[-1]) if part)


def confidence_in_effect(statement: Statement) -> Confidence:
    """How sure it is that a statement allows at all, whatever its resources turn out to be."""
    return Confidence.HIGH if statement.is_effect_known else Confidence.LOW


def has_unknown_boundary(principal: Principal) -> bool:
    """Whether its permissions boundary is not in the code, so that nobody knows what it leaves.

    Many such boundaries limit little; a finding is not made milder on the strength of one.
    """
    return principal.boundary is not None and principal.boundary.policy is None


def unbounded(principals: Iterable[Principal]) -> Assumptions:
    """With what they are without a permissions boundary, where for all of them it depends."""
    absent = [() if one.boundary is None else one.boundary.absent for one in principals]
    return absent[0] if absent and all(absent) else ()


def is_exempt(principal: Principal, settings: Settings) -> bool:
    """Whether it is meant to be powerful, by the settings or because AWS made it (S11)."""
    if principal.is_service_linked or principal.is_from_identity_center:
        return True
    if principal.is_user:
        return principal.is_listed(settings.break_glass_users)
    return principal.is_listed((*settings.admin_roles, *settings.break_glass_roles))


def _identity(statement: Statement) -> tuple[object, ...]:
    """Where a statement is written and what it came to there."""
    span = statement.span
    return (
        id(span.source),
        span.start,
        span.end,
        tuple(pattern.text for pattern in statement.actions),
        tuple(pattern.text for pattern in statement.resources),
    )


def _is_same_place(left: Policy, right: Policy) -> bool:
    """Whether two policies are instances of one resource of the code."""
    a, b = left.resource.span, right.resource.span
    return a.source is b.source and a.start == b.start
