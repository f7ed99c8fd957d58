"""Loops: `for` expressions and splats, over items that may not be there or that nobody knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from iam_preflight.terraform import operators
from iam_preflight.terraform.bounded import listing, mapping
from iam_preflight.terraform.functions.arguments import MAX_ITEMS
from iam_preflight.terraform.labels import deeper, label_of
from iam_preflight.terraform.narrowing import is_error, settle
from iam_preflight.terraform.tree import SPLAT_ITEM, ForObject, ForTuple, Splat
from iam_preflight.values import (
    Absent,
    Assumptions,
    Choice,
    Known,
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
    text_of,
    under,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.source import Span
    from iam_preflight.terraform.scope import Evaluate, Scope

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


def _loops(
    node: ForTuple | ForObject, scope: Scope, evaluate: Evaluate
) -> Iterator[_Loop | Unknown]:
    span = node.collection.span
    for given, arm in arms_of(evaluate(node.collection, scope)):
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
            loop.scopes.extend(_passing(node, inner, *pair, evaluate))
        if more is not None:
            key = Unknown(Reason.EACH, f"key of {label_of(span)}", span)
            loop.rest.extend(_passing(node, inner, (), key, more, evaluate))
        yield loop


def _passing(
    node: ForTuple | ForObject,
    scope: Scope,
    given: Assumptions,
    key: Value,
    value: Value,
    evaluate: Evaluate,
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
    condition = evaluate(node.condition, inner)
    for more, holds in operators.decide(condition, node.condition, inner.given):
        if holds:
            further = inner.assuming(more)
            everything = combine(given, more)
            if further is not None and everything is not None:
                passing.append((everything, further))
    return passing


def for_tuple(node: ForTuple, scope: Scope, evaluate: Evaluate) -> Value:
    arms: list[tuple[Assumptions, Value]] = []
    for loop in _loops(node, scope, evaluate):
        if isinstance(loop, Unknown):
            arms.append(((), loop))
            continue
        items = tuple(
            conditional(evaluate(node.result, inner), given) for given, inner in loop.scopes
        )
        rest: Value | None = None
        for given, inner in loop.rest:
            rest = either(rest, under(evaluate(node.result, inner), given))
        arms.append((loop.given, listing(items, node, scope, rest)))
    return choice(arms, node.span)


def for_object(node: ForObject, scope: Scope, evaluate: Evaluate) -> Value:
    arms: list[tuple[Assumptions, Value]] = []
    for loop in _loops(node, scope, evaluate):
        if isinstance(loop, Unknown):
            arms.append(((), loop))
        else:
            arms.append((loop.given, _entries(node, scope, loop, evaluate)))
    return choice(arms, node.span)


def _entries(node: ForObject, scope: Scope, loop: _Loop, evaluate: Evaluate) -> Value:
    entries: dict[str, Value] = {}
    key_spans: dict[str, Span] = {}
    grouped: dict[str, list[Value]] = {}
    certain: set[str] = set()
    rest: Value | None = None
    for is_rest, (given, inner) in (
        *((False, found) for found in loop.scopes),
        *((True, found) for found in loop.rest),
    ):
        value = evaluate(node.result_value, inner)
        for more, key in arms_of(evaluate(node.result_key, inner)):
            both = combine(given, more)
            if both is None:
                continue
            name = text_of(key)
            if name is None or is_rest:
                if is_error(key) and scope.tries:
                    return key
                if name is None and not isinstance(key, Unknown | Text):
                    return Unknown(Reason.ERROR, label_of(node.result_key.span), key.span)
                rest = either(rest, under(value, both))
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
        entries[name] = listing(tuple(values), node, scope)
    return mapping(entries, node, scope, key_spans, rest)


def splat(node: Splat, scope: Scope, evaluate: Evaluate) -> Value:
    arms: list[tuple[Assumptions, Value]] = []
    for given, arm in arms_of(evaluate(node.operand, scope)):
        inner = scope.assuming(given)
        if inner is None:
            continue
        match arm:
            case Known(value=None):
                result: Value = Listing((), node.span)
            case Listing(items=items, rest=rest):
                more = None if rest is None else _splat_item(node, rest, inner, evaluate)
                mapped = tuple(_splat_each(node, item, inner, evaluate) for item in items)
                result = listing(mapped, node, scope, more)
            case Unknown() if is_error(arm) and scope.tries:
                result = arm
            case Unknown():
                hole = deeper(arm, "[*]", "", node.span)
                result = Listing((), node.span, _splat_item(node, hole, inner, evaluate))
            case _:
                result = listing((_splat_item(node, arm, inner, evaluate),), node, scope)
        arms.append((given, result))
    return choice(arms, node.span)


def _splat_each(node: Splat, item: Value, scope: Scope, evaluate: Evaluate) -> Value:
    if not is_conditional(item):
        return _splat_item(node, item, scope, evaluate)
    assert isinstance(item, Choice)
    arms: list[tuple[Assumptions, Value]] = []
    for given, arm in item.arms:
        inner = scope.assuming(given)
        if inner is not None:
            absent = isinstance(arm, Absent)
            arms.append((given, arm if absent else _splat_item(node, arm, inner, evaluate)))
    return choice(arms, item.span)


def _splat_item(node: Splat, item: Value, scope: Scope, evaluate: Evaluate) -> Value:
    return evaluate(node.each, scope.with_names({SPLAT_ITEM: item}))
