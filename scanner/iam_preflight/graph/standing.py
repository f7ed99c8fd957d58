"""How much a principal may do, in one word: what severity and exemptions turn on."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

from iam_preflight.knowledge.catalog import AccessLevel

if TYPE_CHECKING:
    from iam_preflight.graph.model import Graph, Principal

_CHANGES = frozenset({AccessLevel.WRITE, AccessLevel.PERMISSIONS_MANAGEMENT})


class Standing(IntEnum):
    ORDINARY = 0
    SENSITIVE = 1
    """It may do something sensitive on every resource."""
    ESCALATING = 2
    """It can make itself an administrator, or become one."""
    ADMIN = 3
    """Its policies make it an administrator."""

    @property
    def is_privileged(self) -> bool:
        return self is not Standing.ORDINARY

    @property
    def is_administrative(self) -> bool:
        return self >= Standing.ESCALATING

    def describe(self) -> str:
        return {
            Standing.ORDINARY: "ordinary",
            Standing.SENSITIVE: "allowed sensitive actions on everything",
            Standing.ESCALATING: "able to become administrator",
            Standing.ADMIN: "an administrator",
        }[self]


def standing_of(principal: Principal, graph: Graph) -> Standing:
    """The standing of a principal; ways through other principals are not followed here."""
    powers = graph.powers
    if powers.is_admin(principal):
        return Standing.ADMIN
    if powers.is_powerful(principal):
        return Standing.ESCALATING
    return Standing.SENSITIVE if powers.is_sensitive(principal) else Standing.ORDINARY


def changes_sensitive(principal: Principal, graph: Graph) -> bool:
    """Whether what it may do on every resource goes beyond reading."""
    catalog = graph.effective(principal).catalog
    actions = (catalog.action(name) for name in graph.powers.power(principal))
    return any(action is not None and action.level in _CHANGES for action in actions)


def may_only_read(principal: Principal, graph: Graph) -> bool:
    """Whether nothing that it may do changes anything."""
    may = graph.effective(principal).possible
    return bool(may) and not may.at_level(*_CHANGES, AccessLevel.TAGGING)
