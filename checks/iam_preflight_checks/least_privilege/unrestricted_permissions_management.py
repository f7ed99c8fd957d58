from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.findings import Framework, Severity
from iam_preflight.knowledge.worth import managing_permissions
from iam_preflight.open_actions import OpenActionsRule

if TYPE_CHECKING:
    from iam_preflight.knowledge.actionset import ActionSet
    from iam_preflight.knowledge.catalog import Catalog


class UnrestrictedPermissionsManagement(OpenActionsRule):
    """The permissions of any resource or principal may be changed.

    ## What it checks
    An identity policy that allows actions which change who may do what (AWS's access level
    *Permissions management*, and the actions that open a resource although AWS calls them
    writes), by name or by a wildcard, on `*` or on a pattern that leaves the name open, without a
    condition that limits it: `iam:PutRolePolicy`, `s3:PutBucketPolicy`, `kms:PutKeyPolicy`,
    `kms:CreateGrant`, `lambda:AddPermission`, `ec2:ModifySnapshotAttribute`.

    High in the services that hold identities, keys, data and code; medium elsewhere. What AWS
    only grants on `*` cannot be scoped and does not count. `iam:PassRole` is the business of
    WILD-003, credentials that of LEAST-009.

    ## Why it matters
    Whoever may change a resource's policy may let anyone in, from any account; whoever may change
    a role's policy may do whatever the role's workloads run for. The rest of the statement hardly
    matters then.

    ## How to fix
    Name the resources that the holder owns, require a tag with `aws:ResourceTag`, or for IAM
    require a boundary with `iam:PermissionsBoundary`.

    ## Example
    ```yaml
    - Effect: Allow
      Action: lambda:AddPermission
      Resource: !Sub arn:aws:lambda:${AWS::Region}:${AWS::AccountId}:function:orders-*
    ```
    """

    id = "LEAST-010"
    name = "unrestricted-permissions-management"
    severity = Severity.HIGH
    practice = 2
    may = "change the permissions of anything"
    cure = "name the resources that the holder owns"
    cure_by_tag = ", or require a tag with aws:ResourceTag"
    yields_to = (
        "LEAST-001",
        "LEAST-003",
        "LEAST-005",
        "LEAST-006",
        "LEAST-007",
        "LEAST-009",
        "ESC-001",
        "ESC-002",
        "BOUND-001",
        "MFA-005",
    )
    yields_when_milder_to = ("LEAST-008", "WILD-002")
    compliance = {
        Framework.NIST: ("AC-6", "AC-3(7)", "CM-5"),
        Framework.ISO: ("A.5.18", "A.8.2"),
        Framework.WELL_ARCHITECTED: ("SEC03-BP02",),
    }
    equivalents = {
        "checkov": ("CKV_AWS_109", "CKV_AWS_289"),
        "semgrep": ("no-iam-resource-exposure",),
        "cloudsplaining": ("ResourceExposure",),
    }
    references = (
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_understand-policy-summary-access-level-summaries.html",
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/best-practices.html#grant-least-privilege",
    )

    def wanted(self, catalog: Catalog) -> ActionSet:
        # how roles are taken is said by WILD-003 and LEAST-011, which know what limits it
        return managing_permissions(catalog)
