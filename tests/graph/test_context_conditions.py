"""Gains that are possible only from some addresses, or in some other context."""

from __future__ import annotations

import json

import pytest

from iam_preflight.findings import Severity
from iam_preflight.registry import load_rules
from iam_preflight.testing import scan_files

ADDRESS = {"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}}
MFA = {"Bool": {"aws:MultiFactorAuthPresent": "true"}}
ANYTHING = {"StringLike": {"aws:RequestedRegion": "*"}}


def shown(action: str, *conditions: dict[str, object]) -> dict[str, tuple[Severity, set[str]]]:
    """What is said of a user who may do something, each time under other conditions."""
    statements = [
        {"Effect": "Allow", "Action": action, "Resource": "*", "Condition": condition}
        for condition in conditions
    ]
    document = json.dumps({"Version": "2012-10-17", "Statement": statements})
    text = f"""
    resource "aws_iam_user" "ops" {{
      name = "ops"
    }}
    resource "aws_iam_user_policy" "ops" {{
      user   = aws_iam_user.ops.name
      policy = <<E\n{document}\nE
    }}
    """
    report = scan_files({"main.tf": text}, load_rules().select(["ESC", "LEAST"], ["LEAST-012"]))
    return {one.rule: (one.severity, set(one.also)) for one in report.shown}


@pytest.mark.parametrize("condition", [ADDRESS, MFA])
def test_who_may_do_all_in_some_context_is_said_once(condition: dict[str, object]) -> None:
    found = shown("*", condition)
    assert list(found) == ["LEAST-001"]
    severity, also = found["LEAST-001"]
    assert severity is Severity.HIGH
    assert {"ESC-001", "ESC-002"} <= also


@pytest.mark.parametrize(
    ("conditions", "severity"),
    [
        ((ADDRESS,), Severity.HIGH),
        ((MFA,), Severity.HIGH),
        ((ANYTHING,), Severity.CRITICAL),
        (({},), Severity.CRITICAL),
        # what one statement asks the other does not
        ((ADDRESS, {}), Severity.CRITICAL),
    ],
)
def test_a_gain_is_milder_where_conditions_say_from_where(
    conditions: tuple[dict[str, object], ...], severity: Severity
) -> None:
    assert shown("iam:PutUserPolicy", *conditions)["ESC-001"][0] is severity
