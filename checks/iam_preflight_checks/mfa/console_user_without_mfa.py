from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.findings import Confidence, Finding, Framework, Severity
from iam_preflight.graph.credentials import CredentialKind
from iam_preflight.graph.mfa import has_device, insists_on_mfa, may_act_without_mfa
from iam_preflight.rules import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.model import Graph, Principal


class ConsoleUserWithoutMfa(Rule):
    """A user can sign in to the console without a second factor.

    ## What it checks
    Users with a console password whose policies (own, of their groups, and control policies
    above them) leave something allowed without a second factor, beyond what it takes to set up
    a device. What stops everything else is a Deny with
    `BoolIfExists aws:MultiFactorAuthPresent = false` on every resource, with at most the
    self-service actions under `NotAction`; so does asking for MFA in every Allow.

    In CloudFormation a virtual device that names the user will do. A user who may only assume
    roles, or whose policies are not in the code, is medium; one in a group that is not in the
    code is of low confidence.

    ## Why it matters
    Passwords are guessed, phished and used twice. One is then enough to be in the console with
    all the user's permissions.

    ## How to fix
    Attach a policy to the user's group that denies everything without a second factor (AWS
    calls its sample Force_MFA), or move the person to IAM Identity Center.

    ## Example
    ```hcl
    resource "aws_iam_group_policy" "force_mfa" {
      group = aws_iam_group.people.name
      policy = jsonencode({
        Version = "2012-10-17"
        Statement = [{
          Effect    = "Deny"
          NotAction = ["iam:EnableMFADevice", "iam:ListMFADevices", "sts:GetSessionToken"]
          Resource  = "*"
          Condition = { BoolIfExists = { "aws:MultiFactorAuthPresent" = "false" } }
        }]
      })
    }
    ```
    ```yaml
    - Effect: Deny
      NotAction: [iam:EnableMFADevice, iam:ListMFADevices, sts:GetSessionToken]
      Resource: "*"
      Condition:
        BoolIfExists:
          aws:MultiFactorAuthPresent: "false"
    ```
    """

    id = "MFA-003"
    name = "console-user-without-mfa"
    severity = Severity.HIGH
    practice = 4
    reads = ("aws_iam_virtual_mfa_device",)
    compliance = {
        Framework.CIS: ("1.10", "1.9", "2.10"),
        Framework.NIST: ("IA-2(1)", "IA-2(2)"),
        Framework.ISO: ("A.8.5",),
        Framework.FSBP: ("IAM.5", "IAM.19"),
        Framework.WELL_ARCHITECTED: ("SEC02-BP01",),
    }
    equivalents = {
        "checkov": ("CKV2_AWS_22",),
        "trivy": ("AWS-0123", "AWS-0145"),
        "kics": (
            "3ddfa124-6407-4845-a501-179f90c65097",
            "9ec311bf-dfd9-421f-8498-0b063c8bc552",
            "b5681959",
        ),
        "terrascan": ("AC_AWS_0151",),
        "prowler": ("iam_user_mfa_enabled_console_access",),
    }
    references = (
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/tutorial_users-self-manage-mfa-and-creds.html",
    )

    def check_principal(self, principal: Principal, graph: Graph) -> Iterator[Finding]:
        if not principal.is_user:
            return
        password = next(
            (
                credential
                for credential in graph.credentials.of(principal)
                if credential.kind is CredentialKind.PASSWORD
            ),
            None,
        )
        if password is None or has_device(principal, graph):
            return
        effective = graph.effective(principal)
        if insists_on_mfa(effective):
            return
        is_unknown = bool(principal.unresolved) or graph.credentials.has_unknown_groups(principal)
        yield self.finding(
            f"{principal.label} can use the console without a second factor",
            on=principal,
            at=password.resource.header,
            severity=Severity.HIGH if may_act_without_mfa(effective) else Severity.MEDIUM,
            confidence=Confidence.LOW if is_unknown else Confidence.HIGH,
            related=((principal.resource.header, "the user"),),
            hint="deny everything without a second factor in a policy of the user's group, "
            "or move the person to IAM Identity Center",
            evidence=principal.name.text,
            causes=(password.resource.header,),
            assumptions=password.resource.assumptions,
        )
