"""The known escalation methods, by what somebody has to hold for them."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from msgspec.structs import replace

from iam_preflight.graph.model import PrincipalKind
from iam_preflight.knowledge.escalation import (
    Actor,
    Gain,
    Method,
    MethodKind,
    Target,
    escalation_methods,
    is_assuming,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.model import Graph, Principal


ON_OTHERS = (MethodKind.PRINCIPAL, MethodKind.NEW_PASS, MethodKind.EXIST)
"""Kinds of methods that end in another principal."""


class Methods:
    """Which methods a principal has the actions for at all; answers are remembered."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._by_kind: dict[MethodKind, list[Method]] = {}
        self._asked: dict[str, set[str]] = {}
        """The actions of all methods by their service."""
        self._needs: dict[str, tuple[tuple[frozenset[str], ...], ...]] = {}
        """For each method and item the actions of each alternative that must be held."""
        self._openers: dict[tuple[MethodKind, str], set[int]] = {}
        """The places of methods of a kind, by the actions that their first item can begin with;
        the empty action for what needs none."""
        for method in escalation_methods():
            methods = self._by_kind.setdefault(method.kind, [])
            needs = self._needs[method.id] = _needs_of(method)
            first = needs[0] if needs else ()
            for action in {min(each, default="") for each in first} or {""}:
                self._openers.setdefault((method.kind, action), set()).add(len(methods))
            methods.append(method)
            for action in method.actions:
                self._asked.setdefault(action.partition(":")[0], set()).add(action)
        self._holding: dict[int, frozenset[str]] = {}
        self._hops: dict[tuple[frozenset[str], bool], tuple[Method, ...]] = {}
        self._ready: dict[tuple[frozenset[str], bool, MethodKind], tuple[Method, ...]] = {}

    def of_kind(self, kind: MethodKind) -> list[Method]:
        return self._by_kind.get(kind, [])

    def ready_for(self, actor: Principal, kind: MethodKind) -> tuple[Method, ...]:
        """The methods of a kind whose actions the actor has at all."""
        if actor.kind is PrincipalKind.GROUP:
            return ()
        key = (self.held(actor), actor.is_user, kind)
        found = self._ready.get(key)
        if found is None:
            found = self._ready[key] = tuple(self._find_ready(*key))
        return found

    def _find_ready(
        self, held: frozenset[str], is_user: bool, kind: MethodKind
    ) -> Iterator[Method]:
        methods = self.of_kind(kind)
        places = {
            place for action in (*held, "") for place in self._openers.get((kind, action), ())
        }
        for method in [methods[place] for place in sorted(places)]:
            if method.actor is Actor.USER and not is_user:
                continue
            if method.actor is Actor.ROLE and is_user:
                continue
            if self.is_ready(method, held):
                yield method

    def hops(self, actor: Principal) -> tuple[Method, ...]:
        """Those that make the actor another principal, of the kinds that act on others."""
        if actor.kind is PrincipalKind.GROUP:
            return ()
        key = (self.held(actor), actor.is_user)
        found = self._hops.get(key)
        if found is None:
            ready = (method for kind in ON_OTHERS for method in self.ready_for(actor, kind))
            found = tuple(method for method in ready if method.gain is Gain.TARGET)
            self._hops[key] = found
        return found

    def is_ready(self, method: Method, held: frozenset[str]) -> bool:
        """Whether the actions that are held are enough for a method."""
        for item in self._needs[method.id]:
            if not any(alternative <= held for alternative in item):
                return False
        return True

    def held(self, actor: Principal) -> frozenset[str]:
        """The actions of any method that the actor has at all."""
        found = self._holding.get(id(actor))
        if found is None:
            possible = self._graph.effective(actor).possible
            found = self._holding[id(actor)] = frozenset(
                action
                for service, actions in self._asked.items()
                if possible.mask(service)
                for action in actions
                if action in possible
            )
        return found


def _needs_of(method: Method) -> tuple[tuple[frozenset[str], ...], ...]:
    """The actions that a method needs, by item and alternative; assuming a role may need none."""
    return tuple(
        tuple(frozenset(p.action for p in each if not p.is_assume) for each in item)
        for item in method.needs
    )


@functools.cache
def widened_first(method: Method, widening: Method) -> Method:
    """To become somebody by one method, having done what another does short of assuming a role."""
    needs = tuple(item for item in widening.needs if not is_assuming(item))
    return replace(
        method,
        id=f"{method.id}+{widening.id}",
        gain=widening.gain,
        needs=(*needs, *method.needs),
        references=(*method.references, *widening.references),
    )


def lifts_boundary(method: Method) -> bool:
    """Whether a method takes a permissions boundary away, or rewrites it."""
    names = " ".join(method.actions)
    return "PermissionsBoundary" in names or Target.BOUNDARY in method.targets
