"""`aws sso-admin`: permission sets, what they hold, and who has them in which account.

The answers do not repeat what was asked for, so the recipe in `docs/account-context.md` keeps the
`PermissionSetArn` beside them:

- `{"PermissionSet": …}`                                  describe-permission-set
- `{"PermissionSetArn": …, "InlinePolicy": …}`            get-inline-policy-for-permission-set
- `{"PermissionSetArn": …, "AttachedManagedPolicies": …}`  list-managed-policies-in-permission-set
- `{"AccountAssignments": […]}`                           list-account-assignments
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

FORMAT = "identity center"
_KEYS = frozenset(
    {"PermissionSet", "InlinePolicy", "AttachedManagedPolicies", "AccountAssignments"}
)
_SET = "aws_ssoadmin_permission_set"


def recognises(keys: frozenset[str]) -> bool:
    return bool(keys & _KEYS)


def read(source: SourceFile) -> Export:
    """The part of Identity Center in a file; raises `ExportError`."""
    top = json_of(source)
    resources = tuple(_resources(top, Recorder(source, "")))
    names = sorted(_KEYS & set(top.entries))
    asked = word(top, "PermissionSetArn") or " ".join(one.address for one in resources[:1])
    subject = " ".join((*names, asked))
    is_cut = bool(word(top, "NextToken"))
    return Export(source, FORMAT, "", resources, subject=subject, is_cut=is_cut)


def _resources(top: Mapping, recorder: Recorder) -> Iterator[Resource]:
    described = top.get("PermissionSet")
    if isinstance(described, Mapping):
        yield _permission_set(described, recorder)
    for assignment in items_at(top, "AccountAssignments"):
        yield _assignment(assignment, recorder)
    inline = word(top, "InlinePolicy")
    attached = list(items_at(top, "AttachedManagedPolicies"))
    owner = word(top, "PermissionSetArn")
    if (inline or attached) and not owner:
        raise ExportError("does not say of which permission set: PermissionSetArn is missing")
    held = recorder.reference(owner, top.span, owner)
    if inline:
        text = top.entries["InlinePolicy"]
        attributes: dict[str, Value] = {"permission_set_arn": held, "inline_policy": text}
        kind = "aws_ssoadmin_permission_set_inline_policy"
        yield recorder.resource(kind, f"{owner} inline", text.span, attributes)
    for policy in attached:
        arn = Known(word(policy, "Arn"), policy.span)
        attributes = {"permission_set_arn": held, "managed_policy_arn": arn}
        kind = "aws_ssoadmin_managed_policy_attachment"
        yield recorder.resource(kind, f"{owner} {arn.value}", policy.span, attributes)


def _permission_set(described: Mapping, recorder: Recorder) -> Resource:
    arn = word(described, "PermissionSetArn")
    attributes: dict[str, Value] = {
        "name": Known(word(described, "Name"), described.span),
        "arn": Known(arn, described.span),
        "session_duration": Known(word(described, "SessionDuration"), described.span),
    }
    return recorder.resource(_SET, arn, described.span, attributes)


def _assignment(assignment: Mapping, recorder: Recorder) -> Resource:
    arn = word(assignment, "PermissionSetArn")
    attributes: dict[str, Value] = {
        "permission_set_arn": recorder.reference(arn, assignment.span, arn),
        "principal_type": Known(word(assignment, "PrincipalType"), assignment.span),
        "principal_id": Known(word(assignment, "PrincipalId"), assignment.span),
        "target_id": Known(word(assignment, "AccountId"), assignment.span),
        "target_type": Known("AWS_ACCOUNT", assignment.span),
    }
    address = " ".join((arn, word(assignment, "PrincipalId"), word(assignment, "AccountId")))
    kind = "aws_ssoadmin_account_assignment"
    return recorder.resource(kind, address, assignment.span, attributes)
