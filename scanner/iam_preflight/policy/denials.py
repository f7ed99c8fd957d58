"""What the denials of a document ask of whom another of its statements lets in.

To deny everybody outside an organization is to ask for the organization, as a condition of the
Allow would; to deny somebody all of it is to let nobody in.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-denyallow.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from iam_preflight.policy.callers import Caller
from iam_preflight.policy.context import UNKNOWN_CONTEXT, Context
from iam_preflight.policy.globs import Relation, is_anything, may_meet, relation
from iam_preflight.policy.match import text_matches, tokens_of
from iam_preflight.policy.matchers import StatementMatcher
from iam_preflight.policy.truth import Truth
from iam_preflight.values import Unknown

if TYPE_CHECKING:
    from iam_preflight.policy.automaton import Tokens
    from iam_preflight.policy.document import (
        Condition,
        ConditionOperator,
        Document,
        Pattern,
        PrincipalPattern,
        Statement,
    )


class Denials:
    """The Deny statements of one document."""

    def __init__(self, document: Document) -> None:
        self._denials = tuple(
            StatementMatcher(document, statement)
            for statement in document.statements
            if not statement.is_allow and statement.is_effect_known and statement.has_principal
        )
        self._narrowed: dict[object, Statement] = {}

    def narrowed(
        self, statement: Statement, principal: PrincipalPattern, actions: tuple[Pattern, ...] | None
    ) -> Statement | None:
        """An Allow as it is for one of its principals, with what denials ask for as conditions.

        Only denials of all of the actions count; without actions, of everything. None where they
        leave the principal nothing.
        """
        if not self._denials or actions == ():
            return statement
        caller = caller_of(principal)
        context = UNKNOWN_CONTEXT if caller is None else Context(caller.keys())
        wanted = None
        if actions is not None:
            wanted = [tokens_of(pattern, ignore_case=True) for pattern in actions]
        asked: list[Condition] = []
        for denial in self._denials:
            if not _covers(denial, statement, caller, wanted):
                continue
            left = _left_open(denial, context)
            if left == ():
                return None
            if left is None or len(left) > 1:
                continue
            opposite = _opposite(left[0])
            if opposite is not None:
                asked.append(opposite)
        if not asked:
            return statement
        # grants of one statement are told by its identity
        key = (statement.index, statement.assumptions, tuple(one.span for one in asked))
        found = self._narrowed.get(key)
        if found is None:
            conditions = (*statement.conditions, *asked)
            found = self._narrowed[key] = replace(statement, conditions=conditions)
        return found


def caller_of(principal: PrincipalPattern) -> Caller | None:
    """Whom a principal names; None for everybody."""
    pattern = principal.pattern
    match principal.kind:
        case "AWS" if not principal.is_anyone:
            return _aws_caller(pattern)
        case "Service" if pattern.is_known:
            return Caller.service(pattern.text)
        case "Federated":
            return Caller.provider(pattern)
        case _:
            return None


def _aws_caller(pattern: Pattern) -> Caller | None:
    first = pattern.parts[0] if pattern.parts else ""
    if isinstance(first, Unknown):
        return None if len(pattern.parts) > 1 else Caller.anyone_in(pattern)
    if first.isdigit():
        return Caller.anyone_in(pattern)
    fields = pattern.text.split(":", 5)
    if len(fields) < 6 or "*" in pattern.text:
        return None
    kind = fields[5].partition("/")[0]
    if kind == "role":
        return Caller.role(pattern)
    if kind == "user":
        return Caller.user(pattern)
    if kind == "root" and fields[4].isdigit():
        return Caller.anyone_in(fields[4])
    return Caller.of(pattern.text) if kind == "assumed-role" and pattern.is_known else None


def _covers(
    denial: StatementMatcher,
    allowed: Statement,
    caller: Caller | None,
    wanted: list[Tokens] | None,
) -> bool:
    """Whether a denial is surely about whom an Allow names, and about all that it allows."""
    denied = denial.statement
    if not set(denied.assumptions) <= set(allowed.assumptions):
        return False
    if not _covers_actions(denied, wanted) or not _covers_resources(denied, allowed):
        return False
    if caller is not None:
        return denial.principal(caller)[0] is Truth.YES
    return not denied.is_not_principal and any(
        one.is_anyone and not one.pattern.assumptions for one in denied.principals
    )


def _covers_actions(denied: Statement, wanted: list[Tokens] | None) -> bool:
    named = [(tokens_of(p, ignore_case=True), p.assumptions) for p in denied.actions]
    sure = [name for name, assumptions in named if not assumptions]
    if wanted is None:
        return not denied.is_not_action and any(map(is_anything, sure))
    if denied.is_not_action:
        return not any(may_meet(one, name) for one in wanted for name, _ in named)
    return all(any(relation(one, name) is Relation.INSIDE for name in sure) for one in wanted)


def _covers_resources(denied: Statement, allowed: Statement) -> bool:
    if not denied.has_resource:
        return True
    if denied.is_not_resource:
        return (
            allowed.has_resource
            and not allowed.is_not_resource
            and not any(
                may_meet(asked.arn_tokens, spared.arn_tokens)
                for asked in allowed.resources
                for spared in denied.resources
            )
        )
    sure = [pattern.arn_tokens for pattern in denied.resources if not pattern.assumptions]
    if not allowed.has_resource or allowed.is_not_resource:
        return any(map(is_anything, sure))
    return all(
        any(text_matches(one, asked.arn_tokens) is Truth.YES for one in sure)
        for asked in allowed.resources
    )


def _left_open(denial: StatementMatcher, context: Context) -> tuple[Condition, ...] | None:
    """The conditions of a denial that a caller may or may not meet; None where one never holds."""
    left: list[Condition] = []
    for matcher in denial.conditions:
        truth, _ = matcher.holds(context)
        if truth is Truth.NO:
            return None
        if truth is not Truth.YES:
            left.append(matcher.condition)
    return tuple(left)


def _opposite(condition: Condition) -> Condition | None:
    """What whoever escapes a denial meets; None where that asks for nothing in particular."""
    operator = condition.operator
    if condition.assumptions or not condition.key.is_known or not condition.values:
        return None
    values = condition.values
    if operator.base in ("bool", "null"):
        if operator.quantifier or len(values) != 1 or values[0].text.lower() not in _FLIPPED:
            return None
        values = (replace(values[0], parts=(_FLIPPED[values[0].text.lower()],)),)
        if_exists = operator.base == "bool" and not operator.is_if_exists
        return replace(condition, operator=_operator(operator, if_exists=if_exists), values=values)
    # a negated operator holds without the key, so that to escape it takes the key
    if not operator.is_negated or operator.quantifier == "foranyvalue":
        return None
    quantifier = "foranyvalue" if operator.quantifier else ""
    return replace(condition, operator=_operator(operator, quantifier=quantifier))


def _operator(
    operator: ConditionOperator, *, if_exists: bool = False, quantifier: str = ""
) -> ConditionOperator:
    return replace(operator, is_negated=False, is_if_exists=if_exists, quantifier=quantifier)


_FLIPPED = {"true": "false", "false": "true"}
