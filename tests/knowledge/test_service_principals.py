"""Names of services as principals: which cannot be one, and which was meant."""

from __future__ import annotations

import pytest

from iam_preflight.knowledge.service_principals import may_be_service, nearest_service_principal


@pytest.mark.parametrize(
    ("text", "nearest"),
    [
        ("codebuild.amazon.com", "codebuild.amazonaws.com"),
        ("lambda.amazonaws.com.com", "lambda.amazonaws.com"),
        ("lambda.amazonaws.com.amazonaws.com", "lambda.amazonaws.com"),
        ("ec2.amazonaws", "ec2.amazonaws.com"),
        ("ecs-tasks", "ecs-tasks.amazonaws.com"),
        ("delivery.logs.amazonaws.con", "delivery.logs.amazonaws.com"),
        ("codedeploy.us-east-1.amazonaws.om", "codedeploy.amazonaws.com"),
        ("lamda.amazon.com", "lambda.amazonaws.com"),
        ("example.com", None),
        ("x" * 100_000, None),
    ],
)
def test_what_cannot_be_a_service_principal(text, nearest):
    assert not may_be_service(text)
    assert nearest_service_principal(text) == nearest


@pytest.mark.parametrize(
    "text",
    [
        "lambda.amazonaws.com",
        "ec2.amazonaws.com.cn",
        "states.eu-west-1.amazonaws.com",
        "some-preview.amazonaws.com",
        "alexa-appkit.amazon.com",
        "preprod.states.aws.internal",
        "EC2.amazonaws.com",
    ],
)
def test_what_may_be_one(text):
    assert may_be_service(text)
