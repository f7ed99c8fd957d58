"""Rules that only these tests have, so that reports change when reporters do and not otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.findings import Confidence, Edit, Fix, Framework, Place, Severity
from iam_preflight.graph.accounts import Ownership
from iam_preflight.graph.trust import grants
from iam_preflight.rules import Rule
from iam_preflight.values import number_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.findings import Finding
    from iam_preflight.graph.model import Graph, Principal

REFERENCE = "https://docs.aws.amazon.com/IAM/latest/UserGuide/best-practices.html"


class OpenTrust(Rule):
    """Anyone may assume a role.

    ## What it checks
    Trust policies with the principal `*`.

    ## Why it matters
    Anyone is too many.

    ## How to fix
    Name somebody.
    """

    id = "OPEN-001"
    name = "open-trust"
    severity = Severity.CRITICAL
    practice = 3
    compliance = {Framework.NIST: ("AC-3", "AC-6(10)"), Framework.ISO: ("A.5.15",)}
    references = (REFERENCE,)

    def check_principal(self, principal: Principal, graph: Graph) -> Iterator[Finding]:
        for grant in grants(principal.trust, graph.accounts):
            if grant.ownership is Ownership.ANYONE:
                header = principal.resource.header
                yield self.finding(
                    "anyone may assume this role",
                    on=principal,
                    at=grant.principal.span,
                    label="anyone",
                    related=((header, "the role"),),
                    steps=(Place(header, "then it is whoever assumed it"),),
                    hint="name the accounts that may",
                    causes=(grant.statement.span,),
                )


class ForeignTrust(Rule):
    """An account of somebody else may assume a role.

    ## What it checks
    Trust policies with accounts that are not ours.

    ## Why it matters
    They are not ours.

    ## How to fix
    Leave them out.
    """

    id = "FOREIGN-001"
    name = "foreign-trust"
    severity = Severity.HIGH
    confidence = Confidence.MEDIUM
    practice = 7
    compliance = {Framework.NIST: ("AC-20",)}

    def check_principal(self, principal: Principal, graph: Graph) -> Iterator[Finding]:
        for grant in grants(principal.trust, graph.accounts):
            if grant.ownership is Ownership.EXTERNAL:
                message = f"{grant.principal.pattern.text} may assume {principal.label}"
                yield self.finding(message, on=principal, at=grant.principal.span)


class LongSession(Rule):
    """Sessions of a role are long.

    ## What it checks
    That they last one hour.

    ## Why it matters
    They might be stolen.

    ## How to fix
    Set one hour.
    """

    id = "LONG-001"
    name = "long-session"
    severity = Severity.MEDIUM
    practice = 1
    compliance = {Framework.CIS: ("1.10", "1.9")}

    def check_principal(self, principal: Principal, graph: Graph) -> Iterator[Finding]:
        value = principal.resource.get("max_session_duration")
        seconds = number_of(value)
        if value is not None and seconds is not None and seconds > 3600:
            yield self.finding(
                f"sessions of {principal.label} last {seconds} seconds",
                on=principal,
                at=value.span,
                hint="set 3600",
                fix=Fix("set one hour", (Edit(value.span, "3600"),)),
            )
