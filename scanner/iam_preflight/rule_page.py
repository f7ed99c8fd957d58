"""A rule's page: its docstring, and the facts about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.rules import PRACTICES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.rules import Rule


def rule_page(rule: Rule) -> str:
    """The page in Markdown, with the rule's id as its title."""
    title, _, rest = rule.page().partition("\n")
    parts = [f"# {rule.id}: {title.rstrip('.')}", "", "\n".join(_facts(rule)), rest.rstrip()]
    if rule.references:
        parts += ["", "## References", *(f"- <{url}>" for url in rule.references)]
    return "\n".join(parts)


def _facts(rule: Rule) -> Iterator[str]:
    yield f"- Name: `{rule.name}`"
    yield f"- Severity: {rule.severity}"
    yield f"- Practice: {rule.practice}, {PRACTICES.get(rule.practice, 'other')}"
    yield f"- Since: {rule.since}{' (preview)' if rule.is_preview else ''}"
    if rule.aliases:
        yield f"- Aliases: {', '.join(f'`{alias}`' for alias in rule.aliases)}"
    for framework, ids in rule.compliance.items():
        yield f"- {framework.value}: {', '.join(ids)}"
    for tool, ids in rule.equivalents.items():
        yield f"- In {tool}: {', '.join(f'`{one}`' for one in ids)}"
    if rule.yields_to:
        yield f"- Folded into {', '.join(rule.yields_to)} on the same cause"
    if rule.yields_when_milder_to:
        graver = ", ".join(rule.yields_when_milder_to)
        yield f"- Folded into {graver} on the same cause where that is graver"
