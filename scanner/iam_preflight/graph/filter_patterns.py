"""CloudWatch Logs filter patterns: which CloudTrail records a metric filter counts.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html

`{ ($.eventName = "ConsoleLogin") && ($.additionalEventData.MFAUsed != "Yes") }` looks at the
fields of a record, `?StopLogging ?DeleteTrail` at its text. A pattern that cannot be read is
`None`: the caller decides what that means.
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Any, TypeAlias

from iam_preflight.late_patterns import late

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Test: TypeAlias = "Callable[[Mapping[str, Any]], bool]"

MAX_LENGTH = 4096
"""AWS takes 1024 characters; longer text is not looked at."""
MAX_DEPTH = 40

_TOKEN = late(
    r"""\s*(?:
        (?P<mark>[(){}]|&&|\|\||!=|<=|>=|=|<|>)
      | (?P<field>\$(?:\.[\w:*-]+|\[\d+\]|\["[^"]*"\]|\.\["[^"]*"\])+)
      | "(?P<quoted>(?:[^"\\]|\\.)*)"
      | %(?P<regex>[^%]*)%
      | (?P<word>[^\s(){}&|=!<>"]+)
    )""",
    re.VERBOSE,
)
_STEP = late(r'\.?([\w:*-]+)|\[(\d+)\]|\.?\["([^"]*)"\]')
_TERM = late(r'\s*([?-]?)(?:"((?:[^"\\]|\\.)*)"|(\S+))')
_ABSENT = object()


class _NotReadError(ValueError):
    """The pattern is not in the language, or in a part of it that is not read."""


def counts(pattern: str, record: Mapping[str, Any]) -> bool | None:
    """Whether a metric filter with the pattern counts a record; None: it cannot be read."""
    test = _read(pattern)
    return None if test is None else test(record)


@functools.lru_cache(maxsize=256)
def _read(pattern: str) -> Test | None:
    if len(pattern) > MAX_LENGTH:
        return None
    text = pattern.strip()
    if not text:
        return lambda _record: True
    try:
        if text.startswith("{"):
            return _Reader(text).pattern()
        return None if text.startswith("[") else _terms(text)
    except _NotReadError:
        return None


# ---------------------------------------------------------------- text


def _terms(text: str) -> Test:
    """Words that the record's text must hold, one of which (`?`) it must, or must not (`-`)."""
    every: list[str] = []
    one_of: list[str] = []
    none_of: list[str] = []
    for sign, quoted, word in _TERM.findall(text):
        target = {"?": one_of, "-": none_of}.get(sign, every)
        target.append(quoted or word)

    import json

    def test(record: Mapping[str, Any]) -> bool:
        whole = json.dumps(record)
        return (
            all(term in whole for term in every)
            and not any(term in whole for term in none_of)
            and (not one_of or any(term in whole for term in one_of))
        )

    return test


# ---------------------------------------------------------------- fields


class _Reader:
    """Reads `{ … }` by descent: `||` binds weaker than `&&`."""

    def __init__(self, text: str) -> None:
        self._tokens: list[tuple[str, str]] = []
        at = 0
        while at < len(text.rstrip()):
            found = _TOKEN.match(text, at)
            if found is None:
                raise _NotReadError(text[at:])
            kind = found.lastgroup or ""
            self._tokens.append((kind, found.group(kind)))
            at = found.end()
        self._at = 0

    def pattern(self) -> Test:
        self._take("{")
        test = self._any(0)
        self._take("}")
        if self._at != len(self._tokens):
            raise _NotReadError("text after the pattern")
        return test

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._at] if self._at < len(self._tokens) else ("", "")

    def _next(self) -> tuple[str, str]:
        token = self._peek()
        self._at += 1
        return token

    def _take(self, mark: str) -> None:
        if self._next() != ("mark", mark):
            raise _NotReadError(f"no {mark}")

    def _any(self, depth: int) -> Test:
        tests = [self._all(depth)]
        while self._peek() == ("mark", "||"):
            self._at += 1
            tests.append(self._all(depth))
        return tests[0] if len(tests) == 1 else lambda record: any(test(record) for test in tests)

    def _all(self, depth: int) -> Test:
        tests = [self._one(depth)]
        while self._peek() == ("mark", "&&"):
            self._at += 1
            tests.append(self._one(depth))
        return tests[0] if len(tests) == 1 else lambda record: all(test(record) for test in tests)

    def _one(self, depth: int) -> Test:
        if depth > MAX_DEPTH:
            raise _NotReadError("too deep")
        if self._peek() == ("mark", "("):
            self._at += 1
            test = self._any(depth + 1)
            self._take(")")
            return test
        kind, name = self._next()
        if kind != "field":
            raise _NotReadError(f"no field: {name}")
        return self._comparison(_path(name))

    def _comparison(self, path: tuple[str | int, ...]) -> Test:
        kind, text = self._next()
        if kind == "word":
            return self._keyword(path, text.upper())
        if kind != "mark":
            raise _NotReadError(f"no operator: {text}")
        value_kind, value = self._next()
        compare = _comparison(text, value_kind, value)
        return lambda record: compare(_field(record, path))

    def _keyword(self, path: tuple[str | int, ...], word: str) -> Test:
        if word == "EXISTS":
            return lambda record: _field(record, path) is not _ABSENT
        kind, text = self._next()
        if kind != "word":
            raise _NotReadError(text)
        match word, text.upper():
            case "NOT", "EXISTS":
                return lambda record: _field(record, path) is _ABSENT
            case "IS", "NULL":
                return lambda record: _field(record, path) is None
            case "IS", "TRUE":
                return lambda record: _field(record, path) is True
            case "IS", "FALSE":
                return lambda record: _field(record, path) is False
            case _:
                raise _NotReadError(f"{word} {text}")


def _path(name: str) -> tuple[str | int, ...]:
    return tuple(
        int(index) if index else key or quoted for key, index, quoted in _STEP.findall(name[1:])
    )


def _field(record: object, path: tuple[str | int, ...]) -> object:
    for step in path:
        match record:
            case dict() if step in record:
                record = record[step]
            case list() if isinstance(step, int) and step < len(record):
                record = record[step]
            case _:
                return _ABSENT
    return record


def _comparison(operator: str, kind: str, value: str) -> Callable[[object], bool]:
    if operator in ("<", ">", "<=", ">="):
        return _numeric(operator, value)
    if operator not in ("=", "!="):
        raise _NotReadError(operator)
    if kind == "regex":
        # of the expression only its plain words matter here; AWS's syntax has no alternatives
        words = [word for word in re.split(r"\W+", value) if word]
        is_equal = _with_words(words)
    elif kind in ("quoted", "word"):
        is_equal = _like(value)
    else:
        raise _NotReadError(value)
    if operator == "=":
        return is_equal
    return lambda found: not is_equal(found)


def _like(value: str) -> Callable[[object], bool]:
    pieces = value.split("*")

    def is_equal(found: object) -> bool:
        if found is _ABSENT or isinstance(found, dict | list) or found is None:
            return False
        text = str(found).lower() if isinstance(found, bool) else str(found)
        return fits(text, pieces)

    return is_equal


def fits(text: str, pieces: list[str]) -> bool:
    """Whether a text is the pieces, in their order, with anything between them."""
    first, *middle = pieces
    if not middle:
        return text == first
    last = middle.pop()
    if len(text) < len(first) + len(last) or not text.startswith(first):
        return False
    if not text.endswith(last):
        return False
    at, end = len(first), len(text) - len(last)
    for piece in middle:
        at = text.find(piece, at, end)
        if at < 0:
            return False
        at += len(piece)
    return True


def _with_words(words: list[str]) -> Callable[[object], bool]:
    return lambda found: isinstance(found, str) and all(word in found for word in words)


def _numeric(operator: str, value: str) -> Callable[[object], bool]:
    try:
        limit = float(value)
    except ValueError:
        raise _NotReadError(value) from None

    def holds(found: object) -> bool:
        if not isinstance(found, int | float) or isinstance(found, bool):
            return False
        return {
            "<": found < limit,
            ">": found > limit,
            "<=": found <= limit,
            ">=": found >= limit,
        }[operator]

    return holds
