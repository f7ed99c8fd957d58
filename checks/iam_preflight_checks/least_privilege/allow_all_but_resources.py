from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.all_but import AllButRule
from iam_preflight.findings import Framework, Severity
from iam_preflight.graph.exposure import listed
from iam_preflight.policy.document import DocumentUse

if TYPE_CHECKING:
    from iam_preflight.findings import Finding
    from iam_preflight.graph.exposure import Exposure
    from iam_preflight.graph.model import Policy
    from iam_preflight.policy.document import Statement


class AllowAllButResources(AllButRule):
    """`NotResource` in an Allow grants actions on everything but what it names.

    ## What it checks
    `NotResource` in Allow statements of identity policies and of the policies of resources. High
    when the actions are sensitive: they manage permissions or identities, pass or assume roles,
    run code, or read secrets and data. Medium otherwise.

    `NotResource` in a Deny is the usual way to keep somebody to named resources and is left
    alone, and so are permissions boundaries and service control policies.

    ## Why it matters
    One bucket is spared and every other one is granted, those of other teams and those made next
    year included. Renaming the spared one grants it as well, and nothing fails.

    ## How to fix
    List the ARNs that are needed in `Resource`. What must never be touched belongs into a Deny.

    ## Example
    ```json
    {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::public-assets/*"},
    {"Effect": "Deny", "Action": "s3:*", "Resource": "arn:aws:s3:::payroll/*"}
    ```
    """

    id = "LEAST-006"
    name = "allow-all-but-resources"
    severity = Severity.HIGH
    practice = 2
    element = "NotResource"
    given_in = (DocumentUse.RESOURCE,)
    yields_to = ("LEAST-001", "LEAST-005", "LEAST-007", "ESC-001")
    compliance = {
        Framework.NIST: ("AC-6",),
        Framework.ISO: ("A.5.18",),
        Framework.WELL_ARCHITECTED: ("SEC03-BP02",),
    }
    equivalents = {
        "cfn_nag": ("W21", "W22", "W23"),
        "access-analyzer": ("PASS_ROLE_WITH_NOT_RESOURCE",),
    }
    references = (
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_notresource.html",
    )

    def is_about(self, statement: Statement) -> bool:
        # `NotResource: "*"` leaves nothing to act on
        return statement.is_not_resource and all(p.text != "*" for p in statement.resources)

    def held(self, exposure: Exposure) -> Finding:
        opening = exposure.opening
        sensitive = opening.open & exposure.catalog.sensitive
        if sensitive:
            severity = exposure.severity(Severity.HIGH, sensitive)
        else:
            severity = exposure.severity_of_the_rest(Severity.MEDIUM)
        patterns = exposure.patterns(sensitive or opening.about)
        used = listed(pattern.text for pattern in patterns) if patterns else "nearly everything"
        return self.of_holders(
            exposure,
            f"may use {used} on all but",
            severity,
            (exposure.action_place(patterns), "may do this"),
            "list the ARNs that are needed in Resource; what must stay closed needs a Deny",
        )

    def given(self, statement: Statement, policy: Policy) -> Finding:
        gives, hint = "gives others all but", "list what they may use in Resource"
        return self.of_others(statement, policy, gives, Severity.MEDIUM, hint)
