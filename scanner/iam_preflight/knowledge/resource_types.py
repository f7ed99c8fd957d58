"""Which resource types carry policies, roles and tags, and in which attributes."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from iam_preflight.knowledge.attribute_grants import attribute_grants
from iam_preflight.knowledge.reading import read_data

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
            or self._may_be_policy(resource_type)
        )

    def documents(self, resource_type: str) -> Mapping[str, str]:
        """The attributes in which a type has policies, each with its use.

        AWS gives more and more services resource policies, in types that are called alike.
        """
        known = self.policy.get(resource_type)
        if known is not None:
            return known
        return _LIKELY if self._may_be_policy(resource_type) else {}

    def _may_be_policy(self, resource_type: str) -> bool:
        """Whether a type that nobody knows is called like one of resource policies."""
        if not resource_type.endswith(("_policy", "Policy")) or resource_type in self.core:
            return False
        return resource_type.startswith(("aws_", "AWS::")) and resource_type not in self.policy


LIKELY = "likely"
"""The use of a document that is a resource policy if it names principals."""

_LIKELY = dict.fromkeys(("policy", "policy_document", "resource_policy"), LIKELY)


@functools.cache
def resource_types() -> ResourceTypes:
    facts: dict[str, Any] = read_data("resource_types.json", dict)
    return ResourceTypes(
        core=frozenset(facts["core"]) | attribute_grants().keys(),
        policy=facts["policy"],
        role={name: tuple(attributes) for name, attributes in facts["role"].items()},
        taggable=frozenset(facts["taggable"]),
    )
