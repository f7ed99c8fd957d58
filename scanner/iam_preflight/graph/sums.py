"""Which statements it takes to make a principal an administrator, and which one to remove."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from iam_preflight.graph.model import Origin
from iam_preflight.policy.effective import admin_probes

if TYPE_CHECKING:
    from iam_preflight.graph.model import Graph, Policy, Principal
    from iam_preflight.policy.document import Statement
    from iam_preflight.policy.effective import Grant
    from iam_preflight.source import Span


class Contribution(Struct, frozen=True):
    """A statement that it takes, and where it is: for an AWS-managed policy, its attachment."""

    policy: Policy
    statement: Statement
    place: Span
    text: str
    """The actions, or the AWS-managed policy, as people know them."""
    is_enough: bool
    """Whether the principal is no administrator without it."""

    @property
    def label(self) -> str:
        return f"gives {self.text}" if self.policy.origin is not Origin.AWS_MANAGED else self.text


def contributions(principal: Principal, graph: Graph) -> tuple[Contribution, ...]:
    """The fewest statements found that make the principal an administrator, those to cut first."""
    effective = graph.effective(principal)
    givers: dict[str, list[Grant]] = {}
    for probe in admin_probes():
        givers[probe] = [
            grant
            for grant in effective.grants(probe, only_broad=True)
            if grant.is_broad and effective.is_broad_within_limits(grant)
        ]
    chosen = _cover(givers)
    only = {id(grants[0].statement) for grants in givers.values() if _is_one(grants)}
    found: list[tuple[int, Contribution]] = []
    for grant in chosen:
        probes = [p for p, grants in givers.items() if any(_same(grant, g) for g in grants)]
        weight = sum(probe.startswith("iam:") for probe in probes)
        found.append((weight, _contribution(principal, grant, id(grant.statement) in only)))
    found.sort(key=lambda each: (not each[1].is_enough, -each[0]))
    return tuple(contribution for _, contribution in found)


def _is_one(grants: list[Grant]) -> bool:
    """Whether all come from one statement."""
    return len({id(grant.statement) for grant in grants}) == 1


def _same(left: Grant, right: Grant) -> bool:
    return left.statement is right.statement


def _cover(givers: dict[str, list[Grant]]) -> list[Grant]:
    """One grant for each of a few statements that together give every probe."""
    missing = {probe for probe, grants in givers.items() if grants}
    chosen: list[Grant] = []
    while missing:
        gives = [
            (grant, {p for p in missing if any(_same(grant, g) for g in givers[p])})
            for probe in sorted(missing)
            for grant in givers[probe]
        ]
        best, given = max(gives, key=lambda each: len(each[1]))
        chosen.append(best)
        missing -= given
    return chosen


def _contribution(principal: Principal, grant: Grant, is_enough: bool) -> Contribution:
    attachment = next(a for a in principal.held() if a.policy.document is grant.document)
    policy = attachment.policy
    if policy.origin is Origin.AWS_MANAGED:
        return Contribution(policy, grant.statement, attachment.place, policy.name, is_enough)
    pattern = grant.pattern
    text = pattern.text if pattern is not None else "all but the named actions"
    return Contribution(policy, grant.statement, grant.action_place, text, is_enough)
