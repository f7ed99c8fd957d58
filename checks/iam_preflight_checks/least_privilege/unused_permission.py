from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.findings import Confidence, Finding, Framework, Severity
from iam_preflight.graph.model import Origin
from iam_preflight.graph.usage import TYPES, WATCHED_DAYS, usage_of, watched_days
from iam_preflight.rules import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.model import Graph, Policy, Principal
    from iam_preflight.graph.usage import Usage
    from iam_preflight.policy.document import Pattern, Statement


class UnusedPermission(Rule):
    """A role or user holds permissions that it has not used for 90 days.

    ## What it checks
    Every Allow statement that the code gives to a principal of which the account context has
    the use: service last accessed details, and actions from CloudTrail. An action is unused
    where IAM has not seen its whole service used for 90 days, or tracks the action itself and
    has not. What IAM does not track in a service that is used is unknown, and left alone. So
    are statements that others hold as well, and principals younger than 90 days.

    ## Why it matters
    A permission that nobody needs serves only whoever breaks in.

    ## How to fix
    Leave the unused actions out; the hint has the list that remains. `iam-preflight suggest`
    writes the whole policy. What runs once a year must stay.

    ## Example
    ```hcl
    statement {
      actions   = ["s3:GetObject"] # was: "s3:GetObject", "dynamodb:*"
      resources = ["arn:aws:s3:::acme-reports/*"]
    }
    ```
    """

    id = "LEAST-015"
    name = "unused-permission"
    severity = Severity.LOW
    practice = 2
    confidence = Confidence.MEDIUM
    reads = TYPES
    compliance = {
        Framework.NIST: ("AC-6(7)", "AC-2(3)"),
        Framework.ISO: ("A.5.18",),
        Framework.WELL_ARCHITECTED: ("SEC03-BP04",),
    }
    references = (
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_last-accessed.html",
    )

    def check_principal(self, principal: Principal, graph: Graph) -> Iterator[Finding]:
        usage = usage_of(principal, graph)
        if usage is None:
            return
        days = watched_days(principal, usage.date)
        if days is not None and days < WATCHED_DAYS:
            return
        for attachment in principal.attachments:
            policy = attachment.policy
            is_own = len(policy.attachments) == 1 and not policy.resource.is_recorded
            if policy.origin is Origin.AWS_MANAGED or not is_own:
                continue
            for statement in policy.document.statements:
                if statement.is_allow and not statement.is_not_action:
                    yield from self._judge(statement, policy, principal, usage)

    def _judge(
        self, statement: Statement, policy: Policy, principal: Principal, usage: Usage
    ) -> Iterator[Finding]:
        unused = [one for one in statement.actions if one.is_known and usage.is_unused(one.text)]
        if not unused:
            return
        kept = [one for one in statement.actions if one not in unused]
        yield self.finding(
            f"{principal.label} does not use {_listed(unused)}",
            on=policy,
            at=unused[0].span,
            label=f"not used for {WATCHED_DAYS} days",
            related=((usage.place, "its recorded use"),),
            hint=f"keep only {_listed(kept)}" if kept else "delete the statement",
            evidence=" ".join(one.text for one in unused),
            causes=(statement.span,),
            principal=principal,
        )


def _listed(patterns: list[Pattern]) -> str:
    return ", ".join(pattern.text for pattern in patterns)
