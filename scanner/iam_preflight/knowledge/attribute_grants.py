"""Resources that grant access by attributes instead of a policy document."""

from __future__ import annotations

import functools

import msgspec

from iam_preflight.knowledge.reading import read_data


class Shape(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How one type of resource grants access."""

    principals: tuple[str, ...]
    """Attributes that name whom it is granted to; a dot leads into nested blocks."""
    actions: tuple[str, ...]
    """What is granted where no attribute says so."""
    actions_from: str = ""
    """The attribute that lists the actions."""
    prefix: str = ""
    """What the listed actions lack."""
    resource: str = ""
    """The attribute that names what it is about."""
    everyone: tuple[str, ...] = ()
    """Values of the principal's attribute that mean everybody."""
    cure: str = ""
    """What to write instead of those."""
    only_everyone: bool = False
    """No other value grants anything."""
    block: str = ""
    """Nested blocks that each grant something; the principal's attribute is one of theirs."""
    when: dict[str, tuple[str, ...]] = {}
    """Values of attributes without which it grants nothing."""
    by_value: dict[str, tuple[str, ...]] = {}
    """Actions that depend on the value of the principal's attribute."""
    actions_by: dict[str, dict[str, tuple[str, ...]]] = {}
    """Actions that depend on the value of another attribute of the same block."""
    conditions: dict[str, tuple[str, str]] = {}
    """Attributes that are conditions: operator and key."""
    condition_block: str = ""
    """A block of type, key and value."""


class _File(msgspec.Struct):
    types: dict[str, tuple[Shape, ...]]


@functools.cache
def attribute_grants() -> dict[str, tuple[Shape, ...]]:
    """By type, in Terraform's names, how it grants access."""
    return read_data("attribute_grants.json", _File).types


def cure_of(type_: str, word: str) -> str:
    """What to write instead of a word that means everybody; empty where that is no such word."""
    shapes = attribute_grants().get(type_, ())
    return next((shape.cure for shape in shapes if word in shape.everyone), "")


def condition_attributes(type_: str, *keys: str) -> tuple[str, ...]:
    """The attributes of a type that stand for conditions on some keys."""
    found = [
        attribute
        for shape in attribute_grants().get(type_, ())
        for attribute, (_, key) in shape.conditions.items()
        if key in keys
    ]
    return tuple(dict.fromkeys(found))
