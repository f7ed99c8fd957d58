"""Documents with some of their unknowns made known: holes filled, choices decided."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from msgspec.structs import replace

from iam_preflight.policy.clauses import symbolic_variable
from iam_preflight.policy.context import symbol_of
from iam_preflight.policy.globs import VARIABLE
from iam_preflight.values import Assumption

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from iam_preflight.policy.document import Condition, Document, Pattern, Statement
    from iam_preflight.values import Assumptions, Unknown

MAX_ENVIRONMENTS = 64
"""More ways to decide all choices than these are not gone through."""

OTHERWISE = ""
"""Stands for a value of a choice that no policy names."""


def filled(document: Document, values: Mapping[str, str]) -> Document:
    """The document with text for the symbols of its holes and policy variables."""

    def fill(pattern: Pattern) -> Pattern:
        parts: list[str | Unknown] = []
        for part in pattern.parts:
            if not isinstance(part, str):
                parts.append(values.get(symbol_of(part), part))
            elif document.has_policy_variables:
                parts.append(VARIABLE.sub(lambda m: _value_of(m[0], m[1], values), part))
            else:
                parts.append(part)
        return replace(pattern, parts=tuple(parts))

    return _rewritten(document, fill, lambda assumptions: assumptions)


def _value_of(written: str, name: str, values: Mapping[str, str]) -> str:
    return values.get(symbolic_variable(name)[0], written)


def decided(document: Document, environment: Mapping[str, bool | str]) -> Document:
    """The document as it is when every choice is decided as `environment` has it."""

    def keep(assumptions: Assumptions) -> Assumptions | None:
        holds = all(environment.get(a.subject, a.holds) == a.holds for a in assumptions)
        return () if holds else None

    return _rewritten(document, lambda pattern: pattern, keep)


def environments(documents: Iterable[Document]) -> Iterator[dict[str, bool | str]] | None:
    """Every way to decide the documents' choices; None when they are too many."""
    subjects: dict[str, dict[bool | str, None]] = {}
    for assumption in _assumptions(documents):
        held = subjects.setdefault(assumption.subject, {})
        held.setdefault(assumption.holds)
        if isinstance(assumption.holds, bool):
            held.setdefault(not assumption.holds)
        else:
            held.setdefault(OTHERWISE)
    count = 1
    for held in subjects.values():
        count *= len(held)
        if count > MAX_ENVIRONMENTS:
            return None
    return (
        dict(zip(subjects, chosen, strict=True)) for chosen in itertools.product(*subjects.values())
    )


def as_assumptions(environment: Mapping[str, bool | str]) -> Assumptions:
    """An environment for people; what no policy names is left out."""
    return tuple(
        Assumption(subject, holds) for subject, holds in environment.items() if holds != OTHERWISE
    )


def _assumptions(documents: Iterable[Document]) -> Iterator[Assumption]:
    for document in documents:
        for statement in document.statements:
            yield from statement.assumptions
            for condition in statement.conditions:
                yield from condition.assumptions
            for pattern in _patterns(statement):
                yield from pattern.assumptions


def _patterns(statement: Statement) -> Iterator[Pattern]:
    yield from statement.actions
    yield from statement.resources
    for principal in statement.principals:
        yield principal.pattern
    for condition in statement.conditions:
        yield condition.key
        yield from condition.values


def _rewritten(
    document: Document,
    fill: Callable[[Pattern], Pattern],
    keep: Callable[[Assumptions], Assumptions | None],
) -> Document:
    """The document with each pattern filled, and without what is not kept."""

    def patterns(given: tuple[Pattern, ...]) -> tuple[Pattern, ...]:
        return tuple(
            replace(fill(pattern), assumptions=kept)
            for pattern in given
            if (kept := keep(pattern.assumptions)) is not None
        )

    def conditions(given: tuple[Condition, ...]) -> Iterator[Condition]:
        for condition in given:
            kept = keep(condition.assumptions)
            if kept is not None:
                key, *_ = (*patterns((condition.key,)), condition.key)
                yield replace(
                    condition, key=key, values=patterns(condition.values), assumptions=kept
                )

    statements = []
    for statement in document.statements:
        kept = keep(statement.assumptions)
        if kept is None:
            continue
        statements.append(
            replace(
                statement,
                actions=patterns(statement.actions),
                resources=patterns(statement.resources),
                principals=tuple(
                    replace(principal, pattern=pattern)
                    for principal in statement.principals
                    for pattern in patterns((principal.pattern,))
                ),
                conditions=tuple(conditions(statement.conditions)),
                assumptions=kept,
            )
        )
    return replace(document, statements=tuple(statements))


def said_by(document: Document) -> tuple[object, ...]:
    """Equal for documents that say the same, word for word, choices included."""
    return (
        document.has_policy_variables,
        *(
            (
                statement.effect,
                statement.is_effect_known,
                statement.is_not_action,
                statement.is_not_resource,
                statement.is_not_principal,
                statement.assumptions,
                tuple((p.text, p.assumptions) for p in _patterns(statement)),
                tuple(c.operator.name for c in statement.conditions),
                tuple(len(c.values) for c in statement.conditions),
                tuple(p.kind for p in statement.principals),
                (len(statement.actions), len(statement.resources)),
            )
            for statement in document.statements
        ),
    )
