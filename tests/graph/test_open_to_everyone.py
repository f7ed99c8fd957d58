"""Who EXT-007 says gets in, and to what, where conditions tell callers and actions apart."""

from __future__ import annotations

import json

import pytest

from iam_preflight.registry import load_rules
from iam_preflight.testing import scan_files


def told(action, resource, condition, kind="aws_s3_bucket_policy", of="bucket"):
    who = {"Principal": "*", "Condition": condition}
    return told_of({"Effect": "Allow", "Action": action, "Resource": resource, **who}, kind, of)


def told_of(statement, kind="aws_s3_bucket_policy", of="bucket"):
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    text = f"""
resource "{kind}" "it" {{
  {of}   = "it"
  policy = jsonencode({document})
}}
"""
    findings = scan_files({"main.tf": text}, load_rules()).shown
    return [finding.message for finding in findings if finding.rule == "EXT-007"]


OBJECTS = "arn:aws:s3:::it/*"


@pytest.mark.parametrize(
    ("condition", "who"),
    [
        ({"Bool": {"aws:ViaAWSService": "true"}}, "anyone with an AWS account"),
        ({"StringEquals": {"aws:CalledVia": "athena.amazonaws.com"}}, "anyone with an AWS account"),
        ({"Bool": {"aws:ViaAWSService": "false"}}, "anyone on the internet"),
        # of the account of an anonymous caller AWS says "anonymous"
        ({"StringLike": {"aws:PrincipalAccount": "*"}}, "anyone on the internet"),
        ({"StringLike": {"aws:PrincipalAccount": "????????????"}}, "anyone with an AWS account"),
    ],
)
def test_nobody_anonymous_calls_through_a_service(condition, who):
    (message,) = told("s3:GetObject", OBJECTS, condition)
    assert message.startswith(who)


def test_an_action_without_the_key_is_not_among_what_is_open():
    condition = {"StringLike": {"sns:Endpoint": "*@example.com"}}
    topic = "arn:aws:sns:eu-west-1:111122223333:it"
    (message,) = told(
        ["sns:Publish", "sns:Subscribe"], topic, condition, "aws_sns_topic_policy", "arn"
    )
    assert "sns:Subscribe" in message
    assert "Publish" not in message
    assert "more" not in message


@pytest.mark.parametrize(
    ("kind", "attribute"),
    [
        ("aws_novelty_policy", "policy"),
        ("aws_novelty_resource_policy", "resource_policy"),
        ("aws_novelty_access_policy", "policy_document"),
    ],
)
@pytest.mark.parametrize("names_principals", [True, False])
def test_policies_of_services_that_nobody_knows_yet(kind, attribute, names_principals):
    principal = {"Principal": "*"} if names_principals else {}
    statement = {"Effect": "Allow", **principal, "Action": "sqs:SendMessage", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    text = f'resource "{kind}" "it" {{\n  {attribute} = jsonencode({document})\n}}\n'
    findings = list(scan_files({"main.tf": text}, load_rules()).shown)
    assert [finding.rule for finding in findings] == ["EXT-007"] * names_principals


@pytest.mark.parametrize("kind", ["aws_ecr_lifecycle_policy", "aws_autoscaling_policy"])
def test_other_policies_are_none(kind):
    text = f'resource "{kind}" "it" {{\n  policy = jsonencode({{ rules = [] }})\n}}\n'
    assert not list(scan_files({"main.tf": text}, load_rules()).shown)


def test_who_is_left_of_everyone_inside_a_network() -> None:
    (message,) = told(
        "elasticfilesystem:ClientWrite",
        "*",
        {"Bool": {"aws:SecureTransport": "true"}},
        "aws_efs_file_system_policy",
        "file_system_id",
    )
    assert message.startswith("anyone inside its network may use elasticfilesystem:ClientWrite")


@pytest.mark.parametrize(
    ("condition", "who"),
    [
        ({"StringLike": {"aws:PrincipalAccount": "*"}}, "anyone on the internet"),
        ({"StringLike": {"aws:PrincipalArn": "*"}}, "anyone with an AWS account"),
        (
            {"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/app"}},
            "anyone with an AWS account",
        ),
    ],
)
def test_requests_of_nobody_have_an_account_and_no_arn(
    condition: dict[str, object], who: str
) -> None:
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html"""
    (message,) = told("s3:GetObject", OBJECTS, condition)
    assert message.startswith(who)


@pytest.mark.parametrize(
    ("text", "rule", "hint"),
    [
        (
            (
                'resource "aws_lambda_function_url" "it" {\n'
                '  function_name      = "f"\n  authorization_type = "NONE"\n}\n'
            ),
            "EXT-007",
            "set it to AWS_IAM",
        ),
        (
            (
                'resource "aws_lambda_permission" "it" {\n  function_name = "f"\n'
                '  action = "lambda:InvokeFunction"\n  principal = "apigateway.amazonaws.com"\n}\n'
            ),
            "EXT-009",
            "set source_arn",
        ),
        (
            (
                'resource "aws_lambda_permission" "it" {\n  function_name = "f"\n'
                '  action = "lambda:InvokeFunction"\n  principal = "s3.amazonaws.com"\n}\n'
            ),
            "EXT-009",
            "set source_arn and source_account",
        ),
    ],
)
def test_hint_names_the_attribute_to_edit(text: str, rule: str, hint: str) -> None:
    found = scan_files({"main.tf": text}, load_rules()).shown
    assert [one.hint for one in found if one.rule == rule] == [hint]


@pytest.mark.parametrize(
    ("name", "text", "hint"),
    [
        (
            "t.json",
            json.dumps(
                {
                    "Resources": {
                        "Role": {
                            "Type": "AWS::IAM::Role",
                            "Properties": {
                                "AssumeRolePolicyDocument": {"Version": "2012-10-17"},
                                "ManagedPolicyArns": ["arn:aws:iam::aws:policy/IAMFullAccess"],
                            },
                        },
                        "Profile": {
                            "Type": "AWS::IAM::InstanceProfile",
                            "Properties": {"Roles": [{"Ref": "Role"}]},
                        },
                        "Machine": {
                            "Type": "AWS::EC2::Instance",
                            "Properties": {"IamInstanceProfile": {"Ref": "Profile"}},
                        },
                    }
                }
            ),
            "HttpTokens: required",
        ),
        (
            "main.tf",
            """
resource "aws_iam_role" "it" {
  name                = "it"
  assume_role_policy  = "{}"
  managed_policy_arns = ["arn:aws:iam::aws:policy/IAMFullAccess"]
}
resource "aws_iam_instance_profile" "it" {
  role = aws_iam_role.it.name
}
resource "aws_instance" "it" {
  iam_instance_profile = aws_iam_instance_profile.it.name
}
""",
            'http_tokens = "required"',
        ),
    ],
)
def test_hint_is_in_the_language_of_the_code(name: str, text: str, hint: str) -> None:
    shown = scan_files({name: text}, load_rules()).shown
    (found,) = [one.hint for one in shown if one.rule == "ROLE-006"]
    assert hint in found


@pytest.mark.parametrize(
    ("left_out", "is_open"),
    [("*", False), ({"AWS": "*"}, False), ({"AWS": "111122223333"}, True)],
)
def test_whoever_not_principal_leaves_is_let_in(left_out, is_open):
    allowed = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": OBJECTS}
    assert bool(told_of({**allowed, "NotPrincipal": left_out})) == is_open
