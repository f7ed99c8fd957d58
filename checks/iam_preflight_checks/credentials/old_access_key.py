from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.findings import Finding, Framework, Severity
from iam_preflight.graph.credential_report import TYPE, rows
from iam_preflight.rules import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.credential_report import RecordedKey, Row
    from iam_preflight.graph.model import Graph


class OldAccessKey(Rule):
    """An access key in the account is older than 90 days.

    ## What it checks
    Every active access key of the credential report in the account context, whether the code
    manages its user or not. It may be `max_key_age_days` of the settings (90) old, counted from
    the report's own date. Keys of the root user are high: nothing can limit them.

    A key that nobody uses any more is CRED-008, which says it all.

    ## Why it matters
    A key leaks some day. Its age is how long whoever found it could use it.

    ## How to fix
    Replace the key by a role. Where that cannot be, make a new one and delete the old one.

    ## Example
    ```
    aws iam create-access-key --user-name robot
    aws iam update-access-key --user-name robot --access-key-id AKIA… --status Inactive
    aws iam delete-access-key --user-name robot --access-key-id AKIA…
    ```
    """

    id = "CRED-007"
    name = "old-access-key"
    severity = Severity.MEDIUM
    practice = 10
    judges_records = True
    reads = (TYPE,)
    compliance = {
        Framework.CIS: ("1.13",),
        Framework.NIST: ("IA-5(1)", "AC-2(3)"),
        Framework.ISO: ("A.5.17",),
        Framework.FSBP: ("IAM.3",),
        Framework.WELL_ARCHITECTED: ("SEC02-BP05",),
    }
    equivalents = {
        "prowler": ("iam_rotate_access_key_90_days",),
        "aws-config": ("ACCESS_KEYS_ROTATED",),
    }
    references = (
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_getting-report.html",
    )

    def check_graph(self, graph: Graph) -> Iterator[Finding]:
        for row in rows(graph):
            for key in row.keys:
                is_old = key.age > graph.settings.max_key_age_days
                if is_old and key.idle <= graph.settings.max_unused_days:
                    yield self._finding(row, key)

    def _finding(self, row: Row, key: RecordedKey) -> Finding:
        return self.finding(
            f"access key {key.number} of {row.label} is {key.age} days old",
            on=row.subject,
            at=row.subject.header,
            severity=Severity.HIGH if row.is_root else None,
            related=row.related,
            hint="use a role instead; else make a new key and delete this one",
            evidence=f"{row.label} {key.number}",
            principal=row.user,
        )
