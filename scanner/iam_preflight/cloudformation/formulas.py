"""Conditions of a template as formulas over its parameters.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-conditions.html
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from msgspec.structs import replace

from iam_preflight.cloudformation.conditions import (
    FALSE,
    TRUE,
    Constant,
    Equal,
    Formula,
    Negation,
    Same,
    atoms_of,
    every,
    negate,
    some,
)
from iam_preflight.cloudformation.intrinsics import evaluate
from iam_preflight.cloudformation.scope import label_of
from iam_preflight.values import (
    Assumption,
    Known,
    Listing,
    Mapping,
    Reason,
    Unknown,
    Value,
    arms_of,
    show,
    text_of,
)

if TYPE_CHECKING:
    from iam_preflight.cloudformation.scope import Scope


def formula_of(value: Value, scope: Scope) -> Formula:
    """A condition as a formula over parameters; what is not understood is free to be anything."""
    strict = replace(scope, is_strict=True)
    match value:
        case Known(value=bool(flag)):
            return Constant(flag)
        case Known(value=str(text)) if text.lower() in ("true", "false"):
            return Constant(text.lower() == "true")
        case Mapping(entries=entries) if len(entries) == 1:
            (name,) = entries
            return _condition_function(name, entries[name], value, strict)
        case _:
            return _free(value)


def _condition_function(name: str, argument: Value, whole: Mapping, scope: Scope) -> Formula:
    items = argument.items if isinstance(argument, Listing) else (argument,)
    match name:
        case "Condition":
            text = text_of(argument)
            return scope.frame.condition(text, whole.span) if text is not None else _free(whole)
        case "Fn::And":
            return every(formula_of(item, scope) for item in items)
        case "Fn::Or":
            return some(formula_of(item, scope) for item in items)
        case "Fn::Not" if len(items) == 1:
            return negate(formula_of(items[0], scope))
        case "Fn::Equals" if len(items) == 2:
            left, right = (evaluate(item, scope) for item in items)
            if text_of(right) == "":
                left = _as_empty_as(items[0], scope) or left
            elif text_of(left) == "":
                right = _as_empty_as(items[1], scope) or right
            return _equality(left, right)
        case _:
            scope.frame.note(f"{name} is not a condition with the right arguments", whole.span)
            return _free(whole)


def _as_empty_as(value: Value, scope: Scope) -> Unknown | None:
    """The list parameter that is empty exactly where its joined items, or its first one, are."""
    match value:
        case Mapping(entries=entries) if "Fn::Join" in entries or "Fn::Select" in entries:
            argument = next(iter(entries.values()))
        case _:
            return None
    if not isinstance(argument, Listing) or len(argument.items) != 2:
        return None
    if "Fn::Select" in entries and text_of(argument.items[0]) != "0":
        return None
    found = evaluate(argument.items[1], scope)
    return found if isinstance(found, Unknown) and found.reason is Reason.PARAMETER else None


def _free(value: Value) -> Formula:
    return Equal(f"({label_of(value)})", "true")


def _equality(left: Value, right: Value) -> Formula:
    """Two values are equal in some pair of their alternatives that holds."""
    parts: list[Formula] = []
    for given, first in arms_of(left):
        for more, second in arms_of(right):
            facts = [assumed(a) for a in (*given, *more)]
            parts.append(every([*facts, _equal(first, second)]))
    return some(parts)


def assumed(assumption: Assumption) -> Formula:
    """An assumption about a parameter as a formula."""
    match assumption.holds:
        case bool(holds):
            atom = Equal(assumption.subject, "true")
            return atom if holds else Negation(atom)
        case str(text):
            return Equal(assumption.subject, text)


def _equal(left: Value, right: Value) -> Formula:
    first, second = text_of(left), text_of(right)
    if first is not None and second is not None:
        return TRUE if first == second else FALSE
    if first is None and second is None:
        one, other = subject_of(left), subject_of(right)
        return TRUE if one == other else Same(one, other)
    if first is not None:
        return Equal(subject_of(right), first)
    assert second is not None
    return Equal(subject_of(left), second)


def subject_of(value: Value) -> str:
    """The name of a value that is not known, as conditions speak of it."""
    return value.label if isinstance(value, Unknown) else show(value)


def formula_size(formula: Formula, most: int) -> int:
    """How many comparisons a formula has, counted up to `most`."""
    return sum(1 for _ in islice(atoms_of(formula), most))
