"""Whether anything else speaks of a resource: modules that are not here, types nobody looks at.

The graph knows what is attached to what. That nothing at all uses a thing takes more than the
graph: an argument of a module from a registry is not evaluated, and most types of resources
have nothing to do with IAM. So the files are searched for the name under which they would
refer to it, its own block and the blocks that tie it to others left out.
"""

from __future__ import annotations

import posixpath
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


def is_mentioned(resource: Resource, graph: Graph, ties: Iterable[Span] = ()) -> bool:
    """Whether a file refers to a resource, or calls it by its name.

    True where nobody can tell: a plan has no files to look into.
    """
    if resource.deployment.framework is Framework.PLAN or not graph.sources:
        return True
    inside = [resource.span, *ties]
    own = re.compile(rb"(?<![\w.-])" + re.escape(_reference(resource)) + rb"(?![\w-])")
    if any(
        any(True for _ in _outside(own, source, inside))
        for source in _near(resource, graph.sources)
    ):
        return True
    name = resource.text("name") or ""
    if len(name) < MIN_NAME:
        return False
    called = re.compile(rb"(?<![\w.-])" + re.escape(name.encode()) + rb"(?![\w-])")
    return any(any(True for _ in _outside(called, source, inside)) for source in graph.sources)


def _reference(resource: Resource) -> bytes:
    if resource.deployment.framework is Framework.CLOUDFORMATION:
        return resource.name.encode()
    return f"{resource.type}.{resource.name}".encode()


def _near(resource: Resource, sources: Iterable[SourceFile]) -> Iterator[SourceFile]:
    """The files in which its reference means it: those of its module, or its template."""
    path = resource.span.path
    if resource.deployment.framework is Framework.CLOUDFORMATION:
        return (source for source in sources if source.path == path)
    folder = posixpath.dirname(path)
    return (source for source in sources if posixpath.dirname(source.path) == folder)


def _outside(
    pattern: re.Pattern[bytes], source: SourceFile, inside: list[Span]
) -> Iterator[re.Match[bytes]]:
    spans = [(span.start, span.end) for span in inside if span.path == source.path]
    for found in pattern.finditer(source.data):
        if not any(start <= found.start() < end for start, end in spans):
            yield found
