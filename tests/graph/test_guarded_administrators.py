"""Administrators whom control policies hold back: they are some, and have nothing to win."""

from __future__ import annotations

import pytest
from msgspec import structs

from iam_preflight.findings import Confidence
from iam_preflight.registry import load_rules
from iam_preflight.scan import Report, ScanOptions
from iam_preflight.settings import Settings
from iam_preflight.testing import scan_files

ORGANIZATION = """
resource "aws_organizations_organization" "this" {
  enabled_policy_types = ["SERVICE_CONTROL_POLICY"]
}

resource "aws_organizations_policy" "guardrails" {
  name = "guardrails"
  content = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect   = "Deny"
      Action   = ["iam:CreateUser", "iam:CreateAccessKey", "iam:CreateLoginProfile"]
      Resource = "*"
    }]
  })
}

resource "aws_organizations_policy_attachment" "guardrails" {
  policy_id = aws_organizations_policy.guardrails.id
  target_id = aws_organizations_organization.this.roots[0].id
}
"""

ROLE = """
resource "aws_iam_role" "it" {
  name = "it"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "lambda.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_iam_role_policy" "it" {
  name = "it"
  role = aws_iam_role.it.id
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = %s, Resource = "*" }]
  })
}
"""


def scanned(actions: str, settings: Settings | None = None) -> Report:
    files = {"organization/main.tf": ORGANIZATION, "account/main.tf": ROLE % actions}
    options = ScanOptions(settings=settings or Settings())
    return scan_files(files, load_rules(), options)


def told(report: Report) -> set[str]:
    return {rule for finding in report.shown for rule in (finding.rule, *finding.also)}


def test_who_may_do_everything_has_nothing_to_win() -> None:
    rules = told(scanned('"*"'))
    assert {"LEAST-001", "SEG-001"} <= rules
    assert not {rule for rule in rules if rule.startswith("ESC-")}


def test_who_may_do_less_can_still_win() -> None:
    assert "ESC-001" in told(scanned('["iam:PutRolePolicy", "s3:GetObject"]'))


@pytest.mark.parametrize("setting", ["admin_roles", "break_glass_roles"])
def test_who_is_meant_to_be_powerful_does_not_escalate(setting: str) -> None:
    settings = structs.replace(Settings(), **{setting: ("it",)})
    assert "ESC-001" not in told(scanned('["iam:PutRolePolicy", "s3:GetObject"]', settings))


def scanned_under(condition: str) -> Report:
    """Of a role that may do everything under a condition."""
    role = ROLE % '"*"'
    limited = role.replace('Resource = "*" }', f'Resource = "*", Condition = {{ {condition} }} }}')
    assert limited != role
    return scan_files({"main.tf": limited}, load_rules(), ScanOptions(settings=Settings()))


def told_under(condition: str) -> dict[str, str]:
    """What is said by itself, by rule."""
    return {finding.rule: finding.message for finding in scanned_under(condition).shown}


def test_everything_in_a_region_without_iam_makes_nobody_administrator() -> None:
    ireland = 'StringEquals = { "aws:RequestedRegion" = "eu-west-1" }'
    assert "limited only by a condition" in told_under(ireland)["LEAST-001"]
    assert "ESC-001" not in told(scanned_under(ireland))
    assert "ESC-001" in told(scanned_under(ireland.replace("eu-west-1", "us-east-1")))


@pytest.mark.parametrize(
    "condition",
    [
        'NotIpAddress = { "aws:SourceIp" = "192.0.2.0/24" }',
        'Bool = { "aws:MultiFactorAuthPresent" = "false" }',
    ],
)
def test_it_takes_no_sum_where_one_policy_says_as_much(condition: str) -> None:
    rules = told_under(condition)
    assert "LEAST-001" in rules
    assert "LEAST-007" not in rules


CHOSEN = """
Parameters:
  Stage: { Type: String, Default: prod }
Conditions:
  IsSandbox: !Equals [!Ref Stage, sandbox]
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Version: "2012-10-17"
        Statement:
          - Effect: Allow
            Principal: { Service: ec2.amazonaws.com }
            Action: sts:AssumeRole
      Policies:
        - Fn::If:
            - IsSandbox
            - PolicyName: everything
              PolicyDocument:
                Version: "2012-10-17"
                Statement: [{ Effect: Allow, Action: "*", Resource: "*" }]
            - !Ref AWS::NoValue
"""


def test_what_follows_from_a_policy_is_no_surer_than_that_it_is_there() -> None:
    report = scan_files({"role.yaml": CHOSEN}, load_rules(), ScanOptions(settings=Settings()))
    administrator = next(f for f in report.shown if f.rule == "LEAST-001")
    assert administrator.confidence < Confidence.HIGH
    assert {"MFA-005", "SEG-001"} <= set(administrator.also)
