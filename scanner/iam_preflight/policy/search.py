"""Looks for a request that new policies allow and old ones do not.

Actions, resources, callers and context values are cut into finitely many classes by the patterns
that speak of them, and one of each class is tried. It stands for all of its class, so that a
search that ends without a find has shown that there is none.
"""

from __future__ import annotations

import itertools
from collections import Counter
from typing import TYPE_CHECKING, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from iam_preflight.knowledge.actionset import bits_of
from iam_preflight.policy.automaton import ANY_INSIDE, ONE_INSIDE, Automaton, TooLarge
from iam_preflight.policy.clauses import ActionPattern, Side
from iam_preflight.policy.context import Presence
from iam_preflight.policy.domains import Domain, Use
from iam_preflight.policy.globs import (
    Relation,
    Wildcards,
    is_anything,
    may_meet,
    relation,
    text_tokens,
)
from iam_preflight.policy.match import glob_matches
from iam_preflight.policy.truth import Truth

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Sequence

    from iam_preflight.knowledge.catalog import Catalog
    from iam_preflight.policy.automaton import Tokens
    from iam_preflight.policy.callers import Caller
    from iam_preflight.policy.clauses import Clause
    from iam_preflight.policy.domains import Value

Loosely: TypeAlias = "tuple[Tokens, bool]"
"""A pattern, and whether it may match too much."""

MAX_NAMES = 25
"""Actions of one class that are named."""

_WELL_KNOWN = ("s3", "ec2", "iam", "lambda")
"""Services to take examples from."""

STAR: Tokens = ("*",)
"""What a request for an action without resources has for a resource."""

_EVERYTHING = text_tokens("*", Wildcards.ARN)
ANY_ARN = text_tokens("arn:?*:?*:*:*:?*", Wildcards.ARN)
"""What any resource looks like."""

_ANY_NAME = (ONE_INSIDE, ANY_INSIDE)


class Limits(Struct, frozen=True):
    """How far a search goes before it gives up; generous for what people write."""

    states: int = 20_000
    """States of one automaton."""
    nodes: int = 50_000
    """Assignments of context keys tried for one class of requests."""
    steps: int = 200_000
    """Classes of requests."""


class ActionClass(Struct, frozen=True, eq=False):
    """Actions that the same clauses are about."""

    clauses: tuple[Clause, ...]
    """Those that have to be looked at."""
    selected: frozenset[Clause]
    """All that are about the actions."""
    names: tuple[str, ...]
    """Some of the actions."""
    is_known: bool
    """Whether AWS has them; else the names are made up."""


class Find(Struct, frozen=True, eq=False):
    """A request of which new policies allow it and old ones do not; unknowns are symbols."""

    action: ActionClass
    resource: Tokens | None
    caller: Caller | None
    context: dict[str, Value]
    focus: Clause
    """The Allow of the new policies that was looked at."""


class Search:
    """One search. `is_sound`: where an unknown decides, find too much rather than too little."""

    def __init__(
        self,
        clauses: Sequence[Clause],
        layers: dict[Side, int],
        callers: Sequence[Caller] | None,
        limits: Limits,
        catalog: Catalog,
        *,
        is_sound: bool,
    ) -> None:
        self.clauses = tuple(clauses)
        self.layers = layers
        self.callers: Sequence[Caller | None] = [None] if callers is None else callers
        self.limits = limits
        self.catalog = catalog
        self.is_sound = is_sound
        self._domains: dict[Hashable, Domain] = {}
        self._resources: dict[Hashable, list[tuple[int, Tokens]]] = {}
        self._steps = 0

    def finds(self) -> Iterator[Find]:
        """At most one find for each class of actions; raises `TooLarge` and `NotModelled`."""
        for action in self._action_classes():
            find = self._find(action)
            if find is not None:
                yield find

    # ---- actions

    def _action_classes(self) -> Iterator[ActionClass]:
        """First those that AWS has actions in, then the others: AWS may add actions."""
        patterns = [_NamePatterns(clause, self._guesses(clause)) for clause in self.clauses]
        seen: set[tuple[int, ...]] = set()
        for find_names, is_known in ((self._known_names, True), (self._possible_names, False)):
            found: dict[tuple[int, ...], list[str]] = {}
            for selection, name in find_names(patterns):
                if selection not in seen:
                    found.setdefault(selection, []).append(name)
            for selection, names in found.items():
                clauses = tuple(self.clauses[i] for i in selection)
                if any(clause.side is Side.NEW and clause.is_allow for clause in clauses):
                    yield ActionClass(clauses, frozenset(clauses), tuple(names), is_known)
            seen.update(found)

    def _guesses(self, clause: Clause) -> bool:
        """Whether an action pattern that is not known is to be taken as any."""
        return self.is_sound and clause.is_loose != clause.statement.is_not_action

    def _known_names(self, patterns: list[_NamePatterns]) -> Iterator[tuple[tuple[int, ...], str]]:
        """AWS's actions, with the clauses that are about each."""
        named = {key for own in patterns for key in own.plain}
        # services that nobody names are alike; a few of them stand for the others
        is_whole = all(p.service == p.name == "*" for own in patterns for p in own.wild)
        alike = (key for key in (*_WELL_KNOWN, *self.catalog.services) if key not in named)
        others = itertools.islice(alike, 1 if is_whole else len(_WELL_KNOWN))
        for key in (*sorted(named & self.catalog.services.keys()), *others):
            names = [own.of(key) for own in patterns]
            if not self._is_same(names):
                for selection, members in self._known_classes(key, names).items():
                    for index in itertools.islice(bits_of(members), MAX_NAMES):
                        yield selection, f"{key}:{self.catalog.service(key).names[index]}"

    def _known_classes(self, key: str, names: list[frozenset[str]]) -> dict[tuple[int, ...], int]:
        """A service's actions by the clauses that are about them."""
        service = self.catalog.service(key)
        classes: dict[tuple[int, ...], int] = {(): service.full}
        for number, (clause, own) in enumerate(zip(self.clauses, names, strict=True)):
            mask = 0
            for name in own:
                mask |= service.matching(name)
            if clause.statement.is_not_action:
                mask = ~mask
            split: dict[tuple[int, ...], int] = {}
            for selection, members in classes.items():
                if members & mask:
                    split[(*selection, number)] = members & mask
                if members & ~mask:
                    split[selection] = members & ~mask
            classes = split
        return classes

    def known_like(self, action: ActionClass) -> Iterator[str]:
        """AWS's actions that the same clauses are about as a made-up one."""
        patterns = [_NamePatterns(clause, self._guesses(clause)) for clause in self.clauses]
        named = {key for own in patterns for key in own.plain}
        wanted = tuple(i for i, clause in enumerate(self.clauses) if clause in action.selected)
        for key in self.catalog.services:
            if key not in named:
                members = self._known_classes(key, [own.of(key) for own in patterns]).get(wanted, 0)
                for index in bits_of(members):
                    yield f"{key}:{self.catalog.service(key).names[index]}"

    def _possible_names(
        self, patterns: list[_NamePatterns]
    ) -> Iterator[tuple[tuple[int, ...], str]]:
        """A name for every way that the patterns can be met, with the clauses that are about it."""
        for service in self._possible_services():
            names = [own.of(service) for own in patterns]
            if not self._is_same(names):
                for selection, name in self._selections(names):
                    yield selection, f"{service}:{name}"

    def _possible_services(self) -> Iterator[str]:
        """Every service that is named, and one for each other way to meet the wildcards."""
        patterns = {p.service for clause in self.clauses for p in clause.actions if p.is_known}
        wild = sorted(p for p in patterns if "*" in p or "?" in p)
        yield from sorted(patterns.difference(wild))
        globs = [text_tokens(p, Wildcards.TEXT) for p in wild]
        for signature, text in Automaton([*globs, _ANY_NAME]).classes(self.limits.states):
            name = "".join(text)
            if signature >> len(globs) & 1 and name not in patterns:
                yield name

    def _is_same(self, names: list[frozenset[str]]) -> bool:
        """Whether old and new say the same about a service, statement by statement."""
        if self.layers[Side.OLD] != self.layers[Side.NEW]:
            return False
        said: dict[Side, Counter[Hashable]] = {Side.OLD: Counter(), Side.NEW: Counter()}
        for clause, patterns in zip(self.clauses, names, strict=True):
            if patterns or clause.statement.is_not_action:
                said[clause.side][(clause.content, patterns)] += 1
        return said[Side.OLD] == said[Side.NEW]

    def _selections(self, names: list[frozenset[str]]) -> Iterator[tuple[tuple[int, ...], str]]:
        """The ways to be about a name, as the clauses that are, and a name for each."""
        owners: dict[str, tuple[int, ...]] = {
            pattern: tuple(i for i, own in enumerate(names) if pattern in own)
            for pattern in sorted(frozenset().union(*names))
        }
        # patterns of the same clauses need not be told apart
        groups = list(dict.fromkeys(owners.values()))
        automaton = Automaton(
            [*(text_tokens(p, Wildcards.TEXT) for p in owners), _ANY_NAME],
            groups=[*(groups.index(own) for own in owners.values()), len(groups)],
        )
        for signature, text in automaton.classes(self.limits.states):
            if signature >> len(groups) & 1:
                about = {i for g, own in enumerate(groups) if signature >> g & 1 for i in own}
                yield (
                    tuple(
                        i
                        for i, clause in enumerate(self.clauses)
                        if (i in about) != clause.statement.is_not_action
                    ),
                    "".join(text),
                )

    # ---- resources

    def _find(self, action: ActionClass) -> Find | None:
        action = _without_common_denies(action)
        tried: set[tuple[Tokens | None, int]] = set()
        for focus in action.clauses:
            if focus.side is not Side.NEW or not focus.is_allow or focus.layer:
                continue
            wider = {id(c) for c in action.clauses if c.side is Side.OLD and _is_within(focus, c)}
            for pattern in self._asked(focus):
                if (pattern, id(focus)) in tried or self._is_covered(focus, pattern, action, wider):
                    continue
                tried.add((pattern, id(focus)))
                for resource, clauses in self._on_resources(focus, pattern, action):
                    found = self._by_callers(clauses, focus)
                    if found is not None:
                        caller, context = found
                        return Find(action, resource, caller, context, focus)
        return None

    def _asked(self, focus: Clause) -> Iterator[Tokens | None]:
        """The patterns whose resources a clause speaks of, one by one; None for none at all."""
        if not focus.statement.has_resource:
            yield None
        elif focus.statement.is_not_resource:
            yield _EVERYTHING
        else:
            yield from focus.resources

    def _is_covered(
        self, focus: Clause, pattern: Tokens | None, action: ActionClass, wider: set[int]
    ) -> bool:
        """Whether the old policies allow what a clause allows on a pattern, plainly.

        `wider` are the old clauses that apply wherever it does.
        """
        old = [clause for clause in action.clauses if clause.side is Side.OLD]
        if any(not clause.is_allow and not _is_apart(clause, pattern) for clause in old):
            return False
        return all(
            any(
                clause.is_allow
                and clause.layer == layer
                and (id(clause) in wider or _grants_all_of(clause, focus, pattern))
                for clause in old
            )
            for layer in range(self.layers[Side.OLD])
        )

    def _on_resources(
        self, focus: Clause, pattern: Tokens | None, action: ActionClass
    ) -> Iterator[tuple[Tokens | None, list[Clause]]]:
        """One resource of each class inside a pattern, with the clauses that are about it."""
        if pattern is None:
            yield None, list(action.clauses)
            return
        owners: dict[Loosely, list[int]] = {}
        for number, clause in enumerate(action.clauses):
            for other in clause.resources:
                if other == pattern or self._may_meet(pattern, other):
                    own = owners.setdefault((other, self._is_loose(clause, focus)), [])
                    own.append(number)
        # patterns of the same clauses need not be told apart
        groups = list(dict.fromkeys(map(tuple, owners.values())))
        near = tuple(sorted((p, groups.index(tuple(own))) for p, own in owners.items()))
        for matched, text in self._texts(pattern, near):
            self._steps += 1
            if self._steps > self.limits.steps:
                raise TooLarge(self._steps)
            about = {i for g, own in enumerate(groups) if matched >> g & 1 for i in own}
            clauses = [
                clause
                for number, clause in enumerate(action.clauses)
                if not clause.statement.has_resource
                or (number in about) != clause.statement.is_not_resource
            ]
            if focus in clauses:
                yield text, clauses

    def _is_loose(self, clause: Clause, focus: Clause) -> bool:
        """Whether a clause's resource patterns may match too much.

        Those of the focus may not: a text is read as the focus reads it, so that its symbols are
        where the focus has them.
        """
        if not self.is_sound or clause is focus:
            return False
        return clause.is_loose != clause.statement.is_not_resource

    def _may_meet(self, left: Tokens, right: Tokens) -> bool:
        if self.is_sound:
            return may_meet(left, right)
        return relation(left, right) is not Relation.DISJOINT

    def _texts(
        self, pattern: Tokens, near: tuple[tuple[Loosely, int], ...]
    ) -> Iterator[tuple[int, Tokens]]:
        """The classes of texts inside a pattern: the groups each matches, and one text of it."""
        key = (pattern, near)
        known = self._resources.get(key)
        if known is not None:
            yield from known
            return
        last = max((group for _, group in near), default=-1) + 1
        automaton = Automaton(
            [*(tokens for (tokens, _), _ in near), pattern, ANY_ARN],
            loose=[*(is_loose for (_, is_loose), _ in near), False, False],
            groups=[*(group for _, group in near), last, last + 1],
        )
        found: list[tuple[int, Tokens]] = []
        for signature, text in automaton.classes(self.limits.states, require=last):
            if signature >> last == 0b11:
                found.append((signature, text))
                yield signature, text
        if is_anything(pattern):
            found.append((automaton.run(STAR), STAR))
            yield found[-1]
        self._resources[key] = found

    # ---- callers and contexts

    def _by_callers(
        self, clauses: list[Clause], focus: Clause
    ) -> tuple[Caller | None, dict[str, Value]] | None:
        for caller in self.callers:
            about = clauses if caller is None else [c for c in clauses if self._names_(c, caller)]
            if focus not in about:
                continue
            context = self._context(about, focus, caller)
            if context is not None:
                return caller, context
        return None

    def _names_(self, clause: Clause, caller: Caller) -> bool:
        truth, _ = clause.matcher.principal(caller)
        return truth is Truth.YES or (truth is Truth.MAYBE and clause.is_loose)

    def _context(
        self, clauses: list[Clause], focus: Clause, caller: Caller | None
    ) -> dict[str, Value] | None:
        """Values of the keys with which the new policies allow and the old ones do not."""
        problem = _Contexts(self, clauses, focus, pinned(caller))
        return problem.solve()

    def domain(self, key: str, uses: list[Use]) -> Domain:
        known_by = (key, frozenset((use.atom.said, use.is_loose, use.is_literal) for use in uses))
        found = self._domains.get(known_by)
        if found is None:
            found = self._domains[known_by] = Domain(key, uses, self.limits.states)
        return found


def _without_common_denies(action: ActionClass) -> ActionClass:
    """Without old denials that the new policies have too: what they deny is not new access."""
    new = [c for c in action.clauses if c.side is Side.NEW and not c.is_allow]
    kept = tuple(
        clause
        for clause in action.clauses
        if clause.is_allow
        or clause.side is Side.NEW
        or not any(_is_within(clause, other) for other in new)
    )
    return replace(action, clauses=kept)


def _is_within(inner: Clause, outer: Clause) -> bool:
    """Whether a clause plainly applies wherever another of the same action does."""
    if inner.principals != outer.principals or not outer.conditions <= inner.conditions:
        return False
    ours, theirs = inner.statement, outer.statement
    if ours.has_resource != theirs.has_resource:
        return False
    if ours.is_not_resource and theirs.is_not_resource:
        return _all_inside(outer.resources, inner.resources)
    if ours.is_not_resource or theirs.is_not_resource:
        return False
    return _all_inside(inner.resources, outer.resources)


def _all_inside(inner: tuple[Tokens, ...], outer: tuple[Tokens, ...]) -> bool:
    known = set(outer)
    return all(
        pattern in known or any(relation(pattern, other) is Relation.INSIDE for other in outer)
        for pattern in inner
    )


class _NamePatterns:
    """The action patterns of one clause, by service."""

    def __init__(self, clause: Clause, takes_unknown_as_any: bool) -> None:
        self.plain: dict[str, set[str]] = {}
        self.wild: list[ActionPattern] = []
        for pattern in clause.actions:
            if not pattern.is_known:
                if takes_unknown_as_any:
                    self.wild.append(ActionPattern("*", "*"))
            elif "*" in pattern.service or "?" in pattern.service:
                self.wild.append(pattern)
            else:
                self.plain.setdefault(pattern.service, set()).add(pattern.name)

    def of(self, service: str) -> frozenset[str]:
        """The patterns of names in a service."""
        names = {p.name for p in self.wild if glob_matches(p.service, service)}
        return frozenset(names | self.plain.get(service, set()))


def _is_apart(deny: Clause, pattern: Tokens | None) -> bool:
    """Whether a Deny is about no resource of a pattern."""
    if pattern is None or not deny.statement.has_resource:
        return False
    if deny.statement.is_not_resource:
        return any(relation(pattern, other) is Relation.INSIDE for other in deny.resources)
    return not any(may_meet(pattern, other) for other in deny.resources)


def _grants_all_of(old: Clause, focus: Clause, pattern: Tokens | None) -> bool:
    """Whether an old clause allows all that the focus allows on a pattern."""
    return (
        old.conditions <= focus.conditions
        and old.principals == focus.principals
        and _covers(old, pattern)
    )


def _covers(allow: Clause, pattern: Tokens | None) -> bool:
    """Whether an Allow is about every resource of a pattern."""
    if pattern is None or not allow.statement.has_resource:
        return not allow.statement.has_resource
    if allow.statement.is_not_resource:
        return not any(may_meet(pattern, other) for other in allow.resources)
    return any(relation(pattern, other) is Relation.INSIDE for other in allow.resources)


def pinned(caller: Caller | None) -> dict[str, Value]:
    """What the caller itself puts into the context."""
    pinned: dict[str, Value] = {}
    if caller is not None:
        for key, value in caller.keys().items():
            if value is Presence.ABSENT:
                pinned[key.lower()] = None
            elif isinstance(value, str):
                pinned[key.lower()] = (tuple(value),)
            elif isinstance(value, tuple):
                pinned[key.lower()] = tuple(tuple(each) for each in value)
    return pinned


class _Contexts:
    """The search for context values: one key after another, as far as it can still succeed."""

    def __init__(
        self, search: Search, clauses: list[Clause], focus: Clause, pinned: dict[str, Value]
    ) -> None:
        self.search = search
        # of the first layer only the focus counts: the others are looked at in their turn
        self.clauses = [
            clause
            for clause in clauses
            if clause is focus or clause.side is Side.OLD or clause.layer or not clause.is_allow
        ]
        self.pinned = pinned
        self.uses: dict[int, list[tuple[str | None, Use]]] = {}
        own = dict(self._read_by(focus))
        by_key: dict[str, list[Use]] = {}
        for clause in self.clauses:
            uses = self.uses[id(clause)] = []
            for atom in clause.atoms:
                # what the focus asks for is so for others that ask the same
                use = own.get(atom.said) or Use(atom, clause.is_loose, not search.is_sound)
                uses.append((atom.key, use))
                if atom.key is not None:
                    by_key.setdefault(atom.key, []).append(use)
        # keys that decide about many clauses first
        self.keys = sorted(by_key, key=lambda key: (-len(by_key[key]), key))
        self.domains = {key: search.domain(key, by_key[key]) for key in self.keys}
        self.nodes = 0

    def _read_by(self, focus: Clause) -> Iterator[tuple[Hashable, Use]]:
        """The focus's own conditions: a value is read as it reads it, once.

        What the caller fixes is not for the focus to read: its symbols may come to be just that.
        """
        read: set[str] = set(self.pinned)
        for atom in focus.atoms:
            if atom.key is not None and atom.key not in read:
                read.add(atom.key)
                yield atom.said, Use(atom, focus.is_loose, is_literal=True)

    def solve(self) -> dict[str, Value] | None:
        return self._solve(0, {})

    def _solve(self, depth: int, context: dict[str, Value]) -> dict[str, Value] | None:
        self.nodes += 1
        if self.nodes > self.search.limits.nodes:
            raise TooLarge(self.nodes)
        new = self._allows(Side.NEW, context)
        old = self._allows(Side.OLD, context)
        if new is False or old is True:
            return None
        if new is True and old is False:
            return dict(context)
        if depth == len(self.keys):
            return None
        key = self.keys[depth]
        values = (self.pinned[key],) if key in self.pinned else self.domains[key].values
        for value in values:
            context[key] = value
            found = self._solve(depth + 1, context)
            if found is not None:
                return found
        del context[key]
        return None

    def _allows(self, side: Side, context: dict[str, Value]) -> bool | None:
        """What one side's policies say; None while keys are missing that decide."""
        open_ = False
        allowed: dict[int, bool | None] = {}
        for clause in self.clauses:
            if clause.side is not side:
                continue
            if clause.is_allow and allowed.get(clause.layer) is True:
                continue
            truth = self._applies(clause, context)
            if truth is False:
                continue
            if clause.is_allow:
                allowed[clause.layer] = truth
            elif truth:
                return False
            else:
                open_ = True
        for layer in range(self.search.layers[side]):
            truth = allowed.get(layer, False)
            if truth is False:
                return False
            if truth is None:
                open_ = True
        return None if open_ else True

    def _applies(self, clause: Clause, context: dict[str, Value]) -> bool | None:
        is_open = False
        for key, use in self.uses[id(clause)]:
            if key is None:
                if not use.is_loose:
                    return False
            elif key in context:
                if not self.domains[key].holds(use, context[key]):
                    return False
            else:
                is_open = True
        return None if is_open else True
