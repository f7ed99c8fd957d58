"""What AWS-managed policies give on every resource.

Nobody can edit their statements, only attach another policy. So what they leave open is put
together over all statements, by what a reader has to know: whole services first, then permissions
of others, credentials and data.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from msgspec import Struct

from iam_preflight.graph.exposure import Exposure, listed
from iam_preflight.graph.wildcards import on_everything, whole_services
from iam_preflight.knowledge.actionset import ActionSet
from iam_preflight.knowledge.catalog import ActionClass
from iam_preflight.knowledge.worth import (
    Worth,
    changing,
    gravest,
    managing_permissions,
    taking_roles,
    telling,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.model import Attachment, Graph, Policy
    from iam_preflight.knowledge.catalog import Catalog
    from iam_preflight.policy.openness import Opening


class Gift(Struct, frozen=True):
    """One kind of what a policy gives on everything."""

    may: str
    """`use every action of s3`."""
    worth: Worth
    changes: bool
    """Whether it is more than reading."""
    parts: tuple[tuple[Opening, ActionSet], ...]
    """The statements that give it, with the actions that are worth it."""

    def is_left(self, policy: Policy, attachment: Attachment, graph: Graph) -> bool:
        """Whether the holder's other policies leave any of it."""
        return any(
            Exposure(graph, policy, opening, (attachment,)).is_any_left(actions)
            for opening, actions in self.parts
        )

    @property
    def is_contextual(self) -> bool:
        """Whether each statement limits when or where it may be used."""
        return all(opening.is_contextual(actions) for opening, actions in self.parts)


def gifts_of(policy: Policy, graph: Graph) -> list[Gift]:
    """What a policy gives on everything that is worth telling: changes first, the most first."""
    catalog = graph.permissions.evaluator.catalog
    openings = graph.exposures.openings.of(policy.document)
    whole = {
        service: found
        for opening in openings
        for service, found in _whole(Exposure(graph, policy, opening, ()))
    }
    gifts = [_of_services(whole, catalog)] if whole else []
    told = ActionSet(catalog, dict.fromkeys(whole, -1))
    for may, wanted in _classes(catalog):
        gift = _of_actions(may, wanted - told, openings, catalog)
        if gift is not None:
            gifts.append(gift)
    return sorted(gifts, key=lambda gift: (gift.changes, gift.worth), reverse=True)


def _whole(exposure: Exposure) -> Iterator[tuple[str, tuple[Opening, ActionSet]]]:
    """The services of which a statement gives every change, with what is sensitive of it."""
    catalog = exposure.catalog
    for service, _ in whole_services(exposure.statement, catalog):
        about = exposure.opening.about.of_service(service)
        broad = on_everything(exposure, about & telling(catalog))
        worth, worst = gravest(broad & catalog.sensitive, catalog)
        if worst and worth is not Worth.LITTLE:
            yield service, (exposure.opening, worst)


def _of_services(whole: dict[str, tuple[Opening, ActionSet]], catalog: Catalog) -> Gift:
    worths = {service: gravest(actions, catalog)[0] for service, (_, actions) in whole.items()}
    worth = max(worths.values())
    services = sorted(whole, key=lambda service: -worths[service])
    parts = tuple(part for service, part in whole.items() if worths[service] is worth)
    return Gift(f"use every action of {listed(services)}", worth, changes=True, parts=parts)


@functools.cache
def _classes(catalog: Catalog) -> tuple[tuple[str, ActionSet], ...]:
    """What is told beside whole services, as clauses, with the actions that they are about."""
    classes, changes = catalog.classes, changing(catalog)
    # roles are taken for a purpose, of which the escalation rules know more
    credentials = classes[ActionClass.CREDENTIALS] - taking_roles(catalog)
    reading = classes[ActionClass.SECRETS_AND_DATA] | (credentials - changes)
    return (
        ("change the permissions of anything", managing_permissions(catalog)),
        ("make or fetch credentials of anybody", credentials & changes),
        ("read secrets or data of any name", reading),
    )


def _of_actions(
    may: str, wanted: ActionSet, openings: tuple[Opening, ...], catalog: Catalog
) -> Gift | None:
    given = [(each, each.sure & wanted) for each in openings if each.sure.meets(wanted)]
    every = ActionSet.union(catalog, (actions for _, actions in given))
    worth, worst = gravest(every, catalog)
    if not worst or worth is Worth.LITTLE:
        return None
    parts = tuple((opening, actions & worst) for opening, actions in given if actions & worst)
    return Gift(f"{may}: {listed(worst)}", worth, bool(worst & changing(catalog)), parts)
