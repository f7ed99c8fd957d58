"""Patterns that are compiled late do what compiled ones do."""

from __future__ import annotations

import re

from iam_preflight.late_patterns import late


def test_it_does_what_a_compiled_one_does() -> None:
    word = late(r"[a-z]+", re.IGNORECASE)
    assert [found[0] for found in word.finditer("One two")] == ["One", "two"]
    assert word.fullmatch("Three") is not None
    assert word.sub("-", "a1b") == "-1-"
    assert word.flags & re.IGNORECASE
    assert word.pattern == "[a-z]+"


def test_it_is_compiled_when_it_is_used(monkeypatch) -> None:
    made: list[object] = []
    compiled = re.compile
    monkeypatch.setattr(re, "compile", lambda *given: made.append(given) or compiled(*given))
    number = late(rb"\d+")
    assert made == []
    assert number.search(b"a 12") is not None
    assert number.search(b"a 13") is not None
    assert made == [(rb"\d+", 0)]
