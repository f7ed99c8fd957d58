"""The base of rules about classes of actions that a statement allows on every resource."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from iam_preflight.findings import Finding, Persona, Severity
from iam_preflight.graph.exposure import listed
from iam_preflight.graph.wide import TAG
from iam_preflight.knowledge.worth import Worth, gravest
from iam_preflight.rules import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.findings import Confidence
    from iam_preflight.graph.exposure import Exposure
    from iam_preflight.graph.model import Graph, Policy
    from iam_preflight.knowledge.actionset import ActionSet
    from iam_preflight.knowledge.catalog import Catalog

SEVERITIES = {
    Worth.MOST: Severity.HIGH,
    Worth.SOME: Severity.MEDIUM,
    Worth.LITTLE: Severity.LOW,
}


class OpenActionsRule(Rule, abstract=True):
    """One finding for each statement that leaves some of the wanted actions open.

    As severe as the actions are worth; those that are worth little are for the pedantic.
    """

    may: ClassVar[str]
    """What the holder may do, for the message: `read secrets or data of any name`."""
    cure: ClassVar[str]
    cure_by_tag: ClassVar[str] = ""
    """What else cures it where the resources can have tags, as a clause."""
    cure_in_iam: ClassVar[str] = ""
    """The cure for actions of IAM itself, which knows who somebody is."""

    def wanted(self, catalog: Catalog) -> ActionSet:
        """The actions that the rule is about."""
        raise NotImplementedError

    def check_policy(self, policy: Policy, graph: Graph) -> Iterator[Finding]:
        exposures = graph.exposures.of(policy)
        if not exposures:
            return
        wanted = self.wanted(graph.permissions.evaluator.catalog)
        # a block that is repeated for each of a list is one place to edit
        by_place: dict[tuple[str, int, int], list[tuple[Exposure, ActionSet]]] = {}
        for exposure in exposures:
            found = exposure.opening.open & wanted
            if found:
                told = found & exposure.opening.sure or found
                place = exposure.statement.span.sort_key()
                by_place.setdefault(place, []).append((exposure, told))
        for same in by_place.values():
            yield self._open(same)

    def _open(self, same: list[tuple[Exposure, ActionSet]]) -> Finding:
        exposure, told = max(same, key=_gravity)
        opening = exposure.opening
        worth, worst = gravest(told, exposure.catalog)
        patterns = exposure.patterns(worst)
        place = exposure.action_place(patterns)
        every = [name for each, found in same for name in gravest(found, each.catalog)[1]]
        action = exposure.catalog.action(next(iter(worst)))
        resource = opening.resource_pattern(action)
        return self.finding(
            f"{exposure.who} may {self.may}: {listed(dict.fromkeys((*worst, *every)))}",
            on=exposure.policy,
            at=place,
            label=f"may {self.may}",
            severity=exposure.severity(SEVERITIES[worth], worst),
            confidence=exposure.confidence(told),
            persona=Persona.PEDANTIC if worth is Worth.LITTLE else None,
            related=[
                *((pattern.span, "and this") for pattern in patterns[1:4]),
                (exposure.resource_place(resource), "on these resources"),
                *exposure.related(),
            ],
            hint=self._hint(worst, exposure.catalog),
            causes=(exposure.statement.span, place),
            assumptions=exposure.assumptions(next(iter(patterns), None), resource),
            principal=exposure.holder,
        )

    def _hint(self, actions: ActionSet, catalog: Catalog) -> str:
        if self.cure_in_iam and all(name.startswith("iam:") for name in actions):
            return self.cure_in_iam
        has_tags = all(catalog.is_key_available(TAG, name) for name in actions)
        return self.cure + self.cure_by_tag * has_tags


def _gravity(each: tuple[Exposure, ActionSet]) -> tuple[Confidence, Worth]:
    exposure, told = each
    return exposure.confidence(told), gravest(told, exposure.catalog)[0]
