"""The engine against a slow model, and the laws that any engine has to keep."""

import itertools
import os

from hypothesis import given, settings
from hypothesis import strategies as st
from policy_helpers import document
from slow_model import allows

from iam_preflight.policy.context import Context, Presence
from iam_preflight.policy.difference import NewAccess, NoNewAccess, difference
from iam_preflight.policy.evaluate import Evaluator, PolicySet, Request
from iam_preflight.policy.matchers import ResourceArn
from iam_preflight.policy.truth import Truth

evaluator = Evaluator()
MANY = int(os.environ.get("IAM_PREFLIGHT_EXAMPLES", "80"))
"""More of them find more, and take longer."""

ACTIONS = ("s3:GetObject", "s3:PutObject", "iam:GetRole")
ARNS = ("arn:aws:s3:::a", "arn:aws:s3:::ab", "arn:aws:s3:::b/c", "arn:aws:iam::1:role/a")
VALUES = (None, ["a"], ["ab"], ["a", "b"], [])

action = st.sampled_from(["*", "s3:*", "s3:Get*", "S3:GETOBJECT", "*:Get*", "s?:PutObject"])
arn = st.sampled_from(
    [
        "*",
        "arn:*",
        "arn:aws:s3:::*",
        "arn:aws:s3:::a",
        "arn:aws:s3:::a*",
        "arn:aws:*:*:*:?",
        "arn:aws:s3:::?/*",
        "arn:aws:iam::*:role/a",
    ]
)
operator = st.sampled_from(
    [
        "StringEquals",
        "StringNotEquals",
        "StringLike",
        "StringNotLike",
        "StringEqualsIfExists",
        "StringNotLikeIfExists",
        "ForAnyValue:StringEquals",
        "ForAllValues:StringLike",
        "ForAnyValue:StringNotLike",
        "ForAllValues:StringNotEquals",
    ]
)
effects = st.sampled_from(["Allow", "Allow", "Deny"])
value = st.sampled_from(["a", "b", "a*", "*", "?"])


def some(strategy):
    return st.lists(strategy, min_size=1, max_size=2)


condition = st.one_of(
    st.fixed_dictionaries(
        {"Null": st.fixed_dictionaries({"k": st.sampled_from(["true", "false"])})}
    ),
    st.dictionaries(
        operator,
        st.dictionaries(st.sampled_from("kl"), some(value), min_size=1),
        min_size=1,
        max_size=2,
    ),
)


@st.composite
def statement(draw, effect=effects):
    found = {"Effect": draw(effect)}
    found[draw(st.sampled_from(["Action", "Action", "NotAction"]))] = draw(some(action))
    found[draw(st.sampled_from(["Resource", "Resource", "NotResource"]))] = draw(some(arn))
    if draw(st.booleans()):
        found["Condition"] = draw(condition)
    return found


@st.composite
def policy(draw):
    return {
        "Version": "2012-10-17",
        "Statement": draw(st.lists(statement(), min_size=1, max_size=3)),
    }


requests = st.tuples(
    st.sampled_from(ACTIONS),
    st.sampled_from(ARNS),
    st.fixed_dictionaries({"k": st.sampled_from(VALUES), "l": st.sampled_from(VALUES)}),
)


def decide(policies, request):
    name, resource, context = request
    known = {key: Presence.ABSENT if v is None else v for key, v in context.items()}
    asked = Request(name, ResourceArn.exactly(resource), context=Context(known, Presence.ABSENT))
    return evaluator.decide(policies, asked).truth


def identity(*policies):
    return PolicySet(identity=tuple(map(document, policies)))


def slowly(given_policy, request):
    name, resource, context = request
    return allows(given_policy, name, resource, {k: v for k, v in context.items() if v is not None})


@settings(deadline=None, max_examples=MANY // 2)
@given(policy(), requests)
def test_the_evaluator_agrees_with_the_slow_model(given_policy, request):
    assert decide(identity(given_policy), request) is Truth.of(slowly(given_policy, request))


@settings(deadline=None, max_examples=MANY // 2)
@given(policy(), statement(st.just("Deny")), requests)
def test_a_deny_never_adds_access(given_policy, denial, request):
    with_denial = {**given_policy, "Statement": [*given_policy["Statement"], denial]}
    assert decide(identity(with_denial), request) <= decide(identity(given_policy), request)
    assert not isinstance(difference(document(given_policy), document(with_denial)), NewAccess)


@settings(deadline=None, max_examples=MANY // 2)
@given(policy(), policy(), requests)
def test_what_is_effective_is_inside_the_boundary(own, boundary, request):
    bounded = PolicySet(identity=(document(own),), boundary=document(boundary))
    assert decide(bounded, request) is min(
        decide(identity(own), request), decide(identity(boundary), request)
    )
    assert not isinstance(difference(document(boundary), bounded), NewAccess)


@settings(deadline=None, max_examples=MANY // 2)
@given(policy(), st.permutations([0, 1, 2]), requests)
def test_the_order_of_statements_does_not_matter(given_policy, order, request):
    statements = given_policy["Statement"]
    shuffled = [statements[i] for i in order if i < len(statements)]
    other = {**given_policy, "Statement": shuffled}
    assert decide(identity(given_policy), request) is decide(identity(other), request)
    assert difference(document(given_policy), document(other)) == NoNewAccess()


EVERYTHING = [
    (name, resource, {"k": k, "l": other})
    for name, resource, k, other in itertools.product(ACTIONS, ARNS, VALUES, (None, ["a"]))
]


@settings(deadline=None, max_examples=MANY)
@given(policy(), policy())
def test_the_difference_agrees_with_trying_everything(old, new):
    found = difference(document(old), document(new))
    if any(slowly(new, request) and not slowly(old, request) for request in EVERYTHING):
        assert isinstance(found, NewAccess)
    if isinstance(found, NewAccess):
        for witness in found.witnesses:
            context = {k: None if v is None else list(v) for k, v in witness.context}
            request = (witness.action, witness.resource, context)
            assert slowly(new, request)
            assert not slowly(old, request)


@settings(deadline=None, max_examples=MANY // 2)
@given(policy(), policy(), policy())
def test_what_is_no_wider_twice_is_no_wider(first, second, third):
    a, b, c = map(document, (first, second, third))
    if difference(b, a) == NoNewAccess() == difference(c, b):
        assert difference(c, a) == NoNewAccess()
