import pytest
from policy_helpers import allow, policy

from iam_preflight.knowledge.catalog import catalog
from iam_preflight.policy.document import Pattern
from iam_preflight.policy.openness import Openings
from iam_preflight.policy.scope import Strength, breadth, judge, restriction
from iam_preflight.policy.truth import Truth
from iam_preflight.source import SourceFile
from iam_preflight.values import Reason, Unknown

facts = catalog()


def how_broad(resource, action, element="Resource"):
    statement = {"Effect": "Allow", "Action": action, element: resource}
    known = facts.action(action)
    assert known is not None
    return breadth(policy(statement).statements[0], known)[0]


@pytest.mark.parametrize(
    ("resource", "action"),
    [
        ("*", "s3:GetObject"),
        ("arn:*", "s3:GetObject"),
        ("arn:aws:*:*:*:*", "s3:GetObject"),
        ("arn:aws:s3:::*", "s3:GetObject"),
        ("arn:aws:s3:::*/*", "s3:GetObject"),
        ("arn:aws:iam::111122223333:role/*", "iam:PassRole"),
        ("arn:aws:iam::*:role/?*", "iam:PassRole"),
        ("arn:aws:kms:eu-west-1:111122223333:key/*", "kms:Decrypt"),
        ("arn:«var.partition»:iam::«account»:role/*", "iam:PassRole"),
        ("arn:aws:secretsmanager:*:*:secret:*", "secretsmanager:GetSecretValue"),
        (["arn:aws:s3:::data/*", "arn:aws:s3:::*"], "s3:GetObject"),
    ],
)
def test_an_open_name_is_broad_wherever_it_is(resource, action):
    assert how_broad(resource, action) is Truth.YES


@pytest.mark.parametrize(
    ("resource", "action"),
    [
        ("arn:aws:s3:::data/*", "s3:GetObject"),
        ("arn:aws:s3:::data-*", "s3:ListBucket"),
        ("arn:aws:iam::*:role/app/*", "iam:PassRole"),
        ("arn:aws:iam::*:role/app-*", "iam:PassRole"),
        ("arn:aws:iam::*:user/*", "iam:PassRole"),
        ("arn:aws:s3:::${aws:username}/*", "s3:GetObject"),
        ("*", "s3:ListAllMyBuckets"),
        ([], "s3:GetObject"),
    ],
)
def test_a_fixed_part_of_the_name_is_not(resource, action):
    assert how_broad(resource, action) is Truth.NO


def test_a_variable_without_a_value_may_be_a_wildcard():
    assert how_broad("«var.resource»", "s3:GetObject") is Truth.MAYBE
    assert how_broad("arn:aws:s3:::data-«var.name»/*", "s3:GetObject") is Truth.NO


def test_holes_of_one_name_are_told_apart_by_what_they_stand_for():
    # two templates: a parameter `Queue` in one, a queue of that name in the other
    openings = Openings(facts)
    source = SourceFile("policy.json", b"").whole()

    def maybe_broad(reason):
        hole = Unknown(reason, "Queue", source)
        return openings.broad_masks("sqs", Pattern(("arn:aws:sqs:::", hole), source))[1]

    assert maybe_broad(Reason.PARAMETER)
    assert not maybe_broad(Reason.COMPUTED)


def test_everything_but_something_is_broad():
    assert how_broad("arn:aws:s3:::data/*", "s3:GetObject", "NotResource") is Truth.YES
    assert how_broad("*", "s3:GetObject", "NotResource") is Truth.NO


def strength(action, **condition):
    statement = policy(allow(action, Condition=condition["Condition"])).statements[0]
    return restriction(statement, action, facts)


@pytest.mark.parametrize(
    ("action", "condition", "expected"),
    [
        ("iam:PassRole", {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}}, 3),
        ("iam:PassRole", {"StringLikeIfExists": {"iam:PassedToService": "ec2.*"}}, 3),
        ("s3:GetObject", {"StringEquals": {"aws:PrincipalOrgID": "o-1234567890"}}, 3),
        ("ec2:StopInstances", {"StringEquals": {"aws:ResourceTag/team": "red"}}, 3),
        ("s3:GetObject", {"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/app"}}, 3),
        ("ec2:RunInstances", {"ForAnyValue:StringEquals": {"aws:TagKeys": "a"}}, 3),
        ("ec2:StopInstances", {"StringLike": {"aws:ResourceTag/team": "*"}}, 3),
        ("ec2:StopInstances", {"Null": {"aws:ResourceTag/team": "false"}}, 3),
        ("ec2:RunInstances", {"StringLike": {"aws:RequestTag/team": "*"}}, 2),
        ("kms:Decrypt", {"Null": {"kms:EncryptionContext:PARAMETER_ARN": "false"}}, 2),
        ("ec2:StopInstances", {"StringLikeIfExists": {"aws:ResourceTag/team": "*"}}, 0),
        (
            "ec2:RunInstances",
            {"ForAllValues:StringEquals": {"aws:TagKeys": "a"}, "Null": {"aws:TagKeys": "false"}},
            3,
        ),
        (
            "ec2:RunInstances",
            {"ForAllValues:StringEquals": {"aws:TagKeys": "a"}, "Null": {"aws:TagKeys": "False"}},
            3,
        ),
        (
            # either will do, so that nothing is asked for
            "ec2:RunInstances",
            {
                "ForAllValues:StringEquals": {"aws:TagKeys": "a"},
                "Null": {"aws:TagKeys": ["true", "false"]},
            },
            0,
        ),
        ("s3:GetObject", {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, 2),
        ("s3:GetObject", {"StringEquals": {"aws:RequestedRegion": "eu-west-1"}}, 2),
        ("iam:CreateUser", {"StringEquals": {"aws:RequestedRegion": "eu-west-1"}}, 4),
        ("iam:CreateUser", {"StringEquals": {"aws:RequestedRegion": "us-east-1"}}, 2),
        ("s3:GetObject", {"Bool": {"aws:MultiFactorAuthPresent": "true"}}, 2),
        ("s3:GetObject", {"DateLessThan": {"aws:CurrentTime": "2030-01-01T00:00:00Z"}}, 2),
        ("s3:GetObject", {"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}}, 0),
        ("s3:GetObject", {"StringLike": {"aws:RequestedRegion": "*"}}, 0),
        ("s3:GetObject", {"StringLike": {"aws:RequestedRegion": ["eu-west-1", "*"]}}, 0),
        ("s3:GetObject", {"StringLike": {"aws:PrincipalOrgID": "o-*"}}, 0),
        ("s3:GetObject", {"ArnLike": {"aws:PrincipalArn": "arn:*:*:*:*:*"}}, 0),
        ("s3:GetObject", {"Bool": {"aws:SecureTransport": "true"}}, 0),
        ("s3:GetObject", {"DateGreaterThan": {"aws:TokenIssueTime": "2020-01-01T00:00:01Z"}}, 0),
        ("s3:GetObject", {"StringEqualsIfExists": {"aws:SourceVpce": "vpce-1"}}, 0),
        ("s3:GetObject", {"StringNotEquals": {"aws:PrincipalOrgID": "o-1"}}, 0),
        ("ec2:RunInstances", {"ForAllValues:StringEquals": {"aws:TagKeys": "a"}}, 0),
        ("s3:GetObject", {"Null": {"aws:MultiFactorAuthAge": "false"}}, 0),
        ("s3:GetObject", {"StringEqualsIfExists": {"iam:PassedToService": "x"}}, 0),
        ("iam:CreateUser", {"StringEquals": {"iam:PassedToService": "x"}}, 4),
        ("s3:GetObject", {"StringEquals": {"aws:NoSuchKey": "x"}}, 4),
        ("s3:GetObject", {"StringEquals": {"aws:ResourceAccount": "${aws:PrincipalAccount}"}}, 1),
        ("s3:GetObject", {"StringNotEquals": {"s3:ResourceAccount": "${aws:PrincipalAccount}"}}, 3),
        ("s3:GetObject", {"StringEquals": {"aws:ResourceAccount": "111122223333"}}, 3),
        ("s3:GetObject", {"StringEquals": {"aws:ResourceOrgID": "o-1234567890"}}, 1),
        ("sts:AssumeRole", {"StringEquals": {"aws:ResourceOrgID": "o-1234567890"}}, 3),
    ],
)
def test_what_a_condition_is_worth(action, condition, expected):
    assert strength(action, Condition=condition) == Strength(expected)


def test_conditions_count_together_and_say_why():
    condition = {
        "Bool": {"aws:SecureTransport": "true"},
        "StringEquals": {"aws:RequestedRegion": "eu-west-1"},
    }
    statement = policy(allow("s3:GetObject", Condition=condition)).statements[0]
    judgements = list(judge(statement, "s3:GetObject", facts))
    assert [j.strength for j in judgements] == [Strength.NOTHING, Strength.CONTEXT]
    assert judgements[0].why == "aws:SecureTransport is true in ordinary requests"
    assert all(j.is_certain for j in judgements)


def test_a_hole_leaves_the_worth_open():
    condition = {"StringEquals": {"aws:PrincipalOrgID": "«var.org»"}}
    statement = policy(allow("s3:GetObject", Condition=condition)).statements[0]
    (judgement,) = judge(statement, "s3:GetObject", facts)
    assert judgement.strength is Strength.SCOPE
    assert not judgement.is_certain
