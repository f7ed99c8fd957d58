"""Who can become whom: the known escalation methods, tried on the graph.

A method counts only when the actor's effective permissions reach a concrete target: its own
policy, a user, a role that the right service may be given, a workload that runs as a role. And
only when something is gained: a target that may do no more than the actor is no escalation.
"""

from __future__ import annotations

import functools
import re
from enum import Enum
from typing import TYPE_CHECKING

from msgspec import Struct, field
from msgspec.structs import replace

from iam_preflight.findings import Confidence, Place
from iam_preflight.graph.arns import arn_of
from iam_preflight.graph.code import code_sources
from iam_preflight.graph.handles import handles, launches, runs_code
from iam_preflight.graph.model import Attachment, Origin, Principal, PrincipalKind
from iam_preflight.graph.tags import Tags, tags_of
from iam_preflight.knowledge.catalog import ActionClass
from iam_preflight.knowledge.escalation import (
    Actor,
    Certainty,
    Gain,
    Method,
    MethodKind,
    Permission,
    Target,
    code_services,
    escalation_methods,
)
from iam_preflight.policy.callers import Caller
from iam_preflight.policy.context import Presence
from iam_preflight.policy.document import DocumentUse, Effect, Pattern
from iam_preflight.policy.effective import Effective
from iam_preflight.policy.evaluate import PolicySet, Request
from iam_preflight.policy.globs import Wildcards, may_meet, text_tokens
from iam_preflight.policy.match import action_matches
from iam_preflight.policy.scope import Strength, restriction
from iam_preflight.policy.truth import Doubt, Truth
from iam_preflight.values import Reason as Why
from iam_preflight.values import Unknown

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Iterator

    from iam_preflight.graph.model import Graph, Policy, Workload
    from iam_preflight.knowledge.actionset import ActionSet
    from iam_preflight.policy.context import Context
    from iam_preflight.policy.document import Document, PrincipalPattern
    from iam_preflight.policy.effective import Grant
    from iam_preflight.policy.evaluate import Decision, Reason
    from iam_preflight.resources import Resource
    from iam_preflight.source import Span
    from iam_preflight.values import Assumptions

NEW_NAME = "iam-preflight-new"
"""Stands for whatever name an actor gives to something it makes."""

_ON_OTHERS = (MethodKind.PRINCIPAL, MethodKind.NEW_PASS, MethodKind.EXIST)
"""Kinds of methods that end in another principal."""
_ON_TARGETS = (Target.USER, Target.ROLE, Target.PASSED_ROLE, Target.GROUP)
"""Variables that stand for the principal in question, and not for something else of it."""
_AWS_MANAGED = Origin.AWS_MANAGED
_EC2 = "ec2.amazonaws.com"
_COGNITO = "cognito-identity.amazonaws.com"

_NO_MFA = {
    "aws:MultiFactorAuthPresent": Presence.ABSENT,
    "aws:MultiFactorAuthAge": Presence.ABSENT,
}
_BY_CERTAINTY = {
    Certainty.HIGH: Confidence.HIGH,
    Certainty.MEDIUM: Confidence.MEDIUM,
    Certainty.LOW: Confidence.LOW,
}


class Use(Struct, frozen=True):
    """A permission that a method needs, and the statement that gives it."""

    permission: Permission
    decision: Decision
    confidence: Confidence
    needs_mfa: bool = False

    @property
    def reason(self) -> Reason | None:
        """The statement that gives it, the surest one where several do."""
        return max(self.decision.allowed_by, key=lambda r: r.truth, default=None)

    def place(self, actor: Principal) -> Place | None:
        """The action as it is written in the code; for an AWS-managed policy, its attachment."""
        reason = self.reason
        if reason is None:
            return None
        action = self.permission.action
        attachment = _aws_managed(reason, actor)
        if attachment is not None:
            return Place(attachment.place, f"{attachment.policy.name} allows {action}")
        statement = reason.statement
        for pattern in statement.actions:
            if not statement.is_not_action and action_matches(pattern, action) is not Truth.NO:
                return Place(pattern.span, f"allows {action}")
        return Place(statement.span_of("NotAction"), f"leaves {action} allowed")

    def cause(self, actor: Principal) -> Span | None:
        """The statement that can be edited; for an AWS-managed policy, its attachment."""
        reason = self.reason
        if reason is None:
            return None
        attachment = _aws_managed(reason, actor)
        return attachment.place if attachment is not None else reason.statement.span

    @property
    def wildcard(self) -> str:
        """The pattern that takes the action in, where it does not name it."""
        statement = self.reason.statement if self.reason is not None else None
        if statement is None or statement.is_not_action:
            return ""
        action = self.permission.action
        given = [p for p in statement.actions if action_matches(p, action) is not Truth.NO]
        return given[0].text if given and "*" in given[0].text else ""


def _aws_managed(reason: Reason, actor: Principal) -> Attachment | None:
    """How the actor came by a statement that AWS wrote."""
    for attachment in actor.held():
        policy = attachment.policy
        if policy.document is reason.document and policy.origin is _AWS_MANAGED:
            return attachment
    return None


class Escalation(Struct, frozen=True, eq=False):
    """One way in which an actor gains privileges."""

    actor: Principal
    method: Method
    uses: tuple[Use, ...]
    target: Principal | None = None
    """Whom the actor becomes or controls; None where it widens itself."""
    through: Workload | None = None
    confidence: Confidence = Confidence.HIGH
    assumptions: Assumptions = ()

    @property
    def needs_mfa(self) -> bool:
        return any(use.needs_mfa for use in self.uses)

    @property
    def is_plain_assume(self) -> bool:
        """Whether it is nothing but assuming a role that admits the actor."""
        return tuple(self.method.actions) == ("sts:AssumeRole",)

    @property
    def actions(self) -> str:
        """`iam:PassRole and lambda:CreateFunction`, for messages."""
        names = list(dict.fromkeys(use.permission.action for use in self.uses))
        return (
            " and ".join(names) if len(names) < 3 else ", ".join(names[:-1]) + f" and {names[-1]}"
        )

    @property
    def places(self) -> tuple[Place, ...]:
        """Where the permissions are written, each once; for a trust alone, the trust policy."""
        found = [use.place(self.actor) for use in self.uses]
        return tuple(dict.fromkeys(place for place in found if place is not None))

    @property
    def statements(self) -> tuple[Span, ...]:
        """The statements that make it possible; for an AWS-managed policy, its attachment.

        AWS's statements are the same for whoever else holds them, and nothing that can be edited.
        """
        found = (use.cause(self.actor) for use in self.uses)
        return tuple(dict.fromkeys(span for span in found if span is not None))

    def describe(self) -> str:
        """What the actor does, as a clause: `has lambda run code of its own as role batch`."""
        target = self.target.label if self.target is not None else ""
        if self.through is not None:
            return f"takes over {self.through.resource.address}, which runs as {target}"
        match self.method.kind:
            case MethodKind.NEW_PASS:
                service = self.method.trust_services[0].split(".")[-3]
                return f"has {service} run code of its own as {target}"
            case MethodKind.PRINCIPAL if self.is_plain_assume:
                return f"assumes {target}"
            case MethodKind.PRINCIPAL:
                return f"takes over {target} with {self.actions}"
            case _:
                return f"uses {self.actions}"


class _Binding(Struct, frozen=True):
    """What the variables of a method stand for in one try."""

    target: Principal | None = None
    workload: Workload | None = None
    is_unseen: bool = False
    """Whether the workload is one that the code does not hold."""


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


class Escalations:
    """Tries the methods on the principals of a graph; answers are remembered."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.permissions = graph.permissions
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
        self._admins: dict[int, bool] = {}
        self._self: dict[int, tuple[Escalation, ...]] = {}
        self._holders: dict[int, Principal] = {}
        """Whoever is given a policy that nobody in the code holds, by the policy."""
        self._power: dict[int, frozenset[str]] = {}
        self._broad: dict[tuple[int, str], Grant | None] = {}
        self._worths: dict[int, ActionSet] = {}
        self._ready: dict[tuple[frozenset[str], bool, MethodKind], tuple[Method, ...]] = {}
        self._trusted: dict[int, frozenset[str]] = {}
        self._admitted: dict[int, frozenset[str]] = {}
        self._taking: dict[str, tuple[Pattern, ...]] = {}
        self._handles: dict[int, tuple[Pattern, ...]] = {}
        self._sources: dict[tuple[int, str], tuple[Pattern | str, ...]] = {}
        self._passables: dict[str, tuple[Principal, ...]] = {}
        self._assuming: dict[tuple[int, int, Permission], Use | None] = {}
        self._tagged: dict[int, Tags] = {}
        self._profiled = {
            id(principal)
            for resource in graph.of_type("aws_iam_instance_profile")
            for principal in [graph.principal_named(resource, "role")]
            if principal is not None
        }
        self._with_password = {
            id(principal)
            for resource in graph.of_type("aws_iam_user_login_profile")
            for principal in [graph.principal_named(resource, "user")]
            if principal is not None
        }

    # ---- how much somebody may do

    def _worth_of(self, principal: Principal) -> ActionSet:
        """What it may do that is worth having: sensitive, and not what everybody has."""
        found = self._worths.get(id(principal))
        if found is None:
            catalog = self.permissions.evaluator.catalog
            sensitive = self.graph.effective(principal).possible & catalog.sensitive
            found = sensitive - catalog.classes[ActionClass.COMMONPLACE]
            self._worths[id(principal)] = found
        return found

    def is_admin(self, principal: Principal) -> bool:
        """Whether its policies alone make it an administrator, whatever the unknowns are.

        What control policies take from everybody in the account it cannot win back by becoming
        somebody else there.
        """
        found = self._admins.get(id(principal))
        if found is None:
            bound = self.graph.effective(principal)
            own = self.permissions.without_control_policies(principal)
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
            return True
        target = escalation.target
        if target is None or escalation.method.gain is not Gain.TARGET:
            return False
        return self.is_powerful(target)

    def _is_powerful_group(self, group: Principal) -> bool:
        """Whether members of a group are administrators or can make themselves so."""
        effective = self.graph.effective(group)
        return effective.is_admin is Truth.YES or any(True for _ in self._of_members(group))

    def _of_members(self, holder: Principal) -> Iterator[Escalation]:
        """Ways to become administrator that whoever is in a group has by the group alone.

        Or whoever holds a policy, by that one; only users are in groups, holders may be roles.
        """
        held = self._held(holder)
        for method in self._by_kind[MethodKind.SELF]:
            if holder.kind is PrincipalKind.GROUP and method.actor is Actor.ROLE:
                continue
            if method.gain is Gain.ADMIN and self._is_ready(method, held):
                uses = self._broad_uses(holder, method)
                if uses is not None:
                    yield self._escalation(holder, method, uses, _Binding())

    def power(self, principal: Principal) -> frozenset[str]:
        """The sensitive actions that it may do on everything."""
        found = self._power.get(id(principal))
        if found is None:
            sensitive = self._worth_of(principal)
            found = frozenset(a for a in sensitive if self._is_broad(principal, a))
            self._power[id(principal)] = found
        return found

    def is_sensitive(self, principal: Principal) -> bool:
        """Whether there is a sensitive action that it may do on everything."""
        return any(self._is_broad(principal, action) for action in self._worth_of(principal))

    def _is_broad(self, principal: Principal, action: str, *, is_sure: bool = False) -> bool:
        """Whether it may do an action on everything; `is_sure`: whatever the unknowns are."""
        key = (id(principal), action)
        if key not in self._broad:
            self._broad[key] = self.graph.effective(principal).broad(action)
        grant = self._broad[key]
        return grant is not None and (not is_sure or grant.breadth is Truth.YES)

    def _has_more_power(self, target: Principal, actor: Principal) -> bool:
        return any(not self._is_broad(actor, action) for action in self.power(target))

    def _as_sure_as_gain(self, escalation: Escalation) -> Escalation:
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

    def exceeds(self, target: Principal, actor: Principal) -> bool:
        """Whether becoming the target gives the actor something worth having."""
        if target is actor or self.is_admin(actor):
            return False
        if self.is_powerful(target):
            return not self.is_powerful(actor)
        return self._has_more_power(target, actor)

    def adds(self, target: Principal, actor: Principal) -> bool:
        """Whether the target may do something sensitive, somewhere, that the actor may nowhere."""
        return bool(self._worth_of(target) - self.graph.effective(actor).possible)

    def is_worth_having(self, principal: Principal) -> bool:
        """Whether it may do something sensitive, somewhere."""
        return bool(self._worth_of(principal))

    def is_telling(self, escalation: Escalation) -> bool:
        """Whether the actor is somebody who could choose to do it.

        Roles for EventBridge rules, for Batch or EMR themselves are used as they are configured:
        what they may start or pass is how the service works; so are roles that only such a role
        takes, as for the actions of a pipeline. That only counts where it ends with
        an administrator and was written here, not in the policy that AWS made for the service.
        """
        actor = escalation.actor
        if not self._is_configured(actor):
            return True
        own = {id(a.policy.document) for a in actor.held() if a.policy.origin is not _AWS_MANAGED}
        reasons = (use.reason for use in escalation.uses)
        is_own = any(reason is not None and id(reason.document) in own for reason in reasons)
        return is_own and self.makes_admin(escalation)

    def _is_configured(self, role: Principal, asked: tuple[Principal, ...] = ()) -> bool:
        """Whether only services that run no code of anybody's have a role, or roles of such."""
        principals = _trusted_principals(role)
        return bool(principals) and all(
            _is_plain_service(principal)
            or (
                (taker := self._taker(principal, role)) is not None
                and taker not in (role, *asked)
                and self._is_configured(taker, (role, *asked))
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
            found = self.graph.lookup.at(where, pattern.reference.address, Principal) or found
        return found if found is not None and self.is_in_reach(found, role) else None

    @functools.cached_property
    def _roles_by_arn(self) -> dict[str, Principal]:
        return {role.arn.text: role for role in self.graph.roles}

    # ---- the kinds of methods

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

    @functools.cached_property
    def _handed_out(self) -> frozenset[int]:
        """Policies that the code attaches to somebody whom it does not make."""
        return frozenset(id(attachment.policy) for attachment in self.graph.outside)

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
        for method in self._ready_for(actor, MethodKind.SELF):
            bindings = [_Binding()]
            if method.gain is Gain.TARGET:
                bindings = [_Binding(group) for group in self._groups(actor, method)]
            for binding in bindings:
                escalation = self._try(actor, method, binding)
                if escalation is not None:
                    yield escalation

    def of_principals(self, actor: Principal) -> Iterator[Escalation]:
        """Ways in which an actor can take over another principal."""
        for method in self._ready_for(actor, MethodKind.PRINCIPAL):
            wanted = _variables(method)
            wants_user = Target.USER in wanted
            wants_role = not wanted.isdisjoint((Target.ROLE, Target.ROLE_POLICY))
            for target in self._candidates(actor, method):
                if target is actor or not self.is_in_reach(actor, target):
                    continue
                if (wants_user and not target.is_user) or (wants_role and not target.is_role):
                    continue
                if not self._is_worth_it(method, actor, target):
                    continue
                escalation = self._try(actor, method, _Binding(target))
                if escalation is not None:
                    yield self._as_sure_as_gain(escalation)

    def _candidates(self, actor: Principal, method: Method) -> Iterable[Principal]:
        """Whom a method could reach at all: a role that has to be assumed must admit the actor."""
        if not _must_assume(method):
            return self.graph.principals
        doors = self._doors
        names = (_ANYBODY, _ACCOUNT, _last_name(actor.arn.text))
        places = {place for name in names for place in doors.get(name, ())}
        return [self.graph.principals[place] for place in sorted(places)]

    @functools.cached_property
    def _doors(self) -> dict[str, list[int]]:
        """The places of the roles in the graph by whom their trust policies admit."""
        found: dict[str, list[int]] = {}
        for place, role in enumerate(self.graph.principals):
            for name in self._admits(role):
                found.setdefault(name, []).append(place)
        return found

    def of_passing(self, actor: Principal) -> Iterator[Escalation]:
        """Ways in which an actor can have a service run its own code as another role."""
        is_worth_it = self._is_worth_reaching(actor, self.exceeds)
        for method in self._ready_for(actor, MethodKind.NEW_PASS):
            for role in filter(is_worth_it, self._passable(method)):
                escalation = self._try(actor, method, _Binding(role))
                if escalation is not None:
                    yield self._as_sure_as_gain(escalation)

    def of_unseen_workloads(self, actor: Principal) -> Iterator[Escalation]:
        """Ways to take over what runs as an administrator's role, where the code has no such thing.

        A role that only a service may assume is there for something that runs on the service.
        """
        for method in self._ready_for(actor, MethodKind.EXIST):
            if not method.trust_services or method.gain is not Gain.TARGET or method.is_closed:
                continue
            for role in self._passable(method):
                if role.workloads or not self.is_in_reach(actor, role):
                    continue
                if any(principal.kind != "Service" for principal in _trusted_principals(role)):
                    continue
                if not self.is_powerful(role) or not self.exceeds(role, actor):
                    continue
                if method.trust_services == (_EC2,) and id(role) not in self._profiled:
                    continue
                escalation = self._try(actor, method, _Binding(role, is_unseen=True))
                if escalation is not None and not self._may_pass(actor, role):
                    confidence = min(escalation.confidence, Confidence.MEDIUM)
                    yield replace(escalation, confidence=confidence)

    def _may_pass(self, actor: Principal, role: Principal) -> bool:
        """Whether an actor has a service run its own code as a role anyway."""
        return any(escalation.target is role for escalation in self.of_passing(actor))

    def of_workloads(self, actor: Principal, *, for_little: bool = False) -> Iterator[Escalation]:
        """Ways in which an actor can take over a workload that runs as another role.

        `for_little`: where that adds a sensitive permission on some resource, at least.
        """
        is_worth_it = self._is_worth_reaching(actor, self.adds if for_little else self.exceeds)
        for method in self._ready_for(actor, MethodKind.EXIST):
            for workload in self.graph.workloads:
                role = workload.role
                if not is_worth_it(role) or not self._is_open(method, workload, actor):
                    continue
                escalation = self._try(actor, method, _Binding(role, workload))
                if escalation is not None:
                    yield self._as_sure_as_gain(escalation)

    def _is_worth_reaching(
        self, actor: Principal, is_gain: Callable[[Principal, Principal], bool]
    ) -> Callable[[Principal], bool]:
        """A test for those whom an actor reaches and gains by; methods ask of the same ones."""
        return functools.cache(lambda role: self.is_in_reach(actor, role) and is_gain(role, actor))

    def of_kind(self, actor: Principal, kind: MethodKind) -> Iterator[Escalation]:
        """Methods of a kind that need no principal as target."""
        for method in self._ready_for(actor, kind):
            escalation = self._try(actor, method, _Binding())
            if escalation is not None:
                yield escalation

    def of_guards(self, actor: Principal) -> Iterator[Escalation]:
        """Ways in which an actor can lift a limit that takes something away from it."""
        has_boundary = self._is_limiting_boundary(actor)
        denials = list(_denying(actor))
        for method in self._ready_for(actor, MethodKind.GUARD):
            about = _guarded(method)
            if about is Guard.BOUNDARY and not has_boundary:
                continue
            if about is Guard.DENY and not denials:
                continue
            if about is Guard.ORGANIZATION and not self.permissions.organization:
                continue
            if about is Guard.TAG:
                continue  # TAG-004 knows which tags matter
            escalation = self._try(actor, method, _Binding())
            if escalation is not None:
                yield escalation

    def _is_limiting_boundary(self, actor: Principal) -> bool:
        """Whether the boundary takes sensitive actions away from what the policies allow."""
        if actor.boundary is None or actor.boundary.policy is None:
            return False
        bounded = self.graph.effective(actor)
        free = self.permissions.without_boundary(actor)
        return bool((free.possible - bounded.possible) & bounded.catalog.sensitive)

    def guardrail_of(self, escalation: Escalation) -> Place:
        """What an escalation of the guard kind removes, with what to call it."""
        actor = escalation.actor
        match _guarded(escalation.method):
            case Guard.BOUNDARY if actor.boundary is not None:
                return Place(actor.boundary.place, "the permissions boundary")
            case Guard.DENY:
                for place in _denying(actor):
                    return Place(place, "the Deny")
            case Guard.ORGANIZATION:
                for policy, _, place in self.permissions.organization.attached():
                    return Place(place, f"control policy {policy.name}")
        return Place(actor.resource.header, "the limit")

    def permitted(self, actor: Principal, kind: MethodKind) -> Iterator[Escalation]:
        """Methods whose permissions the actor holds broadly, whether a target is here or not."""
        for method in self._ready_for(actor, kind):
            if tuple(method.actions) == ("sts:AssumeRole",):
                continue  # LEAST-011 tells who may assume any role
            if kind is MethodKind.NEW_PASS and not method.passes_role:
                continue  # what these take over has to be there
            uses = self._broad_uses(actor, method)
            if uses is not None:
                yield self._escalation(actor, method, uses, _Binding())

    def all_of(self, actor: Principal) -> Iterator[Escalation]:
        """Every way in which an actor gains something, of every kind."""
        yield from self.of_self(actor)
        yield from self.of_principals(actor)
        yield from self.of_passing(actor)
        yield from self.of_workloads(actor)
        yield from self.of_guards(actor)
        yield from self.of_kind(actor, MethodKind.FEDERATION)
        yield from self.of_kind(actor, MethodKind.ORGANIZATION)

    def passable_by(self, actor: Principal) -> Iterator[tuple[Principal, Use]]:
        """The roles that an actor may pass to some service."""
        if actor.kind is PrincipalKind.GROUP:
            return
        if "iam:PassRole" not in self.graph.effective(actor).possible:
            return
        permission = Permission("iam:PassRole", Target.PASSED_ROLE)
        for role in self.graph.roles:
            if self.is_in_reach(actor, role):
                use = self._use(actor, permission, role.arn, _Binding(role))
                if use is not None:
                    yield role, use

    def into(self, target: Principal, actors: Container[int]) -> Iterator[Escalation]:
        """The surest way to become the target, for each actor that has one.

        `actors` are the ids of those that count when their turn comes.
        """
        for actor in self._who_could_become(target):
            if actor is target or id(actor) not in actors:
                continue
            best = max(self._ways(actor, target), key=lambda e: e.confidence, default=None)
            if best is not None:
                yield best

    def _who_could_become(self, target: Principal) -> Iterable[Principal]:
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
        actors = [p for p in self.graph.principals if p.kind is not PrincipalKind.GROUP]
        found = _Visitors(actors)
        for place, actor in enumerate(actors):
            found.named.setdefault(_last_name(actor.arn.text), []).append(place)
            if self._acts_on_others(actor):
                found.active.append(place)
            if "sts:AssumeRole" in self._held(actor):
                found.assuming.append(place)
        return found

    def _acts_on_others(self, actor: Principal) -> bool:
        """Whether it may use a method on another principal beside assuming it as a role."""
        return any(
            method.gain is Gain.TARGET and not _must_assume(method)
            for kind in _ON_OTHERS
            for method in self._ready_for(actor, kind)
        )

    def _ways(self, actor: Principal, target: Principal) -> Iterator[Escalation]:
        if not self.is_in_reach(actor, target) and not self.is_named(actor, target):
            return
        for kind in _ON_OTHERS:
            for method in self._ready_for(actor, kind):
                if method.gain is not Gain.TARGET:
                    continue
                yield from self._tries(actor, method, target)

    def _tries(self, actor: Principal, method: Method, target: Principal) -> Iterator[Escalation]:
        wanted = _variables(method)
        bindings: list[_Binding] = []
        match method.kind:
            case MethodKind.NEW_PASS:
                if target in self._passable(method):
                    bindings.append(_Binding(target))
            case MethodKind.EXIST:
                bindings.extend(
                    _Binding(target, workload)
                    for workload in target.workloads
                    if self._is_open(method, workload, actor)
                )
            case _:
                is_user = Target.USER in wanted
                is_fit = target.is_user is is_user and (target.is_role or is_user)
                if is_fit and self._is_feasible(method, target):
                    bindings.append(_Binding(target))
        for binding in bindings:
            escalation = self._try(actor, method, binding)
            if escalation is not None:
                yield escalation

    # ---- who is near whom

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

    def _is_worth_it(self, method: Method, actor: Principal, target: Principal) -> bool:
        if method.gain is Gain.ADMIN:
            return not self.is_powerful(actor)
        if tuple(method.actions) == ("sts:AssumeRole",):
            is_gain = self.exceeds(target, actor)
        else:
            # making credentials for somebody else is never meant as a way to read one bucket
            is_gain = self.exceeds(target, actor) or self.adds(target, actor)
        return is_gain and self._is_feasible(method, target)

    def _is_feasible(self, method: Method, target: Principal) -> bool:
        """Whether the target is as the method needs it, as far as the code says."""
        actions = set(method.actions)
        has_password = id(target) in self._with_password
        if "iam:UpdateLoginProfile" in actions:
            return has_password
        return not ("iam:CreateLoginProfile" in actions and has_password)

    def _passable(self, method: Method) -> tuple[Principal, ...]:
        """Roles that one of the method's services may be given."""
        found = self._passables.get(method.id)
        if found is None:
            found = self._passables[method.id] = tuple(self._find_passable(method))
        return found

    def _find_passable(self, method: Method) -> Iterator[Principal]:
        for role in self.graph.roles:
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
        return self.permissions.evaluator.decide(policies, request).is_possible

    def _is_open(self, method: Method, workload: Workload, actor: Principal) -> bool:
        """Whether a workload is near the actor and nothing in the code rules the method out."""
        if actor.account is None and workload.resource.deployment != actor.resource.deployment:
            return False
        if not runs_code(workload):
            return False
        if method.workloads and workload.resource.type not in method.workloads:
            return False
        if "ec2:StopInstances" in method.actions and launches(workload):
            return False  # what is stopped is replaced by another one
        if set(method.actions) & {"ssm:StartSession", "ssm:SendCommand"}:
            agent = self.graph.effective(workload.role).allows("ssmmessages:CreateControlChannel")
            if not agent.is_possible:
                return False
        return True

    # ---- trying one method

    def _ready_for(self, actor: Principal, kind: MethodKind) -> tuple[Method, ...]:
        """The methods of a kind whose actions the actor has at all."""
        if actor.kind is PrincipalKind.GROUP:
            return ()
        key = (self._held(actor), actor.is_user, kind)
        found = self._ready.get(key)
        if found is None:
            found = self._ready[key] = tuple(self._find_ready(*key))
        return found

    def _find_ready(
        self, held: frozenset[str], is_user: bool, kind: MethodKind
    ) -> Iterator[Method]:
        for method in self._by_kind.get(kind, ()):
            if method.actor is Actor.USER and not is_user:
                continue
            if method.actor is Actor.ROLE and is_user:
                continue
            if self._is_ready(method, held):
                yield method

    def _is_ready(self, method: Method, held: frozenset[str]) -> bool:
        """Whether the actions that are held are enough for a method."""
        for item in self._needs[method.id]:
            if not any(alternative <= held for alternative in item):
                return False
        return True

    def _held(self, actor: Principal) -> frozenset[str]:
        """The actions of any method that the actor has at all."""
        found = self._holding.get(id(actor))
        if found is None:
            possible = self.graph.effective(actor).possible
            found = self._holding[id(actor)] = frozenset(
                action
                for service, actions in self._asked.items()
                if possible.mask(service)
                for action in actions
                if action in possible
            )
        return found

    def _try(self, actor: Principal, method: Method, binding: _Binding) -> Escalation | None:
        uses: list[Use] = []
        for item in method.needs:
            found = (self._together(actor, alternative, binding, method) for alternative in item)
            best = max(
                (each for each in found if each is not None),
                key=lambda each: min(use.confidence for use in each),
                default=None,
            )
            if best is None:
                return None
            uses.extend(best)
        if method.kind is MethodKind.NEW_PASS and not self._has_profile(actor, method, binding):
            return None
        return self._escalation(actor, method, tuple(uses), binding)

    def _escalation(
        self, actor: Principal, method: Method, uses: tuple[Use, ...], binding: _Binding
    ) -> Escalation:
        confidence = min(
            (*(use.confidence for use in uses), _BY_CERTAINTY[method.certainty]),
        )
        documents = {
            id(reason.document): reason.document
            for use in uses
            for reason in use.decision.allowed_by
        }
        assumptions = self.permissions.assumptions(actor, documents.values())
        return Escalation(
            actor, method, uses, binding.target, binding.workload, confidence, assumptions
        )

    def _has_profile(self, actor: Principal, method: Method, binding: _Binding) -> bool:
        """EC2 takes a role only inside an instance profile."""
        if method.trust_services != (_EC2,) or binding.target is None:
            return True
        if id(binding.target) in self._profiled:
            return True
        allows = self.graph.effective(actor).allows
        if not allows("iam:AddRoleToInstanceProfile").is_possible:
            return False
        # a new profile, or one that is there and changes its role
        return allows("iam:CreateInstanceProfile").is_possible or (
            bool(self._profiled) and allows("iam:RemoveRoleFromInstanceProfile").is_possible
        )

    def _together(
        self,
        actor: Principal,
        alternative: tuple[Permission, ...],
        binding: _Binding,
        method: Method,
    ) -> tuple[Use, ...] | None:
        uses: list[Use] = []
        for permission in alternative:
            use = self._best_use(actor, permission, binding, method)
            if use is None:
                return None
            uses.append(use)
        return tuple(uses)

    def _best_use(
        self, actor: Principal, permission: Permission, binding: _Binding, method: Method
    ) -> Use | None:
        if _is_assume(permission) and permission.target is Target.ROLE:
            return self._assume(actor, binding.target, permission)
        best: Use | None = None
        for resource in self._resources(actor, permission, binding, method):
            use = self._use(actor, permission, resource, binding)
            if use is not None and (best is None or use.confidence > best.confidence):
                best = use
                if best.confidence is Confidence.HIGH:
                    break
        is_any = binding.workload is None and not binding.is_unseen
        if best is None and permission.target is Target.EXISTING and is_any:
            return self._spoken_of(actor, permission, binding)
        return best

    def _spoken_of(self, actor: Principal, permission: Permission, binding: _Binding) -> Use | None:
        """A permission on something that the code does not hold: what the policies speak of."""
        for resource in self._new(actor, permission):
            use = self._use(actor, permission, resource, binding)
            if use is not None:
                return replace(use, confidence=min(use.confidence, Confidence.MEDIUM))
        return None

    def _resources(
        self, actor: Principal, permission: Permission, binding: _Binding, method: Method
    ) -> Iterator[str | Pattern]:
        """What the permission must be held on, as ARNs."""
        match permission.target:
            case Target.SELF:
                yield actor.arn
            case Target.USER | Target.ROLE | Target.PASSED_ROLE:
                if binding.target is not None:
                    yield binding.target.arn
            case Target.GROUP if binding.target is not None:
                yield binding.target.arn
            case Target.GROUP:
                yield from (group.arn for group in self._groups(actor, method))
            case Target.OWN_POLICY:
                yield from _managed_arns(actor)
            case Target.ROLE_POLICY:
                if binding.target is not None:
                    yield from _managed_arns(binding.target)
            case Target.BOUNDARY:
                boundary = actor.boundary
                if boundary is not None and boundary.policy is not None:
                    if boundary.policy.arn is not None:
                        yield boundary.policy.arn
            case Target.GUARD_POLICY:
                yield from _managed_arns(actor, only_denying=True)
            case Target.EXISTING:
                yield from self._existing(permission, binding)
            case Target.CODE if binding.workload is not None:
                yield from self._sources_of(binding.workload.resource, permission.action)
            case Target.CODE | Target.STATE:
                return
            case Target.NEW:
                yield from self._new(actor, permission)
            case Target.ARN:
                yield permission.arn
            case Target.PROVIDER:
                for resource in self.graph.of_type(
                    "aws_iam_saml_provider", "aws_iam_openid_connect_provider"
                ):
                    arn = arn_of(resource)
                    if arn is not None:
                        yield arn
            case _:
                yield "*"

    def _groups(self, actor: Principal, method: Method) -> Iterator[Principal]:
        if "iam:AddUserToGroup" not in method.actions:
            yield from actor.groups
            return
        own = set(map(id, actor.groups))
        for group in self.graph.of_kind(PrincipalKind.GROUP):
            if id(group) in own or not self.is_in_reach(actor, group):
                continue
            if method.gain is not Gain.TARGET or self.exceeds_as_member(group, actor):
                yield group

    def exceeds_as_member(self, group: Principal, actor: Principal) -> bool:
        """Whether being in a group gives an actor something worth having."""
        if self.graph.effective(group).is_admin is Truth.YES:
            return True
        return self._has_more_power(group, actor)

    def _existing(self, permission: Permission, binding: _Binding) -> Iterator[str | Pattern]:
        """The workload in question; where a role is passed, whatever could be given it."""
        if binding.is_unseen:
            yield from self._named_anyhow(permission)
            return
        if binding.workload is None:
            yield from self._takers(permission.action)
            return
        for arn in self._handles_of(binding.workload):
            if self._takes(permission.action, arn):
                yield arn

    def _handles_of(self, workload: Workload) -> tuple[Pattern, ...]:
        found = self._handles.get(id(workload))
        if found is None:
            found = self._handles[id(workload)] = tuple(handles(workload, self.graph))
        return found

    def _sources_of(self, resource: Resource, action: str) -> tuple[Pattern | str, ...]:
        """What an action would have to write to, to change what a workload runs."""
        key = (id(resource), action)
        found = self._sources.get(key)
        if found is None:
            found = self._sources[key] = tuple(code_sources(resource, action))
        return found

    def _takers(self, action: str) -> tuple[Pattern, ...]:
        """The resources of the code that an action works on."""
        found = self._taking.get(action)
        if found is None:
            found = tuple(arn for arn in self._arns if self._takes(action, arn))
            self._taking[action] = found
        return found

    @functools.cached_property
    def _arns(self) -> list[Pattern]:
        """The ARNs of the resources of the code, of those whose ARN can be told."""
        arns = (arn_of(resource) for resource in self.graph.resources if not resource.is_data)
        return [arn for arn in arns if arn is not None]

    def _takes(self, action: str, arn: Pattern) -> bool:
        """Whether an action works on resources with such ARNs."""
        known = self.permissions.evaluator.catalog.action(action)
        if known is None:
            return False
        service = arn.text.split(":")[2:3]
        return any(
            glob.split(":")[2:3] == service
            and may_meet(arn.arn_tokens, text_tokens(glob, Wildcards.ARN))
            for glob in known.arn_globs
            if glob != "*"
        )

    def _new(self, actor: Principal, permission: Permission) -> Iterator[str | Pattern]:
        """ARNs that something new could have: any name, or one that the policies ask for."""
        yield from self._named_anyhow(permission)
        effective = self.graph.effective(actor)
        for document in effective.policies.identity:
            for matcher, _ in effective.evaluator.matcher(document).about(
                permission.action.lower()
            ):
                if matcher.statement.effect is Effect.ALLOW:
                    yield from map(_one_of, matcher.statement.resources)

    def _named_anyhow(self, permission: Permission) -> Iterator[str]:
        """ARNs with a name that no policy speaks of."""
        known = self.permissions.evaluator.catalog.action(permission.action)
        if known is None or known.is_only_star:
            yield "*"
            return
        for use in known.resources:
            yield _filled(use.type.glob, NEW_NAME)

    def _use(
        self,
        actor: Principal,
        permission: Permission,
        resource: str | Pattern,
        binding: _Binding,
    ) -> Use | None:
        effective = self.graph.effective(actor)
        keys = dict(permission.context)
        absent: dict[str, Presence] = {}
        if binding.target is not None:
            for key, value in keys.items():
                if value == "{role}":
                    keys[key] = binding.target.arn.text
        if permission.target is Target.NEW and permission.action.startswith("iam:"):
            # what is made new has a boundary only where the statement asks for one
            absent["iam__PermissionsBoundary"] = Presence.ABSENT
        context = self.permissions.context(
            actor,
            tuple(keys.items()),
            self._tags(permission, resource, binding),
            **absent,
        )
        decision = effective.allows(permission.action, resource, context)
        if _is_in_every_account(permission) and decision.doubt & (Doubt.UNKNOWN | Doubt.PART):
            return None  # one account, or one that nobody knows yet, is not every account
        return self._judged(permission, resource, context, decision, effective)

    def _tags(
        self, permission: Permission, resource: str | Pattern, binding: _Binding
    ) -> Tags | None:
        """The tags of what a permission is used on, where the code gives them to it."""
        if permission.target in _ON_TARGETS and binding.target is not None:
            return binding.target.tags
        if permission.target is not Target.EXISTING or binding.workload is None:
            return None
        own = binding.workload.resource
        if resource != arn_of(own):  # taken hold of by something else, such as a task
            return None
        found = self._tagged.get(id(own))
        if found is None:
            found = self._tagged[id(own)] = tags_of(own)
        return found

    def _judged(
        self,
        permission: Permission,
        resource: str | Pattern | None,
        context: Context,
        decision: Decision,
        effective: Effective,
    ) -> Use | None:
        """The decision as a use: how sure, and whether it takes a second factor."""
        if not decision.is_possible:
            return None
        if decision.truth is Truth.YES:
            return Use(permission, decision, Confidence.HIGH)
        confidence = _confidence(decision, permission.action, effective)
        if confidence is None:
            return None
        needs_mfa = False
        if decision.doubt & Doubt.CONDITION:
            without = context.with_keys(_NO_MFA)
            again = effective.allows(permission.action, resource, without)
            needs_mfa = not again.is_possible
        return Use(permission, decision, confidence, needs_mfa)

    def _assume(
        self, actor: Principal, role: Principal | None, permission: Permission
    ) -> Use | None:
        """Whether an actor may assume a role: its own policies and the trust policy together."""
        if role is None or role.trust is None or actor.kind is PrincipalKind.PERMISSION_SET:
            return None
        if not self._may_be_admitted(actor, role):
            return None
        key = (id(actor), id(role), permission)
        if key not in self._assuming:  # most methods end with the same step
            self._assuming[key] = self._assumed(actor, role, role.trust.document, permission)
        return self._assuming[key]

    def _assumed(
        self, actor: Principal, role: Principal, trust: Document, permission: Permission
    ) -> Use | None:
        effective = self.graph.effective(actor)
        if effective.caller is None:
            return None
        context = self.permissions.context(actor, (), role.tags)
        policies = replace(effective.policies, resource=trust)
        request = Request("sts:AssumeRole", role.arn, effective.caller, context)
        decision = self.permissions.evaluator.decide(policies, request)
        if not decision.is_possible:
            return None
        trusting = Effective(effective.evaluator, policies, effective.caller)
        return self._judged(permission, role.arn, context, decision, trusting)

    def _may_be_admitted(self, actor: Principal, role: Principal) -> bool:
        """Whether a trust policy could mean the actor at all; cheap, for the many it does not."""
        admitted = self._admits(role)
        if _ANYBODY in admitted or _last_name(actor.arn.text) in admitted:
            return True
        # an account that is trusted has to pass it on with a policy of the actor's
        return _ACCOUNT in admitted and "sts:AssumeRole" in self._held(actor)

    def _admits(self, role: Principal) -> frozenset[str]:
        admitted = self._admitted.get(id(role))
        if admitted is None:
            admitted = self._admitted[id(role)] = _admitted_by(role)
        return admitted

    def _broad_uses(self, actor: Principal, method: Method) -> tuple[Use, ...] | None:
        """The method's permissions, where each is held on everything."""
        effective = self.graph.effective(actor)
        uses: list[Use] = []
        for item in method.needs:
            for alternative in item:
                grants = [effective.broad(permission.action) for permission in alternative]
                if all(grant is not None for grant in grants):
                    uses.extend(
                        Use(permission, grant.decision, Confidence.MEDIUM)
                        for permission, grant in zip(alternative, grants, strict=True)
                        if grant is not None
                    )
                    break
            else:
                return None
        return tuple(uses)


class Guard(Enum):
    """The kinds of limits that a guard method removes."""

    BOUNDARY = "boundary"
    DENY = "deny"
    ORGANIZATION = "organization"
    TAG = "tag"


def _guarded(method: Method) -> Guard:
    names = " ".join(method.actions)
    targets = _variables(method)
    if "PermissionsBoundary" in names or Target.BOUNDARY in targets:
        return Guard.BOUNDARY
    if "organizations:" in names:
        return Guard.ORGANIZATION
    return Guard.TAG if "Tag" in names else Guard.DENY


def _denying(actor: Principal) -> Iterator[Span]:
    """The statements of the actor's own policies that deny it something."""
    for attachment in actor.held():
        for statement in attachment.policy.document.statements:
            if not statement.is_allow:
                yield statement.span


def _trusted_principals(role: Principal) -> list[PrincipalPattern]:
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


def _is_assume(permission: Permission) -> bool:
    return permission.action == "sts:AssumeRole"


def _needs_of(method: Method) -> tuple[tuple[frozenset[str], ...], ...]:
    """The actions that a method needs, by item and alternative; assuming a role may need none."""
    return tuple(
        tuple(frozenset(p.action for p in each if not _is_assume(p)) for each in item)
        for item in method.needs
    )


def _holder_of(policy: Policy) -> Principal:
    """Somebody who holds a policy and nothing else."""
    place = policy.resource.header
    anybody = Pattern((Unknown(Why.MISSING, "who holds it", place),), place)
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


def _is_in_every_account(permission: Permission) -> bool:
    """Whether a permission counts only where it is held in whatever account."""
    return permission.target is Target.ARN and permission.arn.split(":")[4:5] == ["*"]


def _must_assume(method: Method) -> bool:
    """Whether the target has to be assumed as a role, whatever else the method needs."""
    return any(
        all(
            any(_is_assume(p) and p.target is Target.ROLE for p in alternative)
            for alternative in item
        )
        for item in method.needs
    )


def _variables(method: Method) -> set[Target]:
    return {p.target for item in method.needs for alternative in item for p in alternative}


def _managed_arns(principal: Principal, *, only_denying: bool = False) -> Iterator[Pattern]:
    """ARNs of the customer-managed policies that a principal holds."""
    for attachment in principal.held():
        policy = attachment.policy
        if policy.origin is not Origin.CUSTOMER_MANAGED or policy.arn is None:
            continue
        if only_denying and all(s.is_allow for s in policy.document.statements):
            continue
        yield policy.arn


def _one_of(pattern: Pattern) -> str | Pattern:
    """An ARN that a pattern takes in, with its holes: the account's number is whatever it is."""
    parts = [p if isinstance(p, Unknown) else re.sub(r"[*?]", "x", p) for p in pattern.parts]
    if pattern.text.startswith("arn:"):
        return replace(pattern, parts=tuple(parts))
    return "".join(p if isinstance(p, str) else "x" for p in parts)


def _filled(glob: str, name: str) -> str:
    """A concrete ARN for a glob: its account and region parts filled as well."""
    fields = glob.split(":", 5)
    if len(fields) < 6:
        return name
    fields[1] = "aws"
    fields[3] = "us-east-1" if fields[3] else ""
    fields[4] = "000000000000" if fields[4] else ""
    fields[5] = fields[5].replace("*", name)
    return ":".join(fields)


def _confidence(decision: Decision, action: str, effective: Effective) -> Confidence | None:
    """How sure a maybe is; None where a condition restricts it to something else."""
    doubt = decision.doubt
    if doubt & Doubt.CONDITION:
        weakest = min(
            (
                restriction(reason.statement, action, effective.catalog)
                for reason in decision.allowed_by
                if reason.truth is not Truth.NO
            ),
            default=Strength.NOTHING,
        )
        if weakest >= Strength.SCOPE:
            return None
    return Confidence.LOW if doubt & (Doubt.HOLE | Doubt.PART) else Confidence.MEDIUM
