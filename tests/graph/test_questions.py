"""Questions to the graph: who may do something, resources' policies included, and by which way."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from iam_preflight.cli import cli
from iam_preflight.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

CODE = """
provider "aws" {
  allowed_account_ids = ["111111111111"]
}

locals {
  trust = jsonencode({ Version = "2012-10-17", Statement = [
    {
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "lambda.amazonaws.com" }
    },
  ] })
}

resource "aws_iam_role" "named" {
  name               = "named"
  assume_role_policy = local.trust
}

resource "aws_iam_role" "denied" {
  name               = "denied"
  assume_role_policy = local.trust
}

resource "aws_iam_role_policy" "reads" {
  name = "reads"
  role = aws_iam_role.denied.name
  policy = jsonencode({ Version = "2012-10-17", Statement = [
    { Effect = "Allow", Action = ["s3:GetObject", "kms:Decrypt", "sts:AssumeRole"], Resource = "*" }
  ] })
}

resource "aws_s3_bucket" "reports" {
  bucket = "reports"
}

resource "aws_s3_bucket_policy" "reports" {
  bucket = aws_s3_bucket.reports.id
  policy = jsonencode({ Version = "2012-10-17", Statement = [
    {
      Effect    = "Allow"
      Principal = { AWS = [aws_iam_role.named.arn, "arn:aws:iam::222222222222:role/partner"] }
      Action    = "s3:GetObject"
      Resource  = "${aws_s3_bucket.reports.arn}/*"
    },
    {
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:GetObject"
      Resource  = "${aws_s3_bucket.reports.arn}/*"
      Condition = { ArnEquals = { "aws:PrincipalArn" = aws_iam_role.denied.arn } }
    },
  ] })
}

resource "aws_s3_bucket" "site" {
  bucket = "site"
}

resource "aws_s3_bucket_policy" "site" {
  bucket = aws_s3_bucket.site.bucket
  policy = jsonencode({ Version = "2012-10-17", Statement = [
    { Effect = "Allow", Principal = "*", Action = "s3:GetObject", Resource = "arn:aws:s3:::site/*" }
  ] })
}

resource "aws_kms_key" "closed" {
  policy = jsonencode({ Version = "2012-10-17", Statement = [
    {
      Effect    = "Allow"
      Principal = { AWS = aws_iam_role.named.arn }
      Action    = "kms:*"
      Resource  = "*"
    },
  ] })
}
"""
NAMED, DENIED = "aws_iam_role.named", "aws_iam_role.denied"
PARTNER = "external/arn:aws:iam::222222222222:role/partner"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("estate")
    (folder / "main.tf").write_text(CODE)
    return folder


def who_can(folder: Path, *asked: str) -> list[dict[str, Any]]:
    command = ["who-can", *asked, "--in", str(folder), "-f", "json"]
    result = CliRunner().invoke(cli, command, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    answers: list[dict[str, Any]] = json.loads(result.stdout)
    return answers


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        # the bucket's policy alone lets `named` in, keeps `denied` out, and needs the partner's
        (("s3:GetObject", "arn:aws:s3:::reports/a"), {NAMED: True, PARTNER: False}),
        (("s3:GetObject", "arn:aws:s3:::reports-2/a"), {DENIED: True}),
        (("s3:GetObject", "arn:aws:s3:::site/a"), {"anyone": True, NAMED: True, DENIED: True}),
        (("s3:GetObject",), {"anyone": True, NAMED: True, DENIED: True, PARTNER: False}),
        (("kms:Decrypt",), {NAMED: True, DENIED: True}),
        # a trust policy has to allow, too
        (
            ("sts:AssumeRole", "arn:aws:iam::111111111111:role/named"),
            {"service/lambda.amazonaws.com": True},
        ),
    ],
)
def test_policies_of_resources_have_a_say(
    folder: Path, asked: tuple[str, ...], expected: dict[str, bool]
) -> None:
    answers = who_can(folder, *asked)
    assert {answer["address"]: answer["certain"] for answer in answers} == expected


def test_the_statement_that_lets_in_is_named(folder: Path) -> None:
    answers = who_can(folder, "s3:GetObject", "arn:aws:s3:::reports/a")
    lines = CODE.splitlines()
    (place,) = next(a for a in answers if a["address"] == NAMED)["statements"]
    assert "aws_iam_role.named.arn" in lines[place["line"] + 1]


def paths(folder: Path, *asked: str) -> str:
    command = ["paths", *asked, "--in", str(folder)]
    result = CliRunner().invoke(cli, command, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_who_is_there_already_or_gets_there_alone_is_told(tmp_path: Path) -> None:
    """Neither has a path through somebody else, and both are what one asks for."""
    users = {
        "admin": ("*", "user admin is an administrator already"),
        "maker": ("iam:PutUserPolicy", "user maker makes itself administrator: it uses iam:"),
        "taker": ("iam:CreateAccessKey", "user taker to user "),
        "reader": ("s3:GetObject", "there is no path from reader to an administrator"),
    }
    for name, (action, _) in users.items():
        (tmp_path / f"{name}.tf").write_text(
            f'resource "aws_iam_user" "{name}" {{\n  name = "{name}"\n}}\n'
            f'resource "aws_iam_user_policy" "{name}" {{\n  user = aws_iam_user.{name}.name\n'
            '  policy = jsonencode({ Version = "2012-10-17", Statement = [\n'
            f'    {{ Effect = "Allow", Action = "{action}", Resource = "*" }}\n  ] }})\n}}\n'
        )
    for name, (_, told) in users.items():
        assert paths(tmp_path, name).startswith(told)
    (data,) = json.loads(paths(tmp_path, "maker", "-f", "json"))
    assert (data["from"], data["to"]) == ("aws_iam_user.maker", "aws_iam_user.maker")
    assert data["hops"][0]["what"] == "uses iam:PutUserPolicy"


def test_a_resource_control_policy_binds_whoever_comes_from_outside(tmp_path: Path) -> None:
    (tmp_path / "main.tf").write_text(CODE)
    (tmp_path / "organization.tf").write_text(
        """
resource "aws_organizations_organization" "this" {
  feature_set = "ALL"
}

resource "aws_organizations_policy" "ours" {
  name = "ours"
  type = "RESOURCE_CONTROL_POLICY"
  content = jsonencode({ Version = "2012-10-17", Statement = [
    {
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:*"
      Resource  = "*"
      Condition = { StringNotEquals = { "aws:PrincipalAccount" = "111111111111" } }
    },
  ] })
}

resource "aws_organizations_policy_attachment" "ours" {
  policy_id = aws_organizations_policy.ours.id
  target_id = aws_organizations_organization.this.roots[0].id
}
"""
    )
    for arn in ("arn:aws:s3:::site/a", "arn:aws:s3:::reports/a"):
        outside = {"anyone", PARTNER} & {
            answer["address"] for answer in who_can(tmp_path, "s3:GetObject", arn)
        }
        assert not outside, arn
    answers = who_can(tmp_path, "s3:GetObject", "arn:aws:s3:::reports/a")
    assert {answer["address"] for answer in answers} == {NAMED}


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (("paths", "naned"), "there is no principal 'naned' in the code (did you mean 'named'?)"),
        (("what-can", "xyzzy"), "there is no principal 'xyzzy' in the code: it has role "),
        (("who-can", "PassRole"), "'PassRole': write it with its service, such as iam:PassRole"),
        (("who-can", "iam:PasRole"), "'iam:PasRole': did you mean iam:PassRole?"),
    ],
)
def test_a_name_that_means_nothing_is_answered_with_one_that_does(
    folder: Path, asked: tuple[str, ...], told: str
) -> None:
    result = CliRunner().invoke(cli, [*asked, "--in", str(folder)])
    assert isinstance(result.exception, UsageError)
    assert told in str(result.exception)


def test_code_without_principals_is_said_to_have_none(tmp_path: Path) -> None:
    (tmp_path / "main.tf").write_text('resource "aws_s3_bucket" "only" {\n  bucket = "b"\n}\n')
    result = CliRunner().invoke(cli, ["paths", "ci", "--in", str(tmp_path)])
    assert "there is no principal 'ci' in the code: it has none" in str(result.exception)
