"""What a principal may do: every policy that has a say, taken together (S6, S7)."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from iam_preflight.knowledge.actionset import ActionSet
from iam_preflight.knowledge.reading import read_data
from iam_preflight.policy.context import UNKNOWN_CONTEXT
from iam_preflight.policy.evaluate import Decision, Layer, Request
from iam_preflight.policy.scope import Judgement, Strength, breadth, judge
from iam_preflight.policy.truth import Doubt, Truth

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from iam_preflight.knowledge.catalog import Catalog
    from iam_preflight.policy.callers import Caller
    from iam_preflight.policy.context import Context
    from iam_preflight.policy.document import Document, Pattern, Statement
    from iam_preflight.policy.evaluate import Evaluator, PolicySet
    from iam_preflight.source import Span


class _ProbeFile(msgspec.Struct):
    probes: tuple[str, ...]


_DENIED = Decision(Truth.NO, missing=(Layer.IDENTITY,))


class Grant(Struct, frozen=True):
    """A statement that gives an action, and how widely."""

    action: str
    """As AWS spells it."""
    document: Document
    statement: Statement
    pattern: Pattern | None
    """The action pattern that covers it; None where `NotAction` leaves it in."""
    resource: Pattern | None
    """The widest resource pattern; None where `NotResource` leaves resources in."""
    breadth: Truth
    """Whether the resources are broad for the action (S3)."""
    judgements: tuple[Judgement, ...]
    """What each condition does (S4)."""
    decision: Decision
    """What all policies together say about the action on these resources."""

    @property
    def strength(self) -> Strength:
        return max((j.strength for j in self.judgements), default=Strength.NOTHING)

    @property
    def is_broad(self) -> bool:
        """Broad, for all that is known, and not restricted to a scope by a condition."""
        return self.breadth is not Truth.NO and self.strength <= Strength.CONTEXT

    @property
    def is_sure(self) -> bool:
        """Whether nothing unknown decides that it is broad and allowed."""
        return self.breadth is Truth.YES and self.decision.is_allowed

    @property
    def action_place(self) -> Span:
        """Where the action is written."""
        if self.pattern is not None:
            return self.pattern.span
        return self.statement.span_of("NotAction")

    @property
    def resource_place(self) -> Span:
        if self.resource is not None:
            return self.resource.span
        return self.statement.span_of("NotResource")


class Administration(Struct, frozen=True):
    """Whether somebody may do everything that only an administrator may."""

    truth: Truth
    grants: tuple[Grant, ...] = ()
    """What gives each of the probes; empty where some are missing."""
    missing: tuple[str, ...] = ()

    @property
    def statements(self) -> tuple[Statement, ...]:
        """The statements that make it so, each once."""
        return tuple({id(g.statement): g.statement for g in self.grants}.values())


class Effective:
    """What the policies of one principal add up to. Answers are remembered."""

    def __init__(
        self, evaluator: Evaluator, policies: PolicySet, caller: Caller | None = None
    ) -> None:
        self.evaluator = evaluator
        self.policies = policies
        self.caller = caller
        self._is_alone = policies.is_identity_alone
        self._decisions: dict[tuple[object, ...], Decision] = {}

    @property
    def catalog(self) -> Catalog:
        return self.evaluator.catalog

    # ---- one action

    def allows(
        self,
        action: str,
        resource: str | Pattern | None = "*",
        context: Context = UNKNOWN_CONTEXT,
    ) -> Decision:
        """Whether an action is allowed on a resource, or on all that a pattern matches.

        `is_possible` is what to ask when any one resource will do. For an action that takes no
        resource the resource does not matter.
        """
        if self._is_alone:
            settled = self.evaluator.settled(self.policies.identity, action)
            if settled is not None:
                return settled if settled.allowed_by else _DENIED
        if not self._is_about(action):
            return _DENIED
        arn = resource
        if resource == "*":
            known = self.catalog.action(action)
            arn = None if known is not None and known.is_only_star else "*"
        key = (action, arn if arn is None or isinstance(arn, str) else arn.arn_tokens, context)
        found = self._decisions.get(key)
        if found is None:
            request = Request(action, arn, self.caller, context)
            found = self._decisions[key] = self.evaluator.decide(self.policies, request)
        return found

    def is_silent_about(self, action: str) -> bool:
        """Whether no policy has anything to say about an action, neither for nor against it."""
        lower = action.lower()
        return self.policies.is_identity_alone and not any(
            self.evaluator.matcher(document).about(lower) for document in self.policies.identity
        )

    def _is_about(self, action: str) -> bool:
        """Whether any identity policy has something to allow; cheap, for the many that have not."""
        lower = action.lower()
        matcher = self.evaluator.matcher
        return any(
            statement.statement.is_allow
            for document in self.policies.identity
            for statement, _ in matcher(document).about(lower)
        )

    def grants(
        self,
        action: str,
        is_asked: Callable[[Statement], bool] = lambda _: True,
        *,
        only_broad: bool = False,
    ) -> Iterator[Grant]:
        """The statements that give an action, for all that the other policies leave of it.

        Deciding is what takes time: who looks at few statements says which.
        """
        known = self.catalog.action(action)
        if known is None:
            return
        name = known.full_name
        for document in self.policies.identity:
            for matcher, _ in self.evaluator.matcher(document).about(name.lower()):
                statement = matcher.statement
                if not statement.is_allow or not is_asked(statement):
                    continue
                how_broad, widest = breadth(statement, known)
                if only_broad and how_broad is Truth.NO:
                    continue
                asked = widest or next(iter(statement.resources), None)
                is_open = statement.is_not_resource or known.is_only_star
                decision = self.allows(name, "*" if is_open else _askable(asked))
                if not decision.is_possible:
                    continue
                yield Grant(
                    name,
                    document,
                    statement,
                    matcher.action_pattern(name, self.catalog),
                    None if statement.is_not_resource else asked,
                    how_broad,
                    tuple(judge(statement, name, self.catalog)),
                    decision,
                )

    def broad(self, action: str) -> Grant | None:
        """The widest grant of an action that is broad within every limit; None without one."""
        best: Grant | None = None
        for grant in self.grants(action, only_broad=True):
            if not grant.is_broad or not self.is_broad_within_limits(grant):
                continue
            if _sureness(grant) is Truth.YES:
                return grant
            if best is None or _sureness(grant) > _sureness(best):
                best = grant
        return best

    def is_broad_within_limits(self, grant: Grant) -> bool:
        """Whether boundary, session and control policies leave a broad grant broad."""
        known = self.catalog.action(grant.action)
        limits = [layer for layer in self._limits() if layer]
        if known is None or not limits or not grant.decision.missing:
            return True
        return all(
            any(
                matcher.statement.is_allow and breadth(matcher.statement, known)[0] is not Truth.NO
                for document in layer
                for matcher, _ in self.evaluator.matcher(document).about(grant.action.lower())
            )
            for layer in limits
        )

    def _limits(self) -> Iterator[tuple[Document, ...]]:
        if self.policies.boundary is not None:
            yield (self.policies.boundary,)
        yield self.policies.session
        yield from self.policies.scps

    # ---- all actions

    @functools.cached_property
    def possible(self) -> ActionSet:
        """The actions that some request may be allowed; a few too many, never one too few."""
        found = self._allowed(self.policies.identity)
        for layer in self._limits():
            if layer:
                found &= self._allowed(layer)
        return found

    @functools.cached_property
    def certain(self) -> ActionSet:
        """The actions that are sure to be allowed on something; never one too many."""
        found = self._allowed(self.policies.identity, is_sure=True)
        for layer in self._limits():
            if layer:
                found &= self._allowed(layer, is_sure=True, is_limit=True)
        return found - self._touched_by_denials()

    def _allowed(
        self, documents: tuple[Document, ...], *, is_sure: bool = False, is_limit: bool = False
    ) -> ActionSet:
        # AWS's own policies are long, and held by many
        remembered = self.evaluator.remembered
        allowed: list[ActionSet] = []
        denied: list[ActionSet] = []
        for document in documents:
            key = (id(document), is_sure, is_limit)
            if key not in remembered:
                both = self._said(document, is_sure=is_sure, is_limit=is_limit)
                remembered[key] = (document, *both)
            allowed.append(remembered[key][1])
            denied.append(remembered[key][2])
        union = functools.partial(ActionSet.union, self.catalog)
        return union(allowed) - union(denied)

    def _said(
        self, document: Document, *, is_sure: bool, is_limit: bool
    ) -> tuple[ActionSet, ActionSet]:
        """The actions that one document allows, and that it denies whatever is asked for."""
        allowed: list[ActionSet] = []
        denied: list[ActionSet] = []
        for statement in document.statements:
            if statement.is_allow:
                if is_sure and not is_unconditional(statement, everywhere=is_limit):
                    continue
                actions = statement_actions(statement, self.catalog, is_sure=is_sure)
                allowed.append(self.evaluator.reachable(statement, actions))
            elif not is_sure and is_unconditional(statement, everywhere=True):
                denied.append(statement_actions(statement, self.catalog, is_sure=True))
        return ActionSet.union(self.catalog, allowed), ActionSet.union(self.catalog, denied)

    def _touched_by_denials(self) -> ActionSet:
        found = self.catalog.nothing
        rcps = [document for level in self.policies.rcps for document in level]
        for layer in (self.policies.identity, *self._limits(), tuple(rcps)):
            for document in layer:
                for statement in document.statements:
                    if not statement.is_allow or not statement.is_effect_known:
                        found |= statement_actions(statement, self.catalog)
        return found

    # ---- administration (S7)

    @functools.cached_property
    def administration(self) -> Administration:
        """Whether all of the bundled probes are granted broadly."""
        probes = admin_probes()
        missing = tuple(probe for probe in probes if probe not in self.possible)
        if missing:
            return Administration(Truth.NO, (), missing)
        grants = tuple(grant for probe in probes if (grant := self.broad(probe)) is not None)
        if len(grants) < len(probes):
            given = {grant.action for grant in grants}
            return Administration(Truth.NO, (), tuple(p for p in probes if p not in given))
        return Administration(min(_sureness(grant) for grant in grants), grants)

    @property
    def is_admin(self) -> Truth:
        return self.administration.truth


def _askable(pattern: Pattern | None) -> Pattern | str:
    """A resource pattern to ask about; all, where its text has a policy variable to fill in."""
    if pattern is None or any("${" in part for part in pattern.parts if isinstance(part, str)):
        return "*"
    return pattern


def _sureness(grant: Grant) -> Truth:
    """Yes where nothing but a part denied stands between a broad grant and everything."""
    if grant.breadth is not Truth.YES:
        return Truth.MAYBE
    if grant.decision.is_allowed:
        return Truth.YES
    only_in_part = grant.decision.doubt is Doubt.PART and not grant.decision.missing
    return Truth.YES if only_in_part else Truth.MAYBE


def statement_actions(
    statement: Statement, catalog: Catalog, *, is_sure: bool = False
) -> ActionSet:
    """The actions that a statement is about: with holes as anything, or only those for sure."""
    # for `NotAction` what is left out for sure makes what is in at most, and the other way round
    wants_sure = is_sure != statement.is_not_action
    found = catalog.expand_all(statement.sure_actions if wants_sure else statement.possible_actions)
    return ~found if statement.is_not_action else found


def is_unconditional(statement: Statement, *, everywhere: bool) -> bool:
    """Whether a statement applies to every request it names; with `everywhere`, to any resource."""
    if statement.conditions or statement.assumptions or not statement.is_effect_known:
        return False
    if not statement.has_resource:
        return True
    if statement.is_not_resource:
        return not everywhere
    return any(
        pattern.is_known and not pattern.assumptions and (not everywhere or pattern.text == "*")
        for pattern in statement.resources
    )


@functools.cache
def admin_probes() -> tuple[str, ...]:
    """Actions that together only an administrator may do; the list is data."""
    return read_data("admin_probes.json", _ProbeFile).probes
