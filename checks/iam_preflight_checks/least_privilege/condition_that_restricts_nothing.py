from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.findings import Confidence, Finding, Framework, Severity
from iam_preflight.graph.exposure import listed
from iam_preflight.knowledge.worth import telling
from iam_preflight.policy.document import DocumentUse
from iam_preflight.policy.effective import admin_probes
from iam_preflight.policy.idle_conditions import condition_for_nothing, few_actions, never_met
from iam_preflight.policy.scope import Strength
from iam_preflight.rules import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.exposure import Exposure
    from iam_preflight.graph.model import Graph, Policy
    from iam_preflight.knowledge.actionset import ActionSet
    from iam_preflight.knowledge.catalog import Catalog
    from iam_preflight.policy.document import Statement
    from iam_preflight.policy.idle_conditions import NeverMet
    from iam_preflight.policy.scope import Judgement
    from iam_preflight.source import Span


class ConditionThatRestrictsNothing(Rule):
    """A condition restricts nothing.

    ## What it checks
    Allow statements that would be reported without their conditions, in which no condition keeps
    anybody out: the key is not part of such requests and `IfExists`, `Not…` or `ForAllValues` let
    them pass; a value is `*`, `0.0.0.0/0` or matches everything; among values that are
    alternatives one is a wildcard; `aws:SecureTransport` is true anyway; a time only has a
    beginning. In identity policies it is about sensitive and changing actions on every resource,
    in the policies of resources and roles about statements for everybody.

    And Deny statements that never apply, because no request for their actions carries the key,
    such as `aws:ResourceTag` for a service that does not know it, or because the condition spares
    everybody, as `NotIpAddress` with `0.0.0.0/0` does.

    The finding says why. Low in an identity policy where a `Not…` keeps out what it names, such as
    resources with one value of a tag, and nothing else. Conditions that work together
    (`ForAllValues` with `Null: false`) are judged together; those on MFA are the business of
    MFA-002. What keeps to the resources of the own account is fine, and narrows nothing either.

    ## Why it matters
    Everybody who reads the statement takes it for limited, tools included. It is as open as it
    would be without.

    ## How to fix
    Use a positive operator (`StringEquals`, `ArnLike`) on a key that requests for the action
    carry, with the values that are meant.

    ## Example
    ```json
    "Condition": {"StringEqualsIfExists": {"aws:SourceVpce": "vpce-1a2b3c4d"}}
    ```
    Instead:
    ```json
    "Condition": {"StringEquals": {"aws:SourceVpce": "vpce-1a2b3c4d"}}
    ```
    """

    id = "LEAST-013"
    name = "condition-that-restricts-nothing"
    severity = Severity.MEDIUM
    practice = 2
    yields_to = ("MFA-002", "EXT-007", "SEG-007", "SEG-010")
    compliance = {
        Framework.NIST: ("AC-3", "AC-6"),
        Framework.ISO: ("A.8.3",),
        Framework.WELL_ARCHITECTED: ("SEC03-BP02",),
    }
    equivalents = {
        "access-analyzer": (
            "FORALLVALUES_WITH_SINGLE_VALUED_KEY",
            "DENY_WITH_UNSUPPORTED_TAG_CONDITION_KEY_FOR_SERVICE",
        ),
        "parliament": ("SINGLE_VALUE_CONDITION_TOO_PERMISSIVE",),
    }
    references = (
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html",
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html",
    )

    def check_policy(self, policy: Policy, graph: Graph) -> Iterator[Finding]:
        catalog = graph.permissions.evaluator.catalog
        for exposure in graph.exposures.of(policy):
            if exposure.statement.conditions:
                yield from self._held(exposure)
        for statement in policy.document.statements:
            if not statement.conditions:
                continue
            if not statement.is_allow and not policy.is_source_only:
                for never in never_met(statement, catalog):
                    yield self._never(never, statement, policy)
            elif statement.is_allow and policy.use in (DocumentUse.RESOURCE, DocumentUse.TRUST):
                yield from self._for_everybody(statement, policy, catalog)

    def _held(self, exposure: Exposure) -> Iterator[Finding]:
        opening, catalog = exposure.opening, exposure.catalog
        watched = opening.surely_broad & telling(catalog)
        if opening.is_boundless:
            watched &= catalog.expand_all(admin_probes())
        if not watched or any(
            opening.strength(action) is not Strength.NOTHING for action in watched
        ):
            return
        useless = condition_for_nothing(exposure.statement, watched, catalog)
        if useless is None:
            return
        patterns = exposure.patterns(watched)
        severity = exposure.severity(self.severity, watched)
        yield self._finding(
            useless,
            _worth(useless, watched, catalog),
            exposure.statement,
            exposure.policy,
            # an exception is plain to see
            severity=severity.lowered() if _is_exception(useless, watched, catalog) else severity,
            related=[(exposure.action_place(patterns), "open all the same"), *exposure.related()],
        )

    def _for_everybody(
        self, statement: Statement, policy: Policy, catalog: Catalog
    ) -> Iterator[Finding]:
        everybody = [p for p in statement.principals if p.pattern.text == "*"]
        if not everybody or statement.is_not_principal:
            return
        actions = few_actions(statement, catalog)
        useless = condition_for_nothing(statement, actions, catalog)
        if useless is not None:
            related = [(everybody[0].span, "lets in everybody all the same")]
            worth = _worth(useless, actions, catalog)
            yield self._finding(useless, worth, statement, policy, related=related)

    def _never(self, never: NeverMet, statement: Statement, policy: Policy) -> Finding:
        condition = never.condition
        to = f" to {listed(never.services)}" if never.services else ""
        return self.finding(
            f"the Deny never applies{to}: {never.why}",
            on=policy,
            at=condition.span,
            # AWS's reference does not name every key that a service sends
            confidence=Confidence.MEDIUM if never.services else None,
            related=[(statement.span_of("Effect"), f"denies nothing{' there' if to else ''}")],
            hint=never.cure,
            evidence=f"{condition.operator.name} {condition.key.text}",
            causes=(condition.span,),
            assumptions=(*statement.assumptions, *condition.assumptions),
        )

    def _finding(
        self,
        useless: Judgement,
        worth: str,
        statement: Statement,
        policy: Policy,
        *,
        related: list[tuple[Span, str]],
        severity: Severity | None = None,
    ) -> Finding:
        condition = useless.condition
        return self.finding(
            f"the condition on {condition.key.text} {worth}",
            on=policy,
            at=condition.span,
            severity=severity,
            related=related,
            hint="use a positive operator on a key that such requests carry, with what is meant",
            evidence=f"{condition.operator.name} {condition.key.text}",
            causes=(condition.span, statement.span),
            assumptions=statement.assumptions,
        )


def _is_exception(useless: Judgement, actions: ActionSet, catalog: Catalog) -> bool:
    """Whether a condition lets everything pass but what it names."""
    condition = useless.condition
    return condition.operator.is_negated and any(
        catalog.is_key_available(condition.key_name, action) for action in actions
    )


def _worth(useless: Judgement, actions: ActionSet, catalog: Catalog) -> str:
    """What a condition comes to that lets nearly everything pass."""
    condition = useless.condition
    name = condition.key.text
    if _is_exception(useless, actions, catalog):
        named = listed(value.text for value in condition.values)
        return f"keeps out only {named}: every other {name} passes, and requests without it"
    key = catalog.condition_key(condition.key_name)
    is_of_resource = "tag/" in condition.key_name or (key is not None and key.about == "resource")
    is_there = any(catalog.is_key_available(condition.key_name, action) for action in actions)
    if condition.operator.is_if_exists and is_of_resource and is_there:
        return f"restricts only what has it: {useless.why}"
    return f"restricts nothing: {useless.why}"
