from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.findings import Finding, Framework, Severity
from iam_preflight.graph.baseline import provides
from iam_preflight.graph.idle_controls import idle_controls
from iam_preflight.rules import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.model import Graph


class ControlPolicyWithoutEffect(Rule):
    """A service or resource control policy is there, and binds nobody.

    ## What it checks
    Control policies that look like a guard and are none: attached to nothing, or to the
    management account only; of a type that the organization has not switched on; allowing
    everything (medium); longer than AWS takes, or written in a way that AWS refuses (a
    `Principal` in a service control policy, an `Allow` in a resource control policy).

    And single denials that stop nothing: all their actions are misspelt, or of services that
    resource control policies do not reach; their condition asks for a key that no such request
    carries, or they leave out every role
    (`ArnNotLike aws:PrincipalArn = arn:aws:iam::*:role/*`). Low, and for those who want to see
    hygiene: a role that is left out by name, and that member accounts may create themselves.

    A policy that is attached elsewhere may not be seen here; what is attached to nothing is
    therefore of medium confidence, and of low confidence in a module or beside attachments whose
    policy is not known.

    ## Why it matters
    Everybody relies on the guard, and nobody notices that it is not there.

    ## How to fix
    Attach it, switch the type on, correct the name, or narrow the exemption to full names of
    roles that member accounts cannot create.

    ## Example
    ```json
    {
      "Effect": "Deny",
      "Action": "cloudtrail:StopLogging",
      "Resource": "*",
      "Condition": {
        "ArnNotLike": { "aws:PrincipalArn": "arn:aws:iam::*:role/security/trail-operator" }
      }
    }
    ```
    """

    id = "SEG-010"
    name = "control-policy-without-effect"
    severity = Severity.HIGH
    practice = 3
    compliance = {
        Framework.CIS: ("2.1.2",),
        Framework.NIST: ("AC-3", "CM-5"),
        Framework.ISO: ("A.8.9",),
        Framework.WELL_ARCHITECTED: ("SEC03-BP05",),
    }
    references = (
        "https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_scps_syntax.html",
        "https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_rcps_syntax.html",
    )

    def check_graph(self, graph: Graph) -> Iterator[Finding]:
        for policy, idleness in idle_controls(graph):
            statement = idleness.statement
            is_elsewhere = statement is None and provides(graph, "scp")
            if is_elsewhere and idleness.place is policy.resource.header:
                continue
            yield self.finding(
                idleness.message,
                on=policy,
                at=idleness.place,
                severity=idleness.severity,
                confidence=idleness.confidence,
                persona=idleness.persona,
                related=((policy.resource.header, "the policy"),)
                if idleness.place is not policy.resource.header
                else (),
                hint=idleness.hint,
                causes=(statement.span, idleness.place) if statement is not None else (),
                assumptions=statement.assumptions if statement is not None else (),
            )
