"""Which resource a value is about, also where the name stands inside longer text.

`"${aws_cloudwatch_log_group.trail.arn}:*"` is no reference to the log group any more, but its
parts, or the name at the end of the ARN, still tell.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.late_patterns import late
from iam_preflight.resources import Resource
from iam_preflight.values import arms_of, parts_of, show

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.model import Graph
    from iam_preflight.values import Value

_ARN = late(r"arn:[^:]*:[^:]*:[^:]*:[^:]*:(?:log-group:|rule/|key/|trail/|detector/)?(.+)")


def resource_of(value: Value | None, owner: Resource, graph: Graph, *types: str) -> Resource | None:
    """The resource of one of the types that a value, written in `owner`, is about."""
    if value is None:
        return None
    for _, arm in arms_of(value):
        for candidate in _candidates(arm, owner, graph):
            if candidate.type in types and not candidate.is_data:
                return candidate
        named = _named(show(arm), owner, graph, types)
        if named is not None:
            return named
    return None


def _candidates(value: Value, owner: Resource, graph: Graph) -> Iterator[Resource]:
    found = graph.lookup.find(value, Resource, owner)
    if found is not None:
        yield found
    for part in parts_of(value) or ():
        reference = getattr(part, "reference", None)
        if reference is not None:
            where = reference.deployment or owner.deployment.path
            inner = graph.lookup.at(where, reference.address, Resource)
            if inner is not None:
                yield inner


def _named(text: str, owner: Resource, graph: Graph, types: tuple[str, ...]) -> Resource | None:
    """The one resource that has the name at the end of an ARN."""
    found = _ARN.fullmatch(text.removesuffix(":*").removesuffix("/*"))
    name = found[1] if found else text
    named = [resource for one in types for resource in graph.named(one, name)] if name else []
    here = [one for one in named if one.deployment.path == owner.deployment.path]
    chosen = here or named
    return chosen[0] if len(chosen) == 1 else None
