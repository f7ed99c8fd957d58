"""`aws organizations`: roots, units, accounts, control policies and what they are attached to.

The answers do not repeat what was asked for, so the recipe in `docs/account-context.md` keeps it
beside them: `ParentId` for what is below a root or unit, `PolicyId` for the targets of a policy.

- `{"Organization": …}`                      describe-organization
- `{"Roots": […]}`                           list-roots
- `{"ParentId": …, "OrganizationalUnits": […]}`  list-organizational-units-for-parent
- `{"ParentId": …, "Accounts": […]}`         list-accounts-for-parent; without parent: list-accounts
- `{"Policy": …}`                            describe-policy
- `{"PolicyId": …, "Targets": […]}`          list-targets-for-policy

Addresses are ids. https://docs.aws.amazon.com/organizations/latest/APIReference/
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.account.export import (
    Export,
    ExportError,
    Recorder,
    items_at,
    json_of,
    word,
)
from iam_preflight.values import Known, Mapping

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.resources import Resource
    from iam_preflight.source import SourceFile
    from iam_preflight.values import Value

FORMAT = "organizations"
_LISTS = ("Organization", "Roots", "OrganizationalUnits", "Accounts", "Policy", "Targets")


def recognises(keys: frozenset[str]) -> bool:
    return bool(keys & {*_LISTS})


def read(source: SourceFile) -> Export:
    """The part of the organization in a file; raises `ExportError`."""
    top = json_of(source)
    recorder = Recorder(source, "")
    resources = tuple(_resources(top, recorder))
    subject = " ".join([key for key in _LISTS if key in top.entries] + [_asked(top)])
    is_cut = bool(word(top, "NextToken"))
    return Export(source, FORMAT, "", resources, subject=subject, is_cut=is_cut)


def _asked(top: Mapping) -> str:
    policy = top.get("Policy")
    summary = policy.get("PolicySummary") if isinstance(policy, Mapping) else None
    own = word(summary, "Id") if isinstance(summary, Mapping) else ""
    return word(top, "ParentId") or word(top, "PolicyId") or own


def _resources(top: Mapping, recorder: Recorder) -> Iterator[Resource]:
    organization = top.get("Organization")
    if isinstance(organization, Mapping):
        yield _organization(organization, recorder)
    parent = top.get("ParentId")
    for unit in items_at(top, "OrganizationalUnits"):
        if parent is None:
            raise ExportError("does not say whose units they are: ParentId is missing", top.span)
        yield _target("aws_organizations_organizational_unit", unit, parent, recorder)
    for account in items_at(top, "Accounts"):
        yield _target("aws_organizations_account", account, parent, recorder)
    policy = top.get("Policy")
    if isinstance(policy, Mapping):
        yield _policy(policy, recorder)
    attached = top.get("PolicyId")
    for target in items_at(top, "Targets"):
        if not isinstance(attached, Known):
            raise ExportError("does not say which policy it is: PolicyId is missing", top.span)
        yield _attachment(str(attached.value), attached, target, recorder)


def _organization(organization: Mapping, recorder: Recorder) -> Resource:
    attributes: dict[str, Value] = {
        "id": Known(word(organization, "Id"), organization.span),
        "feature_set": Known(word(organization, "FeatureSet"), organization.span),
        "master_account_id": Known(word(organization, "MasterAccountId"), organization.span),
    }
    kind = "aws_organizations_organization"
    return recorder.resource(kind, word(organization, "Id"), organization.span, attributes)


def _target(kind: str, entry: Mapping, parent: Value | None, recorder: Recorder) -> Resource:
    attributes: dict[str, Value] = {
        "id": Known(word(entry, "Id"), entry.span),
        "name": Known(word(entry, "Name"), entry.span),
    }
    if isinstance(parent, Known):
        # by its id alone, which is also the address of the unit that it names
        attributes["parent_id"] = Known(parent.value, parent.span)
    return recorder.resource(kind, word(entry, "Id"), entry.span, attributes)


def _policy(policy: Mapping, recorder: Recorder) -> Resource:
    summary = policy.get("PolicySummary")
    if not isinstance(summary, Mapping):
        raise ExportError("a policy without PolicySummary", policy.span)
    content = policy.get("Content")
    attributes: dict[str, Value] = {
        "id": Known(word(summary, "Id"), summary.span),
        "name": Known(word(summary, "Name"), summary.span),
        "type": Known(word(summary, "Type"), summary.span),
        "content": content if content is not None else Known("", policy.span),
    }
    kind = "aws_organizations_policy"
    return recorder.resource(kind, word(summary, "Id"), policy.span, attributes)


def _attachment(policy: str, asked: Known, target: Mapping, recorder: Recorder) -> Resource:
    to = word(target, "TargetId")
    attributes: dict[str, Value] = {
        "policy_id": recorder.reference(policy, asked.span, policy, "id"),
        "target_id": Known(to, target.span),
    }
    kind = "aws_organizations_policy_attachment"
    return recorder.resource(kind, f"{policy} {to}", target.span, attributes)
