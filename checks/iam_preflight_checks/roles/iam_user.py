from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.findings import Finding, Framework, Severity
from iam_preflight.graph.credentials import single_purpose
from iam_preflight.graph.mfa import insists_on_mfa
from iam_preflight.graph.standing import Standing
from iam_preflight.rules import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.model import Graph, Principal


class IamUser(Rule):
    """An IAM user is defined where a role or federation should be used.

    ## What it checks
    Every IAM user. Medium by itself; high when the code also gives it a password, a key or
    another long-lived credential, or permissions that make it an administrator or let it
    become one. Low where all it may do is send mail (SMTP needs a user) or use CodeCommit, and
    only a note in a module that others call: whether there are users is their decision.

    Users listed under `break_glass_users` in the settings are left alone once their policies
    deny everything without a second factor. A user with an access key is told by ROLE-002.

    ## Why it matters
    A user's credentials live until somebody removes them, and they leak: into repositories,
    laptops and build logs. Sessions of a role end by themselves.

    ## How to fix
    People: IAM Identity Center. Pipelines: a role with an OIDC trust policy. Workloads: the
    role of the service they run on. Then delete the user.

    ## Example
    ```hcl
    resource "aws_iam_user" "ci" {
      name = "ci"
    }
    ```
    Instead:
    ```hcl
    resource "aws_iam_role" "ci" {
      assume_role_policy   = data.aws_iam_policy_document.github.json
      max_session_duration = 3600
    }
    ```
    ```yaml
    Ci:
      Type: AWS::IAM::Role
      Properties:
        MaxSessionDuration: 3600
        AssumeRolePolicyDocument: # sts:AssumeRoleWithWebIdentity for the pipeline's subject
    ```
    """

    id = "ROLE-001"
    name = "iam-user"
    severity = Severity.MEDIUM
    practice = 1
    yields_to = ("ROLE-002",)
    compliance = {
        Framework.CIS: ("1.21", "1.20", "2.19"),
        Framework.NIST: ("AC-2", "IA-2", "IA-8"),
        Framework.ISO: ("A.5.16", "A.5.17"),
        Framework.WELL_ARCHITECTED: ("SEC02-BP02", "SEC02-BP04"),
    }
    equivalents = {"checkov": ("CKV_AWS_273",), "prowler": ("iam_user_with_temporary_credentials",)}
    references = (
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/best-practices.html#bp-users-federation-idp",
    )

    def check_principal(self, principal: Principal, graph: Graph) -> Iterator[Finding]:
        if not principal.is_user:
            return
        effective = graph.effective(principal)
        if principal.is_listed(graph.settings.break_glass_users) and insists_on_mfa(effective):
            return
        credentials = [one for one in graph.credentials.of(principal) if one.is_active]
        purpose = single_purpose(effective)
        severity, suffix = Severity.MEDIUM, ""
        standing = graph.standing(principal)
        if credentials:
            severity, suffix = Severity.HIGH, f" with {credentials[0].kind.value}"
        if standing >= Standing.ESCALATING:
            severity, suffix = Severity.HIGH, f"{suffix}, {standing.describe()}"
        elif purpose:
            severity, suffix = Severity.LOW, f"{suffix}, only for {purpose}"
        if principal.resource.deployment.is_library:
            severity = Severity.INFO
        yield self.finding(
            f"IAM {principal.label}{suffix}",
            on=principal,
            at=principal.resource.header,
            severity=severity,
            related=[(one.resource.header, one.kind.value) for one in credentials],
            hint="use a role that is assumed for short sessions, or IAM Identity Center for people",
            evidence=principal.name.text,
        )
