"""What a declared matcher says of a statement: yes, maybe or no, and about which element."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from msgspec import Struct, field

from iam_preflight.declarative import ActionMatch, Matcher, PrincipalMatch, ResourceMatch
from iam_preflight.graph.accounts import Ownership
from iam_preflight.policy.document import DocumentUse, Pattern
from iam_preflight.policy.globs import Relation, may_meet, relation
from iam_preflight.policy.match import Truth, all_of, any_of, tokens_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from iam_preflight.declarative import (
        ConditionMatch,
        DeclaredRule,
        Glob,
        HolderMatch,
        OwnerName,
    )
    from iam_preflight.graph.model import Graph, Policy, Principal
    from iam_preflight.policy.document import Condition, PrincipalPattern, Statement
    from iam_preflight.source import Span
    from iam_preflight.values import Assumptions

_OWNERS: dict[OwnerName, Ownership] = {
    "own": Ownership.OWN,
    "organization": Ownership.ORGANIZATION,
    "trusted": Ownership.TRUSTED,
    "external": Ownership.EXTERNAL,
    "anyone": Ownership.ANYONE,
    "unknown": Ownership.UNKNOWN,
}


class Verdict(Struct):
    """The answer, and what it is about, for the finding."""

    truth: Truth
    place: Span
    names: dict[str, str] = field(default_factory=dict)
    related: tuple[tuple[Span, str], ...] = ()
    holder: Principal | None = None
    assumptions: Assumptions = ()


class _Found(Struct):
    """The elements that a matcher was right about, the first of each kind."""

    elements: list[tuple[str, Pattern]] = field(default_factory=list)
    holder: Principal | None = None

    def keep(self, kind: str, pattern: Pattern) -> None:
        self.elements.append((kind, pattern))


def judge(declared: DeclaredRule, statement: Statement, policy: Policy, graph: Graph) -> Verdict:
    """Whether a rule speaks about a statement."""
    best, found = Truth.NO, _Found()
    for matcher in _several(declared.match):
        candidate = _Found()
        truth = _matches(matcher, statement, policy, graph, candidate)
        if truth > best:
            best, found = truth, candidate
    if best is not Truth.NO and declared.unless is not None:
        excused = any_of(
            _elements(matcher, statement, policy, graph, _Found())
            for matcher in _several(declared.unless)
        )
        best = min(best, excused.negated())
    return _verdict(best, found, statement, policy)


def _several(given: Matcher | tuple[Matcher, ...]) -> tuple[Matcher, ...]:
    return given if isinstance(given, tuple) else (given,)


def _verdict(truth: Truth, found: _Found, statement: Statement, policy: Policy) -> Verdict:
    holder = found.holder
    place = found.elements[0][1].span if found.elements else statement.span
    assumptions = [*statement.assumptions]
    names = {"policy": policy.name, "holder": holder.label if holder else policy.address}
    for kind, pattern in found.elements:
        names.setdefault(kind, pattern.text)
        assumptions += pattern.assumptions
    for kind, patterns in (("action", statement.actions), ("resource", statement.resources)):
        names.setdefault(kind, ", ".join(pattern.text for pattern in patterns[:3]))
    names.setdefault("principal", ", ".join(p.pattern.text for p in statement.principals[:3]))
    related = [(pattern.span, "and here") for _, pattern in found.elements[1:]]
    if holder is not None:
        related.append((holder.resource.header, f"held by {holder.label}"))
    return Verdict(truth, place, names, tuple(related), holder, tuple(assumptions))


def _matches(
    matcher: Matcher, statement: Statement, policy: Policy, graph: Graph, found: _Found
) -> Truth:
    if statement.effect.value != matcher.effect:
        return Truth.NO
    if policy.use not in {DocumentUse(use) for use in matcher.use}:
        return Truth.NO
    return _elements(matcher, statement, policy, graph, found)


def _elements(
    matcher: Matcher, statement: Statement, policy: Policy, graph: Graph, found: _Found
) -> Truth:
    truths: list[Truth] = []
    if matcher.actions is not None:
        truths.append(_actions(matcher.actions, statement, found))
    if matcher.resources is not None:
        truths.append(_resources(matcher.resources, statement, found))
    if matcher.principals is not None:
        truths.append(_principals(matcher.principals, statement, graph, found))
    if matcher.conditions is not None:
        truths.append(_conditions(matcher.conditions, statement))
    if matcher.holder is not None:
        truths.append(_held_by(matcher.holder, policy, graph, found))
    elif (holder := next(_holders(policy, graph), None)) is not None:
        found.holder = holder
    return all_of(truths)


# ---------------------------------------------------------------- actions and resources


def _actions(given: ActionMatch | tuple[Glob, ...], statement: Statement, found: _Found) -> Truth:
    match = given if isinstance(given, ActionMatch) else ActionMatch(grants=given)
    return _covering(
        "action",
        statement.actions,
        match.grants,
        match.covers,
        match.written,
        found,
        is_negated=statement.is_not_action,
        ignore_case=True,
    )


def _resources(
    given: ResourceMatch | tuple[Glob, ...], statement: Statement, found: _Found
) -> Truth:
    match = given if isinstance(given, ResourceMatch) else ResourceMatch(reaches=given)
    return _covering(
        "resource",
        statement.resources,
        match.reaches,
        match.covers,
        match.written,
        found,
        is_negated=statement.is_not_resource,
        ignore_case=False,
    )


def _covering(
    kind: str,
    patterns: tuple[Pattern, ...],
    reached: tuple[Glob, ...],
    covered: tuple[Glob, ...],
    written: tuple[Glob, ...],
    found: _Found,
    *,
    is_negated: bool,
    ignore_case: bool,
) -> Truth:
    """What `Action` (or `Resource`) covers; under `NotAction`, what it leaves."""

    def meets(pattern: Pattern, glob: Pattern) -> Truth:
        return _meets(pattern, glob, ignore_case=ignore_case)

    def covers(pattern: Pattern, glob: Pattern) -> Truth:
        return _covers(pattern, glob, ignore_case=ignore_case)

    def is_written(pattern: Pattern, glob: Pattern) -> Truth:
        left, right = pattern.text, glob.text
        if ignore_case:
            left, right = left.lower(), right.lower()
        return Truth.of(fnmatchcase(left, _literal(right)))

    truths: list[Truth] = []
    if reached:
        ask = covers if is_negated else meets
        truths.append(_any(kind, patterns, reached, ask, found, is_negated=is_negated))
    if covered:
        ask = meets if is_negated else covers
        truths.append(_any(kind, patterns, covered, ask, found, is_negated=is_negated))
    if written:
        truths.append(_any(kind, patterns, written, is_written, found, is_negated=False))
    return all_of(truths)


def _any(
    kind: str,
    patterns: tuple[Pattern, ...],
    globs: tuple[Glob, ...],
    ask: Callable[[Pattern, Pattern], Truth],
    found: _Found,
    *,
    is_negated: bool,
) -> Truth:
    """The best answer for any of the globs; what gave it is kept."""
    best, by = Truth.NO, None
    for glob in globs:
        for pattern, truth in _answers(patterns, glob, ask, is_negated=is_negated):
            if truth > best:
                best, by = truth, pattern
    if by is not None:
        found.keep(kind, by)
    return best


def _answers(
    patterns: tuple[Pattern, ...],
    glob: Glob,
    ask: Callable[[Pattern, Pattern], Truth],
    *,
    is_negated: bool,
) -> Iterator[tuple[Pattern, Truth]]:
    if not is_negated:
        for pattern in patterns:
            yield pattern, ask(pattern, Pattern((glob,), pattern.span))
    elif patterns:
        excepted = any_of(ask(one, Pattern((glob,), one.span)) for one in patterns)
        yield patterns[0], excepted.negated()


def _meets(left: Pattern, right: Pattern, *, ignore_case: bool) -> Truth:
    """Whether some text matches both."""
    a = tokens_of(left, ignore_case=ignore_case)
    b = tokens_of(right, ignore_case=ignore_case)
    if relation(a, b) is not Relation.DISJOINT:
        return Truth.YES
    return Truth.MAYBE if may_meet(a, b) else Truth.NO


def _covers(wide: Pattern, narrow: Pattern, *, ignore_case: bool) -> Truth:
    """Whether every text that matches `narrow` matches `wide`."""
    a = tokens_of(wide, ignore_case=ignore_case)
    b = tokens_of(narrow, ignore_case=ignore_case)
    if relation(b, a) is Relation.INSIDE:
        return Truth.YES
    return Truth.NO if wide.is_known or not may_meet(a, b) else Truth.MAYBE


def _literal(glob: str) -> str:
    """A glob for text that is itself a pattern: only `*` at its end stands for more.

    `iam:*` finds what is written `iam:*` and `iam:Get*`; `*` alone finds only `*`.
    """
    escaped = glob.replace("[", "[[]")
    if escaped == "*":
        return "[*]"
    return escaped


# ---------------------------------------------------------------- principals and conditions


def _principals(
    given: PrincipalMatch | tuple[Glob, ...], statement: Statement, graph: Graph, found: _Found
) -> Truth:
    match = given if isinstance(given, PrincipalMatch) else PrincipalMatch(written=given)
    best, by = Truth.NO, None
    for principal in () if statement.is_not_principal else statement.principals:
        truth = _principal(match, principal, graph)
        if truth > best:
            best, by = truth, principal
    if by is not None:
        found.keep("principal", by.pattern)
    return best


def _principal(match: PrincipalMatch, principal: PrincipalPattern, graph: Graph) -> Truth:
    truths: list[Truth] = []
    if match.kinds:
        truths.append(Truth.of(principal.kind in match.kinds))
    if match.owned_by:
        truths.append(_owned(match, principal, graph))
    if match.written:
        text = principal.pattern.text
        is_written = any(fnmatchcase(text, _literal(glob)) for glob in match.written)
        doubt = Truth.NO if principal.pattern.is_known else Truth.MAYBE
        truths.append(Truth.YES if is_written else doubt)
    return all_of(truths)


def _owned(match: PrincipalMatch, principal: PrincipalPattern, graph: Graph) -> Truth:
    if principal.kind not in ("AWS", "*"):
        return Truth.NO
    ownership = graph.accounts.ownership(principal.pattern)
    if ownership in {_OWNERS[name] for name in match.owned_by}:
        return Truth.YES
    return Truth.MAYBE if ownership is Ownership.UNKNOWN else Truth.NO


def _conditions(match: ConditionMatch, statement: Statement) -> Truth:
    truths = [_required(key, statement) for key in match.requires]
    truths += [_required(key, statement).negated() for key in match.lacks]
    if match.mentions:
        keys = [condition.key_name for condition in statement.conditions]
        found = any(fnmatchcase(key, glob.lower()) for key in keys for glob in match.mentions)
        truths.append(Truth.of(found))
    return all_of(truths)


def _required(glob: str, statement: Statement) -> Truth:
    """Whether a key must have one of some values: a bare wildcard asks for nothing."""
    return any_of(
        Truth.YES
        for condition in statement.conditions
        if fnmatchcase(condition.key_name, glob.lower()) and _restricts(condition)
    )


def _restricts(condition: Condition) -> bool:
    operator = condition.operator
    if operator.is_negated or operator.is_if_exists or operator.quantifier == "forallvalues":
        return False
    values = [value.text for value in condition.values]
    if operator.base == "null":
        return [value.lower() for value in values] == ["false"]
    return bool(values) and not any(value.strip("*?") == "" for value in values)


# ---------------------------------------------------------------- who holds it


def _holders(policy: Policy, graph: Graph) -> Iterator[Principal]:
    """Those that a policy is about: who holds it, whose trust or boundary it is."""
    yield from policy.holders
    yield from policy.bounds
    if policy.use is DocumentUse.TRUST:
        yield from (one for one in graph.principals if one.resource is policy.resource)


def _held_by(match: HolderMatch, policy: Policy, graph: Graph, found: _Found) -> Truth:
    best = Truth.NO
    for holder in _holders(policy, graph):
        truth = _holder(match, holder)
        if truth > best:
            best, found.holder = truth, holder
    return best


def _holder(match: HolderMatch, holder: Principal) -> Truth:
    truths: list[Truth] = []
    if match.kinds:
        truths.append(Truth.of(holder.kind.value in match.kinds))
    if match.names:
        truths.append(_named(holder.name, match.names))
    if match.paths:
        truths.append(Truth.of(any(fnmatchcase(holder.path, glob) for glob in match.paths)))
    if match.environments:
        truths.append(Truth.of(holder.environment in match.environments))
    return all_of(truths)


def _named(name: Pattern, globs: Iterable[Glob]) -> Truth:
    return any_of(_covers(Pattern((glob,), name.span), name, ignore_case=False) for glob in globs)
