"""What documents are for: boundaries, and policy document blocks that somebody takes in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.graph.boundaries import mark_boundaries
from iam_preflight.knowledge.policy_blocks import OVERRIDES, POLICY_DOCUMENT, SOURCES
from iam_preflight.policy.document import DocumentUse
from iam_preflight.values import items_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.model import Policy
    from iam_preflight.graph.nodes import Nodes
    from iam_preflight.resources import Resource
    from iam_preflight.settings import Settings


def judge_uses(nodes: Nodes, settings: Settings) -> tuple[Policy, ...]:
    """Decides what documents are for, now that it is known who holds them; those that count."""
    for policy in nodes.policies:
        with nodes.kept_to(policy.resource):
            mark_boundaries(policy, nodes.lookup, settings)
    shown: set[tuple[int, int]] = set()
    for policy in nodes.policies:
        if policy.is_source_only:
            if policy.is_boundary:
                policy.use = DocumentUse.BOUNDARY
            continue
        if policy.is_boundary and not policy.attachments:
            policy.use = DocumentUse.BOUNDARY
        for statement in policy.document.statements:
            shown.add((id(statement.span.source), statement.span.start))
    merged = _merged(nodes)
    kept: list[Policy] = []
    for policy in nodes.policies:
        if policy.is_source_only and (
            (policy.resource.deployment.path, policy.address) in merged
            or any(
                (id(statement.span.source), statement.span.start) in shown
                for statement in policy.document.statements
            )
        ):
            continue
        kept.append(policy)
    return tuple(kept)


def _merged(nodes: Nodes) -> set[tuple[str, str]]:
    """The policy document blocks that others take in, by deployment and address.

    What an override leaves of them is in those others; the rest is nobody's.
    """
    found: set[tuple[str, str]] = set()
    for resource in nodes.resources:
        if resource.is_data and resource.type == POLICY_DOCUMENT:
            with nodes.kept_to(resource):
                found.update(_taken_in(resource))
    return found


def _taken_in(resource: Resource) -> Iterator[tuple[str, str]]:
    for argument in (*SOURCES, *OVERRIDES):
        for _, item in items_of(resource.get(argument)):
            reference = getattr(item, "reference", None)
            if reference is not None:
                yield reference.deployment or resource.deployment.path, reference.address
