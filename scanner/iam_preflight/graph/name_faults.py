"""Names in policies that AWS does not have, and what it takes but never matches.

https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
"""

from __future__ import annotations

import functools
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from msgspec import Struct

from iam_preflight.findings import Severity
from iam_preflight.graph.exposure import listed
from iam_preflight.graph.refusals import refusals
from iam_preflight.graph.wide import formats
from iam_preflight.graph.wildcards import has_wildcard
from iam_preflight.knowledge.legacy import legacy_names
from iam_preflight.policy.condition_types import type_fault
from iam_preflight.policy.idle_actions import idle_actions
from iam_preflight.policy.idle_conditions import in_other_region, never_carried
from iam_preflight.policy.text_faults import text_faults

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.model import Graph, Policy
    from iam_preflight.knowledge.actionset import ActionSet
    from iam_preflight.knowledge.catalog import Catalog
    from iam_preflight.policy.condition_types import TypeFault
    from iam_preflight.policy.document import Condition, Pattern, Statement
    from iam_preflight.source import Span


class NameFault(Struct, frozen=True):
    """What is wrong with a name, where, and what it should be."""

    place: Span
    message: str
    hint: str = ""
    statement: Statement | None = None
    """None for what AWS refuses."""
    related: tuple[tuple[Span, str], ...] = ()
    is_idle: bool = False
    """Only wildcards that cover nothing yet, or names that the rest may do without."""
    is_one_a_place: bool = False
    """Whether instances that only differ in what they name are told once."""
    severity: Severity | None = None
    """None where it depends on whether the statement is to guard something."""


def name_faults(policy: Policy, graph: Graph) -> Iterator[NameFault]:
    """What AWS refuses or never matches in a policy: its grammar first, then each statement."""
    catalog, extra = graph.permissions.evaluator.catalog, graph.settings.extra_actions
    # what becomes of a document that nothing shows is not known, and so not what it has to have
    problems = () if policy.is_source_only else refusals(policy)
    for problem in problems:
        yield NameFault(problem.span, problem.message, "AWS refuses the document as it is")
    for statement in policy.document.statements:
        unknown = [p for p in statement.actions if _is_unknown(p, catalog, extra)]
        if unknown:
            yield _of_actions(unknown, statement, catalog)
        for condition in statement.conditions:
            if condition.key.is_known and not _is_key(condition.key_name, catalog):
                yield _of_key(condition, statement, catalog)
            elif (fault := type_fault(condition, statement, catalog)) is not None:
                yield _of_type(fault, statement)
        for text in text_faults(policy.document, statement, catalog):
            yield NameFault(text.pattern.span, text.why, text.cure, statement)
        for condition in never_carried(statement, catalog) if statement.is_allow else ():
            yield NameFault(
                condition.span,
                f"no request for {listed(a.text for a in statement.actions)} carries "
                f"{condition.key.text}, so that nothing is allowed",
                "use a key that requests for these actions carry",
                statement,
            )
        for other in in_other_region(statement, catalog):
            names = listed(pattern.text for pattern in other.actions)
            end = "it does not allow them" if statement.is_allow else "it does not deny them"
            yield NameFault(
                other.condition.span,
                f"requests for {names} go to {other.home} from wherever they come, so that {end}",
                "name them in a statement without this condition, or take them out",
                statement,
            )
        yield from _of_resources(statement, catalog)


def _is_unknown(pattern: Pattern, catalog: Catalog, extra: tuple[str, ...]) -> bool:
    return pattern.is_known and _is_unknown_name(pattern.text.lower(), catalog, extra)


@functools.lru_cache(maxsize=65536)
def _is_unknown_name(text: str, catalog: Catalog, extra: tuple[str, ...]) -> bool:
    prefix, colon, name = text.partition(":")
    if not colon or not prefix or not name or ":" in name:
        return False
    is_known = bool(catalog.expand(text)) or text in legacy_names()
    return not is_known and not any(fnmatchcase(text, name.lower()) for name in extra)


def _is_key(name: str, catalog: Catalog) -> bool:
    return catalog.condition_key(name) is not None or name in legacy_names()


def _of_actions(unknown: list[Pattern], statement: Statement, catalog: Catalog) -> NameFault:
    names = listed(pattern.text for pattern in unknown)
    prefixes = {pattern.text.partition(":")[0] for pattern in unknown}
    strange = sorted(p for p in prefixes if "*" not in p and p.lower() not in catalog.services)
    if len(strange) == len(prefixes):
        # a part of a name on its own would get by what masks secrets
        message = f"AWS's reference has no service for {names}"
    else:
        message = f"AWS's reference has no action {names}"
    nearest = [catalog.nearest_action(pattern.text) for pattern in unknown]
    meant = listed(name for name in nearest if name is not None) if any(nearest) else ""
    return NameFault(
        unknown[0].span,
        message,
        f"did you mean {meant}" if meant else "correct the name, or leave it out",
        statement,
        tuple((pattern.span, "nor this") for pattern in unknown[1:4]),
        is_idle=not strange and all(has_wildcard(pattern) for pattern in unknown),
    )


def _of_key(condition: Condition, statement: Statement, catalog: Catalog) -> NameFault:
    nearest = catalog.nearest_key(condition.key.text)
    return NameFault(
        condition.span,
        f"AWS's reference has no condition key {condition.key.text}",
        f"did you mean {nearest}" if nearest else "correct the key, or leave the condition out",
        statement,
    )


def _of_type(fault: TypeFault, statement: Statement) -> NameFault:
    condition = fault.condition
    effect = ", so that everything passes" if fault.is_open and not fault.passes else ""
    return NameFault(
        (fault.value or condition).span,
        f"{condition.operator.name} on {condition.key.text}: {fault.why}{effect}",
        fault.cure,
        statement,
        severity=Severity.MEDIUM if fault.is_open and statement.is_allow else None,
    )


def _of_resources(statement: Statement, catalog: Catalog) -> Iterator[NameFault]:
    """Actions that the statement's resources are nothing for."""
    idle = list(idle_actions(statement, catalog))
    is_whole = len(idle) == len(statement.actions)
    where = listed((resource.text for resource in statement.resources), most=1)
    for takes_any in (False, True):
        found = [(p, a) for p, a in idle if _takes_resources(a, catalog) is takes_any]
        if not found:
            continue
        patterns = [pattern for pattern, _ in found]
        names = listed(pattern.text for pattern in patterns)
        like = formats(
            [name for _, actions in found for name in actions], statement.resources[0], catalog
        )
        yield NameFault(
            patterns[0].span,
            f"{names} cannot be used on {where}"
            if takes_any
            else f'AWS grants {names} on "*" only, not on {where}',
            f"name what it takes, like {like}"
            if like
            else 'give it a statement of its own with the resource "*"',
            statement,
            (
                *((pattern.span, "nor this") for pattern in patterns[1:4]),
                (statement.resources[0].span, "on this resource"),
            ),
            is_idle=not takes_any and statement.is_allow,
            is_one_a_place=True,
            severity=None if is_whole and not statement.is_allow else Severity.LOW,
        )


def _takes_resources(actions: ActionSet, catalog: Catalog) -> bool:
    found = (catalog.action(name) for name in actions)
    return any(action is not None and not action.is_only_star for action in found)
