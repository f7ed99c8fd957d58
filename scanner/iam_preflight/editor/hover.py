"""What an editor shows at a place: what something expands to, comes to, or why it is unknown."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from iam_preflight.editor.describe import (
    code,
    expansion,
    managed_text,
    plain,
    policy_text,
    principal_text,
    statement_text,
)
from iam_preflight.editor.units import TerraformUnit
from iam_preflight.source import Span
from iam_preflight.values import MASK, Unknown, holes_of, is_sensitive, show

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.editor.cursor import Cursor
    from iam_preflight.graph.model import Policy
    from iam_preflight.values import Value

MAX_VALUES = 5
MAX_SHOWN = 300
_MANAGED = re.compile(rb"arn:aws[\w-]*:iam::aws:policy/([\w+=,.@/-]+)")


def hover(cursor: Cursor) -> tuple[str, Span] | None:
    """Markdown and the place that it is about; None where there is nothing to say."""
    return (
        _reference(cursor)
        or _managed(cursor)
        or _action(cursor)
        or _hole(cursor)
        or _statement(cursor)
        or _principal(cursor)
        or _policy(cursor)
    )


def _reference(cursor: Cursor) -> tuple[str, Span] | None:
    """A reference: its value in each instance of the module, or why that is unknown."""
    place = cursor.reference()
    if place is None or not isinstance(cursor.analysis.unit, TerraformUnit):
        return None
    told: dict[str, None] = {}
    for value in cursor.analysis.unit.root.evaluate(place):
        told[_told(value)] = None
        if len(told) > MAX_VALUES:
            break
    if not told:
        return None
    lines = [f"**{code(place.text)}**", "", *(f"- {one}" for one in list(told)[:MAX_VALUES])]
    if len(told) > MAX_VALUES:
        lines.append("- and other values in other instances")
    return "\n".join(lines), place


def _told(value: Value) -> str:
    if is_sensitive(value):
        return MASK
    if isinstance(value, Unknown):
        return plain(value.explanation)
    text = show(value)
    if len(text) > MAX_SHOWN:
        text = f"{text[:MAX_SHOWN]}…"
    whys = dict.fromkeys(hole.explanation for hole in holes_of(value))
    return code(text) + (f" ({plain(', '.join(whys))})" if whys else "")


def _managed(cursor: Cursor) -> tuple[str, Span] | None:
    data = cursor.source.data
    line = data.rfind(b"\n", 0, cursor.offset) + 1
    for match in _MANAGED.finditer(data, line, min(len(data), cursor.offset + 200)):
        if match.start() <= cursor.offset <= match.end():
            text = managed_text(match.group().decode(), cursor.analysis.graph)
            if text is not None:
                return text, Span(cursor.source, match.start(), match.end())
    return None


def _action(cursor: Cursor) -> tuple[str, Span] | None:
    found = cursor.statement()
    if found is None:
        return None
    pattern = cursor.pattern(found[0].actions)
    if pattern is None:
        return None
    text = expansion(pattern, cursor.analysis.graph.permissions.evaluator.catalog)
    return (text, pattern.span) if text is not None else None


def _hole(cursor: Cursor) -> tuple[str, Span] | None:
    """A pattern that is not wholly known: what is, and why the rest is not."""
    found = cursor.statement()
    if found is None:
        return None
    statement = found[0]
    patterns = (
        *statement.resources,
        *(principal.pattern for principal in statement.principals),
        *(value for condition in statement.conditions for value in condition.values),
    )
    pattern = cursor.pattern(patterns)
    if pattern is None or pattern.is_known:
        return None
    lines = [f"**{code(pattern.text)}**", ""]
    lines += [f"- {plain(hole.explanation)}" for hole in dict.fromkeys(pattern.holes)]
    return "\n".join(lines), pattern.span


def _statement(cursor: Cursor) -> tuple[str, Span] | None:
    found = cursor.statement()
    if found is None:
        return None
    statement, policies = found
    return statement_text(statement, policies, cursor.analysis.graph), statement.span


def _principal(cursor: Cursor) -> tuple[str, Span] | None:
    principal = cursor.principal()
    if principal is None:
        return None
    return principal_text(principal, cursor.analysis.graph), principal.resource.header


def _policy(cursor: Cursor) -> tuple[str, Span] | None:
    for policy in _policies_here(cursor):
        return policy_text(policy, cursor.analysis.graph), policy.resource.header
    return None


def _policies_here(cursor: Cursor) -> Iterator[Policy]:
    for policy in cursor.analysis.graph.policies:
        if cursor.is_in(policy.resource.span):
            yield policy
