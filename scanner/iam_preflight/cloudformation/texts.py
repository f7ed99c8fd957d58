"""Text put together from pieces that may have holes and alternatives, and cut apart again."""

from __future__ import annotations

from bisect import bisect_right
from itertools import groupby, product
from typing import TYPE_CHECKING

from msgspec.structs import replace

from iam_preflight.source import Span
from iam_preflight.values import (
    MAX_ARMS,
    Absent,
    Fragment,
    Known,
    Listing,
    Reason,
    Text,
    Unknown,
    Value,
    arms_of,
    choice,
    combine,
    join_parts,
    parts_of,
    show,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from iam_preflight.values import Assumptions

    Parts = tuple[Fragment | Unknown, ...]
    CanHold = Callable[[Assumptions], bool]

MAX_TEXT = 200_000
"""Longest text that is put together, in characters; the longest policy has 20,480."""
MAX_PARTS = 2_000


def placed(value: Value, span: Span) -> Value:
    """A value as it is used somewhere else: its place is where it is used.

    JSON that was written in several pieces keeps the places of its pieces.
    """
    match value:
        case Absent():
            return Absent(None, span)
        case Known(fragments=fragments):
            if len(fragments) < 2 or not _is_structured(fragments):
                fragments = ()
            return replace(value, span=span, fragments=fragments)
        case Unknown():
            return replace(value, span=span)
        case Text(parts=parts):
            if not _is_structured(parts):
                parts = tuple(replace(part, span=span) for part in parts)
            return replace(value, span=span, parts=parts)
        case Listing(items=items, rest=rest):
            further = placed(rest, span) if rest is not None else None
            moved = tuple(placed(item, span) for item in items)
            return replace(value, span=span, items=moved, rest=further)
        case _:
            return value


def _is_structured(parts: Parts) -> bool:
    first = parts[0]
    return isinstance(first, Fragment) and first.text.lstrip()[:1] in ("{", "[")


def concatenate(
    pieces: Iterable[Value], span: Span, can_hold: CanHold, delimiter: Value | None = None
) -> Value:
    """The pieces as one text, in every alternative that can hold.

    A piece that is not there in some alternative takes its delimiter with it.
    """
    glue = parts_of(delimiter) if delimiter is not None else ()
    rendered: list[tuple[Assumptions, list[Fragment | Unknown], bool]] = [((), [], True)]
    size = 0
    for piece in pieces:
        alternatives = list(_alternatives(piece))
        if len(alternatives) == 1 and not alternatives[0][0]:
            added = alternatives[0][1]
            if added is None:
                continue
            size += sum(len(part.text) for part in added if isinstance(part, Fragment))
            if size > MAX_TEXT or len(rendered[0][1]) > MAX_PARTS:
                return Unknown(Reason.LIMIT, "text too long to put together", span)
            for i, (given, so_far, is_first) in enumerate(rendered):
                if glue and not is_first:
                    so_far.extend(glue)
                so_far.extend(added)
                rendered[i] = (given, so_far, False)
            continue
        rendered = _grow(rendered, alternatives, glue or (), piece, can_hold)
    return choice([(given, join_parts(parts, span)) for given, parts, _ in rendered], span)


def _grow(
    rendered: list[tuple[Assumptions, list[Fragment | Unknown], bool]],
    alternatives: list[tuple[Assumptions, Parts | None]],
    glue: Parts,
    piece: Value,
    can_hold: CanHold,
) -> list[tuple[Assumptions, list[Fragment | Unknown], bool]]:
    if len(rendered) * len(alternatives) > MAX_ARMS * 4:
        alternatives = [((), (collapse(piece),))]
    grown: list[tuple[Assumptions, list[Fragment | Unknown], bool]] = []
    for (given, so_far, is_first), (more, added) in product(rendered, alternatives):
        both = combine(given, more)
        if both is None or (given and more and not can_hold(both)):
            continue
        if added is None:
            grown.append((both, list(so_far), is_first))
        else:
            lead = () if is_first else glue
            grown.append((both, [*so_far, *lead, *added], False))
    if len(grown) > MAX_ARMS:
        return _grow(rendered, [((), (collapse(piece),))], glue, piece, can_hold)
    return grown


def _alternatives(piece: Value) -> Iterator[tuple[Assumptions, Parts | None]]:
    """Every alternative of a piece as parts of text; None where it is not there."""
    for given, arm in arms_of(piece):
        match arm:
            case Absent():
                yield given, None
            case Known(value=None):
                yield given, ()
            case Listing():
                joined = concatenate(
                    flat_items(arm), arm.span, lambda _: True, Known(",", arm.span)
                )
                for more, inner in arms_of(joined, given):
                    yield more, parts_of(inner) or ()
            case _:
                parts = parts_of(arm)
                if parts is None:
                    parts = (Unknown(Reason.ERROR, "not text", arm.span),)
                yield given, parts


def flat_items(value: Listing) -> Iterator[Value]:
    """The items of a list and what stands for further ones; lists in it are spread."""
    for item in (*value.items, *(() if value.rest is None else (value.rest,))):
        if isinstance(item, Listing):
            yield from flat_items(item)
        else:
            yield item


def collapse(value: Value) -> Unknown:
    """A value with alternatives as one hole, named for what decides between them."""
    subjects: dict[str, None] = {}
    reference = None
    for given, arm in arms_of(value):
        for assumption in given:
            subjects[assumption.subject] = None
        if isinstance(arm, Unknown) and not given:
            subjects[arm.label] = None
            reference = arm.reference
    label = ", ".join(subjects) or show(value).strip("«»") or "text"
    return Unknown(Reason.PARAMETER, label, value.span, reference)


def common_text(value: Value) -> Value:
    """Alternatives of one text as one text: what they share, and a hole where they differ."""
    arms = [arm for _, arm in arms_of(value) if not (isinstance(arm, Known) and arm.value is None)]
    sequences = [_symbols(arm) for arm in arms]
    if len(arms) < 2 or any(sequence is None for sequence in sequences):
        return arms[0] if len(arms) == 1 else value
    symbols = [sequence for sequence in sequences if sequence is not None]
    first = symbols[0]
    shortest = min(len(sequence) for sequence in symbols)
    start = 0
    while start < shortest and all(_equal(s[start], first[start]) for s in symbols):
        start += 1
    end = 0
    while end < shortest - start and all(_equal(s[-1 - end], first[-1 - end]) for s in symbols):
        end += 1
    if start == len(first) == max(len(sequence) for sequence in symbols):
        return arms[0]
    span = value.span
    tail = first[len(first) - end :]
    return join_parts([*_runs(first[:start], span), collapse(value), *_runs(tail, span)], span)


def _symbols(value: Value) -> list[str | Unknown] | None:
    """A text as its characters and holes."""
    parts = parts_of(value)
    if parts is None:
        return None
    symbols: list[str | Unknown] = []
    for part in parts:
        if isinstance(part, Unknown):
            symbols.append(part)
        else:
            symbols.extend(part.text)
    return symbols


def _equal(left: str | Unknown, right: str | Unknown) -> bool:
    if isinstance(left, Unknown) or isinstance(right, Unknown):
        return (
            isinstance(left, Unknown) and isinstance(right, Unknown) and left.label == right.label
        )
    return left == right


def _runs(symbols: Sequence[str | Unknown], span: Span) -> Iterator[Fragment | Unknown]:
    for is_hole, group in groupby(symbols, key=lambda symbol: isinstance(symbol, Unknown)):
        if is_hole:
            yield from (symbol for symbol in group if isinstance(symbol, Unknown))
        else:
            yield Fragment("".join(str(symbol) for symbol in group), span)


class Cutter:
    """Cuts the pieces of a known text at positions of that text, from left to right or not."""

    __slots__ = ("_fragments", "_starts", "text")

    def __init__(self, fragments: Sequence[Fragment]) -> None:
        self._fragments = fragments
        self._starts: list[int] = []
        at = 0
        for fragment in fragments:
            self._starts.append(at)
            at += len(fragment.text)
        self.text = "".join(fragment.text for fragment in fragments)

    def pieces(self, start: int, end: int) -> Iterator[Fragment]:
        """The fragments of a stretch of the text."""
        if start >= end:
            return
        index = max(bisect_right(self._starts, start) - 1, 0)
        while index < len(self._fragments) and self._starts[index] < end:
            base = self._starts[index]
            fragment = self._fragments[index]
            left, right = max(start - base, 0), min(end - base, len(fragment.text))
            if left < right:
                yield _slice(fragment, left, right)
            index += 1

    def span(self, start: int, end: int) -> Span | None:
        """The place of a stretch of the text."""
        found = list(self.pieces(start, end))
        return found[0].span.to(found[-1].span) if found else None


def _slice(fragment: Fragment, left: int, right: int) -> Fragment:
    text = fragment.text[left:right]
    if left == 0 and right == len(fragment.text):
        return fragment
    span = fragment.span
    is_ascii = fragment.text.isascii()
    size = len(fragment.text) if is_ascii else len(fragment.text.encode("utf-8"))
    start = left if is_ascii else len(fragment.text[:left].encode("utf-8"))
    length = len(text) if is_ascii else len(text.encode("utf-8"))
    written = span.end - span.start
    if written == size + 2 and span.source.data[span.start : span.start + 1] in (b'"', b"'"):
        start += 1
    elif written != size:
        return Fragment(text, span, fragment.sensitive)
    start += span.start
    return Fragment(text, Span(span.source, start, start + length), fragment.sensitive)
