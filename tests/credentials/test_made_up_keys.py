"""Keys that stand in for real ones: shown to those who ask for everything, and only as low."""

from __future__ import annotations

import pytest

from iam_preflight.registry import load_rules
from iam_preflight.scan import ScanOptions
from iam_preflight.settings import Settings
from iam_preflight.testing import scan_files

FUNCTION = """
resource "aws_lambda_function" "export" {
  function_name = "export"
  environment {
    variables = { AWS_ACCESS_KEY_ID = "AKIAIOSFODNN7EXAMPLE" }
  }
}
"""
PROVIDER = """
provider "aws" {
  access_key = "mine"
  secret_key = "theirs"
  %s
}
resource "aws_iam_group" "g" {
  name = "g"
}
"""


def said(code, persona="pedantic"):
    options = ScanOptions(settings=Settings(persona=persona))
    report = scan_files({"main.tf": code}, load_rules().select(["ROLE-005"], ()), options)
    return [(finding.message, str(finding.severity)) for finding in report.shown]


def test_a_key_of_the_documentation_is_low_where_a_real_one_would_stand():
    place = "the environment of aws_lambda_function.export"
    assert said(FUNCTION) == [(f"a made-up access key is written into {place}", "low")]


def test_a_made_up_key_of_a_provider_is_told_once():
    assert said(PROVIDER % "") == [("provider aws uses a made-up access key", "low")]


@pytest.mark.parametrize("code", [FUNCTION, PROVIDER % ""])
def test_nobody_else_hears_of_them(code):
    assert said(code, "regular") == []


def test_a_provider_of_a_local_test_endpoint_needs_some_key():
    assert said(PROVIDER % 'endpoints {\n    s3 = "http://localhost:4566"\n  }') == []


def test_a_real_key_beside_a_made_up_one_is_what_counts():
    code = (PROVIDER % "").replace('"mine"', '"AKIAZ7QX4M2KD9WLRT5B"')
    assert said(code, "regular") == [("provider aws uses a static access key", "high")]
