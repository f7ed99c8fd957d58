from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.findings import Framework, Severity
from iam_preflight.knowledge.catalog import ActionClass
from iam_preflight.open_actions import OpenActionsRule

if TYPE_CHECKING:
    from iam_preflight.knowledge.actionset import ActionSet
    from iam_preflight.knowledge.catalog import Catalog


class UnrestrictedDataRead(OpenActionsRule):
    """Secrets and data may be read, whatever they are called.

    ## What it checks
    An identity policy that allows actions which return secrets, objects, items, messages or
    decrypted data, by name or by a wildcard, on `*` or on a pattern that leaves the name open
    (`arn:aws:s3:::*/*`, `arn:aws:secretsmanager:eu-west-1:111122223333:secret:*`), without a
    condition on the resource, its account or its tags.

    High for secrets, parameters, objects and tables. Medium for `kms:Decrypt`, queues and
    streams, which take something else as well. With the persona *pedantic*: images and code.

    What AWS only grants on `*` does not count, and neither do AWS's own public parameters
    (`parameter/aws/service/*`) or a prefix of one's own.

    ## Why it matters
    Whoever gets hold of the credentials copies what the workload was never meant to see: the
    other teams' databases, keys and customers.

    ## How to fix
    Name the buckets, tables, parameters and secrets, or a prefix of them. Where keys are not
    known beforehand, add `kms:ViaService`; for data of other accounts `aws:ResourceAccount`.

    ## Example
    ```hcl
    statement {
      actions   = ["secretsmanager:GetSecretValue"]
      resources = ["arn:aws:secretsmanager:eu-west-1:111122223333:secret:orders/*"]
    }
    ```
    """

    id = "LEAST-008"
    name = "unrestricted-data-read"
    severity = Severity.HIGH
    practice = 2
    may = "read secrets or data of any name"
    cure = "name the secrets, buckets, tables or keys, or a prefix of them"
    yields_to = (
        "LEAST-001",
        "LEAST-003",
        "LEAST-005",
        "LEAST-006",
        "LEAST-007",
        "LEAST-009",
        "LEAST-010",
    )
    compliance = {
        Framework.NIST: ("AC-3", "AC-6", "SC-28"),
        Framework.ISO: ("A.8.3",),
        Framework.FSBP: ("KMS.1", "KMS.2"),
        Framework.WELL_ARCHITECTED: ("SEC03-BP02", "SEC08-BP04"),
    }
    equivalents = {
        "checkov": ("CKV_AWS_108", "CKV_AWS_288"),
        "semgrep": ("no-iam-data-exfiltration",),
        "trivy": ("AWS-0345", "AWS-0346"),
        "cloudsplaining": ("DataExfiltration",),
    }
    references = (
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/best-practices.html#grant-least-privilege",
        "https://docs.aws.amazon.com/kms/latest/developerguide/iam-policies-best-practices.html",
    )

    def wanted(self, catalog: Catalog) -> ActionSet:
        return catalog.classes[ActionClass.SECRETS_AND_DATA]
