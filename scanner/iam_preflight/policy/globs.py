"""Wildcard patterns taken apart into tokens, and how two of them relate.

A token is a character, a wildcard, or a symbol: a text nobody knows (a hole, or the policy
variable `${aws:username}`), the same wherever it stands. In the first five segments of an ARN
wildcards stay inside their segment:
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html
"""

from __future__ import annotations

import functools
import itertools
import re
from enum import Enum
from typing import TYPE_CHECKING

from iam_preflight.policy.automaton import (
    ANY,
    ANY_INSIDE,
    ONE,
    ONE_INSIDE,
    Automaton,
    TooLarge,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from iam_preflight.policy.automaton import Tokens

ARN_COLONS = 5
"""Colons before the last segment of an ARN."""

MAX_STATES = 5_000
"""How far two patterns are compared; only made-up patterns need more."""

VARIABLE = re.compile(r"\$\{([^}]*)\}")
"""A policy variable, with its name and default as the group."""

_ACCOUNT = 4
_PLACES = (1, 3, _ACCOUNT)
"""The segments of an ARN for its partition, region and account."""

_AWS_ITSELF: Tokens = tuple("aws")
"""What stands in place of the account in ARNs of what AWS owns."""

_CROSSING = {"*": ANY, "?": ONE}
_STAYING = {"*": ANY_INSIDE, "?": ONE_INSIDE}
_NOBODYS = "\0"
"""Stands for a character that no pattern names."""
_STARS = (ANY, ANY_INSIDE)
_REACHING = frozenset((":", ANY, ONE))
"""What stands for a colon, or may."""


class Wildcards(Enum):
    """What `*` and `?` mean."""

    NONE = "none"
    """Themselves: `StringEquals`."""
    TEXT = "text"
    """Any text: actions, `StringLike`."""
    ARN = "arn"
    """Any text inside a segment of an ARN, and any text at its end: `Resource`, `ArnLike`."""


class Relation(Enum):
    """How the texts of one pattern lie to those of another."""

    DISJOINT = "disjoint"
    OVERLAPS = "overlaps"
    INSIDE = "inside"


class Symbol(str):
    """A text nobody knows; equal symbols are equal texts. Longer than one character."""

    __slots__ = ()


def tokenize(
    parts: Iterable[str],
    wildcards: Wildcards,
    variable: Callable[[str], Tokens] | None = None,
) -> Tokens:
    """A pattern as tokens, from text in which wildcards and variables count, and `Symbol`s.

    `variable` says what stands for `${name}`; without it (version 2008-10-17) there are none.
    """
    parts = tuple(parts)
    if len(parts) == 1 and type(parts[0]) is str and (variable is None or "${" not in parts[0]):
        return text_tokens(parts[0], wildcards)
    read = list(_read(parts, variable))
    match wildcards:
        case Wildcards.NONE:
            return tuple(token for run, _ in read for token in run)
        case Wildcards.TEXT:
            return _squeezed(_signs(run) if is_written else run for run, is_written in read)
        case Wildcards.ARN:
            return _squeezed(_in_segments(read))


def _read(
    parts: Iterable[str], variable: Callable[[str], Tokens] | None
) -> Iterator[tuple[str | Tokens, bool]]:
    """Runs of characters and symbols, and whether they are text of the pattern itself."""
    for part in parts:
        if isinstance(part, Symbol):
            yield (part,), False
        elif variable is None:
            yield part, True
        else:
            end = 0
            for found in VARIABLE.finditer(part):
                yield part[end : found.start()], True
                yield variable(found[1]), False
                end = found.end()
            yield part[end:], True


def _signs(run: str | Tokens) -> Iterable[str]:
    """Written text as tokens whose wildcards stand for any text."""
    if "*" in run or "?" in run:
        return [_CROSSING.get(sign, sign) for sign in run]
    return run


def _in_segments(read: list[tuple[str | Tokens, bool]]) -> Iterator[Iterable[str]]:
    colons = sum(run.count(":") for run, is_written in read if is_written)
    last = min(colons, ARN_COLONS)
    seen = 0
    for run, is_written in read:
        if not is_written:
            yield run
        elif seen >= last or not ("*" in run or "?" in run):
            yield _signs(run)
            seen += run.count(":")
        else:
            for sign in run:
                seen += sign == ":"
                yield ((_CROSSING if seen >= last else _STAYING).get(sign, sign),)


def _squeezed(runs: Iterable[Iterable[str]]) -> Tokens:
    """All of some runs, and in it runs of `*` as one: they match the same and cost less."""
    found = tuple(itertools.chain.from_iterable(runs))
    if found.count(ANY) + found.count(ANY_INSIDE) < 2:
        return found
    return tuple(
        token
        for at, token in enumerate(found)
        if at == 0 or token != found[at - 1] or token not in _STARS
    )


@functools.lru_cache(maxsize=65536)
def text_tokens(text: str, wildcards: Wildcards) -> Tokens:
    """A pattern without holes and variables as tokens."""
    if wildcards is Wildcards.NONE or not ("*" in text or "?" in text):
        return tuple(text)
    if wildcards is Wildcards.TEXT:
        return _squeezed([_signs(text)])
    return _squeezed(_in_segments([(text, True)]))


def is_anything(pattern: Tokens) -> bool:
    """Whether every text matches."""
    return pattern == (ANY,)


def is_concrete(pattern: Tokens) -> bool:
    """Whether the pattern is one known text."""
    return max(map(len, pattern), default=1) == 1


def has_symbols(pattern: Tokens) -> bool:
    return Symbol in map(type, pattern)


def shown(pattern: Tokens) -> str:
    """The pattern as people write it."""
    return "".join(
        sign[0] if sign in _WILDCARDS else sign[-1] if len(sign) == 2 else sign for sign in pattern
    )


_WILDCARDS = (ANY, ONE, ANY_INSIDE, ONE_INSIDE)
_REGEX = {ONE: ".", ONE_INSIDE: "[^:]"}
_REGEX_STAR = {ANY: ".*?", ANY_INSIDE: "[^:]*?"}


@functools.lru_cache(maxsize=65536)
def regex_of(pattern: Tokens, *, ignore_case: bool = False) -> re.Pattern[str]:
    """A pattern without symbols as a regular expression that never backtracks over a `*`.

    Each `*` takes as little as lets the text up to the next `*` match, and is not tried again;
    that is right because a `*` inside a segment never follows one that may leave it.
    """
    chunks: list[str] = [""]
    stars: list[str] = []
    for token in pattern:
        if token in _STARS:
            stars.append(_REGEX_STAR[token])
            chunks.append("")
        else:
            chunks[-1] += _REGEX.get(token) or _escaped(token)
    regex = chunks[0]
    for number, (star, chunk) in enumerate(zip(stars, chunks[1:], strict=True), start=1):
        if number == len(stars):
            regex += star.removesuffix("?") + chunk
        else:
            regex += f"(?=(?P<g{number}>{star}{chunk}))(?P=g{number})"
    return re.compile(regex + r"\Z", re.DOTALL | (re.IGNORECASE if ignore_case else 0))


def _escaped(sign: str) -> str:
    return f"(?i:{re.escape(sign[1])})" if len(sign) == 2 else re.escape(sign)


@functools.lru_cache(maxsize=262144)
def relation(left: Tokens, right: Tokens) -> Relation:
    """How the texts of `left` lie to those of `right`.

    A symbol matches only itself and what a `*` takes: `INSIDE` holds whatever the symbols are,
    `DISJOINT` only for texts in which they are nothing else. Patterns that are too involved to
    compare overlap.
    """
    if left == right or is_anything(right):
        return Relation.INSIDE
    if _ends_differ(left, right):
        return Relation.DISJOINT
    ours, theirs = _segments(left), _segments(right)
    if ours is not None and theirs is not None:
        return _relation_of_segments(ours, theirs)
    known, known_too = _fields(left), _fields(right)
    if any(a != b for a, b in zip(known, known_too, strict=False) if a and b):
        return Relation.DISJOINT
    return _relation_inside(left, right)


def _relation_of_segments(left: tuple[Tokens, ...], right: tuple[Tokens, ...]) -> Relation:
    """How two ARNs relate whose colons lie upon each other: as their segments do."""
    found = Relation.INSIDE
    for ours, theirs in zip(left, right, strict=True):
        if ours == theirs:
            continue
        each = _relation_inside(ours, theirs)
        if each is Relation.DISJOINT:
            return Relation.DISJOINT
        if each is Relation.OVERLAPS:
            found = Relation.OVERLAPS
    return found


@functools.lru_cache(maxsize=65536)
def _relation_inside(left: Tokens, right: Tokens) -> Relation:
    """How two different patterns relate, or two segments, whatever their colons are."""
    if _ends_differ(left, right):
        return Relation.DISJOINT
    left, right = _without_common_ends(left, right)
    easy = _relation_to_star(left, right) or _relation_of_open(left, right)
    if easy is not None:
        return easy
    if is_concrete(left) and not has_symbols(right):
        is_match = not is_concrete(right) and regex_of(right).match("".join(left))
        return Relation.INSIDE if is_match else Relation.DISJOINT
    if is_concrete(right) and not has_symbols(left):
        is_match = regex_of(left).match("".join(right))
        return Relation.OVERLAPS if is_match else Relation.DISJOINT
    only_left = both = False
    try:
        for signature, _ in Automaton((left, right)).classes(MAX_STATES, require=0):
            only_left |= signature == 1
            both |= signature == 3
            if only_left and both:
                return Relation.OVERLAPS
    except TooLarge:
        return Relation.OVERLAPS
    return Relation.INSIDE if both else Relation.DISJOINT


def _without_common_ends(left: Tokens, right: Tokens) -> tuple[Tokens, Tokens]:
    """Two patterns without the characters that both begin or end with."""
    shorter = min(len(left), len(right))
    start = 0
    while start < shorter and left[start] == right[start] and left[start] not in _WILDCARDS:
        start += 1
    end = 0
    while (
        end < shorter - start
        and left[-1 - end] == right[-1 - end]
        and left[-1 - end] not in _WILDCARDS
    ):
        end += 1
    return left[start : len(left) - end], right[start : len(right) - end]


def _relation_to_star(left: Tokens, right: Tokens) -> Relation | None:
    """How two patterns relate one of which is a lone `*`; None where that takes more."""
    if right == (ANY,) or (right == (ANY_INSIDE,) and _REACHING.isdisjoint(left)):
        return Relation.INSIDE
    if left == (ONE, ANY) and right and len(right[0]) == 1:
        return Relation.OVERLAPS
    is_star = left == (ANY,) or (left == (ANY_INSIDE,) and ":" not in right)
    if is_star and not all(token in _STARS for token in right):
        return Relation.OVERLAPS
    return None


def _relation_of_open(left: Tokens, right: Tokens) -> Relation | None:
    """How two patterns relate whose ends agree and whose `*` takes anything; None for others.

    They have a text in common: the longer beginning, what is between the stars of either, and
    the longer end. All texts of `left` match `right` when one does in which a character that no
    pattern names stands for each wildcard: only a `*` takes that, and it takes anything else.
    """
    if not (_is_open(left) and _is_open(right)) or ONE in right:
        return None
    text = "".join(sign if len(sign) == 1 else _NOBODYS for sign in left)
    first, *between, last = "".join(s if len(s) == 1 else _NOBODYS for s in right).split(_NOBODYS)
    start, end = len(first), len(text) - len(last)
    if start > end or not (text.startswith(first) and text.endswith(last)):
        return Relation.OVERLAPS
    for literal in between:
        start = text.find(literal, start, end)
        if start < 0:
            return Relation.OVERLAPS
        start += len(literal)
    return Relation.INSIDE


def _is_open(pattern: Tokens) -> bool:
    """Whether there is a `*` in it, and nothing but that, `?` and characters."""
    return (
        ANY in pattern
        and _NOBODYS not in pattern
        and all(len(sign) == 1 or sign in (ANY, ONE) for sign in pattern)
    )


def relation_in_place(left: Tokens, right: Tokens) -> Relation:
    """How two ARNs relate where each unknown partition, region or account is the other's.

    `arn:aws:iam::${var.account}:role/app` is most likely the role `app` of the code. But what is
    AWS's own (`arn:aws:iam::aws:policy/…`) is in nobody's account.
    """
    ours, segments = _segments(left), _segments(right)
    if ours is None or segments is None:
        return Relation.DISJOINT
    theirs = list(segments)
    for at in _PLACES:
        if _is_symbol(ours[at]) or _is_symbol(theirs[at]):
            if at == _ACCOUNT and _AWS_ITSELF in (ours[at], theirs[at]):
                return Relation.DISJOINT
            theirs[at] = ours[at]
    return relation(left, _joined(theirs))


@functools.lru_cache(maxsize=65536)
def _segments(arn: Tokens) -> tuple[Tokens, ...] | None:
    """The segments of an ARN, the last one whole; None where a wildcard reaches over a colon."""
    found: list[Tokens] = []
    start = 0
    for at, sign in enumerate(arn):
        if sign == ":":
            found.append(arn[start:at])
            start = at + 1
            if len(found) == ARN_COLONS:
                return (*found, arn[start:])
        elif sign in (ANY, ONE):
            return None
    return None


def fields_of(arn: Tokens) -> list[Tokens]:
    """The fields of an ARN pattern as far as it has any, the sixth one whole.

    A wildcard that may reach over a colon stays in the field that it stands in.
    """
    fields: list[list[str]] = [[]]
    for sign in arn:
        if sign == ":" and len(fields) <= ARN_COLONS:
            fields.append([])
        else:
            fields[-1].append(sign)
    return [tuple(field) for field in fields]


def _joined(segments: list[Tokens]) -> Tokens:
    first, *rest = segments
    return (*first, *(sign for segment in rest for sign in (":", *segment)))


def _is_symbol(segment: Tokens) -> bool:
    return len(segment) == 1 and isinstance(segment[0], Symbol)


def _ends_differ(left: Tokens, right: Tokens) -> bool:
    """Whether the signs at either end tell two patterns apart before a `*` does not."""
    for ours, theirs in ((left, right), (reversed(left), reversed(right))):
        for a, b in zip(ours, theirs, strict=False):
            if a in _STARS or b in _STARS:
                break
            if a != b and _are_apart(a, b):
                return True
    return False


def _are_apart(a: str, b: str) -> bool:
    """Whether no sign is both of two different ones; `?` is any character, and no symbol."""
    if a in _WILDCARDS or b in _WILDCARDS:
        return isinstance(a, Symbol) or isinstance(b, Symbol)
    return True


@functools.lru_cache(maxsize=65536)
def _fields(pattern: Tokens) -> tuple[str, ...]:
    """The first segments of an ARN pattern, empty where not one text.

    Where a wildcard may reach over a colon the segments end: what follows is not aligned.
    """
    fields: list[str] = []
    field = ""
    is_text = True
    for sign in pattern:
        if sign == ":":
            fields.append(field if is_text else "")
            field, is_text = "", True
            if len(fields) == ARN_COLONS:
                break
        elif len(sign) == 1:
            field += sign
        elif sign in (ANY_INSIDE, ONE_INSIDE):
            is_text = False
        else:
            break
    return tuple(fields)


@functools.lru_cache(maxsize=262144)
def may_meet(left: Tokens, right: Tokens) -> bool:
    """Whether some text matches both patterns, for some values of their symbols."""
    return relation(_loosened(left), _loosened(right)) is not Relation.DISJOINT


def _loosened(pattern: Tokens) -> Tokens:
    """The pattern with each symbol as any text; inside its segment where it stands in one."""
    if not has_symbols(pattern):
        return pattern
    is_arn = pattern.count(":") >= ARN_COLONS
    seen = 0
    out: list[str] = []
    for sign in pattern:
        seen += sign == ":"
        if isinstance(sign, Symbol):
            out.append(ANY_INSIDE if is_arn and seen < ARN_COLONS else ANY)
        else:
            out.append(sign)
    return _squeezed([out])
