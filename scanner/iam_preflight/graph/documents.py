"""What one policy document alone makes of whoever holds it, whether it is ours or AWS's."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from iam_preflight.knowledge.escalation import (
    Gain,
    MethodKind,
    Target,
    escalation_methods,
)
from iam_preflight.policy.openness import Openings
from iam_preflight.policy.truth import Truth

if TYPE_CHECKING:
    from iam_preflight.graph.model import Graph
    from iam_preflight.knowledge.escalation import Method, Permission
    from iam_preflight.policy.document import Document
    from iam_preflight.policy.effective import Effective


class Power(Enum):
    """From most to least."""

    ADMINISTRATOR = "may do everything"
    SELF_MADE = "can make itself administrator"
    ORGANIZATION = "administers the accounts of the organization"
    NEARLY = "may do nearly everything"
    NONE = ""


_ORGANIZATION = {Target.IDENTITY_CENTER, Target.ORGANIZATION}


def power_of(document: Document, graph: Graph) -> Power:
    """The power of a document, decided from what it says."""
    effective = graph.permissions.of_document(document)
    if effective.is_admin is Truth.YES:
        return Power.ADMINISTRATOR
    methods = [method for method in escalation_methods() if method.gain is Gain.ADMIN]
    if any(m.kind is MethodKind.SELF and _is_held(m, effective) for m in methods):
        return Power.SELF_MADE
    openings = Openings(effective.catalog).of(document)
    if any(o.is_boundless and o.covers_every_resource() and o.sure for o in openings):
        return Power.NEARLY
    for method in methods:
        if method.kind is MethodKind.ORGANIZATION and _is_held_in_full(method, effective):
            return Power.ORGANIZATION
    return Power.NONE


def _is_held(method: Method, effective: Effective) -> bool:
    """Whether each need of a method is met on everything."""
    return all(
        any(all(_is_broad(p, effective) for p in alternative) for alternative in item)
        for item in method.needs
    )


def _is_held_in_full(method: Method, effective: Effective) -> bool:
    """Whether every permission that a method could use is held on everything.

    One alone may be harmless outside the management account, as registering a delegated
    administrator for one service is.
    """
    permissions = [p for item in method.needs for alternative in item for p in alternative]
    return all(p.target in _ORGANIZATION and _is_broad(p, effective) for p in permissions)


def _is_broad(permission: Permission, effective: Effective) -> bool:
    action = permission.action
    return action in effective.possible and effective.broad(action) is not None
