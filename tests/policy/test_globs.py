import itertools
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iam_preflight.policy.automaton import Automaton, TooLarge
from iam_preflight.policy.globs import (
    Relation,
    Symbol,
    Wildcards,
    is_concrete,
    may_meet,
    regex_of,
    relation,
    relation_in_place,
    shown,
    text_tokens,
    tokenize,
)

HOLE = Symbol("«var.bucket»")
OTHER = Symbol("«var.other»")


def text(pattern: str):
    return text_tokens(pattern, Wildcards.TEXT)


def arn(pattern: str):
    return text_tokens(pattern, Wildcards.ARN)


def slow_match(pattern: str, value: str) -> bool:
    """Obviously right, and slow."""
    if not pattern:
        return not value
    head, tail = pattern[0], pattern[1:]
    if head == "*":
        return any(slow_match(tail, value[i:]) for i in range(len(value) + 1))
    return bool(value) and (head == "?" or head == value[0]) and slow_match(tail, value[1:])


PATTERN = st.text("ab*?", max_size=6)
VALUE = st.text("abc", max_size=6)


@given(PATTERN, VALUE)
def test_regular_expressions_match_as_the_slow_model_does(pattern, value):
    assert bool(regex_of(text(pattern)).match(value)) == slow_match(pattern, value)


@given(PATTERN, VALUE)
def test_the_automaton_matches_as_the_slow_model_does(pattern, value):
    assert Automaton((text(pattern),)).run(tuple(value)) == slow_match(pattern, value)


WORDS = ["".join(w) for n in range(7) for w in itertools.product("abc", repeat=n)]


@settings(deadline=None, max_examples=150)
@given(st.text("ab*?", max_size=4), st.text("ab*?", max_size=4))
def test_relations_hold_for_every_short_text(left, right):
    """Texts up to six characters tell patterns of up to four tokens apart."""
    in_left = {word for word in WORDS if slow_match(left, word)}
    in_right = {word for word in WORDS if slow_match(right, word)}
    if not in_left & in_right:
        expected = Relation.DISJOINT
    elif in_left <= in_right:
        expected = Relation.INSIDE
    else:
        expected = Relation.OVERLAPS
    assert relation(text(left), text(right)) is expected


def by_automaton(left, right):
    """How two patterns relate, without any of the short cuts."""
    found = {signature for signature, _ in Automaton((left, right)).classes(50_000, require=0)}
    if 3 not in found:
        return Relation.DISJOINT
    return Relation.OVERLAPS if 1 in found else Relation.INSIDE


PARTS = st.lists(st.sampled_from(["a", "b", "*", "?", ":", HOLE, OTHER]), max_size=6)
ARN_PARTS = st.lists(PARTS, min_size=6, max_size=6).map(
    lambda segments: [sign for segment in segments for sign in (":", *segment)][1:]
)


@settings(deadline=None)
@given(st.one_of(st.tuples(PARTS, PARTS), st.tuples(ARN_PARTS, ARN_PARTS)))
def test_short_cuts_relate_as_the_automaton_does(pair):
    for wildcards in (Wildcards.ARN, Wildcards.TEXT):
        left, right = (tokenize(parts, wildcards) for parts in pair)
        assert relation(left, right) is by_automaton(left, right)


def test_short_cuts_for_open_texts_are_exact():
    words = ("".join(signs) for size in range(5) for signs in itertools.product("ab*", repeat=size))
    patterns = {text(word): None for word in words}
    for left, right in itertools.product(patterns, repeat=2):
        assert relation(left, right) is by_automaton(left, right), (left, right)


@given(st.lists(PATTERN, min_size=1, max_size=4), VALUE)
def test_classes_hold_the_signature_of_every_text_with_a_text_that_has_it(patterns, value):
    automaton = Automaton([text(pattern) for pattern in patterns])
    found = dict(automaton.classes(limit=5000))
    assert automaton.run(tuple(value)) in found
    for signature, example in found.items():
        matched = [slow_match(pattern, "".join(example)) for pattern in patterns]
        assert signature == sum(1 << i for i, yes in enumerate(matched) if yes)


@pytest.mark.parametrize(
    ("pattern", "value", "matches"),
    [
        ("arn:aws:s3:::b/*", "arn:aws:s3:::b/a:b/c", True),
        ("arn:aws:iam::*:role/x", "arn:aws:iam::111122223333:role/x", True),
        ("arn:aws:iam::*:role/x", "arn:aws:iam::1:role/y:role/x", False),
        ("arn:aws:sns:*:topic", "arn:aws:sns:us-east-1:111122223333:topic", False),
        ("arn:aws:sns:*", "arn:aws:sns:us-east-1:111122223333:topic", True),
        ("arn:*", "arn:aws:sns:us-east-1:111122223333:topic", True),
        ("*", "arn:aws:sns:us-east-1:111122223333:topic", True),
        ("arn:aws:sns:us-????-1:*:topic", "arn:aws:sns:us-east-1:1:topic", True),
        ("arn:aws:logs:*:*:log-group:/aws/*:*", "arn:aws:logs:r:1:log-group:/aws/x:stream:y", True),
    ],
)
def test_wildcards_stay_in_the_first_five_segments_of_an_arn(pattern, value, matches):
    assert bool(regex_of(arn(pattern)).match(value)) is matches
    assert bool(Automaton((arn(pattern),)).run(tuple(value))) is matches


def test_a_star_written_as_a_variable_is_only_itself():
    stars = tokenize(("x${*}y",), Wildcards.TEXT, lambda name: (name,) if name in "*?$" else ())
    assert is_concrete(stars)
    assert shown(stars) == "x*y"


def test_without_variables_the_text_is_what_it_is():
    assert shown(tokenize(("b/${aws:username}",), Wildcards.TEXT)) == "b/${aws:username}"


@pytest.mark.parametrize(
    ("left", "right", "expected", "meet"),
    [
        (("arn:", HOLE), ("arn:", HOLE), Relation.INSIDE, True),
        (("arn:", HOLE), ("arn:*",), Relation.INSIDE, True),
        (("arn:", HOLE), ("arn:", OTHER), Relation.DISJOINT, True),
        (("arn:", HOLE), ("arn:x",), Relation.DISJOINT, True),
        (("arn:", HOLE, "/a"), ("arn:", OTHER, "/b"), Relation.DISJOINT, False),
        ((HOLE,), ("*",), Relation.INSIDE, True),
        (("*",), (HOLE,), Relation.OVERLAPS, True),
        ((HOLE,), ("?",), Relation.DISJOINT, True),
    ],
)
def test_holes_match_themselves_and_may_be_anything(left, right, expected, meet):
    a, b = tokenize(left, Wildcards.TEXT), tokenize(right, Wildcards.TEXT)
    assert relation(a, b) is expected
    assert may_meet(a, b) is meet


def test_a_hole_in_a_segment_is_taken_to_stay_in_it():
    account = tokenize(("arn:aws:iam::", HOLE, ":role/x"), Wildcards.ARN)
    assert relation(account, arn("arn:aws:iam::*:role/*")) is Relation.INSIDE
    assert not may_meet(account, arn("arn:aws:iam::111122223333:user/*"))


def test_loose_patterns_miss_no_value_of_a_symbol():
    name = Symbol("${aws:username}")
    read = tokenize(("b/", name, "/x"), Wildcards.TEXT)
    strict = Automaton((text("b/alice/x"), text("b/*/x"), read))
    assert strict.run(read) == 0b110
    loose = Automaton((text("b/alice/x"), text("b/bob/y"), read), loose=(True, True, True))
    assert loose.run(read) == 0b101
    assert loose.run(tuple("b/alice/x")) == 0b101


@pytest.mark.parametrize("pattern", ["*a" * 200 + "b", "*" * 5000 + "b", "a*" * 300])
def test_hostile_patterns_cost_little(pattern):
    started = time.process_time()
    regex_of(text(pattern)).match("a" * 2000)
    relation(text(pattern), text("*b*" * 20))
    assert time.process_time() - started < 5


def test_a_walk_that_grows_too_large_stops():
    patterns = [text(f"*{a}{b}*{c}*") for a, b, c in itertools.permutations("abcdef", 3)]
    with pytest.raises(TooLarge):
        list(Automaton(patterns).classes(limit=500))


def test_regular_expressions_have_no_lookbehind_into_special_characters():
    odd = "a.b[c]{d}(e)|^$\\+"
    assert regex_of(text(odd)).match(odd)
    assert not regex_of(text("a.b")).match("axb")


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("arn:aws:iam::111122223333:policy/app-*", Relation.INSIDE),
        ("arn:aws:iam::aws:policy/app-*", Relation.DISJOINT),
        ("arn:aws:iam::111122223333:policy/other-*", Relation.DISJOINT),
    ],
)
def test_unknown_account_is_the_others_but_never_aws_itself(
    pattern: str, expected: Relation
) -> None:
    asked = tokenize(
        ("arn:", Symbol("«partition»"), ":iam::", Symbol("«account»"), ":policy/app-x"),
        Wildcards.ARN,
    )
    assert relation_in_place(asked, tokenize((pattern,), Wildcards.ARN)) is expected
