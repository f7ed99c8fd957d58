"""Evaluates expressions to values; a hole in gives a hole out, never an exception.

Demand-driven: a reference asks its frame (the module instance) for one attribute of one thing,
and the frame evaluates that much and remembers it. Where a condition cannot be decided both
arms are kept as a `Choice`, each evaluated in a scope in which its side holds.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, TypeAlias

from iam_preflight.terraform import functions, operators, types
from iam_preflight.terraform.functions.arguments import MAX_ITEMS, MAX_TEXT, Invocation, size_of
from iam_preflight.terraform.functions.collections import MAX_WEIGHT
from iam_preflight.terraform.functions.encoding import json_parts
from iam_preflight.terraform.labels import deeper, label_of
from iam_preflight.terraform.narrowing import is_error, settle, without_errors
from iam_preflight.terraform.references import attribute_of, item_of
from iam_preflight.terraform.scope import Scope, Step
from iam_preflight.terraform.tree import (
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
    Absent,
    Assumption,
    Assumptions,
    Choice,
    CycleError,
    Fragment,
    Json,
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
    combine,
    conditional,
    either,
    is_conditional,
    is_null,
    join_parts,
    parts_of,
    show,
    text_of,
    weight_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from iam_preflight.source import Span

MAX_LOOKED_INTO = 2000
"""Leaves that are looked at to see whether two arms of a condition are of different types."""

SURELY_THERE = frozenset({Reason.ACCOUNT, Reason.REGION, Reason.PARTITION})
"""Holes that `try` does not fall through: something will stand there."""


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

_Pieces: TypeAlias = "list[Fragment | Unknown]"
_Alternatives: TypeAlias = "list[tuple[Assumptions, _Pieces]]"


def _template(template: Template, scope: Scope) -> Value:
    parts = template.parts
    if len(parts) == 1 and isinstance(parts[0], Interpolation):
        return _evaluate(parts[0].expression, scope)
    return render(parts, scope, template.span)


def render(parts: tuple[TemplatePart, ...], scope: Scope, span: Span) -> Value:
    """A template as text; undecided directives and choices give every alternative."""
    renderer = _Renderer(scope, span)
    for part in parts:
        renderer.add(part, scope)
    return renderer.result()


class _Renderer:
    """The alternatives of a template's text so far; past the bound what differs is a hole."""

    def __init__(self, scope: Scope, span: Span) -> None:
        self.scope = scope
        self.span = span
        self.alternatives: _Alternatives = [((), [])]
        self.length = 0
        self.failure: Unknown | None = None

    def result(self) -> Value:
        if self.failure is not None:
            return self.failure
        arms: list[tuple[Assumptions, Value]] = [
            (given, join_parts(pieces, self.span)) for given, pieces in self.alternatives
        ]
        return choice(arms, self.span)

    def add(self, part: TemplatePart, scope: Scope) -> None:
        if self.failure is not None:
            return
        match part:
            case Fragment():
                self._append([((), [part])])
            case Interpolation(expression=expression, span=span):
                self._append(self._pieces_of(_evaluate(expression, scope), span))
            case IfDirective():
                self._append(self._checked(self._if(part, scope)))
            case ForDirective():
                self._for(part, scope)

    def _append(self, added: _Alternatives) -> None:
        self.length += max((size_of(pieces) for _, pieces in added), default=0)
        if self.length > MAX_TEXT:
            self.failure = self.scope.frame.limit("a text without end", self.span)
            return
        if len(added) == 1 and not added[0][0]:
            pieces = added[0][1]
            for _, so_far in self.alternatives:
                so_far.extend(pieces)
            return
        grown: _Alternatives = []
        for (given, so_far), (more, pieces) in product(self.alternatives, added):
            both = combine(given, more)
            if both is not None:
                grown.append((both, [*so_far, *pieces]))
        if len(grown) > MAX_ARMS:
            hole = Unknown(Reason.FUNCTION, "one of several texts", self.span)
            self._append([((), [hole])])
        elif grown:
            self.alternatives = grown

    def _pieces_of(self, value: Value, span: Span) -> _Alternatives:
        out: _Alternatives = []
        for given, arm in arms_of(value):
            if isinstance(arm, Json):
                out.append((given, json_parts(arm.value)))
                continue
            pieces = parts_of(arm)
            if pieces is None:
                label = "null in a template" if is_null(arm) else "not a string in a template"
                pieces = (Unknown(Reason.ERROR, label, span),)
            out.append((given, list(pieces)))
        return self._checked(out)

    def _checked(self, found: _Alternatives) -> _Alternatives:
        """Without alternatives in error; where nothing else is left the whole text is one."""
        errors = [entry for entry in found if len(entry[1]) == 1 and _is_failure(entry[1][0])]
        if len(found) == 1 and errors:
            failed = found[0][1][0]
            assert isinstance(failed, Unknown)
            if self.scope.tries:
                self.failure = failed
        elif errors and not self.scope.tries:
            return [entry for entry in found if entry not in errors] or found
        return found

    def _if(self, part: IfDirective, scope: Scope) -> _Alternatives:
        condition = _evaluate(part.condition, scope)
        if scope.tries and isinstance(condition, Unknown) and is_error(condition):
            return [((), [condition])]
        alternatives: _Alternatives = []
        for given, holds in operators.decide(condition, part.condition, scope.given):
            inner = scope.assuming(given)
            if inner is None:
                continue
            text = render(part.then if holds else part.otherwise, inner, part.span)
            for more, pieces in self._pieces_of(text, part.span):
                both = combine(given, more)
                if both is not None:
                    alternatives.append((both, pieces))
        return alternatives or [((), [Unknown(Reason.ERROR, "if", part.span)])]

    def _for(self, part: ForDirective, scope: Scope) -> None:
        collection = _evaluate(part.collection, scope)
        hole = Unknown(Reason.FUNCTION, label_of(part.collection.span), part.span)
        arms = list(arms_of(collection))
        if len(arms) > 1:
            self._append(self._for_arms(part, scope, arms))
            return
        arm = arms[0][1]
        pairs = collection_pairs(arm, scope)
        more = arm.rest if isinstance(arm, Listing | Mapping) else None
        if pairs is None and isinstance(arm, Unknown) and not is_error(arm):
            pairs, more = [], deeper(arm, "[*]", "", part.collection.span)
        if pairs is None or any(given for given, _, _ in pairs):
            failed = isinstance(arm, Unknown) and is_error(arm)
            self._append(self._checked([((), [arm if failed else hole])]))  # type: ignore[list-item]
            return
        for _, key, value in pairs:
            names = {part.value: value}
            if part.key is not None:
                names[part.key] = key
            inner = scope.with_names(names)
            for piece in part.body:
                self.add(piece, inner)
        if more is not None:
            self._append(self._any_number(part, scope, more, hole))

    def _any_number(
        self, part: ForDirective, scope: Scope, item: Value, hole: Unknown
    ) -> _Alternatives:
        """What is written for items that nobody knows: once, if it looks like JSON, else a hole.

        Marks around it tell the reader of JSON that it is there any number of times, so that a
        separator may be missing or be too many. Alternatives that differ in those alone are one.
        """
        span = part.collection.span
        names = {part.value: item}
        if part.key is not None:
            names[part.key] = Unknown(Reason.EACH, f"key of {label_of(span)}", span)
        text = render(part.body, scope.with_names(names), part.span)
        mark = Unknown(Reason.REPEATED, label_of(span), part.span)
        once: dict[str, tuple[Assumptions, list[Fragment | Unknown]]] = {}
        for given, pieces in self._pieces_of(text, part.span):
            written = "".join(
                piece.text if isinstance(piece, Fragment) else piece.label for piece in pieces
            )
            if '"' not in written:
                return [((), [hole])]
            bare = "".join(written.split()).strip(",")
            once[bare] = (() if bare in once else given, [mark, *pieces, mark])
        return list(once.values())

    def _for_arms(
        self, part: ForDirective, scope: Scope, arms: list[tuple[Assumptions, Value]]
    ) -> _Alternatives:
        out: _Alternatives = []
        for given, arm in arms:
            inner = scope.assuming(given)
            if inner is None:
                continue
            name = "\0collection"
            again = ForDirective(
                part.key, part.value, Variable(name, part.collection.span), part.body, part.span
            )
            text = render((again,), inner.with_names({name: arm}), part.span)
            out.extend((given, pieces) for _, pieces in self._pieces_of(text, part.span))
        return out


def _is_failure(piece: Fragment | Unknown) -> bool:
    return isinstance(piece, Unknown) and is_error(piece)


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
        return _try(node, scope)
    if name == "can":
        return _can(node, scope)
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


def _try(node: Call, scope: Scope) -> Value:
    """The first argument that is not an error; what may be one leaves room for the next."""
    inner = scope.trying()
    arms: list[tuple[Assumptions, Value]] = []
    given: Assumptions = ()
    for argument in node.arguments:
        here = inner.assuming(given)
        if here is None:
            break
        is_last = argument is node.arguments[-1]
        falls_through: list[Assumptions] = []
        for more, arm in arms_of(_evaluate(argument, here)):
            both = combine(given, more)
            if both is None:
                continue
            if _fails(arm):
                falls_through.append(both)
            elif is_last or not isinstance(arm, Unknown) or _is_surely_there(arm):
                arms.append((both, arm))
            else:
                # applied, this either works or falls through to the next argument
                subject = f"{label_of(argument.span)} is set"
                works = combine(both, (Assumption(subject, True),))
                fails = combine(both, (Assumption(subject, False),))
                arms.extend([(works, arm)] if works is not None else [])
                falls_through.extend([fails] if fails is not None else [])
        if not falls_through:
            break
        given = falls_through[0] if len(falls_through) == 1 else given
    if not arms:
        return Unknown(Reason.ERROR, label_of(node.span), node.span)
    return choice(arms, node.span)


def _is_surely_there(hole: Unknown) -> bool:
    """Whether `try` does not fall through a hole: an attribute that something will have."""
    if hole.reason is Reason.COMPUTED:
        return hole.reference is not None
    return hole.reason in SURELY_THERE


def _can(node: Call, scope: Scope) -> Value:
    if len(node.arguments) != 1:
        return Unknown(Reason.ERROR, label_of(node.span), node.span)
    value = _evaluate(node.arguments[0], scope.trying())
    arms: list[tuple[Assumptions, Value]] = []
    for given, arm in arms_of(value):
        if _fails(arm):
            result: Value = Known(False, node.span)
        elif isinstance(arm, Unknown) and not _is_surely_there(arm):
            result = Unknown(arm.reason, label_of(node.span), node.span)
        else:
            result = Known(True, node.span)
        arms.append((given, result))
    return choice(arms, node.span)


def _fails(value: Value) -> bool:
    """Whether a value is an error, or holds one that its own expression made."""
    stack, seen = [value], 0
    while stack:
        item = stack.pop()
        seen += 1
        if seen > MAX_LOOKED_INTO:
            return False
        match item:
            case Unknown():
                if is_error(item):
                    return True
            case Text(parts=parts):
                stack.extend(part for part in parts if isinstance(part, Unknown))
            case Listing(items=items, rest=rest):
                stack.extend(items)
                if rest is not None:
                    stack.append(rest)
            case Mapping(entries=entries) if not isinstance(entries, LazyEntries):
                stack.extend(entries.values())
            case Json(value=inner):
                stack.append(inner)
    return False


# ---------------------------------------------------------------- collections


def _tuple(node: Tuple, scope: Scope) -> Value:
    return _listing(tuple(_evaluate(item, scope) for item in node.items), node, scope)


def _listing(
    items: tuple[Value, ...], node: Expression, scope: Scope, rest: Value | None = None
) -> Value:
    weight = 1
    for item in items:
        weight += weight_of(item)
    if weight > MAX_WEIGHT:
        return scope.frame.limit("a list without end", node.span)
    return Listing(items, node.span, rest, weight=weight)


def _mapping(
    entries: dict[str, Value],
    node: Expression,
    scope: Scope,
    key_spans: dict[str, Span] | None = None,
    rest: Value | None = None,
) -> Value:
    weight = 1
    for entry in entries.values():
        weight += weight_of(entry)
    if weight > MAX_WEIGHT:
        return scope.frame.limit("an object without end", node.span)
    return Mapping(entries, node.span, key_spans, rest, weight=weight)


def _object(node: Object, scope: Scope) -> Value:
    entries: dict[str, Value] = {}
    key_spans: dict[str, Span] = {}
    failed: Unknown | None = None
    for key_expression, value_expression in node.entries:
        if isinstance(key_expression, Literal):
            name = text_of(Known(key_expression.value, key_expression.span))
            if name is not None:
                entries[name] = _evaluate(value_expression, scope)
                key_spans[name] = key_expression.span
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
    return _mapping(entries, node, scope, key_spans)


_Pair: TypeAlias = "tuple[Assumptions, Value, Value]"


def collection_pairs(collection: Value, scope: Scope) -> list[_Pair] | None:
    """Key and value of each item of a collection, and what has to hold for it to be there.

    None when they are not known.
    """
    found: list[_Pair] = []
    match collection:
        case Listing(items=items, is_set=is_set) if len(items) <= MAX_ITEMS:
            for i, item in enumerate(items):
                for given, value in _there(item, scope):
                    key = value if is_set else Known(i, value.span)
                    found.append((given, key, value))
        case Mapping(entries=entries) if len(entries) <= MAX_ITEMS:
            for name in sorted(entries):
                span = collection.key_span(name) if collection.key_spans else None
                for given, value in _there(entries[name], scope):
                    found.append((given, _key(name, span or value.span, collection), value))
        case _:
            return None
    return found


def _key(name: str, span: Span, collection: Mapping) -> Value:
    if "«" in name:
        return Unknown(Reason.EACH, name.strip("«»"), span)
    return Known(name, span, sensitive=collection.sensitive)


def _there(item: Value, scope: Scope) -> Iterator[tuple[Assumptions, Value]]:
    """An item, or each case in which it is there."""
    item = settle(item, scope.given)
    if isinstance(item, Absent):
        return
    if not is_conditional(item):
        yield (), item
        return
    assert isinstance(item, Choice)
    for given, arm in item.arms:
        if not isinstance(arm, Absent):
            yield given, arm


class _Loop:
    """One alternative of a collection: a scope for each item that passes the condition."""

    __slots__ = ("given", "rest", "scopes")

    def __init__(self, given: Assumptions) -> None:
        self.given = given
        self.scopes: list[tuple[Assumptions, Scope]] = []
        self.rest: list[tuple[Assumptions, Scope]] = []
        """Scopes for what stands for any number of further items."""


def _loops(node: ForTuple | ForObject, scope: Scope) -> Iterator[_Loop | Unknown]:
    span = node.collection.span
    for given, arm in arms_of(_evaluate(node.collection, scope)):
        inner = scope.assuming(given)
        if inner is None:
            continue
        loop = _Loop(given)
        pairs = collection_pairs(arm, inner)
        more = arm.rest if isinstance(arm, Listing | Mapping) else None
        if pairs is None:
            if not isinstance(arm, Unknown):
                if isinstance(arm, Listing | Mapping):
                    yield scope.frame.limit(label_of(span), span)
                else:
                    yield Unknown(Reason.ERROR, label_of(node.span), node.span)
                continue
            if is_error(arm) and scope.tries:
                yield arm
                continue
            pairs = []
            more = deeper(arm, "[*]", "", span)
        for pair in pairs:
            loop.scopes.extend(_passing(node, inner, *pair))
        if more is not None:
            key = Unknown(Reason.EACH, f"key of {label_of(span)}", span)
            loop.rest.extend(_passing(node, inner, (), key, more))
        yield loop


def _passing(
    node: ForTuple | ForObject, scope: Scope, given: Assumptions, key: Value, value: Value
) -> list[tuple[Assumptions, Scope]]:
    names = {node.value: value}
    if node.key is not None:
        names[node.key] = key
    both = combine(scope.given, given)
    if both is None:
        return []
    inner = scope.with_names(names, both)
    if node.condition is None:
        return [(given, inner)]
    passing: list[tuple[Assumptions, Scope]] = []
    condition = _evaluate(node.condition, inner)
    for more, holds in operators.decide(condition, node.condition, inner.given):
        if holds:
            further = inner.assuming(more)
            everything = combine(given, more)
            if further is not None and everything is not None:
                passing.append((everything, further))
    return passing


def _for_tuple(node: ForTuple, scope: Scope) -> Value:
    arms: list[tuple[Assumptions, Value]] = []
    for loop in _loops(node, scope):
        if isinstance(loop, Unknown):
            arms.append(((), loop))
            continue
        items = tuple(
            conditional(_evaluate(node.result, inner), given) for given, inner in loop.scopes
        )
        rest: Value | None = None
        for given, inner in loop.rest:
            rest = either(rest, _under(_evaluate(node.result, inner), given))
        arms.append((loop.given, _listing(items, node, scope, rest)))
    return choice(arms, node.span)


def _under(value: Value, given: Assumptions) -> Value:
    return Choice(((given, value),), value.span) if given else value


def _for_object(node: ForObject, scope: Scope) -> Value:
    arms: list[tuple[Assumptions, Value]] = []
    for loop in _loops(node, scope):
        if isinstance(loop, Unknown):
            arms.append(((), loop))
        else:
            arms.append((loop.given, _object_of(node, scope, loop)))
    return choice(arms, node.span)


def _object_of(node: ForObject, scope: Scope, loop: _Loop) -> Value:
    entries: dict[str, Value] = {}
    key_spans: dict[str, Span] = {}
    grouped: dict[str, list[Value]] = {}
    certain: set[str] = set()
    rest: Value | None = None
    for is_rest, (given, inner) in (
        *((False, found) for found in loop.scopes),
        *((True, found) for found in loop.rest),
    ):
        value = _evaluate(node.result_value, inner)
        for more, key in arms_of(_evaluate(node.result_key, inner)):
            both = combine(given, more)
            if both is None:
                continue
            name = text_of(key)
            if name is None or is_rest:
                if is_error(key) and scope.tries:
                    return key
                if name is None and not isinstance(key, Unknown | Text):
                    return Unknown(Reason.ERROR, label_of(node.result_key.span), key.span)
                rest = either(rest, _under(value, both))
                continue
            key_spans.setdefault(name, key.span)
            if node.groups:
                grouped.setdefault(name, []).append(conditional(value, both))
                continue
            if not both and name in certain:
                return Unknown(Reason.ERROR, f"the key {name} twice", node.span)
            if not both:
                certain.add(name)
            entries[name] = conditional(value, both, entries.get(name))
    for name, values in grouped.items():
        listing = _listing(tuple(values), node, scope)
        entries[name] = listing
    return _mapping(entries, node, scope, key_spans, rest)


def _splat(node: Splat, scope: Scope) -> Value:
    arms: list[tuple[Assumptions, Value]] = []
    for given, arm in arms_of(_evaluate(node.operand, scope)):
        inner = scope.assuming(given)
        if inner is None:
            continue
        match arm:
            case Known(value=None):
                result: Value = Listing((), node.span)
            case Listing(items=items, rest=rest):
                more = None if rest is None else _splat_item(node, rest, inner)
                mapped = tuple(_splat_each(node, item, inner) for item in items)
                result = _listing(mapped, node, scope, more)
            case Unknown() if is_error(arm) and scope.tries:
                result = arm
            case Unknown():
                hole = deeper(arm, "[*]", "", node.span)
                result = Listing((), node.span, _splat_item(node, hole, inner))
            case _:
                result = _listing((_splat_item(node, arm, inner),), node, scope)
        arms.append((given, result))
    return choice(arms, node.span)


def _splat_each(node: Splat, item: Value, scope: Scope) -> Value:
    if not is_conditional(item):
        return _splat_item(node, item, scope)
    assert isinstance(item, Choice)
    arms: list[tuple[Assumptions, Value]] = []
    for given, arm in item.arms:
        inner = scope.assuming(given)
        if inner is not None:
            absent = isinstance(arm, Absent)
            arms.append((given, arm if absent else _splat_item(node, arm, inner)))
    return choice(arms, item.span)


def _splat_item(node: Splat, item: Value, scope: Scope) -> Value:
    return _evaluate(node.each, scope.with_names({SPLAT_ITEM: item}))


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
