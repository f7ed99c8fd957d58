"""Findings that outlive an edit: what was found at things that the edit did not change.

Their places move with the text: a single edit leaves what stands before it where it was, and
shifts what stands after it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from iam_preflight.findings import Edit, Fix, Place
from iam_preflight.source import Span
from iam_preflight.terraform.live import without_indexes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from iam_preflight.findings import Finding
    from iam_preflight.graph.model import Graph, Principal
    from iam_preflight.resources import Resource
    from iam_preflight.scan import Subject
    from iam_preflight.source import SourceFile

Name: TypeAlias = "tuple[str, ...]"
"""What a subject is called in every graph of the same unit."""

GRAPH: Name = ("graph",)


class Names:
    """The names of everything in a graph, and what each of them hangs together with."""

    def __init__(self, graph: Graph) -> None:
        self._names: dict[int, Name] = {}
        self.signatures: dict[Name, object] = {}
        self._graph = graph
        for resource in graph.resources:
            name = self._add(resource, ("resource", resource.deployment.path, resource.address))
            self.signatures[name] = None
        for policy in graph.policies:
            owner = policy.resource
            place = (owner.deployment.path, owner.address, policy.attribute, policy.name)
            name = self._add(policy, ("policy", *place))
            holders = sorted(holder.address for holder in policy.holders)
            bounded = sorted(principal.address for principal in policy.bounds)
            self.signatures[name] = (policy.use, tuple(holders), tuple(bounded))
        for principal in (*graph.principals, *graph.elsewhere):
            owner = principal.resource
            name = self._add(principal, ("principal", owner.deployment.path, owner.address))
            self.signatures[name] = _held(principal)

    def _add(self, subject: object, name: Name) -> Name:
        while name in self.signatures:
            name = (*name, "+")
        self._names[id(subject)] = name
        return name

    def of(self, subject: Subject) -> Name:
        return GRAPH if subject is None else self._names[id(subject)]

    def different(self, earlier: Names, addresses: frozenset[str]) -> set[Name]:
        """What is new, hangs together otherwise, or has a value that an edit may have changed."""
        found = {
            name
            for name, signature in self.signatures.items()
            if earlier.signatures.get(name, ...) != signature
        }
        touched = {
            id(resource) for resource in self._graph.resources if _is_among(resource, addresses)
        }
        for policy in self._graph.policies:
            if id(policy.resource) in touched:
                found.add(self.of(policy))
                touched.update(id(one.resource) for one in (*policy.holders, *policy.bounds))
        for resource in self._graph.resources:
            if id(resource) in touched:
                found.add(self.of(resource))
        for principal in self._graph.principals:
            if id(principal.resource) in touched:
                found.add(self.of(principal))
        for principal in self._graph.elsewhere:  # whom policies do not name as their holders
            owners = (principal.resource, *(one.policy.resource for one in principal.held()))
            if any(id(owner) in touched for owner in owners):
                found.add(self.of(principal))
        return found


def _held(principal: Principal) -> object:
    policies = sorted((a.policy.address, a.policy.name) for a in principal.held())
    boundary = principal.boundary
    bound = None if boundary is None else boundary.policy and boundary.policy.address
    return tuple(policies), boundary is None, bound


def _is_among(resource: Resource, addresses: frozenset[str]) -> bool:
    """Whether an address, or a module call that it is in, is among those that have changed."""
    address = without_indexes(resource.address)
    if address in addresses:
        return True
    parts = address.split(".")
    return any(
        parts[at] == "module" and ".".join(parts[: at + 2]) in addresses
        for at in range(0, len(parts) - 1, 2)
    )


class _Shift(Struct, frozen=True):
    """One edit of a file, found by what both texts have in common at their ends."""

    source: SourceFile
    before: int
    """Bytes at the start that are the same."""
    after: int
    """Where, in the earlier text, those at the end begin."""
    delta: int

    def of(self, span: Span) -> Span:
        return Span(
            self.source, self._at(span.start), max(self._at(span.start), self._at(span.end))
        )

    def _at(self, offset: int) -> int:
        if offset <= self.before:
            return offset
        return max(self.before, offset + self.delta) if offset >= self.after else self.before


class Carrier:
    """Moves findings into the current version of the files and onto the current resources."""

    def __init__(self, graph: Graph, sources: Mapping[str, SourceFile]) -> None:
        self._sources = sources
        self._shifts: dict[int, tuple[SourceFile, _Shift]] = {}
        self._resources = {
            (resource.deployment.path, resource.address): resource for resource in graph.resources
        }

    def carried(self, findings: Iterable[Finding]) -> list[Finding]:
        """The findings as they stand now; those of resources that are gone are left out."""
        found = (self._finding(finding) for finding in findings)
        return [finding for finding in found if finding is not None]

    def _finding(self, finding: Finding) -> Finding | None:
        old = finding.resource
        resource = self._resources.get((old.deployment.path, old.address))
        if resource is None:
            return None
        return replace(
            finding,
            resource=resource,
            primary=self._place(finding.primary),
            related=tuple(map(self._place, finding.related)),
            steps=tuple(map(self._place, finding.steps)),
            causes=tuple(map(self._span, finding.causes)),
            fix=None if finding.fix is None else self._fix(finding.fix),
        )

    def _place(self, place: Place) -> Place:
        return Place(self._span(place.span), place.label)

    def _fix(self, fix: Fix) -> Fix:
        return Fix(
            fix.description, tuple(Edit(self._span(e.span), e.replacement) for e in fix.edits)
        )

    def _span(self, span: Span) -> Span:
        current = self._sources.get(span.path)
        if current is None or current is span.source:
            return span
        held = self._shifts.get(id(span.source))
        if held is None:
            held = self._shifts[id(span.source)] = (span.source, _shift(span.source, current))
        return held[1].of(span)


def _shift(earlier: SourceFile, current: SourceFile) -> _Shift:
    old, new = earlier.data, current.data
    limit = min(len(old), len(new))
    before = _common(old, new, limit)
    behind = _common(old[::-1], new[::-1], limit - before)
    return _Shift(current, before, len(old) - behind, len(new) - len(old))


def _common(left: bytes, right: bytes, limit: int) -> int:
    """How many bytes two texts share at their start, up to a limit; found by halving."""
    low, high = 0, limit
    while low < high:
        middle = (low + high + 1) // 2
        if left[:middle] == right[:middle]:
            low = middle
        else:
            high = middle - 1
    return low
