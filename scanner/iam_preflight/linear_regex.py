r"""Regular expressions that cannot be made slow: for patterns that come with a repository.

The syntax is the common part of all dialects: literals, `.`, classes, `\d \w \s`, groups,
`|`, `* + ? {m,n}`, and `^` `$` at the ends. No look-around, no back-references: that is what
lets every pattern run as a set of states, one step a character, in time proportional to
pattern times text (https://swtch.com/~rsc/regexp/regexp1.html).
"""

from __future__ import annotations

import functools
import string

from msgspec import Struct, field

MAX_PATTERN = 500
MAX_STATES = 5_000
MAX_REPEAT = 200

_DIGITS = frozenset(string.digits)
_WORD = frozenset(string.ascii_letters + string.digits + "_")
_SPACE = frozenset(" \t\r\n\f\v")
_CLASSES = {
    "d": (_DIGITS, False),
    "D": (_DIGITS, True),
    "w": (_WORD, False),
    "W": (_WORD, True),
    "s": (_SPACE, False),
    "S": (_SPACE, True),
}
_CONTROLS = {"n": "\n", "t": "\t", "r": "\r"}


class PatternError(ValueError):
    """The pattern is not one, or uses what is left out on purpose."""


class _CharSet(Struct, frozen=True):
    """Characters, ranges and negated classes that one step accepts."""

    chars: frozenset[str] = frozenset()
    ranges: tuple[tuple[str, str], ...] = ()
    complements: tuple[frozenset[str], ...] = ()
    is_negated: bool = False

    def accepts(self, char: str) -> bool:
        found = (
            char in self.chars
            or any(low <= char <= high for low, high in self.ranges)
            or any(char not in complement for complement in self.complements)
        )
        return found is not self.is_negated


_ANY = _CharSet(frozenset("\n"), is_negated=True)


class _State(Struct):
    """Steps on a character of `accepts`, or freely to each of `free`."""

    accepts: _CharSet | None = None
    following: int = -1
    free: list[int] = field(default_factory=list)


class LinearRegex:
    """A compiled pattern. `matches` asks for the whole text."""

    def __init__(self, pattern: str) -> None:
        if len(pattern) > MAX_PATTERN:
            raise PatternError(f"longer than {MAX_PATTERN} characters")
        parser = _Parser(pattern)
        start, end = parser.parse()
        self._states = parser.states
        self._start = start
        self._end = end

    def matches(self, text: str) -> bool:
        current = self._closure({self._start})
        for char in text:
            reached = {
                state.following
                for index in current
                if (state := self._states[index]).accepts is not None
                and state.accepts.accepts(char)
            }
            if not reached:
                return False
            current = self._closure(reached)
        return self._end in current

    def _closure(self, states: set[int]) -> set[int]:
        stack = list(states)
        while stack:
            for following in self._states[stack.pop()].free:
                if following not in states:
                    states.add(following)
                    stack.append(following)
        return states


@functools.lru_cache(maxsize=256)
def linear_regex(pattern: str) -> LinearRegex:
    """The compiled pattern; raises `PatternError`."""
    return LinearRegex(pattern)


class _Parser:
    """Recursive descent straight into states: each part is a (first, last) pair of them."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.at = 0
        self.depth = 0
        self.states: list[_State] = []

    def parse(self) -> tuple[int, int]:
        part = self._alternatives()
        if self.at < len(self.pattern):
            raise PatternError(f"unexpected {self._peek()!r} at {self.at + 1}")
        return part

    def _new(self, accepts: _CharSet | None = None, following: int = -1) -> int:
        if len(self.states) >= MAX_STATES:
            raise PatternError("repeats too much")
        self.states.append(_State(accepts, following))
        return len(self.states) - 1

    def _link(self, source: int, target: int) -> None:
        self.states[source].free.append(target)

    def _peek(self, ahead: int = 0) -> str:
        index = self.at + ahead
        return self.pattern[index] if index < len(self.pattern) else ""

    def _alternatives(self) -> tuple[int, int]:
        first, last = self._sequence()
        if self._peek() != "|":
            return first, last
        start, end = self._new(), self._new()
        self._link(start, first)
        self._link(last, end)
        while self._peek() == "|":
            self.at += 1
            first, last = self._sequence()
            self._link(start, first)
            self._link(last, end)
        return start, end

    def _sequence(self) -> tuple[int, int]:
        start = last = self._new()
        if self.depth == 0 and self._peek() == "^":
            self.at += 1
        while (char := self._peek()) and char not in "|)":
            if self.depth == 0 and char == "$" and self._peek(1) in ("", "|"):
                self.at += 1
                break
            begin = self.at
            part = self._atom()
            part = self._repeated(part, begin)
            self._link(last, part[0])
            last = part[1]
        return start, last

    def _repeated(self, part: tuple[int, int], begin: int) -> tuple[int, int]:
        low, high = self._quantifier()
        if (low, high) == (1, 1):
            return part
        end_of_quantifier = self.at
        copies = [part]
        wanted = max(low, 1 if high is None else high)
        while len(copies) < wanted:
            self.at = begin
            copies.append(self._atom())
        self.at = end_of_quantifier
        start, end = self._new(), self._new()
        last = start
        for index, (first, final) in enumerate(copies):
            if index >= low:
                self._link(last, end)
            self._link(last, first)
            last = final
        self._link(last, end)
        if high is None:
            self._link(last, copies[-1][0])
        if high == 0:
            self.states[start].free = [end]
        return start, end

    def _quantifier(self) -> tuple[int, int | None]:
        match self._peek():
            case "*":
                bounds: tuple[int, int | None] = (0, None)
            case "+":
                bounds = (1, None)
            case "?":
                bounds = (0, 1)
            case "{":
                return self._counted()
            case _:
                return (1, 1)
        self.at += 1
        if self._peek() in ("?", "+") and self._peek():
            self.at += 1  # lazy or possessive: the same texts match as a whole
        if self._peek() in ("*", "+", "?") and self._peek():
            raise PatternError(f"nothing to repeat at {self.at + 1}")
        return bounds

    def _counted(self) -> tuple[int, int | None]:
        end = self.pattern.find("}", self.at)
        inner = self.pattern[self.at + 1 : end] if end > 0 else ""
        low, comma, high = inner.partition(",")
        if not low.isdecimal() or not (high == "" or high.isdecimal()):
            raise PatternError(f"{{…}} at {self.at + 1} is not a count: write \\{{ for a brace")
        self.at = end + 1
        least = int(low[:6])
        most: int | None = least if not comma else (int(high[:6]) if high else None)
        if least > MAX_REPEAT or (most is not None and not least <= most <= MAX_REPEAT):
            raise PatternError(f"a count must be at most {MAX_REPEAT}, the lower one first")
        return least, most

    def _atom(self) -> tuple[int, int]:
        char = self._peek()
        self.at += 1
        match char:
            case "(":
                return self._group()
            case "[":
                accepts = self._char_class()
            case ".":
                accepts = _ANY
            case "\\":
                accepts = self._escape()
            case "*" | "+" | "?" | "{":
                raise PatternError(f"nothing to repeat at {self.at}")
            case "^" | "$":
                raise PatternError(f"{char!r} at {self.at} is neither first nor last")
            case _:
                accepts = _CharSet(frozenset(char))
        end = self._new()
        return self._new(accepts, end), end

    def _group(self) -> tuple[int, int]:
        if self._peek() == "?":
            if self._peek(1) != ":":
                raise PatternError(f"(?{self._peek(1)} at {self.at} is not supported")
            self.at += 2
        self.depth += 1
        if self.depth > 20:
            raise PatternError("groups nested too deeply")
        part = self._alternatives()
        if self._peek() != ")":
            raise PatternError("a group is not closed")
        self.at += 1
        self.depth -= 1
        return part

    def _escape(self) -> _CharSet:
        char = self._peek()
        self.at += 1
        if char in _CLASSES:
            chars, is_negated = _CLASSES[char]
            return _CharSet(chars, is_negated=is_negated)
        if char in _CONTROLS:
            return _CharSet(frozenset(_CONTROLS[char]))
        if not char or char.isalnum():
            raise PatternError(f"\\{char} is not supported")
        return _CharSet(frozenset(char))

    def _char_class(self) -> _CharSet:
        is_negated = self._peek() == "^"
        self.at += is_negated
        chars: set[str] = set()
        ranges: list[tuple[str, str]] = []
        complements: list[frozenset[str]] = []
        begin = self.at
        while True:
            char = self._peek()
            if not char:
                raise PatternError("a class is not closed")
            self.at += 1
            if char == "]" and self.at - 1 > begin:
                return _CharSet(frozenset(chars), tuple(ranges), tuple(complements), is_negated)
            if char == "\\":
                found = self._escape()
                if found.is_negated:
                    complements.append(found.chars)
                    continue
                if len(found.chars) > 1:
                    chars |= found.chars
                    continue
                char = next(iter(found.chars))
            if self._peek() == "-" and self._peek(1) not in ("", "]"):
                self.at += 1
                high = self._peek()
                self.at += 1
                if high == "\\":
                    high = next(iter(self._escape().chars))
                if high < char:
                    raise PatternError(f"the range {char}-{high} is the wrong way round")
                ranges.append((char, high))
            else:
                chars.add(char)
