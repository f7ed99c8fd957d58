"""The known escalation methods, by what somebody has to hold for them."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from msgspec.structs import replace

from iam_preflight.graph.model import PrincipalKind
from iam_preflight.knowledge.escalation import Actor, Method, MethodKind, Target, escalation_methods

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.model import Graph, Principal
    from iam_preflight.knowledge.escalation import Alternative, Permission


class Methods:
    """Which methods a principal has the actions for at all; answers are remembered."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._by_kind: dict[MethodKind, list[Method]] = {}
        self._asked: dict[str, set[str]] = {}
        """The actions of all methods by their service."""
        self._needs: dict[str, tuple[tuple[frozenset[str], ...], ...]] = {}
        """For each method and item the actions of each alternative that must be held."""
        for method in escalation_methods():
            self._by_kind.setdefault(method.kind, []).append(method)
            self._needs[method.id] = _needs_of(method)
            for action in method.actions:
                self._asked.setdefault(action.partition(":")[0], set()).add(action)
        self._holding: dict[int, frozenset[str]] = {}
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
        for method in self.of_kind(kind):
            if method.actor is Actor.USER and not is_user:
                continue
            if method.actor is Actor.ROLE and is_user:
                continue
            if self.is_ready(method, held):
                yield method

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
        tuple(frozenset(p.action for p in each if not is_assume(p)) for each in item)
        for item in method.needs
    )


def is_assume(permission: Permission) -> bool:
    return permission.action == "sts:AssumeRole"


def must_assume(method: Method) -> bool:
    """Whether the target has to be assumed as a role, whatever else the method needs."""
    return any(map(_is_to_assume, method.needs))


def _is_to_assume(item: tuple[Alternative, ...]) -> bool:
    return all(
        any(is_assume(p) and p.target is Target.ROLE for p in alternative) for alternative in item
    )


@functools.cache
def widened_first(method: Method, widening: Method) -> Method:
    """To become somebody by one method, having done what another does short of assuming a role."""
    needs = tuple(item for item in widening.needs if not _is_to_assume(item))
    return replace(
        method,
        id=f"{method.id}+{widening.id}",
        gain=widening.gain,
        needs=(*needs, *method.needs),
        references=(*method.references, *widening.references),
    )


def variables_of(method: Method) -> set[Target]:
    return {p.target for item in method.needs for alternative in item for p in alternative}


def lifts_boundary(method: Method) -> bool:
    """Whether a method takes a permissions boundary away, or rewrites it."""
    names = " ".join(method.actions)
    return "PermissionsBoundary" in names or Target.BOUNDARY in variables_of(method)
