"""Regular expressions as Go's RE2 reads them, matched in linear time.

The patterns come from the scanned repository, so a backtracking matcher (Python's `re`) could be
made to run for ever; this one keeps all threads in step, as RE2 does, and its work is bounded by
pattern times text. https://github.com/google/re2/wiki/Syntax
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING

from msgspec import Struct

from iam_preflight.terraform.regex_syntax import (
    Alternation,
    Assertion,
    CharacterSet,
    Concatenation,
    Group,
    Node,
    Parser,
    Repetition,
    TooComplex,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MAX_PROGRAM = 20_000
MAX_STEPS = 20_000_000


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

    def compile(self, node: Node) -> None:
        match node:
            case CharacterSet():
                self.add(_Step("set", test=functools.lru_cache(maxsize=256)(node.matches)))
            case Assertion(kind=kind):
                self.add(_Step("assert", assertion=kind))
            case Group(index=index, inner=inner):
                self.add(_Step("save", 2 * index))
                self.compile(inner)
                self.add(_Step("save", 2 * index + 1))
            case Concatenation(items=items):
                for item in items:
                    self.compile(item)
            case Alternation(items=items):
                self._either(items)
            case Repetition():
                self._repeat(node)

    def _either(self, items: tuple[Node, ...]) -> None:
        jumps: list[int] = []
        for item in items[:-1]:
            split = self.add(_Step("split"))
            self.compile(item)
            jumps.append(self.add(_Step("jump")))
            self.program[split] = _Step("split", split + 1, len(self.program))
        self.compile(items[-1])
        for jump in jumps:
            self.program[jump] = _Step("jump", len(self.program))

    def _repeat(self, node: Repetition) -> None:
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
        parser = Parser(text)
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
