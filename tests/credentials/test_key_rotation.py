"""What counts as the renewal of an access key; fixtures cannot show it, as ROLE-002 speaks too."""

from __future__ import annotations

import pytest

from iam_preflight.findings import Severity
from iam_preflight.registry import load_rules
from iam_preflight.testing import scan_files

KEY = 'resource "aws_iam_access_key" "x" {\n  user = "export"\n%s}\n'
BY_CLOCK = KEY % "  lifecycle {\n    replace_triggered_by = [time_rotating.x]\n  }\n"
SECRET = """
resource "aws_secretsmanager_secret" "x" {
  name = "x"
}
resource "aws_secretsmanager_secret_version" "x" {
  secret_id     = aws_secretsmanager_secret.x.id
  secret_string = jsonencode({ secret = aws_iam_access_key.x.secret })
}
resource "aws_secretsmanager_secret_rotation" "x" {
  secret_id = aws_secretsmanager_secret.x.id
  rotation_rules {
    automatically_after_days = %d
  }
}
"""
FUNCTION = """
resource "aws_iam_role" "x" {
  name               = "rotation"
  assume_role_policy = "{}"
}
resource "aws_iam_role_policy" "x" {
  role = aws_iam_role.x.name
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{
      Effect   = "Allow"
      Action   = %s
      Resource = "arn:aws:iam::111122223333:user/export"
    }]
  })
}
resource "aws_lambda_function" "x" {
  function_name = "rotation"
  role          = aws_iam_role.x.arn
}
"""
CONFIG = """
resource "aws_config_config_rule" "x" {
  name             = "keys"
  input_parameters = jsonencode({ maxAccessKeyAge = %d })
  source {
    owner             = "AWS"
    source_identifier = "ACCESS_KEYS_ROTATED"
  }
}
"""
TEMPLATE = """
Parameters:
  Serial:
    Type: Number
    Default: 1
Resources:
  Key:
    Type: AWS::IAM::AccessKey
    Properties:
      UserName: export
      Serial: %s
"""


def speaks(text: str, name: str = "main.tf") -> bool:
    report = scan_files({name: text}, load_rules())
    return any("CRED-002" in (found.rule, *found.also) for found in report.shown)


def severity(text: str) -> Severity:
    report = scan_files({"main.tf": text}, load_rules().select(["CRED-002"], []))
    return next(found.severity for found in report.shown)


@pytest.mark.parametrize(
    ("text", "is_told"),
    [
        (KEY % "", True),
        (BY_CLOCK + 'resource "time_rotating" "x" {\n  rotation_days = 60\n}\n', False),
        (BY_CLOCK + 'resource "time_rotating" "x" {\n  rotation_months = 4\n}\n', True),
        (BY_CLOCK + 'resource "time_rotating" "x" {\n  rotation_days = var.days\n}\n', False),
        (KEY % "" + SECRET % 30, False),
        (KEY % "" + SECRET % 180, True),
        (KEY % "" + FUNCTION % '["iam:CreateAccessKey", "iam:DeleteAccessKey"]', False),
        (KEY % "" + FUNCTION % '["iam:CreateAccessKey"]', True),
    ],
)
def test_a_key_is_told_when_nothing_renews_it_in_time(text: str, is_told: bool) -> None:
    assert speaks(text) is is_told


def test_serial_is_a_renewal_when_a_parameter_counts_it() -> None:
    assert not speaks(TEMPLATE % "!Ref Serial", "stack.yaml")
    assert speaks(TEMPLATE % "3", "stack.yaml")


def test_watched_keys_are_less_bad() -> None:
    assert severity(KEY % "") is Severity.MEDIUM
    assert severity(KEY % "" + CONFIG % 90) is Severity.LOW
    assert severity(KEY % "" + CONFIG % 365) is Severity.MEDIUM
