"""What the control policies in the code keep accounts from, and policies that keep nobody.

A guard is tried: an administrator of a member account asks for what it should stop, with every
policy from the root down to the account in force.
https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_scps_evaluation.html
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from iam_preflight.graph.organization import ATTACHMENT_TYPE, FULL_ACCESS, MANAGEMENT, ROOT_TYPE
from iam_preflight.knowledge.guardrails import guardrail_facts
from iam_preflight.knowledge.managed import managed_policy
from iam_preflight.policy.callers import Caller
from iam_preflight.policy.context import UNKNOWN_CONTEXT, Context
from iam_preflight.policy.document import DocumentUse
from iam_preflight.policy.effective import Effective
from iam_preflight.policy.evaluate import PolicySet
from iam_preflight.values import Listing, Unknown, items_of, text_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from iam_preflight.graph.model import Graph, Policy
    from iam_preflight.graph.organization import Target
    from iam_preflight.knowledge.guardrails import Guardrail
    from iam_preflight.policy.evaluate import Levels
    from iam_preflight.resources import Resource

ACCOUNT = "123456789012"
"""A member account that no policy names."""

POLICY_TYPES = {
    DocumentUse.SCP: "SERVICE_CONTROL_POLICY",
    DocumentUse.RCP: "RESOURCE_CONTROL_POLICY",
}


class Guardrails:
    """The control policies of a scan, by what they bind."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._organization = graph.permissions.organization

    @functools.cached_property
    def management(self) -> Resource | None:
        """The organization, where the code manages it."""
        return next(iter(self._graph.of_type(ROOT_TYPE)), None)

    @property
    def policies(self) -> list[Policy]:
        """The control policies in the code."""
        return [policy for policy in self._graph.policies if policy.use in POLICY_TYPES]

    def may_come_from_modules(self) -> bool:
        """Whether a module that is not here is likely to bring control policies."""
        words = guardrail_facts().module_words
        said = (problem.message.lower() for problem in self._graph.missing_modules)
        return any(word in text for text in said for word in words)

    def is_enabled(self, use: DocumentUse) -> bool | None:
        """Whether the organization has policies of a type switched on; None where nobody knows.

        CloudFormation cannot say.
        """
        resource = self.management
        if resource is None or resource.native_type != ROOT_TYPE:
            return None
        value = resource.get("enabled_policy_types")
        if value is None:
            return False
        listed = [text_of(item) for _, item in items_of(value)]
        if POLICY_TYPES[use] in listed:
            return True
        is_open = isinstance(value, Unknown) or None in listed
        is_open = is_open or (isinstance(value, Listing) and value.rest is not None)
        return None if is_open else False

    # ---- guards

    def unguarded(self) -> Iterator[tuple[tuple[Guardrail, ...], list[Target]]]:
        """What accounts may do that they should not, with the targets that may do the same."""
        missing: dict[tuple[Guardrail, ...], list[Target]] = {}
        for target in self._leaves():
            effective, root = self._administrators(target)
            left = tuple(
                guardrail
                for guardrail in self._wanted()
                if _may(root if guardrail.caller == "root" else effective, guardrail)
            )
            if left:
                missing.setdefault(left, []).append(target)
        yield from missing.items()

    def _wanted(self) -> Iterator[Guardrail]:
        managed_roots = any(
            text_of(item) == "RootCredentialsManagement"
            for features in self._graph.of_type("aws_iam_organizations_features")
            for _, item in items_of(features.get("enabled_features"))
        )
        for guardrail in guardrail_facts().guardrails:
            if guardrail.setting and not getattr(self._graph.settings, guardrail.setting):
                continue
            if guardrail.caller != "root" or not managed_roots:
                yield guardrail

    def _leaves(self) -> Iterator[Target]:
        """Accounts that the code manages, and units and roots that it shows nothing below."""
        targets = self._organization.targets.values()
        parents = {id(target.parent) for target in targets if target.parent is not None}
        unbound = guardrail_facts().unbound
        for target in targets:
            if id(target) in parents or target.resource is None or target.resource.is_data:
                continue
            names = " ".join(_names(target)).lower().replace("_", "").replace("-", "")
            if not any(word in names for word in unbound):
                yield target

    def _administrators(self, target: Target) -> tuple[Effective, Effective]:
        """What an administrator and the root user of an account below a target may do."""
        evaluator = self._graph.permissions.evaluator
        everything = managed_policy("AdministratorAccess")
        identity = (everything,) if everything is not None else ()
        policies = PolicySet(identity=identity, scps=self._levels(target))
        role = Caller.role(f"arn:aws:iam::{ACCOUNT}:role/workload")
        return (
            Effective(evaluator, policies, role),
            Effective(evaluator, policies, Caller.root(ACCOUNT)),
        )

    def may_create_role(self, name: str, target: Target) -> bool:
        """Whether an administrator of an account below a target may make a role of that name."""
        effective, _ = self._administrators(target)
        return effective.allows("iam:CreateRole", f"arn:aws:iam::{ACCOUNT}:role/{name}").is_allowed

    def _levels(self, target: Target) -> Levels:
        """The policies above a target; those whose target nobody knows may be anywhere."""
        full = managed_policy(FULL_ACCESS) or managed_policy("AdministratorAccess")
        if full is None:
            return ()
        return self._organization.levels_of(
            (*self._organization.nowhere(), *target.chain()), DocumentUse.SCP, full
        )

    # ---- targets

    def targets_of(self, policy: Policy) -> list[Target]:
        """What a policy is attached to."""
        return [target for held, target, _ in self._organization.attached() if held is policy]

    def is_attached_out_of_sight(self, policy: Policy) -> bool:
        """Whether an attachment of the same root module names a policy that nobody knows."""
        known = {id(place) for _, _, place in self._organization.attached()}
        return any(
            id(attachment.header) not in known
            for attachment in self._graph.of_type(ATTACHMENT_TYPE)
            if attachment.deployment.path == policy.resource.deployment.path
        )

    def is_management_account(self, target: Target) -> bool:
        """Whether a target is the account that the organization is managed from."""
        return MANAGEMENT in target.key or (
            target.account is not None and target.account == self._management_account
        )

    @functools.cached_property
    def _management_account(self) -> str | None:
        """The account that the organization's own provider deploys to, where the code says so."""
        return self.management.provider.account_id if self.management is not None else None


def _names(target: Target) -> Iterable[str]:
    return [
        one.resource.text("name") or one.resource.name
        for one in target.chain()
        if one.resource is not None and one.resource.type != ROOT_TYPE
    ]


def _may(effective: Effective, guardrail: Guardrail) -> bool:
    """Whether some action of a guardrail is allowed for sure."""
    context = UNKNOWN_CONTEXT
    if guardrail.region:
        context = Context({"aws:RequestedRegion": guardrail.region})
    return any(effective.allows(action, "*", context).is_allowed for action in guardrail.actions)
