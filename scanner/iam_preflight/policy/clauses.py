"""Statements as the search for new access sees them: patterns as tokens, unknowns as symbols.

A clause belongs to the old or the new policies. Where an unknown decides, the search may be
asked to err: a clause that could make access new (an Allow of the new, a Deny of the old) is then
`loose` and matches too much, the others match too little. What it then does not find is not there.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from msgspec import Struct

from iam_preflight.policy.automaton import fold
from iam_preflight.policy.conditions import KNOWN_OPERATORS, TEXT_OPERATORS
from iam_preflight.policy.context import texts_of
from iam_preflight.policy.globs import Symbol, Wildcards, tokenize
from iam_preflight.policy.matchers import StatementMatcher

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator

    from iam_preflight.policy.automaton import Tokens
    from iam_preflight.policy.document import Condition, Document, Pattern, Statement


class Side(Enum):
    OLD = "old"
    NEW = "new"


Stack = tuple[tuple["Document", ...], ...]
"""Layers of documents: a request needs an Allow in each, and no Deny in any."""


class Atom(Struct, frozen=True, eq=False):
    """One condition of a clause."""

    condition: Condition
    key: str | None
    """None where the operator or the key is not known: nobody can tell when it holds."""
    values: tuple[Tokens, ...]
    """The values of a text operator, in which wildcards and symbols count."""

    said: Hashable
    """Equal for conditions that say the same."""

    @property
    def is_text(self) -> bool:
        return self.condition.operator.base in _TEXT


_TEXT = frozenset({*TEXT_OPERATORS, "bool", "binaryequals"})
"""Operators whose values are compared as text; `Bool` whatever the case."""


class Clause(Struct, frozen=True, eq=False):
    matcher: StatementMatcher
    side: Side
    layer: int
    actions: tuple[ActionPattern, ...]
    resources: tuple[Tokens, ...]
    atoms: tuple[Atom, ...]
    conditions: frozenset[Hashable]
    principals: Hashable
    content: Hashable
    """Equal for clauses that say the same of an action both are about."""

    @property
    def statement(self) -> Statement:
        return self.matcher.statement

    @property
    def is_allow(self) -> bool:
        return self.matcher.statement.is_allow

    @property
    def is_loose(self) -> bool:
        """Whether to match too much is to err on the safe side."""
        return self.is_allow == (self.side is Side.NEW)


class ActionPattern(Struct, frozen=True):
    """`s3:Get*` in lower case; a hole, and what cannot be told for one, is `is_known = False`."""

    service: str
    name: str
    is_known: bool = True


def clauses_of(stack: Stack, side: Side) -> Iterator[Clause]:
    """Every statement of a stack. Statements that stand under assumptions are taken to stand."""
    for layer, documents in enumerate(stack):
        for document in documents:
            for statement in document.statements:
                yield _clause(document, statement, side, layer)


def _clause(document: Document, statement: Statement, side: Side, layer: int) -> Clause:
    variable = symbolic_variable if document.has_policy_variables else None
    resources = tuple(
        dict.fromkeys(
            tokenize(texts_of(pattern.parts), Wildcards.ARN, variable)
            for pattern in statement.resources
        )
    )
    atoms = tuple(_atom(condition, variable) for condition in statement.conditions)
    conditions = frozenset(atom.said for atom in atoms)
    principals = (
        statement.is_not_principal,
        frozenset((p.kind, texts_of(p.pattern.parts)) for p in statement.principals),
    )
    where = (statement.has_resource, statement.is_not_resource, frozenset(resources))
    content = (statement.is_allow, layer, statement.is_not_action, where, principals, conditions)
    actions = tuple(dict.fromkeys(_action(pattern) for pattern in statement.actions))
    matcher = StatementMatcher(document, statement)
    return Clause(matcher, side, layer, actions, resources, atoms, conditions, principals, content)


def _action(pattern: Pattern) -> ActionPattern:
    text = pattern.text.lower()
    if not pattern.is_known:
        return ActionPattern(text, "", is_known=False)
    service, colon, name = text.partition(":")
    if text == "*":
        return ActionPattern("*", "*")
    # without a colon it is no action at all
    return ActionPattern(service, name if colon else "")


def _atom(condition: Condition, variable: Callable[[str], Tokens] | None) -> Atom:
    base = condition.operator.base
    is_known = base in KNOWN_OPERATORS and condition.key.is_known
    is_text = is_known and base in TEXT_OPERATORS
    wildcards = TEXT_OPERATORS[base] if is_text else Wildcards.NONE
    values = tuple(
        _value(value, wildcards, variable if is_text else None) for value in condition.values
    )
    if base in ("bool", "stringequalsignorecase"):
        values = tuple(fold(value) for value in values)
    key = condition.key_name if is_known else None
    name = texts_of(condition.key.parts) if key is None else key
    said = (condition.operator.name.lower(), name, frozenset(values))
    return Atom(condition, key, values, said)


def _value(
    pattern: Pattern, wildcards: Wildcards, variable: Callable[[str], Tokens] | None
) -> Tokens:
    return tokenize(texts_of(pattern.parts), wildcards, variable)


def symbolic_variable(text: str) -> Tokens:
    """A policy variable as a symbol; `${*}`, `${?}` and `${$}` as the characters they are."""
    if text in ("*", "?", "$"):
        return (text,)
    name, comma, default = text.partition(",")
    tail = f", {default.strip()}" if comma else ""
    return (Symbol(f"${{{name.strip().lower()}{tail}}}"),)
