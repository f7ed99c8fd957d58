"""Findings of IAM Access Analyzer about external access, joined with the resources of the code."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from msgspec import Struct

from iam_preflight.values import bool_of, items_of, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.model import Graph
    from iam_preflight.resources import Resource

TYPE = "accessanalyzer_finding"
_TYPES = {
    "AWS::S3::Bucket": "aws_s3_bucket",
    "AWS::IAM::Role": "aws_iam_role",
    "AWS::SQS::Queue": "aws_sqs_queue",
    "AWS::SNS::Topic": "aws_sns_topic",
    "AWS::Lambda::Function": "aws_lambda_function",
    "AWS::SecretsManager::Secret": "aws_secretsmanager_secret",
    "AWS::ECR::Repository": "aws_ecr_repository",
    "AWS::DynamoDB::Table": "aws_dynamodb_table",
    "AWS::EFS::FileSystem": "aws_efs_file_system",
}
"""The types that Access Analyzer looks at whose names are in their ARNs."""
_LAST = re.compile(r"[^:/]+$")


class ExternalAccess(Struct, frozen=True, eq=False):
    """One finding."""

    resource: Resource
    """The finding itself."""
    arn: str
    in_code: Resource | None
    """What it is about, where the code defines that."""
    is_public: bool
    principals: tuple[str, ...]


def external_findings(graph: Graph) -> Iterator[ExternalAccess]:
    """What is open to the outside, but for what the settings say is public on purpose."""
    for resource in graph.of_type(TYPE):
        if resource.text("kind") != "ExternalAccess":
            continue
        arn = resource.text("resource") or ""
        name = _LAST.search(arn)
        texts = (arn, name.group() if name else "")
        if any(fnmatchcase(text, one) for one in graph.settings.public_ok for text in texts):
            continue
        listed = (text_of(item) for _, item in items_of(resource.get("principal")))
        yield ExternalAccess(
            resource,
            arn,
            _in_code(resource, texts[1], graph),
            bool_of(resource.get("is_public")) is True,
            tuple(text for text in listed if text),
        )


def _in_code(finding: Resource, name: str, graph: Graph) -> Resource | None:
    kind = _TYPES.get(finding.text("resource_type") or "")
    if kind is None:
        return None
    found = [one for one in graph.named(kind, name) if not one.is_recorded]
    return found[0] if len(found) == 1 else None
