"""Chains of escalations: how a principal becomes an administrator through others.

Searched backwards from those who are administrators, one hop at a time, so that every
principal is reached once, by a shortest path.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from iam_preflight.findings import Confidence
from iam_preflight.graph.model import PrincipalKind
from iam_preflight.graph.narrative import is_production

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.escalation import Escalation
    from iam_preflight.graph.model import Graph, Principal

MAX_HOPS = 8


class Path(Struct, frozen=True, eq=False):
    """Hops from a principal to one that is, or can make itself, an administrator."""

    hops: tuple[Escalation, ...]

    @property
    def start(self) -> Principal:
        return self.hops[0].actor

    @property
    def end(self) -> Principal:
        target = self.hops[-1].target
        assert target is not None
        return target

    @property
    def confidence(self) -> Confidence:
        return min(hop.confidence for hop in self.hops)

    @property
    def needs_mfa(self) -> bool:
        return any(hop.needs_mfa for hop in self.hops)

    @property
    def is_guarded(self) -> bool:
        return any(hop.is_guarded for hop in self.hops)


class Paths:
    """Shortest paths of every principal to administrators; worked out once."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self._hops: dict[int, Escalation] | None = None
        self._into_production: dict[int, Escalation] | None = None

    def to_admin(self, principal: Principal) -> Path | None:
        """The shortest path of a principal that is no administrator itself."""
        return _chain(self._found(), principal)

    def to_production(self, principal: Principal) -> Path | None:
        """The shortest path from another environment to what is sensitive in production.

        Only where the end may do something sensitive, somewhere, that the beginning may nowhere.
        """
        if principal.environment is None or is_production(principal, self.graph):
            return None
        if self._into_production is None:
            ends = [
                p
                for p in self.graph.principals
                if p.is_role and is_production(p, self.graph) and self._is_worth_reaching(p)
            ]
            self._into_production = dict(self._search(ends)) if ends else {}
        path = _chain(self._into_production, principal)
        is_gain = path is not None and self.graph.powers.adds(path.end, principal)
        return path if is_gain else None

    def _is_worth_reaching(self, role: Principal) -> bool:
        powers = self.graph.powers
        return powers.is_worth_having(role) and not powers.is_powerful(role)

    def by_itself(self, principal: Principal) -> Escalation | None:
        """The surest way in which a principal makes itself administrator, with nobody's help."""
        powers = self.graph.powers
        found = [
            own
            for own in powers.of_self(principal)
            if own.confidence is not Confidence.LOW and powers.makes_admin(own)
        ]
        return max(found, key=lambda own: own.confidence, default=None)

    def to(self, principal: Principal, ends: list[Principal]) -> Path | None:
        """The shortest path of a principal to one of the given ones, whatever they may do."""
        return _chain(dict(self._search(ends)), principal)

    def _found(self) -> dict[int, Escalation]:
        if self._hops is None:
            ends = [p for p in self.graph.principals if self._is_end(p)]
            self._hops = dict(self._search(ends))
        return self._hops

    def _is_end(self, principal: Principal) -> bool:
        is_actor = principal.kind in (PrincipalKind.ROLE, PrincipalKind.USER)
        return is_actor and self.graph.powers.is_powerful(principal)

    def _search(self, ends: list[Principal]) -> Iterator[tuple[int, Escalation]]:
        remaining = {
            id(p)
            for p in self.graph.principals
            if p.kind in (PrincipalKind.ROLE, PrincipalKind.USER)
        }
        remaining.difference_update(map(id, ends))
        frontier: list[Principal] = ends
        for _ in range(MAX_HOPS):
            reached: list[Principal] = []
            for target in frontier:
                for hop in self._into(target, remaining):
                    remaining.discard(id(hop.actor))
                    yield id(hop.actor), hop
                    reached.append(hop.actor)
            if not reached or not remaining:
                return
            frontier = reached

    def _into(self, target: Principal, actors: set[int]) -> Iterator[Escalation]:
        for hop in self.graph.escalations.into(target, actors):
            if hop.confidence is not Confidence.LOW:
                yield hop


def _chain(hops: dict[int, Escalation], principal: Principal) -> Path | None:
    """The hops that begin with a principal, followed to their end."""
    chain: list[Escalation] = []
    current = principal
    while len(chain) < MAX_HOPS:
        hop = hops.get(id(current))
        if hop is None or hop.target is None:
            break
        chain.append(hop)
        current = hop.target
    return Path(tuple(chain)) if chain else None
