from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.findings import Confidence, Finding, Framework, Severity
from iam_preflight.graph.exposure import is_exempt, listed
from iam_preflight.graph.model import Principal, PrincipalKind
from iam_preflight.knowledge.worth import changing
from iam_preflight.rules import Rule
from iam_preflight.values import Reason, Unknown, items_of, show

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.model import Graph, Policy
    from iam_preflight.resources import Resource
    from iam_preflight.values import Value

USERS = ("user", "users", "user_name")
"""Attributes that name users."""


class PolicyOnUser(Rule):
    """A policy is attached to a user directly.

    ## What it checks
    Inline and managed policies on IAM users, whether the user is in the code or only named.
    Medium when the policy allows sensitive changes, else low.

    Policies that only deny are left alone, and so are users listed under `break_glass_users` in
    the settings. Permissions boundaries are no grants. What a user gets through a group is not
    meant.

    ## Why it matters
    Permissions of single users are never reviewed as a whole and stay when people change teams;
    nobody knows which of twenty users are to lose what.

    ## How to fix
    Give the policy to a group, or better to a role or permission set that people assume with MFA.

    ## Example
    ```hcl
    resource "aws_iam_group_policy_attachment" "support" {
      group      = aws_iam_group.support.name
      policy_arn = aws_iam_policy.support.arn
    }
    ```
    """

    id = "LEAST-012"
    name = "policy-on-user"
    severity = Severity.LOW
    practice = 2
    reads = (
        "aws_iam_policy_attachment",
        "aws_iam_user_policy",
        "aws_iam_user_policy_attachment",
        "aws_iam_user_policy_attachments_exclusive",
    )
    compliance = {
        Framework.CIS: ("1.15", "1.14", "2.13"),
        Framework.NIST: ("AC-2", "AC-6(3)"),
        Framework.ISO: ("A.5.18",),
        Framework.FSBP: ("IAM.2",),
        Framework.WELL_ARCHITECTED: ("SEC02-BP06",),
    }
    equivalents = {
        "checkov": ("CKV_AWS_40",),
        "trivy": ("AWS-0143",),
        "kics": (
            "b4378389-a9aa-44ee-91e7-ef183f11079e",
            "edc95c10-7366-4f30-9b4b-f995c84eceb5",
            "e4239438-e639-44aa-adb8-866e400e3ade",
            "0e5872b4-19a0-4165-8b2f-56d9e14b909f",
        ),
        "cfn_nag": ("F10", "F11", "F12"),
        "cfn-guard": ("IAM_NO_POLICY_ON_USER", "IAM_USER_NO_POLICIES_CHECK"),
        "regula": ("FG_R00007",),
        "terrascan": ("AC_AWS_0475", "AC_AWS_0476"),
        "cfripper": ("PolicyOnUserRule", "ManagedPolicyOnUserRule"),
    }
    references = (
        "https://docs.aws.amazon.com/securityhub/latest/userguide/iam-controls.html#iam-2",
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/best-practices.html#bp-users-federation-idp",
    )

    def check_resource(self, resource: Resource, graph: Graph) -> Iterator[Finding]:
        attribute = next((name for name in USERS if resource.get(name) is not None), None)
        items = [item for _, item in items_of(resource.get(attribute or ""))]
        if attribute is None or not items or _gives_nothing(resource):
            return
        users = {show(item): graph.lookup.find(item, Principal, resource) for item in items}
        held = {
            user.label if user is not None and user.is_user else f"user {name}": user
            for name, user in users.items()
            if user is None or not is_exempt(user, graph.settings)
        }
        if not held:
            return
        policies = list(_policies(resource, graph))
        if policies and all(_only_denies(policy) for policy in policies):
            return
        yield self.finding(
            f"{listed(held)} {'hold' if len(held) > 1 else 'holds'} a policy directly",
            on=resource,
            at=resource.header,
            severity=Severity.MEDIUM if any(_is_sensitive(p, graph) for p in policies) else None,
            confidence=Confidence.LOW if _may_be_empty(attribute, items) else None,
            hint="give it to a group, or better to a role that people assume",
            principal=next(iter(held.values())) if len(held) == 1 else None,
        )


def _gives_nothing(resource: Resource) -> bool:
    """Whether it keeps users free of policies: an exclusive list without items."""
    arns = resource.get("policy_arns")
    return arns is not None and not any(True for _ in items_of(arns))


def _may_be_empty(attribute: str, items: list[Value]) -> bool:
    """Whether nobody knows that there is a user at all: a list that is an unset variable."""
    return attribute == "users" and all(
        isinstance(item, Unknown) and item.reason in (Reason.VARIABLE, Reason.PARAMETER)
        for item in items
    )


def _policies(resource: Resource, graph: Graph) -> Iterator[Policy]:
    """The policies that a resource gives to users, as far as they are known."""
    for policy in graph.policies:
        if policy.resource is resource and not policy.is_source_only:
            yield policy
    for name in ("policy_arn", "policy_arns"):
        places = {item.span for _, item in items_of(resource.get(name))}
        for user in graph.users:
            yield from (a.policy for a in user.attachments if a.place in places)
        for outside in graph.outside:
            if outside.kind is PrincipalKind.USER and outside.place in places:
                yield outside.policy


def _only_denies(policy: Policy) -> bool:
    document = policy.document
    return (
        bool(document.statements)
        and not document.lost
        and not any(statement.is_allow for statement in document.statements)
    )


def _is_sensitive(policy: Policy, graph: Graph) -> bool:
    effective = graph.permissions.of_document(policy.document)
    catalog = effective.catalog
    return bool(effective.possible & catalog.sensitive & changing(catalog))
