"""Policies in JSON text of which parts are not known: what stands around them is read."""

from __future__ import annotations

import json
from typing import Any

import pytest
from terraform_helpers import load

from iam_preflight.policy.document import Resolution
from iam_preflight.policy.read import read_policy
from iam_preflight.values import plain

KNOWN = {"Effect": "Allow", "Action": "iam:*", "Resource": "*"}
VARIABLES = 'variable "names" { type = list(string) }\nvariable "more" { type = string }\n'
ONE_EACH = '{"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::${name}"}'
FOR_EACH_NAME = {
    "Effect": "Allow",
    "Action": "s3:*",
    "Resource": "arn:aws:s3:::«var.names[*]»",
}


def read(statements: str) -> tuple[Resolution, Any, list[str]]:
    """How a policy with these statements resolves, what is in it, and what is wrong with it."""
    files = {
        "main.tf": VARIABLES
        + 'resource "aws_iam_policy" "this" {\n'
        + '  policy = templatefile("policy.tftpl", { names = var.names, more = var.more })\n}\n',
        "policy.tftpl": f'{{"Version": "2012-10-17", "Statement": [\n{statements}\n]}}\n',
    }
    resources, problems = load(files)
    assert problems == []
    value = resources["aws_iam_policy.this"].get("policy")
    assert value is not None
    document = read_policy(value)
    assert document.value is not None
    found = plain(document.value)
    listed = found["Statement"] if isinstance(found, dict) else []
    return document.resolution, listed, [problem.message for problem in document.problems]


@pytest.mark.parametrize(
    "loop",
    [
        f"%{{ for name in names }}{ONE_EACH},%{{ endfor }}",
        (
            f"%{{ for i, name in names ~}}\n{ONE_EACH}"
            "%{ if i < length(names) - 1 },%{ endif }\n"
            "%{ endfor ~}\n%{ if length(names) > 0 },%{ endif }"
        ),
        f'%{{ for i, name in names }}${{i == 0 ? "" : ","}}{ONE_EACH}%{{ endfor }},',
    ],
    ids=["comma after each", "comma between", "comma before the next"],
)
def test_a_loop_over_what_nobody_knows_is_written_once(loop: str) -> None:
    resolution, statements, problems = read(f"{loop}\n{json.dumps(KNOWN)}")
    assert problems == []
    assert resolution is Resolution.PARTLY
    assert statements == [FOR_EACH_NAME, KNOWN]


def test_a_loop_may_make_entries_of_an_object() -> None:
    _, (statement,), problems = read(
        '{"Effect": "Allow", "Action": "s3:*", "Resource": "*", "Condition": {"StringEquals": {'
        '%{ for name in names }"aws:RequestTag/${name}": "x", %{ endfor }"aws:RequestedRegion": '
        '"eu-west-1"}}}'
    )
    assert problems == []
    assert statement["Condition"]["StringEquals"] == {
        "aws:RequestTag/«var.names[*]»": "x",
        "aws:RequestedRegion": "eu-west-1",
    }


@pytest.mark.parametrize(
    "statements",
    [
        "${more}\n" + json.dumps(KNOWN),
        json.dumps(KNOWN) + "\n${more}",
        "${more}, " + json.dumps(KNOWN) + ", ${more}",
    ],
)
def test_statements_beside_a_hole_are_read(statements: str) -> None:
    resolution, found, problems = read(statements)
    assert problems == []
    assert resolution is Resolution.PARTLY
    assert KNOWN in found
    assert "«var.more»" in found


def test_further_elements_of_a_statement_may_restrict_it() -> None:
    files = VARIABLES + (
        'resource "aws_iam_policy" "this" {\n  policy = <<EOT\n{"Version": "2012-10-17",\n'
        '"Statement": [{"Effect": "Allow", "Action": "iam:*", "Resource": "*", ${var.more}}]}\nEOT'
        "\n}\n"
    )
    resources, _ = load(files)
    value = resources["aws_iam_policy.this"].get("policy")
    assert value is not None
    (statement,) = read_policy(value).statements
    assert [action.text for action in statement.actions] == ["iam:*"]
    assert [condition.operator.name for condition in statement.conditions] == ["«unknown»"]


@pytest.mark.parametrize(
    "statements",
    [
        json.dumps(KNOWN) + "\n" + json.dumps({**KNOWN, "Resource": "${more}"}),
        json.dumps(KNOWN) + ",, " + json.dumps(KNOWN),
        ", " + json.dumps(KNOWN),
        '{"Effect": "Allow", "Action": "${more}" "Resource": "*"}',
    ],
)
def test_commas_that_nothing_unknown_excuses_are_said(statements: str) -> None:
    resolution, _, problems = read(statements)
    assert resolution is not Resolution.PARTLY
    assert problems
    assert problems[0].startswith("the policy is not JSON")


def test_a_loop_inside_a_string_is_a_hole_in_it() -> None:
    _, (statement,), problems = read(
        '{"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::a'
        '%{ for name in names }-${name}%{ endfor }"}'
    )
    assert problems == []
    assert statement["Resource"] == "arn:aws:s3:::a«names»"
