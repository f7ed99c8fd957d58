from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.findings import Finding, Framework, Severity
from iam_preflight.graph.credentials import CredentialKind
from iam_preflight.graph.passwords import Handover, handovers
from iam_preflight.graph.secrets import SinkKind
from iam_preflight.rules import Rule
from iam_preflight.values import bool_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.credentials import Credential
    from iam_preflight.graph.model import Graph
    from iam_preflight.graph.secrets import Flow

IN_STATE = {
    CredentialKind.ACCESS_KEY: "secret access key",
    CredentialKind.PASSWORD: "console password",
    CredentialKind.SERVICE: "service-specific credential",
}
HINTS = {
    SinkKind.OUTPUT: "leave the output out; whoever needs it gets a role",
    SinkKind.PARAMETER: "leave it out; else make it a SecureString",
}


class ExposedCredential(Rule):
    """A password or secret key of a user can be read by others.

    ## What it checks
    - Secrets that the code makes and gives to an output, a file, or a parameter that is no
      `SecureString`: high. `sensitive = true` hides an output from the terminal, not from the
      state: medium. What gives an access key to a workload is told by ROLE-005; SMTP and console
      passwords in such places are told here.
    - Keys and passwords without `pgp_key`: Terraform keeps them in the state, readable for
      everybody who may plan. Medium, and low for a password that has to be changed at once.
      ROLE-002 and CRED-005 take this along. The same goes for service-specific credentials
      that never end.
    - CloudFormation: a console password in the template, or as the default of a parameter
      (high), from a parameter without `NoEcho` or a plain one of Parameter Store (medium), or
      one that its user may keep although somebody else made it up (low). References to Secrets
      Manager, and to a `SecureString` by `ssm-secure`, are as they should be.

    Modules that others call are low: whether a secret goes further is their decision.

    ## Why it matters
    State files, stack outputs and parameters are read by many more people and machines than
    the user is allowed to be. No log says that a secret was read from a state.

    ## How to fix
    Remove the credential and use a role. Where that cannot be, encrypt it with `pgp_key`, and
    let passwords come from Secrets Manager.

    ## Example
    ```hcl
    resource "aws_iam_user_login_profile" "operator" {
      user                    = aws_iam_user.operator.name
      pgp_key                 = "keybase:operator"
      password_reset_required = true
    }
    ```
    ```yaml
    LoginProfile:
      Password: "{{resolve:secretsmanager:operator/console:SecretString:password}}"
      PasswordResetRequired: true
    ```
    """

    id = "CRED-004"
    name = "exposed-credential"
    severity = Severity.HIGH
    practice = 10
    yields_to = ("ROLE-002", "CRED-005")
    reads = ("terraform_output", "local_file", "local_sensitive_file", "aws_ssm_parameter")
    compliance = {
        Framework.NIST: ("IA-5(7)", "SC-28"),
        Framework.ISO: ("A.5.17", "A.8.24"),
        Framework.WELL_ARCHITECTED: ("SEC02-BP03",),
    }
    equivalents = {
        "kics": (
            "7081f85c-b94d-40fd-8b45-a4f1cac75e46",
            "06adef8c-c284-4de7-aad2-af43b07a8ca1",
            "a964d6e3-8e1e-4d93-8120-61fa640dd55a",
        ),
        "cfn_nag": ("F51", "W50"),
    }
    references = (
        "https://developer.hashicorp.com/terraform/language/manage-sensitive-data",
        "https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/security-best-practices.html#creds",
    )

    def check_graph(self, graph: Graph) -> Iterator[Finding]:
        told: set[tuple[int, int]] = set()
        for flow in graph.credentials.secrets.flows:
            pair = (id(flow.sink), id(flow.source))
            if pair not in told and _is_exposed(flow):
                told.add(pair)
                yield self._of_flow(flow)
        days = graph.settings.max_key_age_days
        for credential in graph.credentials.all:
            if not credential.is_active or credential.ends_within(days):
                continue
            if _is_in_state(credential):
                yield self._of_state(credential)
            if credential.kind is CredentialKind.PASSWORD:
                yield from self._of_password(credential)

    def _of_flow(self, flow: Flow) -> Finding:
        is_hidden = bool_of(flow.sink.get("sensitive")) is True
        severity = Severity.MEDIUM if is_hidden else Severity.HIGH
        return self.finding(
            f"the {flow.what} of {flow.source.block} goes into {flow.kind.describe(flow.sink)}"
            + (", which the state shows" if is_hidden else ""),
            on=flow.sink,
            at=flow.place,
            severity=Severity.LOW if flow.sink.deployment.is_library else severity,
            related=((flow.source.header, "the credential"),),
            hint=HINTS.get(flow.kind, "leave it out; whoever needs it gets a role"),
            evidence=f"{flow.source.address}.{flow.attribute}",
            assumptions=(*flow.assumptions, *flow.source.assumptions),
        )

    def _of_state(self, credential: Credential) -> Finding:
        resource = credential.resource
        severity = Severity.LOW if credential.must_be_changed else Severity.MEDIUM
        what = IN_STATE[credential.kind]
        can_encrypt = credential.kind is not CredentialKind.SERVICE
        return self.finding(
            f"the {what} of {credential.user_label} is kept readable in the state",
            on=resource,
            at=resource.header,
            severity=Severity.LOW if resource.deployment.is_library else severity,
            hint="set pgp_key, or remove it" if can_encrypt else "remove it and use a role",
            evidence=f"{what} in state",
            principal=credential.owner,
        )

    def _of_password(self, credential: Credential) -> Iterator[Finding]:
        told: set[Handover] = set()
        for assumptions, handover, place in handovers(credential):
            if handover in told:
                continue
            told.add(handover)
            yield self.finding(
                f"the console password of {credential.user_label} {handover.value}",
                on=credential.resource,
                at=place,
                severity=SEVERITIES[handover],
                hint="take it from Secrets Manager with a dynamic reference"
                if handover is not Handover.KEPT
                else "set PasswordResetRequired",
                evidence=handover.value,
                assumptions=assumptions,
                principal=credential.owner,
            )


SEVERITIES = {
    Handover.WRITTEN: Severity.HIGH,
    Handover.DEFAULT: Severity.HIGH,
    Handover.SHOWN: Severity.MEDIUM,
    Handover.STORED: Severity.MEDIUM,
    Handover.KEPT: Severity.LOW,
}


def _is_exposed(flow: Flow) -> bool:
    if (flow.source.text("status") or "").lower() == "inactive":
        return False
    match flow.kind:
        case SinkKind.OUTPUT | SinkKind.FILE:
            return True
        case SinkKind.PARAMETER:
            return flow.sink.text("type") in (None, "String", "StringList")
        case SinkKind.VAULT:
            return False
        case _:
            # an access key that goes to a workload is told by ROLE-005
            return flow.attribute != "secret"


def _is_in_state(credential: Credential) -> bool:
    is_terraform = credential.resource.native_type.startswith("aws_")
    return is_terraform and credential.kind in IN_STATE and not credential.is_encrypted
