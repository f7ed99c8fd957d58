"""What a permission of a method must be held on, as ARNs: the variables of methods filled in."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from iam_preflight.graph.arns import arn_of
from iam_preflight.graph.code import code_sources
from iam_preflight.graph.handles import handles
from iam_preflight.graph.model import Origin, PrincipalKind
from iam_preflight.knowledge.escalation import Method, Permission, Target
from iam_preflight.policy.document import Effect, Pattern
from iam_preflight.policy.globs import Wildcards, may_meet, text_tokens
from iam_preflight.values import Unknown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.model import Graph, Principal, Workload
    from iam_preflight.graph.reach import Reach
    from iam_preflight.resources import Resource

NEW_NAME = "iam-preflight-new"
"""Stands for whatever name an actor gives to something it makes."""


class Binding(Struct, frozen=True):
    """What the variables of a method stand for in one try."""

    target: Principal | None = None
    workload: Workload | None = None
    is_unseen: bool = False
    """Whether the workload is one that the code does not hold."""


class MethodTargets:
    """What permissions must be held on in a try of a method; answers are remembered."""

    def __init__(self, graph: Graph, reach: Reach) -> None:
        self._graph = graph
        self._reach = reach
        self._taking: dict[str, tuple[Pattern, ...]] = {}
        self._handles: dict[int, tuple[Pattern, ...]] = {}
        self._sources: dict[tuple[int, str], tuple[Pattern | str, ...]] = {}

    def resources(
        self, actor: Principal, permission: Permission, binding: Binding, method: Method
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
                yield from (group.arn for group in self.groups(actor, method))
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
                yield from self.new(actor, permission)
            case Target.ARN:
                yield permission.arn
            case Target.PROVIDER:
                for resource in self._graph.of_type(
                    "aws_iam_saml_provider", "aws_iam_openid_connect_provider"
                ):
                    arn = arn_of(resource)
                    if arn is not None:
                        yield arn
            case _:
                yield "*"

    def groups(self, actor: Principal, method: Method) -> Iterator[Principal]:
        if "iam:AddUserToGroup" not in method.actions:
            yield from actor.groups
            return
        own = set(map(id, actor.groups))
        for group in self._graph.of_kind(PrincipalKind.GROUP):
            if id(group) in own or not self._reach.is_in_reach(actor, group):
                continue
            yield group

    def _existing(self, permission: Permission, binding: Binding) -> Iterator[str | Pattern]:
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
            found = self._handles[id(workload)] = tuple(handles(workload, self._graph))
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
        arns = (arn_of(resource) for resource in self._graph.resources if not resource.is_data)
        return [arn for arn in arns if arn is not None]

    def _takes(self, action: str, arn: Pattern) -> bool:
        """Whether an action works on resources with such ARNs."""
        known = self._graph.permissions.evaluator.catalog.action(action)
        if known is None:
            return False
        service = arn.text.split(":")[2:3]
        return any(
            glob.split(":")[2:3] == service
            and may_meet(arn.arn_tokens, text_tokens(glob, Wildcards.ARN))
            for glob in known.arn_globs
            if glob != "*"
        )

    def new(self, actor: Principal, permission: Permission) -> Iterator[str | Pattern]:
        """ARNs that something new could have: any name, or one that the policies ask for."""
        yield from self._named_anyhow(permission)
        effective = self._graph.effective(actor)
        for document in effective.policies.identity:
            for matcher, _ in effective.evaluator.matcher(document).about(
                permission.action.lower()
            ):
                if matcher.statement.effect is Effect.ALLOW:
                    yield from map(_one_of, matcher.statement.resources)

    def _named_anyhow(self, permission: Permission) -> Iterator[str]:
        """ARNs with a name that no policy speaks of."""
        known = self._graph.permissions.evaluator.catalog.action(permission.action)
        if known is None or known.is_only_star:
            yield "*"
            return
        for use in known.resources:
            yield _filled(use.type.glob, NEW_NAME)


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
