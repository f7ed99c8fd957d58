"""The base of rules about Allow statements that grant all but what an element names.

Such a statement is told of those who hold it by an identity policy, and of the document itself
where that gives something to others.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_notaction.html
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_notresource.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from iam_preflight.graph.exposure import confidence_in_effect, listed
from iam_preflight.rules import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.findings import Finding, Severity
    from iam_preflight.graph.exposure import Exposure
    from iam_preflight.graph.model import Graph, Policy
    from iam_preflight.policy.document import DocumentUse, Statement
    from iam_preflight.source import Span


class AllButRule(Rule, abstract=True):
    """One finding for each exposure with the element, one for each statement given to others."""

    element: ClassVar[Literal["NotAction", "NotResource"]]
    given_in: ClassVar[tuple[DocumentUse, ...]]
    """The uses of documents in which a statement gives something to others."""

    def is_about(self, statement: Statement) -> bool:
        """Whether a statement has the element, and names there what it spares."""
        raise NotImplementedError

    def held(self, exposure: Exposure) -> Finding:
        """What the holders of an identity policy may do."""
        raise NotImplementedError

    def given(self, statement: Statement, policy: Policy) -> Finding:
        """What a document for others lets them do."""
        raise NotImplementedError

    def check_graph(self, graph: Graph) -> Iterator[Finding]:
        seen: set[tuple[str, int, int]] = set()
        for policy in graph.policies:
            for exposure in graph.exposures.of(policy):
                if self.is_about(exposure.statement):
                    yield self.held(exposure)
            if policy.use not in self.given_in:
                continue
            for statement in policy.document.statements:
                place = statement.span.sort_key()
                if statement.is_allow and self.is_about(statement) and place not in seen:
                    seen.add(place)
                    yield self.given(statement, policy)

    def spared(self, statement: Statement) -> str:
        """What the element names, for messages: `iam:*, sts:AssumeRole and 2 others`."""
        is_action = self.element == "NotAction"
        patterns = statement.actions if is_action else statement.resources
        # an element that is empty, or no text, spares nothing
        return listed(pattern.text for pattern in patterns) or "nothing"

    def of_holders(
        self, exposure: Exposure, may: str, severity: Severity, half: tuple[Span, str], hint: str
    ) -> Finding:
        """A finding about an identity policy.

        `may` is the clause after who holds it; `half` is the place of what the grant is about
        beside the element, with its label.
        """
        statement = exposure.statement
        place = statement.span_of(self.element)
        return self.finding(
            f"{exposure.who} {may} {self.spared(statement)}",
            on=exposure.policy,
            at=place,
            severity=severity,
            confidence=confidence_in_effect(statement),
            related=[half, *exposure.related()],
            hint=hint,
            evidence=f"{self.element} {self.spared(statement)}",
            causes=(statement.span, place),
            assumptions=exposure.assumptions(),
            principal=exposure.holder,
        )

    def of_others(
        self, statement: Statement, policy: Policy, gives: str, severity: Severity, hint: str
    ) -> Finding:
        """A finding about a document for others; `gives` is the clause after its address."""
        place = statement.span_of(self.element)
        return self.finding(
            f"{policy.address} {gives} {self.spared(statement)}",
            on=policy,
            at=place,
            severity=severity.lowered() if policy.is_source_only else severity,
            confidence=confidence_in_effect(statement),
            hint=hint,
            evidence=f"{self.element} {self.spared(statement)}",
            causes=(statement.span, place),
            assumptions=statement.assumptions,
        )
