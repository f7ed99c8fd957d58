from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.findings import Confidence, Finding, Framework, Severity
from iam_preflight.graph.exposure import listed
from iam_preflight.knowledge.worth import telling
from iam_preflight.policy.conditions import ConditionMatcher
from iam_preflight.policy.context import UNKNOWN_CONTEXT
from iam_preflight.policy.document import DocumentUse
from iam_preflight.policy.effective import admin_probes, statement_actions
from iam_preflight.policy.scope import Strength, judge
from iam_preflight.policy.truth import Truth
from iam_preflight.rules import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.exposure import Exposure
    from iam_preflight.graph.model import Graph, Policy
    from iam_preflight.knowledge.actionset import ActionSet
    from iam_preflight.knowledge.catalog import Catalog
    from iam_preflight.policy.document import Condition, Statement
    from iam_preflight.policy.scope import Judgement
    from iam_preflight.source import Span

MAX_ACTIONS = 600
"""A statement about more is not asked action by action."""


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

    The finding says why. Conditions that work together (`ForAllValues` with `Null: false`) are
    judged together; those on MFA are the business of MFA-002.

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
            if not statement.is_allow:
                yield from self._denying(statement, policy, catalog)
            elif policy.use in (DocumentUse.RESOURCE, DocumentUse.TRUST):
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
        useless = _useless(exposure.statement, watched, catalog)
        if useless is None:
            return
        patterns = exposure.patterns(watched)
        yield self._finding(
            useless,
            exposure.statement,
            exposure.policy,
            severity=exposure.severity(self.severity, watched),
            related=[(exposure.action_place(patterns), "open all the same"), *exposure.related()],
        )

    def _for_everybody(
        self, statement: Statement, policy: Policy, catalog: Catalog
    ) -> Iterator[Finding]:
        everybody = [p for p in statement.principals if p.pattern.text == "*"]
        actions = statement_actions(statement, catalog, is_sure=True)
        if not everybody or statement.is_not_principal or _is_too_many(actions):
            return
        useless = _useless(statement, actions, catalog)
        if useless is not None:
            related = [(everybody[0].span, "lets in everybody all the same")]
            yield self._finding(useless, statement, policy, related=related)

    def _denying(self, statement: Statement, policy: Policy, catalog: Catalog) -> Iterator[Finding]:
        if policy.is_source_only:
            return
        for condition in statement.conditions:
            if ConditionMatcher(condition, False).holds(UNKNOWN_CONTEXT)[0] is Truth.NO:
                yield self._never(condition, statement, policy)
                return
        actions = statement_actions(statement, catalog, is_sure=True)
        if _is_too_many(actions):
            return
        for condition in statement.conditions:
            if catalog.condition_key(condition.key_name) is None:
                continue
            spared = [
                service
                for service in actions.services
                if _never_holds(condition, actions.of_service(service), catalog)
            ]
            if spared:
                yield self.finding(
                    f"the Deny never applies to {listed(spared)}: no such request carries "
                    f"{condition.key.text}",
                    on=policy,
                    at=condition.span,
                    confidence=Confidence.MEDIUM,
                    related=[(statement.span_of("Effect"), "denies nothing there")],
                    hint="use a key that requests for these actions carry",
                    evidence=f"{condition.operator.name} {condition.key.text}",
                    causes=(condition.span,),
                    assumptions=(*statement.assumptions, *condition.assumptions),
                )

    def _never(self, condition: Condition, statement: Statement, policy: Policy) -> Finding:
        values = " and ".join(value.text for value in condition.values)
        return self.finding(
            f"the Deny never applies: no {condition.key.text} meets {condition.operator.name} "
            f"{values}",
            on=policy,
            at=condition.span,
            related=[(statement.span_of("Effect"), "denies nothing")],
            hint="put in what is meant to be spared",
            evidence=f"{condition.operator.name} {condition.key.text}",
            causes=(condition.span,),
            assumptions=statement.assumptions,
        )

    def _finding(
        self,
        useless: Judgement,
        statement: Statement,
        policy: Policy,
        *,
        related: list[tuple[Span, str]],
        severity: Severity | None = None,
    ) -> Finding:
        condition = useless.condition
        return self.finding(
            f"the condition on {condition.key.text} restricts nothing: {useless.why}",
            on=policy,
            at=condition.span,
            severity=severity,
            related=related,
            hint="use a positive operator on a key that such requests carry, with what is meant",
            evidence=f"{condition.operator.name} {condition.key.text}",
            causes=(condition.span, statement.span),
            assumptions=statement.assumptions,
        )


def _useless(statement: Statement, actions: ActionSet, catalog: Catalog) -> Judgement | None:
    """The condition that was meant to, where none restricts any of the actions for sure."""
    best: tuple[bool, Judgement] | None = None
    for action in actions:
        for judgement in judge(statement, action, catalog):
            if judgement.strength is not Strength.NOTHING or not judgement.is_certain:
                return None
            if _is_of_resource(judgement.condition, action, catalog):
                return None
            is_meant = catalog.is_key_available(judgement.condition.key_name, action)
            if best is None or is_meant > best[0]:
                best = (is_meant, judgement)
    return best[1] if best is not None else None


def _is_of_resource(condition: Condition, action: str, catalog: Catalog) -> bool:
    """Whether `IfExists` only spares the other resources that one request is about.

    To create a network interface takes a subnet and a security group; `ec2:SubnetID` is there
    for the one and not for the other. Tags are different: a resource may have none.
    """
    key = catalog.condition_key(condition.key_name)
    return (
        condition.operator.is_if_exists
        and key is not None
        and not key.is_global
        and "tag/" not in condition.key_name
        and catalog.is_key_available(condition.key_name, action)
    )


def _never_holds(condition: Condition, actions: ActionSet, catalog: Catalog) -> bool:
    """Whether a condition asks for a key that no request for any of the actions carries."""
    how = condition.operator
    if how.base == "null":
        is_asked_for = all(value.text.lower() == "false" for value in condition.values)
    else:
        is_open = how.is_if_exists or how.is_negated or how.quantifier == "forallvalues"
        is_asked_for = not is_open and not condition.assumptions
    return is_asked_for and not any(
        catalog.is_key_available(condition.key_name, action) for action in actions
    )


def _is_too_many(actions: ActionSet) -> bool:
    return actions.mask("") != 0 or len(actions) > MAX_ACTIONS
