from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.findings import Confidence, Finding, Framework, Severity
from iam_preflight.graph.exposure import has_unknown_boundary, unbounded
from iam_preflight.graph.standing import Standing
from iam_preflight.policy.effective import admin_probes
from iam_preflight.policy.truth import Truth
from iam_preflight.rules import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.exposure import Exposure
    from iam_preflight.graph.model import Graph, Policy
    from iam_preflight.policy.effective import Administration

BY_STANDING = {
    Standing.ADMIN: Severity.CRITICAL,
    Standing.ESCALATING: Severity.CRITICAL,
    Standing.SENSITIVE: Severity.HIGH,
    Standing.ORDINARY: Severity.MEDIUM,
}


class FullAdministrativeAccess(Rule):
    """A policy grants full administrative access.

    ## What it checks
    An identity policy whose Allow statements give every action on every resource: `"*"`,
    `"*:*"`, a `NotAction` that leaves out nothing that matters, or several statements that add
    up to it. Conditions that limit what it is about (a tag, an account) and denials in the same
    document are taken into account; conditions on when and where (MFA, region, address) make it
    one step milder; conditions that restrict nothing count as none.

    How severe it is depends on who holds it. Critical: some holder ends up as administrator, or
    can make itself one. High: no holder is known, or a boundary that is not in the code may
    limit it. Medium: every holder's permissions boundary, control policies or denials leave
    nothing sensitive of it, or the document is not used by any policy.

    Documents that serve only as permissions boundary or service control policy are not grants
    and are left to BOUND-003 and SEG-010. Holders listed under `admin_roles` and
    `break_glass_roles` or `break_glass_users` in the settings are left alone.

    ## Why it matters
    Whoever gets hold of the credentials, or of the workload that runs with them, owns the
    account: data, keys, logs and every other identity.

    ## How to fix
    List the actions that are called and the ARNs that they are called on. For people, use an
    administrator permission set with MFA and short sessions instead.

    ## Example
    ```hcl
    statement {
      actions   = ["s3:GetObject"]
      resources = ["arn:aws:s3:::mybucket/reports/*"]
    }
    ```
    """

    id = "LEAST-001"
    name = "full-administrative-access"
    severity = Severity.CRITICAL
    practice = 2
    compliance = {
        Framework.CIS: ("1.16", "1.15", "2.14"),
        Framework.NIST: ("AC-6", "AC-6(10)", "AC-3"),
        Framework.ISO: ("A.5.15", "A.5.18", "A.8.2"),
        Framework.FSBP: ("IAM.1",),
        Framework.WELL_ARCHITECTED: ("SEC03-BP02",),
    }
    equivalents = {
        "checkov": ("CKV_AWS_1", "CKV_AWS_62", "CKV2_AWS_40"),
        "kics": (
            "575a2155-6af1-4026-b1af-d5bc8fe2a904",
            "2f37c4a3-58b9-4afe-8a87-d7f1d2286f84",
            "f62aa827-4ade-4dc4-89e4-1433d384a368",
            "953b3cdb-ce13-428a-aa12-318726506661",
        ),
        "cfn_nag": ("F3", "F4", "F5"),
        "cfn-guard": ("IAM_POLICY_NO_STATEMENTS_WITH_ADMIN_ACCESS",),
        "regula": ("FG_R00092",),
        "terrascan": (
            "AC_AWS_0143",
            "AC_AWS_0144",
            "AC_AWS_0146",
            "AC_AWS_0147",
            "AC_AWS_0474",
        ),
        "semgrep": ("no-iam-admin-privileges",),
        "cfripper": ("GenericResourceWildcardPolicyRule",),
    }
    references = (
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/best-practices.html#grant-least-privilege",
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_managed-vs-inline.html",
    )

    def check_policy(self, policy: Policy, graph: Graph) -> Iterator[Finding]:
        exposures = graph.exposures.of(policy)
        alone = [exposure for exposure in exposures if exposure.opening.is_full]
        for exposure in alone:
            yield self._full(exposure, graph)
        if alone or not exposures:
            return
        together = graph.permissions.of_document(policy.document).administration
        if together.truth is not Truth.NO:
            yield self._summed(together, exposures, graph)

    def _full(self, exposure: Exposure, graph: Graph) -> Finding:
        statement = exposure.statement
        star = next((p for p in statement.actions if p.text in ("*", "*:*")), None)
        star = star or exposure.opening.action_pattern("iam:PutRolePolicy")
        place = star.span if star is not None else statement.span_of("NotAction")
        resource = exposure.opening.resource_pattern()
        severity = _severity(exposure, graph)
        return self.finding(
            f"{exposure.who} may do everything on every resource{_but(severity, exposure)}",
            on=exposure.policy,
            at=place,
            severity=severity,
            confidence=exposure.confidence(exposure.opening.open),
            related=[(exposure.resource_place(resource), "on these"), *exposure.related()],
            hint="list the actions that are needed, on the ARNs that they are needed for",
            causes=(statement.span, place),
            assumptions=(*exposure.assumptions(star, resource), *unbounded(exposure.holders)),
            principal=exposure.holder,
        )

    def _summed(
        self, together: Administration, exposures: tuple[Exposure, ...], graph: Graph
    ) -> Finding:
        """The statements of one document that only together make an administrator."""
        counts = {id(statement): 0 for statement in together.statements}
        for grant in together.grants:
            counts[id(grant.statement)] += 1
        first = max(together.statements, key=lambda statement: counts[id(statement)])
        exposure = next((e for e in exposures if e.statement is first), exposures[0])
        main = next(grant for grant in together.grants if grant.statement is first)
        rest = [s for s in together.statements if s is not first]
        related = [(statement.span, "together with this statement") for statement in rest]
        severity = _severity(exposure, graph)
        return self.finding(
            f"{exposure.who} is an administrator by the sum of what one policy allows"
            f"{_but(severity, exposure)}",
            on=exposure.policy,
            at=main.action_place,
            severity=severity,
            confidence=Confidence.HIGH if together.truth is Truth.YES else Confidence.LOW,
            related=[*related, *exposure.related()],
            hint="list the actions that are needed, on the ARNs that they are needed for",
            causes=[
                *(statement.span for statement in together.statements),
                *dict.fromkeys(grant.action_place for grant in together.grants),
            ],
            assumptions=(
                *exposure.assumptions(main.pattern, main.resource),
                *unbounded(exposure.holders),
            ),
            principal=exposure.holder,
        )


def _severity(exposure: Exposure, graph: Graph) -> Severity:
    """How bad it is, from the worst off of those who hold it."""
    policy = exposure.policy
    if exposure.holders:
        severity = max(_of_holder(exposure, graph))
    else:
        severity = Severity.MEDIUM if policy.is_source_only else Severity.HIGH
        if graph.permissions.of_document(policy.document).is_admin is Truth.NO:
            severity = severity.lowered()
    is_contextual = exposure.opening.is_contextual(admin_probes())
    return severity.lowered() if is_contextual and severity is Severity.CRITICAL else severity


def _of_holder(exposure: Exposure, graph: Graph) -> Iterator[Severity]:
    for holder in exposure.holders:
        if has_unknown_boundary(holder) or graph.effective(holder).is_admin is Truth.MAYBE:
            yield Severity.HIGH
        yield BY_STANDING[graph.standing(holder)]


def _but(severity: Severity, exposure: Exposure) -> str:
    """What keeps it from being critical, as far as it is not plain."""
    if severity is Severity.CRITICAL or not exposure.holders:
        return ""
    if exposure.opening.is_restricted(admin_probes()):
        return ", limited only by a condition"
    if any(holder.boundary is not None for holder in exposure.holders):
        return ", limited only by a permissions boundary"
    return ", limited only by other policies"
