"""Where it depends on something whether a principal has a boundary, it is judged without one."""

from __future__ import annotations

from iam_preflight.findings import Confidence, Finding, Severity
from iam_preflight.registry import load_rules
from iam_preflight.scan import ScanOptions
from iam_preflight.testing import scan_files

CODE = """
Parameters:
  Limit: { Type: String }
Conditions:
  IsLimited: !Not [!Equals ["", !Ref Limit]]
Resources:
  Builder:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Statement:
          - Effect: Allow
            Principal: { Service: cloudformation.amazonaws.com }
            Action: sts:AssumeRole
      ManagedPolicyArns: [arn:aws:iam::aws:policy/AdministratorAccess]
      PermissionsBoundary: BOUNDARY
  Releaser:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Statement:
          - Effect: Allow
            Principal: { Service: codebuild.amazonaws.com }
            Action: sts:AssumeRole
      Policies:
        - PolicyName: release
          PolicyDocument:
            Statement:
              - { Effect: Allow, Action: cloudformation:CreateStack, Resource: "*" }
              - { Effect: Allow, Action: iam:PassRole, Resource: !GetAtt Builder.Arn }
"""
NAMED = '!Sub "arn:aws:iam::${AWS::AccountId}:policy/${Limit}"'


def told(boundary: str) -> dict[str, Finding]:
    """What is found about roles that may come to administrators, by rule."""
    code = CODE.replace("BOUNDARY", boundary)
    report = scan_files({"stack.yaml": code}, load_rules(), ScanOptions())
    return {f.rule: f for f in report.shown if f.rule in ("ESC-003", "LEAST-002")}


def test_whoever_may_have_no_boundary_is_an_administrator() -> None:
    found = told(f"!If [IsLimited, {NAMED}, !Ref AWS::NoValue]")
    assert {rule: f.severity for rule, f in found.items()} == {
        "ESC-003": Severity.CRITICAL,
        "LEAST-002": Severity.CRITICAL,
    }
    assert [a.subject for a in found["LEAST-002"].assumptions] == ["IsLimited"]
    assert found["LEAST-002"].confidence is Confidence.MEDIUM


def test_a_boundary_that_nobody_knows_may_limit() -> None:
    found = told(NAMED)
    assert {rule: f.severity for rule, f in found.items()} == {"LEAST-002": Severity.HIGH}
    assert not found["LEAST-002"].assumptions


MEMBER = """
variable "limited" {
  type = bool
}

data "aws_caller_identity" "here" {}

resource "aws_iam_policy" "limit" {
  name = "limit"
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      { Effect = "Allow", Action = ["s3:*", "iam:DeleteRolePermissionsBoundary"], Resource = "*" },
    ]
  })
}

resource "aws_iam_role" "member" {
  name                 = "member"
  permissions_boundary = var.limited ? aws_iam_policy.limit.arn : null
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "ec2.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_iam_role_policy" "member" {
  role = aws_iam_role.member.name
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      { Effect = "Allow", Action = ["s3:*", "secretsmanager:*"], Resource = "*" },
      {
        Effect   = "Allow"
        Action   = "iam:DeleteRolePermissionsBoundary"
        Resource = aws_iam_role.member.arn
      },
    ]
  })
}
"""


def test_where_there_is_a_boundary_it_can_be_lifted() -> None:
    report = scan_files({"main.tf": MEMBER}, load_rules(), ScanOptions())
    assert "ESC-007" in {finding.rule for finding in report.shown}


DELEGATION = """
Resources:
  Limit:
    Type: AWS::IAM::ManagedPolicy
    Properties:
      ManagedPolicyName: team-boundary
      PolicyDocument:
        Version: "2012-10-17"
        Statement:
          - { Effect: Allow, Action: "*", Resource: "*" }
          - Effect: Deny
            Action: [iam:CreateRole, iam:CreateUser]
            Resource: "*"
            Condition:
              StringNotEquals:
                iam:PermissionsBoundary: !Sub "arn:aws:iam::${AWS::AccountId}:policy/team-boundary"
"""


def test_a_boundary_that_asks_for_itself_leaves_less_than_everything() -> None:
    report = scan_files({"stack.yaml": DELEGATION}, load_rules(), ScanOptions())
    (left,) = (finding for finding in report.shown if finding.rule == "BOUND-003")
    assert left.severity is Severity.HIGH
    assert "leaves iam:AttachRolePolicy, iam:AttachUserPolicy" in left.message
    assert "iam:CreateRole" not in left.message
