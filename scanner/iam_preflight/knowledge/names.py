"""Which attributes of a resource are the names that its ARN and id are made of, and how."""

from __future__ import annotations

import functools
import re

import msgspec

from iam_preflight.knowledge.reading import read_data

PLACES = frozenset({"partition", "region", "account", "dns_suffix"})
"""Placeholders that stand for where a resource is deployed to."""

PLACEHOLDER = re.compile(r"\{(\w+)\}")


class AttributeFacts(msgspec.Struct):
    """What AWS makes of attributes, by type of resource and name of the attribute."""

    types: dict[str, dict[str, str]]
    data: dict[str, dict[str, str]]
    defaults: dict[str, dict[str, str | int]]
    same: dict[str, dict[str, str]]
    changes: dict[str, dict[str, str]]


@functools.cache
def attribute_facts() -> AttributeFacts:
    return read_data("terraform_attributes.json", AttributeFacts)


@functools.cache
def identifying(resource_type: str, *, is_data: bool = False) -> frozenset[str]:
    """The attributes that a resource's ARN and id are made of."""
    facts = attribute_facts()
    templates = (facts.data if is_data else facts.types).get(resource_type, {}).values()
    found = (name for template in templates for name in PLACEHOLDER.findall(template))
    return frozenset(found) - PLACES


def default_of(resource_type: str, name: str) -> str | int | None:
    """What an attribute of a resource is where the code leaves it out."""
    return attribute_facts().defaults.get(resource_type, {}).get(name)


def change_of(resource_type: str, name: str, *, is_data: bool = False) -> str | None:
    """What AWS does to an attribute before it goes into an ARN: `under event_bus_name`."""
    address = f"data.{resource_type}" if is_data else resource_type
    return attribute_facts().changes.get(address, {}).get(name)


def left_out(change: str, text: str) -> int:
    """How many characters a change takes from the beginning of an attribute."""
    heads = ("https://", "http://") if change == "without scheme" else ("/",)
    return next((len(head) for head in heads if text.startswith(head)), 0)
