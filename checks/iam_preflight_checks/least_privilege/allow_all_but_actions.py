from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.findings import Confidence, Finding, Framework, Severity
from iam_preflight.graph.exposure import listed
from iam_preflight.policy.document import DocumentUse
from iam_preflight.rules import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.exposure import Exposure
    from iam_preflight.graph.model import Graph, Policy
    from iam_preflight.policy.document import Statement


class AllowAllButActions(Rule):
    """`NotAction` in an Allow grants everything but what it names.

    ## What it checks
    `NotAction` in Allow statements. In identity policies it is high when sensitive actions are
    among what is left on every resource, else medium. In trust policies and the policies of
    resources it is always high: it gives others whatever the resource can do, all but a few.

    `NotAction` in a Deny is the usual way to write a guardrail and is left alone, and so are
    permissions boundaries and service control policies, which grant nothing. What leaves nothing
    out that matters is an administrator, which LEAST-001 says.

    ## Why it matters
    The statement grants hundreds of services and 20,000 actions that nobody listed, and every new
    one. `NotAction: iam:*` is read as "no IAM", and leaves `sts:AssumeRole`, `lambda:*` and
    `organizations:LeaveOrganization` in.

    ## How to fix
    List the actions that are needed in `Action`. What must never be done belongs into a Deny, a
    permissions boundary or a service control policy.

    ## Example
    ```json
    {
      "Effect": "Allow",
      "Action": ["ec2:StartInstances", "ec2:StopInstances"],
      "Resource": "arn:aws:ec2:eu-west-1:111122223333:instance/*"
    }
    ```
    """

    id = "LEAST-005"
    name = "allow-all-but-actions"
    severity = Severity.HIGH
    practice = 2
    yields_to = ("LEAST-001", "LEAST-007", "ESC-001")
    compliance = {
        Framework.NIST: ("AC-6",),
        Framework.ISO: ("A.5.18",),
        Framework.WELL_ARCHITECTED: ("SEC03-BP02",),
    }
    equivalents = {
        "cfn_nag": ("W14", "W15", "W16", "W17", "W18", "W19", "W20"),
        "cfn-guard": ("IAM_ROLE_OR_POLICY_NO_ALLOW_PLUS_NOT_ACTION",),
        "trivy": ("AWS-0057",),
    }
    references = (
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_notaction.html",
    )

    def check_graph(self, graph: Graph) -> Iterator[Finding]:
        seen: set[tuple[str, int, int]] = set()
        for policy in graph.policies:
            for exposure in graph.exposures.of(policy):
                if exposure.statement.is_not_action:
                    yield self._held(exposure)
            if policy.use not in (DocumentUse.TRUST, DocumentUse.RESOURCE):
                continue
            for statement in policy.document.statements:
                place = statement.span.sort_key()
                if statement.is_allow and statement.is_not_action and place not in seen:
                    seen.add(place)
                    yield self._given(statement, policy)

    def _held(self, exposure: Exposure) -> Finding:
        opening = exposure.opening
        sensitive = opening.open & exposure.catalog.sensitive
        if sensitive:
            severity = exposure.severity(Severity.HIGH, sensitive)
        else:
            severity = exposure.severity_as_written(Severity.MEDIUM, sensitive)
        place = exposure.statement.span_of("NotAction")
        resource = opening.resource_pattern()
        return self.finding(
            f"{exposure.who} may do everything but {_spared(exposure.statement)}",
            on=exposure.policy,
            at=place,
            severity=severity,
            confidence=_confidence(exposure.statement),
            related=[
                (exposure.resource_place(resource), "on these resources"),
                *exposure.related(),
            ],
            hint="list what is needed in Action; what must never be done belongs into a Deny",
            evidence=f"NotAction {_spared(exposure.statement)}",
            causes=(exposure.statement.span, place),
            assumptions=exposure.assumptions(),
            principal=exposure.holder,
        )

    def _given(self, statement: Statement, policy: Policy) -> Finding:
        return self.finding(
            f"{policy.address} lets others do everything but {_spared(statement)}",
            on=policy,
            at=statement.span_of("NotAction"),
            severity=self.severity.lowered() if policy.is_source_only else self.severity,
            confidence=_confidence(statement),
            hint="list what they may do in Action",
            evidence=f"NotAction {_spared(statement)}",
            causes=(statement.span, statement.span_of("NotAction")),
            assumptions=statement.assumptions,
        )


def _spared(statement: Statement) -> str:
    return listed(pattern.text for pattern in statement.actions) if statement.actions else "nothing"


def _confidence(statement: Statement) -> Confidence:
    return Confidence.HIGH if statement.is_effect_known else Confidence.LOW
