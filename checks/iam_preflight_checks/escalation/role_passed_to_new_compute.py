from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.escalations import EscalationRule
from iam_preflight.findings import Framework, Persona, Severity
from iam_preflight.graph.exposure import is_exempt
from iam_preflight.graph.narrative import (
    passes_by_name,
    severity_of,
    standing_note,
    sure,
    worst,
)
from iam_preflight.graph.standing import changes_sensitive
from iam_preflight.knowledge.escalation import Gain, MethodKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.findings import Finding
    from iam_preflight.graph.escalation import Escalation
    from iam_preflight.graph.model import Graph, Principal


class RolePassedToNewCompute(EscalationRule):
    """A principal can pass a more privileged role to compute of its own.

    ## What it checks
    Whether a role or user may pass (`iam:PassRole`) a role of the code to a service, may start
    something on that service (a Lambda function, an instance, a build, a stack, a job), the
    role trusts that service, and the role may do more than the principal. All four must hold,
    `iam:PassedToService` is honoured, and EC2 needs an instance profile. Where the code holds
    no such role but any role may be passed, the finding is medium: potential.

    Critical where the role is an administrator, or where the principal may make it one first:
    `iam:AttachRolePolicy`, `iam:PutRolePolicy` or `iam:CreatePolicyVersion` for it.

    A role that nobody has but a service that does what it is configured to, such as EventBridge
    or Batch, is only told where it could make an administrator of itself by a policy of yours.

    A role that may pass the other one by its own name is there to start what runs as that: medium
    where the other one is no administrator, and hygiene where all that it adds is reading.

    Whoever may give a launch template a new default version needs no `iam:PassRole`: the scaling
    group that uses it starts instances with whatever instance profile the version names.

    Roles, users and groups that the code gives policies to and does not make are judged by what
    it gives them.

    ## Why it matters
    The code that the service runs has the role's permissions, and the principal wrote it.

    ## How to fix
    Name the roles that may be passed and add the condition `iam:PassedToService`.

    ## Example
    ```hcl
    statement {
      actions   = ["iam:PassRole"]
      resources = [aws_iam_role.app.arn]
      condition {
        test     = "StringEquals"
        variable = "iam:PassedToService"
        values   = ["lambda.amazonaws.com"]
      }
    }
    ```
    """

    id = "ESC-003"
    name = "role-passed-to-new-compute"
    severity = Severity.HIGH
    practice = 5
    judges_elsewhere = True
    yields_to = ("ESC-001", "LEAST-001", "LEAST-002", "LEAST-007")
    yields_when_milder_to = ("WILD-003",)
    compliance = {
        Framework.NIST: ("AC-6",),
        Framework.ISO: ("A.8.2",),
        Framework.WELL_ARCHITECTED: ("SEC03-BP02",),
    }
    equivalents = {"checkov": ("CKV_AWS_110", "CKV_AWS_286"), "semgrep": ("no-iam-priv-esc-roles",)}
    references = (
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html",
        "https://pathfinding.cloud/",
    )

    def check_principal(self, principal: Principal, graph: Graph) -> Iterator[Finding]:
        escalations = graph.escalations
        if graph.powers.is_powerful(principal) or is_exempt(principal, graph.settings):
            return
        told = filter(escalations.is_telling, escalations.of_passing(principal))
        found = worst(sure(told), graph)
        if found:
            yield self._passed(found, graph)
            return
        permitted = escalations.permitted(principal, MethodKind.NEW_PASS)
        yield from self.potential(
            filter(escalations.is_telling, permitted),
            "could run code as any role",
            graph,
            hint="name the roles that may be passed and add iam:PassedToService",
        )

    def _passed(self, found: list[Escalation], graph: Graph) -> Finding:
        best = found[0]
        role = best.target
        assert role is not None
        makes_admin = graph.powers.makes_admin(best)
        what = "become administrator" if makes_admin else "gain permissions"
        severity, persona = severity_of(best, graph), None
        if not makes_admin and best.actor.is_role and all(map(passes_by_name, found)):
            severity = min(severity, Severity.MEDIUM)
            persona = None if changes_sensitive(role, graph) else Persona.PEDANTIC
        note = standing_note(role, graph)
        if best.method.gain is Gain.ADMIN:
            note = " and makes that one an administrator first"
        return self.gain(
            found,
            f"can {what}: it {best.describe()}{note}",
            graph,
            severity=severity,
            persona=persona,
            hint=_hint(best, role),
        )


def _hint(escalation: Escalation, role: Principal) -> str:
    if escalation.method.gain is Gain.ADMIN:
        first = escalation.uses[0].permission.action
        return f"leave {role.label} out of what {first} may be used on"
    if not escalation.method.passes_role:
        return f"scope {escalation.actions} to what {escalation.actor.label} owns"
    if passes_by_name(escalation):
        return f"reduce what {role.label} may do, or leave it out of what may be passed"
    return f"name the roles that may be passed and add iam:PassedToService; leave out {role.label}"
