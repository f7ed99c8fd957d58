"""Old and new policies side by side, as the search for new access takes them."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from msgspec import Struct

from iam_preflight.policy.clauses import Side, Stack, clauses_of
from iam_preflight.policy.context import symbol_of
from iam_preflight.policy.globs import Symbol
from iam_preflight.policy.representatives import callers_of
from iam_preflight.policy.rewriting import filled
from iam_preflight.policy.truth import Truth, all_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from iam_preflight.policy.callers import Caller
    from iam_preflight.policy.clauses import Clause
    from iam_preflight.policy.context import Context
    from iam_preflight.policy.document import Statement
    from iam_preflight.policy.matchers import ResourceArn


class Asked(Struct, frozen=True):
    """A request, to be put to both sides."""

    action: str
    """In lower case."""
    resource: ResourceArn
    caller: Caller | None
    context: Context


class Pair:
    """Old and new policies as clauses."""

    def __init__(self, old: Stack, new: Stack) -> None:
        self.stacks = {Side.OLD: old, Side.NEW: new}
        self.layers = {side: len(stack) for side, stack in self.stacks.items()}
        self.clauses = tuple(
            clause for side, stack in self.stacks.items() for clause in clauses_of(stack, side)
        )

    @functools.cached_property
    def callers(self) -> tuple[Caller, ...] | None:
        """One caller of each kind that the policies tell apart; None where they name nobody."""
        if any(clause.statement.has_principal for clause in self.clauses):
            return tuple(callers_of(self.clauses))
        return None

    # ---- what is not known

    @functools.cached_property
    def symbols(self) -> frozenset[Symbol]:
        """The holes and policy variables in resources, principals and values of conditions."""
        found: set[Symbol] = set()
        for clause in self.clauses:
            for text in (*clause.resources, *(v for atom in clause.atoms for v in atom.values)):
                found.update(sign for sign in text if isinstance(sign, Symbol))
            for principal in clause.statement.principals:
                marks = map(symbol_of, principal.pattern.holes)
                found.update(mark for mark in marks if isinstance(mark, Symbol))
        return frozenset(found)

    @property
    def holes(self) -> frozenset[Symbol]:
        return frozenset(symbol for symbol in self.symbols if not is_variable(symbol))

    @functools.cached_property
    def is_guessed(self) -> bool:
        """Whether there are unknowns that no value can be tried for."""
        return any(
            not clause.statement.is_effect_known
            or any(not pattern.is_known for pattern in clause.actions)
            or any(atom.key is None for atom in clause.atoms)
            for clause in self.clauses
        )

    @functools.cached_property
    def fresh_values(self) -> dict[str, str]:
        """For each symbol a value that nothing else in the policies is like."""
        return {symbol: f"value{i}" for i, symbol in enumerate(sorted(self.symbols))}

    @functools.cached_property
    def with_fresh_values(self) -> Pair:
        return self.with_values(self.fresh_values)

    def with_values(self, values: Mapping[str, str]) -> Pair:
        """The same policies with values for holes and variables."""
        if not values:
            return self
        old, new = (
            tuple(tuple(filled(document, values) for document in layer) for layer in stack)
            for stack in self.stacks.values()
        )
        return Pair(old, new)

    def candidates(self) -> list[str]:
        """Values worth trying: one like nothing else, and every piece of known text."""
        pieces: dict[str, None] = {"value0": None}
        for clause in self.clauses:
            for text in (*clause.resources, *(v for atom in clause.atoms for v in atom.values)):
                word = ""
                for sign in (*text, ":"):
                    if len(sign) == 1 and sign not in "/:":
                        word += sign
                    elif word:
                        pieces.setdefault(word)
                        word = ""
        for caller in self.callers or ():
            # what a caller brings along can be the value of a variable too
            pieces.update(dict.fromkeys(caller.texts()))
        return [piece for piece in pieces if piece not in ("arn", "aws")]

    # ---- asking

    def allows(self, side: Side, asked: Asked) -> Truth:
        """Whether one side's policies allow a request."""
        allow = [Truth.NO] * self.layers[side]
        deny = Truth.NO
        for clause in self.clauses:
            if clause.side is side:
                truth = _applies(clause, asked)
                if clause.is_allow:
                    allow[clause.layer] = max(allow[clause.layer], truth)
                else:
                    deny = max(deny, truth)
        return min(all_of(allow), deny.negated())

    def allowing(self, side: Side, asked: Asked) -> Iterator[Statement]:
        """The statements of one side that allow, or may allow, a request."""
        for clause in self.clauses:
            if clause.side is side and clause.is_allow and _applies(clause, asked) is not Truth.NO:
                yield clause.statement


def _applies(clause: Clause, asked: Asked) -> Truth:
    matcher = clause.matcher
    service, _, name = asked.action.partition(":")
    truth = matcher.action(service, name)[0]
    if truth is Truth.NO:
        return truth
    truth = min(truth, matcher.resource(asked.resource, asked.context)[0], matcher.standing[0])
    if asked.caller is not None:
        truth = min(truth, matcher.principal(asked.caller)[0])
    return min(truth, matcher.conditions_hold(asked.context)[0])


def is_variable(symbol: str) -> bool:
    return symbol.startswith("${")


def variable_key(symbol: str) -> str:
    """The condition key of a variable's symbol."""
    return symbol[2:-1].partition(",")[0]
