"""Rules that see one cause, of which one says it all: the others are named beside it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from iam_preflight.registry import load_rules
from iam_preflight.testing import scan_files


def document(**statement: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]})


def role(trust: str, policies: str = "") -> str:
    return (
        'resource "aws_iam_role" "it" {\n  name = "it"\n'
        f"  assume_role_policy = <<E\n{trust}\nE\n{policies}}}\n"
    )


def holding(*actions: str) -> str:
    policy = document(Action=actions, Resource="*")
    inline = (
        f'resource "aws_iam_role_policy" "it" {{\n  role = "it"\n  policy = <<E\n{policy}\nE\n}}\n'
    )
    return (
        role(document(Action="sts:AssumeRole", Principal={"Service": "ec2.amazonaws.com"})) + inline
    )


MANAGED = '  managed_policy_arns = ["arn:aws:iam::aws:policy/IAMFullAccess"]\n'
BY_EC2 = {"Service": "ec2.amazonaws.com"}


@pytest.mark.parametrize(
    ("text", "said", "beside"),
    [
        (
            role(
                document(Action="sts:AssumeRole", Principal=BY_EC2),
                "  managed_policy_arns = [aws_iam_policy.it.arn]\n",
            )
            + 'resource "aws_iam_policy" "it" {\n  name = "it"\n  policy = <<E\n'
            + document(Action="iam:SetDefaultPolicyVersion", Resource="*")
            + "\nE\n}\n",
            "LEAST-010",
            "ESC-001",
        ),
        (holding("iam:UpdateLoginProfile"), "LEAST-009", "ESC-002"),
        (holding("iam:UpdateAssumeRolePolicy"), "LEAST-010", "ESC-002"),
        # where the code holds what is gained, that is graver
        (holding("iam:PutRolePolicy"), "ESC-001", "LEAST-010"),
        (
            role(document(Action="sts:AssumeRole", Principal=BY_EC2), MANAGED),
            "ESC-001",
            "LEAST-002",
        ),
        (
            role(document(Action="sts:AssumeRole", Principal={**BY_EC2, "AWS": "*"})),
            "SEG-007",
            "SEG-005",
        ),
    ],
)
def test_one_rule_says_it_all(text: str, said: str, beside: str) -> None:
    shown = {one.rule: one for one in scan_files({"main.tf": text}, load_rules()).shown}
    assert beside in shown[said].also
    assert beside not in shown


def test_what_aws_wrote_is_replaced_and_not_edited() -> None:
    text = role(document(Action="sts:AssumeRole", Principal=BY_EC2), MANAGED)
    shown = {one.rule: one for one in scan_files({"main.tf": text}, load_rules()).shown}
    assert (
        shown["ESC-001"].hint
        == "replace IAMFullAccess by what is needed, without iam:PutRolePolicy"
    )
