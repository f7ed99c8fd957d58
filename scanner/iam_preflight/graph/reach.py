"""Who is near whom, and whom trust policies let in: what can be told without trying anything."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from msgspec import Struct, field

from iam_preflight.graph.model import Principal, PrincipalKind
from iam_preflight.knowledge.escalation import Method, code_services
from iam_preflight.policy.callers import Caller
from iam_preflight.policy.evaluate import PolicySet, Request

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from iam_preflight.graph.methods import Methods
    from iam_preflight.graph.model import Graph
    from iam_preflight.policy.document import PrincipalPattern

_COGNITO = "cognito-identity.amazonaws.com"
_ANYBODY = "*"
_ACCOUNT = ":root"
"""Beside the names of principals: whom a trust policy may admit."""


class _Visitors(Struct, frozen=True):
    """Roles and users by what could make them another principal, as places in a list."""

    all: list[Principal]
    named: dict[str, list[int]] = field(default_factory=dict)
    """By the last name of their ARN, which trust policies may name."""
    active: list[int] = field(default_factory=list)
    """Those that act on others beside assuming them as roles."""
    assuming: list[int] = field(default_factory=list)
    """Those that may assume roles as far as their own policies say."""


class Reach:
    """Who could act on whom, or become whom, as far as the code says; answers are remembered."""

    def __init__(self, graph: Graph, methods: Methods) -> None:
        self._graph = graph
        self._methods = methods
        self._trusted: dict[int, frozenset[str]] = {}
        self._admitted: dict[int, frozenset[str]] = {}
        self._passables: dict[str, tuple[Principal, ...]] = {}

    def is_in_reach(self, actor: Principal, target: Principal) -> bool:
        """Whether both are in one account: known to be, or deployed together."""
        if actor.account is not None and target.account is not None:
            return actor.account == target.account
        return actor.resource.deployment.path == target.resource.deployment.path

    def is_named(self, actor: Principal, role: Principal) -> bool:
        """Whether a role's trust policy names the actor itself, wherever that is."""
        if role.trust is None or not actor.name.is_known:
            return False
        name = actor.name.text
        return any(
            principal.kind == "AWS" and principal.pattern.text.endswith(f"/{name}")
            for statement in role.trust.document.statements
            for principal in statement.principals
        )

    # ---- services

    def passable(self, method: Method) -> tuple[Principal, ...]:
        """Roles that one of the method's services may be given."""
        found = self._passables.get(method.id)
        if found is None:
            found = self._passables[method.id] = tuple(self._find_passable(method))
        return found

    def _find_passable(self, method: Method) -> Iterator[Principal]:
        for role in self._graph.roles:
            if role.path.startswith("/aws-service-role/"):
                continue
            services = method.trust_services
            if not services or any(self.trusts_service(role, service) for service in services):
                yield role

    def trusts_service(self, role: Principal, service: str) -> bool:
        """Whether a service may assume a role."""
        named = self._trusted.get(id(role))
        if named is None:
            named = self._trusted[id(role)] = _trusted_by(role)
        if role.trust is None or not (service in named or "" in named):
            return False
        caller, action = Caller.service(service), "sts:AssumeRole"
        if service == _COGNITO:
            # an identity pool gives a role to whoever has signed in, by web identity
            caller, action = Caller.provider(service), "sts:AssumeRoleWithWebIdentity"
        request = Request(action, role.arn, caller, resource_account=None)
        policies = PolicySet(resource=role.trust.document)
        return self._graph.permissions.evaluator.decide(policies, request).is_possible

    def is_configured(self, role: Principal, asked: tuple[Principal, ...] = ()) -> bool:
        """Whether only services that run no code of anybody's have a role, or roles of such."""
        principals = trusted_principals(role)
        return bool(principals) and all(
            _is_plain_service(principal)
            or (
                (taker := self._taker(principal, role)) is not None
                and taker not in (role, *asked)
                and self.is_configured(taker, (role, *asked))
            )
            for principal in principals
        )

    def _taker(self, principal: PrincipalPattern, role: Principal) -> Principal | None:
        """The role of the code that a principal of another one's trust policy means."""
        pattern = principal.pattern
        if principal.kind != "AWS":
            return None
        found = self._roles_by_arn.get(pattern.text)
        if pattern.reference is not None:
            where = pattern.reference.deployment or role.resource.deployment.path
            found = self._graph.lookup.at(where, pattern.reference.address, Principal) or found
        return found if found is not None and self.is_in_reach(found, role) else None

    @functools.cached_property
    def _roles_by_arn(self) -> dict[str, Principal]:
        return {role.arn.text: role for role in self._graph.roles}

    # ---- principals

    def may_be_admitted(self, actor: Principal, role: Principal) -> bool:
        """Whether a trust policy could mean the actor at all; cheap, for the many it does not."""
        admitted = self._admits(role)
        if _ANYBODY in admitted or _last_name(actor.arn.text) in admitted:
            return True
        # an account that is trusted has to pass it on with a policy of the actor's
        return _ACCOUNT in admitted and "sts:AssumeRole" in self._methods.held(actor)

    def _admits(self, role: Principal) -> frozenset[str]:
        admitted = self._admitted.get(id(role))
        if admitted is None:
            admitted = self._admitted[id(role)] = _admitted_by(role)
        return admitted

    def candidates(self, actor: Principal, method: Method) -> Iterable[Principal]:
        """Whom a method could reach at all: a role that has to be assumed must admit the actor."""
        if not method.must_assume:
            return self._graph.principals
        doors = self._doors
        names = (_ANYBODY, _ACCOUNT, _last_name(actor.arn.text))
        places = {place for name in names for place in doors.get(name, ())}
        return [self._graph.principals[place] for place in sorted(places)]

    @functools.cached_property
    def _doors(self) -> dict[str, list[int]]:
        """The places of the roles in the graph by whom their trust policies admit."""
        found: dict[str, list[int]] = {}
        for place, role in enumerate(self._graph.principals):
            for name in self._admits(role):
                found.setdefault(name, []).append(place)
        return found

    def who_could_become(self, target: Principal) -> Iterable[Principal]:
        """Those that act on others, and those whom a trust policy could mean, as in the graph."""
        visitors = self._visitors
        admitted = self._admits(target)
        if _ANYBODY in admitted:
            return visitors.all
        places = set(visitors.active)
        for name in admitted:
            places.update(visitors.named.get(name, ()))
        if _ACCOUNT in admitted:
            places.update(visitors.assuming)
        return [visitors.all[place] for place in sorted(places)]

    @functools.cached_property
    def _visitors(self) -> _Visitors:
        actors = [p for p in self._graph.principals if p.kind is not PrincipalKind.GROUP]
        found = _Visitors(actors)
        for place, actor in enumerate(actors):
            found.named.setdefault(_last_name(actor.arn.text), []).append(place)
            if self._acts_on_others(actor):
                found.active.append(place)
            if "sts:AssumeRole" in self._methods.held(actor):
                found.assuming.append(place)
        return found

    def _acts_on_others(self, actor: Principal) -> bool:
        """Whether it may use a method on another principal beside assuming it as a role."""
        return any(not method.must_assume for method in self._methods.hops(actor))


def trusted_principals(role: Principal) -> list[PrincipalPattern]:
    if role.trust is None:
        return []
    return [p for statement in role.trust.document.statements for p in statement.principals]


def _is_plain_service(principal: PrincipalPattern) -> bool:
    """Whether a principal is a service that runs no code of anybody's."""
    pattern = principal.pattern
    return principal.kind == "Service" and pattern.is_known and pattern.text not in code_services()


def _trusted_by(role: Principal) -> frozenset[str]:
    """The services that a trust policy names; the empty name where it may name any."""
    if role.trust is None:
        return frozenset()
    named: set[str] = set()
    for statement in role.trust.document.statements:
        if not statement.principals or statement.is_not_principal:
            named.add("")
        for principal in statement.principals:
            if principal.kind in ("Service", "Federated", "*"):
                is_plain = principal.pattern.is_known and principal.kind != "*"
                named.add(principal.pattern.text if is_plain else "")
    return frozenset(named)


def _admitted_by(role: Principal) -> frozenset[str]:
    """The last names of the principals that a trust policy names, or what stands for more."""
    if role.trust is None:
        return frozenset()
    named: set[str] = set()
    for statement in role.trust.document.statements:
        if statement.is_not_principal:
            named.add(_ANYBODY)
        for principal in statement.principals:
            if principal.kind not in ("AWS", "*"):
                continue
            text = principal.pattern.text
            if ":user/" in text or ":role/" in text or ":assumed-role/" in text:
                named.add(_last_name(text))
            else:
                named.add(_ACCOUNT if text.endswith(":root") else _ANYBODY)
    return frozenset(named)


def _last_name(arn: str) -> str:
    return arn.rpartition("/")[2]
