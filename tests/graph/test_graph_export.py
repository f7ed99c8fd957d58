"""The graph as data: what other programs read of policies, of who is trusted, and of edges."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from click.testing import CliRunner

from iam_preflight.cli import cli

if TYPE_CHECKING:
    from pathlib import Path

UNDECIDED = """
Parameters:
  Stage: {Type: String}
Conditions:
  Prod: !Equals [!Ref Stage, prod]
  Dev: !Not [!Condition Prod]
  Never: !And [!Condition Prod, !Condition Dev]
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument: !If
        - Prod
        - Version: "2012-10-17"
          Statement:
            Effect: Allow
            Action: sts:AssumeRole
            Principal: {Service: ec2.amazonaws.com}
        - Version: "2012-10-17"
          Statement:
            - {Effect: Allow, Action: "sts:AssumeRole", Principal: {AWS: "*"}}
      Policies:
        - PolicyName: all
          PolicyDocument:
            Version: "2012-10-17"
            Statement:
              - Effect: !If [Prod, Deny, Allow]
                Action: !If [Prod, "iam:*", ["s3:*", "ec2:*"]]
                Resource: "*"
              - !If
                - Prod
                - !Ref AWS::NoValue
                - - {Effect: Allow, Action: "sqs:*", Resource: "*"}
                  - {Effect: Allow, Action: "sns:*", Resource: "*"}
              - Effect: Allow
                Action: "kms:Decrypt"
                Resource: ["a", !If [Prod, "b", !Ref AWS::NoValue]]
                Condition: !If [Prod, {Bool: {"aws:SecureTransport": "true"}}, !Ref AWS::NoValue]
              - !If [Never, {Effect: Allow, Action: "*", Resource: "*"}, !Ref AWS::NoValue]
"""


def graph_of(path: Path) -> dict[str, Any]:
    command = ["graph", "--format", "json", str(path)]
    result = CliRunner().invoke(cli, command, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    data: dict[str, Any] = json.loads(result.stdout)
    return data


def test_every_alternative_of_a_policy_is_in_its_document(tmp_path: Path) -> None:
    (tmp_path / "role.yaml").write_text(UNDECIDED)
    (role,) = (node for node in graph_of(tmp_path)["nodes"] if node["kind"] == "role")
    trust, identity = (policy["document"] for policy in role["policies"])
    assert trust["Version"] == "2012-10-17"
    assert [statement["Principal"] for statement in trust["Statement"]] == [
        {"Service": "ec2.amazonaws.com"},
        {"AWS": "*"},
    ]
    assert identity["Statement"] == [
        {"Effect": "Deny", "Action": "iam:*", "Resource": "*"},
        {"Effect": "Allow", "Action": ["s3:*", "ec2:*"], "Resource": "*"},
        {"Effect": "Allow", "Action": "sqs:*", "Resource": "*"},
        {"Effect": "Allow", "Action": "sns:*", "Resource": "*"},
        {
            "Effect": "Allow",
            "Action": "kms:Decrypt",
            "Resource": ["a", "b"],
            "Condition": {"Bool": {"aws:SecureTransport": "true"}},
        },
        {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": ["a", "b"]},
    ]


def test_whoever_is_let_in_has_a_node(tmp_path: Path) -> None:
    principals = ["*", "arn:aws:iam::${var.account}:root", "arn:aws:iam::464622532012:root"]
    text = 'variable "account" { type = string }\n' + "".join(
        f'resource "aws_iam_role" "r{number}" {{\n  name = "r{number}"\n'
        '  assume_role_policy = jsonencode({ Version = "2012-10-17", Statement = [{\n'
        f'    Effect = "Allow", Action = "sts:AssumeRole", Principal = {{ AWS = "{who}" }}\n'
        "  }] })\n"
        "}\n"
        for number, who in enumerate(principals)
    )
    (tmp_path / "main.tf").write_text(text)
    graph = graph_of(tmp_path)
    who = {edge["to"]: edge["from"] for edge in graph["edges"] if edge["kind"] == "can assume"}
    assert who == {
        "aws_iam_role.r0": "anyone",
        "aws_iam_role.r1": "external/arn:aws:iam::«var.account»:root",
        "aws_iam_role.r2": "external/arn:aws:iam::464622532012:root",
    }
    assert set(who.values()) <= {node["id"] for node in graph["nodes"]}


def test_only_resources_are_nodes_and_each_edge_is_there_once(tmp_path: Path) -> None:
    (tmp_path / "main.tf").write_text("""
terraform {
  backend "s3" {}
}
provider "aws" {}
output "name" { value = aws_iam_user.this.name }
resource "aws_iam_user" "this" { name = "this" }
resource "aws_iam_user_policy" "own" {
  user   = aws_iam_user.this.name
  policy = jsonencode({ Version = "2012-10-17", Statement = [] })
}
resource "aws_iam_user_policy_attachment" "one" {
  user       = aws_iam_user.this.name
  policy_arn = "arn:aws:iam::aws:policy/ReadOnlyAccess"
}
resource "aws_iam_user_policy_attachments_exclusive" "all" {
  user_name   = aws_iam_user.this.name
  policy_arns = ["arn:aws:iam::aws:policy/ReadOnlyAccess"]
}
""")
    graph = graph_of(tmp_path)
    assert {node["id"]: node["kind"] for node in graph["nodes"]} == {
        "aws_iam_user.this": "user",
        "aws_iam_user_policy.own": "policy",
        "aws:policy/ReadOnlyAccess": "policy",
    }
    held = [edge for edge in graph["edges"] if edge["to"] == "aws:policy/ReadOnlyAccess"]
    assert len(held) == 1
    assert len(held[0]["why"]) == 2
