from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.all_but import AllButRule
from iam_preflight.findings import Framework, Severity
from iam_preflight.policy.document import DocumentUse

if TYPE_CHECKING:
    from iam_preflight.findings import Finding
    from iam_preflight.graph.exposure import Exposure
    from iam_preflight.graph.model import Policy
    from iam_preflight.policy.document import Statement


class AllowAllButActions(AllButRule):
    """`NotAction` in an Allow grants everything but what it names.

    ## What it checks
    `NotAction` in Allow statements. In identity policies it is high when sensitive actions are
    among what is left on every resource, else medium. In trust policies and the policies of
    resources it is always high: it gives others whatever the resource can do, all but a few.

    `NotAction` in a Deny is the usual way to write a guardrail and is left alone, and so are
    permissions boundaries and service control policies, which grant nothing. What leaves nothing
    out that matters is an administrator, which LEAST-001 says.

    ## Why it matters
    The statement grants hundreds of services and 20,000 actions that nobody listed, and every new
    one. `NotAction: iam:*` is read as "no IAM", and leaves `sts:AssumeRole`, `lambda:*` and
    `organizations:LeaveOrganization` in.

    ## How to fix
    List the actions that are needed in `Action`. What must never be done belongs into a Deny, a
    permissions boundary or a service control policy.

    ## Example
    ```json
    {
      "Effect": "Allow",
      "Action": ["ec2:StartInstances", "ec2:StopInstances"],
      "Resource": "arn:aws:ec2:eu-west-1:111122223333:instance/*"
    }
    ```
    """

    id = "LEAST-005"
    name = "allow-all-but-actions"
    severity = Severity.HIGH
    practice = 2
    element = "NotAction"
    given_in = (DocumentUse.TRUST, DocumentUse.RESOURCE)
    yields_to = ("LEAST-001", "LEAST-007", "ESC-001")
    compliance = {
        Framework.NIST: ("AC-6",),
        Framework.ISO: ("A.5.18",),
        Framework.WELL_ARCHITECTED: ("SEC03-BP02",),
    }
    equivalents = {
        "cfn_nag": ("W14", "W15", "W16", "W17", "W18", "W19", "W20"),
        "cfn-guard": ("IAM_ROLE_OR_POLICY_NO_ALLOW_PLUS_NOT_ACTION",),
        "trivy": ("AWS-0057",),
    }
    references = (
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_notaction.html",
    )

    def is_about(self, statement: Statement) -> bool:
        return statement.is_not_action

    def held(self, exposure: Exposure) -> Finding:
        sensitive = exposure.opening.open & exposure.catalog.sensitive
        if sensitive:
            severity = exposure.severity(Severity.HIGH, sensitive)
        else:
            severity = exposure.severity_of_the_rest(Severity.MEDIUM)
        resources = exposure.resource_place(exposure.opening.resource_pattern())
        return self.of_holders(
            exposure,
            "may do everything but",
            severity,
            (resources, "on these resources"),
            "list what is needed in Action; what must never be done belongs into a Deny",
        )

    def given(self, statement: Statement, policy: Policy) -> Finding:
        gives, hint = "lets others do everything but", "list what they may do in Action"
        return self.of_others(statement, policy, gives, Severity.HIGH, hint)
