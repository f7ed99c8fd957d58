"""Attributes of nested blocks, wherever in a resource they stand, and the names in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.resources import Framework
from iam_preflight.values import (
    Json,
    Known,
    Listing,
    Mapping,
    Text,
    Unknown,
    blocks_of,
    is_null,
    items_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.resources import Resource
    from iam_preflight.values import Value


def nested(resource: Resource, attribute: str) -> Value | None:
    """An attribute of a nested block, looked for only where the block's text mentions it."""
    is_source = resource.deployment.framework is Framework.TERRAFORM
    if is_source and attribute.encode() not in _raw(resource):
        return None
    found: list[Value] = []
    for name in resource.attributes.entries:
        value = resource.attributes.entries[name]
        for _, block in blocks_of(value.value if isinstance(value, Json) else value):
            _collect(block, attribute, found)
    if not found:
        return None
    if len(found) == 1:
        return found[0]
    return Listing(tuple(found), found[0].span)


def named_in(value: Value | None) -> Iterator[Value]:
    """The names or ARNs that an attribute gives, plain or as a block with `name` or `arn`."""
    for _, item in items_of(value):
        if isinstance(item, Mapping):
            for key in ("arn", "name"):
                inner = item.get(key)
                if inner is not None and not is_null(inner):
                    yield inner
        else:
            yield item


def _raw(resource: Resource) -> bytes:
    span = resource.span
    return span.source.data[span.start : span.end]


def _collect(block: Mapping, attribute: str, found: list[Value]) -> None:
    for name in block.entries:
        value = block.entries[name]
        if name == attribute:
            if not is_null(value):
                found.append(value)
            continue
        if isinstance(value, Known | Text | Unknown):
            continue
        for _, inner in blocks_of(value.value if isinstance(value, Json) else value):
            _collect(inner, attribute, found)
