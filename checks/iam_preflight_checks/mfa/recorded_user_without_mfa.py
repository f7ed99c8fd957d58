from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.findings import Finding, Framework, Severity
from iam_preflight.graph.credential_report import TYPE, rows
from iam_preflight.rules import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.model import Graph


class RecordedUserWithoutMfa(Rule):
    r"""A user signs in to the account with a password alone.

    ## What it checks
    Every user with a password of the credential report in the account context, the root user
    among them: whether it has a second factor. The root user is critical. Unlike what code can
    say, this is how it is: people register their devices themselves.

    ## Why it matters
    A password is guessed, reused or given away; a second factor has to be stolen as well.

    ## How to fix
    Register a device, best a passkey. Move people to IAM Identity Center.

    ## Example
    ```
    aws iam create-virtual-mfa-device --virtual-mfa-device-name bob --outfile qr.png \
      --bootstrap-method QRCodePNG
    aws iam enable-mfa-device --user-name bob --serial-number arn:aws:iam::…:mfa/bob \
      --authentication-code1 … --authentication-code2 …
    ```
    """

    id = "MFA-006"
    name = "recorded-user-without-mfa"
    severity = Severity.HIGH
    practice = 4
    judges_records = True
    reads = (TYPE,)
    compliance = {
        Framework.CIS: ("1.4", "1.9"),
        Framework.NIST: ("IA-2(1)", "IA-2(2)"),
        Framework.ISO: ("A.8.5",),
        Framework.FSBP: ("IAM.5", "IAM.9"),
        Framework.WELL_ARCHITECTED: ("SEC02-BP01",),
    }
    equivalents = {
        "prowler": ("iam_user_mfa_enabled_console_access", "iam_root_mfa_enabled"),
        "aws-config": ("MFA_ENABLED_FOR_IAM_CONSOLE_ACCESS", "ROOT_ACCOUNT_MFA_ENABLED"),
    }
    references = (
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_getting-report.html",
    )

    def check_graph(self, graph: Graph) -> Iterator[Finding]:
        for row in rows(graph):
            if row.has_password and not row.has_mfa:
                yield self.finding(
                    f"{row.label} signs in with a password and no second factor",
                    on=row.subject,
                    at=row.subject.header,
                    severity=Severity.CRITICAL if row.is_root else None,
                    related=row.related,
                    hint="register a device, best a passkey",
                    evidence=row.label,
                    principal=row.user,
                )
