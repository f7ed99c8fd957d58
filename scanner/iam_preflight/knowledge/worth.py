"""How much sensitive actions are worth, one against another.

An action class says what actions are good for; which of them give the most is data of its own.
"""

from __future__ import annotations

import functools
from enum import IntEnum
from typing import TYPE_CHECKING

import msgspec

from iam_preflight.knowledge.catalog import AccessLevel
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


@functools.cache
def permissions_management(catalog: Catalog) -> ActionSet:
    return catalog.everything.at_level(AccessLevel.PERMISSIONS_MANAGEMENT)
