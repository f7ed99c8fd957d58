"""What checkov calls a thing, and the vertices that a finding of ours belongs to.

From checkov's vertices only their identity is taken: file, kind of block, address, lines. Its
values are not: they are rendered with less care than ours. Nothing here imports checkov.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeAlias

from msgspec import Struct

from iam_preflight.resources import Framework

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from iam_preflight.findings import Finding
    from iam_preflight.resources import Resource
    from iam_preflight.source import Span

Attributes: TypeAlias = dict[str, Any]
"""A vertex as checkov's graphs hold it."""

_KEY = re.compile(r'\[(?:\d+|\*|"(?:[^"\\]|\\.)*")\]')
_MODULE = re.compile(r'(?:^|\.)module\.([^.\[]+)(\[(?:\d+|\*|"(?:[^"\\]|\\.)*")\])?')
_DATA = re.compile(r"(^|\.)data\.")
_OUTSIDE_KEYS = re.compile(r'(?:"(?:[^"\\]|\\.)*"|[^".])+')


class Kind(Enum):
    RESOURCE = "resource"
    DATA = "data"
    MODULE = "module"
    PROVIDER = "provider"
    OTHER = ""


_RECORDED = (Kind.RESOURCE, Kind.DATA, Kind.MODULE, Kind.PROVIDER)
"""Kinds of vertices that checkov can make a record of, the likeliest first."""


class BlockName(str):
    """The name of a block that falls apart at the dots between names, not at those in keys.

    checkov splits `aws_iam_role.this["a.b"]` at every dot, does not find what it is looking for,
    and drops the result without a word. A class of its own survives the copies that it makes.
    """

    __slots__ = ()

    def split(self, sep: str | None = None, maxsplit: Any = -1) -> list[str]:
        if sep != ".":
            return super().split(sep, maxsplit)
        return _OUTSIDE_KEYS.findall(self)


class Vertex(Struct, frozen=True):
    """One vertex: what there is in one place of one instance."""

    attributes: Attributes
    file: str
    """Absolute, links resolved."""
    kind: Kind
    address: str
    """Terraform's address without `data.`, or the logical id."""
    first: int
    last: int
    """Its lines; 0 where checkov does not know them."""

    @classmethod
    def of(cls, attributes: Attributes) -> Vertex:
        block = str(attributes.get("block_name_") or "")
        is_template = "::" in block
        address = block if is_template else str(attributes.get("__address__") or block)
        kinds = {kind.value: kind for kind in Kind}
        first = _line(attributes, "__start_line__", "__startline__")
        return cls(
            attributes=attributes,
            file=os.path.realpath(str(attributes.get("file_path_") or "")),
            kind=kinds.get(str(attributes.get("block_type_")), Kind.OTHER),
            address=address.rpartition(".")[2] if is_template else _plain(address),
            # of a template it is the line below the logical id
            first=first - 1 if is_template else first,
            last=_line(attributes, "__end_line__", "__endline__"),
        )

    def entity(self) -> Attributes:
        """What a check may return: a copy, with a name that checkov does not break."""
        name = self.attributes.get("block_name_")
        return {**self.attributes, "block_name_": BlockName(name or "")}


def _line(attributes: Attributes, *names: str) -> int:
    for name in names:
        value = attributes.get(name)
        if isinstance(value, list) and value:
            value = value[0]
        if isinstance(value, int):
            return value
    return 0


def _plain(address: str) -> str:
    return _DATA.sub(r"\1", address)


def _bare(address: str) -> str:
    return _KEY.sub("", address)


class Vertices:
    """The vertices of one graph, to look things up in."""

    def __init__(self, vertices: Iterable[Attributes], top: str) -> None:
        self.all = tuple(map(Vertex.of, vertices))
        self.files = tuple(sorted({vertex.file for vertex in self.all}))
        self._top = top
        self._exact: dict[tuple[str, Kind, str], list[Vertex]] = defaultdict(list)
        self._bare: dict[tuple[str, Kind, str], list[Vertex]] = defaultdict(list)
        self._planned: dict[tuple[Kind, str], list[Vertex]] = defaultdict(list)
        self._by_file: dict[str, list[Vertex]] = defaultdict(list)
        for vertex in self.all:
            self._exact[vertex.file, vertex.kind, vertex.address].append(vertex)
            self._bare[vertex.file, vertex.kind, _bare(vertex.address)].append(vertex)
            self._by_file[vertex.file].append(vertex)
            if vertex.file.endswith(".json"):
                self._planned[vertex.kind, vertex.address].append(vertex)

    def of_resource(self, resource: Resource) -> Sequence[Vertex]:
        """The vertices of a resource: its instance, or, unless there is one, all of its block."""
        file = self.path_of(resource.header)
        kind = Kind.DATA if resource.is_data else Kind.RESOURCE
        if resource.deployment.framework is Framework.CLOUDFORMATION:
            return self._exact.get((file, kind, resource.name), ())
        address = _plain(resource.address)
        return (
            self._exact.get((file, kind, address))
            or self._bare.get((file, kind, _bare(address)))
            or tuple(self._in_plans(resource, kind, address))
        )

    def _in_plans(self, resource: Resource, kind: Kind, address: str) -> Iterator[Vertex]:
        """Of a plan that was joined with its sources: its resources are placed in these."""
        if resource.deployment.framework is not Framework.PLAN:
            return
        found = self._planned.get((kind, address), ())
        folder = os.path.realpath(os.path.join(self._top, resource.deployment.path))  # noqa: PTH118
        beside = [vertex for vertex in found if os.path.dirname(vertex.file) == folder]  # noqa: PTH120
        yield from beside or found

    def near(self, finding: Finding) -> Sequence[Vertex]:
        """What stands for a finding whose resource has no vertex.

        The call of the module that it is in, the block around it, or something that it is about:
        a role that SAM makes stands in its function, and a pipeline's job takes a role.
        """
        resource = finding.resource
        names = _MODULE.findall(resource.address)
        for call, (name, key) in reversed([*zip(resource.calls, names, strict=False)]):
            file = self.path_of(call)
            calls = self._bare_names(file, name)
            if calls:
                return [v for v in calls if _name(v) == f"{name}{key}"] or calls
        for span in (resource.header, finding.primary.span, *(p.span for p in finding.related)):
            around = self._around(span)
            if around:
                return around
        return ()

    def _bare_names(self, file: str, name: str) -> list[Vertex]:
        return [
            vertex
            for vertex in self._by_file.get(file, ())
            if vertex.kind is Kind.MODULE and _bare(_name(vertex)) == name
        ]

    def _around(self, span: Span) -> list[Vertex]:
        line = span.line
        around = [
            vertex
            for vertex in self._by_file.get(self.path_of(span), ())
            if vertex.kind in _RECORDED and vertex.first <= line <= vertex.last
        ]
        innermost = max((vertex.first for vertex in around), default=0)
        return [vertex for vertex in around if vertex.first == innermost]

    def path_of(self, span: Span) -> str:
        """The absolute path of a file that a place of ours is in."""
        return os.path.realpath(os.path.join(self._top, span.path))  # noqa: PTH118

    def anchor(self, path: str = "") -> Vertex | None:
        """A vertex to hang something on that has no place of its own, in that file if it can be."""
        file = os.path.realpath(os.path.join(self._top, path))  # noqa: PTH118
        fit = [vertex for vertex in self.all if vertex.kind in _RECORDED]
        order = {kind: place for place, kind in enumerate(_RECORDED)}
        return min(
            fit,
            key=lambda one: (one.file != file, order[one.kind], one.file, one.first, one.address),
            default=None,
        )


def _name(vertex: Vertex) -> str:
    return str(vertex.attributes.get("block_name_") or "")
