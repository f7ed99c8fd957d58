"""What runs as whom: the resources that are given a role, or a profile with one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.graph.model import Principal, PrincipalKind, Workload
from iam_preflight.graph.nested import named_in, nested
from iam_preflight.knowledge.resource_types import resource_types
from iam_preflight.resources import Resource

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.nodes import Nodes
    from iam_preflight.values import Value


def workloads_of(nodes: Nodes) -> Iterator[Workload]:
    """Every resource that is given a role, by any of its attributes; the roles learn of it."""
    types = resource_types()
    for resource in nodes.resources:
        attributes = types.role.get(resource.type)
        if attributes is None or resource.is_data or resource.type.startswith("aws_iam_"):
            continue
        with nodes.kept_to(resource):
            for attribute in attributes:
                value = resource.get(attribute)
                if value is None:
                    value = nested(resource, attribute)
                for item in named_in(value):
                    role = _role_or_profile(item, resource, nodes)
                    if role is not None:
                        workload = Workload(resource, attribute, role, item.span)
                        role.workloads.append(workload)
                        yield workload


def _role_or_profile(item: Value, resource: Resource, nodes: Nodes) -> Principal | None:
    """The role that a role or instance profile attribute names."""
    found = nodes.lookup.find(item, Principal, resource)
    if found is not None:
        return found if found.is_role else None
    profile = nodes.lookup.find(item, Resource, resource)
    if profile is None or profile.type != "aws_iam_instance_profile":
        return None
    role = profile.get("role")
    for _, principal, _ in nodes.principals_of(role, PrincipalKind.ROLE, profile):
        return principal
    return None
