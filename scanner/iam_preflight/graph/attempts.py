"""Tries a method: whether an actor holds all that it needs, on what it has to be held on."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from msgspec.structs import replace

from iam_preflight.findings import Confidence
from iam_preflight.graph.arns import arn_of
from iam_preflight.graph.escalation import Escalation, Use
from iam_preflight.graph.model import Origin, PrincipalKind
from iam_preflight.graph.tags import Tags, tags_of
from iam_preflight.knowledge.escalation import Certainty, Method, MethodKind, Permission, Target
from iam_preflight.policy.context import Presence
from iam_preflight.policy.effective import Effective
from iam_preflight.policy.evaluate import PolicySet, Request
from iam_preflight.policy.scope import Strength, restriction
from iam_preflight.policy.truth import Doubt, Truth

if TYPE_CHECKING:
    from iam_preflight.graph.method_targets import Binding, MethodTargets
    from iam_preflight.graph.model import Graph, Principal
    from iam_preflight.graph.reach import Reach
    from iam_preflight.policy.context import Context
    from iam_preflight.policy.document import Document, Pattern
    from iam_preflight.policy.evaluate import Decision

_ON_TARGETS = (Target.USER, Target.ROLE, Target.PASSED_ROLE, Target.GROUP)
"""Variables that stand for the principal in question, and not for something else of it."""
EC2 = "ec2.amazonaws.com"
AWS_POLICY = "arn:aws:iam::aws:policy/"
ADMINISTRATOR = f"{AWS_POLICY}AdministratorAccess"
POLICY_ARN = "iam:PolicyARN"
_ASSUMING = "sts:assumerole"
_NO_MFA = {
    "aws:MultiFactorAuthPresent": Presence.ABSENT,
    "aws:MultiFactorAuthAge": Presence.ABSENT,
}
_BY_CERTAINTY = {
    Certainty.HIGH: Confidence.HIGH,
    Certainty.MEDIUM: Confidence.MEDIUM,
    Certainty.LOW: Confidence.LOW,
}


class Attempts:
    """Tries methods on the principals of a graph; answers are remembered."""

    def __init__(self, graph: Graph, reach: Reach, targets: MethodTargets) -> None:
        self._graph = graph
        self._permissions = graph.permissions
        self._reach = reach
        self._targets = targets
        self._assuming: dict[tuple[object, int, Permission], Use | None] = {}
        self._silent: dict[int, bool] = {}
        self._tagged: dict[int, Tags] = {}
        self._profiled = graph.principals_named("aws_iam_instance_profile", "role")

    def has_profile(self, role: Principal) -> bool:
        """Whether an instance profile of the code holds a role."""
        return id(role) in self._profiled

    def tried(self, actor: Principal, method: Method, binding: Binding) -> Escalation | None:
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
        if method.kind is MethodKind.NEW_PASS and not self._may_have_profile(
            actor, method, binding
        ):
            return None
        return self.escalation(actor, method, tuple(uses), binding)

    def escalation(
        self, actor: Principal, method: Method, uses: tuple[Use, ...], binding: Binding
    ) -> Escalation:
        confidence = min(
            (*(use.confidence for use in uses), _BY_CERTAINTY[method.certainty]),
        )
        documents = {
            id(reason.document): reason.document
            for use in uses
            for reason in use.decision.allowed_by
        }
        assumptions = self._permissions.assumptions(actor, documents.values())
        return Escalation(
            actor, method, uses, binding.target, binding.workload, confidence, assumptions
        )

    def _may_have_profile(self, actor: Principal, method: Method, binding: Binding) -> bool:
        """EC2 takes a role only inside an instance profile."""
        if method.trust_services != (EC2,) or binding.target is None:
            return True
        if id(binding.target) in self._profiled:
            return True
        allows = self._graph.effective(actor).allows
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
        binding: Binding,
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
        self, actor: Principal, permission: Permission, binding: Binding, method: Method
    ) -> Use | None:
        if permission.is_assume and permission.target is Target.ROLE:
            return self._assume(actor, binding.target, permission)
        best: Use | None = None
        for resource in self._targets.resources(actor, permission, binding, method):
            use = self.use(actor, permission, resource, binding)
            if use is not None and (best is None or use.confidence > best.confidence):
                best = use
                if best.confidence is Confidence.HIGH:
                    break
        is_any = binding.workload is None and not binding.is_unseen
        if best is None and permission.target is Target.EXISTING and is_any:
            return self._spoken_of(actor, permission, binding)
        return best

    def _spoken_of(self, actor: Principal, permission: Permission, binding: Binding) -> Use | None:
        """A permission on something that the code does not hold: what the policies speak of."""
        for resource in self._targets.new(actor, permission):
            use = self.use(actor, permission, resource, binding)
            if use is not None:
                return replace(use, confidence=min(use.confidence, Confidence.MEDIUM))
        return None

    def use(
        self,
        actor: Principal,
        permission: Permission,
        resource: str | Pattern,
        binding: Binding,
    ) -> Use | None:
        effective = self._graph.effective(actor)
        keys = dict(permission.context)
        absent: dict[str, Presence] = {}
        if binding.target is not None:
            for key, value in keys.items():
                if value == "{role}":
                    keys[key] = binding.target.arn.text
        if permission.target is Target.NEW and permission.action.startswith("iam:"):
            # what is made new has a boundary only where the statement asks for one
            absent["iam__PermissionsBoundary"] = Presence.ABSENT
        tags = self._tags(permission, resource, binding)
        context = self._permissions.context(actor, tuple(keys.items()), tags, **absent)
        decision = effective.allows(permission.action, resource, context)
        if _is_in_every_account(permission) and decision.doubt & (Doubt.UNKNOWN | Doubt.PART):
            return None  # one account, or one that nobody knows yet, is not every account
        use = self._judged(permission, resource, context, decision, effective)
        if keys.get(POLICY_ARN) != ADMINISTRATOR or decision.truth is Truth.YES:
            return use
        del keys[POLICY_ARN]
        rest = self._permissions.context(actor, tuple(keys.items()), tags, **absent)
        if not effective.allows(permission.action, resource, rest).is_possible:
            return use
        for arn in self._strong_policies:
            context = rest.with_keys({POLICY_ARN: arn})
            decision = effective.allows(permission.action, resource, context)
            if decision.truth is Truth.YES:
                return self._judged(permission, resource, context, decision, effective)
        return use

    @functools.cached_property
    def _strong_policies(self) -> tuple[str | Pattern, ...]:
        """Policies beside AdministratorAccess that make whoever holds them administrator."""
        found: list[str | Pattern] = [f"{AWS_POLICY}IAMFullAccess"]
        for policy in self._graph.policies:
            if policy.arn is not None and policy.origin is Origin.CUSTOMER_MANAGED:
                own = Effective(self._permissions.evaluator, PolicySet((policy.document,)))
                if own.is_admin is Truth.YES:
                    found.append(policy.arn)
        return tuple(found)

    def _tags(
        self, permission: Permission, resource: str | Pattern, binding: Binding
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
        strength = _strength(decision, permission.action, effective)
        if strength >= Strength.SCOPE:
            return None  # a condition restricts it to something else
        confidence = Confidence.MEDIUM
        if decision.doubt & (Doubt.HOLE | Doubt.PART):
            confidence = Confidence.LOW
        needs_mfa = False
        if decision.doubt & Doubt.CONDITION:
            without = context.with_keys(_NO_MFA)
            again = effective.allows(permission.action, resource, without)
            needs_mfa = not again.is_possible
        return Use(permission, decision, confidence, needs_mfa, strength is Strength.CONTEXT)

    def _assume(
        self, actor: Principal, role: Principal | None, permission: Permission
    ) -> Use | None:
        """Whether an actor may assume a role: its own policies and the trust policy together."""
        if role is None or role.trust is None or actor.kind is PrincipalKind.PERMISSION_SET:
            return None
        if not self._reach.may_be_admitted(actor, role):
            return None
        key = (self._as_seen_by(role.trust.document, actor), id(role), permission)
        if key not in self._assuming:  # most methods end with the same step
            self._assuming[key] = self._assumed(actor, role, role.trust.document, permission)
        return self._assuming[key]

    def _as_seen_by(self, trust: Document, actor: Principal) -> object:
        """What stands for an actor before a trust policy: often it is one of many alike."""
        effective = self._graph.effective(actor)
        caller = effective.caller
        if caller is None or not self._is_silent(actor):
            return id(actor)
        if self._permissions.evaluator.matcher(trust).tells_apart(_ASSUMING):
            return id(actor)
        return caller.kind, caller.account, caller.is_service_linked

    def _is_silent(self, actor: Principal) -> bool:
        """Whether nothing but trust policies decides which roles an actor may assume."""
        found = self._silent.get(id(actor))
        if found is None:
            found = self._graph.effective(actor).is_silent_about(_ASSUMING)
            self._silent[id(actor)] = found
        return found

    def _assumed(
        self, actor: Principal, role: Principal, trust: Document, permission: Permission
    ) -> Use | None:
        effective = self._graph.effective(actor)
        if effective.caller is None:
            return None
        context = self._permissions.context(actor, (), role.tags)
        policies = replace(effective.policies, resource=trust)
        request = Request("sts:AssumeRole", role.arn, effective.caller, context)
        decision = self._permissions.evaluator.decide(policies, request)
        if not decision.is_possible:
            return None
        trusting = Effective(effective.evaluator, policies, effective.caller)
        return self._judged(permission, role.arn, context, decision, trusting)

    def broad_uses(self, actor: Principal, method: Method) -> tuple[Use, ...] | None:
        """The method's permissions, where each is held on everything."""
        effective = self._graph.effective(actor)
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


def _is_in_every_account(permission: Permission) -> bool:
    """Whether a permission counts only where it is held in whatever account."""
    return permission.target is Target.ARN and permission.arn.split(":")[4:5] == ["*"]


def _strength(decision: Decision, action: str, effective: Effective) -> Strength:
    """What conditions restrict in the statement that restricts least; nothing where none does."""
    if not decision.doubt & Doubt.CONDITION:
        return Strength.NOTHING
    return min(
        (
            restriction(reason.statement, action, effective.catalog)
            for reason in decision.allowed_by
            if reason.truth is not Truth.NO
        ),
        default=Strength.NOTHING,
    )
