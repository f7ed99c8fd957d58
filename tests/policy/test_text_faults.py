"""ARNs and variables that stand for nothing, and those that may stand for something."""

from __future__ import annotations

import pytest
from policy_helpers import policy

from iam_preflight.knowledge.catalog import catalog
from iam_preflight.policy.document import DocumentUse
from iam_preflight.policy.grammar import grammar_problems
from iam_preflight.policy.text_faults import text_faults


def faults(statement, version="2012-10-17"):
    held = policy({"Effect": "Allow", "Action": "s3:GetObject", **statement}, version=version)
    return [fault.why for fault in text_faults(held, held.statements[0], catalog())]


@pytest.mark.parametrize(
    ("operator", "key", "value", "is_fault"),
    [
        ("ArnEquals", "aws:SourceArn", "arn:aws:iam::111122223333:role/app", True),
        ("StringNotEquals", "aws:SourceArn", "arn:aws:iam::111122223333:user/ann", True),
        ("ArnLike", "aws:SourceArn", "arn:aws:iam::111122223333:root", True),
        ("ArnLike", "aws:SourceArn", "arn:aws:sts::111122223333:assumed-role/app/*", True),
        ("ArnLike", "aws:SourceArn", "arn:aws:sns:eu-west-1:111122223333", True),
        ("ArnLike", "aws:PrincipalArn", "arn:aws:iam::11112222333:role/app", True),
        ("ArnLike", "aws:PrincipalArn", "arn:aws:iam::111122223333:role/app", False),
        ("ArnLike", "aws:SourceArn", "arn:aws:sns:eu-west-1:111122223333:*", False),
        ("ArnLike", "aws:SourceArn", "arn:aws:sns:*", False),
        ("ArnEquals", "aws:SourceArn", "arn:aws:iam::111122223333:oidc-provider/x", False),
        ("StringEquals", "aws:PrincipalTag/home", "arn:aws:s3:orders", False),
    ],
)
def test_arns_in_conditions_that_no_request_carries(operator, key, value, is_fault):
    found = faults({"Resource": "*", "Condition": {operator: {key: value}}})
    assert len(found) == is_fault


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:iam::12345:role/x",
        "arn:aws:iam::1234567890123:role/x",
        "arn:aws:sqs:useast1:111122223333:orders",
        "arn:aws:sqs:us-east-1a:111122223333:orders",
        "arn:aws:sqs:eu-west-1:111122223333",
        "arn:aws:s3:orders/*",
        "arn:aws:s3:::orders/${aws:username",
        "arn:aws:s3:::orders/${}",
        "arn:aws:s3:::${Orders}/*",
        "arn:aws:s3:::orders/${ aws:username }",
        "arn:aws:s3:::orders/${aws:usernam}",
    ],
)
def test_what_no_resource_is_called(arn):
    assert len(faults({"Resource": arn})) == 1


@pytest.mark.parametrize(
    "arn",
    [
        "*",
        "arn:*",
        "arn:aws:s3:*",
        "arn:aws:iam::aws:policy/ReadOnlyAccess",
        "arn:aws:health:global::event/*",
        "arn:aws-us-gov:sqs:us-gov-west-1:111122223333:orders",
        "arn:aws:sqs:REGION:111122223333:orders",
        "arn:aws:sqs:«region»:«account»:orders",
        "arn:aws:sqs:«the rest»",
        "arn:aws:sqs:*:1111*:orders",
        "arn:aws:s3:::home/${aws:username}/*",
        "arn:aws:s3:::home/${aws:PrincipalTag/team, 'nobody'}/*",
        "arn:aws:s3:::odd${*}name",
        "arn:aws:s3:::home/${saml:sub}/*",
        "arn:aws:s3:::home/${www.amazon.com:user_id}/*",
    ],
)
def test_what_one_may_be_called(arn):
    assert faults({"Resource": arn}) == []


@pytest.mark.parametrize("version", ["2008-10-17", None])
def test_a_variable_is_text_in_old_documents(version):
    (why,) = faults({"Resource": "arn:aws:s3:::home/${aws:username}/*"}, version)
    assert "2012-10-17" in why


def test_only_operators_of_text_read_variables():
    limit = {"s3:max-keys": "${aws:PrincipalTag/limit}"}
    given = {"Resource": "*", "Condition": {"NumericLessThan": limit}}
    assert faults(given) == ["NumericLessThan takes ${aws:PrincipalTag/limit} as it is"]
    assert faults({"Resource": "*", "Condition": {"StringEquals": limit}}) == []


@pytest.mark.parametrize(
    ("principal", "is_refused"),
    [
        ({"AWS": "role/ci"}, True),
        ({"AWS": "arn:aws:iam::111122223333:group/people"}, True),
        ({"AWS": "arn:aws:iam::111122223333:instance-profile/web"}, True),
        ({"Service": "*"}, True),
        ({"AWS": "111122223333"}, False),
        ({"AWS": "arn:aws:sts::111122223333:assumed-role/ci/run"}, False),
        ({"AWS": "arn:aws:iam::cloudfront:user/CloudFront Origin Access Identity E1"}, False),
        ({"AWS": "«role»"}, False),
        ({"Service": "sns.amazonaws.com"}, False),
    ],
)
def test_principals_that_cannot_be_one(principal, is_refused):
    held = policy({"Effect": "Deny", "Principal": principal, "Action": "sqs:*", "Resource": "*"})
    assert bool(list(grammar_problems(held, DocumentUse.RESOURCE))) is is_refused
