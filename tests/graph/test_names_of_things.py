"""A hole in the name of something that there is stands for a name, and never for a wildcard."""

from __future__ import annotations

import pytest

from iam_preflight.discovery import Workspace, inventory_of
from iam_preflight.policy.scope import may_be_wildcard
from iam_preflight.registry import load_rules
from iam_preflight.scan import ScanOptions, load_graph
from iam_preflight.testing import MemoryTree

TERRAFORM = """
variable "name" {}

resource "aws_sqs_queue" "orders" {
  name = var.name
}

data "aws_s3_bucket" "elsewhere" {
  bucket = var.name
}

resource "aws_ssm_parameter" "which" {
  name  = "which"
  value = var.name
}

resource "aws_iam_policy" "p" {
  policy = jsonencode({ Statement = [{ Effect = "Allow", Action = "*", Resource = RESOURCE }] })
}
"""
TEMPLATE = """
Parameters:
  Name:
    Type: String
Resources:
  Orders:
    Type: AWS::SQS::Queue
    Properties:
      QueueName: !Sub ${Name}
  Papers:
    Type: AWS::S3::Bucket
    Properties:
      BucketName: !Ref Name
  Policy:
    Type: AWS::IAM::ManagedPolicy
    Properties:
      PolicyDocument:
        Statement:
          - Effect: Allow
            Action: "*"
            Resource: RESOURCE
"""


def may_be_anything(path: str, text: str, resource: str) -> bool:
    tree = MemoryTree({path: text.replace("RESOURCE", resource)})
    graph = load_graph(Workspace(tree), inventory_of(tree, ["."]), load_rules(), ScanOptions())
    (policy,) = graph.policies
    (pattern,) = policy.document.statements[0].resources
    assert pattern.holes
    return may_be_wildcard(pattern)


@pytest.mark.parametrize(
    ("resource", "may"),
    [
        ('"arn:aws:sqs:eu-west-1:111122223333:${var.name}"', True),
        ("aws_ssm_parameter.which.value", True),
        ("aws_sqs_queue.orders.arn", False),
        ('"arn:aws:sqs:eu-west-1:111122223333:${aws_sqs_queue.orders.name}"', False),
        ('"${data.aws_s3_bucket.elsewhere.arn}/*"', False),
        ('"arn:aws:s3:::${data.aws_s3_bucket.elsewhere.id}/*"', False),
    ],
)
def test_in_terraform(resource: str, may: bool) -> None:
    assert may_be_anything("main.tf", TERRAFORM, resource) is may


@pytest.mark.parametrize(
    ("resource", "may"),
    [
        ("!Sub arn:aws:s3:::${Name}/*", True),
        ("!GetAtt Orders.Arn", False),
        ("!Sub ${Papers.Arn}/*", False),
        ("!Sub arn:aws:s3:::${Papers}/*", False),
    ],
)
def test_in_cloudformation(resource: str, may: bool) -> None:
    assert may_be_anything("template.yaml", TEMPLATE, resource) is may
