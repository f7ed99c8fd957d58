from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.findings import Confidence, Finding, Framework, Severity
from iam_preflight.graph.audit_routes import EVENT_RULE, EVENT_TARGET
from iam_preflight.graph.audit_undoing import Undoings
from iam_preflight.graph.exposure import is_exempt
from iam_preflight.graph.model import PrincipalKind
from iam_preflight.graph.standing import Standing
from iam_preflight.graph.trails import TRAIL_TYPES
from iam_preflight.rules import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.audit_undoing import Threat
    from iam_preflight.graph.model import Graph, Principal
    from iam_preflight.policy.effective import Grant
    from iam_preflight.source import Span

MAX_NAMED = 3


class UndoableAuditTrail(Rule):
    """A principal that does not run the audit services can switch them off.

    ## What it checks
    Whether the effective permissions of a role, user, group or permission set (all policies
    together, inside its boundary and the control policies of the code) let it stop, delete or
    rewrite a trail, stop AWS Config, GuardDuty, Security Hub or IAM Access Analyzer; and, where
    the code shows what belongs to the trail, delete its log group or its files, change the
    bucket's policy, disable its key, or take the targets off alert rules.

    Administrators are left to LEAST-001, LEAST-002 and LEAST-007. Roles listed under
    `security_admins`, `admin_roles` or `break_glass_roles` are left alone. It is medium where a
    condition on region, network or second factor limits it, or where only the log group is at
    stake, which is a copy. Principals that have it from one statement are one finding.

    ## Why it matters
    Switching off the trail is what an intruder does first. No workload and no developer needs
    to be able to.

    ## How to fix
    Deny these actions for everybody but the security administrators in a service control
    policy, and take them out of the role.

    ## Example
    ```hcl
    statement {
      effect    = "Deny"
      actions   = ["cloudtrail:StopLogging", "cloudtrail:DeleteTrail", "guardduty:DeleteDetector"]
      resources = ["*"]
      condition {
        test     = "ArnNotLike"
        variable = "aws:PrincipalArn"
        values   = ["arn:aws:iam::*:role/security-admin"]
      }
    }
    ```
    """

    id = "AUDIT-007"
    name = "undoable-audit-trail"
    severity = Severity.HIGH
    practice = 6
    yields_to = ("LEAST-001", "LEAST-002", "LEAST-007", "SEG-001", "ESC-001")
    reads = (*TRAIL_TYPES, EVENT_RULE, EVENT_TARGET)
    compliance = {
        Framework.CIS: ("2.1.2",),
        Framework.NIST: ("AU-9", "AU-9(4)", "AC-5"),
        Framework.ISO: ("A.8.15", "A.5.3"),
        Framework.WELL_ARCHITECTED: ("SEC03-BP02", "SEC04-BP02"),
    }
    equivalents = {
        "prowler": (
            "iam_inline_policy_no_full_access_to_cloudtrail",
            "iam_policy_no_full_access_to_cloudtrail",
        ),
    }
    references = (
        "https://docs.aws.amazon.com/awscloudtrail/latest/userguide/best-practices-security.html",
        "https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_scps_examples_general.html",
    )

    def check_graph(self, graph: Graph) -> Iterator[Finding]:
        undoings = Undoings(graph)
        found: dict[tuple[object, ...], list[tuple[Principal, list[Threat]]]] = {}
        for principal in graph.principals:
            if not _is_judged(principal, graph):
                continue
            threats = sorted(undoings.of(principal), key=_rank)
            if threats and graph.standing(principal) is not Standing.ADMIN:
                # principals that have it from one statement are one finding
                grant = threats[0].grants[0]
                place = _place(principal, grant)
                actions = tuple(action for threat in threats for action in threat.actions)
                key = (id(place.source), place.start, actions)
                found.setdefault(key, []).append((principal, threats))
        for holders in found.values():
            yield self._found([principal for principal, _ in holders], holders[0][1])

    def _found(self, principals: list[Principal], threats: list[Threat]) -> Finding:
        principal, worst = principals[0], threats[0]
        first = worst.grants[0]
        actions = [action for threat in threats for action in threat.actions]
        named = ", ".join(actions[:MAX_NAMED])
        rest = f" and {len(actions) - MAX_NAMED} more" if len(actions) > MAX_NAMED else ""
        others = f" and {len(principals) - 1} others" if len(principals) > 1 else ""
        is_mild = all(threat.is_contextual or threat.is_copy for threat in threats)
        causes = {grant.statement.span for threat in threats for grant in threat.grants}
        return self.finding(
            f"{principal.label}{others} can undo the audit trail with {named}{rest}",
            on=principal,
            at=_place(principal, first),
            severity=Severity.MEDIUM if is_mild else None,
            confidence=Confidence.HIGH if worst.is_sure else Confidence.LOW,
            related=[
                *((target.header, worst.what) for target in worst.targets),
                *((each.resource.header, each.label) for each in principals[:MAX_NAMED]),
            ],
            hint=f"{_edit(principal, first)}, and deny it in a service control policy",
            evidence=" ".join(sorted(threat.what for threat in threats)),
            causes=sorted(causes, key=lambda span: span.sort_key()),
            assumptions=first.statement.assumptions,
        )


def _rank(threat: Threat) -> tuple[bool, bool, bool, bool]:
    """The surest and worst first."""
    return (not threat.is_sure, threat.is_contextual, threat.is_copy, not threat.targets)


def _is_judged(principal: Principal, graph: Graph) -> bool:
    if is_exempt(principal, graph.settings):
        return False
    # members speak for their group
    if principal.kind is PrincipalKind.GROUP and principal.memberships:
        return False
    return not principal.is_listed(graph.settings.security_admins)


def _place(principal: Principal, grant: Grant) -> Span:
    """The action as written; the attachment where the policy is AWS's."""
    attached = principal.attached_by_aws(grant.document)
    return attached.place if attached is not None else grant.action_place


def _edit(principal: Principal, grant: Grant) -> str:
    """What to change where the action is given."""
    attached = principal.attached_by_aws(grant.document)
    if attached is not None:
        return f"attach a policy without {grant.action} instead of {attached.policy.name}"
    if grant.pattern is not None and "*" in grant.pattern.text:
        return f"list what is needed of {grant.pattern.text} without {grant.action}"
    return f"remove {grant.action}"
