from __future__ import annotations

import json

import pytest

from iam_preflight.graph.wide import formats
from iam_preflight.knowledge.catalog import catalog
from iam_preflight.registry import load_rules
from iam_preflight.scan import ScanOptions
from iam_preflight.settings import Settings
from iam_preflight.testing import scan_files

RULES = load_rules()


def found(
    *statements: dict[str, object], persona: str = "regular", family: str = "LEAST"
) -> list[tuple[str, str, str]]:
    document = json.dumps({"Version": "2012-10-17", "Statement": statements})
    template = {
        "Resources": {
            "P": {
                "Type": "AWS::IAM::ManagedPolicy",
                "Properties": {"PolicyDocument": json.loads(document)},
            }
        }
    }
    options = ScanOptions(settings=Settings(persona=persona))
    report = scan_files({"t.json": json.dumps(template)}, RULES, options)
    return [
        (one.rule, str(one.severity), one.message)
        for one in report.shown
        if one.rule.startswith(family)
    ]


def allow(action: object, resource: object = "*", **more: object) -> dict[str, object]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


WHO = "whoever holds P may"


@pytest.mark.parametrize("action", ["s3:*", "S3:*", "s3:**", ["s3:*"], ["s3:Get*", "s3:*"]])
def test_a_service_as_a_whole_however_it_is_written(action: object) -> None:
    assert found(allow(action)) == [("LEAST-003", "high", f"{WHO} use every action of s3")]


def test_named_resources_make_a_whole_service_low() -> None:
    assert found(allow("s3:*", ["arn:aws:s3:::b", "arn:aws:s3:::b/*"])) == [
        ("LEAST-003", "low", f"{WHO} use every action of s3, on named resources")
    ]


def test_resources_of_other_services_are_not_reached() -> None:
    queue = "arn:aws:sqs:eu-west-1:111122223333:q"
    assert found(allow(["s3:*", "sqs:SendMessage"], queue)) == [
        ("LEAST-014", "low", f"s3:* cannot be used on {queue}")
    ]


def test_a_deny_of_one_action_does_not_make_it_good_and_of_the_sensitive_ones_does() -> None:
    deny = {"Effect": "Deny", "Resource": "*"}
    assert found(allow("sqs:*"), {**deny, "Action": "sqs:DeleteQueue"})[0][0] == "LEAST-003"
    sensitive = ["sqs:*Permission", "sqs:SetQueueAttributes", "sqs:ReceiveMessage"]
    assert found(allow("sqs:*"), {**deny, "Action": sensitive}) == []


def test_a_region_makes_it_milder_and_a_tag_excuses_it() -> None:
    region = {"StringEquals": {"aws:RequestedRegion": "eu-west-1"}}
    tag = {"StringEquals": {"aws:ResourceTag/team": "red"}}
    assert found(allow("secretsmanager:*", Condition=region))[0][:2] == ("LEAST-003", "medium")
    assert found(allow("secretsmanager:*", Condition=tag)) == []


def test_a_graver_finding_stands_beside_a_milder_one_of_the_statement() -> None:
    rules = [rule for rule, _, _ in found(allow(["sqs:*", "secretsmanager:GetSecretValue"]))]
    assert rules == ["LEAST-008", "LEAST-003"]


@pytest.mark.parametrize(
    ("action", "resource", "rule", "persona", "milder"),
    [
        ("s3:ListBucket", "*", "WILD-001", "pedantic", "regular"),
        ("s3:ListBucket", "arn:aws:s3:::*", "WILD-001", "auditor", "pedantic"),
        (
            "dynamodb:DescribeTable",
            "arn:aws:dynamodb:*:*:table/*",
            "WILD-001",
            "auditor",
            "pedantic",
        ),
        ("iam:ListRolePolicies", "*", "WILD-002", "pedantic", "regular"),
        ("iam:ListRolePolicies", "arn:aws:iam::*:role/*", "WILD-002", "auditor", "pedantic"),
    ],
)
def test_who_is_told_of_lists_on_every_name(
    action: str, resource: str, rule: str, persona: str, milder: str
) -> None:
    told = found(allow(action, resource), persona=persona, family="WILD")
    assert [(one[0], one[1]) for one in told] == [(rule, "low")]
    assert found(allow(action, resource), persona=milder, family="WILD") == []


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("s3:ListBucket", "arn:aws:s3:::orders-*"),
        ("iam:ListRolePolicies", "arn:aws:iam::111122223333:role/app/*"),
        # what nearly every workload has is told on a plain `*` only
        ("logs:PutLogEvents", "arn:aws:logs:*:*:*"),
    ],
)
def test_lists_on_a_prefix_and_logs_are_not_told(action: str, resource: str) -> None:
    assert found(allow(action, resource), persona="auditor", family="WILD") == []


@pytest.mark.parametrize(
    ("condition", "severity"),
    [
        ({}, "medium"),
        ({"StringLike": {"aws:PrincipalArn": "*"}}, "medium"),
        ({"StringEquals": {"aws:RequestedRegion": "eu-west-1"}}, "low"),
        ({"StringEquals": {"ec2:ResourceTag/team": "web"}}, "low"),
    ],
)
def test_conditions_make_not_action_milder_only_where_they_bind(
    condition: dict[str, object], severity: str
) -> None:
    statement = {
        "Effect": "Allow",
        "NotAction": ["iam:*", "s3:*"],
        "Resource": "arn:aws:ec2:*:*:instance/i-0123456789abcdef0",
        **({"Condition": condition} if condition else {}),
    }
    told = [one[1] for one in found(statement) if one[0] == "LEAST-005"]
    assert told == [severity]


@pytest.mark.parametrize(
    ("action", "arn"),
    [
        ("execute-api:Invoke", "ApiId/Stage/Method/ApiSpecificResourcePath"),
        ("batch:SubmitJob", "job-queue/JobQueueName"),
        ("ssm:StartAutomationExecution", "document/DocumentName"),
    ],
)
def test_hint_gives_the_arn_that_somebody_can_write_down(action: str, arn: str) -> None:
    known = catalog()
    assert formats([action], None, known).endswith(f":{arn}")


@pytest.mark.parametrize(
    ("action", "resource", "is_told"),
    [
        ("ec2:TerminateInstances", "*", True),
        ("sqs:SendMessage", "*", False),
        ("ec2:CreateVolume", "*", False),
    ],
)
def test_hint_gives_the_tag_where_nobody_knows_the_name(
    action: str, resource: str, is_told: bool
) -> None:
    template = {
        "Resources": {
            "P": {
                "Type": "AWS::IAM::ManagedPolicy",
                "Properties": {"PolicyDocument": {"Statement": [allow(action, resource)]}},
            }
        }
    }
    options = ScanOptions(settings=Settings(persona="auditor"))
    report = scan_files({"t.json": json.dumps(template)}, RULES, options)
    hints = [one.hint for one in report.shown if one.rule == "WILD-001"]
    assert hints
    assert all(("aws:ResourceTag" in hint) is is_told for hint in hints)


@pytest.mark.parametrize(
    ("action", "is_told"),
    [("kms:PutKeyPolicy", True), ("identitystore:DeleteGroupMembership", False)],
)
def test_hint_gives_the_tag_only_where_there_are_tags(action: str, *, is_told: bool) -> None:
    template = {
        "Resources": {
            "P": {
                "Type": "AWS::IAM::ManagedPolicy",
                "Properties": {"PolicyDocument": {"Statement": [allow(action)]}},
            }
        }
    }
    report = scan_files({"t.json": json.dumps(template)}, RULES)
    (hint,) = [one.hint for one in report.shown if one.rule == "LEAST-010"]
    assert ("aws:ResourceTag" in hint) is is_told


def test_all_whom_a_trust_policy_names_are_counted() -> None:
    users = [f"arn:aws:iam::111122223333:user/{name}" for name in ("ann", "bob", "eve")]
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": users}}
    role = {
        "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [trust]},
        "ManagedPolicyArns": ["arn:aws:iam::aws:policy/AdministratorAccess"],
    }
    template = {"Resources": {"Ops": {"Type": "AWS::IAM::Role", "Properties": role}}}
    report = scan_files({"t.json": json.dumps(template)}, RULES)
    (message,) = [one.message for one in report.shown if one.rule == "MFA-001"]
    assert ":user/ann and 2 more may assume role Ops" in message


def test_what_reads_all_objects_is_told_by_that() -> None:
    """`s3:*Object*` holds rare actions that change permissions, too."""
    (told,) = found(allow("s3:*Object*"))
    assert told[:2] == ("LEAST-008", "high")
    assert "s3:GetObject" in told[2]


def test_placeholders_of_arns_are_shown_by_their_names() -> None:
    assert "$" not in formats(["securityhub:BatchUpdateFindings"], None, catalog())
