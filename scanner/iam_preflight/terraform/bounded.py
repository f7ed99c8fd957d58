"""Lists and objects, as long as they do not grow without end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.terraform.functions.arguments import MAX_WEIGHT
from iam_preflight.values import Listing, Mapping, Value, weight_of

if TYPE_CHECKING:
    from iam_preflight.source import Span
    from iam_preflight.terraform.scope import Scope
    from iam_preflight.terraform.tree import Expression


def listing(
    items: tuple[Value, ...], node: Expression, scope: Scope, rest: Value | None = None
) -> Value:
    weight = 1
    for item in items:
        weight += weight_of(item)
    if weight > MAX_WEIGHT:
        return scope.frame.limit("a list without end", node.span)
    return Listing(items, node.span, rest, weight=weight)


def mapping(
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
