from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.escalations import EscalationRule
from iam_preflight.findings import Framework, Severity
from iam_preflight.graph.exposure import is_exempt
from iam_preflight.graph.narrative import severity_of, standing_note, sure, worst
from iam_preflight.knowledge.escalation import MethodKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.findings import Finding
    from iam_preflight.graph.escalation import Escalation
    from iam_preflight.graph.model import Graph, Principal


class PrincipalTakeover(EscalationRule):
    """A principal can take over a more privileged principal.

    ## What it checks
    Whether a role or user may make credentials for, change the password or the trust policy
    of, or attach policies to another principal of the code whose effective permissions exceed
    its own, or that trusts it. Critical where that makes it an administrator, high for any other
    gain. A role that may simply assume an administrator role is medium where the trust policy
    names it, because both sides say so and it may be meant; high where the trust policy lets in
    the account or a pattern, and nobody has decided on this one. A target that only adds a
    sensitive permission on some resource, such as reading one bucket, is medium. Where the
    permission covers everything but the code holds no target, the finding is medium: potential.

    Self-service limited to `${aws:username}` is left alone.

    Roles, users and groups that the code gives policies to and does not make are judged by what
    it gives them.

    ## Why it matters
    Whoever may create an access key for an administrator is one.

    ## How to fix
    Name the users or roles that may be managed, or ask for a permissions boundary.

    ## Example
    ```yaml
    - Effect: Allow
      Action: iam:CreateAccessKey
      Resource: !Sub arn:aws:iam::${AWS::AccountId}:user/${!aws:username}
    ```
    """

    id = "ESC-002"
    name = "principal-takeover"
    severity = Severity.HIGH
    practice = 5
    judges_elsewhere = True
    yields_to = ("ESC-001", "LEAST-001", "LEAST-002", "LEAST-007")
    yields_when_milder_to = ("LEAST-009", "LEAST-010")
    compliance = {
        Framework.NIST: ("AC-6", "AC-5"),
        Framework.ISO: ("A.8.2", "A.5.3"),
        Framework.WELL_ARCHITECTED: ("SEC03-BP02",),
    }
    equivalents = {"checkov": ("CKV_AWS_110", "CKV_AWS_286"), "semgrep": ("no-iam-priv-esc-funcs",)}
    references = ("https://pathfinding.cloud/",)

    def check_principal(self, principal: Principal, graph: Graph) -> Iterator[Finding]:
        escalations = graph.escalations
        if graph.powers.is_powerful(principal) or is_exempt(principal, graph.settings):
            return
        found = list(
            escalations.of_principals(principal, lambda role: self._is_told(principal, role, graph))
        )
        if found:
            yield self._takeover(worst(sure(found), graph), principal, graph)
            return
        permitted = escalations.permitted(principal, MethodKind.PRINCIPAL)
        hint = "name the users or roles that it may manage"
        yield from self.potential(permitted, "could take over any principal", graph, hint=hint)

    def _is_told(self, actor: Principal, role: Principal, graph: Graph) -> bool:
        """Plain role assumption by people is MFA-001's; towards an ordinary role it is normal."""
        if not actor.is_role or not graph.powers.is_powerful(role):
            return False
        settings = graph.settings
        return not role.is_listed((*settings.admin_roles, *settings.break_glass_roles))

    def _takeover(self, found: list[Escalation], principal: Principal, graph: Graph) -> Finding:
        best = found[0]
        target = best.target
        assert target is not None
        severity = severity_of(best, graph)
        if best.is_plain_assume:
            is_meant = graph.escalations.reach.is_named(principal, target)
            severity = min(severity, Severity.MEDIUM if is_meant else Severity.HIGH)
        elif not graph.powers.makes_admin(best) and not graph.powers.exceeds(target, principal):
            severity = min(severity, Severity.MEDIUM)
        verb = "assume" if best.is_plain_assume else "take over"
        return self.gain(
            found,
            f"can {verb} {target.label}{standing_note(target, graph)} with {best.actions}",
            graph,
            severity=severity,
            hint=f"scope {best.actions} to principals that may do no more than {principal.label}",
        )
