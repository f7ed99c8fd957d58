"""Evaluates expressions to values; a hole in gives a hole out, never an exception.

Demand-driven: a reference asks its frame (the module instance) for one attribute of one thing,
and the frame evaluates that much and remembers it. Where a condition cannot be decided both
arms are kept as a `Choice`, each evaluated in a scope in which its side holds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.terraform import functions, loops, operators, rendering, types
from iam_preflight.terraform.attempts import can, first_without_error
from iam_preflight.terraform.bounded import listing, mapping
from iam_preflight.terraform.functions.arguments import Invocation
from iam_preflight.terraform.labels import deeper, label_of
from iam_preflight.terraform.narrowing import is_error, settle, without_errors
from iam_preflight.terraform.references import attribute_of, item_of
from iam_preflight.terraform.scope import Scope, Step
from iam_preflight.terraform.tree import (
    Binary,
    Broken,
    Call,
    Conditional,
    Expression,
    ForObject,
    ForTuple,
    GetAttribute,
    Index,
    Interpolation,
    Literal,
    Object,
    Splat,
    Template,
    TemplatePart,
    Tuple,
    Unary,
    Variable,
)
from iam_preflight.values import (
    MAX_ARMS,
    Absent,
    Assumptions,
    Choice,
    CycleError,
    Known,
    LazyEntries,
    Listing,
    Mapping,
    Reason,
    Text,
    Unknown,
    Value,
    arms_of,
    choice,
    conditional,
    is_conditional,
    show,
    text_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from iam_preflight.source import Span

MAX_LOOKED_INTO = 2000
"""Leaves that are looked at to see whether two arms of a condition are of different types."""


def evaluate(expression: Expression, scope: Scope) -> Value:
    """The value of an expression; holes for whatever cannot be known."""
    watch = scope.budget.watch
    is_outermost = watch.start()
    try:
        return _evaluate(expression, scope)
    except CycleError:
        return Unknown(Reason.CYCLE, label_of(expression.span), expression.span)
    except RecursionError:
        return scope.frame.limit("nested too deeply", expression.span)
    finally:
        if is_outermost:
            watch.stop()


def _evaluate(expression: Expression, scope: Scope) -> Value:
    budget = scope.budget
    budget.steps -= 1
    if budget.steps < 0:
        reached = budget.renew()
        if reached:
            return scope.frame.limit(reached, expression.span)
    handler = _HANDLERS[type(expression)]
    return handler(expression, scope)


def _literal(node: Literal, _scope: Scope) -> Value:
    return Known(node.value, node.span)


def _broken(node: Broken, scope: Scope) -> Value:
    if node.is_too_deep:
        return scope.frame.limit("nested too deeply", node.span)
    return Unknown(Reason.ERROR, "unreadable expression", node.span)


# ---------------------------------------------------------------- references


def _reference(expression: Expression, scope: Scope) -> Value:
    steps: list[Step] = []
    node = expression
    while True:
        if isinstance(node, GetAttribute):
            steps.append(Step(node.name, node.span))
            node = node.operand
        elif isinstance(node, Index):
            steps.append(Step(node.key, node.span))
            node = node.operand
        else:
            break
    steps.reverse()
    if not isinstance(node, Variable):
        return _follow(_evaluate(node, scope), steps, scope)
    local = scope.names.get(node.name)
    if local is not None:
        return _follow(local, steps, scope)
    if scope.is_closed:
        return Unknown(Reason.ERROR, label_of(expression.span), expression.span)
    resolved = scope.frame.resolve(node.name, steps, scope)
    if resolved is None:
        return Unknown(Reason.MISSING, label_of(expression.span), expression.span)
    value, used = resolved
    return _follow(value, steps[used:], scope)


def _follow(value: Value, steps: list[Step], scope: Scope) -> Value:
    value = settle(value, scope.given)
    for step in steps:
        if isinstance(step.key, str):
            value = attribute_of(value, step.key, step.span, tries=scope.tries)
        else:
            key = _evaluate(step.key, scope)
            value = item_of(value, key, step.span, tries=scope.tries)
        value = settle(value, scope.given)
    return value


# ---------------------------------------------------------------- templates


def _template(template: Template, scope: Scope) -> Value:
    parts = template.parts
    if len(parts) == 1 and isinstance(parts[0], Interpolation):
        return _evaluate(parts[0].expression, scope)
    return rendering.render(parts, scope, template.span, _evaluate)


def render(parts: tuple[TemplatePart, ...], scope: Scope, span: Span) -> Value:
    """A template as text, for whoever has read one from a file."""
    return rendering.render(parts, scope, span, _evaluate)


# ---------------------------------------------------------------- conditions and operators


def _conditional(node: Conditional, scope: Scope) -> Value:
    condition = _evaluate(node.condition, scope)
    if scope.tries and is_error(condition):
        return condition
    sides = operators.decide(condition, node.condition, scope.given)
    if not sides:
        if isinstance(condition, Known):
            return Unknown(Reason.ERROR, label_of(node.span), node.span)
        return condition
    arms: list[tuple[Assumptions, Value]] = []
    for given, holds in sides:
        inner = scope.assuming(given)
        if inner is not None:
            arms.append((given, _evaluate(node.then if holds else node.otherwise, inner)))
    if len(arms) == 1 and not arms[0][0]:
        other = node.otherwise if sides[0][1] else node.then
        value = _one_type(arms[0][1], other, scope)
        if isinstance(condition, Known) and condition.sensitive:
            from iam_preflight.terraform.functions.conversion import mark

            return mark(value)
        return value
    return choice(arms if scope.tries else without_errors(arms), node.span)


def _one_type(value: Value, other: Expression, scope: Scope) -> Value:
    """The chosen arm in the type that both arms share: `true ? 1 : "a"` is `"1"`.

    The other arm is evaluated only where it could matter.
    """
    if isinstance(other, Literal) and other.value is None:
        return value
    is_reference = isinstance(other, Variable | GetAttribute | Index | Broken)
    if not scope.tries and (is_reference or not _is_mixed(value)):
        return value
    first, second = types.type_of(value), types.type_of(_evaluate(other, scope))
    if first is None or second is None:
        return value
    shared = types.unify([first, second])
    if shared is None:
        return Unknown(Reason.ERROR, "arms of different types", other.span)
    if shared == first:
        return value
    try:
        return types.convert(value, shared)
    except types.ConversionError:
        return value


def _is_mixed(value: Value) -> bool:
    """Whether a value holds numbers or bools, which the other arm may turn into text."""
    stack, seen = [value], 0
    while stack:
        item = stack.pop()
        seen += 1
        if seen > MAX_LOOKED_INTO:
            return False
        match item:
            case Known(value=scalar):
                if scalar is not None and not isinstance(scalar, str):
                    return True
            case Listing(items=items):
                stack.extend(items)
            case Mapping(entries=entries) if not isinstance(entries, LazyEntries):
                stack.extend(entries.values())
    return False


def _unary(node: Unary, scope: Scope) -> Value:
    operand = _evaluate(node.operand, scope)
    if not isinstance(operand, Choice):
        return operators.unary(node, operand)
    arms = [(given, operators.unary(node, arm)) for given, arm in operand.arms]
    return choice(arms, node.span)


def _binary(node: Binary, scope: Scope) -> Value:
    left = _evaluate(node.left, scope)
    if node.operator in ("&&", "||") and types.boolean(left) is (node.operator == "||"):
        # Terraform would look at the right side's type only
        assert isinstance(left, Known)
        return Known(node.operator == "||", node.span, sensitive=left.sensitive)
    right = _evaluate(node.right, scope)
    if not isinstance(left, Choice) and not isinstance(right, Choice):
        return operators.binary(node, left, right)
    arms: list[tuple[Assumptions, Value]] = []
    for given, first in arms_of(left):
        for both, second in arms_of(right, given):
            arms.append((both, operators.binary(node, first, second)))
            if len(arms) > MAX_ARMS:
                return Unknown(Reason.FUNCTION, label_of(node.span), node.span)
    return choice(arms if scope.tries else without_errors(arms), node.span)


# ---------------------------------------------------------------- functions


def _call(node: Call, scope: Scope) -> Value:
    name = node.name.removeprefix("core::")
    if name == "try":
        return first_without_error(node, scope, _evaluate)
    if name == "can":
        return can(node, scope, _evaluate)
    arguments = [_evaluate(argument, scope) for argument in node.arguments]
    invocation = Invocation(name, node, scope)
    if not node.spreads_last or not arguments:
        return functions.call(invocation, tuple(arguments))
    spread = arguments.pop()
    arms: list[tuple[Assumptions, Value]] = []
    for given, arm in arms_of(spread):
        more: tuple[Value, ...]
        if isinstance(arm, Listing):
            more = arm.items if arm.rest is None else (*arm.items, arm.rest)
            more = tuple(_without_absence(item) for item in more)
        elif isinstance(arm, Unknown):
            more = (deeper(arm, "[*]", "", arm.span),)
        else:
            arms.append((given, invocation.unknown(Reason.ERROR)))
            continue
        arms.append((given, functions.call(invocation, (*arguments, *more))))
    return choice(arms, node.span)


def _without_absence(item: Value) -> Value:
    """An argument that may not be there at all: null where it is not, which `merge` passes by."""
    if not is_conditional(item):
        return item
    assert isinstance(item, Choice)
    null = Known(None, item.span)
    arms = tuple((given, null if isinstance(arm, Absent) else arm) for given, arm in item.arms)
    return Choice(arms, item.span)


# ---------------------------------------------------------------- collections


def _tuple(node: Tuple, scope: Scope) -> Value:
    return listing(tuple(_evaluate(item, scope) for item in node.items), node, scope)


def _object(node: Object, scope: Scope) -> Value:
    entries: dict[str, Value] = {}
    key_spans: dict[str, Span] = {}
    failed: Unknown | None = None
    for key_expression, value_expression in node.entries:
        if isinstance(key_expression, Literal):
            literal, span = key_expression.value, key_expression.span
            name = literal if isinstance(literal, str) else text_of(Known(literal, span))
            if name is not None:
                entries[name] = _evaluate(value_expression, scope)
                key_spans[name] = span
                continue
        for given, key in arms_of(_evaluate(key_expression, scope)):
            inner = scope.assuming(given)
            if inner is None:
                continue
            name = show(key) if isinstance(key, Unknown | Text) else text_of(key)
            if name is None:
                failed = Unknown(Reason.ERROR, label_of(key_expression.span), key.span)
                continue
            value = _evaluate(value_expression, inner)
            entries[name] = conditional(value, given, entries.get(name))
            key_spans[name] = key_expression.span
    if failed is not None:
        return failed
    return mapping(entries, node, scope, key_spans)


def _for_tuple(node: ForTuple, scope: Scope) -> Value:
    return loops.for_tuple(node, scope, _evaluate)


def _for_object(node: ForObject, scope: Scope) -> Value:
    return loops.for_object(node, scope, _evaluate)


def _splat(node: Splat, scope: Scope) -> Value:
    return loops.splat(node, scope, _evaluate)


_HANDLERS: dict[type, Callable[..., Value]] = {
    Literal: _literal,
    Template: _template,
    Variable: _reference,
    GetAttribute: _reference,
    Index: _reference,
    Call: _call,
    Tuple: _tuple,
    Object: _object,
    Conditional: _conditional,
    Binary: _binary,
    Unary: _unary,
    ForTuple: _for_tuple,
    ForObject: _for_object,
    Splat: _splat,
    Broken: _broken,
}
