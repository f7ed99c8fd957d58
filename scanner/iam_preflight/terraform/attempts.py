"""`try` and `can`: what is in error, and what may be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.terraform.labels import label_of
from iam_preflight.terraform.narrowing import is_error
from iam_preflight.values import (
    Assumption,
    Assumptions,
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
)

if TYPE_CHECKING:
    from iam_preflight.terraform.scope import Evaluate, Scope
    from iam_preflight.terraform.tree import Call

MAX_LOOKED_INTO = 2000
"""Leaves that are looked at for one that is in error."""

SURELY_THERE = frozenset({Reason.ACCOUNT, Reason.REGION, Reason.PARTITION})
"""Holes that `try` does not fall through: something will stand there."""


def first_without_error(node: Call, scope: Scope, evaluate: Evaluate) -> Value:
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
        for more, arm in arms_of(evaluate(argument, here)):
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


def can(node: Call, scope: Scope, evaluate: Evaluate) -> Value:
    if len(node.arguments) != 1:
        return Unknown(Reason.ERROR, label_of(node.span), node.span)
    value = evaluate(node.arguments[0], scope.trying())
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
