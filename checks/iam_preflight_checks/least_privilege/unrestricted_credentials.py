from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.findings import Framework, Severity
from iam_preflight.knowledge.catalog import ActionClass
from iam_preflight.open_actions import OpenActionsRule

if TYPE_CHECKING:
    from iam_preflight.knowledge.actionset import ActionSet
    from iam_preflight.knowledge.catalog import Catalog


class UnrestrictedCredentials(OpenActionsRule):
    """Credentials of anybody may be made or fetched.

    ## What it checks
    An identity policy that allows actions which return or make access keys, passwords or tokens,
    such as `iam:CreateAccessKey`, `iam:UpdateLoginProfile`, `sts:GetFederationToken`,
    `redshift:GetClusterCredentials` and `rds-db:connect`, on `*` or on a pattern that leaves open
    whose (`arn:aws:iam::111122223333:user/*`), without a condition that says so.

    People who manage their own (`arn:aws:iam::*:user/${aws:username}`) are left alone, and so are
    tokens that AWS only gives on `*` and that open nothing by themselves, such as
    `ecr:GetAuthorizationToken`. `sts:AssumeRole` is the business of LEAST-011, whether a user of
    the code is worth it that of ESC-002.

    ## Why it matters
    A key for somebody else is a way to become somebody else, and one that lasts: it outlives the
    session in which it was made.

    ## How to fix
    Scope it to the holder with `${aws:username}`, or name the users, clusters and databases.

    ## Example
    ```json
    {
      "Effect": "Allow",
      "Action": ["iam:CreateAccessKey", "iam:DeleteAccessKey"],
      "Resource": "arn:aws:iam::*:user/${aws:username}"
    }
    ```
    """

    id = "LEAST-009"
    name = "unrestricted-credentials"
    severity = Severity.HIGH
    practice = 2
    may = "make or fetch credentials of anybody"
    cure = "name whose credentials: the users, databases, instances or pools"
    cure_in_iam = "scope it to the holder itself with ${aws:username}, or name whose credentials"
    yields_to = (
        "LEAST-001",
        "LEAST-003",
        "LEAST-005",
        "LEAST-006",
        "LEAST-007",
        "ESC-001",
        "ESC-002",
    )
    compliance = {
        Framework.NIST: ("IA-5", "AC-6"),
        Framework.ISO: ("A.5.17",),
        Framework.WELL_ARCHITECTED: ("SEC02-BP02", "SEC03-BP02"),
    }
    equivalents = {
        "checkov": ("CKV_AWS_107", "CKV_AWS_287"),
        "semgrep": ("no-iam-creds-exposure",),
        "cloudsplaining": ("CredentialsExposure",),
    }
    references = (
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_examples_aws_my-sec-creds-self-manage-no-mfa.html",
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/best-practices.html#grant-least-privilege",
    )

    def wanted(self, catalog: Catalog) -> ActionSet:
        classes = catalog.classes
        data = classes[ActionClass.SECRETS_AND_DATA]
        return classes[ActionClass.CREDENTIALS] - data - catalog.expand("sts:AssumeRole")
