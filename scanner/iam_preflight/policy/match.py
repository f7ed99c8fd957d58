"""Matching with three answers: wildcards against text, and patterns against patterns.

A hole can be any text, so it turns yes and no into maybe. For detection a hole counts as
"anything", for exemptions as one fixed, unknown text; callers choose by which `Truth` they ask
for.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html
"""

from __future__ import annotations

import functools
import re
from enum import IntEnum
from typing import TYPE_CHECKING

from iam_preflight.values import Unknown

if TYPE_CHECKING:
    from collections.abc import Iterable

    from iam_preflight.policy.document import Pattern


class Truth(IntEnum):
    NO = 0
    MAYBE = 1
    YES = 2

    @staticmethod
    def of(value: bool) -> Truth:
        return Truth.YES if value else Truth.NO

    def negated(self) -> Truth:
        return Truth(2 - self)


def any_of(truths: Iterable[Truth]) -> Truth:
    best = Truth.NO
    for truth in truths:
        if truth is Truth.YES:
            return truth
        best = max(best, truth)
    return best


def all_of(truths: Iterable[Truth]) -> Truth:
    worst = Truth.YES
    for truth in truths:
        if truth is Truth.NO:
            return truth
        worst = min(worst, truth)
    return worst


@functools.lru_cache(maxsize=65536)
def glob_regex(pattern: str, *, ignore_case: bool = False) -> re.Pattern[str]:
    """A wildcard pattern as a regular expression; runs of `*` are one, so matching is fast."""
    text = re.sub(r"\*+", "*", pattern)
    regex = "".join({"*": ".*", "?": "."}.get(char) or re.escape(char) for char in text)
    return re.compile(regex, re.DOTALL | (re.IGNORECASE if ignore_case else 0))


def glob_matches(pattern: str, text: str, *, ignore_case: bool = False) -> bool:
    if pattern == "*":
        return True
    if "*" not in pattern and "?" not in pattern:
        return pattern.lower() == text.lower() if ignore_case else pattern == text
    return glob_regex(pattern, ignore_case=ignore_case).fullmatch(text) is not None


def as_glob(pattern: Pattern, hole: str = "*") -> str:
    """The pattern as text, each hole replaced."""
    return "".join(part if isinstance(part, str) else hole for part in pattern.parts)


def matches(pattern: Pattern, text: str, *, ignore_case: bool = False) -> Truth:
    """Whether a pattern matches a concrete text."""
    if pattern.is_known:
        return Truth.of(glob_matches(as_glob(pattern), text, ignore_case=ignore_case))
    if not glob_matches(as_glob(pattern), text, ignore_case=ignore_case):
        return Truth.NO
    # it matches whatever the holes are only when the known wildcards carry it alone
    fixed = as_glob(pattern, hole="\ue000")
    is_free = re.fullmatch(r"[*?\ue000]*\*[*?\ue000]*", fixed) is not None
    return Truth.YES if is_free and len(text) > fixed.count("?") else Truth.MAYBE


def action_matches(pattern: Pattern, action: str) -> Truth:
    """Whether an action pattern (`iam:Pass*`, `*`, `*:*`) covers an action; case is ignored."""
    return matches(pattern, action, ignore_case=True)


@functools.lru_cache(maxsize=65536)
def globs_overlap(left: str, right: str) -> bool:
    """Whether some text matches both wildcard patterns."""
    reached = {(0, 0)}
    stack = [(0, 0)]
    while stack:
        i, j = stack.pop()
        if i == len(left) and j == len(right):
            return True
        following: list[tuple[int, int]] = []
        a = left[i] if i < len(left) else ""
        b = right[j] if j < len(right) else ""
        if a == "*":
            following.append((i + 1, j))
            if b:
                following.append((i, j + 1))
        if b == "*":
            following.append((i, j + 1))
            if a:
                following.append((i + 1, j))
        if a and b and a != "*" and b != "*" and (a == b or a == "?" or b == "?"):
            following.append((i + 1, j + 1))
        for pair in following:
            if pair not in reached:
                reached.add(pair)
                stack.append(pair)
    return False


def overlaps(left: Pattern, right: Pattern) -> Truth:
    """Whether some text matches both patterns; maybe, when a hole decides."""
    if not globs_overlap(as_glob(left), as_glob(right)):
        return Truth.NO
    if left.is_known and right.is_known:
        return Truth.YES
    if _same_holes(left, right):
        return Truth.YES
    sure = globs_overlap(as_glob(left, "\ue000"), as_glob(right, "\ue001"))
    return Truth.YES if sure else Truth.MAYBE


def _same_holes(left: Pattern, right: Pattern) -> bool:
    """Patterns whose holes are the same unknown values overlap as their known text does."""
    names: dict[object, str] = {}

    def keyed(pattern: Pattern) -> str:
        out = []
        for part in pattern.parts:
            if isinstance(part, Unknown):
                identity = part.reference or part.label
                out.append(names.setdefault(identity, chr(0xE000 + len(names))))
            else:
                out.append(part)
        return "".join(out)

    return globs_overlap(keyed(left), keyed(right))
