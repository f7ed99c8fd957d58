"""Whether this scan is about the audit baseline of accounts, and what is known to be missing.

A rule that asks "is there a trail?" is right only where the trail belongs: in the code that sets
up the audit services of an account or an organization. A repository of an application, or a
module about one thing, is not the place, and there these rules keep silent.

The scope is given by the setting `baseline`; else the code shows it: it manages the organization
and an audit service, or sets up two audit services in one root module or stack.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from iam_preflight.findings import Confidence
from iam_preflight.knowledge.audit import audit_facts
from iam_preflight.values import arms_of, bool_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from iam_preflight.graph.model import Graph
    from iam_preflight.resources import Resource
    from iam_preflight.source import Span

ORGANIZATION = "organization"
LANDING_ZONE = "landing zone"


class Baseline(Struct, frozen=True):
    """The audit baseline that this scan is about."""

    anchor: Resource
    """Where a missing control is reported: what shows best that the baseline is set up here."""
    kinds: frozenset[str]
    """Which controls the code sets up, by their names in `external_controls`."""
    organization: Resource | None
    is_declared: bool
    """The settings say so."""
    missing_modules: tuple[str, ...] = ()
    """What is said of modules that are not here."""

    @property
    def place(self) -> Span:
        return self.anchor.header

    def absence(self, control: str) -> Confidence:
        """How sure it is that a control which is not in the code is missing.

        A module that is not here may bring it; something outside the code may do so too.
        """
        facts = audit_facts()
        words = (*facts.module_words.get(control, ()), *facts.module_words["baseline"])
        if any(word in said.lower() for said in self.missing_modules for word in words):
            return Confidence.LOW
        return Confidence.HIGH if self.is_declared else Confidence.MEDIUM


def baseline_of(graph: Graph) -> Baseline | None:
    """The baseline that the scan is about; None where audit services do not belong."""
    declared = graph.settings.baseline
    if declared is False or not graph.resources:
        return None
    evidence = _evidence(graph)
    organization = next(iter(evidence.get(ORGANIZATION, ())), None)
    if LANDING_ZONE in evidence:
        # AWS Control Tower sets up trail, Config and detection itself
        return None
    if declared is None and not _is_shown(evidence):
        return None
    own = [resource for resources in evidence.values() for resource in resources]
    shown = [*graph.of_type("aws_cloudtrail"), *own, *graph.resources]
    return Baseline(
        anchor=organization or shown[0],
        kinds=frozenset(evidence),
        organization=organization,
        is_declared=declared is True,
        missing_modules=tuple(problem.message for problem in graph.missing_modules),
    )


def provides(graph: Graph, control: str) -> bool:
    """Whether another repository is declared to provide a control."""
    return control in graph.settings.external_controls


def _evidence(graph: Graph) -> dict[str, list[Resource]]:
    """The resources that set up audit services for a whole account, by control."""
    facts = audit_facts()
    found: dict[str, list[Resource]] = {}
    for control, types in facts.controls.items():
        resources = [one for one in graph.of_type(*types) if _is_account_wide(one)]
        if resources:
            found[control] = resources
    zones = graph.of_type(*facts.landing_zones)
    if zones:
        found[LANDING_ZONE] = zones
    return found


def _is_account_wide(resource: Resource) -> bool:
    """A trail of one region is often there for the events of an application."""
    if resource.type != "aws_cloudtrail":
        return True
    return any(
        flag(resource, name, default=False) is not False
        for name in ("is_multi_region_trail", "is_organization_trail")
    )


def _is_shown(evidence: dict[str, list[Resource]]) -> bool:
    others = {name: found for name, found in evidence.items() if name != ORGANIZATION}
    if ORGANIZATION in evidence and others:
        return True
    kinds: dict[str, set[str]] = {}
    for control, resources in others.items():
        for path in _deployments(resources):
            kinds.setdefault(path, set()).add(control)
    return any(len(controls) > 1 for controls in kinds.values())


def _deployments(resources: Iterable[Resource]) -> set[str]:
    return {resource.deployment.path for resource in resources}


def flag(resource: Resource, name: str, *, default: bool) -> bool | None:
    """A switch of a resource: its default where it is not written, None where it may be either."""
    value = resource.get(name)
    if value is None:
        return default
    arms = {bool_of(arm) for _, arm in arms_of(value)}
    return arms.pop() if len(arms) == 1 else None
