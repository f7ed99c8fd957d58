"""What denials of a document ask of the principals that another of its statements names."""

from __future__ import annotations

import pytest
from policy_helpers import allow, deny, policy

from iam_preflight.policy.denials import Denials

PARTNER = "arn:aws:iam::704219876103:root"
ROLE = "arn:aws:iam::704219876103:role/sender"
QUEUE = "arn:aws:sqs:eu-west-1:444455556666:it"


def asked(given, *denied, who=PARTNER):
    """The conditions that denials add to an Allow; None where nothing is left of it."""
    document = policy(allow(given, QUEUE, Principal={"AWS": who}), *denied)
    statement = document.statements[0]
    (principal,) = statement.principals
    narrowed = Denials(document).narrowed(statement, principal, statement.actions)
    if narrowed is None:
        return None
    return [
        (one.operator.base, one.operator.is_if_exists, one.key_name, one.values[0].text)
        for one in narrowed.conditions
    ]


def everybody(operator, key, value, actions="sqs:*", **more):
    return deny(actions, Principal="*", Condition={operator: {key: value}}, **more)


@pytest.mark.parametrize(
    ("denied", "added"),
    [
        (
            everybody("StringNotEquals", "aws:PrincipalOrgID", "o-abc"),
            ("stringequals", False, "aws:principalorgid", "o-abc"),
        ),
        (
            everybody("StringNotEqualsIfExists", "aws:PrincipalOrgID", "o-abc"),
            ("stringequals", False, "aws:principalorgid", "o-abc"),
        ),
        (
            everybody("Bool", "aws:MultiFactorAuthPresent", "false"),
            ("bool", True, "aws:multifactorauthpresent", "true"),
        ),
        (
            everybody("BoolIfExists", "aws:MultiFactorAuthPresent", "false"),
            ("bool", False, "aws:multifactorauthpresent", "true"),
        ),
        (
            everybody("Null", "aws:SourceVpce", "true"),
            ("null", False, "aws:sourcevpce", "false"),
        ),
        (
            everybody("ForAllValues:StringNotLike", "aws:PrincipalOrgPaths", "o-abc/*"),
            ("stringlike", False, "aws:principalorgpaths", "o-abc/*"),
        ),
    ],
)
def test_to_deny_who_lacks_something_asks_for_it(denied, added):
    assert asked("sqs:SendMessage", denied) == [added]


@pytest.mark.parametrize(
    "denied",
    [
        # it names what is refused, not what is asked
        everybody("StringEquals", "aws:PrincipalOrgID", "o-abc"),
        # holds where one of several values is another, so that none at all gets by
        everybody("ForAnyValue:StringNotLike", "aws:PrincipalOrgPaths", "o-abc/*"),
        # other actions, other resources, other people
        everybody("StringNotEquals", "aws:PrincipalOrgID", "o-abc", actions="sqs:ReceiveMessage"),
        everybody("StringNotEquals", "aws:PrincipalOrgID", "o-abc", Resource=f"{QUEUE}-2"),
        deny(
            "sqs:*",
            Principal={"AWS": ROLE},
            Condition={"StringNotEquals": {"aws:PrincipalOrgID": "o-abc"}},
        ),
        # two conditions: who meets one of them gets by
        deny(
            "sqs:*",
            Principal="*",
            Condition={
                "StringNotEquals": {"aws:PrincipalOrgID": "o-abc", "aws:SourceVpce": "vpce-1"}
            },
        ),
    ],
)
def test_other_denials_ask_for_nothing(denied):
    assert asked("sqs:SendMessage", denied) == []


def test_a_condition_that_the_caller_surely_meets_does_not_count():
    condition = {
        "StringNotEquals": {"aws:PrincipalOrgID": "o-abc"},
        "Bool": {"aws:PrincipalIsAWSService": "false"},
    }
    found = asked("sqs:SendMessage", deny("sqs:*", Principal="*", Condition=condition))
    assert found == [("stringequals", False, "aws:principalorgid", "o-abc")]


@pytest.mark.parametrize(
    ("who", "denied"),
    [
        (PARTNER, deny("sqs:*", Principal={"AWS": "704219876103"})),
        (ROLE, deny("sqs:Send*", Principal={"AWS": PARTNER})),
        (ROLE, deny("sqs:*", QUEUE, Principal={"AWS": ROLE})),
        (PARTNER, everybody("StringNotEquals", "aws:PrincipalAccount", "111122223333")),
        (ROLE, everybody("ArnNotLike", "aws:PrincipalArn", "arn:aws:iam::*:role/reader")),
    ],
)
def test_who_is_denied_all_of_it_is_not_let_in(who, denied):
    assert asked("sqs:SendMessage", denied, who=who) is None


def test_a_denial_that_spares_the_caller_is_not_about_it():
    spared = everybody("ArnNotLike", "aws:PrincipalArn", "arn:aws:iam::*:role/sender")
    assert asked("sqs:SendMessage", spared, who=ROLE) == []
