"""Which resource types carry policies, roles and tags, and in which attributes."""

from __future__ import annotations

import functools
import json
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from iam_preflight.knowledge.attribute_grants import attribute_grants
from iam_preflight.knowledge.reading import read_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping


class ResourceTypes(Struct, frozen=True):
    core: frozenset[str]
    """Types the graph is built from, and those that grant access by attributes."""
    policy: Mapping[str, Mapping[str, str]]
    """Type to attribute to use: identity, trust, resource, session, endpoint, organization."""
    role: Mapping[str, tuple[str, ...]]
    """Type to the attributes that hold a role or an instance profile; some are nested."""
    taggable: frozenset[str]
    """Types of the IAM family that can be tagged."""

    def is_relevant(self, resource_type: str) -> bool:
        return (
            resource_type in self.core
            or resource_type in self.policy
            or resource_type in self.role
            or resource_type in self.taggable
        )


@functools.cache
def resource_types() -> ResourceTypes:
    facts: dict[str, Any] = json.loads(read_bytes("resource_types.json"))
    return ResourceTypes(
        core=frozenset(facts["core"]) | attribute_grants().keys(),
        policy=facts["policy"],
        role={name: tuple(attributes) for name, attributes in facts["role"].items()},
        taggable=frozenset(facts["taggable"]),
    )
