"""How much sensitive actions are worth, one against another.

An action class says what actions are good for; which of them give the most is data of its own.
"""

from __future__ import annotations

import functools
from enum import IntEnum
from typing import TYPE_CHECKING

import msgspec

from iam_preflight.knowledge.catalog import AccessLevel, ActionClass
from iam_preflight.knowledge.reading import read_data

if TYPE_CHECKING:
    from iam_preflight.knowledge.actionset import ActionSet
    from iam_preflight.knowledge.catalog import Catalog


class Worth(IntEnum):
    LITTLE = 0
    """What nearly every workload or person is given."""
    SOME = 1
    MOST = 2
    """Identities, keys, secrets, data, and code that runs with other rights."""


class _WorthFile(msgspec.Struct):
    most: tuple[str, ...]
    some: tuple[str, ...]
    little: tuple[str, ...]


@functools.cache
def _worth_file() -> _WorthFile:
    return read_data("action_worth.json", _WorthFile)


def of_little_worth(catalog: Catalog) -> ActionSet:
    """Sensitive actions that nearly every workload or person is given."""
    return catalog.expand_all(_worth_file().little)


def gravest(actions: ActionSet, catalog: Catalog) -> tuple[Worth, ActionSet]:
    """The most that any of some actions is worth, and those that are worth it."""
    data = _worth_file()
    more = actions - of_little_worth(catalog)
    most = more & catalog.expand_all(data.most) - catalog.expand_all(data.some)
    if most:
        return Worth.MOST, most
    return (Worth.SOME, more) if more else (Worth.LITTLE, actions)


@functools.cache
def changing(catalog: Catalog) -> ActionSet:
    """Every action that changes something or somebody's permissions."""
    levels = (AccessLevel.WRITE, AccessLevel.PERMISSIONS_MANAGEMENT)
    return catalog.everything.at_level(*levels)


@functools.cache
def telling(catalog: Catalog) -> ActionSet:
    """Every action that changes something or is sensitive."""
    return changing(catalog) | catalog.sensitive


def on_the_only_one(actions: ActionSet, catalog: Catalog) -> ActionSet:
    """Those on what an account has one of, such as its Security Hub: its ARN is as wide as `*`.

    Not the sensitive ones.
    """
    found = catalog.nothing
    for service in () if actions.is_boundless else actions.services:
        found |= _on_the_only_one_of(service, catalog)
    return actions & found - catalog.sensitive


@functools.cache
def _on_the_only_one_of(service: str, catalog: Catalog) -> ActionSet:
    types = catalog.service(service).resource_types.values()
    if not any(each.arn.endswith("/default") for each in types):
        return catalog.nothing  # as for nearly all services, so that no action has to be read
    names = (
        f"{service}:{action.name}"
        for action in catalog.service(service).actions
        if action.resources and all(use.type.arn.endswith("/default") for use in action.resources)
    )
    return catalog.expand_all(tuple(names))


@functools.cache
def taking_roles(catalog: Catalog) -> ActionSet:
    """Actions by which services and sessions get roles: good or bad by the role, not alone."""
    return catalog.expand_all(("iam:CreateServiceLinkedRole", "iam:PassRole", "sts:*"))


@functools.cache
def managing_permissions(catalog: Catalog) -> ActionSet:
    """Every action that changes who may do what, but for credentials and the taking of roles.

    Beside AWS's level *Permissions management* those that open a resource, although AWS calls
    them writes.
    """
    classes = catalog.classes
    changes = catalog.everything.at_level(AccessLevel.PERMISSIONS_MANAGEMENT)
    changes |= classes[ActionClass.RESOURCE_EXPOSURE]
    return changes - classes[ActionClass.CREDENTIALS] - taking_roles(catalog)
