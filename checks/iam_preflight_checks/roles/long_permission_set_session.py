from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.durations import hours_in
from iam_preflight.findings import Edit, Finding, Fix, Framework, Severity
from iam_preflight.graph.model import PrincipalKind
from iam_preflight.graph.standing import Standing, changes_sensitive, may_only_read
from iam_preflight.rules import Rule
from iam_preflight.values import text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.model import Graph, Principal
    from iam_preflight.values import Value


class LongPermissionSetSession(Rule):
    """A permission set gives long sessions.

    ## What it checks
    The session duration of every IAM Identity Center permission set: more than one hour
    (`max_session_seconds` in the settings) where it makes people administrators, lets them
    become one or change something sensitive anywhere; more than `permission_set_hours` (8) for
    all others, and more than `readonly_session_hours` (8) where it only reads. Sensitive
    actions without a way to more are low. With sessions longer than `permission_set_hours`
    each is one step worse. An absent value is one hour.

    What a permission set holds is added up first: AWS-managed, own and inline policies.

    ## Why it matters
    Whoever gets hold of the credentials in somebody's browser or laptop has them until the
    session ends; signing out of the portal does not end it.

    ## How to fix
    Set one hour for permission sets with power. People get the next session with one click as
    long as they are signed in to the portal.

    ## Example
    ```hcl
    resource "aws_ssoadmin_permission_set" "admin" {
      name             = "AdministratorAccess"
      instance_arn     = local.instance_arn
      session_duration = "PT1H"
    }
    ```
    ```yaml
    Admin:
      Type: AWS::SSO::PermissionSet
      Properties:
        Name: AdministratorAccess
        InstanceArn: !Ref InstanceArn
        SessionDuration: PT1H
    ```
    """

    id = "ROLE-004"
    name = "long-permission-set-session"
    severity = Severity.MEDIUM
    practice = 1
    compliance = {
        Framework.NIST: ("AC-12", "AC-2(5)"),
        Framework.ISO: ("A.8.2", "A.8.5"),
        Framework.WELL_ARCHITECTED: ("SEC02-BP02",),
    }
    equivalents = {"kics": ("ce9dfce0-5fc8-433b-944a-3b16153111a8",)}
    references = (
        "https://docs.aws.amazon.com/singlesignon/latest/userguide/howtosessionduration.html",
    )

    def check_principal(self, principal: Principal, graph: Graph) -> Iterator[Finding]:
        if principal.kind is not PrincipalKind.PERMISSION_SET:
            return
        for assumptions, value in principal.resource.arms("session_duration"):
            hours = hours_in(text_of(value) or "")
            if hours is None or hours * 3600 <= graph.settings.max_session_seconds:
                continue
            limit, severity, who = _limit(principal, graph, hours)
            if hours <= limit:
                continue
            yield self.finding(
                f"sessions of {principal.label}{who} last {hours:g} hours",
                on=principal,
                at=value.span,
                severity=severity,
                related=((principal.resource.header, "the permission set"),),
                hint=f"set the session duration to PT{limit:g}H",
                evidence=f"session_duration {hours:g}",
                assumptions=assumptions,
                fix=_fix(principal, value, limit),
            )


def _limit(principal: Principal, graph: Graph, hours: float) -> tuple[float, Severity, str]:
    """How long a session may be, how bad a longer one is, and why."""
    settings = graph.settings
    standing = graph.standing(principal)
    if standing >= Standing.ESCALATING or changes_sensitive(principal, graph):
        severity = Severity.MEDIUM if standing >= Standing.ESCALATING else Severity.LOW
        severity = severity.raised() if hours > settings.permission_set_hours else severity
        return settings.max_session_seconds / 3600, severity, f", {standing.describe()},"
    if may_only_read(principal, graph) and not principal.unresolved:
        return settings.readonly_session_hours, Severity.LOW, ", which only reads,"
    return settings.permission_set_hours, Severity.MEDIUM, ""


def _fix(principal: Principal, value: Value, limit: float) -> Fix | None:
    """Only where the duration is written here: a variable may be meant for other sets too."""
    written, wanted = text_of(value) or "", f"PT{limit:g}H"
    if not principal.resource.span.contains(value.span) or written not in value.span.text:
        return None
    if not float(limit).is_integer():
        return None
    edit = Edit(value.span, value.span.text.replace(written, wanted))
    return Fix(f"set the session duration to {wanted}", (edit,))
