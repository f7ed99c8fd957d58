from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.findings import Confidence, Finding, Framework, Severity
from iam_preflight.graph.boundaries import boundaries_in, boundaries_over
from iam_preflight.graph.exposure import has_unknown_boundary, is_exempt
from iam_preflight.policy.document import DocumentUse
from iam_preflight.policy.truth import Doubt, Truth
from iam_preflight.rules import Rule

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from iam_preflight.graph.model import Graph, Policy, Principal
    from iam_preflight.policy.document import Pattern
    from iam_preflight.policy.effective import Effective, Grant
    from iam_preflight.policy.evaluate import Decision

EDITS = ("iam:CreatePolicyVersion", "iam:SetDefaultPolicyVersion")
"""What changes the text of a policy in use: AWS refuses to delete one, or its default version."""

OF_AWS = ":iam::aws:"


class EditableBoundary(Rule):
    """Those whom a permissions boundary binds can edit it.

    ## What it checks
    A role or user that has a permissions boundary, or that may create others only with a named
    boundary, and that may change the policy that is the boundary: `iam:CreatePolicyVersion` or
    `iam:SetDefaultPolicyVersion` on its ARN, by `*` or a pattern such as `policy/*` too. Denials
    count wherever they are: in the policies, in the boundary itself, in control policies.

    Holders of everything, and those listed under `admin_roles` and the break-glass settings, are
    left alone. Boundaries of AWS's own cannot be edited. Deleting is not meant: AWS refuses to
    delete a policy that is somebody's boundary.

    ## Why it matters
    A new version of the boundary that allows everything takes effect at once, for everybody whom
    it binds.

    ## How to fix
    Deny these actions on the boundary's ARN inside the boundary itself, and keep boundaries under
    a path of their own.

    ## Example
    ```json
    { "Effect": "Deny",
      "Action": ["iam:CreatePolicyVersion", "iam:SetDefaultPolicyVersion", "iam:DeletePolicy*"],
      "Resource": "arn:aws:iam::111122223333:policy/boundaries/*" }
    ```
    """

    id = "BOUND-005"
    name = "editable-boundary"
    severity = Severity.HIGH
    practice = 5
    yields_to = ("LEAST-001", "ESC-001", "ESC-007")
    compliance = {
        Framework.NIST: ("AC-6(10)", "CM-5"),
        Framework.ISO: ("A.8.2",),
        Framework.WELL_ARCHITECTED: ("SEC03-BP05",),
    }
    references = (
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html#access_policies_boundaries-delegate",
    )

    def check_principal(self, principal: Principal, graph: Graph) -> Iterator[Finding]:
        if is_exempt(principal, graph.settings) or graph.powers.is_admin(principal):
            return
        is_unknown = has_unknown_boundary(principal)
        permissions = graph.permissions
        effective = permissions.without_boundary(principal) if is_unknown else None
        found = self._editable(
            effective or permissions.of(principal),
            boundaries_over(principal),
            principal,
            principal.label,
            Confidence.MEDIUM if is_unknown else Confidence.HIGH,
        )
        yield from found

    def check_policy(self, policy: Policy, graph: Graph) -> Iterator[Finding]:
        if policy.use is DocumentUse.IDENTITY and not policy.is_attached:
            effective = graph.permissions.of_document(policy.document)
            named = boundaries_in((policy.document,))
            who = f"whoever holds {policy.address}"
            yield from self._editable(effective, named, policy, who, Confidence.HIGH)

    def _editable(
        self,
        effective: Effective,
        boundaries: Iterable[Pattern],
        subject: Principal | Policy,
        who: str,
        limit: Confidence,
    ) -> Iterator[Finding]:
        for boundary in {pattern.text: pattern for pattern in boundaries}.values():
            if OF_AWS in boundary.text:
                continue
            for action in EDITS:
                decision = effective.allows(action, boundary)
                grant = _grant(effective, action, decision)
                if grant is None:
                    continue
                yield self.finding(
                    f"{who} may edit the permissions boundary {boundary.text} with {action}",
                    on=subject,
                    at=grant.action_place,
                    label="may edit its boundary",
                    confidence=min(limit, _confidence(decision)),
                    related=[
                        (grant.resource_place, "on this"),
                        (boundary.span, "the boundary"),
                    ],
                    hint=f"deny {' and '.join(EDITS)} on {boundary.text}, best inside the boundary",
                    causes=(grant.statement.span, grant.action_place),
                    assumptions=grant.statement.assumptions,
                )
                break


def _grant(effective: Effective, action: str, decision: Decision) -> Grant | None:
    """The statement that allows an edit; None where nothing does."""
    if not decision.is_possible:
        return None
    wanted = {id(reason.statement) for reason in decision.allowed_by}
    return next((g for g in effective.grants(action) if id(g.statement) in wanted), None)


def _confidence(decision: Decision) -> Confidence:
    if decision.truth is Truth.YES:
        return Confidence.HIGH
    return Confidence.LOW if decision.doubt & Doubt.HOLE else Confidence.MEDIUM
