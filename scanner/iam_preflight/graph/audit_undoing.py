"""Who may make the audit trail useless: stop it, thin it out, delete what it wrote.

Some of it every account has (a trail, GuardDuty), so that the permission on everything is
enough. Log groups, buckets and keys matter only where the code shows that they are the trail's,
and only to principals of the same account or root module.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from iam_preflight.graph.arns import arn_of
from iam_preflight.graph.audit_routes import EVENT_RULE, catches_something, event_rules
from iam_preflight.graph.trails import TRAIL, trails_of
from iam_preflight.knowledge.audit import audit_facts
from iam_preflight.policy.scope import Strength
from iam_preflight.policy.truth import Truth

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.model import Graph, Principal
    from iam_preflight.knowledge.audit import Undoing
    from iam_preflight.policy.document import Pattern
    from iam_preflight.policy.effective import Effective, Grant
    from iam_preflight.resources import Resource


class Threat(Struct, frozen=True):
    """A part of the audit trail that a principal may undo."""

    what: str
    grants: tuple[Grant, ...]
    """One for each action."""
    targets: tuple[Resource, ...]
    """What the code shows of it; empty where only the account has it."""
    is_copy: bool = False
    """What is undone is a copy; the trail's files stay."""

    @property
    def actions(self) -> tuple[str, ...]:
        return tuple(grant.action for grant in self.grants)

    @property
    def is_sure(self) -> bool:
        return any(_is_sure(grant) for grant in self.grants)

    @property
    def is_contextual(self) -> bool:
        """Whether every way to it asks for a region, a network, a second factor or the like."""
        return all(grant.strength is Strength.CONTEXT for grant in self.grants)


class Undoings:
    """The threats of a scan; what belongs to the trails is found once."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph

    @functools.cached_property
    def _parts(self) -> dict[str, list[Resource]]:
        """The resources that the audit trail hangs on, by type."""
        trails = trails_of(self._graph)
        found: dict[str, list[Resource]] = {
            TRAIL: [trail.resource for trail in trails],
            "aws_cloudwatch_log_group": [t.log_group for t in trails if t.log_group is not None],
            "aws_s3_bucket": [t.bucket.resource for t in trails if t.bucket is not None],
            "aws_kms_key": [trail.key for trail in trails if trail.key is not None],
            EVENT_RULE: [r for r in event_rules(self._graph) if catches_something(r)],
        }
        return {name: list({id(r): r for r in parts}.values()) for name, parts in found.items()}

    def of(self, principal: Principal) -> Iterator[Threat]:
        """What a principal may undo."""
        effective = self._graph.effective(principal)
        possible = effective.possible
        for undoing in audit_facts().undoing:
            if any(action in possible for action in undoing.actions):
                threat = self._threat(undoing, principal, effective)
                if threat is not None:
                    yield threat

    def _threat(
        self, undoing: Undoing, principal: Principal, effective: Effective
    ) -> Threat | None:
        targets = [
            target
            for name in undoing.resources
            for target in self._parts.get(name, ())
            if _is_near(principal, target)
        ]
        found: dict[str, Grant] = {}
        hit: dict[int, Resource] = {}
        for action in undoing.actions:
            for target in targets:
                grant = _on_target(action, target, undoing.suffix, effective)
                if grant is not None:
                    found.setdefault(action, grant)
                    hit[id(target)] = target
            if undoing.everywhere and action not in found:
                broad = effective.broad(action)
                if broad is not None:
                    found[action] = broad
        if not found:
            return None
        return Threat(undoing.what, tuple(found.values()), tuple(hit.values()), undoing.is_copy)


def _is_near(principal: Principal, target: Resource) -> bool:
    """Whether both are in one account, as far as the code says."""
    account = target.provider.account_id
    if principal.account is not None and account is not None:
        return principal.account == account
    return principal.resource.deployment.path == target.deployment.path


def _on_target(action: str, target: Resource, suffix: str, effective: Effective) -> Grant | None:
    """The grant that lets somebody do it to one resource of the trail."""
    arn = arn_of(target)
    if arn is None:
        return effective.broad(action)
    decision = effective.allows(action, _with_suffix(arn, suffix))
    if not decision.is_allowed:
        return None
    for grant in effective.grants(action):
        if grant.strength <= Strength.CONTEXT:
            return replace(grant, decision=decision)
    return None


def _with_suffix(arn: Pattern, suffix: str) -> Pattern:
    return replace(arn, parts=(*arn.parts, suffix)) if suffix else arn


def _is_sure(grant: Grant) -> bool:
    return grant.decision.is_allowed or grant.breadth is Truth.YES
