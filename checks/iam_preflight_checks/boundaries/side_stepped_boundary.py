from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.findings import Confidence, Finding, Framework, Severity
from iam_preflight.graph.boundaries import ROLES, USERS, Loophole, delegation, loopholes
from iam_preflight.graph.exposure import is_exempt
from iam_preflight.graph.model import Origin
from iam_preflight.policy.document import DocumentUse
from iam_preflight.policy.truth import Truth
from iam_preflight.rules import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.boundaries import Kind
    from iam_preflight.graph.model import Graph, Policy, Principal
    from iam_preflight.policy.effective import Effective, Grant

SEVERITIES = {
    Loophole.REMOVE: Severity.HIGH,
    Loophole.REPLACE: Severity.HIGH,
    Loophole.PERMIT_OUTSIDE: Severity.HIGH,
    Loophole.PERMIT_INSIDE: Severity.MEDIUM,
    Loophole.TAKE_OVER: Severity.MEDIUM,
}
SAYINGS = {
    Loophole.REMOVE: "take it off again",
    Loophole.REPLACE: "replace it by any other",
    Loophole.PERMIT_OUTSIDE: "give permissions to {kind} that have none",
    Loophole.PERMIT_INSIDE: "give permissions to {kind} of these names that have none",
    Loophole.TAKE_OVER: "take over {kind} that have none",
}


class SideSteppedBoundary(Rule):
    """A mandatory permissions boundary can be side-stepped.

    ## What it checks
    Somebody may create roles or users only with a named permissions boundary, which BOUND-001
    asks for, and may get round it all the same:

    - take the boundary off with `iam:DeleteRolePermissionsBoundary`; a condition on
      `iam:PermissionsBoundary` does not help there, it names the boundary that goes;
    - replace it with `iam:PutRolePermissionsBoundary` that takes any boundary;
    - give permissions with `iam:AttachRolePolicy` or `iam:PutRolePolicy`, without the condition,
      to roles that have no boundary;
    - take such roles over with `iam:UpdateAssumeRolePolicy` on any role.

    The same for users. Medium where permissions can only be given to roles of the names that may
    be created. Conditions that let everything pass (`IfExists`, wildcards, `StringNotLike`) count
    as none; denials count wherever they are: in the holder's other policies, in its own boundary,
    in control policies of the code.

    Passing other roles is the business of WILD-003, editing the boundary that of BOUND-005.

    ## Why it matters
    A boundary that its subject takes off, or that holds for new roles only, keeps nobody from
    becoming administrator: it only takes one call more.

    ## How to fix
    Put the same condition on all actions that create, attach and put, and deny
    `iam:DeleteRolePermissionsBoundary` and `iam:DeleteUserPermissionsBoundary`.

    ## Example
    ```json
    { "Effect": "Deny",
      "Action": ["iam:DeleteRolePermissionsBoundary", "iam:DeleteUserPermissionsBoundary"],
      "Resource": "*" }
    ```
    """

    id = "BOUND-002"
    name = "side-stepped-boundary"
    severity = Severity.HIGH
    practice = 5
    yields_to = ("LEAST-001", "ESC-001")
    compliance = {
        Framework.NIST: ("AC-6", "CM-5"),
        Framework.ISO: ("A.8.2",),
        Framework.WELL_ARCHITECTED: ("SEC03-BP05",),
    }
    references = (
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html#access_policies_boundaries-delegate",
        "https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsidentityandaccessmanagementiam.html",
    )

    def check_principal(self, principal: Principal, graph: Graph) -> Iterator[Finding]:
        if is_exempt(principal, graph.settings) or graph.powers.is_admin(principal):
            return
        yield from self._side_stepped(graph.effective(principal), principal, principal.label)

    def check_policy(self, policy: Policy, graph: Graph) -> Iterator[Finding]:
        if policy.use is not DocumentUse.IDENTITY or policy.is_attached:
            return
        if policy.origin is not Origin.AWS_MANAGED:
            effective = graph.permissions.of_document(policy.document)
            yield from self._side_stepped(effective, policy, f"whoever holds {policy.address}")

    def _side_stepped(
        self, effective: Effective, subject: Principal | Policy, who: str
    ) -> Iterator[Finding]:
        for kind in (ROLES, USERS):
            made = delegation(effective, kind)
            if made is None:
                continue
            found = sorted(loopholes(effective, kind, made), key=lambda one: -one[0])
            if found:
                yield self._finding(found, made, kind, subject, who)

    def _finding(
        self,
        found: list[tuple[Loophole, Grant]],
        made: Grant,
        kind: Kind,
        subject: Principal | Policy,
        who: str,
    ) -> Finding:
        loophole, grant = found[0]
        others = list(dict.fromkeys(other.action for _, other in found if other is not grant))
        also = f" (and {' and '.join(others)})" if others else ""
        is_known = grant.pattern is None or grant.pattern.is_known
        is_sure = is_known and grant.decision.truth is not Truth.NO
        how = SAYINGS[loophole].format(kind=kind.name)
        if loophole is Loophole.REMOVE:
            hint = f"deny {grant.action}, whatever the boundary"
        else:
            hint = f"put the condition on iam:PermissionsBoundary on {grant.action} as well"
        return self.finding(
            f"{who} must give the {kind.name} that it creates a boundary, "
            f"and may {how} with {grant.action}{also}",
            on=subject,
            at=grant.action_place,
            label="this side-steps the boundary",
            severity=SEVERITIES[loophole],
            confidence=Confidence.HIGH if is_sure else Confidence.LOW,
            related=[
                (made.action_place, "the boundary is asked for here"),
                *((other.action_place, "and this too") for _, other in found[1:3]),
            ],
            hint=hint,
            causes=(grant.statement.span, grant.action_place),
            assumptions=grant.statement.assumptions,
        )
