"""`aws_iam_policy_document`: the same JSON as the provider, and what it cannot know."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import terraform_oracle as oracle
from terraform_helpers import data_of, load

from iam_preflight.policy.document import Resolution
from iam_preflight.policy.read import read_policy
from iam_preflight.registry import load_rules
from iam_preflight.testing import scan_files
from iam_preflight.values import Json

if TYPE_CHECKING:
    from pathlib import Path

    from iam_preflight.resources import Resource
    from iam_preflight.values import Value

ANSWERS: dict[str, Any] = oracle.recorded("policy_documents")


def document_of(resource: Resource) -> Value:
    found = resource.attributes.entries.attribute("json", resource.span)  # type: ignore[attr-defined]
    assert isinstance(found, Json)
    return found.value


@pytest.fixture(scope="module")
def resources() -> dict[str, Resource]:
    text = (oracle.CASES / "policy_documents.tf").read_text("utf-8")
    found, problems = load({"documents.tf": text, "provider.tf": oracle.PROVIDER})
    assert problems == []
    return found


def test_the_same_instances(resources: dict[str, Resource]) -> None:
    documents = [a for a, r in resources.items() if r.type == "aws_iam_policy_document"]
    assert sorted(documents) == sorted(ANSWERS)
    assert len(ANSWERS) >= 60


@pytest.mark.parametrize("address", ANSWERS)
def test_same_json_as_the_provider(address: str, resources: dict[str, Resource]) -> None:
    assert data_of(document_of(resources[address])) == ANSWERS[address]


@pytest.mark.parametrize("address", ANSWERS)
def test_every_document_resolves_fully(address: str, resources: dict[str, Resource]) -> None:
    assert read_policy(document_of(resources[address])).resolution is Resolution.FULL


@pytest.mark.skipif(oracle.mirror() is None, reason=f"{oracle.MIRROR_VARIABLE} names no mirror")
def test_the_record_is_what_the_provider_says(tmp_path: Path) -> None:
    assert oracle.document_answers(tmp_path) == ANSWERS


# ---------------------------------------------------------------- what is not known


def statements(text: str, name: str = "this") -> list[dict[str, Any]]:
    found, _ = load(text)
    document = data_of(document_of(found[f"data.aws_iam_policy_document.{name}"]))
    listed: list[dict[str, Any]] = document["Statement"]
    return listed


def test_an_unknown_resource_keeps_its_statement() -> None:
    [statement] = statements("""
        variable "bucket" {}
        data "aws_iam_policy_document" "this" {
          statement {
            actions   = ["s3:*", var.bucket]
            resources = ["arn:aws:s3:::${var.bucket}/*", "*"]
          }
        }
    """)
    assert statement == {
        "Effect": "Allow",
        "Action": ["s3:*", "«var.bucket»"],
        "Resource": ["*", "arn:aws:s3:::«var.bucket»/*"],
    }


def test_an_unknown_source_does_not_hide_the_rest() -> None:
    found, _ = load("""
        variable "more" {}
        data "aws_iam_policy_document" "this" {
          source_policy_documents = [var.more]
          statement {
            sid       = "Own"
            actions   = ["s3:*"]
            resources = ["*"]
          }
        }
    """)
    document = read_policy(document_of(found["data.aws_iam_policy_document.this"]))
    assert [statement.sid for statement in document.statements] == ["Own"]
    assert document.resolution is Resolution.PARTLY
    assert [hole.label for hole in document.holes] == ["var.more"]


def test_an_undecided_statement_is_kept_with_its_condition() -> None:
    found, _ = load("""
        variable "admin" {}
        data "aws_iam_policy_document" "this" {
          statement {
            actions   = ["s3:Get*"]
            resources = ["*"]
          }
          dynamic "statement" {
            for_each = var.admin ? [1] : []
            content {
              actions   = ["*"]
              resources = ["*"]
            }
          }
        }
    """)
    document = read_policy(document_of(found["data.aws_iam_policy_document.this"]))
    assert [[str(a) for a in s.actions] for s in document.statements] == [["s3:Get*"], ["*"]]
    assert [[str(a) for a in s.assumptions] for s in document.statements] == [[], ["var.admin"]]


def test_an_override_under_a_condition_keeps_both_statements() -> None:
    found, _ = load("""
        variable "locked" {}
        data "aws_iam_policy_document" "lock" {
          statement {
            sid       = "S"
            effect    = "Deny"
            actions   = ["*"]
            resources = ["*"]
          }
        }
        data "aws_iam_policy_document" "this" {
          statement {
            sid       = "S"
            actions   = ["*"]
            resources = ["*"]
          }
          override_policy_documents = var.locked ? [data.aws_iam_policy_document.lock.json] : []
        }
    """)
    document = read_policy(document_of(found["data.aws_iam_policy_document.this"]))
    assert {(s.effect.value, str(s.assumptions[0])) for s in document.statements} == {
        ("Deny", "var.locked"),
        ("Allow", "not (var.locked)"),
    }


def test_an_unknown_number_of_blocks_is_one_that_stands_for_all() -> None:
    [statement] = statements("""
        variable "accounts" {}
        data "aws_iam_policy_document" "this" {
          statement {
            actions = ["sts:AssumeRole"]
            dynamic "principals" {
              for_each = var.accounts
              content {
                type        = "AWS"
                identifiers = ["arn:aws:iam::${principals.value}:root"]
              }
            }
          }
        }
    """)
    assert statement["Principal"] == {"AWS": ["arn:aws:iam::«var.accounts[*]»:root"]}


def test_the_older_single_forms_merge_too() -> None:
    found = statements("""
        data "aws_iam_policy_document" "a" {
          statement {
            sid       = "A"
            actions   = ["s3:*"]
            resources = ["*"]
          }
        }
        data "aws_iam_policy_document" "this" {
          source_json   = data.aws_iam_policy_document.a.json
          override_json = jsonencode({
            Statement = [{ Sid = "B", Effect = "Deny", Action = "*", Resource = "*" }]
          })
          statement {
            sid       = "B"
            actions   = ["sqs:*"]
            resources = ["*"]
          }
        }
    """)
    assert [(s["Sid"], s["Effect"]) for s in found] == [("A", "Allow"), ("B", "Deny")]


def test_a_source_that_is_not_json_is_a_hole_and_not_the_end() -> None:
    found, _ = load("""
        data "aws_iam_policy_document" "this" {
          source_policy_documents = ["{not json"]
          statement {
            actions   = ["s3:*"]
            resources = ["*"]
          }
        }
    """)
    document = read_policy(document_of(found["data.aws_iam_policy_document.this"]))
    assert len(document.statements) == 1
    assert document.resolution is Resolution.PARTLY


# ---- what is judged of documents that are put together

OVERRIDDEN = """
data "aws_iam_policy_document" "base" {
  statement {
    sid       = "Data"
    actions   = ["s3:*"]
    resources = ["*"]
  }
}

data "aws_iam_policy_document" "merged" {
  %s = [data.aws_iam_policy_document.%s.json]

  statement {
    sid       = "Data"
    actions   = ["s3:GetObject"]
    resources = ["arn:aws:s3:::orders/*"]
  }
}

resource "aws_iam_policy" "orders" {
  name   = "orders"
  policy = data.aws_iam_policy_document.%s.json
}
"""


def judged(argument: str, taken_in: str, used: str) -> list[str]:
    text = OVERRIDDEN % (argument, taken_in, used)
    report = scan_files({"main.tf": text}, load_rules())
    return [finding.rule for finding in report.shown if finding.rule.startswith("LEAST")]


def test_a_statement_that_is_overridden_is_not_judged():
    assert judged("source_policy_documents", "base", "merged") == []


def test_a_statement_that_overrides_is():
    assert judged("override_policy_documents", "base", "merged") == ["LEAST-003"]


def test_a_document_that_is_used_by_itself_as_well_is():
    assert judged("source_policy_documents", "base", "base") == ["LEAST-003"]
