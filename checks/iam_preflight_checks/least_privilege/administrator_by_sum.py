from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.findings import Confidence, Finding, Framework, Severity
from iam_preflight.graph.documents import Power, power_of
from iam_preflight.graph.exposure import is_exempt
from iam_preflight.graph.model import Origin, PrincipalKind
from iam_preflight.graph.sums import contributions
from iam_preflight.policy.scope import Strength
from iam_preflight.policy.truth import Truth
from iam_preflight.rules import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.model import Graph, Principal
    from iam_preflight.graph.sums import Contribution
    from iam_preflight.source import Span

MANY = 3


class AdministratorBySum(Rule):
    """A principal is administrator only through the sum of its policies.

    ## What it checks
    Whether everything that a role, user, group or permission set holds (inline, managed and
    AWS-managed policies, those of its groups, less denials, inside its permissions boundary and
    the control policies of the code) adds up to an administrator, although no single document
    does. The finding lists the statements that it takes, and names the one whose removal is
    enough.

    Principals that can make themselves administrator by one call are the business of ESC-001.

    Roles, users and groups that the code gives policies to and does not make are judged by what
    it gives them.

    ## Why it matters
    Each policy was reviewed and looks acceptable. Nobody reviewed what they come to together.

    ## How to fix
    Remove the named statement, or scope it to the resources that it is needed for.

    ## Example
    ```hcl
    resource "aws_iam_role_policy_attachment" "infrastructure" {
      role       = aws_iam_role.ci.name
      policy_arn = "arn:aws:iam::aws:policy/PowerUserAccess"
    }

    resource "aws_iam_role_policy" "roles" { # together with the above: an administrator
      role   = aws_iam_role.ci.id
      policy = jsonencode({
        Version   = "2012-10-17"
        Statement = [{ Effect = "Allow", Action = ["iam:*", "organizations:*"], Resource = "*" }]
      })
    }
    ```
    """

    id = "LEAST-007"
    name = "administrator-by-sum"
    severity = Severity.CRITICAL
    practice = 2
    judges_elsewhere = True
    yields_to = ("LEAST-001", "LEAST-002")
    compliance = {
        Framework.CIS: ("1.16", "1.15", "2.14"),
        Framework.NIST: ("AC-6", "AC-6(10)"),
        Framework.ISO: ("A.8.2",),
        Framework.FSBP: ("IAM.1",),
        Framework.WELL_ARCHITECTED: ("SEC03-BP02", "SEC03-BP04"),
    }
    references = (
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html",
    )

    def check_principal(self, principal: Principal, graph: Graph) -> Iterator[Finding]:
        administration = graph.effective(principal).administration
        if administration.truth is Truth.NO or is_exempt(principal, graph.settings):
            return
        documents = {id(a.policy.document): a.policy.document for a in principal.held()}
        for document in documents.values():
            if graph.permissions.of_document(document).is_admin >= administration.truth:
                return  # it takes no sum: this document says as much alone
        parts = contributions(principal, graph)
        cut = next((part for part in parts if part.is_enough), parts[0])
        rest = [part for part in parts if part is not cut]
        names = list(dict.fromkeys(part.policy.name for part in parts))
        listed = ", ".join(names[:MANY]) + (f" and {len(names) - MANY} more" * (len(names) > MANY))
        is_contextual = any(g.strength is Strength.CONTEXT for g in administration.grants)
        is_milder = is_contextual or principal.kind is PrincipalKind.PERMISSION_SET
        yield self.finding(
            f"{principal.label} is an administrator by the sum of its policies: {listed}",
            on=principal,
            at=cut.place,
            label=cut.label,
            severity=Severity.HIGH if is_milder else None,
            confidence=Confidence.HIGH if administration.truth is Truth.YES else Confidence.LOW,
            related=[
                *((part.place, f"together with: {part.label}") for part in rest),
                (principal.resource.header, "the principal"),
            ],
            hint=f"remove {cut.text}, or scope it: the rest does not make an administrator"
            if cut.is_enough
            else "list the actions that are needed, on the ARNs that they are needed for",
            evidence=principal.label,
            causes=_causes(parts, graph),
            assumptions=graph.permissions.assumptions(principal, documents.values()),
        )


def _causes(parts: tuple[Contribution, ...], graph: Graph) -> Iterator[Span]:
    for part in parts:
        if part.policy.origin is not Origin.AWS_MANAGED:
            yield part.statement.span
            yield part.place
        elif power_of(part.policy.document, graph) in (Power.ADMINISTRATOR, Power.SELF_MADE):
            # LEAST-002 speaks of it with at least this severity
            yield part.place
