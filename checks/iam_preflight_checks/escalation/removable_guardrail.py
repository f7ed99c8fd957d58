from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.escalations import EscalationRule, itself
from iam_preflight.findings import Framework, Place, Severity
from iam_preflight.graph.exposure import is_exempt
from iam_preflight.graph.narrative import sure, worst

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.findings import Finding
    from iam_preflight.graph.model import Graph, Principal


class RemovableGuardrail(EscalationRule):
    """A principal can remove the guardrail that limits it.

    ## What it checks
    Whether a role or user may take away what limits it: its permissions boundary, the policy
    that is the boundary, a policy with a Deny that it holds, or (in code that manages the
    organization) control policies. Only where the guardrail really takes something away from
    the principal, and only through permissions that are left to it inside the guardrail.

    ## Why it matters
    A limit that its subject can lift is no limit.

    ## How to fix
    Deny these actions inside the boundary and in a service control policy, for everybody but
    the role that manages boundaries.

    ## Example
    ```json
    { "Effect": "Deny",
      "Action": ["iam:DeleteRolePermissionsBoundary", "iam:PutRolePermissionsBoundary"],
      "Resource": "*" }
    ```
    """

    id = "ESC-007"
    name = "removable-guardrail"
    severity = Severity.HIGH
    practice = 5
    yields_to = ("ESC-001", "LEAST-001", "LEAST-002")
    compliance = {
        Framework.NIST: ("AC-6(10)", "CM-5", "AC-3(7)"),
        Framework.ISO: ("A.8.2", "A.8.9"),
        Framework.WELL_ARCHITECTED: ("SEC03-BP05",),
    }
    references = (
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html",
    )

    def check_principal(self, principal: Principal, graph: Graph) -> Iterator[Finding]:
        if graph.powers.is_admin(principal) or is_exempt(principal, graph.settings):
            return
        found = worst(sure(graph.escalations.of_guards(principal)), graph)
        if not found:
            return
        best = found[0]
        guardrail = graph.escalations.guardrail_of(best)
        yield self.gain(
            found,
            f"can remove {guardrail.label} that limits it with {best.actions}",
            graph,
            related=(Place(guardrail.span, "the guardrail"), itself(principal)),
            hint=f"deny {best.actions} inside the guardrail",
        )
