"""Made-up input for the scaling curves. It looks like real code, and nobody wrote it."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_GROUP = """
resource "aws_iam_role" "app_{i}" {{
  name = "app-{i}"
  assume_role_policy = jsonencode({{
    Version   = "2012-10-17"
    Statement = [{{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = {{ Service = "ecs-tasks.amazonaws.com" }}
    }}]
  }})
}}

data "aws_iam_policy_document" "app_{i}" {{
  statement {{
    actions   = ["s3:GetObject", "s3:PutObject"]
    resources = ["${{aws_s3_bucket.app_{i}.arn}}/*"]
  }}
  statement {{
    actions   = ["dynamodb:Query", "dynamodb:GetItem"]
    resources = ["arn:aws:dynamodb:eu-west-1:111111111111:table/app-{i}"]
  }}
}}

resource "aws_iam_policy" "app_{i}" {{
  name   = "app-{i}"
  policy = data.aws_iam_policy_document.app_{i}.json
}}

resource "aws_iam_role_policy_attachment" "app_{i}" {{
  role       = aws_iam_role.app_{i}.name
  policy_arn = aws_iam_policy.app_{i}.arn
}}

resource "aws_s3_bucket" "app_{i}" {{
  bucket = "example-app-{i}"
}}
"""
PER_GROUP = 5

_LINK = """
resource "aws_iam_role" "hop_{i}" {{
  name = "hop-{i}"
  assume_role_policy = jsonencode({{
    Version   = "2012-10-17"
    Statement = [{{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = {{ {trusted} }}
    }}]
  }})
}}

resource "aws_iam_role_policy" "hop_{i}" {{
  name = "next"
  role = aws_iam_role.hop_{i}.id
  policy = jsonencode({{
    Version   = "2012-10-17"
    Statement = [{statement}]
  }})
}}
"""


def copies(corpus: Path, target: Path, count: int) -> None:
    """A folder several times beside itself, as so many root modules."""
    for number in range(count):
        shutil.copytree(corpus, target / f"copy{number}", symlinks=True)


def resources(target: Path, count: int) -> None:
    """One root module of roles, each with a policy, its document, and what it is about."""
    target.mkdir(parents=True)
    groups = max(count // PER_GROUP, 1)
    for first in range(0, groups, 200):
        text = "".join(_GROUP.format(i=i) for i in range(first, min(first + 200, groups)))
        (target / f"part{first}.tf").write_text(text)


def principals(target: Path, count: int) -> None:
    """Roles in chains of ten: each may assume the next, the last may make itself administrator."""
    target.mkdir(parents=True)
    parts: list[str] = []
    for i in range(count):
        is_last = i % 10 == 9 or i == count - 1
        trusted = 'Service = "ec2.amazonaws.com"'
        if i % 10:
            trusted = f"AWS = aws_iam_role.hop_{i - 1}.arn"
        action, arn = "sts:AssumeRole", f'"arn:aws:iam::111111111111:role/hop-{i + 1}"'
        if is_last:
            action, arn = "iam:PutRolePolicy", '"*"'
        statement = f'{{ Effect = "Allow", Action = "{action}", Resource = {arn} }}'
        parts.append(_LINK.format(i=i, trusted=trusted, statement=statement))
    (target / "main.tf").write_text("".join(parts))


def plan(target: Path, size: int) -> None:
    """A plan in JSON of at least so many bytes, of roles with their policies."""
    target.mkdir(parents=True)
    with (target / "tfplan.json").open("w") as file:
        file.write('{"format_version":"1.2","terraform_version":"1.9.0",')
        file.write('"planned_values":{"root_module":{"resources":[')
        written, i = 0, 0
        while written < size:
            for resource in _planned(i):
                text = ("," if written else "") + json.dumps(resource)
                written += file.write(text)
            i += 1
        file.write("]}},")
        file.write('"configuration":{"root_module":{}},"resource_changes":[]}')


def _planned(i: int) -> Iterator[dict[str, object]]:
    statement = {"Effect": "Allow", "Action": "sts:AssumeRole"}
    trust = {**statement, "Principal": {"Service": "ecs-tasks.amazonaws.com"}}
    allow = {
        "Effect": "Allow",
        "Action": ["s3:GetObject", "s3:PutObject"],
        "Resource": f"arn:aws:s3:::example-app-{i}/*",
    }
    yield _resource(
        "aws_iam_role",
        i,
        name=f"app-{i}",
        assume_role_policy=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
    )
    yield _resource(
        "aws_iam_role_policy",
        i,
        name="access",
        role=f"app-{i}",
        policy=json.dumps({"Version": "2012-10-17", "Statement": [allow]}),
    )
    for number in range(6):
        yield _resource(
            "aws_cloudwatch_metric_alarm", i * 6 + number, alarm_name=f"alarm-{i}-{number}",
            comparison_operator="GreaterThanThreshold", evaluation_periods=2, threshold=80,
            metric_name="CPUUtilization", namespace="AWS/ECS", period=120, statistic="Average",
            dimensions={"ServiceName": f"app-{i}", "ClusterName": "main"},
        )  # fmt: skip


def _resource(resource_type: str, i: int, **values: object) -> dict[str, object]:
    return {
        "address": f"{resource_type}.app[{i}]",
        "mode": "managed",
        "type": resource_type,
        "name": "app",
        "index": i,
        "provider_name": "registry.terraform.io/hashicorp/aws",
        "schema_version": 0,
        "values": values,
        "sensitive_values": {},
    }
