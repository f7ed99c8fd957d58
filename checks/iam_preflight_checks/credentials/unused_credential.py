from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.findings import Finding, Framework, Severity
from iam_preflight.graph.credential_report import TYPE, rows
from iam_preflight.rules import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.credential_report import Row
    from iam_preflight.graph.model import Graph


class UnusedCredential(Rule):
    """A password or access key in the account has not been used for 30 days.

    ## What it checks
    Every password and active access key of the credential report in the account context,
    whether the code manages its user or not. It may lie unused for `max_unused_days` of the
    settings (30), counted from the report's own date; what was never used, since it was made.
    Users for emergencies (`break_glass_users`) and the root user are meant to rest.

    AWS remembers the last use of passwords since 2014 and of keys since 2015.

    ## Why it matters
    Nobody notices when somebody else begins to use what nobody uses.

    ## How to fix
    Delete the key or password; delete a user that has none left.

    ## Example
    ```
    aws iam delete-access-key --user-name robot --access-key-id AKIA…
    aws iam delete-login-profile --user-name bob
    ```
    """

    id = "CRED-008"
    name = "unused-credential"
    severity = Severity.MEDIUM
    practice = 10
    judges_records = True
    reads = (TYPE,)
    compliance = {
        Framework.CIS: ("1.11",),
        Framework.NIST: ("AC-2(3)", "IA-4"),
        Framework.ISO: ("A.5.18",),
        Framework.FSBP: ("IAM.22",),
        Framework.WELL_ARCHITECTED: ("SEC03-BP04",),
    }
    equivalents = {
        "prowler": ("iam_user_accesskey_unused", "iam_user_console_access_unused"),
        "aws-config": ("IAM_USER_UNUSED_CREDENTIALS_CHECK",),
    }
    references = (
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_getting-report.html",
    )

    def check_graph(self, graph: Graph) -> Iterator[Finding]:
        settings = graph.settings
        for row in rows(graph):
            if row.is_root:
                continue
            if row.user is not None and row.user.is_listed(settings.break_glass_users):
                continue
            idle = row.password_idle
            if idle is not None and idle > settings.max_unused_days:
                yield self._finding(row, "the password", f"not used for {idle} days")
            for key in row.keys:
                if key.idle > settings.max_unused_days:
                    how = "not used" if key.was_used else "never used, and made"
                    when = f"for {key.idle} days" if key.was_used else f"{key.age} days ago"
                    yield self._finding(row, f"access key {key.number}", f"{how} {when}")

    def _finding(self, row: Row, what: str, how: str) -> Finding:
        return self.finding(
            f"{what} of {row.label} was {how}",
            on=row.subject,
            at=row.subject.header,
            related=row.related,
            hint="delete it",
            evidence=f"{row.label} {what}",
            principal=row.user,
        )
