"""What attached AWS-managed policies give: once for each attachment, as far as it is left."""

from __future__ import annotations

import pytest

from iam_preflight.findings import Finding, Persona, Severity
from iam_preflight.knowledge.managed import managed_policies
from iam_preflight.registry import load_rules
from iam_preflight.scan import ScanOptions
from iam_preflight.settings import Settings
from iam_preflight.testing import scan_files

TRUST = """assume_role_policy = jsonencode({
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "lambda.amazonaws.com" }
    }]
  })"""

BOUNDARY = """
resource "aws_iam_policy" "limit" {
  name = "limit"
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "logs:*", Resource = "*" }]
  })
}
"""


def role(name: str, *policies: str, more: str = "") -> str:
    attached = "\n".join(f'    "arn:aws:iam::aws:policy/{policy}",' for policy in policies)
    return f"""
resource "aws_iam_role" "{name}" {{
  name = "{name}"
  {more}
  managed_policy_arns = [
{attached}
  ]
  {TRUST}
}}
"""


def found(text: str, *rules: str, **settings: object) -> list[Finding]:
    options = ScanOptions(settings=Settings(persona="auditor", **settings))
    report = scan_files({"main.tf": text}, load_rules(), options)
    return [finding for finding in report.shown if finding.rule in (rules or ("LEAST-017",))]


def only(text: str) -> Finding:
    (finding,) = found(text)
    return finding


def test_many_statements_are_one_finding_that_names_the_services():
    finding = only(role("worker", "AmazonEC2FullAccess"))
    assert finding.message == (
        "role worker holds AmazonEC2FullAccess: it may use every action of ec2 and cloudwatch"
    )
    assert "AmazonEC2ReadOnlyAccess" in finding.hint


def test_a_boundary_that_leaves_nothing_makes_it_milder():
    more = "permissions_boundary = aws_iam_policy.limit.arn"
    bounded = only(BOUNDARY + role("worker", "AmazonS3FullAccess", more=more))
    free = only(BOUNDARY + role("worker", "AmazonS3FullAccess"))
    assert free.severity is Severity.HIGH
    assert bounded.severity is Severity.LOW
    assert bounded.message.endswith("limited by other policies")


def test_a_boundary_that_leaves_it_does_not():
    more = "permissions_boundary = aws_iam_policy.limit.arn"
    finding = only(BOUNDARY + role("worker", "CloudWatchLogsFullAccess", more=more))
    assert finding.severity is Severity.MEDIUM
    assert "limited" not in finding.message


@pytest.mark.parametrize(
    ("policy", "persona"),
    [
        ("AmazonS3FullAccess", Persona.REGULAR),
        ("AmazonS3ReadOnlyAccess", Persona.PEDANTIC),
        ("service-role/AWSGlueServiceRole", Persona.PEDANTIC),
        ("service-role/AWSLambdaSQSQueueExecutionRole", Persona.AUDITOR),
    ],
)
def test_who_wants_to_see_it(policy, persona):
    assert only(role("worker", policy)).persona is persona


@pytest.mark.parametrize(
    "policy",
    [
        "AdministratorAccess",
        "PowerUserAccess",
        "job-function/ViewOnlyAccess",
        "AmazonEKSWorkerNodePolicy",
    ],
)
def test_administrators_and_modest_policies_are_not_its_business(policy):
    assert found(role("worker", policy)) == []


def test_holders_of_the_settings_are_left_alone():
    assert found(role("worker", "AmazonS3FullAccess"), admin_roles=("worker",)) == []


def test_an_escalation_speaks_for_the_attachment_of_its_own_actor_alone():
    """AWS's statements are the same for both roles; only one of them can pass the other."""
    text = role("plain", "AWSLambda_FullAccess", more='tags = { Owner = "a" }') + role(
        "boss", "AdministratorAccess"
    )
    by_rule: dict[str, list[str]] = {}
    limited = BOUNDARY.replace('"logs:*"', '["lambda:Get*", "logs:*"]')
    more = "permissions_boundary = aws_iam_policy.limit.arn"
    text += limited + role("bounded", "AWSLambda_FullAccess", more=more)
    for finding in found(text, "LEAST-017", "ESC-003"):
        by_rule.setdefault(finding.rule, []).append(finding.principal)
    assert by_rule == {
        "ESC-003": ["aws_iam_role.plain"],
        "LEAST-017": ["aws_iam_role.bounded"],
    }


@pytest.mark.parametrize(
    ("policy", "reader"),
    [
        ("AmazonS3FullAccess", "AmazonS3ReadOnlyAccess"),
        ("AWSLambda_FullAccess", "AWSLambda_ReadOnlyAccess"),
        ("AmazonDynamoDBFullAccess_v2", "AmazonDynamoDBReadOnlyAccess"),
        ("SecretsManagerReadWrite", None),
        ("service-role/AWSGlueServiceRole", None),
    ],
)
def test_the_reader_beside_a_policy(policy, reader):
    assert managed_policies().reader_beside(policy) == reader
