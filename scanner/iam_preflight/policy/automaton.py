"""Many wildcard patterns run at once, as one nondeterministic automaton in a Python integer.

A bit is a place in a pattern; reading a token moves all bits together. A breadth-first walk over
the reachable sets of bits gives every combination of patterns that some text can match, and for
each a shortest such text. That is what makes a question about all texts a question about few.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Tokens: TypeAlias = "tuple[str, ...]"
"""Single characters, the wildcards below, and `Symbol`s."""

ANY = "*any"
"""`*`: any text."""
ONE = "?any"
"""`?`: any character."""
ANY_INSIDE = "*inside"
"""`*` that stays inside its segment: any text without a colon."""
ONE_INSIDE = "?inside"

OTHERS = "xzqwkjvy0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_-abcdefghilmnoprstu"
"""Characters to stand for those that no pattern names, best first."""

_WILD = frozenset((ANY, ONE, ANY_INSIDE, ONE_INSIDE))
_STARS = frozenset((ANY, ANY_INSIDE))


_FOLDED = "~"
"""Before a letter: the letter in either case."""


def fold(pattern: Tokens) -> Tokens:
    """The pattern with its letters in either case."""
    return tuple(
        f"{_FOLDED}{sign.lower()}"
        if len(sign) == 1 and sign.lower() != sign.upper() and len(sign.upper()) == 1
        else sign
        for sign in pattern
    )


class TooLarge(Exception):
    """More states than the caller allows."""


class Automaton:
    """Patterns that are run together.

    `groups` says which patterns belong together: a signature has a bit for each group, set when
    any of its patterns matches. Without it each pattern is a group of its own.

    `loose` patterns are allowed more: a symbol in them may be any text, and a symbol that is read
    may be any part of them. That is for whoever must not miss a match; the others match a symbol
    only by itself or by a `*`, which is for whoever must not count one too many. `others` are
    characters to make texts of where any will do.
    """

    def __init__(
        self,
        patterns: Sequence[Tokens],
        *,
        loose: Sequence[bool] = (),
        groups: Sequence[int] = (),
        others: str = OTHERS,
    ) -> None:
        self._others = others
        self._literals: dict[str, int] = {}
        self._places: list[str] = []
        self._any = self._one = self._any_inside = self._one_inside = 0
        self._loose_symbols = 0
        self._loose_runs: list[int] = []
        count = max(groups, default=-1) + 1 if groups else len(patterns)
        self._ends = [0] * count
        self._runs = [0] * count
        absorbing = [0] * count
        """For each group the places at which it matches for good."""
        start = 0
        for index, pattern in enumerate(patterns):
            group = groups[index] if groups else index
            is_loose = bool(loose) and loose[index]
            first = len(self._places)
            start |= 1 << first
            for token in pattern:
                self._add(token, is_loose)
            last = len(self._places)
            self._places.append("")
            run = (1 << (last + 1)) - (1 << first)
            self._ends[group] |= 1 << last
            self._runs[group] |= run
            if pattern[-1:] == (ANY,):
                absorbing[group] |= 1 << (last - 1)
            if is_loose:
                self._loose_runs.append(run)
        self._accepting = 0
        for end in self._ends:
            self._accepting |= end
        self._stars = self._any | self._any_inside
        self._skippable = self._stars | self._loose_symbols
        self._absorbing = sum(absorbing)
        # what else a group has under way no longer matters once it matches for good
        self._settled = [
            (places, ~run, (places & -places) | (places & -places) << 1)
            for places, run in zip(absorbing, self._runs, strict=True)
            if places
        ]
        self.start = self._close(start)

    def _add(self, token: str, is_loose: bool) -> None:
        bit = 1 << len(self._places)
        self._places.append(token)
        if token == ANY:
            self._any |= bit
        elif token == ANY_INSIDE:
            self._any_inside |= bit
        elif token == ONE:
            self._one |= bit
        elif token == ONE_INSIDE:
            self._one_inside |= bit
        elif len(token) == 2 and token[0] == _FOLDED:
            for letter in (token[1], token[1].upper()):
                self._literals[letter] = self._literals.get(letter, 0) | bit
        else:
            self._literals[token] = self._literals.get(token, 0) | bit
            if is_loose and len(token) > 1:
                self._loose_symbols |= bit

    def _close(self, states: int) -> int:
        """A `*` may match nothing: places behind it are reached without reading."""
        skippable = self._skippable
        reached = states
        while True:
            more = reached | ((reached & skippable) << 1)
            if more == reached:
                break
            reached = more
        if reached & self._absorbing:
            for places, others, kept in self._settled:
                if reached & places:
                    reached = reached & others | kept
        return reached

    def step(self, states: int, sign: str) -> int:
        """The places reached by reading one character or symbol."""
        literal = self._literals.get(sign, 0)
        if len(sign) > 1:
            moved = ((states & literal) << 1) | (states & (self._stars | self._loose_symbols))
            for run in self._loose_runs:
                # what the symbol stands for may be any stretch of a loose pattern
                within = states & run
                if within:
                    moved |= run & ~((within & -within) - 1)
            return self._close(moved)
        if sign == ":":
            moved = ((states & (literal | self._one)) << 1) | (
                states & (self._any | self._loose_symbols)
            )
        else:
            moved = ((states & (literal | self._one | self._one_inside)) << 1) | (
                states & (self._stars | self._loose_symbols)
            )
        return self._close(moved)

    def signature(self, states: int) -> int:
        """The groups that match what was read: bit *i* for group *i*."""
        accepted = states & self._accepting
        return sum(1 << i for i, end in enumerate(self._ends) if accepted & end)

    def run(self, text: Tokens) -> int:
        """The signature of a text."""
        states = self.start
        for token in text:
            states = self.step(states, token)
            if not states:
                return 0
        return self.signature(states)

    def classes(self, limit: int, require: int | None = None) -> Iterator[tuple[int, Tokens]]:
        """Every reachable signature with a shortest text for it, shortest first.

        With `require`, only texts that can still match that group are followed. Raises
        `TooLarge` past `limit` states.
        """
        came_from: dict[int, tuple[int, str] | None] = {self.start: None}
        order = [self.start]
        seen: set[int] = set()
        other = self._other()
        required = None if require is None else self._runs[require]
        for states in order:
            accepted = states & self._accepting
            if accepted not in seen:
                seen.add(accepted)
                yield self.signature(states), self._text(came_from, states)
            for token in (*self._next_tokens(states), other):
                reached = self.step(states, token)
                if reached in came_from or (required is not None and not reached & required):
                    continue
                came_from[reached] = (states, token)
                order.append(reached)
                if len(order) > limit:
                    raise TooLarge(len(order))

    def _next_tokens(self, states: int) -> list[str]:
        """The tokens that can tell these places apart; any other one acts like `other`."""
        if states.bit_count() <= 64:
            found: dict[str, None] = {}
            rest = states
            while rest:
                lowest = rest & -rest
                token = self._places[lowest.bit_length() - 1]
                if len(token) == 2 and token[0] == _FOLDED:
                    found[token[1]] = found[token[1].upper()] = None
                elif token and token not in _WILD:
                    found[token] = None
                rest ^= lowest
            tokens = list(found)
        else:
            tokens = [token for token, mask in self._literals.items() if mask & states]
        if states & (self._any_inside | self._one_inside) and ":" not in tokens:
            tokens.append(":")
        return tokens

    def _other(self) -> str:
        """A character that no pattern names."""
        for char in self._others:
            if char not in self._literals:
                return char
        return next(chr(i) for i in range(0x100, 0x10000) if chr(i) not in self._literals)

    def _text(self, came_from: dict[int, tuple[int, str] | None], states: int) -> Tokens:
        text: list[str] = []
        step = came_from[states]
        while step is not None:
            states, token = step
            text.append(token)
            step = came_from[states]
        return tuple(reversed(text))
