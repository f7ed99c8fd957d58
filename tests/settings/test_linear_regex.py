"""Patterns from a repository's settings: the same answers as `re`, without its slow corners."""

from __future__ import annotations

import contextlib
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iam_preflight.linear_regex import LinearRegex, PatternError

ATOMS = ["a", "b", ".", "[ab]", "[^a]", r"\d", r"\D", "(a|b)", "(?:ab)", "(a|)", r"\w", "[a-c]"]
ATOMS += [r"\.", r"[\d-]", r"[^\s]", r"\s"]
QUANTIFIERS = ["", "", "*", "+", "?", "{2}", "{0,2}", "{1,}", "{0}", "*?", "+?"]

pieces = st.builds(
    lambda atom, quantifier: atom + quantifier, *map(st.sampled_from, (ATOMS, QUANTIFIERS))
)
sequences = st.lists(pieces, max_size=4).map("".join)
groups = st.builds(
    lambda inner, quantifier: f"({inner}){quantifier}", sequences, st.sampled_from(QUANTIFIERS)
)
patterns = st.lists(st.one_of(sequences, groups), min_size=1, max_size=3).map("|".join)


@given(patterns, st.text("abc1. -", max_size=8))
def test_answers_as_the_re_module_does(pattern: str, text: str) -> None:
    assert LinearRegex(pattern).matches(text) is (re.fullmatch(pattern, text) is not None)


@pytest.mark.parametrize("pattern", ["^a$", "^a|^b$", "a$|b"])
def test_anchors_at_the_ends_change_nothing(pattern: str) -> None:
    assert LinearRegex(pattern).matches("a")
    assert not LinearRegex(pattern).matches("aa")


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("(", "not closed"),
        ("[a", "not closed"),
        (")", "unexpected"),
        ("*a", "nothing to repeat"),
        ("a**", "nothing to repeat"),
        (r"(a)\1", "not supported"),
        ("(?=a)", "not supported"),
        ("a^b", "neither first nor last"),
        ("[b-a]", "wrong way round"),
        ("a{5,2}", "lower one first"),
        ("a{x}", "not a count"),
        ("a" * 501, "longer than"),
        ("(" * 30 + ")" * 30, "nested too deeply"),
        ("((a{100}){100}){100}", "repeats too much"),
    ],
)
def test_refuses_with_the_reason(pattern: str, why: str) -> None:
    with pytest.raises(PatternError, match=re.escape(why)):
        LinearRegex(pattern)


@pytest.mark.parametrize("pattern", ["(a*)*b", "(a|a)*b", "(a|aa)+b", "a*a*a*a*a*a*b"])
def test_classic_slow_patterns_take_time_linear_in_the_text(pattern: str) -> None:
    regex = LinearRegex(pattern)
    started = time.process_time()
    assert not regex.matches("a" * 20_000)
    assert time.process_time() - started < 5


@given(st.text(max_size=60))
def test_any_text_is_a_pattern_or_an_error(pattern: str) -> None:
    with contextlib.suppress(PatternError):
        LinearRegex(pattern).matches("some text")
