"""The organization in the code: which control policies bind which accounts.

A target is the root, an organizational unit or an account; a policy attached to one binds all
below it, and every level must allow
(https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_scps_evaluation.html).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct, field

from iam_preflight.policy.document import DocumentUse
from iam_preflight.values import Reference, items_of, text_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from iam_preflight.graph.model import Policy, Principal
    from iam_preflight.policy.document import Document
    from iam_preflight.policy.evaluate import Levels
    from iam_preflight.resources import Resource
    from iam_preflight.source import Span
    from iam_preflight.values import Value

ROOT_TYPE = "aws_organizations_organization"
UNIT_TYPE = "aws_organizations_organizational_unit"
ACCOUNT_TYPE = "aws_organizations_account"
ATTACHMENT_TYPE = "aws_organizations_policy_attachment"
FULL_ACCESS = "FullAWSAccess"
MANAGEMENT = "master_account"
"""How attributes begin that are about the management account."""


class Target(Struct, eq=False):
    """The root, an organizational unit or an account, with the policies attached to it."""

    key: str
    """Address of its resource, or the id that the code names."""
    resource: Resource | None = None
    parent: Target | None = None
    account: str | None = None
    policies: list[tuple[Policy, Span]] = field(default_factory=list)

    @property
    def is_root(self) -> bool:
        return self.key == "root" or self.key.startswith("r-")

    def chain(self) -> list[Target]:
        """From the root down to this target."""
        chain: list[Target] = [self]
        seen = {id(self)}
        while chain[-1].parent is not None and id(chain[-1].parent) not in seen:
            chain.append(chain[-1].parent)
            seen.add(id(chain[-1]))
        return chain[::-1]


class Organization:
    """The targets that the code knows and what is attached to them."""

    def __init__(self, resources: Iterable[Resource], policies: Iterable[Policy]) -> None:
        self.targets: dict[str, Target] = {}
        self.management: str | None = None
        """The management account, where a snapshot says which it is."""
        listed = [r for r in resources if r.type.startswith("aws_organizations_")]
        for resource in listed:
            if resource.type in (ROOT_TYPE, UNIT_TYPE, ACCOUNT_TYPE):
                self._add(resource)
            if resource.type == ROOT_TYPE and resource.is_recorded:
                self.management = resource.text("master_account_id")
        for resource in listed:
            if resource.type in (UNIT_TYPE, ACCOUNT_TYPE):
                self._place(resource)
        by_resource = {
            (policy.resource.deployment.path, policy.resource.address): policy
            for policy in policies
            if policy.use in (DocumentUse.SCP, DocumentUse.RCP)
        }
        for resource in listed:
            if resource.type == ATTACHMENT_TYPE:
                self._attach(resource, by_resource)
            for _, target in items_of(resource.get("target_ids")):
                policy = by_resource.get((resource.deployment.path, resource.address))
                if policy is not None:
                    self._target(target, resource).policies.append((policy, target.span))

    def __bool__(self) -> bool:
        return any(target.policies for target in self.targets.values())

    def _add(self, resource: Resource) -> None:
        is_root = resource.type == ROOT_TYPE
        key = "root" if is_root else _own_key(resource)
        account = resource.text("id") or resource.text("account_id")
        existing = self.targets.get(key)
        if existing is None:
            self.targets[key] = Target(key, resource, account=account)
        else:
            existing.resource = existing.resource or resource

    def _place(self, resource: Resource) -> None:
        target = self.targets[_own_key(resource)]
        # CloudFormation has a list for it
        parents = [parent for _, parent in items_of(resource.get("parent_id"))]
        if parents:
            target.parent = self._target(parents[0], resource)
        elif "root" in self.targets:
            target.parent = self.targets["root"]

    def _target(self, value: Value, resource: Resource) -> Target:
        """The target that a value names, by reference or id."""
        reference = getattr(value, "reference", None)
        if isinstance(reference, Reference):
            is_root = f".{ROOT_TYPE}." in f".{reference.address}"
            if is_root and not reference.attribute.startswith(MANAGEMENT):
                return self.targets.setdefault("root", Target("root"))
            key = _key(reference.deployment or resource.deployment.path, reference.address)
            if key in self.targets:
                return self.targets[key]
        text = text_of(value) or str(getattr(value, "label", "target"))
        if text.startswith("r-"):
            text = "root"
        account = text if text.isdigit() else None
        root = self.targets.get("root") if text != "root" else None
        return self.targets.setdefault(text, Target(text, parent=root, account=account))

    def _attach(self, resource: Resource, policies: dict[tuple[str, str], Policy]) -> None:
        value, target = resource.get("policy_id"), resource.get("target_id")
        reference = getattr(value, "reference", None)
        if target is None or not isinstance(reference, Reference):
            return
        where = reference.deployment or resource.deployment.path
        policy = policies.get((where, reference.address))
        if policy is not None:
            self._target(target, resource).policies.append((policy, resource.header))

    def chain_of(self, principal: Principal) -> list[Target]:
        """The targets above a principal's account, as far as the code says; else the root."""
        return self.chain_above(principal.account, principal.resource)

    def chain_above(self, account: str | None, resource: Resource) -> list[Target]:
        """The targets above the account that a resource is deployed to."""
        if account is not None:
            if account == self.management:
                return []  # no control policy binds the management account
            for target in self.targets.values():
                if target.account == account:
                    return target.chain()
        role = resource.provider.role_arn
        reference = getattr(role, "reference", None)
        if isinstance(reference, Reference):
            key = _key(resource.deployment.path, reference.address)
            if key in self.targets:
                return self.targets[key].chain()
        root = self.targets.get("root")
        return [root] if root is not None else []

    def levels(self, principal: Principal, use: DocumentUse, full_access: Document) -> Levels:
        """The control policies above a principal, one level a target.

        AWS attaches FullAWSAccess everywhere; where a level allows something itself, that is
        taken to replace it.
        """
        return self.levels_of(self.chain_of(principal), use, full_access)

    def levels_of(self, chain: Iterable[Target], use: DocumentUse, full_access: Document) -> Levels:
        """The control policies of a chain of targets, one level a target."""
        levels: list[tuple[Document, ...]] = []
        for target in chain:
            documents = tuple(policy.document for policy, _ in target.policies if policy.use is use)
            if not documents:
                continue
            if any(place.source.is_record for _, place in target.policies):
                # a snapshot has all there is, FullAWSAccess where it is attached
                levels.append(documents)
                continue
            if not any(s.is_allow for document in documents for s in document.statements):
                documents = (*documents, full_access)
            levels.append(documents)
        return tuple(levels)

    def nowhere(self) -> Iterator[Target]:
        """What policies are attached to that the code does not show: it may be anything."""
        return (
            target
            for target in self.targets.values()
            if target.resource is None and not target.is_root and target.policies
        )

    def attached(self) -> Iterator[tuple[Policy, Target, Span]]:
        for target in self.targets.values():
            for policy, place in target.policies:
                yield policy, target, place


def _own_key(resource: Resource) -> str:
    """The key of a target: what an account already holds is named by its id everywhere."""
    if resource.is_recorded:
        return resource.address
    return _key(resource.deployment.path, resource.address)


def _key(deployment: str, address: str) -> str:
    return f"{deployment}\0{address}"
