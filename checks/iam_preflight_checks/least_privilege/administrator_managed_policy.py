from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.findings import Finding, Framework, Severity
from iam_preflight.graph.accounts import Ownership
from iam_preflight.graph.documents import Power, power_of
from iam_preflight.graph.exposure import has_unknown_boundary, is_exempt, unbounded
from iam_preflight.graph.model import PrincipalKind
from iam_preflight.graph.standing import Standing
from iam_preflight.graph.trust import grants
from iam_preflight.policy.truth import Truth
from iam_preflight.rules import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.model import Attachment, Graph, OutsideAttachment, Policy, Principal


class AdministratorManagedPolicy(Rule):
    """An AWS-managed policy that amounts to administration is attached.

    ## What it checks
    AWS-managed policies that are attached to users, groups, roles and permission sets, in any
    partition, by ARN, by name or through a data source. Which of them are meant is decided from
    AWS's documents, not from a list of names: those that make an administrator
    (`AdministratorAccess`), those whose holder can make itself one (`IAMFullAccess`) and those
    that administer the organization or Identity Center. `PowerUserAccess` and its like, which
    allow nearly everything but IAM, are medium.

    Critical on users, on roles that other accounts or pipelines assume, and on roles that
    workloads run as. Milder where the holder's permissions boundary, control policies or
    denials leave too little of it. Holders listed under `admin_roles` and `break_glass_roles`
    or `break_glass_users` in the settings are left alone.

    ## Why it matters
    Few holders need it. On a workload it turns any flaw in its code into a takeover of the
    account; on a user it hangs on one leaked key.

    ## How to fix
    Attach a policy that lists what is needed, or a job-function policy, with a permissions
    boundary. Give people administration through a permission set with MFA and short sessions.

    ## Example
    ```yaml
    ManagedPolicyArns:
      - arn:aws:iam::aws:policy/job-function/ViewOnlyAccess
    ```
    """

    id = "LEAST-002"
    name = "administrator-managed-policy"
    severity = Severity.HIGH
    practice = 2
    yields_to = ("ESC-001",)
    compliance = {
        Framework.CIS: ("1.16", "1.15", "2.14", "1.22", "1.21", "2.20"),
        Framework.NIST: ("AC-6", "AC-6(5)"),
        Framework.ISO: ("A.8.2", "A.5.18"),
        Framework.FSBP: ("IAM.1", "IAM.27"),
        Framework.WELL_ARCHITECTED: ("SEC03-BP02",),
    }
    equivalents = {
        "checkov": ("CKV_AWS_274", "CKV_AWS_275", "CKV2_AWS_56"),
        "cfn_nag": ("W43", "W44"),
        "cfn-guard": (
            "IAM_ROLE_ADMINISTRATOR_ACCESS_POLICY_RULE",
            "IAM_ROLE_ELEVATED_ACCESS_POLICY_RULE",
        ),
        "cfripper": ("IAMRolesOverprivilegedRule",),
        "prowler": (
            "iam_role_administratoraccess_policy",
            "iam_user_administrator_access_policy",
            "iam_group_administrator_access_policy",
            "iam_policy_cloudshell_admin_not_attached",
        ),
        "config": ("IAM_POLICY_BLACKLISTED_CHECK",),
    }
    references = (
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_managed-vs-inline.html",
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_job-functions.html",
    )

    def check_graph(self, graph: Graph) -> Iterator[Finding]:
        for policy in graph.managed:
            power = power_of(policy.document, graph)
            if power is Power.NONE:
                continue
            for attachment in policy.attachments:
                if not is_exempt(attachment.principal, graph.settings):
                    yield self._held(attachment, power, graph)
            for outside in graph.outside:
                if outside.policy is policy:
                    yield self._held_outside(outside, power)

    def _held(self, attachment: Attachment, power: Power, graph: Graph) -> Finding:
        principal, policy = attachment.principal, attachment.policy
        is_worse = is_within_reach(principal, graph)
        severity = _limited(_severity(power, is_worse), power, principal, graph)
        limit = "" if severity is _severity(power, is_worse) else ", limited by other policies"
        return self.finding(
            f"{principal.label} holds {policy.name}: it {power.value}{limit}",
            on=principal,
            at=attachment.place,
            severity=severity,
            related=((principal.resource.header, "the holder"),),
            hint=_hint(policy, principal.kind),
            evidence=policy.name,
            assumptions=(*attachment.assumptions, *unbounded((principal,))),
        )

    def _held_outside(self, outside: OutsideAttachment, power: Power) -> Finding:
        kind, policy = outside.kind.value.replace("_", " "), outside.policy
        severity = _severity(power, outside.kind is PrincipalKind.USER)
        return self.finding(
            f"a {kind} that is not in the code gets {policy.name}: it {power.value}",
            on=outside.resource,
            at=outside.place,
            severity=severity,
            hint=_hint(policy, outside.kind),
            evidence=policy.name,
            assumptions=outside.assumptions,
        )


def is_within_reach(principal: Principal, graph: Graph) -> bool:
    """Whether its credentials live outside: in a user's key, a workload or another account."""
    if principal.is_user or principal.workloads:
        return True
    return any(
        grant.is_service
        or grant.ownership in (Ownership.EXTERNAL, Ownership.TRUSTED)
        or (grant.is_federated and "saml-provider" not in grant.principal.pattern.text)
        for grant in grants(principal.trust, graph.accounts)
    )


def _severity(power: Power, is_worse: bool) -> Severity:
    if power is Power.NEARLY:
        return Severity.MEDIUM
    return Severity.CRITICAL if is_worse else Severity.HIGH


def _limited(severity: Severity, power: Power, principal: Principal, graph: Graph) -> Severity:
    """Milder where what the principal holds does not come to what the policy promises."""
    if power in (Power.NEARLY, Power.ORGANIZATION):
        is_denied = not graph.effective(principal).possible
        return severity.lowered() if is_denied else severity
    if graph.standing(principal) >= Standing.ESCALATING:
        return severity
    if has_unknown_boundary(principal) or graph.effective(principal).is_admin is Truth.MAYBE:
        return severity.lowered()
    return min(severity, Severity.MEDIUM)


def _hint(policy: Policy, kind: PrincipalKind) -> str:
    if kind is PrincipalKind.PERMISSION_SET:
        return "keep it for the few who administer, with a short session and MFA"
    return f"replace {policy.name} by a policy that lists what is needed"
