"""Conditions against the type of their key, and actions against resources that they do not take."""

from __future__ import annotations

import pytest
from policy_helpers import policy

from iam_preflight.knowledge.catalog import catalog
from iam_preflight.policy.condition_types import type_fault
from iam_preflight.policy.idle_actions import idle_actions


def statement(**elements):
    return policy({"Effect": "Allow", **elements}).statements[0]


def fault(operator, key, *values):
    given = statement(Action="*", Resource="*", Condition={operator: {key: list(values)}})
    return type_fault(given.conditions[0], given, catalog())


@pytest.mark.parametrize(
    ("operator", "key", "value"),
    [
        ("Bool", "aws:SourceArn", "true"),
        ("Bool", "aws:PrincipalOrgID", "true"),
        ("Bool", "aws:SecureTransport", "yes"),
        ("Null", "aws:PrincipalTag/Team", "absent"),
        ("StringEquals", "aws:ViaAWSService", "athena.amazonaws.com"),
        ("NumericLessThan", "aws:SourceIp", "10"),
        ("NumericLessThan", "aws:RequestTag/Size", "large"),
        ("NumericEquals", "aws:PrincipalIsAWSService", "1"),
        ("DateLessThan", "aws:PrincipalArn", "2026-01-01T00:00:00Z"),
        ("ArnLike", "aws:CurrentTime", "arn:aws:iam::111122223333:role/x"),
        ("ArnEquals", "aws:SourceArn", "111122223333"),
        ("IpAddress", "aws:SourceVpc", "10.0.0.0/8"),
        ("IpAddress", "aws:SourceArn", "10.0.0.0/8"),
        ("IpAddress", "aws:SourceIp", "example.com"),
        ("IpAddress", "aws:SourceIp", "192.168.4.0/24"),
        ("NotIpAddress", "aws:SourceIp", "fd00::/8"),
        ("StringLike", "aws:SourceIp", "198.51.100.0/24"),
        ("StringEquals", "aws:PrincipalArn", "arn:aws:iam::111122223333:role/ci-*"),
        ("StringEquals", "aws:RequestedRegion", "eu-*"),
        ("StringEqualsIfExists", "aws:ResourceTag/Team", "orders-*"),
        ("StringEquals", "aws:PrincipalOrgPaths", "o-a1b2c3d4e5/r-ab12/"),
        ("StringNotEquals", "aws:CalledVia", "athena.amazonaws.com"),
    ],
)
def test_what_can_never_match(operator, key, value):
    assert fault(operator, key, value) is not None


@pytest.mark.parametrize(
    ("operator", "key", "value"),
    [
        ("Bool", "aws:SecureTransport", "False"),
        ("StringEquals", "aws:SecureTransport", "false"),
        # a service's own text may be a truth value, a number or have a star
        ("Bool", "ssm:Overwrite", "false"),
        ("StringEquals", "s3:prefix", "home/*"),
        ("NumericLessThan", "aws:PrincipalTag/Level", "3"),
        ("DateGreaterThan", "aws:RequestTag/Expiry", "2026-01-01T00:00:00Z"),
        ("NumericLessThan", "aws:EpochTime", "1790000000"),
        ("StringLike", "aws:PrincipalArn", "arn:aws:iam::111122223333:role/ci-*"),
        ("StringEquals", "aws:SourceArn", "arn:aws:s3:::orders"),
        ("ArnLike", "aws:PrincipalArn", "*"),
        ("ArnLike", "aws:PrincipalArn", "arn:*:iam::*:role/ci"),
        ("StringLike", "aws:SourceIp", "198.51.*"),
        ("StringEquals", "aws:SourceIp", "198.51.100.4"),
        ("IpAddress", "aws:SourceIp", "0.0.0.0/0"),
        ("IpAddress", "aws:VpcSourceIp", "10.0.0.0/8"),
        ("StringEquals", "aws:UserAgent", "*"),
        ("StringEquals", "aws:PrincipalTag/Team", "${aws:ResourceTag/*}"),
        ("Null", "aws:TagKeys", "true"),
        ("ForAllValues:StringEquals", "aws:TagKeys", "Team"),
        ("StringEquals", "events:source", "aws.ec2"),
        # nobody knows
        ("ArnLike", "aws:SourceArn", "«arn»"),
        ("IpAddress", "aws:SourceIp", "«network»"),
        ("Bool", "example.com:sub", "true"),
    ],
)
def test_what_may_match(operator, key, value):
    assert fault(operator, key, value) is None


def test_private_networks_among_public_ones_are_let_pass():
    assert fault("IpAddress", "aws:SourceIp", "10.0.0.0/8", "198.51.100.0/24") is None
    assert fault("IpAddress", "aws:SourceIp", "10.0.0.0/8", "198.51.100.300") is not None


def test_an_unknown_value_beside_a_wrong_one_may_be_right():
    assert fault("ArnLike", "aws:SourceArn", "nonsense", "«arn»") is None


def test_only_what_no_value_can_equal_lets_everything_pass():
    arns = ("arn:aws:iam::111122223333:role/a-*", "arn:aws:iam::111122223333:role/b")
    assert fault("StringNotEquals", "aws:PrincipalArn", *arns[:1]).is_open
    assert not fault("StringNotEquals", "aws:PrincipalArn", *arns).is_open
    assert not fault("StringEquals", "aws:PrincipalArn", *arns[:1]).is_open


def idle(actions, *resources):
    given = statement(Action=actions, Resource=list(resources))
    return [pattern.text for pattern, _ in idle_actions(given, catalog())]


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("s3:GetObject", "arn:aws:s3:::orders"),
        ("s3:ListBucket", "arn:aws:s3:::orders/*"),
        ("s3:ListBucket", "arn:aws:s3:::orders*/x"),
        ("s3:Get*", "arn:aws:sqs:eu-west-1:111122223333:orders"),
        ("kms:Decrypt", "arn:aws:kms:eu-west-1:111122223333:alias/orders"),
        ("dynamodb:PutItem", "arn:aws:dynamodb:eu-west-1:111122223333:table/orders/index/*"),
        ("logs:PutLogEvents", "arn:aws:logs:eu-west-1:111122223333:log-group:orders"),
        ("ecr:GetAuthorizationToken", "arn:aws:ecr:eu-west-1:111122223333:repository/orders"),
    ],
)
def test_what_takes_no_such_resource(action, resource):
    assert idle(action, resource) == [action]


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("s3:GetObject", "arn:aws:s3:::orders*"),
        ("s3:GetObject", "arn:aws:s3:::*"),
        ("s3:ListBucket", "arn:aws:s3:::orders*"),
        ("s3:*", "arn:aws:s3:::orders"),
        ("s3:GetObject", "arn:aws:s3:eu-west-1:111122223333:accesspoint/orders/object/*"),
        ("dynamodb:Query", "arn:aws:dynamodb:eu-west-1:111122223333:table/orders/index/*"),
        ("iam:GetRole", "arn:aws:iam::111122223333:role/teams/orders/worker"),
        ("logs:PutLogEvents", "arn:aws:logs:eu-west-1:111122223333:log-group:orders:*"),
        # several pages of the reference are about this prefix
        ("elasticloadbalancing:AddTags", "arn:aws:elasticloadbalancing:*:*:listener/net/*/*/*"),
        # SAM's own template grants it on state machines, whatever the reference says
        ("states:SendTaskSuccess", "arn:aws:states:eu-west-1:111122223333:stateMachine:orders"),
        ("ec2:DescribeInstances", "*"),
        ("nobody:Knows", "arn:aws:s3:::orders"),
        # nobody knows
        ("s3:GetObject", "arn:aws:s3:::${aws:username}"),
        ("s3:GetObject", "arn:aws:s3:::«bucket»"),
        ("s3:GetObject", "«arn»"),
        ("ec2:DescribeInstances", "arn:aws:ec2:eu-west-1:111122223333:«what»"),
    ],
)
def test_what_may_take_the_resource(action, resource):
    assert idle(action, resource) == []


def test_holes_in_place_of_account_and_region_say_what_kind_it_is():
    queue = "arn:«partition»:sqs:«region»:«account»:orders"
    assert idle(["s3:GetObject", "sqs:SendMessage"], queue) == ["s3:GetObject"]


def test_one_fitting_resource_is_enough():
    assert idle("s3:GetObject", "arn:aws:s3:::orders", "arn:aws:s3:::orders/*") == []


def test_an_operator_that_aws_does_not_have_is_no_matter_of_types():
    given = {
        "String    StringEquals": {"iam:PermissionsBoundary": "arn:aws:iam::111122223333:policy/x*"}
    }
    statement = {"Effect": "Allow", "Action": "iam:*", "Resource": "*", "Condition": given}
    held = policy(statement)
    (condition,) = held.statements[0].conditions
    assert type_fault(condition, held.statements[0], catalog()) is None
