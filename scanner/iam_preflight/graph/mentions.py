"""Whether anything else speaks of a resource: modules that are not here, types nobody looks at.

The graph knows what is attached to what. That nothing at all uses a thing takes more than the
graph: an argument of a module from a registry is not evaluated, and most types of resources
have nothing to do with IAM. So the files are searched for the name under which they would
refer to it, its own block and the blocks that tie it to others left out.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from iam_preflight.graph.words import Words, key_of
from iam_preflight.late_patterns import late
from iam_preflight.resources import Framework
from iam_preflight.stretches import Stretches

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from iam_preflight.graph.model import Graph
    from iam_preflight.resources import Resource
    from iam_preflight.source import Span

MIN_NAME = 5
"""Shorter names are words that stand in files for other reasons."""
MIN_PART = 10
_NAME = late(
    rb"(?m)^\s*(?:name|ManagedPolicyName|GroupName|UserName|RoleName)\s*[=:]\s*"
    rb"(?:(?P<reference>(?:local|var)\.[\w.]+)|(?:!Sub\s+)?[\"']?(?P<text>[^\"'\n]+))"
)
_INTERPOLATION = late(rb"[$%]\{[^}]*\}")


class Mentions:
    """What the files of a scan say of resources; `ties` are stretches that say nothing."""

    def __init__(self, graph: Graph, ties: Iterable[Span]) -> None:
        self._graph = graph
        by_path: dict[str, list[Span]] = {}
        for tie in ties:
            by_path.setdefault(tie.path, []).append(tie)
        self._ties = {
            path: Stretches((tie.start, tie.end, tie) for tie in spans)
            for path, spans in by_path.items()
        }
        self._by_path = {source.path: [source] for source in graph.sources}
        self._everywhere = Words(graph.sources, self._keys)
        self._near: dict[str, Words] = {}
        """By template, or by the folder of a module."""
        self._known_keys: frozenset[bytes] | None = None

    def has(self, resource: Resource, *, in_ties: bool = False) -> bool:
        """Whether a file refers to a resource, or calls it by its name.

        True where nobody can tell: a plan has no files to look into.
        """
        if resource.deployment.framework is Framework.PLAN or not self._graph.sources:
            return True
        near = self._words_near(resource)
        if any(self._is_in(text, near, resource, in_ties) for text in _written(resource)):
            return True
        name = _name(resource)
        return name is not None and self._is_in(name, self._everywhere, resource, in_ties)

    def _is_in(self, text: bytes, words: Words, resource: Resource, in_ties: bool) -> bool:
        """Whether a text stands outside of a resource and of the ties."""
        own = resource.span
        for source, at in words.places(text):
            if source.path == own.path and own.start <= at < own.end:
                continue
            ties = None if in_ties else self._ties.get(source.path)
            if ties is None or not any(True for _ in ties.around(at, at + 1)):
                return True
        return False

    def _words_near(self, resource: Resource) -> Words:
        """The files in which its reference means it: those of its module, or its template."""
        path = resource.span.path
        is_template = resource.deployment.framework is Framework.CLOUDFORMATION
        place = path if is_template else path.rpartition("/")[0]
        if place not in self._near:
            sources = self._by_path.get(place, []) if is_template else self._graph.sources_in(place)
            self._near[place] = Words(sources, self._keys)
        return self._near[place]

    def _keys(self) -> frozenset[bytes]:
        """By what the texts are found that may be asked for."""
        if self._known_keys is None:
            principals = (principal.resource for principal in self._graph.principals)
            policies = (policy.resource for policy in self._graph.policies)
            resources = chain(principals, policies)
            texts = (text for resource in resources for text in _texts(resource))
            self._known_keys = frozenset(filter(None, map(key_of, texts)))
        return self._known_keys


def _texts(resource: Resource) -> Iterator[bytes]:
    yield from _written(resource)
    name = _name(resource)
    if name is not None:
        yield name


def _name(resource: Resource) -> bytes | None:
    name = resource.text("name") or ""
    return name.encode() if len(name) >= MIN_NAME else None


def _written(resource: Resource) -> Iterator[bytes]:
    yield _reference(resource)
    yield from _written_names(resource)


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
