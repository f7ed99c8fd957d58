from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.findings import Finding, Framework, Severity
from iam_preflight.graph.credentials import CredentialKind, is_of_partner, single_purpose
from iam_preflight.graph.standing import Standing
from iam_preflight.rules import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.credentials import Credential
    from iam_preflight.graph.model import Graph


class LongLivedAccessKey(Rule):
    """A long-lived access key is created.

    ## What it checks
    Every access key that is not `Inactive`. High; critical when its user is the root user, an
    administrator or able to become one, or somebody outside of the company (`partner_markers`
    in the settings); medium when all the user may do is send mail, and low in a module that
    others call. Users for emergencies are not exempt: they sign in with a password and a second
    factor.

    What follows from having the key is told with it: that nothing rotates it (CRED-002), that
    its secret is in the state (CRED-004), and that there is an IAM user (ROLE-001).

    ## Why it matters
    A key works from anywhere, for anybody who has it, until somebody deletes it. Most
    break-ins into AWS accounts begin with one that leaked.

    ## How to fix
    Remove the key and give its consumer a role: an instance profile, the role of the task or
    function, pod identity, an OIDC trust policy for pipelines, IAM Roles Anywhere for servers
    outside of AWS. Deactivate it first if you are not sure who uses it.

    ## Example
    ```hcl
    resource "aws_iam_access_key" "deploy" {
      user = aws_iam_user.deploy.name
    }
    ```
    Instead:
    ```hcl
    data "aws_iam_policy_document" "deploy" {
      statement {
        actions = ["sts:AssumeRoleWithWebIdentity"]
        principals {
          type        = "Federated"
          identifiers = [aws_iam_openid_connect_provider.github.arn]
        }
        condition {
          test     = "StringEquals"
          variable = "token.actions.githubusercontent.com:sub"
          values   = ["repo:my-org/my-app:environment:prod"]
        }
      }
    }
    ```
    """

    id = "ROLE-002"
    name = "long-lived-access-key"
    severity = Severity.HIGH
    practice = 1
    compliance = {
        Framework.CIS: ("1.14", "1.13", "2.12", "1.11", "1.10"),
        Framework.NIST: ("IA-5", "IA-5(1)", "AC-2"),
        Framework.ISO: ("A.5.17",),
        Framework.FSBP: ("IAM.3", "IAM.4"),
        Framework.WELL_ARCHITECTED: ("SEC02-BP02",),
    }
    equivalents = {
        "checkov": ("CKV_AWS_348",),
        "kics": (
            "7081f85c-b94d-40fd-8b45-a4f1cac75e46",
            "970d224d",
            "4c137350",
        ),
        "terrascan": ("AC_AWS_0133", "AC_AWS_0132"),
        "trivy": ("AWS-0141",),
    }
    references = (
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/best-practices.html#rotate-credentials",
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/security-creds-programmatic-access.html",
    )

    def check_graph(self, graph: Graph) -> Iterator[Finding]:
        for key in graph.credentials.of_kind(CredentialKind.ACCESS_KEY):
            if key.is_active:
                yield self._finding(key, graph)

    def _finding(self, key: Credential, graph: Graph) -> Finding:
        severity, who = _severity(key, graph)
        owner = key.owner.resource.header if key.owner is not None else None
        return self.finding(
            f"long-lived access key for {who}",
            on=key.resource,
            at=key.resource.header,
            severity=severity,
            related=((owner, "its user"),) if owner is not None else (),
            hint="delete it, and let whoever uses it assume a role",
            evidence=key.user_label,
            causes=(key.resource.header, *((owner,) if owner is not None else ())),
            principal=key.owner,
        )


def _severity(key: Credential, graph: Graph) -> tuple[Severity, str]:
    if key.resource.deployment.is_library:
        return Severity.LOW, key.user_label
    if key.is_of_root:
        return Severity.CRITICAL, "the root user"
    if key.owner is None:
        return Severity.HIGH, key.user_label
    standing = graph.standing(key.owner)
    if standing >= Standing.ESCALATING:
        return Severity.CRITICAL, f"{key.user_label}, {standing.describe()}"
    if is_of_partner(key.owner, graph.settings):
        return Severity.CRITICAL, f"{key.user_label} of a partner"
    purpose = single_purpose(graph.effective(key.owner))
    if purpose == "sending mail":
        return Severity.MEDIUM, f"{key.user_label}, only for {purpose}"
    return Severity.HIGH, key.user_label
