"""What the wildcards among a statement's actions come to.

Beside what `Opening` says: here an action that AWS only grants on `*` counts as much as any other,
because the wildcard in its name is what can be edited.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.knowledge.actionset import ActionSet
from iam_preflight.knowledge.worth import changing
from iam_preflight.policy.scope import Strength

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.exposure import Exposure
    from iam_preflight.knowledge.catalog import Catalog
    from iam_preflight.policy.document import Pattern, Statement


def has_wildcard(pattern: Pattern) -> bool:
    return "*" in pattern.text or "?" in pattern.text


def whole_services(
    statement: Statement, catalog: Catalog
) -> Iterator[tuple[str, tuple[Pattern, ...]]]:
    """Services of which wildcards give every change, with the patterns that do so together.

    `s3:*` does, and so do `s3:Get*`, `s3:List*` … when nothing that changes is left out.
    """
    if statement.is_not_action:
        return
    named = [(pattern, pattern.text) for pattern in statement.actions if pattern.is_known]
    services = {
        service
        for _, text in named
        if ("*" in text or "?" in text) and ":" in text
        for service in catalog.expand(text).services
    }
    if not services:
        return
    held: dict[str, list[Pattern]] = {}
    for pattern, text in named:
        for service in catalog.expand(text).services if ":" in text else ():
            if service in services:
                held.setdefault(service, []).append(pattern)
    for service, patterns in held.items():
        whole = [pattern for pattern in patterns if not _name(pattern).strip("*")]
        if not whole and not _changes_all(service, patterns, catalog):
            continue
        if changing(catalog).mask(service):
            yield service, tuple(whole or filter(has_wildcard, patterns))


def _name(pattern: Pattern) -> str:
    return pattern.text.partition(":")[2]


def _changes_all(service: str, patterns: list[Pattern], catalog: Catalog) -> bool:
    """Whether some patterns give all of the changes of a service that has several."""
    changes = ActionSet(catalog, {service: changing(catalog).mask(service)})
    given = catalog.expand_all(tuple(pattern.text for pattern in patterns))
    return len(changes) > 1 and given.covers(changes)


def on_everything(exposure: Exposure, actions: ActionSet) -> ActionSet:
    """Those that are given on every resource for sure, and that no condition limits to a scope."""
    opening = exposure.opening
    if opening.covers_every_resource():
        return unscoped(exposure, actions)
    return actions & opening.sure


def on_something(exposure: Exposure, actions: ActionSet) -> ActionSet:
    """Those that are given on some resource at all, and that no condition limits to a scope."""
    evaluator = exposure.graph.permissions.evaluator
    return unscoped(exposure, evaluator.reachable(exposure.statement, actions))


def unscoped(exposure: Exposure, actions: ActionSet) -> ActionSet:
    opening = exposure.opening
    if not opening.is_conditional:
        return actions
    if all(opening.strength(action) is Strength.NOTHING for action in actions):
        return actions
    names = tuple(action for action in actions if opening.strength(action) <= Strength.CONTEXT)
    return exposure.catalog.expand_all(names)
