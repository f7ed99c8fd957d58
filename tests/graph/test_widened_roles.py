"""Who may act as a role, and give it policies first, becomes what it makes of the role."""

from __future__ import annotations

import json

import pytest

from iam_preflight.findings import Severity
from iam_preflight.registry import load_rules
from iam_preflight.scan import ScanOptions
from iam_preflight.testing import scan_files

CODE = """
resource "aws_iam_role" "mailer" {
  name                 = "mailer"
  permissions_boundary = BOUNDARY
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "lambda.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_lambda_function" "mailer" {
  function_name = "mailer"
  role          = aws_iam_role.mailer.arn
}

resource "aws_iam_policy" "limit" {
  name = "limit"
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "ses:SendEmail", Resource = "*" }]
  })
}

resource "aws_iam_user" "courier" {
  name = "courier"
}

resource "aws_iam_user_policy" "courier" {
  user   = aws_iam_user.courier.name
  policy = jsonencode({ Version = "2012-10-17", Statement = STATEMENTS })
}
"""
ROLE = "arn:aws:iam::*:role/mailer"


def told(*actions: str, boundary: str = "null") -> dict[str, Severity]:
    """How bad it is what the user may come to, by the rules on other principals."""
    statements = [
        {"Effect": "Allow", "Action": action, "Resource": ROLE if "iam:" in action else "*"}
        for action in actions
    ]
    code = CODE.replace("STATEMENTS", json.dumps(statements)).replace("BOUNDARY", boundary)
    report = scan_files({"main.tf": code}, load_rules(), ScanOptions())
    return {f.rule: f.severity for f in report.shown if f.rule in ("ESC-003", "ESC-004")}


@pytest.mark.parametrize("widening", ["iam:PutRolePolicy", "iam:AttachRolePolicy"])
@pytest.mark.parametrize(
    ("rule", "actions"),
    [
        ("ESC-004", ("lambda:UpdateFunctionCode",)),
        ("ESC-003", ("iam:PassRole", "lambda:CreateFunction", "lambda:InvokeFunction")),
    ],
)
def test_a_role_that_may_be_widened_is_worth_as_much_as_an_administrator(widening, rule, actions):
    assert told(*actions) == {}
    assert told(*actions, widening)[rule] is Severity.CRITICAL


def test_a_role_that_is_bounded_is_worth_what_the_boundary_leaves():
    limit = "aws_iam_policy.limit.arn"
    assert told("lambda:UpdateFunctionCode", "iam:PutRolePolicy", boundary=limit) == {}
