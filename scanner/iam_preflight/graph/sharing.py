"""Roles that several workloads run as, and how these workloads differ.

Copies of one block (`count`, `for_each`, instances of one module) are one workload. Services that
AWS lets share a role count as one kind.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from msgspec import Struct

from iam_preflight.graph.entrypoints import entrypoints
from iam_preflight.graph.environments import Environments
from iam_preflight.graph.tags import tags_of
from iam_preflight.knowledge.services import basic_actions, class_of, families, runner_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.model import Graph, Principal, Workload
    from iam_preflight.resources import Resource

OWNER_TAGS = ("team", "owner", "application", "app", "project", "product", "costcenter")

SERVICE_ATTRIBUTES = ("execution_role_arn", "service_role", "service_role_arn")
"""Where a service gets the role for its own part of the work."""


class Sharing(Struct, frozen=True):
    """What the workloads of a role are, one of each block."""

    role: Principal
    workloads: tuple[Workload, ...]
    kinds: tuple[tuple[str, ...], ...]
    """The services that run them, those that may share a role as one."""
    environments: tuple[str, ...]
    owners: tuple[str, ...]
    """Different values of one tag that names an owner or application."""
    public: Workload | None
    """One that anybody on the internet reaches, where another one is not reached."""

    @property
    def runs_code(self) -> bool:
        """Whether code of one's own has the role: no service that does its own work with it."""
        return all(
            class_of(runner_of(workload.resource.type)) == "compute"
            and workload.attribute not in SERVICE_ATTRIBUTES
            for workload in self.workloads
        )


class Sharings:
    """The sharings of a graph; what the internet reaches is found once."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._environments = Environments(graph.settings)

    @functools.cached_property
    def _reached(self) -> frozenset[int]:
        return frozenset(id(entry.resource) for entry in entrypoints(self._graph))

    def __iter__(self) -> Iterator[Sharing]:
        for role in self._graph.roles:
            workloads = _blocks(role)
            if len(workloads) > 1 and not is_basic(role, self._graph):
                yield self._sharing(role, workloads)

    def _sharing(self, role: Principal, workloads: tuple[Workload, ...]) -> Sharing:
        resources = [workload.resource for workload in workloads]
        reached = [w for w in workloads if id(w.resource) in self._reached]
        is_mixed = 0 < len(reached) < len(workloads)
        return Sharing(
            role=role,
            workloads=workloads,
            kinds=tuple(families(runner_of(resource.type) for resource in resources)),
            environments=self._environments_of(resources),
            owners=_owners(resources),
            public=reached[0] if is_mixed else None,
        )

    def _environments_of(self, resources: list[Resource]) -> tuple[str, ...]:
        """Environments that the tags of the workloads name."""
        found: dict[str, None] = {}
        for resource in resources:
            environment = self._environments.of_tags(tags_of(resource))
            if environment is not None:
                found[environment] = None
        return tuple(found)


def is_basic(role: Principal, graph: Graph) -> bool:
    """Whether a role may do nothing but what everything may that only runs something."""
    effective = graph.effective(role)
    basic = effective.catalog.expand_all(basic_actions())
    return bool(role.attachments) and not role.unresolved and not effective.possible - basic


def _blocks(role: Principal) -> tuple[Workload, ...]:
    """One workload of each block of code."""
    found: dict[tuple[int, int], Workload] = {}
    for workload in role.workloads:
        span = workload.resource.span
        found.setdefault((id(span.source), span.start), workload)
    return tuple(found.values())


def _owners(resources: list[Resource]) -> tuple[str, ...]:
    """What a tag about ownership says, where two workloads carry it with different values."""
    tags = [tags_of(resource) for resource in resources]
    for key in OWNER_TAGS:
        values: dict[str, None] = {}
        for one in tags:
            written = one.find(key)
            value = one.text(written) if written is not None else None
            if value:
                values[value] = None
        if len(values) > 1:
            return tuple(values)
    return ()
