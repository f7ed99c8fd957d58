"""Who can become whom: the known escalation methods, tried on the graph.

A method counts only when the actor's effective permissions reach a concrete target: its own
policy, a user, a role that the right service may be given, a workload that runs as a role. And
only when something is gained: a target that may do no more than the actor is no escalation.
"""

from __future__ import annotations

import functools
from enum import Enum
from typing import TYPE_CHECKING

from msgspec.structs import replace

from iam_preflight.findings import Confidence, Place
from iam_preflight.graph.attempts import EC2, Attempts
from iam_preflight.graph.handles import launches, runs, runs_code
from iam_preflight.graph.method_targets import Binding, MethodTargets
from iam_preflight.graph.methods import Methods, lifts_boundary, widened_first
from iam_preflight.graph.model import Origin, PrincipalKind
from iam_preflight.graph.powers import Powers
from iam_preflight.graph.reach import Reach, trusted_principals
from iam_preflight.knowledge.escalation import Gain, Method, MethodKind, Permission, Target

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator

    from iam_preflight.graph.escalation import Escalation, Use
    from iam_preflight.graph.model import Graph, Principal, Workload
    from iam_preflight.source import Span


class Escalations:
    """The ways in which principals gain privileges, by the kind of method."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._permissions = graph.permissions
        self._methods = Methods(graph)
        self.reach = Reach(graph, self._methods)
        targets = MethodTargets(graph, self.reach)
        self._attempts = Attempts(graph, self.reach, targets)
        self.powers = Powers(graph, self._methods, targets, self._attempts)
        self._with_password = graph.principals_named("aws_iam_user_login_profile", "user")

    def all_of(self, actor: Principal) -> Iterator[Escalation]:
        """Every way in which an actor gains something, of every kind."""
        yield from self.powers.of_self(actor)
        yield from self.of_principals(actor)
        yield from self.of_passing(actor)
        yield from self.of_workloads(actor)
        yield from self.of_guards(actor)
        yield from self.of_kind(actor, MethodKind.FEDERATION)
        yield from self.of_kind(actor, MethodKind.ORGANIZATION)

    def is_telling(self, escalation: Escalation) -> bool:
        """Whether the actor is somebody who could choose to do it.

        Roles for EventBridge rules, for Batch or EMR themselves are used as they are configured:
        what they may start or pass is how the service works; so are roles that only such a role
        takes, as for the actions of a pipeline. That only counts where it ends with
        an administrator and was written here, not in the policy that AWS made for the service.
        A pipeline that names a build is there to start it, whatever the build may do.
        """
        actor = escalation.actor
        if not self.reach.is_configured(actor):
            return True
        through = escalation.through
        if through is not None and any(
            runs(workload.resource, through.resource) for workload in actor.workloads
        ):
            return False
        own = {
            id(a.policy.document) for a in actor.held() if a.policy.origin is not Origin.AWS_MANAGED
        }
        reasons = (use.reason for use in escalation.uses)
        is_own = any(reason is not None and id(reason.document) in own for reason in reasons)
        return is_own and self.powers.makes_admin(escalation)

    # ---- over other principals

    def of_principals(
        self, actor: Principal, may_assume: Callable[[Principal], bool] = lambda _role: True
    ) -> Iterator[Escalation]:
        """Ways in which an actor can take over another principal.

        Who does not ask about every role that may be assumed without further ado says which:
        that is the most frequent way, and to try it is what takes time.
        """
        for method in self._methods.ready_for(actor, MethodKind.PRINCIPAL):
            wanted = method.targets
            wants_user = Target.USER in wanted
            wants_role = not wanted.isdisjoint((Target.ROLE, Target.ROLE_POLICY))
            is_plain = method.is_plain_assume
            for target in self.reach.candidates(actor, method):
                if is_plain and not (id(target) in self._worth_assuming and may_assume(target)):
                    continue
                if target is actor or not self.reach.is_in_reach(actor, target):
                    continue
                if (wants_user and not target.is_user) or (wants_role and not target.is_role):
                    continue
                if not self._is_worth_it(method, actor, target):
                    continue
                escalation = self._attempts.tried(actor, method, Binding(target))
                if escalation is not None:
                    yield self.powers.as_sure_as_gain(escalation)

    @functools.cached_property
    def _worth_assuming(self) -> frozenset[int]:
        """Principals by whom anybody may gain: whoever is open to all is asked about by all."""
        return frozenset(
            id(principal)
            for principal in self._graph.principals
            if self.powers.is_powerful(principal) or self.powers.has_power(principal)
        )

    def _is_worth_it(self, method: Method, actor: Principal, target: Principal) -> bool:
        if method.gain is Gain.ADMIN:
            is_gain = self.powers.widens(method, actor, target)
            return is_gain and not self.powers.is_powerful(actor)
        if method.is_plain_assume:
            is_gain = self.powers.exceeds(target, actor)
        else:
            # making credentials for somebody else is never meant as a way to read one bucket
            is_gain = self.powers.exceeds(target, actor) or self.powers.adds(target, actor)
        return is_gain and self._is_feasible(method, target)

    def _is_feasible(self, method: Method, target: Principal) -> bool:
        """Whether the target is as the method needs it, as far as the code says."""
        actions = set(method.actions)
        has_password = id(target) in self._with_password
        if "iam:UpdateLoginProfile" in actions:
            return has_password
        return not ("iam:CreateLoginProfile" in actions and has_password)

    def into(self, target: Principal, actors: Container[int]) -> Iterator[Escalation]:
        """The surest way to become the target, for each actor that has one.

        `actors` are the ids of those that count when their turn comes.
        """
        for actor in self.reach.who_could_become(target):
            if actor is target or id(actor) not in actors:
                continue
            best = max(self._ways(actor, target), key=lambda e: e.confidence, default=None)
            if best is not None:
                yield best

    def _ways(self, actor: Principal, target: Principal) -> Iterator[Escalation]:
        if not self.reach.is_in_reach(actor, target) and not self.reach.is_named(actor, target):
            return
        for method in self._methods.hops(actor):
            yield from self._tries(actor, method, target)

    def _tries(self, actor: Principal, method: Method, target: Principal) -> Iterator[Escalation]:
        wanted = method.targets
        bindings: list[Binding] = []
        match method.kind:
            case MethodKind.NEW_PASS:
                if target in self.reach.passable(method):
                    bindings.append(Binding(target))
            case MethodKind.EXIST:
                bindings.extend(
                    Binding(target, workload)
                    for workload in target.workloads
                    if _is_near(workload, actor) and self._is_open(method, workload)
                )
            case _:
                is_user = Target.USER in wanted
                is_fit = target.is_user is is_user and (target.is_role or is_user)
                if is_fit and self._is_feasible(method, target):
                    bindings.append(Binding(target))
        for binding in bindings:
            escalation = self._attempts.tried(actor, method, binding)
            if escalation is not None:
                yield escalation

    # ---- by what runs as a role

    def of_passing(self, actor: Principal) -> Iterator[Escalation]:
        """Ways in which an actor can have a service run its own code as another role."""
        is_worth_it = self._is_worth_reaching(actor, self.powers.exceeds)
        for method in self._methods.ready_for(actor, MethodKind.NEW_PASS):
            for role in filter(is_worth_it, self.reach.passable(method)):
                escalation = self._attempts.tried(actor, method, Binding(role))
                if escalation is not None:
                    yield self.powers.as_sure_as_gain(escalation)
        for widening, role in self._widened_by(actor):
            for method in self._methods.ready_for(actor, MethodKind.NEW_PASS):
                if method.gain is Gain.TARGET and role in self.reach.passable(method):
                    yield from self._as_widened(actor, method, widening, Binding(role))

    def _widened_by(self, actor: Principal) -> Iterator[tuple[Method, Principal]]:
        """The roles that an actor may make administrators, and by which method.

        Those that are one already are told without.
        """
        if actor.kind is PrincipalKind.GROUP or self.powers.is_powerful(actor):
            return
        held = self._methods.held(actor)
        for widening in self._methods.of_kind(MethodKind.PRINCIPAL):
            if widening.gain is not Gain.ADMIN or not widening.must_assume:
                continue
            if not self._methods.is_ready(widening, held):
                continue
            for role in self._graph.roles:
                if role is actor or not self.reach.is_in_reach(actor, role):
                    continue
                if not self.powers.is_powerful(role):
                    yield widening, role

    def _as_widened(
        self, actor: Principal, method: Method, widening: Method, binding: Binding
    ) -> Iterator[Escalation]:
        both = widened_first(method, widening)
        escalation = self._attempts.tried(actor, both, binding)
        if escalation is not None and self.powers.makes_admin(escalation):
            yield escalation

    def _may_pass(self, actor: Principal, role: Principal) -> bool:
        """Whether an actor has a service run its own code as a role anyway."""
        return any(escalation.target is role for escalation in self.of_passing(actor))

    def of_unseen_workloads(self, actor: Principal) -> Iterator[Escalation]:
        """Ways to take over what runs as an administrator's role, where the code has no such thing.

        A role that only a service may assume is there for something that runs on the service.
        """
        for method in self._methods.ready_for(actor, MethodKind.EXIST):
            if not method.trust_services or method.gain is not Gain.TARGET or method.is_closed:
                continue
            for role in self.reach.passable(method):
                if role.workloads or not self.reach.is_in_reach(actor, role):
                    continue
                if any(principal.kind != "Service" for principal in trusted_principals(role)):
                    continue
                if not self.powers.is_powerful(role) or not self.powers.exceeds(role, actor):
                    continue
                if method.trust_services == (EC2,) and not self._attempts.has_profile(role):
                    continue
                escalation = self._attempts.tried(actor, method, Binding(role, is_unseen=True))
                if escalation is not None and not self._may_pass(actor, role):
                    confidence = min(escalation.confidence, Confidence.MEDIUM)
                    yield replace(escalation, confidence=confidence)

    def of_workloads(self, actor: Principal, *, for_little: bool = False) -> Iterator[Escalation]:
        """Ways in which an actor can take over a workload that runs as another role.

        `for_little`: where that adds a sensitive permission on some resource, at least.
        """
        is_worth_it = self._is_worth_reaching(
            actor, self.powers.adds if for_little else self.powers.exceeds
        )
        methods = self._methods.ready_for(actor, MethodKind.EXIST)
        near = [
            workload
            for workload in (self._graph.workloads if methods else ())
            if _is_near(workload, actor) and is_worth_it(workload.role)
        ]
        for method in methods:
            for workload in near:
                if not self._is_open(method, workload):
                    continue
                binding = Binding(workload.role, workload)
                escalation = self._attempts.tried(actor, method, binding)
                if escalation is not None:
                    yield self.powers.as_sure_as_gain(escalation)
        for widening, role in () if for_little else self._widened_by(actor):
            for method in methods:
                for workload in role.workloads if method.gain is Gain.TARGET else ():
                    if _is_near(workload, actor) and self._is_open(method, workload):
                        binding = Binding(role, workload)
                        yield from self._as_widened(actor, method, widening, binding)

    def _is_worth_reaching(
        self, actor: Principal, is_gain: Callable[[Principal, Principal], bool]
    ) -> Callable[[Principal], bool]:
        """A test for those whom an actor reaches and gains by; methods ask of the same ones."""
        return functools.cache(
            lambda role: self.reach.is_in_reach(actor, role) and is_gain(role, actor)
        )

    def _is_open(self, method: Method, workload: Workload) -> bool:
        """Whether nothing in the code rules out a method on a workload."""
        if not runs_code(workload):
            return False
        if method.workloads and workload.resource.type not in method.workloads:
            return False
        if "ec2:StopInstances" in method.actions and launches(workload):
            return False  # what is stopped is replaced by another one
        if set(method.actions) & {"ssm:StartSession", "ssm:SendCommand"}:
            agent = self._graph.effective(workload.role).allows("ssmmessages:CreateControlChannel")
            if not agent.is_possible:
                return False
        return True

    def passable_by(self, actor: Principal) -> Iterator[tuple[Principal, Use]]:
        """The roles that an actor may pass to some service."""
        if actor.kind is PrincipalKind.GROUP:
            return
        if "iam:PassRole" not in self._graph.effective(actor).possible:
            return
        permission = Permission("iam:PassRole", Target.PASSED_ROLE)
        for role in self._graph.roles:
            if self.reach.is_in_reach(actor, role):
                use = self._attempts.use(actor, permission, role.arn, Binding(role))
                if use is not None:
                    yield role, use

    # ---- of kinds without a target

    def of_kind(self, actor: Principal, kind: MethodKind) -> Iterator[Escalation]:
        """Methods of a kind that need no principal as target."""
        for method in self._methods.ready_for(actor, kind):
            escalation = self._attempts.tried(actor, method, Binding())
            if escalation is not None:
                yield escalation

    def permitted(self, actor: Principal, kind: MethodKind) -> Iterator[Escalation]:
        """Methods whose permissions the actor holds broadly, whether a target is here or not."""
        for method in self._methods.ready_for(actor, kind):
            if method.is_plain_assume:
                continue  # LEAST-011 tells who may assume any role
            if kind is MethodKind.NEW_PASS and not method.passes_role:
                continue  # what these take over has to be there
            uses = self._attempts.broad_uses(actor, method)
            if uses is not None:
                yield self._attempts.escalation(actor, method, uses, Binding())

    def of_guards(self, actor: Principal) -> Iterator[Escalation]:
        """Ways in which an actor can lift a limit that takes something away from it."""
        has_boundary = self._is_limiting_boundary(actor)
        denials = list(denials_of(actor))
        for method in self._methods.ready_for(actor, MethodKind.GUARD):
            about = _guarded(method)
            if about is Guard.BOUNDARY and not has_boundary:
                continue
            if about is Guard.DENY and not denials:
                continue
            if about is Guard.ORGANIZATION and not self._permissions.organization:
                continue
            if about is Guard.TAG:
                continue  # TAG-004 knows which tags matter
            escalation = self._attempts.tried(actor, method, Binding())
            if escalation is not None:
                yield escalation

    def _is_limiting_boundary(self, actor: Principal) -> bool:
        """Whether the boundary takes sensitive actions away from what the policies allow."""
        if actor.boundary is None or actor.boundary.policy is None:
            return False
        bounded = self._permissions.with_boundary(actor)
        free = self._permissions.without_boundary(actor)
        return bool((free.possible - bounded.possible) & bounded.catalog.sensitive)

    def guardrail_of(self, escalation: Escalation) -> Place:
        """What an escalation of the guard kind removes, with what to call it."""
        actor = escalation.actor
        match _guarded(escalation.method):
            case Guard.BOUNDARY if actor.boundary is not None:
                return Place(actor.boundary.place, "the permissions boundary")
            case Guard.DENY:
                for place in denials_of(actor):
                    return Place(place, "the Deny")
            case Guard.ORGANIZATION:
                for policy, _, place in self._permissions.organization.attached():
                    return Place(place, f"control policy {policy.name}")
        return Place(actor.resource.header, "the limit")


def _is_near(workload: Workload, actor: Principal) -> bool:
    """Whether a workload is deployed with an actor, or where the actor is known to be."""
    return actor.account is not None or workload.resource.deployment == actor.resource.deployment


class Guard(Enum):
    """The kinds of limits that a guard method removes."""

    BOUNDARY = "boundary"
    DENY = "deny"
    ORGANIZATION = "organization"
    TAG = "tag"


def _guarded(method: Method) -> Guard:
    if lifts_boundary(method):
        return Guard.BOUNDARY
    names = " ".join(method.actions)
    if "organizations:" in names:
        return Guard.ORGANIZATION
    return Guard.TAG if "Tag" in names else Guard.DENY


def denials_of(actor: Principal) -> Iterator[Span]:
    """The statements of the actor's own policies that deny it something."""
    for attachment in actor.held():
        for statement in attachment.policy.document.statements:
            if not statement.is_allow:
                yield statement.span
