"""Documents that AWS refuses: no rule stumbles over them, and the sound ones beside them count."""

from __future__ import annotations

import json
from typing import Any

import pytest

from iam_preflight.registry import load_rules
from iam_preflight.testing import scan_files

ODD: tuple[Any, ...] = (
    {},
    {"AWS": ["arn:aws:iam::444455556666:user/someone"]},
    {"AWS": None},
    {"AWS": [["*"]]},
    {"StringEquals": []},
    {"StringEquals": {"aws:SourceIp": {}}},
    [["s3:*"]],
    [None],
    [{}],
    [],
    "",
    ":",
    "arn:",
    None,
    5,
    True,
)
ELEMENTS = (
    "Effect",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Principal",
    "NotPrincipal",
    "Condition",
    "Sid",
)
PLACES = {
    "AWS::IAM::ManagedPolicy": "PolicyDocument",
    "AWS::IAM::Role": "AssumeRolePolicyDocument",
    "AWS::KMS::Key": "KeyPolicy",
    "AWS::S3::BucketPolicy": "PolicyDocument",
}
SOUND = {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}


def documents(element: str) -> list[dict[str, Any]]:
    kept = {k: v for k, v in SOUND.items() if element not in (f"Not{k}", "Principal")}
    return [{"Version": "2012-10-17", "Statement": [{**kept, element: odd}]} for odd in ODD]


def scanned(kind: str, found: list[Any]) -> Any:
    resources = {
        f"R{number}": {"Type": kind, "Properties": {PLACES[kind]: document}}
        for number, document in enumerate([*found, {"Statement": [SOUND]}])
    }
    return scan_files({"template.json": json.dumps({"Resources": resources})}, load_rules())


@pytest.mark.parametrize("kind", PLACES)
@pytest.mark.parametrize("element", ELEMENTS)
def test_no_rule_stumbles_over_an_element(element: str, kind: str) -> None:
    report = scanned(kind, documents(element))
    assert [problem.message for problem in report.problems] == []
    assert any(finding.address == f"R{len(ODD)}" for finding in report.shown)


@pytest.mark.parametrize("kind", PLACES)
def test_no_rule_stumbles_over_a_document(kind: str) -> None:
    report = scanned(kind, [*ODD, *({"Statement": odd} for odd in ODD)])
    assert [problem.message for problem in report.problems] == []
    assert any(finding.address == f"R{2 * len(ODD)}" for finding in report.shown)


def test_what_cannot_be_read_spares_nothing() -> None:
    statement = {"Effect": "Allow", "Action": "s3:*", "NotResource": {"AWS": ["x"]}}
    report = scanned("AWS::IAM::ManagedPolicy", [{"Statement": [statement]}])
    [found] = [f for f in report.shown if (f.rule, f.address) == ("LEAST-006", "R0")]
    assert found.message.endswith("on all but nothing")


@pytest.mark.parametrize(
    ("elements", "is_everything"),
    [
        # what is named is what is left, whatever is named beside it
        ({"Action": "s3:GetObject", "NotAction": "s3:DeleteObject"}, False),
        ({"Action": ["s3:GetObject"], "NotAction": "s3:DeleteObject"}, False),
        ({"Action": "*", "NotAction": "s3:DeleteObject"}, True),
        ({"Action": "*", "NotAction": "*"}, False),
        ({"Action": "*", "Resource": "arn:aws:s3:::a/*", "NotResource": "arn:aws:s3:::b"}, False),
    ],
)
def test_a_statement_with_an_element_and_its_opposite_is_what_both_leave(
    elements: dict[str, Any], is_everything: bool
) -> None:
    statement = {"Effect": "Allow", "Resource": "*", **elements}
    document = {"Version": "2012-10-17", "Statement": [statement]}
    kind = "AWS::IAM::ManagedPolicy"
    template = {"Resources": {"P": {"Type": kind, "Properties": {PLACES[kind]: document}}}}
    shown = scan_files({"t.json": json.dumps(template)}, load_rules()).shown
    messages = {finding.rule: finding.message for finding in shown}
    assert ("LEAST-001" in messages) is is_everything
    assert messages["LEAST-014"].startswith("a statement cannot have both")
