"""What a statement gives on everything: the actions that neither resources nor conditions limit.

S3, S4 and S5 of the rule catalogue, for all actions of a statement at once. What the same
document denies outright is taken out, and a Deny that spares only requests with a certain
context restricts as a condition does.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from iam_preflight.knowledge.actionset import ActionSet
from iam_preflight.policy.document import Effect
from iam_preflight.policy.effective import admin_probes, is_unconditional, statement_actions
from iam_preflight.policy.globs import is_anything
from iam_preflight.policy.match import as_glob
from iam_preflight.policy.scope import (
    Judgement,
    Strength,
    judge,
    leaves_name_open,
    may_be_wildcard,
    takes_in_all,
)
from iam_preflight.policy.truth import Truth

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from iam_preflight.knowledge.catalog import Action, Catalog
    from iam_preflight.policy.automaton import Tokens
    from iam_preflight.policy.document import Condition, Document, Pattern, Statement
    from iam_preflight.values import Assumptions

_ORDERS = {
    "lessthan": "greaterthanequals",
    "lessthanequals": "greaterthan",
    "greaterthan": "lessthanequals",
    "greaterthanequals": "lessthan",
}
_OPPOSITES = {
    kind + order: kind + opposite
    for kind in ("numeric", "date")
    for order, opposite in _ORDERS.items()
}
_FLIPPED = {"true": "false", "false": "true"}


class Opening:
    """One Allow statement of a document, and what it leaves open."""

    def __init__(self, openings: Openings, document: Document, statement: Statement) -> None:
        self.document = document
        self.statement = statement
        self._openings = openings
        self._denials = openings.denials(document)

    @property
    def catalog(self) -> Catalog:
        return self._openings.catalog

    # ---- actions

    @functools.cached_property
    def about(self) -> ActionSet:
        """What it may allow, holes as anything, less what the document denies everywhere."""
        return statement_actions(self.statement, self.catalog) - self._denials.outright

    @functools.cached_property
    def named(self) -> ActionSet:
        """What it is about whatever the holes are; under its assumptions, where it has any."""
        if not self.statement.is_effect_known:
            return self.catalog.nothing
        statement = self.statement
        if any(pattern.assumptions for pattern in statement.actions):
            plain = tuple(replace(pattern, assumptions=()) for pattern in statement.actions)
            statement = replace(statement, actions=plain, key_spans={})
        return statement_actions(statement, self.catalog, is_sure=True) - self._denials.outright

    @property
    def is_boundless(self) -> bool:
        """Whether it takes in services that it does not name: `*`, or most `NotAction`s."""
        return self.about.mask("") != 0

    @functools.cached_property
    def is_everything(self) -> bool:
        """Whether it is about every action, as written: what Deny leaves of it is not asked."""
        if self.statement.is_not_action:
            return False
        return any(p.is_known and p.text in ("*", "*:*") for p in self.statement.actions)

    @property
    def is_full(self) -> bool:
        """Whether it opens everything on everything, if only by the actions that tell for all."""
        if not self.covers_every_resource(is_sure=False):
            return False
        if self.is_everything:
            return self.open.mask("") != 0
        return all(probe in self.open for probe in admin_probes())

    # ---- resources (S3)

    @functools.cached_property
    def broad(self) -> ActionSet:
        """Actions for which the resources are, or may be, everything; whatever conditions say."""
        return self._broad(self.about, is_sure=False)

    @functools.cached_property
    def surely_broad(self) -> ActionSet:
        return self._broad(self.named, is_sure=True)

    def _broad(self, actions: ActionSet, *, is_sure: bool) -> ActionSet:
        if self.covers_every_resource(is_sure=is_sure):
            if self.is_boundless:
                return actions - self._denials.elsewhere
            service = self.catalog.service
            masks = {s: actions.mask(s) & service(s).narrowable for s in actions.services}
        else:
            masks = {
                service: actions.mask(service) & self._broad_mask(service, is_sure=is_sure)
                for service in self._services(actions)
            }
        return ActionSet(self.catalog, masks) - self._denials.elsewhere

    def covers_every_resource(self, *, is_sure: bool = True) -> bool:
        statement = self.statement
        if not statement.has_resource:
            return False
        if statement.is_not_resource:
            return not any(is_anything(p.arn_tokens) for p in statement.resources)
        for pattern in statement.resources:
            if is_anything(pattern.arn_tokens) or as_glob(pattern, "\0") in _EVERYTHING:
                return True
            if not is_sure and leaves_name_open(pattern, "") is not Truth.NO:
                return True
        return False

    def _services(self, actions: ActionSet) -> Iterable[str]:
        """The services to look at; for a boundless set those that the ARNs name."""
        if not self.is_boundless:
            return actions.services
        named = (as_glob(p).split(":") for p in self.statement.resources)
        return {fields[2] for fields in named if len(fields) > 2 and "*" not in fields[2]}

    def _broad_mask(self, service: str, *, is_sure: bool) -> int:
        mask = 0
        for pattern in self.statement.resources:
            sure, maybe = self._openings.broad_masks(service, pattern)
            mask |= sure if is_sure else maybe
        return mask

    # ---- conditions (S4) and conditional denials (S5)

    def judgements(self, action: str) -> Iterator[Judgement]:
        """What each condition does for an action, those of the document's denials included."""
        yield from judge(self.statement, action, self.catalog)
        for actions, statement in self._denials.sparing:
            if action in actions:
                yield from judge(statement, action, self.catalog)

    @functools.cached_property
    def is_conditional(self) -> bool:
        return bool(self.statement.conditions) or bool(self._denials.sparing)

    def strength(self, action: str) -> Strength:
        """How much conditions restrict an action."""
        if not self.is_conditional:
            return Strength.NOTHING
        return max((j.strength for j in self.judgements(action)), default=Strength.NOTHING)

    @functools.cached_property
    def open(self) -> ActionSet:
        """Actions on everything, perhaps, that no condition limits to a scope."""
        return self._unscoped(self.broad)

    @functools.cached_property
    def sure(self) -> ActionSet:
        """Those of the open ones of which nothing unknown decides."""
        return self._unscoped(self.surely_broad)

    def _unscoped(self, actions: ActionSet) -> ActionSet:
        if not self.is_conditional:
            return actions
        if self.is_boundless and self.covers_every_resource(is_sure=False):
            probes = [p for p in admin_probes() if p in actions]
            is_open = any(self.strength(p) <= Strength.CONTEXT for p in probes)
            return actions if is_open else self.catalog.nothing
        return self.catalog.expand_all(
            tuple(a for a in actions if self.strength(a) <= Strength.CONTEXT)
        )

    def is_contextual(self, actions: Iterable[str]) -> bool:
        """Whether conditions restrict when or where each of the actions may be used."""
        if not self.is_conditional:
            return False
        strengths = {self.strength(action) for action in actions}
        return strengths == {Strength.CONTEXT}

    def is_restricted(self, actions: Iterable[str]) -> bool:
        """Whether conditions restrict each of the actions, to a scope or by context."""
        if not self.is_conditional:
            return False
        return min(map(self.strength, actions), default=Strength.NOTHING) >= Strength.CONTEXT

    # ---- places

    def action_pattern(self, action: str) -> Pattern | None:
        """The pattern that covers an action; None where `NotAction` leaves it in."""
        if self.statement.is_not_action:
            return None
        for pattern, covered in self._patterns:
            if covered is not None and action in covered:
                return pattern
        return next((pattern for pattern, covered in self._patterns if covered is None), None)

    def action_patterns(self, actions: ActionSet) -> list[Pattern]:
        """The patterns that cover at least one of the actions, as written."""
        if self.statement.is_not_action:
            return []
        return [
            pattern
            for pattern, covered in self._patterns
            if covered is None or covered.meets(actions)
        ]

    @functools.cached_property
    def _patterns(self) -> tuple[tuple[Pattern, ActionSet | None], ...]:
        """The action patterns with what each covers; None where it has holes."""
        expand = self.catalog.expand
        return tuple((p, expand(p.text) if p.is_known else None) for p in self.statement.actions)

    def resource_pattern(self, action: Action | None = None) -> Pattern | None:
        """The widest resource pattern for an action; None where `NotResource` leaves it in."""
        if self.statement.is_not_resource:
            return None
        best: tuple[Truth, Pattern | None] = (Truth.NO, None)
        templates = [use.type.arn for use in action.resources] if action is not None else [""]
        for pattern in self.statement.resources:
            truth = max((leaves_name_open(pattern, t) for t in templates), default=Truth.NO)
            if truth > best[0]:
                best = (truth, pattern)
        return best[1] or next(iter(self.statement.resources), None)

    def assumptions(self, *patterns: Pattern | None) -> Assumptions:
        """What has to hold for the statement and the patterns to be there."""
        found = [*self.statement.assumptions]
        for pattern in patterns:
            if pattern is not None:
                found.extend(pattern.assumptions)
        return tuple(dict.fromkeys(found))


_EVERYTHING = frozenset({"arn:*", "arn:*:*", "arn:*:*:*", "arn:*:*:*:*", "arn:*:*:*:*:*"})


class _Denials(Struct, frozen=True):
    """What the Deny statements of a document take from its Allow statements."""

    outright: ActionSet
    """Denied whatever the request is."""
    elsewhere: ActionSet
    """Denied on all but named resources."""
    sparing: tuple[tuple[ActionSet, Statement], ...]
    """Denied everywhere but for requests with a context: as the Allow that it comes to."""


class Openings:
    """The openings of documents; what they share is worked out once."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self._openings: dict[int, tuple[Document, tuple[Opening, ...]]] = {}
        self._denied: dict[int, _Denials] = {}
        self._broad: dict[tuple[str, Tokens, bool], tuple[int, int]] = {}

    def of(self, document: Document) -> tuple[Opening, ...]:
        """One for each Allow statement that leaves any resource to allow something on."""
        found = self._openings.get(id(document))
        if found is None:
            openings = tuple(
                Opening(self, document, statement)
                for statement in document.statements
                if statement.is_allow and not self._spares_everything(statement)
            )
            # the document is kept, so that its id stays its own
            found = self._openings[id(document)] = (document, openings)
        return found[1]

    def broad_masks(self, service: str, pattern: Pattern) -> tuple[int, int]:
        """The actions of a service for which a resource pattern is, and may be, broad."""
        key = (service, pattern.arn_tokens, may_be_wildcard(pattern))
        found = self._broad.get(key)
        if found is None:
            found = self._broad[key] = self._find_broad(service, pattern)
        return found

    def _find_broad(self, service: str, pattern: Pattern) -> tuple[int, int]:
        if pattern.is_known and "*" not in pattern.text:
            return 0, 0
        sure = maybe = 0
        for template, mask in self.catalog.service(service.lower()).by_arn.items():
            truth = leaves_name_open(pattern, template)
            if truth is not Truth.NO:
                maybe |= mask
            if truth is Truth.YES:
                sure |= mask
        return sure, maybe

    # ---- denials

    def denials(self, document: Document) -> _Denials:
        found = self._denied.get(id(document))
        if found is None:
            found = self._denied[id(document)] = self._denials(document)
        return found

    def _denials(self, document: Document) -> _Denials:
        outright = elsewhere = self.catalog.nothing
        sparing: list[tuple[ActionSet, Statement]] = []
        for statement in document.statements:
            # without a resource (an empty list in Terraform) nobody can attach it
            if statement.is_allow or not statement.has_resource:
                continue
            actions = statement_actions(statement, self.catalog, is_sure=True)
            if is_unconditional(statement, everywhere=True):
                outright |= actions
            elif statement.is_not_resource and is_unconditional(statement, everywhere=False):
                if not any(self._is_wide(pattern) for pattern in statement.resources):
                    elsewhere |= actions
            elif is_unconditional(statement, everywhere=False):
                elsewhere |= self._closed(statement, actions)
            else:
                opposite = _as_allow(statement)
                if opposite is not None:
                    sparing.append((actions, opposite))
        return _Denials(outright, elsewhere, tuple(sparing))

    def _spares_everything(self, statement: Statement) -> bool:
        """Whether `NotResource` leaves nothing over."""
        if not statement.is_not_resource:
            return False
        if any(is_anything(p.arn_tokens) and not p.assumptions for p in statement.resources):
            return True
        actions = statement_actions(statement, self.catalog)
        return bool(actions) and not actions - self._closed(statement, actions)

    def _closed(self, statement: Statement, actions: ActionSet) -> ActionSet:
        """Those of some actions of which a statement's resources are all that they can be used on.

        What takes no resource is left: to send a text message, `sns:Publish` asks for none.
        """
        masks: dict[str, int] = {}
        for service in {p.text.split(":")[2] for p in statement.resources if p.text.count(":") > 3}:
            named = left = 0
            for template, mask in self.catalog.service(service.lower()).by_arn.items():
                named |= mask
                if not any(takes_in_all(pattern, template) for pattern in statement.resources):
                    left |= mask
            masks[service] = actions.mask(service) & named & ~left
        return ActionSet(self.catalog, masks)

    def _is_wide(self, pattern: Pattern) -> bool:
        """Whether sparing the pattern from a Deny spares everything of some service."""
        glob = as_glob(pattern, "x")
        return glob.endswith("*") and glob.count(":") <= 5 and glob.rpartition(":")[2] in ("*", "")


def _as_allow(statement: Statement) -> Statement | None:
    """An Allow that lets pass what a Deny on everything with one condition spares."""
    if len(statement.conditions) != 1 or statement.assumptions or not statement.is_effect_known:
        return None
    unconditional = replace(statement, conditions=(), key_spans={})
    if not is_unconditional(unconditional, everywhere=True):
        return None
    condition = _opposite(statement.conditions[0])
    if condition is None:
        return None
    return replace(statement, effect=Effect.ALLOW, conditions=(condition,), key_spans={})


def _opposite(condition: Condition) -> Condition | None:
    """The condition that holds exactly where another does not, where there is such a one."""
    how = condition.operator
    if how.quantifier or condition.assumptions:
        return None
    values = condition.values
    base = how.base
    is_negated = not how.is_negated
    if base in ("bool", "null"):
        if any(not v.is_known or v.text.lower() not in _FLIPPED for v in values):
            return None
        values = tuple(replace(v, parts=(_FLIPPED[v.text.lower()],)) for v in values)
        is_negated = how.is_negated
    elif base in _OPPOSITES:
        base = _OPPOSITES[base]
        is_negated = how.is_negated
    # what the Deny holds for when the key is absent does not pass
    is_if_exists = not (how.is_if_exists or how.is_negated) and base != "null"
    operator = replace(how, base=base, is_negated=is_negated, is_if_exists=is_if_exists)
    return replace(condition, operator=operator, values=values)
