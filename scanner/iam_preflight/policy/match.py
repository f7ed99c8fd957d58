"""Matching one pattern, with three answers: against a text, and against another pattern.

A hole can be any text, so it turns yes and no into maybe. For detection a hole counts as
"anything", for exemptions as one fixed, unknown text; callers choose by which `Truth` they ask
for. Whole statements are matched by `matchers.py`.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from iam_preflight.policy.context import texts_of
from iam_preflight.policy.globs import (
    Relation,
    Wildcards,
    has_symbols,
    may_meet,
    regex_of,
    relation,
    text_tokens,
    tokenize,
)
from iam_preflight.policy.truth import Truth, all_of, any_of

if TYPE_CHECKING:
    import re

    from iam_preflight.policy.automaton import Tokens
    from iam_preflight.policy.document import Pattern

__all__ = [
    "Truth",
    "action_matches",
    "all_of",
    "any_of",
    "as_glob",
    "glob_matches",
    "glob_regex",
    "matches",
    "overlaps",
    "text_matches",
]


@functools.lru_cache(maxsize=65536)
def glob_regex(pattern: str, *, ignore_case: bool = False) -> re.Pattern[str]:
    """A wildcard pattern as a regular expression that does not backtrack."""
    return regex_of(text_tokens(pattern, Wildcards.TEXT), ignore_case=ignore_case)


def glob_matches(pattern: str, text: str, *, ignore_case: bool = False) -> bool:
    if pattern == "*":
        return True
    if "*" not in pattern and "?" not in pattern:
        return pattern.lower() == text.lower() if ignore_case else pattern == text
    return glob_regex(pattern, ignore_case=ignore_case).match(text) is not None


def as_glob(pattern: Pattern, hole: str = "*") -> str:
    """The pattern as text, each hole replaced."""
    return "".join(part if isinstance(part, str) else hole for part in pattern.parts)


def matches(pattern: Pattern, text: str, *, ignore_case: bool = False) -> Truth:
    """Whether a pattern matches a concrete text."""
    if pattern.is_known:
        return Truth.of(glob_matches(as_glob(pattern), text, ignore_case=ignore_case))
    if ignore_case:
        text = text.lower()
    return text_matches(tokens_of(pattern, ignore_case=ignore_case), tuple(text))


def action_matches(pattern: Pattern, action: str) -> Truth:
    """Whether an action pattern (`iam:Pass*`, `*`, `*:*`) covers an action; case is ignored."""
    return matches(pattern, action, ignore_case=True)


def overlaps(left: Pattern, right: Pattern) -> Truth:
    """Whether some text matches both patterns; maybe, when a hole decides."""
    a, b = tokens_of(left), tokens_of(right)
    if relation(a, b) is not Relation.DISJOINT:
        return Truth.YES
    return Truth.MAYBE if may_meet(a, b) else Truth.NO


def tokens_of(
    pattern: Pattern, wildcards: Wildcards = Wildcards.TEXT, *, ignore_case: bool = False
) -> Tokens:
    """A pattern as tokens, its holes as symbols; policy variables are not looked for."""
    parts = texts_of(pattern.parts)
    if ignore_case:
        parts = tuple(part.lower() if type(part) is str else part for part in parts)
    return tokenize(parts, wildcards)


@functools.lru_cache(maxsize=262144)
def text_matches(pattern: Tokens, actual: Tokens) -> Truth:
    """Whether a pattern matches a text (or every text of a pattern); both may have symbols."""
    found = relation(actual, pattern)
    if found is Relation.INSIDE:
        return Truth.YES
    if has_symbols(actual) or has_symbols(pattern):
        return Truth.MAYBE if may_meet(actual, pattern) else Truth.NO
    return Truth.MAYBE if found is Relation.OVERLAPS else Truth.NO
