"""Evaluates HCL expressions to values; a hole in gives a hole out, never an exception.

Demand-driven: a reference asks its frame (the module instance) for one attribute of one thing,
and the frame evaluates that much and remembers it.

Where a condition cannot be decided both arms are kept as a `Choice`; where a map is looked up
by an unknown key every entry is kept, labelled with the key it stands for.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal, DivisionByZero, InvalidOperation, Overflow
from itertools import product
from typing import TYPE_CHECKING, Protocol

from iam_preflight.terraform import functions
from iam_preflight.terraform.syntax import (
    SPLAT_ITEM,
    Binary,
    Broken,
    Call,
    Conditional,
    Expression,
    ForDirective,
    ForObject,
    ForTuple,
    GetAttribute,
    IfDirective,
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
    Assumption,
    Assumptions,
    Choice,
    CycleError,
    Fragment,
    Json,
    Known,
    Listing,
    Mapping,
    Reason,
    Reference,
    Unknown,
    Value,
    arms_of,
    bool_of,
    choice,
    combine,
    either,
    is_null,
    join_parts,
    number_of,
    parts_of,
    show,
    text_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from iam_preflight.source import SourceFile, Span

MAX_ITEMS = 4096
"""Longest collection that a `for` or a splat goes through item by item."""

MAX_LABEL = 80


class Frame(Protocol):
    """What an expression can refer to: one instance of one module."""

    def resolve(self, root: str, steps: list[Step], scope: Scope) -> tuple[Value, int] | None:
        """The value that a reference begins with and how many steps it used up.

        None when the module has nothing of that kind.
        """

    def read_text(self, path: str) -> SourceFile | None:
        """A file beside the module, for `file()` and its kin; None when it may not be read."""

    @property
    def directory(self) -> str:
        """The module's directory, relative to the root of the scan."""


@dataclass(frozen=True, slots=True)
class Scope:
    """A frame and the names that loops, `each`, `count` and `self` add to it."""

    frame: Frame
    names: dict[str, Value]

    def with_names(self, **names: Value) -> Scope:
        return Scope(self.frame, {**self.names, **names})


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a reference: an attribute name, or an index key."""

    key: str | Expression
    span: Span


def evaluate(expression: Expression, scope: Scope) -> Value:
    """The value of an expression; holes for whatever cannot be known."""
    try:
        return _evaluate(expression, scope)
    except CycleError:
        return Unknown(Reason.CYCLE, label_of(expression), expression.span)
    except RecursionError:
        return Unknown(Reason.LIMIT, "nested too deeply", expression.span)


def _evaluate(expression: Expression, scope: Scope) -> Value:
    match expression:
        case Literal(value=value, span=span):
            return Known(value, span)
        case Template():
            return _template(expression, scope)
        case Variable() | GetAttribute() | Index():
            return _reference(expression, scope)
        case Call():
            return _call(expression, scope)
        case Tuple(items=items, span=span):
            return Listing(tuple(_evaluate(item, scope) for item in items), span)
        case Object():
            return _object(expression, scope)
        case Conditional():
            return _conditional(expression, scope)
        case Binary():
            return _binary(expression, scope)
        case Unary():
            return _unary(expression, scope)
        case ForTuple():
            return _for_tuple(expression, scope)
        case ForObject():
            return _for_object(expression, scope)
        case Splat():
            return _splat(expression, scope)
        case Broken(span=span):
            return Unknown(Reason.ERROR, "unreadable expression", span)


def label_of(expression: Expression) -> str:
    """The expression as people would name it: its source on one line, cut short."""
    text = " ".join(expression.span.text.split())
    return text if len(text) <= MAX_LABEL else text[: MAX_LABEL - 1] + "…"


# ---------------------------------------------------------------- references


def _reference(expression: Expression, scope: Scope) -> Value:
    steps: list[Step] = []
    node = expression
    while True:
        match node:
            case GetAttribute(operand=operand, name=name, span=span):
                steps.append(Step(name, span))
                node = operand
            case Index(operand=operand, key=key, span=span):
                steps.append(Step(key, span))
                node = operand
            case _:
                break
    steps.reverse()
    if isinstance(node, Variable):
        local = scope.names.get(node.name)
        if local is not None:
            return _follow(local, steps, scope)
        resolved = scope.frame.resolve(node.name, steps, scope)
        if resolved is None:
            return Unknown(Reason.MISSING, label_of(expression), expression.span)
        value, used = resolved
        return _follow(value, steps[used:], scope)
    return _follow(_evaluate(node, scope), steps, scope)


def _follow(value: Value, steps: list[Step], scope: Scope) -> Value:
    for step in steps:
        if isinstance(step.key, str):
            value = attribute_of(value, step.key, step.span)
        else:
            value = item_of(value, _evaluate(step.key, scope), step.span)
    return value


class Attributes(Protocol):
    """Entries that know more attributes than were written: those that AWS will fill in."""

    def attribute(self, name: str, span: Span) -> Value: ...


def attribute_of(value: Value, name: str, span: Span) -> Value:
    match value:
        case Mapping(entries=entries, rest=rest):
            look_up: Callable[[str, Span], Value] | None = getattr(entries, "attribute", None)
            if look_up is not None:
                return look_up(name, span)
            if name in entries:
                return entries[name]
            for key in entries:
                if "«" in key:
                    rest = either(rest, entries[key])
            return _beyond(rest, name, span)
        case Unknown():
            return deeper(value, f".{name}", name, span)
        case Choice():
            return _each_arm(value, lambda arm: attribute_of(arm, name, span))
        case Listing() if name.isdigit():
            return item_of(value, Known(int(name), span), span)
        case _:
            return Unknown(Reason.ERROR, f"{show(value)[:40]}.{name}", span)


def item_of(value: Value, key: Value, span: Span) -> Value:
    if isinstance(value, Choice):
        return _each_arm(value, lambda arm: item_of(arm, key, span))
    if isinstance(key, Choice):
        return _each_arm(key, lambda arm: item_of(value, arm, span))
    if isinstance(value, Unknown):
        shown = text_of(key)
        if shown is None:
            return deeper(value, f"[{show(key)}]", "", span)
        suffix = f"[{shown}]" if shown.isdigit() else f'["{shown}"]'
        return deeper(value, suffix, "", span)
    match value:
        case Mapping(entries=entries, rest=rest):
            name = text_of(key)
            if name is not None:
                return attribute_of(value, name, span)
            return _any_of([(k, entries[k]) for k in entries], rest, key, span)
        case Listing(items=items, rest=rest):
            number = number_of(key)
            if number is None:
                return _any_of([(str(i), item) for i, item in enumerate(items)], rest, key, span)
            if 0 <= number < len(items) and number == int(number):
                return items[int(number)]
            return _beyond(rest, str(number), span)
        case _:
            return Unknown(Reason.ERROR, f"{show(value)[:40]}[{show(key)}]", span)


def _beyond(rest: Value | None, name: str, span: Span) -> Value:
    if rest is not None:
        return rest
    return Unknown(Reason.MISSING, name, span)


def _any_of(entries: list[tuple[str, Value]], rest: Value | None, key: Value, span: Span) -> Value:
    """Every value that an unknown key may pick, labelled with the key."""
    subject = show(key).strip("«»")
    if not entries or len(entries) >= MAX_ARMS:
        return Unknown(Reason.FUNCTION, f"[{subject}]", span)
    arms: list[tuple[Assumptions, Value]] = [
        ((Assumption(subject, name),), value) for name, value in entries
    ]
    if rest is not None:
        arms.append(((Assumption(subject, "another"),), rest))
    return choice(arms, span)


def deeper(hole: Unknown, suffix: str, attribute: str, span: Span) -> Unknown:
    """The hole for a part of a hole: same reason, longer name."""
    reference = hole.reference
    if reference is not None:
        joined = f"{reference.attribute}.{attribute}" if reference.attribute else attribute
        reference = Reference(reference.address, joined) if attribute else reference
    label = hole.label + suffix
    if len(label) > MAX_LABEL:
        label = label[: MAX_LABEL - 1] + "…"
    return replace(hole, label=label, span=span, reference=reference)


def _each_arm(value: Choice, change: Callable[[Value], Value]) -> Value:
    return choice([(given, change(arm)) for given, arm in value.arms], value.span)


# ---------------------------------------------------------------- templates


def _template(template: Template, scope: Scope) -> Value:
    parts = template.parts
    if len(parts) == 1 and isinstance(parts[0], Interpolation):
        return _evaluate(parts[0].expression, scope)
    return render_parts(parts, scope, template.span)


def render_parts(parts: tuple[TemplatePart, ...], scope: Scope, span: Span) -> Value:
    """A template as text; undecided directives and choices give every alternative."""
    rendered: list[tuple[Assumptions, list[Fragment | Unknown]]] = [((), [])]
    for alternatives in _rendered_parts(parts, scope):
        if len(alternatives) == 1 and not alternatives[0][0]:
            for _, so_far in rendered:
                so_far.extend(alternatives[0][1])
            continue
        grown: list[tuple[Assumptions, list[Fragment | Unknown]]] = []
        for (given, so_far), (more, added) in product(rendered, alternatives):
            both = combine(given, more)
            if both is not None:
                grown.append((both, [*so_far, *added]))
        if len(grown) > MAX_ARMS:
            hole = Unknown(Reason.LIMIT, "more alternatives than are followed", span)
            grown = [(given, [*so_far, hole]) for given, so_far in rendered]
        rendered = grown
    arms: list[tuple[Assumptions, Value]] = [
        (given, join_parts(pieces, span)) for given, pieces in rendered
    ]
    return choice(arms, span)


_Alternatives = list[tuple[Assumptions, list["Fragment | Unknown"]]]


def _rendered_parts(parts: tuple[TemplatePart, ...], scope: Scope) -> Iterator[_Alternatives]:
    for part in parts:
        match part:
            case Fragment():
                yield [((), [part])]
            case Interpolation(expression=expression, span=span):
                yield _as_alternatives(_evaluate(expression, scope), span)
            case IfDirective():
                condition = _evaluate(part.condition, scope)
                arms = _decide(condition, part.condition)
                branches = {True: part.then, False: part.otherwise}
                alternatives: _Alternatives = []
                for given, holds in arms:
                    inner = render_parts(branches[holds], scope, part.span)
                    for more, pieces in _as_alternatives(inner, part.span):
                        both = combine(given, more)
                        if both is not None:
                            alternatives.append((both, pieces))
                yield alternatives
            case ForDirective():
                yield from _for_directive(part, scope)


def _for_directive(part: ForDirective, scope: Scope) -> Iterator[_Alternatives]:
    collection = _evaluate(part.collection, scope)
    for given, arm in arms_of(collection):
        pairs = _pairs(arm)
        if given or pairs is None:
            hole = Unknown(Reason.FUNCTION, label_of(part.collection), part.span)
            yield [((), [hole])]
            return
        for key, value in pairs:
            names = {part.value: value}
            if part.key is not None:
                names[part.key] = key
            yield from _rendered_parts(part.body, scope.with_names(**names))
        if isinstance(arm, Listing | Mapping) and arm.rest is not None:
            yield [((), [Unknown(Reason.FUNCTION, label_of(part.collection), part.span)])]


def _as_alternatives(value: Value, span: Span) -> _Alternatives:
    out: _Alternatives = []
    for given, arm in arms_of(value):
        if isinstance(arm, Json):
            out.append((given, functions.json_parts(arm.value)))
            continue
        pieces = parts_of(arm)
        if pieces is None:
            label = "null in a template" if is_null(arm) else "not a string in a template"
            pieces = (Unknown(Reason.ERROR, label, span),)
        out.append((given, list(pieces)))
    return out


# ---------------------------------------------------------------- operators


def _decide(condition: Value, expression: Expression) -> list[tuple[Assumptions, bool]]:
    """The sides that a condition can take; both, labelled, when it cannot be decided."""
    out: list[tuple[Assumptions, bool]] = []
    for given, arm in arms_of(condition):
        known = bool_of(arm)
        if known is not None:
            out.append((given, known))
            continue
        subject = arm.label if isinstance(arm, Unknown) else label_of(expression)
        for side in (True, False):
            both = combine(given, (Assumption(subject, side),))
            if both is not None:
                out.append((both, side))
    return out


def _conditional(node: Conditional, scope: Scope) -> Value:
    condition = _evaluate(node.condition, scope)
    sides = {True: node.then, False: node.otherwise}
    arms = [
        (given, _evaluate(sides[holds], scope))
        for given, holds in _decide(condition, node.condition)
    ]
    return choice(arms, node.span)


def _unary(node: Unary, scope: Scope) -> Value:
    return _map_arms(
        (_evaluate(node.operand, scope),), node, lambda values: _unary_known(node, values[0])
    )


def _unary_known(node: Unary, value: Value) -> Value:
    if node.operator == "!":
        flag = bool_of(value)
        if flag is not None:
            return Known(not flag, node.span)
    elif isinstance(value, Known):
        number = number_of(value)
        if number is not None:
            return Known(functions.tidy(-functions.decimal(number)), node.span)
    return _unknown_operation(node, f"{node.operator}{_operand(value)}")


def _binary(node: Binary, scope: Scope) -> Value:
    left = _evaluate(node.left, scope)
    if node.operator in ("&&", "||"):
        decisive = node.operator == "||"
        if bool_of(left) is decisive:
            return Known(decisive, node.span)
    right = _evaluate(node.right, scope)
    return _map_arms((left, right), node, lambda values: _binary_known(node, *values))


def _binary_known(node: Binary, left: Value, right: Value) -> Value:
    operator = node.operator
    if operator in ("==", "!="):
        same = functions.equal(left, right)
        if same is not None:
            return Known(same is (operator == "=="), node.span)
    elif operator in ("&&", "||"):
        decisive = operator == "||"
        flags = (bool_of(left), bool_of(right))
        if decisive in flags:
            return Known(decisive, node.span)
        if None not in flags:
            return Known(not decisive, node.span)
    else:
        a, b = functions.number(left), functions.number(right)
        if a is not None and b is not None:
            result = _arithmetic(operator, a, b)
            if result is not None:
                return Known(result, node.span)
            return Unknown(Reason.ERROR, label_of(node), node.span)
    return _unknown_operation(node, f"{_operand(left)} {operator} {_operand(right)}")


def _arithmetic(operator: str, a: Decimal, b: Decimal) -> bool | int | Decimal | None:
    try:
        with functions.precision():
            match operator:
                case "+":
                    return functions.tidy(a + b)
                case "-":
                    return functions.tidy(a - b)
                case "*":
                    return functions.tidy(a * b)
                case "/":
                    return functions.tidy(a / b)
                case "%":
                    return functions.tidy(a % b)
                case "<":
                    return a < b
                case ">":
                    return a > b
                case "<=":
                    return a <= b
                case ">=":
                    return a >= b
                case _:
                    return None
    except (DivisionByZero, InvalidOperation, Overflow):
        return None


def _operand(value: Value) -> str:
    if isinstance(value, Unknown):
        return value.label
    if isinstance(value, Known) and isinstance(value.value, str):
        return f'"{value.value[:40]}"'
    return show(value)[:40] if not is_null(value) else "null"


def _unknown_operation(node: Unary | Binary, label: str) -> Unknown:
    if len(label) > MAX_LABEL:
        label = label[: MAX_LABEL - 1] + "…"
    return Unknown(Reason.FUNCTION, label, node.span)


def _map_arms(
    values: tuple[Value, ...], node: Expression, apply: Callable[[tuple[Value, ...]], Value]
) -> Value:
    """Applies a function to every combination of alternatives of its arguments."""
    if not any(isinstance(value, Choice) for value in values):
        return apply(values)
    combinations: list[tuple[Assumptions, tuple[Value, ...]]] = [((), ())]
    for value in values:
        grown: list[tuple[Assumptions, tuple[Value, ...]]] = []
        for given, so_far in combinations:
            grown.extend((both, (*so_far, arm)) for both, arm in arms_of(value, given))
        if len(grown) > MAX_ARMS:
            return Unknown(Reason.LIMIT, label_of(node), node.span)
        combinations = grown
    return choice([(given, apply(arguments)) for given, arguments in combinations], node.span)


# ---------------------------------------------------------------- functions


def _call(node: Call, scope: Scope) -> Value:
    name = node.name
    special = _SPECIAL.get(name)
    if special is not None:
        return special(node, scope)
    arguments = [_evaluate(argument, scope) for argument in node.arguments]
    if node.spreads_last and arguments:
        spread = arguments.pop()
        if not isinstance(spread, Listing):
            return _spread_unknown(node, arguments, spread, scope)
        arguments.extend(spread.items)
        if spread.rest is not None:
            arguments.append(spread.rest)
    context = functions.Context(name, node.span, label_of(node), scope)
    return _map_arms(tuple(arguments), node, lambda values: functions.call(context, values))


def _spread_unknown(node: Call, arguments: list[Value], spread: Value, scope: Scope) -> Value:
    arms: list[tuple[Assumptions, Value]] = []
    context = functions.Context(node.name, node.span, label_of(node), scope)
    for given, arm in arms_of(spread):
        match arm:
            case Listing(items=items, rest=rest):
                more = (*items, rest) if rest is not None else items
            case _:
                more = (arm,)
        values = (*arguments, *more)
        arms.append((given, _map_arms(values, node, lambda v: functions.call(context, v))))
    return choice(arms, node.span)


def _try(node: Call, scope: Scope) -> Value:
    """The first argument that is not an error; a hole may be an error, so what follows counts."""
    arms: list[tuple[Assumptions, Value]] = []
    for argument in node.arguments:
        value = _evaluate(argument, scope)
        if _is_error(value):
            continue
        if isinstance(value, Unknown):
            # applied, this either works or falls through to the next argument
            arms.append(((Assumption(f"{label_of(argument)} is set", True),), value))
            continue
        if arms:
            subject = arms[-1][0][0].subject
            arms.append(((Assumption(subject, False),), value))
            return choice(arms, node.span)
        return value
    if arms:
        return arms[0][1]
    return Unknown(Reason.ERROR, label_of(node), node.span)


def _can(node: Call, scope: Scope) -> Value:
    value = _evaluate(node.arguments[0], scope) if node.arguments else None
    if value is None or isinstance(value, Unknown):
        if value is not None and not _is_error(value):
            return Unknown(Reason.FUNCTION, label_of(node), node.span)
        return Known(False, node.span)
    return Known(True, node.span)


def _is_error(value: Value) -> bool:
    return isinstance(value, Unknown) and value.reason in (Reason.ERROR, Reason.MISSING)


_SPECIAL: dict[str, Callable[[Call, Scope], Value]] = {"try": _try, "can": _can}


# ---------------------------------------------------------------- collections


def _object(node: Object, scope: Scope) -> Value:
    entries: dict[str, Value] = {}
    key_spans: dict[str, Span] = {}
    for key_expression, value_expression in node.entries:
        value = _evaluate(value_expression, scope)
        for given, key in arms_of(_evaluate(key_expression, scope)):
            name = show(key)
            entries[name] = _if_assumed(value, given, entries.get(name), key_expression.span)
            key_spans[name] = key_expression.span
    return Mapping(entries, node.span, key_spans)


def _if_assumed(value: Value, given: Assumptions, otherwise: Value | None, span: Span) -> Value:
    """A value that is there only under assumptions; null stands for its absence."""
    if not given:
        return value
    opposite = tuple(Assumption(a.subject, not a.holds) for a in given if isinstance(a.holds, bool))
    absent = otherwise if otherwise is not None else Known(None, span)
    return choice([(given, value), (opposite[:1], absent)], span)


def _pairs(collection: Value) -> list[tuple[Value, Value]] | None:
    """Key and value of each item of a list, set or map; None when they are not known."""
    match collection:
        case Listing(items=items, is_set=is_set) if len(items) <= MAX_ITEMS:
            if is_set:
                return [(item, item) for item in items]
            return [(Known(i, item.span), item) for i, item in enumerate(items)]
        case Mapping(entries=entries) if len(entries) <= MAX_ITEMS:
            return [(Known(key, collection.key_span(key)), entries[key]) for key in sorted(entries)]
        case _:
            return None


@dataclass(frozen=True, slots=True)
class _Loop:
    """One alternative of a collection: a scope for each item that passes the condition."""

    given: Assumptions
    scopes: list[tuple[Assumptions, Scope]]
    rest: list[tuple[Assumptions, Scope]]
    """Scopes for what stands for any number of further items."""


def _loops(node: ForTuple | ForObject, scope: Scope) -> Iterator[_Loop]:
    span = node.collection.span
    for given, arm in arms_of(_evaluate(node.collection, scope)):
        pairs = _pairs(arm)
        more = arm.rest if isinstance(arm, Listing | Mapping) else None
        if pairs is None:
            pairs = []
            label = label_of(node.collection)
            hole = arm if isinstance(arm, Unknown) else Unknown(Reason.LIMIT, label, span)
            more = deeper(hole, "[*]", "", span)
        rest: list[tuple[Value, Value]] = []
        if more is not None:
            rest.append((Unknown(Reason.EACH, f"key of {label_of(node.collection)}", span), more))
        yield _Loop(
            given,
            [entry for pair in pairs for entry in _passing(node, scope, *pair)],
            [entry for pair in rest for entry in _passing(node, scope, *pair)],
        )


def _passing(
    node: ForTuple | ForObject, scope: Scope, key: Value, value: Value
) -> list[tuple[Assumptions, Scope]]:
    names = {node.value: value}
    if node.key is not None:
        names[node.key] = key
    inner = scope.with_names(**names)
    if node.condition is None:
        return [((), inner)]
    condition = _evaluate(node.condition, inner)
    return [(given, inner) for given, holds in _decide(condition, node.condition) if holds]


def _for_tuple(node: ForTuple, scope: Scope) -> Value:
    arms: list[tuple[Assumptions, Value]] = []
    for loop in _loops(node, scope):
        items = tuple(
            _if_assumed(_evaluate(node.result, inner), given, None, node.span)
            for given, inner in loop.scopes
        )
        rest: Value | None = None
        for _, inner in loop.rest:
            rest = either(rest, _evaluate(node.result, inner))
        arms.append((loop.given, Listing(items, node.span, rest)))
    return choice(arms, node.span)


def _for_object(node: ForObject, scope: Scope) -> Value:
    arms: list[tuple[Assumptions, Value]] = []
    for loop in _loops(node, scope):
        entries: dict[str, Value] = {}
        grouped: dict[str, list[Value]] = {}
        rest: Value | None = None
        for given, inner in (*loop.scopes, *loop.rest):
            value = _evaluate(node.result_value, inner)
            key = _evaluate(node.result_key, inner)
            name = text_of(key)
            if name is None and isinstance(key, Unknown):
                rest = either(rest, value)
                continue
            name = show(key)
            if node.groups:
                grouped.setdefault(name, []).append(value)
            else:
                entries[name] = _if_assumed(value, given, entries.get(name), node.span)
        for name, values in grouped.items():
            entries[name] = Listing(tuple(values), node.span)
        arms.append((loop.given, Mapping(entries, node.span, None, rest)))
    return choice(arms, node.span)


def _splat(node: Splat, scope: Scope) -> Value:
    operand = _evaluate(node.operand, scope)
    arms: list[tuple[Assumptions, Value]] = []
    for given, arm in arms_of(operand):
        match arm:
            case Known(value=None):
                result = Listing((), node.span)
            case Listing(items=items, rest=rest):
                more = None if rest is None else _splat_item(node, rest, scope)
                mapped = tuple(_splat_item(node, item, scope) for item in items)
                result = Listing(mapped, node.span, more)
            case Unknown():
                hole = deeper(arm, "[*]", "", node.span)
                result = Listing((), node.span, _splat_item(node, hole, scope))
            case _:
                result = Listing((_splat_item(node, arm, scope),), node.span)
        arms.append((given, result))
    return choice(arms, node.span)


def _splat_item(node: Splat, item: Value, scope: Scope) -> Value:
    return _evaluate(node.each, scope.with_names(**{SPLAT_ITEM: item}))
