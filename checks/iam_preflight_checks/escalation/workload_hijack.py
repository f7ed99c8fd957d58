from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.escalations import EscalationRule
from iam_preflight.findings import Framework, Persona, Severity
from iam_preflight.graph.exposure import is_exempt
from iam_preflight.graph.handles import HANDLE_TYPES
from iam_preflight.graph.narrative import severity_of, standing_note, sure, worst
from iam_preflight.knowledge.escalation import Gain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.findings import Finding
    from iam_preflight.graph.escalation import Escalation
    from iam_preflight.graph.model import Graph, Principal


class WorkloadHijack(EscalationRule):
    """A principal can hijack a workload that runs as a more privileged role.

    ## What it checks
    Whether a role or user may change or enter something in the code that already runs as
    another role: update a function's code, start a build with its own commands, open a session
    on an instance, update a stack with a service role. The resource must match, and the role
    must be allowed more than the principal. Ways that the code rules out are left alone: ECS
    Exec that is off, an instance role that the Systems Manager agent cannot use.

    Critical where the role is an administrator, or where the principal may make it one first:
    `iam:AttachRolePolicy`, `iam:PutRolePolicy` or `iam:CreatePolicyVersion` for it.

    A role that only adds a sensitive permission on some resource, such as reading one bucket, is
    told as medium where a user or a workload reaches it; of those who deliver code only to
    auditors.

    An administrator's role that only a service may assume, and that nothing in the code runs as,
    is there for something made elsewhere: who may take over whatever the service runs is told
    as well, with less confidence.

    Roles, users and groups that the code gives policies to and does not make are judged by what
    it gives them.

    ## Why it matters
    No `iam:PassRole` is needed: the workload has the role already.

    ## How to fix
    Scope the rights to change or enter workloads to the principal's own ones.

    ## Example
    ```hcl
    statement {
      actions   = ["lambda:UpdateFunctionCode"]
      resources = [aws_lambda_function.own.arn]
    }
    ```
    """

    id = "ESC-004"
    name = "workload-hijack"
    severity = Severity.HIGH
    practice = 5
    reads = HANDLE_TYPES
    judges_elsewhere = True
    yields_to = ("ESC-001", "LEAST-001", "LEAST-002", "LEAST-007")
    compliance = {
        Framework.NIST: ("AC-6", "CM-5"),
        Framework.ISO: ("A.8.2",),
        Framework.WELL_ARCHITECTED: ("SEC03-BP02",),
    }
    references = ("https://pathfinding.cloud/",)

    def check_principal(self, principal: Principal, graph: Graph) -> Iterator[Finding]:
        if graph.powers.is_powerful(principal) or is_exempt(principal, graph.settings):
            return
        found, is_little = _found(principal, graph)
        if not found:
            return
        best = found[0]
        role = best.target
        assert role is not None
        workload, severity = "whatever runs as it", Severity.HIGH
        if best.through is not None:
            workload, severity = best.through.resource.address, severity_of(best, graph)
        persona = None
        if is_little:
            severity = Severity.MEDIUM
            # whoever delivers code has what the code has, and should
            persona = None if principal.is_user or principal.workloads else Persona.AUDITOR
        may = f"can act as {role.label}{standing_note(role, graph)}"
        hint = f"scope {best.actions} to workloads that belong to {principal.label}"
        if best.method.gain is Gain.ADMIN:
            may = f"can make {role.label} an administrator and act as it"
            hint = f"leave {role.label} out of what {best.uses[0].permission.action} may be used on"
        yield self.gain(
            found,
            f"{may}: {best.actions} reaches {workload}",
            graph,
            severity=severity,
            persona=persona,
            hint=hint,
        )


def _found(principal: Principal, graph: Graph) -> tuple[list[Escalation], bool]:
    """What the principal can take over, worst first, and whether it gains little by it."""
    escalations = graph.escalations

    def told(ways: Iterator[Escalation]) -> list[Escalation]:
        return worst(sure(filter(escalations.is_telling, ways)), graph)

    found = told(escalations.of_workloads(principal))
    found = found or told(escalations.of_unseen_workloads(principal))
    if found:
        return found, False
    return told(escalations.of_workloads(principal, for_little=True)), True
