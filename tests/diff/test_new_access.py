"""What a change lets principals and resource policies do, in words, with a witness."""

from __future__ import annotations

import pytest

from iam_preflight.diff import Change, Version, compare
from iam_preflight.registry import load_rules
from iam_preflight.scan import ScanOptions
from iam_preflight.testing import MemoryTree

RULES = load_rules().select(["SEG-007"], [])

ROLE = """\
resource "aws_iam_role" "deploy" {
  name               = "deploy"
  assume_role_policy = jsonencode({
    Statement = [{
      Effect = "Allow", Principal = { Service = "ecs-tasks.amazonaws.com" }, Action = "sts:AssumeRole"
    }]
  })
}
"""  # noqa: E501


def policy(*statements: str) -> str:
    listed = ",\n".join(statements)
    return (
        'resource "aws_iam_role_policy" "deploy" {\n  role   = aws_iam_role.deploy.name\n'
        f'  policy = jsonencode({{ Version = "2012-10-17", Statement = [\n{listed}\n] }})\n}}\n'
    )


def allow(action: str, resource: str = '"*"', condition: str = "") -> str:
    extra = f", Condition = {condition}" if condition else ""
    return f'{{ Effect = "Allow", Action = {action}, Resource = {resource}{extra} }}'


def change(before: str, after: str) -> Change:
    versions = [
        Version(MemoryTree({"main.tf": text}), name, ScanOptions())
        for name, text in (("base", before), ("head", after))
    ]
    found = compare(*versions, ["."], RULES, "").change
    assert found is not None
    return found


def told(before: str, after: str) -> list[str]:
    return [one.message for one in change(before, after).access]


READ = allow('"s3:GetObject"', '"arn:aws:s3:::data/*"')


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        (allow('"iam:PassRole"'), "role deploy can now iam:PassRole on any role"),
        (
            allow('["iam:PassRole", "lambda:*"]'),
            "role deploy can now iam:PassRole, lambda:* on any resource",
        ),
        (
            allow('"s3:GetObject"', '"arn:aws:s3:::other/*"'),
            "role deploy can now s3:GetObject on arn:aws:s3:::other/*",
        ),
    ],
)
def test_new_permission_of_a_role_is_told_in_the_words_of_its_statement(
    statement: str, message: str
) -> None:
    assert told(ROLE + policy(READ), ROLE + policy(READ, statement)) == [message]


def test_everything_is_one_line() -> None:
    (message,) = told(ROLE, ROLE + policy(allow('"*"')))
    assert message.startswith("role deploy can now do everything (")
    assert message.endswith(" on any resource")


def test_place_is_the_action_in_the_code() -> None:
    text = ROLE + policy(READ, allow('"iam:PassRole"'))
    (one,) = change(ROLE + policy(READ), text).access
    assert one.place.text == '"iam:PassRole"'
    assert (one.action, one.is_sure) == ("iam:PassRole", True)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (policy(READ), policy(READ)),
        (policy(READ, allow('"s3:*"')), policy(READ)),
        (policy(READ), policy(allow('["s3:GetObject"]', '["arn:aws:s3:::data/*"]'))),
        (policy(allow('"s3:Get*"', '"arn:aws:s3:::data/*"')), policy(READ)),
        (
            policy(READ),
            policy(allow('"s3:GetObject"', '"arn:aws:s3:::data/x/*"')),
        ),
    ],
)
def test_same_or_less_is_no_new_access(before: str, after: str) -> None:
    assert told(ROLE + before, ROLE + after) == []


def test_dropped_condition_is_new_access() -> None:
    narrow = allow(
        '"s3:PutObject"', condition='{ StringEquals = { "aws:PrincipalTag/team" = "a" } }'
    )
    (message,) = told(ROLE + policy(narrow), ROLE + policy(allow('"s3:PutObject"')))
    assert message.startswith("role deploy can now s3:PutObject on any resource")


def test_dropped_deny_is_new_access() -> None:
    deny = allow('"iam:*"').replace("Allow", "Deny")
    before = ROLE + policy(allow('"*"'), deny)
    assert any(
        "iam" in message or "everything" in message
        for message in told(before, ROLE + policy(allow('"*"')))
    )


def test_permission_that_a_boundary_takes_back_is_not_new() -> None:
    boundary = (
        'resource "aws_iam_policy" "boundary" {\n  name   = "boundary"\n'
        f'  policy = jsonencode({{ Version = "2012-10-17", Statement = [{READ}] }})\n}}\n'
    )
    bounded = ROLE.replace(
        "  name ", "  permissions_boundary = aws_iam_policy.boundary.arn\n  name ", 1
    )
    after = bounded + boundary + policy(READ, allow('"iam:PassRole"'))
    assert told(bounded + boundary + policy(READ), after) == []


def test_resource_policy_is_told_with_who_may() -> None:
    bucket = (
        'resource "aws_s3_bucket_policy" "data" {\n  bucket = "data"\n'
        '  policy = jsonencode({ Version = "2012-10-17", Statement = [{\n'
        '    Effect = "Allow", Action = "s3:GetObject", Resource = "arn:aws:s3:::data/*",\n'
        "    Principal = %s\n  }] })\n}\n"
    )
    narrow = bucket % '{ AWS = "arn:aws:iam::111122223333:role/app" }'
    assert told(narrow, bucket % '"*"') == [
        "anyone can now s3:GetObject on arn:aws:s3:::data/* (aws_s3_bucket_policy.data)"
    ]
    assert told(bucket % '"*"', narrow) == []


def test_new_role_is_told_with_its_worst() -> None:
    (message,) = told("", ROLE + policy(READ))
    assert message == "role deploy can now s3:GetObject on arn:aws:s3:::data/*"


@pytest.mark.parametrize(
    "after",
    [
        policy('{ Effect = "Deny", Action = var.q, Resource = "*" }', READ),
        policy(READ).split("jsonencode")[0] + "var.q\n}\n",
    ],
)
def test_what_cannot_be_decided_is_told_as_such(after: str) -> None:
    variables = 'variable "p" {}\nvariable "q" {}\n'
    before = policy('{ Effect = "Deny", Action = var.p, Resource = "*" }', READ)
    (one,) = change(ROLE + variables + before, ROLE + variables + after).access
    assert not one.is_sure
    assert "not decided" in one.message


# ---------------------------------------------------------------- paths

ADMIN = """\
resource "aws_iam_role" "admin" {
  name                = "admin"
  managed_policy_arns = ["arn:aws:iam::aws:policy/AdministratorAccess"]
  assume_role_policy  = jsonencode({
    Statement = [{ Effect = "Allow", Principal = { Service = "lambda.amazonaws.com" }, Action = "sts:AssumeRole" }]
  })
}
"""  # noqa: E501


def paths(before: str, after: str) -> list[str]:
    return [one.message for one in change(before, after).paths]


def test_new_way_to_an_administrator_is_told_with_its_hops() -> None:
    grant = allow('["iam:PassRole", "lambda:CreateFunction", "lambda:InvokeFunction"]')
    after = ADMIN + ROLE + policy(READ, grant)
    found = change(ADMIN + ROLE + policy(READ), after)
    (path,) = found.paths
    assert path.message.startswith("role deploy can now become an administrator: ")
    assert "role admin" in path.message
    assert [step.span.text for step in path.steps] == ['"iam:PassRole"']


def test_way_that_was_there_is_not_told() -> None:
    grant = allow('["iam:PassRole", "lambda:CreateFunction", "lambda:InvokeFunction"]')
    text = ADMIN + ROLE + policy(grant)
    assert paths(text, "# moved\n" + text) == []


def test_new_administrator_is_told() -> None:
    assert "role admin is an administrator now" in paths(ROLE, ROLE + ADMIN)


def test_principal_that_can_widen_itself_is_told() -> None:
    grant = allow('"iam:PutRolePolicy"', '"*"')
    assert paths(ROLE + policy(READ), ROLE + policy(READ, grant)) == [
        "role deploy can now make itself an administrator"
    ]
