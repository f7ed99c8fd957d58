"""Actions of a statement that take none of its resources, so that the statement never gives them.

Only what is sure: ARNs whose resource part is known, actions that the statement names, and none
that AWS's own policies grant on such ARNs, because its reference has gaps.
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING

import msgspec

from iam_preflight.knowledge.reading import read_data
from iam_preflight.policy.context import texts_of
from iam_preflight.policy.globs import (
    ARN_COLONS,
    Wildcards,
    fields_of,
    has_symbols,
    may_meet,
    text_tokens,
    tokenize,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.knowledge.actionset import ActionSet
    from iam_preflight.knowledge.catalog import Action, Catalog
    from iam_preflight.policy.automaton import Tokens
    from iam_preflight.policy.document import Pattern, Statement

_PLACEHOLDER = re.compile(r"\$\{([^}]*)\}")


class _NameFile(msgspec.Struct):
    without_slash: tuple[str, ...]
    shared_prefixes: frozenset[str]
    without_account: frozenset[str]
    gaps: dict[str, tuple[str, ...]]


@functools.cache
def _names() -> _NameFile:
    return read_data("resource_names.json", _NameFile)


def idle_actions(statement: Statement, catalog: Catalog) -> Iterator[tuple[Pattern, ActionSet]]:
    """The action patterns of a statement that take none of its resources, with what they cover."""
    if statement.is_not_action or statement.is_not_resource or not statement.resources:
        return
    arns = [_settled(pattern) for pattern in statement.resources]
    known = [arn for arn in arns if arn is not None]
    if len(known) < len(arns):
        return
    for pattern in statement.actions:
        covered = catalog.expand(pattern.text) if pattern.is_known else catalog.nothing
        if covered and not covered.is_boundless and not _takes_any(covered, known, catalog):
            yield pattern, covered


def _settled(pattern: Pattern) -> Tokens | None:
    """An ARN of which everything is known but perhaps partition, region and account."""
    tokens = tokenize(texts_of(pattern.parts), Wildcards.ARN)
    fields = fields_of(tokens)
    if len(fields) <= ARN_COLONS or pattern.assumptions or "${" in pattern.text:
        return None
    service, name = fields[2], fields[ARN_COLONS]
    is_known = all(len(sign) == 1 for sign in service) and not has_symbols(name)
    return tokens if is_known and len(name[:1]) == 1 and len(name[0]) == 1 else None


def _takes_any(actions: ActionSet, arns: list[Tokens], catalog: Catalog) -> bool:
    if not _names().shared_prefixes.isdisjoint(actions.services):
        return True
    return any(
        action is None or any(_takes(action, arn) for arn in arns)
        for action in map(catalog.action, actions)
    )


def _takes(action: Action, arn: Tokens) -> bool:
    """Whether the action can be asked for on something that an ARN pattern stands for."""
    templates = (use.type.arn for use in action.resources)
    gaps = _names().gaps.get(action.full_name, ())
    return any(_fits(template, arn) for template in (*templates, *gaps))


@functools.lru_cache(maxsize=65536)
def _fits(template: str, arn: Tokens) -> bool:
    """Whether some resource of a type is one of an ARN pattern; types without an ARN take all."""
    if not template:
        return True
    glob = text_tokens(_glob_of(template), Wildcards.ARN)
    if not may_meet(glob, arn):
        return False
    name = template.split(":", ARN_COLONS)[-1]
    placeholders = _PLACEHOLDER.findall(name)
    if "*" in name or not placeholders or not set(placeholders) <= set(_names().without_slash):
        return True
    return fields_of(arn)[ARN_COLONS].count("/") <= name.count("/")


def _glob_of(template: str) -> str:
    """A template of the reference as a pattern; a region or account that it has is never empty."""
    service = template.split(":", 3)[2:3]
    filled = {"Region"} if _names().without_account.intersection(service) else {"Region", "Account"}
    return _PLACEHOLDER.sub(lambda found: "?*" if found[1] in filled else "*", template)
