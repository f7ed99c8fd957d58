"""The values of required tags: how they are written, and what is asked of them.

https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from iam_preflight.graph.environments import KEYS, Environments
from iam_preflight.graph.tag_policies import tag_policies
from iam_preflight.graph.tagging import date_in, is_placeholder, taggable
from iam_preflight.graph.tags import tags_of
from iam_preflight.settings import TagRequirement
from iam_preflight.values import arms_of, text_of

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator

    from iam_preflight.graph.model import Graph
    from iam_preflight.resources import Resource
    from iam_preflight.source import Span
    from iam_preflight.values import Assumptions


class TagUse(Struct, frozen=True):
    """One known value of a required tag, as it is written in one place."""

    key: str
    """As the settings write it."""
    written: str
    """The key as it is written here."""
    text: str
    place: Span
    key_place: Span
    resource: Resource
    assumptions: Assumptions


def tag_uses(graph: Graph) -> Iterator[TagUse]:
    """The values of required tags; one that many resources share comes once."""
    seen: set[tuple[str, Span]] = set()
    for resource in taggable(graph):
        tags = tags_of(resource)
        for key in graph.settings.tags:
            written = tags.find(key)
            if written is None:
                continue
            for assumptions, arm in arms_of(tags.values[written]):
                text = text_of(arm)
                if text is None or (key, arm.span) in seen:
                    continue
                seen.add((key, arm.span))
                place = tags.key_spans[written]
                yield TagUse(key, written, text, arm.span, place, resource, assumptions)


def keys_of_two_spellings(uses: Iterable[TagUse]) -> Iterator[tuple[TagUse, TagUse]]:
    """Of each key that is written in several ways, a use of the rarest and of the most usual."""
    return _of_two_spellings((use.key, use.written, use) for use in uses)


def _of_two_spellings(
    uses: Iterable[tuple[Hashable, str, TagUse]],
) -> Iterator[tuple[TagUse, TagUse]]:
    """The same of uses that come with what they mean and how that is spelled."""
    by_meaning: dict[Hashable, dict[str, list[TagUse]]] = {}
    for meaning, spelling, use in uses:
        by_meaning.setdefault(meaning, {}).setdefault(spelling, []).append(use)
    for by_spelling in by_meaning.values():
        if len(by_spelling) > 1:
            ordered = sorted(by_spelling.values(), key=len)
            yield ordered[0][0], ordered[-1][0]


class TagJudge:
    """What is asked of values: by the settings, and by tag policies in the code."""

    def __init__(self, graph: Graph) -> None:
        self._settings = graph.settings
        self._environments = Environments(graph.settings)
        self._policies = [rule for policy in tag_policies(graph) for rule in policy.rules]

    def flaw_of(self, use: TagUse) -> str:
        """What is wrong with a value; empty where nothing is."""
        requirement = self._settings.tags.get(use.key, TagRequirement())
        if is_placeholder(use.text):
            return "says nothing"
        if requirement.is_date and date_in(use.text) is None:
            return "is no date such as 2027-01-31"
        if requirement.values and use.text not in requirement.values:
            return f"is none of {', '.join(requirement.values)}"
        if not requirement.matches_pattern(use.text):
            return "has not the form that the settings ask for"
        for rule in self._policies:
            if rule.key.lower() == use.key.lower() and not rule.allows(use.text):
                return f"is none of {', '.join(rule.values)}, which the tag policy allows"
        return ""

    def is_no_environment(self, use: TagUse) -> bool:
        requirement = self._settings.tags.get(use.key, TagRequirement())
        if use.key.lower() not in KEYS or requirement.values:
            return False
        return self._environments.in_text(use.text) is None

    def values_of_two_spellings(self, uses: Iterable[TagUse]) -> Iterator[tuple[TagUse, TagUse]]:
        """Of each value that is written in several ways, a use of the rarest and most usual."""
        return _of_two_spellings(((use.key, self._meaning(use)), use.text, use) for use in uses)

    def _meaning(self, use: TagUse) -> str:
        """What values that mean the same have in common."""
        if use.key.lower() in KEYS:
            known = self._environments.canonical(use.text)
            if known is not None:
                # `prod` and `Production` are one, `qa` and `uat` are two
                return f"{known} {use.text.casefold()[:3]}"
        return use.text.casefold()
