"""What is decided once for many requests is what is decided for each of them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from policy_helpers import policy

from iam_preflight.policy.callers import Caller
from iam_preflight.policy.context import UNKNOWN_CONTEXT
from iam_preflight.policy.effective import Effective
from iam_preflight.policy.evaluate import Evaluator, PolicySet, Request
from iam_preflight.policy.matchers import DocumentMatcher

ACCOUNT = "111122223333"
CALLERS = [
    Caller.role(f"arn:aws:iam::{ACCOUNT}:role/a"),
    Caller.role(f"arn:aws:iam::{ACCOUNT}:role/path/b"),
    Caller.user(f"arn:aws:iam::{ACCOUNT}:user/a"),
    Caller.user(f"arn:aws:iam::{ACCOUNT}:user/b"),
]
ACTIONS = ["s3:GetObject", "s3:PutObject", "sts:AssumeRole"]
RESOURCES = ["arn:aws:s3:::a/x", "arn:aws:s3:::b/y", f"arn:aws:iam::{ACCOUNT}:role/a", "*"]
CONDITIONS = [
    {},
    {},
    {"Condition": {"StringEquals": {"aws:PrincipalTag/team": "a"}}},
    {"Condition": {"StringLike": {"aws:username": "a"}}},
]
PRINCIPALS = [
    "*",
    {"AWS": "*"},
    {"AWS": ACCOUNT},
    {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
    {"AWS": f"arn:aws:iam::{ACCOUNT}:role/a"},
    {"AWS": f"arn:aws:iam::{ACCOUNT}:user/*"},
    {"AWS": "«who»"},
    {"AWS": f"arn:aws:iam::{ACCOUNT}:role/«which»"},
    {"AWS": "arn:aws:iam::«account»:role/a"},
    {"Service": "ec2.amazonaws.com"},
    {"Federated": f"arn:aws:iam::{ACCOUNT}:saml-provider/x"},
]

statement = st.builds(
    lambda effect, action, resource, condition: {
        "Effect": effect,
        "Action": action,
        **resource,
        **condition,
    },
    st.sampled_from(["Allow", "Allow", "Deny"]),
    st.sampled_from(["*", "s3:*", "s3:Get*", "sts:AssumeRole", "ec2:*"]),
    st.sampled_from(
        [
            {"Resource": "*"},
            {"Resource": "*"},
            {"Resource": ["arn:aws:s3:::a/*", "*"]},
            {"Resource": "arn:aws:s3:::a/*"},
            {"Resource": "arn:aws:s3:::${aws:username}/*"},
            {"Resource": "arn:aws:s3:::«bucket»/*"},
            {"NotResource": "arn:aws:s3:::a/*"},
        ]
    ),
    st.sampled_from(CONDITIONS),
)
trust = st.builds(
    lambda effect, element, principal, condition: {
        "Effect": effect,
        "Action": "sts:AssumeRole",
        element: principal,
        **condition,
    },
    st.sampled_from(["Allow", "Allow", "Deny"]),
    st.sampled_from(["Principal", "Principal", "Principal", "NotPrincipal"]),
    st.sampled_from(PRINCIPALS),
    st.sampled_from(CONDITIONS),
)


@given(
    st.lists(st.lists(statement, min_size=1, max_size=3), max_size=2),
    st.sampled_from(ACTIONS),
    st.sampled_from(RESOURCES),
    st.sampled_from(CALLERS),
)
def test_what_is_settled_is_what_each_request_gets(written, action, resource, caller):
    documents = tuple(policy(*statements) for statements in written)
    policies = PolicySet(identity=documents)
    evaluator = Evaluator()
    # others have asked before, about something else
    for other in RESOURCES:
        Effective(evaluator, policies, CALLERS[0]).allows(action, other)
    got = Effective(evaluator, policies, caller).allows(action, resource)
    asked = Request(action, resource, caller, UNKNOWN_CONTEXT)
    wanted = Evaluator().decide(policies, asked)
    assert (got.truth, got.doubt, got.missing) == (wanted.truth, wanted.doubt, wanted.missing)
    assert got.allowed_by == wanted.allowed_by
    if wanted.allowed_by:
        assert got.denied_by == wanted.denied_by


@given(st.lists(trust, min_size=1, max_size=3), st.sampled_from([(0, 1), (2, 3)]))
def test_who_is_not_told_apart_gets_the_same_answer(written, pair):
    document = policy(*written)
    if DocumentMatcher(document).tells_apart("sts:assumerole"):
        return
    role = f"arn:aws:iam::{ACCOUNT}:role/target"
    policies = PolicySet(resource=document)
    requests = [Request("sts:AssumeRole", role, CALLERS[number]) for number in pair]
    first, second = (Evaluator().decide(policies, request) for request in requests)
    assert first == second


def test_most_trust_policies_that_name_somebody_tell_apart():
    named = policy(
        {
            "Effect": "Allow",
            "Action": "sts:AssumeRole",
            "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:role/a"},
        }
    )
    assert DocumentMatcher(named).tells_apart("sts:assumerole")
    assert not DocumentMatcher(named).tells_apart("sts:tagsession")
