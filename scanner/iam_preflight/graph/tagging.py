"""Which resources should carry which tags, and what is wrong with those that they have.

https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html
"""

from __future__ import annotations

import datetime as dt
import functools
import re
from typing import TYPE_CHECKING

import msgspec

from iam_preflight.graph.accounts import Ownership
from iam_preflight.graph.credentials import is_of_partner
from iam_preflight.graph.model import Principal
from iam_preflight.graph.trust import grants
from iam_preflight.knowledge.reading import read_data
from iam_preflight.knowledge.resource_types import resource_types

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.model import Graph
    from iam_preflight.graph.tags import Tags
    from iam_preflight.resources import Resource
    from iam_preflight.settings import TagRequirement


_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


class _Facts(msgspec.Struct):
    without_tags: frozenset[str]
    placeholders: frozenset[str]


@functools.cache
def _facts() -> _Facts:
    return read_data("tagging.json", _Facts)


def taggable(graph: Graph) -> Iterator[Resource]:
    """Resources of the IAM family that can carry tags in the language they are written in."""
    types = resource_types().taggable
    for resource in graph.resources:
        if resource.type not in types or resource.is_data:
            continue
        if resource.native_type not in _facts().without_tags:
            yield resource


def missing_keys(resource: Resource, tags: Tags, graph: Graph) -> tuple[str, ...]:
    """The required keys that a resource has no tag for, however it is spelled."""
    return tuple(
        key
        for key, requirement in graph.settings.tags.items()
        if tags.find(key) is None
        and key not in graph.settings.stack_tags
        and is_asked_for(requirement, resource, graph)
    )


def is_asked_for(requirement: TagRequirement, resource: Resource, graph: Graph) -> bool:
    """Whether the settings ask for a tag on this resource."""
    if not requirement.only_for:
        return True
    if "users" in requirement.only_for and resource.type == "aws_iam_user":
        return True
    if "temporary" in requirement.only_for:
        path = resource.text("path") or "/"
        if any(path.startswith(start) for start in graph.settings.temporary_paths):
            return True
    if "partners" in requirement.only_for:
        principal = graph.lookup.at(resource.deployment.path, resource.address, Principal)
        return principal is not None and lets_in_partners(principal, graph)
    return False


def lets_in_partners(principal: Principal, graph: Graph) -> bool:
    """Whether it is for somebody outside of the company: by its name, or by whom it trusts."""
    if is_of_partner(principal, graph.settings):
        return True
    return any(
        grant.ownership in (Ownership.EXTERNAL, Ownership.TRUSTED)
        for grant in grants(principal.trust, graph.accounts)
    )


def is_placeholder(text: str) -> bool:
    """Whether a value only stands where one should be."""
    return not text.strip() or text.strip().lower() in _facts().placeholders


def date_in(text: str) -> dt.date | None:
    """The day of an ISO 8601 date, with or without a time; None where it is none."""
    day = text.strip()[:10]
    if not _DAY.fullmatch(day):
        return None
    try:
        return dt.date.fromisoformat(day)
    except ValueError:
        return None
