from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.escalations import EscalationRule, itself
from iam_preflight.findings import Confidence, Framework, Severity
from iam_preflight.graph.exposure import is_exempt
from iam_preflight.graph.narrative import severity_of, story_of, sure, worst
from iam_preflight.knowledge.escalation import Target
from iam_preflight.policy.truth import Truth

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.findings import Finding
    from iam_preflight.graph.escalation import Escalation
    from iam_preflight.graph.model import Graph, Policy, Principal


class SelfEscalation(EscalationRule):
    """A principal can make itself administrator.

    ## What it checks
    Whether the effective permissions of a role or user (inline, managed and group policies
    together, minus Deny, inside its permissions boundary and the control policies) let it
    widen those permissions: rewrite a policy that it holds, attach or write one to itself or
    its group, join a stronger group, or make a new principal without a boundary. The resource
    must really match: `iam:CreatePolicyVersion` on somebody else's policy is not this. A condition
    on `iam:PolicyARN` helps unless it lets AdministratorAccess, IAMFullAccess or a policy of the
    code that allows everything be attached.

    Whoever has a permissions boundary wins no more than that leaves: medium, unless it leaves a way
    round itself. Conditions on when and where (MFA, an address) make it one step milder.

    Administrators are left to LEAST-001 and LEAST-002. Setting an older default version of an
    own policy is medium, because the code does not show older versions.

    Roles, users and groups that the code gives policies to and does not make are judged by what
    it gives them. A group without members in the code is taken to have some
    elsewhere, and a managed policy that the code attaches to nobody will be held by somebody:
    what it gives on everything is high there, because nobody holds it yet.

    ## Why it matters
    One API call and the principal may do everything; whatever it was limited to does not count.

    ## How to fix
    Remove the named action, or scope its resource away from the principal itself. Where the
    principal must manage permissions, ask for a permissions boundary in a condition
    (`iam:PermissionsBoundary`) and deny changes of the boundary.

    ## Example
    ```hcl
    resource "aws_iam_role_policy" "ci" {
      role   = aws_iam_role.ci.id
      policy = jsonencode({
        Version = "2012-10-17"
        Statement = [{ Effect = "Allow", Action = "iam:PutRolePolicy", Resource = "*" }]
      })
    }
    ```
    Instead: `Resource = "arn:aws:iam::*:role/app/*"` with the condition
    `StringEquals = { "iam:PermissionsBoundary" = aws_iam_policy.boundary.arn }`.
    """

    id = "ESC-001"
    name = "self-escalation"
    severity = Severity.CRITICAL
    practice = 5
    judges_elsewhere = True
    yields_to = ("LEAST-001",)
    yields_when_milder_to = ("LEAST-010",)
    compliance = {
        Framework.CIS: ("1.16", "1.15", "2.14"),
        Framework.NIST: ("AC-6", "AC-6(10)", "AC-5"),
        Framework.ISO: ("A.8.2", "A.5.3"),
        Framework.WELL_ARCHITECTED: ("SEC03-BP02", "SEC03-BP05"),
    }
    equivalents = {
        "checkov": ("CKV_AWS_110", "CKV_AWS_286"),
        "cfripper": ("PrivilegeEscalationRule",),
        "semgrep": ("no-iam-priv-esc-funcs",),
        "prowler": ("iam_policy_allows_privilege_escalation",),
    }
    references = (
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html",
        "https://pathfinding.cloud/",
    )

    def check_policy(self, policy: Policy, graph: Graph) -> Iterator[Finding]:
        found = worst(graph.powers.of_holder(policy), graph)
        if found:
            yield self.gain(
                found,
                f"can make itself administrator with {found[0].actions}",
                graph,
                severity=Severity.HIGH,
                confidence=Confidence.HIGH if _is_given(found[0]) else Confidence.MEDIUM,
                related=story_of(found[0], graph),
                hint=_cure(found[0], found[0].actor),
            )

    def check_principal(self, principal: Principal, graph: Graph) -> Iterator[Finding]:
        if is_exempt(principal, graph.settings):
            return
        found = worst(sure(graph.powers.of_self(principal)), graph)
        if not found:
            return
        best = found[0]
        is_admin = graph.powers.makes_admin(best)
        end = "itself administrator" if is_admin else "its own permissions wider"
        with_mfa = " once it has proved MFA" if best.needs_mfa else ""
        is_sure = best.confidence is not Confidence.LOW
        yield self.gain(
            found,
            f"can make {end} with {best.actions}{with_mfa}",
            graph,
            severity=severity_of(best, graph) if is_admin and is_sure else Severity.MEDIUM,
            related=(*story_of(best, graph), itself(principal)),
            hint=_cure(best, principal),
        )


def _is_given(found: Escalation) -> bool:
    """Whether the permissions are there whatever is not known before deploy."""
    return all(use.decision.truth is Truth.YES for use in found.uses)


def _cure(found: Escalation, principal: Principal) -> str:
    """The smallest edit: a wildcard is written out; what makes something new gets a boundary.

    What AWS wrote is not edited: it is replaced.
    """
    documents = [use.reason.document for use in found.uses if use.reason is not None]
    held = [each for one in documents if (each := found.actor.attached_by_aws(one)) is not None]
    if held:
        names = " and ".join(dict.fromkeys(attachment.policy.name for attachment in held))
        return f"replace {names} by what is needed, without {found.actions}"
    wildcards = dict.fromkeys(use.wildcard for use in found.uses if use.wildcard)
    if wildcards:
        written = " and ".join(wildcards)
        return f"name what is needed instead of {written}, without {found.actions}"
    alternatives = (each for need in found.method.needs for each in need)
    needed = {permission.target for each in alternatives for permission in each}
    if needed == {Target.NEW}:
        return f"require a permissions boundary for {found.actions}: iam:PermissionsBoundary"
    return f"remove {found.actions}, or scope it away from {principal.label} itself"
