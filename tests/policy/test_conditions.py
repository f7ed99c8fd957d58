import pytest
from policy_helpers import allow, policy

from iam_preflight.policy.conditions import compare, date_of
from iam_preflight.policy.context import Context, Presence
from iam_preflight.policy.matchers import DocumentMatcher
from iam_preflight.policy.truth import Doubt, Truth

KEY = "aws:k"


def ask(operator, values, context, *, version="2012-10-17", key=KEY):
    """The answer of one condition for a request that carries `context` and nothing else."""
    document = policy(allow("*", Condition={operator: {key: values}}), version=version)
    (statement,) = DocumentMatcher(document).statements
    return statement.conditions_hold(Context(context, Presence.ABSENT))[0]


@pytest.mark.parametrize(
    ("operator", "values", "actual", "met"),
    [
        ("StringEquals", "a", "a", True),
        ("StringEquals", "A", "a", False),
        ("StringEquals", "a*", "ab", False),
        ("StringEquals", ["x", "a"], "a", True),
        ("StringNotEquals", ["x", "a"], "a", False),
        ("StringEqualsIgnoreCase", "A", "a", True),
        ("StringNotEqualsIgnoreCase", "A", "a", False),
        ("StringLike", "a*c?", "abbcd", True),
        ("StringNotLike", "a*", "abc", False),
        ("NumericEquals", "10", "10.0", True),
        ("NumericLessThan", "10", "9", True),
        ("NumericLessThan", "10", "10", False),
        ("NumericGreaterThanEquals", 10, "10", True),
        ("NumericEquals", "10", "ten", False),
        ("DateLessThan", "2026-01-01T00:00:00Z", "2025-12-31T23:59:59Z", True),
        ("DateGreaterThan", "2026-01-01", "1767225601", True),
        ("DateEquals", "2026-01-01T01:00:00+01:00", "2026-01-01T00:00:00Z", True),
        ("Bool", "true", "TRUE", True),
        ("Bool", True, "false", False),
        ("IpAddress", "10.0.0.0/8", "10.1.2.3", True),
        ("IpAddress", "10.0.0.0/8", "11.1.2.3", False),
        ("IpAddress", "2001:db8::/32", "2001:db8::1", True),
        ("IpAddress", "0.0.0.0/0", "2001:db8::1", False),
        ("NotIpAddress", ["10.0.0.0/8", "192.0.2.1"], "192.0.2.1", False),
        ("ArnLike", "arn:aws:s3:*:*:b", "arn:aws:s3:eu-west-1:1:b", True),
        ("ArnEquals", "arn:aws:iam::*:role/x*", "arn:aws:iam::1:role/xy", True),
        ("ArnLike", "arn:aws:iam::*:role/x", "arn:aws:iam::1:y:role/x", False),
        ("ArnNotLike", "arn:aws:iam::*:role/*", "arn:aws:iam::1:user/a", True),
        ("BinaryEquals", "QUJD", "QUJD", True),
        ("BinaryEquals", "QUJD", "QUJE", False),
        ("stringequals", "a", "a", True),
    ],
)
def test_operators(operator, values, actual, met):
    assert ask(operator, values, {KEY: actual}) is Truth.of(met)


@pytest.mark.parametrize(
    ("operator", "met"),
    [
        ("StringEquals", False),
        ("StringNotEquals", True),
        ("StringEqualsIfExists", True),
        ("NumericLessThanIfExists", True),
        ("Bool", False),
        ("BoolIfExists", True),
        ("IpAddress", False),
        ("NotIpAddress", True),
        ("ForAllValues:StringEquals", True),
        ("ForAllValues:StringNotEquals", True),
        ("ForAnyValue:StringEquals", False),
        ("ForAnyValue:StringNotEquals", False),
        ("ForAnyValue:StringEqualsIfExists", True),
    ],
)
def test_what_operators_say_when_the_key_is_absent(operator, met):
    assert ask(operator, "a", {}) is Truth.of(met)


@pytest.mark.parametrize(
    ("value", "context", "met"),
    [
        ("true", {}, True),
        ("true", {KEY: "x"}, False),
        ("false", {}, False),
        (False, {KEY: "x"}, True),
    ],
)
def test_null_asks_for_the_absence_of_a_key(value, context, met):
    assert ask("Null", value, context) is Truth.of(met)


@pytest.mark.parametrize(
    ("operator", "values", "actual", "met"),
    [
        ("ForAllValues:StringEquals", ["a", "b"], ["a"], True),
        ("ForAllValues:StringEquals", ["a", "b"], ["a", "c"], False),
        ("ForAllValues:StringEquals", ["a"], [], True),
        ("ForAnyValue:StringEquals", ["a", "b"], ["c", "b"], True),
        ("ForAnyValue:StringEquals", ["a"], ["c"], False),
        ("ForAnyValue:StringNotEquals", ["a"], ["a", "b"], True),
        ("ForAnyValue:StringNotEquals", ["a"], ["a"], False),
        ("ForAllValues:StringNotEquals", ["a"], ["b", "c"], True),
        ("ForAllValues:StringNotEquals", ["a"], ["b", "a"], False),
        ("ForAnyValue:StringLike", ["o-1/*"], ["x", "o-1/r"], True),
    ],
)
def test_set_operators(operator, values, actual, met):
    assert ask(operator, values, {KEY: actual}) is Truth.of(met)


def test_names_of_keys_ignore_case_and_values_do_not():
    assert ask("StringEquals", "v", {"AWS:K": "v"}, key="aws:k") is Truth.YES
    assert ask("StringEquals", "V", {"aws:k": "v"}) is Truth.NO


@pytest.mark.parametrize(
    ("value", "context", "met"),
    [
        ("${aws:username}", {KEY: "alice", "aws:username": "alice"}, True),
        ("${AWS:UserName}", {KEY: "alice", "aws:username": "alice"}, True),
        ("x-${aws:username}", {KEY: "x-alice", "aws:username": "alice"}, True),
        ("${aws:username}", {KEY: "bob", "aws:username": "alice"}, False),
        ("${aws:username}", {KEY: "alice"}, False),
        ("${aws:username, 'nobody'}", {KEY: "nobody"}, True),
        ("${aws:username, 'nobody'}", {KEY: "alice", "aws:username": "alice"}, True),
        ("${aws:TagKeys}", {KEY: "a", "aws:TagKeys": ["a", "b"]}, False),
        ("a${*}", {KEY: "a*"}, True),
        ("a${*}", {KEY: "ab"}, False),
        ("${$}{x}", {KEY: "${x}"}, True),
    ],
)
def test_policy_variables(value, context, met):
    assert ask("StringLike", value, context) is Truth.of(met)


def test_a_value_of_a_variable_is_text_and_no_pattern():
    assert ask("StringLike", "${aws:x}", {KEY: "ab", "aws:x": "a*"}) is Truth.NO
    assert ask("StringLike", "${aws:x}", {KEY: "a*", "aws:x": "a*"}) is Truth.YES


def test_the_old_version_has_no_variables():
    context = {KEY: "${aws:username}", "aws:username": "alice"}
    assert ask("StringEquals", "${aws:username}", context, version="2008-10-17") is Truth.YES


def test_variables_count_only_where_text_is_compared():
    context = {KEY: "true", "aws:x": "true"}
    assert ask("Bool", "${aws:x}", context) is Truth.NO


# ---- what nobody knows


def doubtful(operator, values, context=None, rest=Presence.UNKNOWN):
    document = policy(allow("*", Condition={operator: {KEY: values}}))
    (statement,) = DocumentMatcher(document).statements
    return statement.conditions_hold(Context(context, rest))


@pytest.mark.parametrize(
    ("operator", "values", "truth"),
    [
        ("StringEquals", "a", Truth.MAYBE),
        ("StringNotEquals", "a", Truth.MAYBE),
        ("StringLikeIfExists", "*", Truth.YES),
        ("StringLike", "*", Truth.MAYBE),
        ("StringNotLike", "*", Truth.MAYBE),
        ("ForAnyValue:StringNotLike", "*", Truth.NO),
        ("ForAllValues:StringLike", "*", Truth.YES),
    ],
)
def test_an_unknown_request_makes_it_a_maybe_unless_nothing_can_change_it(operator, values, truth):
    found, doubt = doubtful(operator, values)
    assert found is truth
    assert doubt is (Doubt.CONDITION if truth is Truth.MAYBE else Doubt.NONE)


def test_a_key_that_is_there_with_an_unknown_value():
    context = {KEY: Presence.PRESENT}
    assert doubtful("StringLike", "*", context)[0] is Truth.YES
    assert doubtful("Null", "true", context)[0] is Truth.NO
    assert doubtful("StringEquals", "a", context)[0] is Truth.MAYBE


def test_a_hole_in_a_value_makes_it_a_maybe():
    assert doubtful("StringEquals", "«var.org»", {KEY: "o-1"}) == (Truth.MAYBE, Doubt.HOLE)
    assert doubtful("StringEquals", "o-«var.org»", {KEY: "p-1"})[0] is Truth.NO
    assert doubtful("StringNotEquals", "o-«var.org»", {KEY: "p-1"})[0] is Truth.YES
    assert doubtful("IpAddress", "«var.cidr»", {KEY: "10.0.0.1"}) == (Truth.MAYBE, Doubt.HOLE)


def test_an_operator_that_nobody_knows_makes_it_a_maybe():
    assert doubtful("StringResembles", "a", {KEY: "a"}) == (Truth.MAYBE, Doubt.HOLE)


@pytest.mark.parametrize("text", ["", "not a date", "2026-13-45", "9" * 500, "1e999999", "NaN"])
def test_odd_values_match_nothing_and_break_nothing(text):
    for base in ("dateequals", "numericlessthan", "ipaddress", "bool"):
        assert not compare(base, text, "2026-01-01")


def test_dates_are_read_in_all_the_forms_that_aws_takes():
    midnight = date_of("2026-01-01T00:00:00Z")
    for text in ("2026-01-01", "2026-01", "2026", "2026-01-01T00:00Z", "1767225600"):
        assert date_of(text) == midnight
