from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.findings import Finding, Framework, Severity
from iam_preflight.graph.credentials import CredentialKind
from iam_preflight.rules import Rule
from iam_preflight.values import combine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.credentials import Credential
    from iam_preflight.graph.model import Graph


class SeveralAccessKeys(Rule):
    """A user has more than one active access key.

    ## What it checks
    Users for whom the code creates two or more access keys that are not `Inactive`, also by
    `count` or `for_each`. Keys that cannot exist together, because each needs the opposite of
    what the other needs, are one. While a key is replaced there may be two: the old one is
    then set to `Inactive`.

    ## Why it matters
    The second key is the one that nobody rotates and nobody misses. Two keys are twice as much
    to leak, and CloudTrail shows two identities where there is one user.

    ## How to fix
    Keep the key that is in use and remove the other; set it to `Inactive` first if you are
    not sure.

    ## Example
    ```hcl
    resource "aws_iam_access_key" "old" {
      user   = aws_iam_user.export.name
      status = "Inactive"
    }

    resource "aws_iam_access_key" "new" {
      user = aws_iam_user.export.name
    }
    ```
    ```yaml
    OldKey:
      Type: AWS::IAM::AccessKey
      Properties:
        UserName: !Ref Export
        Status: Inactive
    ```
    """

    id = "CRED-001"
    name = "several-access-keys"
    severity = Severity.LOW
    practice = 10
    compliance = {
        Framework.CIS: ("1.13", "1.12"),
        Framework.NIST: ("IA-5", "AC-2"),
        Framework.ISO: ("A.5.17",),
        Framework.WELL_ARCHITECTED: ("SEC02-BP05",),
    }
    equivalents = {
        "trivy": ("AWS-0167",),
        "kics": ("3561130e-9c5f-485b-9e16-2764c82763e5", "48677914-6fdf-40ec-80c4-2b0e94079f54"),
        "prowler": ("iam_user_two_active_access_key",),
    }
    references = (
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_access-keys.html",
    )

    def check_graph(self, graph: Graph) -> Iterator[Finding]:
        by_user: dict[tuple[str, object], list[Credential]] = {}
        for key in graph.credentials.of_kind(CredentialKind.ACCESS_KEY):
            if key.is_active:
                by_user.setdefault(_user(key), []).append(key)
        for keys in by_user.values():
            first = keys[0]
            others = [key for key in keys[1:] if _can_coexist(first, key)]
            if not others:
                continue
            yield self.finding(
                f"{first.user_label} has {1 + len(others)} active access keys",
                on=others[0].resource,
                at=others[0].resource.header,
                related=[(first.resource.header, "another")],
                hint="keep one; set a key to Inactive before it is removed",
                evidence=first.user_label,
                assumptions=first.resource.assumptions,
                principal=first.owner,
            )


def _user(key: Credential) -> tuple[str, object]:
    """What two keys of one user have in common: the user, or how both write its name."""
    if key.owner is not None:
        return "", id(key.owner)
    return key.resource.deployment.path, key.user_label


def _can_coexist(one: Credential, other: Credential) -> bool:
    return combine(one.resource.assumptions, other.resource.assumptions) is not None
