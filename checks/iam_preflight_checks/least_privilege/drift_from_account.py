from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.findings import Confidence, Finding, Framework, Severity
from iam_preflight.policy.match import Truth, matches
from iam_preflight.rules import Rule
from iam_preflight.values import show

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.model import Graph, Policy, Principal
    from iam_preflight.source import Span


class DriftFromAccount(Rule):
    """A principal in the account differs from what the code says of it.

    ## What it checks
    Roles, users and groups that the code defines and that the authorization details of the
    account context have:

    - policies that the account attaches and the code does not: deploying leaves them there;
    - a permissions boundary in the account that the code does not set: deploying takes it away;
    - principals that the account's trust policy lets in and the code's does not: low, since
      deploying shuts them out.

    What the code adds is the change itself; `iam-preflight diff` tells about that.

    ## Why it matters
    What somebody changed by hand is reviewed by nobody, and the review of the code is about
    another role than the one that runs.

    ## How to fix
    Take what is meant into the code, and remove the rest from the account. Terraform removes
    it with `aws_iam_role_policies_exclusive` and `aws_iam_role_policy_attachments_exclusive`.

    ## Example
    ```hcl
    resource "aws_iam_role_policy_attachments_exclusive" "ci" {
      role_name   = aws_iam_role.ci.name
      policy_arns = [aws_iam_policy.deploy.arn]
    }
    ```
    """

    id = "LEAST-016"
    name = "drift-from-account"
    severity = Severity.MEDIUM
    practice = 2
    confidence = Confidence.MEDIUM
    compliance = {
        Framework.NIST: ("CM-3", "CM-6"),
        Framework.ISO: ("A.8.9",),
        Framework.WELL_ARCHITECTED: ("SEC03-BP02",),
    }
    references = (
        "https://registry.terraform.io/providers/hashicorp/aws/latest/docs/resources/iam_role_policy_attachments_exclusive",
    )

    def check_principal(self, principal: Principal, graph: Graph) -> Iterator[Finding]:
        recorded = principal.recorded
        if recorded is None:
            return
        for attachment in recorded.attachments:
            if any(held.place == attachment.place for held in principal.attachments):
                message = f"{principal.label} holds {attachment.policy.name} in the account only"
                yield self._finding(
                    message, principal, attachment.place, "take it into the code or detach it"
                )
        had = recorded.resource.get("permissions_boundary")
        if had is not None and principal.boundary is None:
            message = f"deploying takes the permissions boundary {show(had)} from {principal.label}"
            hint = "set permissions_boundary in the code"
            yield self._finding(message, principal, had.span, hint, Severity.HIGH)
        if principal.trust is not None and recorded.trust is not None:
            shut_out = list(_shut_out(recorded.trust, principal.trust))
            if shut_out:
                listed = ", ".join(text for text, _ in shut_out)
                message = f"the account lets {listed} into {principal.label}, the code does not"
                hint = "find out who changed the trust policy, and why"
                yield self._finding(message, principal, shut_out[0][1], hint, Severity.LOW)

    def _finding(
        self,
        message: str,
        principal: Principal,
        place: Span,
        hint: str,
        severity: Severity | None = None,
    ) -> Finding:
        return self.finding(
            message,
            on=principal,
            at=principal.resource.header,
            severity=severity,
            related=((place, "as the account has it"),),
            hint=hint,
            evidence=message,
            principal=principal,
        )


def _shut_out(recorded: Policy, written: Policy) -> Iterator[tuple[str, Span]]:
    """The principals that one trust policy names and nothing in the other may mean."""
    admitted = [
        (one.kind, one.pattern)
        for statement in written.document.statements
        if statement.is_allow
        for one in statement.principals
    ]
    if not admitted:
        return
    for statement in recorded.document.statements:
        for one in statement.principals if statement.is_allow else ():
            text = one.pattern.text
            if not any(
                kind in (one.kind, "*") and matches(pattern, text) is not Truth.NO
                for kind, pattern in admitted
            ):
                yield text, statement.span
