"""Whether anything else speaks of a resource: modules that are not here, types nobody looks at.

The graph knows what is attached to what. That nothing at all uses a thing takes more than the
graph: an argument of a module from a registry is not evaluated, and most types of resources
have nothing to do with IAM. So the files are searched for the name under which they would
refer to it, its own block and the blocks that tie it to others left out.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from iam_preflight.resources import Framework

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from iam_preflight.graph.model import Graph
    from iam_preflight.resources import Resource
    from iam_preflight.source import SourceFile, Span

MIN_NAME = 5
"""Shorter names are words that stand in files for other reasons."""
MIN_PART = 10
_NAME = re.compile(
    rb"(?m)^\s*(?:name|ManagedPolicyName|GroupName|UserName|RoleName)\s*[=:]\s*"
    rb"(?:(?P<reference>(?:local|var)\.[\w.]+)|(?:!Sub\s+)?[\"']?(?P<text>[^\"'\n]+))"
)
_INTERPOLATION = re.compile(rb"[$%]\{[^}]*\}")


def is_mentioned(resource: Resource, graph: Graph, ties: Iterable[Span] = ()) -> bool:
    """Whether a file refers to a resource, or calls it by its name.

    True where nobody can tell: a plan has no files to look into.
    """
    if resource.deployment.framework is Framework.PLAN or not graph.sources:
        return True
    inside = [resource.span, *ties]
    near = _near(resource, graph)
    written = [_reference(resource), *_written_names(resource)]
    if any(_is_in(text, source, inside) for text in written for source in near):
        return True
    name = resource.text("name") or ""
    return len(name) >= MIN_NAME and any(
        _is_in(name.encode(), source, inside) for source in graph.sources
    )


def _written_names(resource: Resource) -> Iterator[bytes]:
    """How the name is written: others put it together in the same way to build its ARN."""
    span = resource.span
    found = _NAME.search(span.source.data, span.start, span.end)
    if found is None:
        return
    if found["reference"]:
        yield found["reference"]
        return
    literals = _INTERPOLATION.split(found["text"])
    longest = max(literals, key=len).strip(b"-_/")
    if len(longest) >= MIN_PART:
        yield longest


def _reference(resource: Resource) -> bytes:
    if resource.deployment.framework is Framework.CLOUDFORMATION:
        return resource.name.encode()
    return f"{resource.type}.{resource.name}".encode()


def _near(resource: Resource, graph: Graph) -> list[SourceFile]:
    """The files in which its reference means it: those of its module, or its template."""
    path = resource.span.path
    beside = graph.sources_in(path.rpartition("/")[0])
    if resource.deployment.framework is Framework.CLOUDFORMATION:
        return [source for source in beside if source.path == path]
    return beside


def _is_in(text: bytes, source: SourceFile, inside: list[Span]) -> bool:
    if text not in source.data:  # of thousands of files nearly all
        return False
    spans = [(span.start, span.end) for span in inside if span.path == source.path]
    for found in re.finditer(rb"(?<![A-Za-z0-9.])" + re.escape(text) + rb"(?![\w-])", source.data):
        if not any(start <= found.start() < end for start, end in spans):
            return True
    return False
