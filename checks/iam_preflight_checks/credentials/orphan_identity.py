from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.findings import Finding, Framework, Persona, Severity
from iam_preflight.graph.orphans import ASSIGNMENT, PROFILE, Orphans
from iam_preflight.rules import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.model import Graph


class OrphanIdentity(Rule):
    """A user, group, role, policy or permission set that nobody uses.

    ## What it checks
    - a group without members;
    - a user without permissions, group and credentials;
    - a role whose trust policy lets nobody assume it;
    - a managed policy that is attached to nothing, is nobody's boundary and is named nowhere
      else in the files;
    - a permission set that is assigned to nobody;
    - an instance profile without a role.

    Groups, policies and permission sets are for the pedantic persona where the code fills no
    group, attaches no policy, or assigns no permission set at all: then that is done elsewhere.

    Other things in the same files may use it in ways that no scanner follows: a module from a
    registry, a Kubernetes manifest, an output. So what is mentioned anywhere beside its own
    block and its attachments is left alone, and a group that is mentioned is of low
    confidence. Modules that others call, and what the settings list under `exported`, are
    left out.

    ## Why it matters
    Nobody notices when somebody starts to use what nobody used. Unused permissions are the
    ones that are never reviewed.

    ## How to fix
    Delete it, or attach it to whoever it is for.

    ## Example
    ```hcl
    resource "aws_iam_group_membership" "operators" {
      name  = "operators"
      group = aws_iam_group.operators.name
      users = [aws_iam_user.operator.name]
    }
    ```
    ```yaml
    Operator:
      Type: AWS::IAM::User
      Properties:
        Groups: [!Ref Operators]
    ```
    """

    id = "CRED-006"
    name = "orphan-identity"
    severity = Severity.LOW
    practice = 10
    reads = (ASSIGNMENT, PROFILE)
    compliance = {
        Framework.NIST: ("AC-2(3)", "CM-8"),
        Framework.ISO: ("A.5.16", "A.5.18"),
        Framework.WELL_ARCHITECTED: ("SEC03-BP04", "SEC03-BP06"),
    }
    equivalents = {
        "checkov": ("CKV2_AWS_14", "CKV2_AWS_21"),
        "kics": (
            "fc101ca7-c9dd-4198-a1eb-0fbe92e80044",
            "8f957abd-9703-413d-87d3-c578950a753c",
            "06933df4-0ea7-461c-b9b5-104d27390e0e",
        ),
        "cfn_nag": ("F2000",),
    }
    references = (
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/best-practices.html#remove-credentials",
    )

    def check_graph(self, graph: Graph) -> Iterator[Finding]:
        for orphan in Orphans(graph):
            yield self.finding(
                orphan.what,
                on=orphan.principal if orphan.principal is not None else orphan.resource,
                at=orphan.resource.header,
                confidence=orphan.confidence,
                persona=Persona.PEDANTIC if orphan.is_usual else None,
                hint=orphan.cure,
                evidence=orphan.what,
            )
