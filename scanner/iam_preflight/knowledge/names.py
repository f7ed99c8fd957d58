"""Which attributes of a resource are the names that its ARN and id are made of."""

from __future__ import annotations

import functools
import re

import msgspec

from iam_preflight.knowledge.reading import read_data

PLACES = frozenset({"partition", "region", "account", "dns_suffix"})
"""Placeholders that stand for where a resource is deployed to."""

_PLACEHOLDER = re.compile(r"\{(\w+)\}")


class _Facts(msgspec.Struct):
    types: dict[str, dict[str, str]]
    data: dict[str, dict[str, str]]


@functools.cache
def _facts() -> _Facts:
    return read_data("terraform_attributes.json", _Facts)


@functools.cache
def identifying(resource_type: str, *, is_data: bool = False) -> frozenset[str]:
    """The attributes that a resource's ARN and id are made of."""
    facts = _facts()
    templates = (facts.data if is_data else facts.types).get(resource_type, {}).values()
    found = (name for template in templates for name in _PLACEHOLDER.findall(template))
    return frozenset(found) - PLACES
