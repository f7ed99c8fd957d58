"""Ways to become an administrator that a change opens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from iam_preflight.baseline import generalised
from iam_preflight.findings import Place
from iam_preflight.graph.model import PrincipalKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from iam_preflight.graph.escalation import Escalation
    from iam_preflight.graph.model import Graph, Principal

_ACTORS = (PrincipalKind.ROLE, PrincipalKind.USER, PrincipalKind.PERMISSION_SET)


class NewPath(Struct, frozen=True):
    """A principal that can become an administrator now and could not before."""

    principal: Principal
    message: str
    steps: tuple[Place, ...]
    """The hops, each where its permission is written."""


def new_paths(base: Graph, head: Graph) -> Iterator[NewPath]:
    before = {_key(principal): principal for principal in base.of_kind(*_ACTORS)}
    for principal in head.of_kind(*_ACTORS):
        earlier = before.get(_key(principal))
        if earlier is not None and _is_dangerous(earlier, base):
            continue
        path = head.paths.to_admin(principal)
        if head.powers.is_admin(principal):
            message = f"{principal.label} is an administrator now"
            yield NewPath(principal, message, (Place(principal.resource.header, "the principal"),))
        elif head.powers.is_powerful(principal):
            hops = head.powers.of_self(principal)
            message = f"{principal.label} can now make itself an administrator"
            yield NewPath(principal, message, tuple(_steps(hops[:1], principal)))
        elif path is not None:
            told = ", then ".join(hop.describe() for hop in path.hops)
            message = f"{principal.label} can now become an administrator: {told}"
            yield NewPath(principal, message, tuple(_steps(path.hops, principal)))


def _key(principal: Principal) -> tuple[str, str]:
    return principal.resource.deployment.path, generalised(principal.address)


def _is_dangerous(principal: Principal, graph: Graph) -> bool:
    """Whether it is, makes itself, or reaches an administrator."""
    is_powerful = graph.powers.is_admin(principal) or graph.powers.is_powerful(principal)
    return is_powerful or graph.paths.to_admin(principal) is not None


def _steps(hops: Iterable[Escalation], principal: Principal) -> Iterator[Place]:
    for hop in hops:
        place = hop.places[0].span if hop.places else principal.resource.header
        yield Place(place, f"{hop.actor.label} {hop.describe()}")
