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


class AllowAllButResources(Rule):
    """`NotResource` in an Allow grants actions on everything but what it names.

    ## What it checks
    `NotResource` in Allow statements of identity policies and of the policies of resources. High
    when the actions are sensitive: they manage permissions or identities, pass or assume roles,
    run code, or read secrets and data. Medium otherwise.

    `NotResource` in a Deny is the usual way to keep somebody to named resources and is left
    alone, and so are permissions boundaries and service control policies.

    ## Why it matters
    One bucket is spared and every other one is granted, those of other teams and those made next
    year included. Renaming the spared one grants it as well, and nothing fails.

    ## How to fix
    List the ARNs that are needed in `Resource`. What must never be touched belongs into a Deny.

    ## Example
    ```json
    {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::public-assets/*"},
    {"Effect": "Deny", "Action": "s3:*", "Resource": "arn:aws:s3:::payroll/*"}
    ```
    """

    id = "LEAST-006"
    name = "allow-all-but-resources"
    severity = Severity.HIGH
    practice = 2
    yields_to = ("LEAST-001", "LEAST-005", "LEAST-007", "ESC-001")
    compliance = {
        Framework.NIST: ("AC-6",),
        Framework.ISO: ("A.5.18",),
        Framework.WELL_ARCHITECTED: ("SEC03-BP02",),
    }
    equivalents = {
        "cfn_nag": ("W21", "W22", "W23"),
        "access-analyzer": ("PASS_ROLE_WITH_NOT_RESOURCE",),
    }
    references = (
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_notresource.html",
    )

    def check_graph(self, graph: Graph) -> Iterator[Finding]:
        seen: set[tuple[str, int, int]] = set()
        for policy in graph.policies:
            for exposure in graph.exposures.of(policy):
                if exposure.statement.is_not_resource and _leaves_some(exposure.statement):
                    yield self._held(exposure)
            if policy.use is not DocumentUse.RESOURCE:
                continue
            for statement in policy.document.statements:
                place = statement.span.sort_key()
                if statement.is_allow and statement.is_not_resource and place not in seen:
                    seen.add(place)
                    if _leaves_some(statement):
                        yield self._given(statement, policy)

    def _held(self, exposure: Exposure) -> Finding:
        opening = exposure.opening
        sensitive = opening.open & exposure.catalog.sensitive
        if sensitive:
            severity = exposure.severity(Severity.HIGH, sensitive)
        else:
            severity = exposure.severity_as_written(Severity.MEDIUM, opening.broad)
        place = exposure.statement.span_of("NotResource")
        patterns = exposure.patterns(sensitive or opening.about)
        may = listed(pattern.text for pattern in patterns) if patterns else "nearly everything"
        return self.finding(
            f"{exposure.who} may use {may} on all but {_spared(exposure.statement)}",
            on=exposure.policy,
            at=place,
            severity=severity,
            confidence=_confidence(exposure.statement),
            related=[(exposure.action_place(patterns), "may do this"), *exposure.related()],
            hint="list the ARNs that are needed in Resource; what must stay closed needs a Deny",
            evidence=f"NotResource {_spared(exposure.statement)}",
            causes=(exposure.statement.span, place),
            assumptions=exposure.assumptions(),
            principal=exposure.holder,
        )

    def _given(self, statement: Statement, policy: Policy) -> Finding:
        return self.finding(
            f"{policy.address} gives others all but {_spared(statement)}",
            on=policy,
            at=statement.span_of("NotResource"),
            severity=Severity.LOW if policy.is_source_only else Severity.MEDIUM,
            confidence=_confidence(statement),
            hint="list what they may use in Resource",
            evidence=f"NotResource {_spared(statement)}",
            causes=(statement.span, statement.span_of("NotResource")),
            assumptions=statement.assumptions,
        )


def _leaves_some(statement: Statement) -> bool:
    return all(pattern.text != "*" for pattern in statement.resources)


def _spared(statement: Statement) -> str:
    # an element that is empty, or no text, spares nothing
    return listed(pattern.text for pattern in statement.resources) or "nothing"


def _confidence(statement: Statement) -> Confidence:
    return Confidence.HIGH if statement.is_effect_known else Confidence.LOW
