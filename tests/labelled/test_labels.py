"""The examples of other scanners: what they report we report, what they let pass we let pass."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path

import pytest
from scoring import MAPPING, Scorer, exception_for, read_mapping, tally

TARGET = 0.97

CORPORA = os.environ.get("IAM_PREFLIGHT_CORPORA")
needs_corpora = pytest.mark.skipif(
    CORPORA is None, reason="IAM_PREFLIGHT_CORPORA names no folder with labelled examples"
)


@pytest.fixture(scope="module")
def scorer():
    return Scorer(Path(CORPORA))


@pytest.fixture(scope="module")
def scored(scorer):
    return list(scorer.score())


# ---- the mapping


def test_every_rule_of_another_tool_has_one_meaning_and_a_reason_if_none():
    mapping = read_mapping(MAPPING)
    counted = Counter((one.tool, rule) for one in mapping.rules for rule in one.ids)
    assert [rule for rule, count in counted.items() if count > 1] == []
    for one in mapping.rules:
        assert bool(one.ours) != bool(one.left_out), one.ids
    for exception in (*mapping.labels_left_out, *mapping.known_misses):
        assert len(exception.reason) > 20, exception


@needs_corpora
def test_every_label_has_a_meaning(scorer):
    assert {label.id for label in scorer.labels() if scorer.meaning(label) is None} == set()


@needs_corpora
def test_no_more_than_a_quarter_of_the_labels_is_left_out(scorer):
    labels = scorer.labels()
    left_out = [label for label in labels if scorer.why_left_out(label)]
    assert len(left_out) <= len(labels) / 4


@needs_corpora
def test_every_exception_is_about_a_label(scorer):
    mapping = scorer.mapping
    held = {
        id(found)
        for label in scorer.labels()
        for exceptions in (mapping.labels_left_out, mapping.known_misses)
        if (found := exception_for(label, exceptions)) is not None
    }
    exceptions = (*mapping.labels_left_out, *mapping.known_misses)
    assert [one for one in exceptions if id(one) not in held] == []


# ---- the score


@needs_corpora
def test_recall_of_what_they_report(scored):
    fails, _ = tally(one for one in scored if not one.is_waiting)
    assert fails.share >= TARGET, str(fails)


@needs_corpora
def test_silence_on_what_they_let_pass(scored):
    _, passes = tally(one for one in scored if not one.is_waiting)
    assert passes.share >= TARGET, str(passes)


@needs_corpora
def test_every_miss_is_explained_and_every_explanation_is_of_a_miss(scorer, scored):
    known = scorer.mapping.known_misses
    unexplained = [
        str(one.label)
        for one in scored
        if not one.is_right and not one.is_waiting and exception_for(one.label, known) is None
    ]
    healed = [
        str(one.label)
        for one in scored
        if one.is_right and exception_for(one.label, known) is not None
    ]
    assert (unexplained, healed) == ([], [])


# ---- the scoring itself, on labels of our own

ROLES = """\
resource "aws_iam_role" "open" {
  name = "open"
  assume_role_policy = jsonencode({
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = "*" }]
  })
}

resource "aws_iam_role" "closed" {
  name = "closed"
  assume_role_policy = jsonencode({
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "lambda.amazonaws.com" }
    }]
  })
}
"""


def label(resource, expected, tool="checkov", rule="CKV_AWS_60"):
    return {
        "tool": tool,
        "rule_id": rule,
        "rule_name": "anyone may assume a role",
        "framework": "terraform",
        "expected": expected,
        "file": "roles.tf",
        "resource": resource,
        "line": None,
        "file_valid_hcl": True,
    }


def score_of(folder, *labels):
    examples = folder / "labelled"
    examples.mkdir()
    (examples / "roles.tf").write_text(ROLES, encoding="utf-8")
    (examples / "labels.json").write_text(json.dumps(labels), encoding="utf-8")
    return [one.is_right for one in Scorer(folder).score()]


def test_a_label_of_checkov_is_about_its_resource_alone(tmp_path):
    right = score_of(
        tmp_path,
        label("aws_iam_role.open", "fail"),
        label("aws_iam_role.closed", "pass"),
        label("aws_iam_role.open", "pass"),
        label("aws_iam_role.closed", "fail"),
    )
    assert right == [True, True, False, False]


def test_a_label_of_kics_is_about_its_file(tmp_path):
    rule = "bcdcbdc6-a350-4855-ae7c-d1e6436f7c97"
    right = score_of(
        tmp_path,
        label("aws_iam_role.closed", "fail", "kics", rule),
        label(None, "pass", "kics", rule),
    )
    assert right == [True, False]


def test_a_file_that_is_no_hcl_is_skipped(tmp_path):
    broken = {**label("aws_iam_role.open", "fail"), "file_valid_hcl": False}
    assert score_of(tmp_path, broken) == []
