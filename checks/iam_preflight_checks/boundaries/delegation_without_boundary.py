from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.findings import Confidence, Finding, Framework, Severity
from iam_preflight.graph.boundaries import KEY, Demand, asked_of, boundary_of, demand
from iam_preflight.graph.trust import grants
from iam_preflight.rules import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.exposure import Exposure
    from iam_preflight.graph.model import Graph, Policy
    from iam_preflight.policy.effective import Effective, Grant

MAKES = {
    "iam:CreateRole": ("roles", ("iam:AttachRolePolicy", "iam:PutRolePolicy")),
    "iam:CreateUser": (
        "users",
        ("iam:AttachUserPolicy", "iam:PutUserPolicy", "iam:AddUserToGroup"),
    ),
}
"""What each action makes, and what gives it permissions."""


class DelegationWithoutBoundary(Rule):
    """Roles or users may be created without an effective permissions boundary.

    ## What it checks
    An Allow of `iam:CreateRole` or `iam:CreateUser`, on any resource, that a request without
    `iam:PermissionsBoundary` passes; and one whose condition on that key takes any boundary:
    a wildcard, `IfExists`, a negated operator, or `AdministratorAccess` itself. A Deny that
    asks for the boundary, in the same document, in the holder's other policies, in its own
    boundary or in a control policy of the code, is as good as a condition.

    Low where the holder has no way to give what it creates any permissions. Medium for the
    execution role of CloudFormation, whose caller can be held to the boundary instead. Holders
    listed under `admin_roles` and `break_glass_roles` in the settings are left alone.
    Creating service-linked roles is not meant: AWS fixes what they may do.

    ## Why it matters
    Whoever can create a role and give it permissions can create an administrator and become
    it. With a mandatory boundary, nothing that it creates can do more than the boundary says.

    ## How to fix
    Add the condition `StringEquals: {"iam:PermissionsBoundary": "<ARN of the boundary>"}` to
    the actions that create, attach and put, and deny removing the boundary.

    ## Example
    ```hcl
    statement {
      actions   = ["iam:CreateRole", "iam:AttachRolePolicy", "iam:PutRolePolicy"]
      resources = ["arn:aws:iam::*:role/app/*"]

      condition {
        test     = "StringEquals"
        variable = "iam:PermissionsBoundary"
        values   = [aws_iam_policy.boundary.arn]
      }
    }
    ```
    """

    id = "BOUND-001"
    name = "delegation-without-boundary"
    severity = Severity.HIGH
    practice = 5
    yields_to = ("LEAST-001", "LEAST-003", "LEAST-005", "LEAST-006", "LEAST-007", "ESC-001")
    compliance = {
        Framework.NIST: ("AC-6(1)", "AC-3(7)", "AC-5"),
        Framework.ISO: ("A.8.2", "A.5.18"),
        Framework.WELL_ARCHITECTED: ("SEC03-BP05",),
    }
    references = (
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html",
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_iam-condition-keys.html",
    )

    def check_policy(self, policy: Policy, graph: Graph) -> Iterator[Finding]:
        effective = graph.permissions.of_document(policy.document)
        for exposure in graph.exposures.of(policy):
            found: dict[str, tuple[Grant, Demand]] = {}
            for action in MAKES:
                if exposure.reaches(action):
                    for grant in effective.grants(action):
                        if grant.statement is exposure.statement:
                            asked = _asked(exposure, grant, effective)
                            if asked is not Demand.NAMED:
                                found[action] = (grant, asked)
            if found:
                yield self._unbounded(exposure, found, graph)

    def _unbounded(
        self, exposure: Exposure, found: dict[str, tuple[Grant, Demand]], graph: Graph
    ) -> Finding:
        grant, asked = next(iter(found.values()))
        made = " and ".join(MAKES[action][0] for action in found)
        only = exposure.catalog.expand_all(tuple(found))
        has_condition = any(c.key_name == KEY for c in exposure.statement.conditions)
        what = "with any permissions boundary" if has_condition else "without permissions boundary"
        if asked is Demand.ANY:
            what = "with any permissions boundary, even one that allows everything"
        known = boundary_of(graph)
        name = known.address if known is not None else "the ARN of your boundary"
        verb = "change the condition to" if has_condition else "add the condition"
        is_known = grant.pattern is None or grant.pattern.is_known
        return self.finding(
            f"{exposure.who} may create {made} {what}",
            on=exposure.policy,
            at=grant.action_place,
            severity=exposure.severity_as_written(_severity(exposure, found, graph), only),
            confidence=Confidence.HIGH if is_known else Confidence.LOW,
            related=[
                *((c.span, "this takes any boundary") for c in exposure.conditions_on(KEY)),
                *exposure.related(),
            ],
            hint=f"{verb} StringEquals iam:PermissionsBoundary = {name}",
            causes=(exposure.statement.span, grant.action_place),
            assumptions=exposure.assumptions(grant.pattern, grant.resource),
            principal=exposure.holder,
        )


def _asked(exposure: Exposure, grant: Grant, effective: Effective) -> Demand:
    """What the document, and after it every holder's other policies, ask for."""
    resource = asked_of(grant)
    alone = demand(effective, grant.action, resource, exposure.statement)
    if alone is Demand.NAMED or not exposure.holders:
        return alone
    held = min(
        demand(exposure.graph.effective(holder), grant.action, resource)
        for holder in exposure.holders
    )
    return max(alone, held)


def _severity(exposure: Exposure, found: dict[str, tuple[Grant, Demand]], graph: Graph) -> Severity:
    holders = [graph.effective(holder) for holder in exposure.holders]
    able = holders or [graph.permissions.of_document(exposure.policy.document)]
    ways = [way for action in found for way in MAKES[action][1]]
    if not any(way in effective.possible for effective in able for way in ways):
        return Severity.LOW
    trusts = [
        grant for holder in exposure.holders for grant in grants(holder.trust, graph.accounts)
    ]
    if trusts and all(t.principal.pattern.text == "cloudformation.amazonaws.com" for t in trusts):
        return Severity.MEDIUM
    return Severity.HIGH
