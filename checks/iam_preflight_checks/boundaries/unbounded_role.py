from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from iam_preflight.findings import Confidence, Finding, Framework, Severity
from iam_preflight.graph.boundaries import (
    ROLES,
    USERS,
    Demand,
    asked_of,
    boundary_of,
    delegation,
    demand,
)
from iam_preflight.graph.delivery import is_deployer
from iam_preflight.graph.exposure import is_exempt
from iam_preflight.graph.model import PrincipalKind
from iam_preflight.policy.document import DocumentUse
from iam_preflight.policy.truth import Doubt, Truth
from iam_preflight.rules import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.model import Graph, Principal
    from iam_preflight.policy.effective import Effective, Grant

WRITES = (ROLES.make, *ROLES.permit, USERS.make, *USERS.permit)


class UnboundedRole(Rule):
    """A role that needs a permissions boundary has none.

    ## What it checks
    Roles and users of the code without permissions boundary that

    - lie under one of the `dynamic_paths` of the settings: what automation makes is bounded;
    - have a name that others may only create with a boundary: a policy of the code delegates
      `role/app/*` under a condition on `iam:PermissionsBoundary`, and the role `app/…` was made
      without one;
    - are taken by a delivery pipeline (an OIDC provider of CI systems, CodeBuild, CodePipeline,
      CloudFormation, or `deployer_roles` of the settings) and may create roles or users or give
      them permissions without having to bound them. High;
    - are permission sets that may do so.

    Administrators are left to LEAST-001, LEAST-002 and LEAST-007, roles that AWS makes for its
    services and those under `admin_roles` and the break-glass settings are left alone.

    ## Why it matters
    A pipeline runs what anybody with access to the repository writes. Without a boundary, one
    merged line makes it administrator.

    ## How to fix
    Set `permissions_boundary` to the ARN of a policy that denies changing IAM without boundary.

    ## Example
    ```hcl
    resource "aws_iam_role" "ci" {
      name                 = "ci"
      permissions_boundary = aws_iam_policy.boundary.arn
      assume_role_policy   = data.aws_iam_policy_document.github.json
    }
    ```
    """

    id = "BOUND-004"
    name = "unbounded-role"
    severity = Severity.MEDIUM
    practice = 5
    yields_to = (
        "LEAST-001",
        "LEAST-002",
        "LEAST-003",
        "LEAST-010",
        "BOUND-001",
        "BOUND-002",
        "ESC-001",
    )
    compliance = {
        Framework.NIST: ("AC-6(1)", "AC-5"),
        Framework.ISO: ("A.8.2",),
        Framework.WELL_ARCHITECTED: ("SEC03-BP05",),
    }
    references = (
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html",
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/best-practices.html#bp-permissions-boundaries",
    )

    def check_graph(self, graph: Graph) -> Iterator[Finding]:
        delegated = list(_delegated(graph))
        for principal in graph.principals:
            if principal.boundary is None and not is_exempt(principal, graph.settings):
                yield from self._unbounded(principal, delegated, graph)

    def _unbounded(
        self, principal: Principal, delegated: list[tuple[Grant, Effective]], graph: Graph
    ) -> Iterator[Finding]:
        if principal.kind in (PrincipalKind.ROLE, PrincipalKind.USER):
            if any(_is_below(principal.path, path) for path in graph.settings.dynamic_paths):
                why = f"lies under {principal.path} and has no permissions boundary"
                yield self._finding(principal, why, Severity.MEDIUM, graph)
                return
            for grant, effective in delegated:
                doubt = _is_of_its_names(principal, grant, effective)
                if doubt is not None:
                    why = (
                        "has a name that may only be created with a permissions boundary, and none"
                    )
                    yield self._finding(principal, why, self.severity, graph, grant, doubt)
                    return
        is_pipeline = is_deployer(principal, graph)
        if not is_pipeline and principal.kind is not PrincipalKind.PERMISSION_SET:
            return
        if graph.powers.is_admin(principal):
            return
        write = next(_writes(graph.effective(principal)), None)
        if write is not None:
            severity = Severity.HIGH if is_pipeline else Severity.MEDIUM
            who = "is taken by a pipeline, " if is_pipeline else ""
            why = f"{who}may use {write.action} and has no permissions boundary"
            yield self._finding(principal, why, severity, graph, write, write.decision.doubt)

    def _finding(
        self,
        principal: Principal,
        why: str,
        severity: Severity,
        graph: Graph,
        grant: Grant | None = None,
        doubt: Doubt = Doubt.NONE,
    ) -> Finding:
        known = boundary_of(graph)
        name = known.address if known is not None else "the ARN of your boundary"
        place = principal.resource.header
        return self.finding(
            f"{principal.label} {why}",
            on=principal,
            at=place,
            severity=severity,
            confidence=Confidence.LOW if doubt & Doubt.UNKNOWN else Confidence.HIGH,
            related=[(grant.action_place, "this makes it necessary")] if grant is not None else (),
            hint=f"set its permissions boundary to {name}",
            causes=(place,) if grant is None else (place, grant.statement.span),
        )


def _delegated(graph: Graph) -> Iterator[tuple[Grant, Effective]]:
    """What may be created with a boundary only, by grants that name what may be created."""
    permissions = graph.permissions
    found = [permissions.of(principal) for principal in graph.principals]
    found += [
        permissions.of_document(policy.document)
        for policy in graph.policies
        if policy.use is DocumentUse.IDENTITY and not policy.is_attached
    ]
    for effective in found:
        for kind in (ROLES, USERS):
            grant = delegation(effective, kind)
            if grant is not None and grant.breadth is Truth.NO:
                yield grant, effective


def _is_of_its_names(principal: Principal, grant: Grant, effective: Effective) -> Doubt | None:
    """What it hangs on that a principal is one of those that the grant is about; None if not."""
    if grant.action != (ROLES.make if principal.is_role else USERS.make):
        return None
    decision = effective.allows(grant.action, principal.arn)
    return decision.doubt if decision.is_possible else None


def _writes(effective: Effective) -> Iterator[Grant]:
    """What makes or permits roles and users that nobody has to bound."""
    for action in WRITES:
        for grant in effective.grants(action):
            asked = demand(effective, action, asked_of(grant), grant.statement)
            if asked is not Demand.NAMED:
                yield grant


def _is_below(path: str, wanted: str) -> bool:
    return path.startswith(wanted.rstrip("/") + "/") or fnmatchcase(path, wanted)
