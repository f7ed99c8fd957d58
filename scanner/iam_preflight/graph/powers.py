"""How much somebody may do: administrators, who can make themselves one, and who gains by whom."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from iam_preflight.findings import Confidence
from iam_preflight.graph.boundaries import KEY as BOUNDARY_KEY
from iam_preflight.graph.method_targets import Binding
from iam_preflight.graph.methods import lifts_boundary
from iam_preflight.graph.model import Attachment, Origin, Principal, PrincipalKind
from iam_preflight.graph.tags import Tags
from iam_preflight.knowledge.catalog import ActionClass
from iam_preflight.knowledge.escalation import (
    Actor,
    Gain,
    MethodKind,
    Target,
    escalation_methods,
)
from iam_preflight.policy.context import Context, Presence
from iam_preflight.policy.document import DocumentUse, Pattern
from iam_preflight.policy.truth import Truth
from iam_preflight.values import Reason, Unknown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.attempts import Attempts
    from iam_preflight.graph.escalation import Escalation
    from iam_preflight.graph.method_targets import MethodTargets
    from iam_preflight.graph.methods import Methods
    from iam_preflight.graph.model import Graph, Policy
    from iam_preflight.knowledge.actionset import ActionSet
    from iam_preflight.knowledge.escalation import Method, Permission
    from iam_preflight.policy.effective import Effective, Grant


class Powers:
    """What the principals of a graph may do that is worth having; answers are remembered."""

    def __init__(
        self, graph: Graph, methods: Methods, targets: MethodTargets, attempts: Attempts
    ) -> None:
        self._graph = graph
        self._permissions = graph.permissions
        self._methods = methods
        self._targets = targets
        self._attempts = attempts
        self._admins: dict[int, bool] = {}
        self._unbound: dict[int, bool] = {}
        self._self: dict[int, tuple[Escalation, ...]] = {}
        self._holders: dict[int, Principal] = {}
        """Whoever is given a policy that nobody in the code holds, by the policy."""
        self._power: dict[int, frozenset[str]] = {}
        self._broad: dict[tuple[int, str], Grant | None] = {}
        self._worths: dict[int, ActionSet] = {}
        self._handed_out = frozenset(id(attachment.policy) for attachment in graph.outside)
        """Policies that the code attaches to somebody whom it does not make."""

    # ---- administrators

    def is_admin(self, principal: Principal) -> bool:
        """Whether its policies alone make it an administrator, whatever the unknowns are.

        What control policies take from everybody in the account it cannot win back by becoming
        somebody else there.
        """
        found = self._admins.get(id(principal))
        if found is None:
            bound = self._graph.effective(principal)
            own = self._permissions.without_control_policies(principal)
            found = bound.is_admin is Truth.YES or own.is_admin is Truth.YES
            self._admins[id(principal)] = found
        return found

    def is_powerful(self, principal: Principal) -> bool:
        """Whether it is an administrator or can surely make itself one; of a group, its members."""
        if principal.kind is PrincipalKind.GROUP:
            return self._is_powerful_group(principal)
        return self.is_admin(principal) or any(
            escalation.confidence is Confidence.HIGH and self.makes_admin(escalation)
            for escalation in self.of_self(principal)
        )

    def makes_admin(self, escalation: Escalation) -> bool:
        """Whether it ends with the permissions of an administrator."""
        if escalation.method.gain is Gain.ADMIN:
            widened = _widened_by(escalation.method, escalation.actor, escalation.target)
            return widened is None or self._may_be_admin(widened)
        target = escalation.target
        if target is None or escalation.method.gain is not Gain.TARGET:
            return False
        return self.is_powerful(target)

    def _may_be_admin(self, principal: Principal) -> bool:
        """Whether its boundary lets it be an administrator, or get there by what it leaves.

        Whatever policies it is given, it may do no more than its boundary allows.
        """
        found = self._unbound.get(id(principal))
        if found is None:
            widest = self._permissions.within_boundary(principal)
            found = (
                widest is None
                or widest.is_admin is not Truth.NO
                or any(self._leads_on(principal, widest, method) for method in escalation_methods())
            )
            self._unbound[id(principal)] = found
        return found

    def _leads_on(self, principal: Principal, widest: Effective, method: Method) -> bool:
        """Whether a boundary leaves what a method needs, with which the boundary is no limit."""
        if method.actor is Actor.USER and not principal.is_user:
            return False
        if method.actor is Actor.ROLE and principal.is_user:
            return False
        match method.kind:
            case MethodKind.SELF if Target.NEW not in method.targets:
                return False
            case MethodKind.GUARD if not lifts_boundary(method):
                return False
            case MethodKind.PRINCIPAL | MethodKind.NEW_PASS | MethodKind.EXIST:
                if method.is_plain_assume or not self._has_admin_but(principal):
                    return False
            case MethodKind.SELF | MethodKind.GUARD:
                pass
            case _:
                return False
        return all(
            any(
                all(self._leaves(widest, principal, permission) for permission in alternative)
                for alternative in item
            )
            for item in method.needs
        )

    def _leaves(self, widest: Effective, principal: Principal, permission: Permission) -> bool:
        resource: str | Pattern = "*"
        boundary = principal.boundary
        if permission.target is Target.SELF:
            resource = principal.arn
        elif permission.target is Target.BOUNDARY and boundary is not None and boundary.policy:
            resource = boundary.policy.arn or "*"
        keys = {} if permission.target is not Target.NEW else {BOUNDARY_KEY: Presence.ABSENT}
        return widest.allows(permission.action, resource, Context(keys)).is_possible

    def _has_admin_but(self, principal: Principal) -> bool:
        """Whether somebody else in the code is an administrator."""
        return any(p is not principal and self.is_admin(p) for p in self._graph.principals)

    def widens(self, method: Method, actor: Principal, target: Principal | None = None) -> bool:
        """Whether a method that gives whatever one likes gives anything worth having.

        What it is done to may be bounded, and then is good for what the boundary leaves.
        """
        widened = _widened_by(method, actor, target)
        if method.gain is not Gain.ADMIN or widened is None or self._may_be_admin(widened):
            return True
        widest = self._permissions.within_boundary(widened)
        if widest is None:
            return True
        worth = widest.possible & widest.catalog.sensitive
        return bool(worth - self._graph.effective(actor).possible)

    def _is_powerful_group(self, group: Principal) -> bool:
        """Whether members of a group are administrators or can make themselves so."""
        effective = self._graph.effective(group)
        return effective.is_admin is Truth.YES or any(True for _ in self._of_members(group))

    def _of_members(self, holder: Principal) -> Iterator[Escalation]:
        """Ways to become administrator that whoever is in a group has by the group alone.

        Or whoever holds a policy, by that one; only users are in groups, holders may be roles.
        """
        held = self._methods.held(holder)
        for method in self._methods.of_kind(MethodKind.SELF):
            if holder.kind is PrincipalKind.GROUP and method.actor is Actor.ROLE:
                continue
            if method.gain is Gain.ADMIN and self._methods.is_ready(method, held):
                uses = self._attempts.broad_uses(holder, method)
                if uses is not None:
                    yield self._attempts.escalation(holder, method, uses, Binding())

    def of_self(self, actor: Principal) -> tuple[Escalation, ...]:
        """Ways in which an actor can make itself an administrator."""
        found = self._self.get(id(actor))
        if found is None:
            # a cycle (may A do more than B, may B …) ends here: what is being asked is no
            self._self[id(actor)] = ()
            found = self._self[id(actor)] = tuple(self._of_self(actor))
        return found

    def _of_self(self, actor: Principal) -> Iterator[Escalation]:
        if self.is_admin(actor):
            return
        if actor.kind is PrincipalKind.GROUP:
            # members in the code are asked themselves
            yield from () if actor.memberships else self._of_members(actor)
            return
        for method in self._methods.ready_for(actor, MethodKind.SELF):
            bindings = [Binding()]
            if method.gain is Gain.TARGET:
                bindings = [Binding(group) for group in self._groups(actor, method)]
            for binding in bindings:
                escalation = self._attempts.tried(actor, method, binding)
                if escalation is not None and self.widens(method, actor):
                    yield escalation

    def _groups(self, actor: Principal, method: Method) -> Iterator[Principal]:
        """The groups that a method is about and that are worth it."""
        is_joining = "iam:AddUserToGroup" in method.actions
        for group in self._targets.groups(actor, method):
            if not is_joining or self.exceeds_as_member(group, actor):
                yield group

    def of_holder(self, policy: Policy) -> tuple[Escalation, ...]:
        """Ways in which whoever is given a policy can make itself an administrator.

        Of policies that the code attaches to nobody; of others the holders are asked.
        """
        if policy.use is not DocumentUse.IDENTITY or policy.attachments:
            return ()
        if policy.origin is not Origin.CUSTOMER_MANAGED or id(policy) in self._handed_out:
            return ()
        holder = self._holders.get(id(policy))
        if holder is None:
            holder = self._holders[id(policy)] = _holder_of(policy)
        return () if self.is_admin(holder) else tuple(self._of_members(holder))

    # ---- what is worth having

    def _worth_of(self, principal: Principal) -> ActionSet:
        """What it may do that is worth having: sensitive, and not what everybody has."""
        found = self._worths.get(id(principal))
        if found is None:
            catalog = self._permissions.evaluator.catalog
            sensitive = self._graph.effective(principal).possible & catalog.sensitive
            found = sensitive - catalog.classes[ActionClass.COMMONPLACE]
            self._worths[id(principal)] = found
        return found

    def power(self, principal: Principal) -> frozenset[str]:
        """The sensitive actions that it may do on everything."""
        found = self._power.get(id(principal))
        if found is None:
            sensitive = self._worth_of(principal)
            found = frozenset(a for a in sensitive if self._is_broad(principal, a))
            self._power[id(principal)] = found
        return found

    def has_power(self, principal: Principal) -> bool:
        """Whether there is any such action; cheaper than to list them."""
        return any(self._is_broad(principal, action) for action in self._worth_of(principal))

    def is_sensitive(self, principal: Principal) -> bool:
        """Whether there is a sensitive action that it may surely do on everything."""
        return any(
            self._is_broad(principal, action, is_sure=True) for action in self._worth_of(principal)
        )

    def _is_broad(self, principal: Principal, action: str, *, is_sure: bool = False) -> bool:
        """Whether it may do an action on everything; `is_sure`: whatever the unknowns are."""
        key = (id(principal), action)
        if key not in self._broad:
            self._broad[key] = self._graph.effective(principal).broad(action)
        grant = self._broad[key]
        return grant is not None and (not is_sure or grant.breadth is Truth.YES)

    def is_worth_having(self, principal: Principal) -> bool:
        """Whether it may do something sensitive, somewhere."""
        return bool(self._worth_of(principal))

    # ---- who gains by whom

    def exceeds(self, target: Principal, actor: Principal) -> bool:
        """Whether becoming the target gives the actor something worth having."""
        if target is actor or self.is_admin(actor):
            return False
        if self.is_powerful(target):
            return not self.is_powerful(actor)
        return self._has_more_power(target, actor)

    def _has_more_power(self, target: Principal, actor: Principal) -> bool:
        return any(not self._is_broad(actor, action) for action in self.power(target))

    def exceeds_as_member(self, group: Principal, actor: Principal) -> bool:
        """Whether being in a group gives an actor something worth having."""
        if self._graph.effective(group).is_admin is Truth.YES:
            return True
        return self._has_more_power(group, actor)

    def adds(self, target: Principal, actor: Principal) -> bool:
        """Whether the target may do something sensitive, somewhere, that the actor may nowhere."""
        return bool(self._worth_of(target) - self._graph.effective(actor).possible)

    def as_sure_as_gain(self, escalation: Escalation) -> Escalation:
        """The escalation with low confidence where something unknown decides what it is good for.

        A bucket that a parameter names may be every bucket, and is hardly that.
        """
        actor, target = escalation.actor, escalation.target
        if target is None or self.is_powerful(target) or not self.exceeds(target, actor):
            return escalation
        if any(
            self._is_broad(target, action, is_sure=True) and not self._is_broad(actor, action)
            for action in self.power(target)
        ):
            return escalation
        return replace(escalation, confidence=Confidence.LOW)


def _widened_by(method: Method, actor: Principal, target: Principal | None) -> Principal | None:
    """Whose policies a method makes wider; None where it makes somebody new."""
    if method.kind in (MethodKind.PRINCIPAL, MethodKind.EXIST, MethodKind.NEW_PASS):
        return target
    return None if Target.NEW in method.targets else actor


def _holder_of(policy: Policy) -> Principal:
    """Somebody who holds a policy and nothing else."""
    place = policy.resource.header
    anybody = Pattern((Unknown(Reason.MISSING, "who holds it", place),), place)
    holder = Principal(
        kind=PrincipalKind.HOLDER,
        resource=policy.resource,
        name=anybody,
        path="/",
        arn=anybody,
        tags=Tags({}, {}, is_complete=False),
    )
    holder.attachments.append(Attachment(holder, policy, place))
    return holder
