"""Which environment principals and resources are in, how sure that is, and what crosses over.

An account from the settings and a tag are sure; a name, a folder or a workspace is a common
assumption. Where nothing tells, nothing is said.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, TypeVar

from msgspec import Struct

from iam_preflight.findings import Confidence
from iam_preflight.graph.accounts import account_of
from iam_preflight.graph.environments import Environments
from iam_preflight.graph.model import Principal
from iam_preflight.graph.tags import tags_of
from iam_preflight.graph.trust import is_positive
from iam_preflight.knowledge.accounts import AccountKind, known_account
from iam_preflight.knowledge.services import is_hosted_by_aws
from iam_preflight.late_patterns import late
from iam_preflight.resources import Resource
from iam_preflight.values import Reason, Unknown, text_of

if TYPE_CHECKING:
    from iam_preflight.graph.model import Graph
    from iam_preflight.policy.document import Pattern, Statement
    from iam_preflight.values import Value

Node = TypeVar("Node")

ASSIGNMENT = "aws_ssoadmin_account_assignment"

ENVIRONMENT_TAG = late(r"aws:(principal|resource)tag/(environment|env|stage)")
_ARN_FIELDS = 5
_GIVEN = (Reason.VARIABLE, Reason.PARAMETER)
"""Holes that whoever deploys fills in, under a name that says what for."""


class Placement(Struct, frozen=True):
    environment: str
    confidence: Confidence


class Segregation:
    """Placements in a graph."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self.environments = Environments(graph.settings)

    # ---- who and what is where

    def of_principal(self, principal: Principal) -> Placement | None:
        """The environment of a principal that the code has.

        A permission set is where it is assigned, not in the account that manages it.
        """
        assigned = self._assigned.get(id(principal))
        if assigned:
            return next(iter(assigned.values())) if len(assigned) == 1 else None
        return self._of(principal.resource, principal.account, principal.name.text)

    @functools.cached_property
    def _assigned(self) -> dict[int, dict[str, Placement]]:
        """The environments in which permission sets are assigned, by set."""
        found: dict[int, dict[str, Placement]] = {}
        for resource in self._graph.of_type(ASSIGNMENT):
            held = self._graph.principal_named(resource, "permission_set_arn")
            target = resource.get("target_id")
            placed = self.of_account_value(target, resource) if target is not None else None
            if held is not None and placed is not None:
                found.setdefault(id(held), {})[placed.environment] = placed
        return found

    @functools.cached_property
    def _lived_in(self) -> dict[str, Placement]:
        """Accounts all of whose principals in the code are tagged with one environment."""
        found: dict[str, set[str]] = {}
        for principal in self._graph.principals:
            tagged = self.environments.of_tags(principal.tags)
            if tagged is not None and principal.account is not None:
                found.setdefault(principal.account, set()).add(tagged)
        return {
            account: Placement(environment, Confidence.MEDIUM)
            for account, (environment, *others) in found.items()
            if not others
        }

    def of_resource(self, resource: Resource) -> Placement | None:
        """The environment of a resource that the code has, by what it says of itself."""
        account = resource.provider.account_id
        return self._of(resource, account, resource.text("name") or resource.text("bucket") or "")

    def _of(self, resource: Resource, account: str | None, name: str) -> Placement | None:
        sure = self.environments.of_account(account) or self.environments.of_tags(tags_of(resource))
        if sure is not None:
            return Placement(sure, Confidence.HIGH)
        place = self.environments.of_place(resource, account)
        likely = place[0] if place is not None else self._by_name(name)
        return Placement(likely, Confidence.MEDIUM) if likely is not None else None

    def of_caller(self, pattern: Pattern, resource: Resource) -> Placement | None:
        """The environment of an AWS principal that a trust policy of a resource names."""
        account = account_of(pattern)
        if isinstance(account, str):
            if account in self._graph.settings.shared_accounts or _is_of_vendor(account):
                return None
            by_account = self.environments.of_account(account)
            if by_account is not None:
                return Placement(by_account, Confidence.HIGH)
        held = self._referred(pattern, resource, Principal)
        if held is not None:
            return self.of_principal(held)
        if isinstance(account, str) and account not in resource.provider.account_ids:
            lived_in = self._lived_in.get(account)
            if lived_in is not None:
                return lived_in
        name = pattern.text.split(":", _ARN_FIELDS)[-1] if pattern.is_known else ""
        if isinstance(account, Unknown):
            name = f"{account.label} {name}"
        return self._named(name)

    def of_target(self, pattern: Pattern, resource: Resource) -> Placement | None:
        """The environment of what a resource pattern of an identity policy is about."""
        account = account_of(pattern)
        if isinstance(account, str):
            by_account = self.environments.of_account(account)
            if by_account is not None and account not in self._graph.settings.shared_accounts:
                return Placement(by_account, Confidence.HIGH)
        held = self._referred(pattern, resource, Resource)
        if held is not None:
            tagged = self.environments.of_tags(tags_of(held))
            return Placement(tagged, Confidence.HIGH) if tagged is not None else None
        fields = pattern.text.split(":", _ARN_FIELDS)
        if len(fields) <= _ARN_FIELDS or fields[2] == "execute-api":
            # the stage of an API is no environment: many have only `prod`
            return None
        said = [hole.label for hole in pattern.holes if hole.reason in _GIVEN]
        if not pattern.is_known:
            return self._named(" ".join(said))
        name = fields[_ARN_FIELDS]
        return None if is_hosted_by_aws(name.split("/")[0]) else self._named(name)

    def of_account_value(self, value: Value, resource: Resource) -> Placement | None:
        """The environment of the account that a value names, by id, reference or what it says."""
        text = text_of(value)
        if text is not None:
            found = self.environments.of_account(text)
            return Placement(found, Confidence.HIGH) if found is not None else None
        held = self._graph.lookup.find(value, Resource, resource)
        if held is not None and held.type == "aws_organizations_account":
            return self.of_resource(held)
        return self._named(value.label) if isinstance(value, Unknown) else None

    def _named(self, name: str) -> Placement | None:
        found = self._by_name(name)
        return Placement(found, Confidence.MEDIUM) if found is not None else None

    def _by_name(self, name: str) -> str | None:
        """The environment that a name mentions, where it mentions only one."""
        found = self.environments.all_in_text(name)
        return found.pop() if len(found) == 1 else None

    def _referred(self, pattern: Pattern, resource: Resource, kind: type[Node]) -> Node | None:
        """What the code has under a reference in a pattern."""
        references = [pattern.reference, *(hole.reference for hole in pattern.holes)]
        for reference in references:
            if reference is None:
                continue
            where = reference.deployment or resource.deployment.path
            found = self._graph.lookup.at(where, reference.address, kind)
            if found is not None:
                return found
        return None

    # ---- what keeps apart

    def is_kept_apart(self, statement: Statement, environment: str) -> bool:
        """Whether a condition asks for a tag of the environment on the caller or the resource."""
        return any(
            ENVIRONMENT_TAG.fullmatch(condition.key_name) is not None
            and is_positive(condition)
            and all(
                not value.is_known or self.environments.canonical(value.text) == environment
                for value in condition.values
            )
            for condition in statement.conditions
        )

    def is_below(self, lower: str, higher: str) -> bool:
        """Whether one environment is less protected than the other."""
        return self.environments.rank(lower) < self.environments.rank(higher)


def _is_of_vendor(account: str) -> bool:
    """Whether it is a product's account: what is called `integration` there is no environment."""
    known = known_account(account)
    return known is not None and known.kind is AccountKind.VENDOR
