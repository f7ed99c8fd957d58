"""What a value refers to: by reference first, by name or ARN second.

`aws_iam_role.ci.name` remembers which resource it was read from. Plain text is looked up by
name, in the same deployment before in others, and in others only when one thing has the name.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeVar

from iam_preflight.values import Reference, items_of, show

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.resources import Resource
    from iam_preflight.source import Span
    from iam_preflight.values import Assumptions, Value

Node = TypeVar("Node")

_LAST_NAME = re.compile(r"[^/:]+$")


class Lookup:
    """Nodes by the address of their resource and by the names people give them."""

    def __init__(self) -> None:
        self._by_address: dict[tuple[str, str], list[object]] = {}
        self._by_name: dict[tuple[type, str], list[tuple[str, object]]] = {}

    def add(self, resource: Resource, node: object, *names: str) -> None:
        deployment = resource.deployment.path
        self._by_address.setdefault((deployment, resource.address), []).append(node)
        for name in names:
            if name:
                self._by_name.setdefault((type(node), name), []).append((deployment, node))

    def at(self, deployment: str, address: str, kind: type[Node]) -> Node | None:
        """The node of a kind that an address holds."""
        for node in self._by_address.get((deployment, address), ()):
            if isinstance(node, kind):
                return node
        return None

    def named(self, kind: type[Node], name: str) -> list[Node]:
        """The nodes of a kind that have a name, wherever they are."""
        found = (node for _, node in self._by_name.get((kind, name), ()))
        return [node for node in found if isinstance(node, kind)]

    def find(self, item: Value, kind: type[Node], resource: Resource) -> Node | None:
        """The node of a kind that one value, written in a resource, refers to."""
        deployment = resource.deployment.path
        reference = getattr(item, "reference", None)
        if isinstance(reference, Reference):
            where = reference.deployment or deployment
            node = self.at(where, reference.address, kind)
            if node is not None:
                return node
        name = show(item)
        named = self._named(kind, name, deployment)
        if named is None and name.startswith("arn:"):
            last = _LAST_NAME.search(name)
            named = self._named(kind, last.group(), deployment) if last else None
        return named

    def find_all(
        self, value: Value | None, kind: type[Node], resource: Resource
    ) -> Iterator[tuple[Assumptions, Node, Span]]:
        """The nodes that a value, or each item of a list, refers to."""
        for given, item in items_of(value):
            node = self.find(item, kind, resource)
            if node is not None:
                yield given, node, item.span

    def _named(self, kind: type[Node], name: str, deployment: str) -> Node | None:
        found = self._by_name.get((kind, name), [])
        here = [node for path, node in found if path == deployment]
        candidates = here or ([found[0][1]] if len(found) == 1 else [])
        for node in candidates:
            if isinstance(node, kind):
                return node
        return None
