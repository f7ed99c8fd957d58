"""Regular expressions as Go's RE2 reads them, matched in linear time.

The patterns come from the scanned repository, so a backtracking matcher (Python's `re`) could be
made to run for ever; this one keeps all threads in step, as RE2 does, and its work is bounded by
pattern times text. https://github.com/google/re2/wiki/Syntax
"""

from __future__ import annotations

import functools
import re
import unicodedata
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MAX_PROGRAM = 20_000
MAX_REPEAT = 1000
MAX_STEPS = 20_000_000
MAX_DEPTH = 100
LAST = 0x10FFFF

Ranges = tuple[tuple[int, int], ...]


class SyntaxFault(ValueError):
    """Not a regular expression that RE2 accepts."""


class Unsupported(ValueError):
    """A regular expression that RE2 accepts and this does not: script classes."""


class TooComplex(ValueError):
    """The pattern, or pattern times text, is over the bound."""


# ---------------------------------------------------------------- the pattern as a tree


class _Set(Struct, frozen=True):
    """One character out of ranges of code points."""

    ranges: Ranges
    is_negated: bool = False
    ignores_case: bool = False
    categories: tuple[tuple[str, bool], ...] = ()
    """Unicode categories (`L`, `Nd`) that are in it, or out of which everything is."""

    def matches(self, char: str) -> bool:
        return self._has(char) is not self.is_negated

    def _has(self, char: str) -> bool:
        variants = _variants(char) if self.ignores_case else (char,)
        for variant in variants:
            code = ord(variant)
            if any(low <= code <= high for low, high in self.ranges):
                return True
        for category, is_out in self.categories:
            if unicodedata.category(char).startswith(category) is not is_out:
                return True
        return False


class _Assertion(Struct, frozen=True):
    kind: str


class _Group(Struct, frozen=True):
    index: int
    inner: _Node


class _Repeat(Struct, frozen=True):
    inner: _Node
    least: int
    most: int | None
    is_lazy: bool


class _Sequence(Struct, frozen=True):
    items: tuple[_Node, ...]


class _Either(Struct, frozen=True):
    items: tuple[_Node, ...]


_Node = _Set | _Assertion | _Group | _Repeat | _Sequence | _Either


@functools.lru_cache(maxsize=512)
def _variants(char: str) -> tuple[str, ...]:
    extra = {"s": "ſ", "S": "ſ", "ſ": "sS", "k": "\u212a", "K": "\u212a", "\u212a": "kK"}
    found = {char, char.lower(), char.upper(), *extra.get(char, "")}
    return tuple(variant for variant in found if len(variant) == 1)


def _ranges(text: str) -> Ranges:
    """`09AZ` → 0-9 and A-Z."""
    return tuple((ord(text[i]), ord(text[i + 1])) for i in range(0, len(text), 2))


_DIGIT, _WORD, _SPACE = _ranges("09"), _ranges("09AZ__az"), _ranges("\t\n\f\r  ")
_PERL = {"d": _DIGIT, "w": _WORD, "s": _SPACE}
_POSIX = {
    "alnum": "09AZaz",
    "alpha": "AZaz",
    "ascii": "\x00\x7f",
    "blank": "\t\t  ",
    "cntrl": "\x00\x1f\x7f\x7f",
    "digit": "09",
    "graph": "!~",
    "lower": "az",
    "print": " ~",
    "punct": "!/:@[`{~",
    "space": "\t\r  ",
    "upper": "AZ",
    "word": "09AZaz__",
    "xdigit": "09AFaf",
}
_CONTROLS = {"a": "\a", "f": "\f", "t": "\t", "n": "\n", "r": "\r", "v": "\v"}
_CATEGORY = re.compile(r"(?:C[cfos]?|L[lmotu]?|M[cen]?|N[dlo]?|P[cdefios]?|S[ckmo]?|Z[lps]?)\Z")


class _Flags(Struct):
    i: bool = False
    m: bool = False
    s: bool = False
    U: bool = False


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.names: list[str] = []
        self.flags = _Flags()
        self.depth = 0

    def parse(self) -> _Node:
        node = self._either()
        if self.at < len(self.text):
            raise SyntaxFault("unexpected )")
        return node

    def _peek(self, ahead: int = 0) -> str:
        at = self.at + ahead
        return self.text[at] if at < len(self.text) else ""

    def _take(self) -> str:
        char = self._peek()
        if not char:
            raise SyntaxFault("the pattern ends too early")
        self.at += 1
        return char

    def _either(self) -> _Node:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise TooComplex("nested too deeply")
        arms = [self._sequence()]
        while self._peek() == "|":
            self.at += 1
            arms.append(self._sequence())
        self.depth -= 1
        return arms[0] if len(arms) == 1 else _Either(tuple(arms))

    def _sequence(self) -> _Node:
        items: list[_Node] = []
        while self._peek() not in ("", "|", ")"):
            if self.text.startswith("\\Q", self.at):
                items.extend(self._quoted())
                continue
            atom = self._atom()
            if atom is not None:
                items.append(self._repeated(atom))
        return items[0] if len(items) == 1 else _Sequence(tuple(items))

    def _quoted(self) -> Iterator[_Node]:
        end = self.text.find("\\E", self.at + 2)
        literal = self.text[self.at + 2 : end if end >= 0 else len(self.text)]
        self.at = end + 2 if end >= 0 else len(self.text)
        for i, char in enumerate(literal):
            node: _Node = self._literal(char)
            yield self._repeated(node) if i == len(literal) - 1 else node

    def _literal(self, char: str) -> _Set:
        return _Set(((ord(char), ord(char)),), ignores_case=self.flags.i)

    def _repeated(self, atom: _Node) -> _Node:
        is_repeated = False
        while True:
            start = self.at
            char = self._peek()
            if char in ("*", "+", "?"):
                self.at += 1
                least, most = {"*": (0, None), "+": (1, None), "?": (0, 1)}[char]
            elif char == "{":
                found = re.compile(r"\{(\d+)(?:(,)(\d*))?\}").match(self.text, self.at)
                if found is None:
                    return atom
                self.at = found.end()
                least = int(found[1])
                most = least if not found[2] else (int(found[3]) if found[3] else None)
                if least > MAX_REPEAT or (most or 0) > MAX_REPEAT:
                    raise SyntaxFault("the repeat count is too large")
                if most is not None and most < least:
                    raise SyntaxFault("bad repeat count")
            else:
                return atom
            if is_repeated:
                raise SyntaxFault(f"repeat of a repeat at {start}")
            is_lazy = self._peek() == "?"
            if is_lazy:
                self.at += 1
            atom = _Repeat(atom, least, most, is_lazy is not self.flags.U)
            is_repeated = True

    def _atom(self) -> _Node | None:
        char = self._take()
        match char:
            case "(":
                return self._group()
            case "[":
                return self._class()
            case ".":
                ranges: Ranges = () if self.flags.s else ((10, 10),)
                return _Set(ranges, is_negated=True)
            case "^":
                return _Assertion("line start" if self.flags.m else "text start")
            case "$":
                return _Assertion("line end" if self.flags.m else "text end")
            case "\\":
                return self._escape()
            case "*" | "+" | "?":
                raise SyntaxFault("nothing to repeat")
            case _:
                return self._literal(char)

    def _group(self) -> _Node | None:
        outer = _Flags(self.flags.i, self.flags.m, self.flags.s, self.flags.U)
        if self._peek() != "?":
            return self._captured("", outer)
        name = re.compile(r"\?P?<([A-Za-z_0-9]+)>").match(self.text, self.at)
        if name is not None:
            self.at = name.end()
            if name[1] in self.names:
                raise SyntaxFault("a group's name is used twice")
            return self._captured(name[1], outer)
        flags = re.compile(r"\?([imsU]*)(?:-([imsU]+))?([:)])").match(self.text, self.at)
        if flags is None:
            raise SyntaxFault("unknown group")
        self.at = flags.end()
        for letter in flags[1]:
            setattr(self.flags, letter, True)
        for letter in flags[2] or "":
            setattr(self.flags, letter, False)
        if flags[3] == ")":
            return None
        inner = self._either()
        self._close()
        self.flags = outer
        return inner

    def _captured(self, name: str, outer: _Flags) -> _Node:
        self.names.append(name)
        index = len(self.names)
        inner = self._either()
        self._close()
        self.flags = outer
        return _Group(index, inner)

    def _close(self) -> None:
        if self._take() != ")":
            raise SyntaxFault("a group is not closed")

    def _escape(self) -> _Node:
        char = self._peek()
        match char:
            case "b" | "B" | "A" | "z":
                self.at += 1
                kinds = {"b": "word", "B": "not word", "A": "text start", "z": "text end"}
                return _Assertion(kinds[char])
            case "d" | "D" | "w" | "W" | "s" | "S" | "p" | "P":
                ranges, categories, is_negated = self._shorthand()
                return _Set(ranges, is_negated, False, categories)
            case "C":
                raise Unsupported("a single byte")
            case _:
                return self._literal(self._escaped_char())

    def _shorthand(self) -> tuple[Ranges, tuple[tuple[str, bool], ...], bool]:
        char = self._take()
        is_negated = char.isupper()
        if char.lower() in _PERL:
            return _PERL[char.lower()], (), is_negated
        name = self._take()
        if name == "{":
            end = self.text.find("}", self.at)
            if end < 0:
                raise SyntaxFault("a class is not closed")
            name = self.text[self.at : end]
            self.at = end + 1
        if name.startswith("^"):
            name, is_negated = name[1:], not is_negated
        if name == "Any":
            return ((0, LAST),), (), is_negated
        if not _CATEGORY.match(name):
            raise Unsupported(f"the class {name}")
        return (), ((name, False),), is_negated

    def _escaped_char(self) -> str:
        char = self._take()
        if char in _CONTROLS:
            return _CONTROLS[char]
        if char == "x":
            found = re.compile(r"\{([0-9A-Fa-f]+)\}|([0-9A-Fa-f]{2})").match(self.text, self.at)
            if found is None or int(found[1] or found[2], 16) > LAST:
                raise SyntaxFault("bad hexadecimal escape")
            self.at = found.end()
            return chr(int(found[1] or found[2], 16))
        if char in "01234567":
            found = re.compile(r"[0-7]{0,2}").match(self.text, self.at)
            digits = char + (found.group() if found else "")
            if char != "0" and len(digits) < 2:
                raise SyntaxFault("back references are not supported")
            self.at += len(digits) - 1
            return chr(int(digits, 8))
        if char.isalnum():
            raise SyntaxFault(f"unknown escape \\{char}")
        return char

    def _class(self) -> _Set:
        is_negated = self._peek() == "^"
        if is_negated:
            self.at += 1
        ranges: list[tuple[int, int]] = []
        categories: list[tuple[str, bool]] = []
        is_first = True
        while is_first or self._peek() != "]":
            is_first = False
            posix = re.compile(r"\[:(\^?)([a-z]+):\]").match(self.text, self.at)
            if posix is not None:
                self.at = posix.end()
                if posix[2] not in _POSIX:
                    raise SyntaxFault(f"unknown class {posix[2]}")
                named = _ranges(_POSIX[posix[2]])
                ranges.extend(_complement(named) if posix[1] else named)
                continue
            if self._peek() == "\\" and self._peek(1) and self._peek(1) in "dDwWsSpP":
                self.at += 1
                more, named_categories, is_out = self._shorthand()
                ranges.extend(_complement(more) if is_out and more else more)
                categories.extend((name, is_out) for name, _ in named_categories)
                continue
            low = self._class_char()
            high = low
            if self._peek() == "-" and self._peek(1) not in ("]", ""):
                self.at += 1
                high = self._class_char()
            if high < low:
                raise SyntaxFault("a range runs backwards")
            ranges.append((ord(low), ord(high)))
        self.at += 1
        return _Set(tuple(ranges), is_negated, self.flags.i, tuple(categories))

    def _class_char(self) -> str:
        char = self._take()
        return self._escaped_char() if char == "\\" else char


def _complement(ranges: Ranges) -> Ranges:
    out: list[tuple[int, int]] = []
    at = 0
    for low, high in sorted(ranges):
        if low > at:
            out.append((at, low - 1))
        at = max(at, high + 1)
    if at <= LAST:
        out.append((at, LAST))
    return tuple(out)


# ---------------------------------------------------------------- the pattern as a program


class _Step(Struct, frozen=True):
    """One instruction: `set`, `assert`, `save`, `jump`, `split` or `match`."""

    kind: str
    first: int = 0
    second: int = 0
    test: Callable[[str], bool] | None = None
    assertion: str = ""


class _Compiler:
    def __init__(self) -> None:
        self.program: list[_Step] = []

    def add(self, step: _Step) -> int:
        if len(self.program) >= MAX_PROGRAM:
            raise TooComplex("the pattern is too large")
        self.program.append(step)
        return len(self.program) - 1

    def compile(self, node: _Node) -> None:
        match node:
            case _Set():
                self.add(_Step("set", test=functools.lru_cache(maxsize=256)(node.matches)))
            case _Assertion(kind=kind):
                self.add(_Step("assert", assertion=kind))
            case _Group(index=index, inner=inner):
                self.add(_Step("save", 2 * index))
                self.compile(inner)
                self.add(_Step("save", 2 * index + 1))
            case _Sequence(items=items):
                for item in items:
                    self.compile(item)
            case _Either(items=items):
                self._either(items)
            case _Repeat():
                self._repeat(node)

    def _either(self, items: tuple[_Node, ...]) -> None:
        jumps: list[int] = []
        for item in items[:-1]:
            split = self.add(_Step("split"))
            self.compile(item)
            jumps.append(self.add(_Step("jump")))
            self.program[split] = _Step("split", split + 1, len(self.program))
        self.compile(items[-1])
        for jump in jumps:
            self.program[jump] = _Step("jump", len(self.program))

    def _repeat(self, node: _Repeat) -> None:
        for _ in range(node.least):
            self.compile(node.inner)
        if node.most is None:
            split = self.add(_Step("split"))
            self.compile(node.inner)
            self.add(_Step("jump", split))
            self._split(split, node.is_lazy)
            return
        splits: list[int] = []
        for _ in range(node.most - node.least):
            splits.append(self.add(_Step("split")))
            self.compile(node.inner)
        for split in splits:
            self._split(split, node.is_lazy)

    def _split(self, at: int, is_lazy: bool) -> None:
        inside, after = at + 1, len(self.program)
        first, second = (after, inside) if is_lazy else (inside, after)
        self.program[at] = _Step("split", first, second)


class Match(Struct, frozen=True):
    text: str
    start: int
    end: int
    groups: tuple[str | None, ...]


class Pattern:
    """A compiled pattern. `names` has one entry for each group, empty where it has no name."""

    def __init__(self, text: str) -> None:
        parser = _Parser(text)
        tree = parser.parse()
        self.names = tuple(parser.names)
        self.groups = len(parser.names)
        compiler = _Compiler()
        compiler.compile(tree)
        compiler.add(_Step("match"))
        self._program = compiler.program
        self._is_anchored = compiler.program[0].assertion == "text start"
        """Whether it matches nowhere but at the start of a text."""

    def search(self, text: str, start: int = 0) -> Match | None:
        """The leftmost match at or after `start`; of those the one a backtracker prefers."""
        program = self._program
        if len(program) * (len(text) - start + 1) > MAX_STEPS:
            raise TooComplex("pattern times text is too large")
        slots = 2 * (self.groups + 1)
        threads: list[tuple[int, tuple[int, ...]]] = []
        best: tuple[int, ...] | None = None
        at = start
        while True:
            seen: set[int] = set()
            ready: list[tuple[int, tuple[int, ...]]] = []
            for counter, saved in threads:
                self._follow(counter, saved, text, at, seen, ready)
            if best is None and not (self._is_anchored and at > 0):
                empty = (at, *([-1] * (slots - 1)))
                self._follow(0, empty, text, at, seen, ready)
            if not ready and (best is not None or self._is_anchored):
                break
            threads = []
            char = text[at] if at < len(text) else ""
            for counter, saved in ready:
                step = program[counter]
                if step.kind == "match":
                    best = (saved[0], at, *saved[2:])
                    break
                assert step.test is not None
                if char and step.test(char):
                    threads.append((counter + 1, saved))
            at += 1
            if at > len(text):
                break
        if best is None:
            return None
        groups = tuple(_slice(text, best[2 * i], best[2 * i + 1]) for i in range(1, slots // 2))
        return Match(text[best[0] : best[1]], best[0], best[1], groups)

    def _follow(
        self,
        counter: int,
        saved: tuple[int, ...],
        text: str,
        at: int,
        seen: set[int],
        ready: list[tuple[int, tuple[int, ...]]],
    ) -> None:
        """All threads that a thread becomes before it reads a character, preferred first."""
        stack = [(counter, saved)]
        while stack:
            counter, saved = stack.pop()
            if counter in seen:
                continue
            seen.add(counter)
            step = self._program[counter]
            match step.kind:
                case "jump":
                    stack.append((step.first, saved))
                case "split":
                    stack.append((step.second, saved))
                    stack.append((step.first, saved))
                case "save":
                    changed = (*saved[: step.first], at, *saved[step.first + 1 :])
                    stack.append((counter + 1, changed))
                case "assert":
                    if _holds(step.assertion, text, at):
                        stack.append((counter + 1, saved))
                case _:
                    ready.append((counter, saved))

    def finditer(self, text: str) -> Iterator[Match]:
        """Matches that do not overlap; an empty one right after a match does not count."""
        at, previous_end = 0, -1
        budget = MAX_STEPS
        while at <= len(text):
            budget -= len(self._program) * 4
            found = self.search(text, at)
            if found is None:
                return
            budget -= len(self._program) * (found.end - at)
            if budget < 0:
                raise TooComplex("too many matches")
            if found.end > found.start or found.start != previous_end:
                yield found
            previous_end = found.end
            at = found.end if found.end > found.start else found.end + 1

    def replace(self, text: str, template: str) -> str:
        """Every match replaced; `$1` and `${name}` in the template stand for groups."""
        out: list[str] = []
        at = 0
        for found in self.finditer(text):
            out.append(text[at : found.start])
            out.append(self._expanded(found, template))
            at = found.end
        out.append(text[at:])
        return "".join(out)

    def _expanded(self, found: Match, template: str) -> str:
        def group(name: re.Match[str]) -> str:
            if name.group() == "$$":
                return "$"
            key = name[1] or name[2]
            if key is None:
                return name.group()
            if key.isdigit():
                index = int(key)
                if index == 0:
                    return found.text
                return (found.groups[index - 1] or "") if index <= self.groups else ""
            if key in self.names:
                return found.groups[self.names.index(key)] or ""
            return ""

        return re.sub(r"\$\$|\$\{(\w+)\}|\$(\w+)|\$", group, template)


def _slice(text: str, start: int, end: int) -> str | None:
    return text[start:end] if start >= 0 and end >= 0 else None


def _holds(kind: str, text: str, at: int) -> bool:
    match kind:
        case "text start":
            return at == 0
        case "text end":
            return at == len(text)
        case "line start":
            return at == 0 or text[at - 1] == "\n"
        case "line end":
            return at == len(text) or text[at] == "\n"
        case _:
            before = at > 0 and _is_word(text[at - 1])
            after = at < len(text) and _is_word(text[at])
            return (before is not after) is (kind == "word")


def _is_word(char: str) -> bool:
    return char == "_" or (char.isascii() and char.isalnum())


@functools.lru_cache(maxsize=256)
def compile_pattern(text: str) -> Pattern:
    """Raises `SyntaxFault`, `Unsupported` or `TooComplex`."""
    if len(text) > MAX_PROGRAM:
        raise TooComplex("the pattern is too long")
    return Pattern(text)
