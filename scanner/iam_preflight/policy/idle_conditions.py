"""Conditions that do nothing: in an Allow they keep nobody out, in a Deny nothing meets them.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from iam_preflight.knowledge.catalog import Presence
from iam_preflight.knowledge.home_regions import home_regions
from iam_preflight.policy.conditions import REGION, ConditionMatcher
from iam_preflight.policy.context import UNKNOWN_CONTEXT
from iam_preflight.policy.effective import statement_actions
from iam_preflight.policy.scope import Strength, judge
from iam_preflight.policy.truth import Truth

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.knowledge.actionset import ActionSet
    from iam_preflight.knowledge.catalog import Catalog
    from iam_preflight.policy.document import Condition, Pattern, Statement
    from iam_preflight.policy.scope import Judgement

MAX_ACTIONS = 600
"""A statement about more is not asked action by action."""


def few_actions(statement: Statement, catalog: Catalog) -> ActionSet:
    """The actions that a statement is about for sure; none where they are too many to be asked."""
    actions = statement_actions(statement, catalog, is_sure=True)
    is_too_many = actions.is_boundless or len(actions) > MAX_ACTIONS
    return catalog.nothing if is_too_many else actions


def condition_for_nothing(
    statement: Statement, actions: ActionSet, catalog: Catalog
) -> Judgement | None:
    """Of conditions that restrict none of some actions for sure, the one that was meant to."""
    best: tuple[bool, Judgement] | None = None
    for action in actions:
        for judgement in judge(statement, action, catalog):
            if judgement.strength is not Strength.NOTHING or not judgement.is_certain:
                return None
            if _is_of_other_resources(judgement.condition, action, catalog):
                return None
            is_meant = catalog.is_key_available(judgement.condition.key_name, action)
            if best is None or is_meant > best[0]:
                best = (is_meant, judgement)
    return best[1] if best is not None else None


def _is_of_other_resources(condition: Condition, action: str, catalog: Catalog) -> bool:
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


class NeverMet(Struct, frozen=True):
    """A condition that no request meets, why, and what to do about it."""

    condition: Condition
    why: str
    cure: str
    services: tuple[str, ...] = ()
    """Those of which it holds; empty where it holds of whatever the statement is about."""


def never_met(statement: Statement, catalog: Catalog) -> Iterator[NeverMet]:
    """The conditions of a statement that no request meets, so that it never applies."""
    for condition in statement.conditions:
        if ConditionMatcher(condition, False).holds(UNKNOWN_CONTEXT)[0] is Truth.NO:
            values = " and ".join(value.text for value in condition.values)
            yield NeverMet(
                condition,
                f"no {condition.key.text} meets {condition.operator.name} {values}",
                "put in what is meant to be spared",
            )
            return
    actions = few_actions(statement, catalog)
    for condition in statement.conditions:
        if catalog.condition_key(condition.key_name) is None:
            continue
        services = tuple(
            service
            for service in actions.services
            if _asks_in_vain(condition, actions.of_service(service), catalog)
        )
        if services:
            yield NeverMet(
                condition,
                f"no such request carries {condition.key.text}",
                "use a key that requests for these actions carry",
                services,
            )


def never_carried(statement: Statement, catalog: Catalog) -> Iterator[Condition]:
    """The conditions that ask for a tag which no request for any of the actions carries.

    Of the other keys AWS's reference does not say well enough who sends them.
    """
    actions = few_actions(statement, catalog)
    for condition in statement.conditions if actions else ():
        key = catalog.condition_key(condition.key_name) if condition.key.is_known else None
        if key is not None and key.is_global and key.presence is Presence.LISTED:
            if _asks_in_vain(condition, actions, catalog):
                yield condition


class OtherRegion(Struct, frozen=True):
    """A condition on the region, and actions whose requests all go to another one."""

    condition: Condition
    actions: tuple[Pattern, ...]
    home: str


def in_other_region(statement: Statement, catalog: Catalog) -> Iterator[OtherRegion]:
    """The conditions on the region that some named actions of global services never meet."""
    named = [] if statement.is_not_action else [a for a in statement.actions if a.is_known]
    for condition in statement.conditions:
        if condition.key_name != REGION or condition.assumptions:
            continue
        matcher = ConditionMatcher(condition, False)
        missed = tuple(
            pattern
            for pattern in named
            if catalog.expand(pattern.text)
            and (homes := home_regions(pattern.text))
            and matcher.holds_in(homes, UNKNOWN_CONTEXT)[0] is Truth.NO
        )
        if missed:
            yield OtherRegion(condition, missed, home_regions(missed[0].text)[0])


def _asks_in_vain(condition: Condition, actions: ActionSet, catalog: Catalog) -> bool:
    """Whether a condition asks for a key that no request for any of the actions carries."""
    how = condition.operator
    is_asked_for = condition.asks_for_key
    if how.base != "null":
        is_open = how.is_if_exists or how.is_negated or how.quantifier == "forallvalues"
        is_asked_for = not is_open and not condition.assumptions
    return is_asked_for and not any(
        catalog.is_key_available(condition.key_name, action) for action in actions
    )
