"""Whoever has a permissions boundary can make itself no more than the boundary allows."""

from __future__ import annotations

import json

import pytest

from iam_preflight.findings import Severity
from iam_preflight.registry import load_rules
from iam_preflight.scan import ScanOptions
from iam_preflight.testing import scan_files

CODE = """
resource "aws_iam_role" "worker" {
  name                 = "worker"
  permissions_boundary = aws_iam_policy.limit.arn
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "lambda.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_iam_role_policy" "worker" {
  name = "own"
  role = aws_iam_role.worker.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      { Effect = "Allow", Action = "iam:PutRolePolicy", Resource = aws_iam_role.worker.arn },
    ]
  })
}

resource "aws_iam_policy" "limit" {
  name   = "limit"
  path   = "/limits/"
  policy = jsonencode({ Version = "2012-10-17", Statement = STATEMENTS })
}

resource "aws_iam_role" "keeper" {
  name                 = "keeper"
  permissions_boundary = aws_iam_policy.limit.arn
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      { Effect = "Allow", Principal = { AWS = aws_iam_role.clerk.arn }, Action = "sts:AssumeRole" },
    ]
  })
}

resource "aws_iam_role" "clerk" {
  name = "clerk"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "lambda.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_iam_role_policy" "clerk" {
  name = "others"
  role = aws_iam_role.clerk.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect   = "Allow"
      Action   = ["iam:PutRolePolicy", "sts:AssumeRole"]
      Resource = aws_iam_role.keeper.arn
    }]
  })
}
"""
ADMINISTRATOR = """
resource "aws_iam_role" "root" {
  name = "root"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "ec2.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_iam_instance_profile" "root" {
  role = aws_iam_role.root.name
}

resource "aws_iam_role_policy_attachment" "root" {
  role       = aws_iam_role.root.name
  policy_arn = "arn:aws:iam::aws:policy/AdministratorAccess"
}
"""
OWN = "iam:PutRolePolicy"


def told(*actions: str, resource: str = "*", more: str = "") -> dict[str, Severity]:
    """How bad it is that the worker, and the clerk, may write policies."""
    statements = [
        {"Effect": "Allow", "Action": OWN, "Resource": "*"},
        {"Effect": "Allow", "Action": [*actions], "Resource": resource},
    ]
    code = CODE.replace("STATEMENTS", json.dumps(statements)) + more
    report = scan_files({"main.tf": code}, load_rules(), ScanOptions())
    return {
        finding.rule: finding.severity
        for finding in report.shown
        if finding.rule in ("ESC-001", "ESC-002")
    }


def test_a_boundary_without_anything_worth_having_leaves_nothing_to_win() -> None:
    assert told("s3:ListBucket") == {}


def test_what_a_boundary_leaves_can_be_won() -> None:
    found = told("s3:DeleteBucketPolicy", "secretsmanager:GetSecretValue")
    assert found == {"ESC-001": Severity.MEDIUM, "ESC-002": Severity.MEDIUM}


@pytest.mark.parametrize(
    ("actions", "resource"),
    [
        (("*",), "*"),
        (("iam:*",), "*"),
        (("iam:PutRolePermissionsBoundary",), "arn:aws:iam::*:role/*"),
        (("iam:DeleteRolePermissionsBoundary",), "*"),
        (("iam:CreatePolicyVersion",), "arn:aws:iam::*:policy/limits/limit"),
        (("iam:CreateUser", "iam:CreateAccessKey", "iam:AttachUserPolicy"), "*"),
    ],
)
def test_a_boundary_that_can_be_got_round_is_none(actions: tuple[str, ...], resource: str) -> None:
    found = told(*actions, resource=resource)
    assert found == {"ESC-001": Severity.CRITICAL, "ESC-002": Severity.CRITICAL}


def test_passing_an_administrator_s_role_gets_round_it_where_there_is_one() -> None:
    actions = ("iam:PassRole", "ec2:RunInstances")
    assert told(*actions)["ESC-001"] is Severity.MEDIUM
    assert told(*actions, more=ADMINISTRATOR)["ESC-001"] is Severity.CRITICAL
