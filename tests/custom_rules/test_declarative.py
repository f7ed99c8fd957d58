"""What a declared matcher finds: one statement against one matcher, with its answer."""

from __future__ import annotations

import json
from typing import Any

import pytest

from iam_preflight.declarative import DeclaredRule, RuleFile, rule_class
from iam_preflight.findings import Confidence
from iam_preflight.registry import Registry
from iam_preflight.scan import ScanOptions
from iam_preflight.settings import Settings
from iam_preflight.source import SourceFile
from iam_preflight.testing import scan_files
from iam_preflight.typed import FaultyFileError, decode

TEXTS = {
    "id": "ACME-001",
    "name": "test-rule",
    "title": "A test",
    "severity": "high",
    "practice": 2,
    "checks": "c",
    "matters": "m",
    "fix": "f",
    "message": "{holder}: {action} on {resource} for {principal}",
}


def declared(match: object, **more: object) -> DeclaredRule:
    text = json.dumps({"rules": [{**TEXTS, "match": match, **more}]})
    return decode(SourceFile("r.yaml", text.encode()), RuleFile).rules[0]


SERVICE = '{ Service = "ecs-tasks.amazonaws.com" }'
ROLE = """\
variable "unknown" {}
resource "aws_iam_role" "app" {
  name               = "app-prod"
  path               = "/apps/"
  assume_role_policy = jsonencode({ Statement = [%s] })
}
resource "aws_iam_role_policy" "app" {
  role   = aws_iam_role.app.name
  policy = jsonencode({ Version = "2012-10-17", Statement = [%s] })
}
"""


def found(match: object, identity: str = "", trust: str = "", **more: object) -> list[Any]:
    rule = rule_class(declared(match, **more), "r.yaml")()
    options = ScanOptions(settings=Settings(persona="auditor", accounts={"111122223333": {}}))  # type: ignore[dict-item]
    report = scan_files({"main.tf": ROLE % (trust, identity)}, Registry((rule,)), options)
    return list(report.shown)


def statement(action: str, resource: str = '"*"', more: str = "") -> str:
    return f'{{ Effect = "Allow", Action = {action}, Resource = {resource}{more} }}'


YES, MAYBE, NO = Confidence.HIGH, Confidence.LOW, None

CASES: list[tuple[object, str, Confidence | None]] = [
    # actions: what the statement grants
    ({"actions": ["iam:PassRole"]}, statement('"iam:PassRole"'), YES),
    ({"actions": ["iam:PassRole"]}, statement('"IAM:passrole"'), YES),
    ({"actions": ["iam:PassRole"]}, statement('"iam:*"'), YES),
    ({"actions": ["iam:PassRole"]}, statement('"*"'), YES),
    ({"actions": ["iam:PassRole"]}, statement('"iam:Get*"'), NO),
    ({"actions": ["iam:Pass*"]}, statement('"iam:*Role"'), YES),
    ({"actions": ["iam:PassRole"]}, statement('"iam:${var.unknown}"'), MAYBE),
    ({"actions": ["iam:PassRole", "s3:*"]}, statement('"s3:GetObject"'), YES),
    (
        {"actions": ["iam:PassRole"]},
        '{ Effect = "Allow", NotAction = ["s3:*"], Resource = "*" }',
        YES,
    ),
    (
        {"actions": ["iam:PassRole"]},
        '{ Effect = "Allow", NotAction = ["iam:*"], Resource = "*" }',
        NO,
    ),
    # covers: all of it; written: as it stands
    ({"actions": {"covers": ["s3:*"]}}, statement('"s3:*"'), YES),
    ({"actions": {"covers": ["s3:*"]}}, statement('"*"'), YES),
    ({"actions": {"covers": ["s3:*"]}}, statement('"s3:Get*"'), NO),
    ({"actions": {"written": ["s3:*"]}}, statement('"s3:*"'), YES),
    ({"actions": {"written": ["s3:*"]}}, statement('"*"'), NO),
    ({"actions": {"written": ["*"]}}, statement('"*"'), YES),
    ({"actions": {"written": ["*"]}}, statement('"s3:*"'), NO),
    # resources
    ({"resources": ["arn:aws:s3:::prod-*"]}, statement('"s3:*"', '"arn:aws:s3:::prod-a/*"'), YES),
    ({"resources": ["arn:aws:s3:::prod-*"]}, statement('"s3:*"', '"*"'), YES),
    ({"resources": ["arn:aws:s3:::prod-*"]}, statement('"s3:*"', '"arn:aws:s3:::dev/*"'), NO),
    ({"resources": {"covers": ["arn:aws:s3:::prod-*"]}}, statement('"s3:*"', '"*"'), YES),
    (
        {"resources": {"covers": ["arn:aws:s3:::prod-*"]}},
        statement('"s3:*"', '"arn:aws:s3:::prod-a"'),
        NO,
    ),
    (
        {"resources": ["arn:aws:s3:::prod-*"]},
        statement('"s3:*"', '"arn:aws:s3:::${var.unknown}/*"'),
        MAYBE,
    ),
    # effect
    ({"effect": "Deny", "actions": ["s3:*"]}, statement('"s3:*"').replace("Allow", "Deny"), YES),
    ({"effect": "Deny", "actions": ["s3:*"]}, statement('"s3:*"'), NO),
    # conditions
    ({"conditions": {"lacks": ["aws:SourceVpc"]}}, statement('"s3:*"'), YES),
    (
        {"conditions": {"lacks": ["aws:SourceVpc"]}},
        statement('"s3:*"', more=', Condition = { StringEquals = { "aws:sourcevpc" = "v" } }'),
        NO,
    ),
    (
        {"conditions": {"lacks": ["aws:SourceVpc"]}},
        statement('"s3:*"', more=', Condition = { StringLike = { "aws:SourceVpc" = "*" } }'),
        YES,
    ),
    (
        {"conditions": {"lacks": ["aws:SourceVpc"]}},
        statement(
            '"s3:*"', more=', Condition = { StringEqualsIfExists = { "aws:SourceVpc" = "v" } }'
        ),
        YES,
    ),
    (
        {"conditions": {"requires": ["aws:PrincipalTag/*"]}},
        statement('"s3:*"', more=', Condition = { StringEquals = { "aws:PrincipalTag/a" = "v" } }'),
        YES,
    ),
    (
        {"conditions": {"mentions": ["aws:SourceIp"]}},
        statement(
            '"s3:*"', more=', Condition = { NotIpAddress = { "aws:SourceIp" = "10.0.0.0/8" } }'
        ),
        YES,
    ),
    # who holds it
    ({"holder": {"names": ["*-prod"]}}, statement('"s3:*"'), YES),
    ({"holder": {"names": ["*-dev"]}}, statement('"s3:*"'), NO),
    ({"holder": {"kinds": ["user"]}}, statement('"s3:*"'), NO),
    ({"holder": {"environments": ["prod"], "paths": ["/apps/*"]}}, statement('"s3:*"'), YES),
    # several matchers: any
    ([{"actions": ["iam:*"]}, {"actions": ["s3:*"]}], statement('"s3:GetObject"'), YES),
    # use
    ({"use": ["boundary"], "actions": ["s3:*"]}, statement('"s3:*"'), NO),
]  # fmt: skip


@pytest.mark.parametrize(("match", "text", "expected"), CASES)
def test_statement_is_found(match: object, text: str, expected: Confidence | None) -> None:
    confidences = [finding.confidence for finding in found(match, text)]
    assert confidences == ([] if expected is None else [expected])


TRUST = '{ Effect = "Allow", Principal = %s, Action = "sts:AssumeRole" }'


@pytest.mark.parametrize(
    ("principals", "principal", "expected"),
    [
        ({"kinds": ["Service"]}, SERVICE, YES),
        ({"kinds": ["AWS"]}, SERVICE, NO),
        ({"owned_by": ["external"]}, '{ AWS = "222233334444" }', YES),
        ({"owned_by": ["external"]}, '{ AWS = "111122223333" }', NO),
        ({"owned_by": ["own"]}, '{ AWS = "arn:aws:iam::111122223333:role/x" }', YES),
        ({"owned_by": ["anyone"]}, '"*"', YES),
        ({"owned_by": ["external"]}, "{ AWS = var.unknown }", MAYBE),
        (["*.amazonaws.com"], SERVICE, YES),
        (["*"], SERVICE, NO),
        (["*"], '{ AWS = "*" }', YES),
    ],
)
def test_principal_of_a_trust_policy_is_found(
    principals: object, principal: str, expected: Confidence | None
) -> None:
    match = {"use": ["trust"], "principals": principals}
    confidences = [finding.confidence for finding in found(match, trust=TRUST % principal)]
    assert confidences == ([] if expected is None else [expected])


@pytest.mark.parametrize(
    ("resource", "expected"),
    [
        ('"arn:aws:iam::1:role/apps/x"', NO),
        ('"arn:aws:iam::1:role/x"', YES),
    ],
)
def test_unless_excuses(resource: str, expected: Confidence | None) -> None:
    unless = {"resources": {"written": ["arn:aws:iam::*:role/apps/*"]}}
    text = statement('"iam:PassRole"', resource)
    findings = found({"actions": ["iam:PassRole"]}, text, unless=unless)
    assert [one.confidence for one in findings] == ([] if expected is None else [expected])


def test_message_tells_what_was_matched_and_the_place_is_its_element() -> None:
    text = statement('["s3:ListBucket", "iam:PassRole"]', '"arn:aws:iam::1:role/x"')
    (finding,) = found({"actions": ["iam:PassRole"]}, text)
    assert finding.message == "role app-prod: iam:PassRole on arn:aws:iam::1:role/x for "
    assert finding.primary.span.text == '"iam:PassRole"'
    assert finding.principal == "aws_iam_role.app"


def test_page_is_made_of_the_texts() -> None:
    rule = rule_class(declared({}), "r.yaml")
    assert rule.title() == "A test"
    assert "## Why it matters\nm" in rule.page()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"id": "acme"}, "r.yaml:1:19: rules[0].id: 'acme' does not have the form"),
        ({"severity": "bad"}, "rules[0].severity: 'bad' is not one of"),
        (
            {"match": {"action": ["x"]}},
            "rules[0].match.action: unknown key (did you mean 'actions'?)",
        ),
        ({"match": {"use": ["identiy"]}}, "(did you mean 'identity'?)"),
        ({"match": "x"}, "rules[0].match: expected a mapping or a list, not 'x'"),
        ({"match": {"actions": "s3:*"}}, "rules[0].match.actions: expected a mapping or a list"),
        ({"practice": 12}, "rules[0].practice: expected a number from 1 to 11, not 12"),
        ({"colour": "red"}, "rules[0].colour: unknown key"),
    ],
)
def test_fault_in_a_rule_is_told_with_its_place(change: dict[str, object], message: str) -> None:
    text = json.dumps({"rules": [{**TEXTS, "match": {}, **change}]})
    with pytest.raises(FaultyFileError) as caught:
        decode(SourceFile("r.yaml", text.encode()), RuleFile)
    assert message in str(caught.value)


def test_missing_text_is_told() -> None:
    text = json.dumps({"rules": [{"id": "ACME-001", "match": {}}]})
    with pytest.raises(FaultyFileError, match=r"rules\[0\].title: is missing"):
        decode(SourceFile("r.yaml", text.encode()), RuleFile)
