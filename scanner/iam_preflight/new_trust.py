"""Who may assume a role now that could not before: trust compared, principal by principal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from iam_preflight.baseline import generalised
from iam_preflight.graph.trust import grants

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.model import Graph, Principal
    from iam_preflight.graph.trust import Grant
    from iam_preflight.policy.document import Condition, Statement
    from iam_preflight.source import Span

_Key = tuple[str, str]
_Who = tuple[str, str]


class NewTrust(Struct, frozen=True):
    """A principal that a role's trust policy lets in now, or asks less of."""

    role: Principal
    kind: str
    """`AWS`, `Service`, `Federated`."""
    who: str
    """As the policy writes it: an ARN, an account id, `*`, `lambda.amazonaws.com`."""
    place: Span
    dropped: tuple[str, ...] = ()
    """Conditions that the base asked of the same principal and the head does not."""
    widened: tuple[str, ...] = ()
    """Conditions that let more values through than before."""

    @property
    def message(self) -> str:
        if self.dropped:
            return f"{self.role.label} no longer asks {self.who} for {', '.join(self.dropped)}"
        if self.widened:
            return f"{self.role.label} asks {self.who} for less in {', '.join(self.widened)}"
        return f"{self.role.label} can now be assumed by {self.who}"


def new_trust(base: Graph, head: Graph) -> Iterator[NewTrust]:
    """Every grant of the head that the base has in no form at least as wide, in order."""
    before = _by_role(base)
    for role in head.roles:
        earlier = before.get(_key(role), {})
        told: set[str] = set()
        for grant in grants(role.trust, head.accounts):
            found = _compare(role, grant, earlier)
            if found is not None and found.message not in told:
                told.add(found.message)
                yield found


def _key(role: Principal) -> _Key:
    return role.resource.deployment.path, generalised(role.address)


def _by_role(graph: Graph) -> dict[_Key, dict[_Who, list[Statement]]]:
    roles: dict[_Key, dict[_Who, list[Statement]]] = {}
    for role in graph.roles:
        held = roles.setdefault(_key(role), {})
        for grant in grants(role.trust, graph.accounts):
            held.setdefault(_who(grant), []).append(grant.statement)
    return roles


def _who(grant: Grant) -> _Who:
    return grant.principal.kind, grant.principal.pattern.text


def _compare(
    role: Principal, grant: Grant, earlier: dict[_Who, list[Statement]]
) -> NewTrust | None:
    kind, who = _who(grant)
    before = earlier.get((kind, who))
    if before is None:
        return NewTrust(role, kind, who, grant.principal.span)
    losses = [_lost(statement, grant.statement) for statement in before]
    if any(not dropped and not widened for dropped, widened in losses):
        return None
    # told by the statement of the base that is nearest
    dropped, widened = min(losses, key=lambda one: (len(one[0]) + len(one[1]), one))
    return NewTrust(role, kind, who, grant.principal.span, dropped, widened)


def _lost(before: Statement, now: Statement) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Conditions of the base that are gone, and those that let more through."""
    dropped: list[str] = []
    widened: list[str] = []
    for condition in before.conditions:
        name = f"{condition.operator.name} {condition.key.text}"
        same = [one for one in now.conditions if _name(one) == _name(condition)]
        if not same:
            dropped.append(name)
        elif not any(_is_as_narrow(one, condition) for one in same):
            widened.append(name)
    return tuple(dict.fromkeys(dropped)), tuple(dict.fromkeys(widened))


def _name(condition: Condition) -> tuple[str, str]:
    return condition.operator.name.lower(), condition.key_name


def _is_as_narrow(now: Condition, before: Condition) -> bool:
    """Whether every request that the condition lets through passed the earlier one."""
    new = {value.text for value in now.values}
    old = {value.text for value in before.values}
    return new >= old if now.operator.is_negated else new <= old
