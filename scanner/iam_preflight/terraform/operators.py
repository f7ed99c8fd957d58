"""Operators on values, and deciding conditions."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from iam_preflight.late_patterns import late
from iam_preflight.terraform import numbers, types
from iam_preflight.terraform.equality import equal
from iam_preflight.terraform.labels import label_of, operand_label, shorten
from iam_preflight.terraform.narrowing import cause_of, remaining
from iam_preflight.values import (
    Assumption,
    Assumptions,
    Json,
    Known,
    Listing,
    Mapping,
    Reason,
    Text,
    Unknown,
    Value,
    arms_of,
    combine,
    is_sensitive,
)

if TYPE_CHECKING:
    from iam_preflight.terraform.tree import Binary, Expression, Unary

_EQUALITY = late(r'(.+) (==|!=) "([^"]*)"\Z', re.DOTALL)


def decide(
    condition: Value, expression: Expression, given: Assumptions
) -> list[tuple[Assumptions, bool]]:
    """The sides that a condition can take; both, labelled, when it cannot be decided."""
    out: list[tuple[Assumptions, bool]] = []
    for assumptions, arm in arms_of(condition):
        known = types.boolean(arm)
        left = remaining(assumptions, given) if given else assumptions
        if left is None:
            continue
        if known is not None:
            out.append((left, known))
            continue
        if isinstance(arm, Known | Listing | Mapping):
            continue  # a certain error
        subject = arm.label if isinstance(arm, Unknown) else label_of(expression.span)
        subject, positive = _positive(subject)
        settled = _settled(subject, (*given, *left))
        for side in (True, False):
            if settled is not None and settled is not side:
                continue
            holds = side if positive else not side
            both = left if settled is not None else combine(left, (Assumption(subject, side),))
            if both is not None:
                out.append((both, holds))
    return out


def _positive(subject: str) -> tuple[str, bool]:
    """`!x` and `a != b` as `x` and `a == b`, turned round."""
    positive = True
    while subject.startswith("!"):
        subject, positive = subject[1:], not positive
    found = _EQUALITY.match(subject)
    if found is not None and found[2] == "!=":
        return f'{found[1]} == "{found[3]}"', not positive
    return subject, positive


def _settled(subject: str, given: Assumptions) -> bool | None:
    """Whether what is given already answers the question."""
    found: re.Match[str] | None = None
    for assumption in given:
        if assumption.subject == subject and isinstance(assumption.holds, bool):
            return assumption.holds
        if isinstance(assumption.holds, str):
            found = found or _EQUALITY.match(subject)
            if found is not None and found[1] == assumption.subject:
                return assumption.holds == found[3]
    return None


def unary(node: Unary, value: Value) -> Value:
    if isinstance(value, Known) and value.value is not None:
        if node.operator == "!":
            flag = types.boolean(value)
            if flag is not None:
                return Known(not flag, node.span, sensitive=value.sensitive)
        else:
            number = numbers.number_of(value)
            if number is not None:
                return Known(-number, node.span, sensitive=value.sensitive)
        return _error(node)
    if not isinstance(value, Unknown | Text | Json):
        return _error(node)
    label = f"{node.operator}{operand_label(value, node.operand.span)}"
    return _hole(node, label, value)


def binary(node: Binary, left: Value, right: Value) -> Value:
    operator = node.operator
    if operator in ("==", "!="):
        same = equal(left, right)
        if same is not None:
            sensitive = is_sensitive(left) or is_sensitive(right)
            return Known(same is (operator == "=="), node.span, sensitive=sensitive)
    elif operator in ("&&", "||"):
        return _logical(node, left, right)
    else:
        a, b = numbers.number_of(left), numbers.number_of(right)
        if a is not None and b is not None:
            assert isinstance(left, Known)
            assert isinstance(right, Known)
            return _numeric(node, a, b, sensitive=left.sensitive or right.sensitive)
        if isinstance(left, Known) or isinstance(right, Known):
            for value, number in ((left, a), (right, b)):
                if number is None and not isinstance(value, Unknown | Text | Json):
                    return _error(node)
    label = f"{operand_label(left, node.left.span)} {operator} "
    return _hole(node, label + operand_label(right, node.right.span), left, right)


def _logical(node: Binary, left: Value, right: Value) -> Value:
    decisive = node.operator == "||"
    flags = (types.boolean(left), types.boolean(right))
    for value, flag in zip((left, right), flags, strict=True):
        if flag is None and not isinstance(value, Unknown | Text | Json):
            return _error(node)
    sensitive = is_sensitive(left) or is_sensitive(right)
    if decisive in flags:
        return Known(decisive, node.span, sensitive=sensitive)
    if None not in flags:
        return Known(not decisive, node.span, sensitive=sensitive)
    # the side that is known does not matter: the condition is the other side
    if flags[0] is not None and isinstance(right, Unknown):
        return right
    if flags[1] is not None and isinstance(left, Unknown):
        return left
    label = f"{operand_label(left, node.left.span)} {node.operator} "
    return _hole(node, label + operand_label(right, node.right.span), left, right)


def _numeric(node: Binary, a: numbers.Number, b: numbers.Number, *, sensitive: bool) -> Value:
    result: bool | numbers.Number
    try:
        match node.operator:
            case "<":
                result = a < b
            case ">":
                result = a > b
            case "<=":
                result = a <= b
            case ">=":
                result = a >= b
            case operator:
                result = numbers.arithmetic(operator, a, b)
    except ArithmeticError:
        return _error(node)
    return Known(result, node.span, sensitive=sensitive)


def _hole(node: Expression, label: str, *operands: Value) -> Unknown:
    for operand in operands:
        if isinstance(operand, Unknown) and operand.reason in (Reason.ERROR, Reason.LIMIT):
            return operand
    sensitive = any(is_sensitive(operand) for operand in operands)
    reason = cause_of(operands) or Reason.FUNCTION
    return Unknown(reason, shorten(label), node.span, None, sensitive)


def _error(node: Expression) -> Unknown:
    return Unknown(Reason.ERROR, label_of(node.span), node.span)
