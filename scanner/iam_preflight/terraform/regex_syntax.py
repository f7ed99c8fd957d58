"""Regular expressions as Go's RE2 writes them, to a tree: what is refused, what is too much.

https://github.com/google/re2/wiki/Syntax
"""

from __future__ import annotations

import functools
import re
import unicodedata
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_REPEAT = 1000
MAX_DEPTH = 100
LAST = 0x10FFFF

Ranges = tuple[tuple[int, int], ...]


class SyntaxFault(ValueError):
    """Not a regular expression that RE2 accepts."""


class Unsupported(ValueError):
    """A regular expression that RE2 accepts and this does not: script classes."""


class TooComplex(ValueError):
    """The pattern, or pattern times text, is over the bound."""


class CharacterSet(Struct, frozen=True):
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


class Assertion(Struct, frozen=True):
    kind: str


class Group(Struct, frozen=True):
    index: int
    inner: Node


class Repetition(Struct, frozen=True):
    inner: Node
    least: int
    most: int | None
    is_lazy: bool


class Concatenation(Struct, frozen=True):
    items: tuple[Node, ...]


class Alternation(Struct, frozen=True):
    items: tuple[Node, ...]


Node = CharacterSet | Assertion | Group | Repetition | Concatenation | Alternation


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


class Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.names: list[str] = []
        self.flags = _Flags()
        self.depth = 0

    def parse(self) -> Node:
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

    def _either(self) -> Node:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise TooComplex("nested too deeply")
        arms = [self._sequence()]
        while self._peek() == "|":
            self.at += 1
            arms.append(self._sequence())
        self.depth -= 1
        return arms[0] if len(arms) == 1 else Alternation(tuple(arms))

    def _sequence(self) -> Node:
        items: list[Node] = []
        while self._peek() not in ("", "|", ")"):
            if self.text.startswith("\\Q", self.at):
                items.extend(self._quoted())
                continue
            atom = self._atom()
            if atom is not None:
                items.append(self._repeated(atom))
        return items[0] if len(items) == 1 else Concatenation(tuple(items))

    def _quoted(self) -> Iterator[Node]:
        end = self.text.find("\\E", self.at + 2)
        literal = self.text[self.at + 2 : end if end >= 0 else len(self.text)]
        self.at = end + 2 if end >= 0 else len(self.text)
        for i, char in enumerate(literal):
            node: Node = self._literal(char)
            yield self._repeated(node) if i == len(literal) - 1 else node

    def _literal(self, char: str) -> CharacterSet:
        return CharacterSet(((ord(char), ord(char)),), ignores_case=self.flags.i)

    def _repeated(self, atom: Node) -> Node:
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
            atom = Repetition(atom, least, most, is_lazy is not self.flags.U)
            is_repeated = True

    def _atom(self) -> Node | None:
        char = self._take()
        match char:
            case "(":
                return self._group()
            case "[":
                return self._class()
            case ".":
                ranges: Ranges = () if self.flags.s else ((10, 10),)
                return CharacterSet(ranges, is_negated=True)
            case "^":
                return Assertion("line start" if self.flags.m else "text start")
            case "$":
                return Assertion("line end" if self.flags.m else "text end")
            case "\\":
                return self._escape()
            case "*" | "+" | "?":
                raise SyntaxFault("nothing to repeat")
            case _:
                return self._literal(char)

    def _group(self) -> Node | None:
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

    def _captured(self, name: str, outer: _Flags) -> Node:
        self.names.append(name)
        index = len(self.names)
        inner = self._either()
        self._close()
        self.flags = outer
        return Group(index, inner)

    def _close(self) -> None:
        if self._take() != ")":
            raise SyntaxFault("a group is not closed")

    def _escape(self) -> Node:
        char = self._peek()
        match char:
            case "b" | "B" | "A" | "z":
                self.at += 1
                kinds = {"b": "word", "B": "not word", "A": "text start", "z": "text end"}
                return Assertion(kinds[char])
            case "d" | "D" | "w" | "W" | "s" | "S" | "p" | "P":
                ranges, categories, is_negated = self._shorthand()
                return CharacterSet(ranges, is_negated, False, categories)
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

    def _class(self) -> CharacterSet:
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
        return CharacterSet(tuple(ranges), is_negated, self.flags.i, tuple(categories))

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
