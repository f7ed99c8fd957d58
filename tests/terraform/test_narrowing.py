"""Values under assumptions: what has no alternatives stays what it is."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from iam_preflight.source import SourceFile
from iam_preflight.terraform.narrowing import has_choice, narrow
from iam_preflight.values import (
    Absent,
    Assumption,
    Choice,
    Json,
    Known,
    Listing,
    Mapping,
    Reason,
    Unknown,
    Value,
)

SPAN = SourceFile("main.tf", b"x").whole()
SIDES = [(Assumption("is_prod", True),), (Assumption("is_prod", False),)]

leaves: st.SearchStrategy[Value] = st.one_of(
    st.sampled_from(["a", "b", 1, None, True]).map(lambda scalar: Known(scalar, SPAN)),
    st.just(Unknown(Reason.VARIABLE, "var.x", SPAN)),
)


def _grown(inner: st.SearchStrategy[Value]) -> st.SearchStrategy[Value]:
    maybe = st.none() | inner
    arms = st.tuples(inner, inner | st.just(Absent(None, SPAN)))
    return st.one_of(
        st.builds(lambda items, rest: Listing(tuple(items), SPAN, rest), st.lists(inner), maybe),
        st.builds(
            lambda entries, rest: Mapping(entries, SPAN, None, rest),
            st.dictionaries(st.sampled_from("abc"), inner),
            maybe,
        ),
        arms.map(lambda pair: Choice(tuple(zip(SIDES, pair, strict=True)), SPAN)),
        inner.map(lambda value: Json(value, SPAN)),
    )


values = st.recursive(leaves, _grown, max_leaves=12)


@given(values, st.sampled_from(SIDES))
def test_what_has_no_choice_is_not_changed(value: Value, assumed: tuple[Assumption, ...]) -> None:
    if not has_choice(value):
        assert narrow(value, assumed) is value


@given(leaves, leaves)
def test_an_alternative_anywhere_is_seen(first: Value, second: Value) -> None:
    either = Choice(tuple(zip(SIDES, (first, second), strict=True)), SPAN)
    for value in (
        either,
        Listing((first, either), SPAN),
        Listing((first,), SPAN, either),
        Mapping({"a": first, "b": either}, SPAN),
        Mapping({"a": first}, SPAN, None, either),
        Json(Listing((either,), SPAN), SPAN),
    ):
        assert has_choice(value)
        assert not has_choice(narrow(value, SIDES[0]))
    assert not has_choice(Listing((first, second), SPAN))


def test_a_value_in_which_one_thing_stands_many_times_is_not_looked_through() -> None:
    value: Value = Known("a", SPAN)
    for _ in range(60):
        value = Listing((value, value), SPAN)
    assert has_choice(value)
    assert narrow(value, SIDES[0]) is value
