"""The narrowest policy that covers the recorded use of a principal, from what it holds now.

Nothing is allowed that is not allowed now: the suggestion only leaves out. An action that was
seen stands for itself; where all that is known of a service is that it was used, the patterns
that are allowed now stay, but for the actions that IAM tracks and has not seen.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from msgspec import Struct

from iam_preflight.policy.match import Truth, action_matches

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.model import Principal
    from iam_preflight.graph.usage import Usage
    from iam_preflight.policy.document import Statement


class Suggested(Struct, frozen=True):
    """One statement of the suggestion: what one service needs on the same resources."""

    service: str
    actions: tuple[str, ...]
    statement: Statement
    """The statement whose effect, resources and conditions it keeps."""


def suggest(principal: Principal, usage: Usage) -> list[Suggested]:
    """Statements by service, denials as they are."""
    found: list[Suggested] = []
    for attachment in principal.held():
        for statement in attachment.policy.document.statements:
            if not statement.is_allow:
                listed = tuple(pattern.text for pattern in statement.actions)
                found.append(Suggested("", listed, statement))
                continue
            by_service: dict[str, dict[str, None]] = defaultdict(dict)
            for action in _needed(statement, usage):
                by_service[action.partition(":")[0].lower()][action] = None
            found += [
                Suggested(service, tuple(actions), statement)
                for service, actions in by_service.items()
            ]
    return sorted(_without_repetition(found), key=lambda one: one.service or "~")


def _needed(statement: Statement, usage: Usage) -> Iterator[str]:
    """What of a statement's actions was used, or may have been."""
    yield from (action for action in usage.seen if _allows(statement, action))
    if statement.is_not_action:
        return
    seen = {action.lower() for action in usage.seen}
    services = {action.partition(":")[0] for action in seen}
    for pattern in statement.actions:
        text = pattern.text.lower()
        service = text.partition(":")[0]
        if service not in usage.services or usage.is_unused(text):
            continue
        # of a service in use, one action that IAM does not track may have been the one
        is_untracked = "*" not in text and "?" not in text and text not in usage.actions
        if service not in services or (is_untracked and text not in seen):
            yield pattern.text


def _allows(statement: Statement, action: str) -> bool:
    covered = any(action_matches(one, action) is not Truth.NO for one in statement.actions)
    return covered is not statement.is_not_action


def _without_repetition(found: list[Suggested]) -> Iterator[Suggested]:
    """What two statements allow alike is written once."""
    seen: set[tuple[object, ...]] = set()
    for one in found:
        resources = tuple(pattern.text for pattern in one.statement.resources)
        conditions = tuple(str(condition.span) for condition in one.statement.conditions)
        key = (one.statement.effect, one.actions, resources, conditions)
        if key not in seen:
            seen.add(key)
            yield one
