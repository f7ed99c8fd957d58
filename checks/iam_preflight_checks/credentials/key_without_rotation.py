from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.findings import Finding, Framework, Severity
from iam_preflight.graph.baseline import baseline_of, provides
from iam_preflight.graph.credentials import CredentialKind
from iam_preflight.graph.rotation import (
    ROTATION_TYPES,
    has_rotating_function,
    is_age_watched,
    renewals_of,
)
from iam_preflight.rules import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.credentials import Credential
    from iam_preflight.graph.model import Graph
    from iam_preflight.graph.rotation import Renewal


class KeyWithoutRotation(Rule):
    """Nothing renews an access key in time.

    ## What it checks
    Every active access key that the code creates. It should be renewed within
    `max_key_age_days` of the settings (90) by one of

    - Terraform: `replace_triggered_by` with a `time_rotating`;
    - CloudFormation: a `Serial` from a parameter, which the pipeline counts up;
    - the rotation of the secret in Secrets Manager that holds it;
    - a function in the code that may create and delete access keys.

    Low where the Config rule `ACCESS_KEYS_ROTATED` reports old keys, and in modules that others
    call; high in code that sets up an account's audit services and lacks that rule. The key
    itself is told by ROLE-002, which takes this one along.

    ## Why it matters
    A key leaks some day. Its age is how long whoever found it can use it.

    ## How to fix
    Delete the key and use a role. Where that cannot be, renew it with a clock:

    ## Example
    ```hcl
    resource "time_rotating" "export" {
      rotation_days = 60
    }

    resource "aws_iam_access_key" "export" {
      user = aws_iam_user.export.name
      lifecycle {
        replace_triggered_by  = [time_rotating.export]
        create_before_destroy = true
      }
    }
    ```
    ```yaml
    ExportKey:
      Type: AWS::IAM::AccessKey
      Properties:
        UserName: !Ref Export
        Serial: !Ref KeySerial # counted up by the pipeline
    ```
    """

    id = "CRED-002"
    name = "key-without-rotation"
    severity = Severity.MEDIUM
    practice = 10
    yields_to = ("ROLE-002",)
    reads = ROTATION_TYPES
    compliance = {
        Framework.CIS: ("1.14", "1.13", "2.12"),
        Framework.NIST: ("IA-5(1)", "AC-2(3)"),
        Framework.ISO: ("A.5.17",),
        Framework.FSBP: ("IAM.3",),
        Framework.WELL_ARCHITECTED: ("SEC02-BP05",),
    }
    equivalents = {
        "trivy": ("AWS-0146",),
        "prowler": ("iam_rotate_access_key_90_days",),
        "aws-config": ("ACCESS_KEYS_ROTATED",),
    }
    references = (
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/id-credentials-access-keys-update.html",
        "https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-iam-accesskey.html",
    )

    def check_graph(self, graph: Graph) -> Iterator[Finding]:
        keys = [
            one for one in graph.credentials.of_kind(CredentialKind.ACCESS_KEY) if one.is_active
        ]
        severity = _severity(graph) if keys else self.severity
        for key in keys:
            renewals = list(renewals_of(key, graph))
            if any(_is_in_time(renewal, graph) for renewal in renewals):
                continue
            if has_rotating_function(key, graph):
                continue
            late = renewals[0] if renewals else None
            is_library = key.resource.deployment.is_library
            yield self._finding(key, late, Severity.LOW if is_library else severity)

    def _finding(self, key: Credential, late: Renewal | None, severity: Severity) -> Finding:
        how = (
            f"is renewed only every {late.days:g} days" if late is not None else "is never renewed"
        )
        return self.finding(
            f"the access key of {key.user_label} {how}",
            on=key.resource,
            at=key.resource.header,
            severity=severity,
            related=((late.place, "renews it"),) if late is not None else (),
            hint="delete it; else renew it with a clock",
            evidence=key.user_label,
            principal=key.owner,
        )


def _is_in_time(renewal: Renewal, graph: Graph) -> bool:
    return renewal.days is None or renewal.days <= graph.settings.max_key_age_days


def _severity(graph: Graph) -> Severity:
    """What a key that gets old means: somebody sees it, nobody knows, or nobody ever will."""
    if is_age_watched(graph):
        return Severity.LOW
    is_alone = baseline_of(graph) is not None and not provides(graph, "config")
    return Severity.HIGH if is_alone else Severity.MEDIUM
