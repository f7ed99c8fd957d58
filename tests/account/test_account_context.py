"""Snapshots of accounts, joined with code; support/record_account.py has recorded them."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from iam_preflight.account.files import find_exports
from iam_preflight.errors import ProblemKind
from iam_preflight.registry import load_rules
from iam_preflight.scan import Report, ScanOptions
from iam_preflight.settings import Settings
from iam_preflight.source import SourceFile
from iam_preflight.testing import scan_files

SNAPSHOTS = Path(__file__).parents[2] / "fixtures" / "account"
TODAY = dt.date(2026, 11, 5)
BUILDER = """
resource "aws_iam_role" "builder" {
  name = "builder"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "codebuild.amazonaws.com" }
    }]
  })
}

resource "aws_iam_role_policy" "builder" {
  name = "deploy"
  role = aws_iam_role.builder.name
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect   = "Allow"
        Action   = ["lambda:CreateFunction", "lambda:InvokeFunction"]
        Resource = "arn:aws:lambda:*:*:function:build-*"
      },
      { Effect = "Allow", Action = "iam:PassRole", Resource = "arn:aws:iam::*:role/platform-*" },
    ]
  })
}
"""


def snapshot(name: str) -> tuple[SourceFile, ...]:
    return tuple(find_exports([SNAPSHOTS / name], SNAPSHOTS))


def judged(code: str, *sources: SourceFile, settings: Settings | None = None) -> Report:
    options = ScanOptions(settings=settings or Settings(), account_context=sources, today=TODAY)
    return scan_files({"main.tf": code}, load_rules(), options)


def escalations(report: Report) -> list[str]:
    return [one.message for one in report.shown if one.rule.startswith("ESC-")]


def test_a_target_that_only_the_account_has_is_found_with_its_place() -> None:
    assert escalations(judged(BUILDER)) == []
    report = judged(BUILDER, *snapshot("escalation"))
    found = [one for one in report.shown if one.rule == "ESC-003"]
    assert [one.primary.span.path for one in found] == ["main.tf"]
    places = {place.span.path for place in found[0].related}
    assert "escalation/authorization-details.json" in places
    assert not report.problems


def test_control_policies_of_the_real_organization_take_it_away() -> None:
    guarded = snapshot("guarded")
    assert escalations(judged(BUILDER, *guarded)) == []
    details = [one for one in guarded if one.path.endswith("authorization-details.json")]
    assert escalations(judged(BUILDER, *details)), "without the organization it is there"


def test_lines_of_a_snapshot_are_not_shown() -> None:
    from iam_preflight.reporters.present import present

    report = present(judged(BUILDER, *snapshot("escalation")), "medium")
    files = {excerpt.file for finding in report.findings for excerpt in finding.excerpts}
    assert files == {"main.tf"}
    assert "alice" not in str(report)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "empty"),
        (b'{"UserDetailList": [', "not a whole JSON object"),
        (b'{"Reservations": [], "Other": 1}', "not an export of an account"),
        (b"<html>", "not an export of an account"),
        (b'{"UserDetailList": [], "RoleDetailList": []}', "its account is not known"),
        (b"user,arn,user_creation_time\nrobot,arn", "lacks the columns"),
        (b'{"UserDetailList": [{"Arn": "\x80"}], "Policies": []}', "not UTF-8 text"),
        (b'{"UserDetailList": ' + b"[" * 50_000 + b"]" * 50_000 + b"}", "nested too deeply"),
        (b"user,arn,user_creation_time\na\rb", "not as AWS writes credential reports"),
        (b"user,arn,user_creation_time\n" + b"a" * 200_000, "not as AWS writes"),
    ],
    ids=[
        *("empty", "cut off", "something else", "no JSON", "nothing in it", "other columns"),
        *("no text", "deep", "bare returns", "long field"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_and_the_code_still_judged(
    data: bytes, message: str
) -> None:
    report = judged(BUILDER, SourceFile("account/bad.json", data, is_record=True))
    problems = [one for one in report.problems if one.kind is ProblemKind.ACCOUNT_CONTEXT]
    assert len(problems) == 1
    assert problems[0].path == "account/bad.json"
    assert message in problems[0].message
    assert problems[0].fails_the_scan
    assert any(one.rule == "TAG-001" for one in report.shown)


@pytest.mark.parametrize("levels", [400, 50_000])
def test_a_document_that_is_nested_for_no_reason_is_a_hole(levels: int) -> None:
    """As text, so that only whoever asks for the document reads it."""
    details = json.loads(snapshot("escalation")[0].data)
    deep = '{"Statement": ' + "[" * levels + "]" * levels + "}"
    for role in details["RoleDetailList"]:
        role["AssumeRolePolicyDocument"] = deep
    source = SourceFile("a.json", json.dumps(details).encode(), is_record=True)
    report = judged(BUILDER, source)
    assert ProblemKind.RULE_CRASH not in {one.kind for one in report.problems}
    assert any(one.rule == "TAG-001" for one in report.shown)


def test_one_page_of_several_is_a_problem_and_still_used() -> None:
    source = snapshot("escalation")[0]
    page = json.loads(source.data) | {"IsTruncated": True, "Marker": "x"}
    report = judged(BUILDER, SourceFile("a.json", json.dumps(page).encode(), is_record=True))
    assert "one page of several" in report.problems[0].message
    assert escalations(report)


def test_two_different_exports_of_one_account_contradict_each_other() -> None:
    source = snapshot("escalation")[0]
    other = json.loads(source.data)
    other["RoleDetailList"] = []
    twin = SourceFile("other.json", json.dumps(other).encode(), is_record=True)
    assert "contradicts" in judged(BUILDER, source, twin).problems[0].message
    same = SourceFile("copy.json", source.data, is_record=True)
    assert not judged(BUILDER, source, same).problems


def test_old_reports_are_a_problem_but_ages_count_from_their_date() -> None:
    people = snapshot("people")
    report = judged(BUILDER, *people)
    later = ScanOptions(account_context=people, today=TODAY + dt.timedelta(days=90))
    again = scan_files({"main.tf": BUILDER}, load_rules(), later)

    def messages(one: Report) -> list[str]:
        return [found.message for found in one.shown if found.rule.startswith("CRED-")]

    assert messages(report)
    assert messages(report) == messages(again)
    assert not report.problems
    assert "days old" in again.problems[0].message


def test_a_role_in_both_is_one_node_with_the_code_s_policies() -> None:
    code = BUILDER.replace('"builder"\n', '"reports"\n').replace(
        'aws_iam_role_policy" "builder" {\n  name = "deploy"',
        'aws_iam_role_policy" "builder" {\n  name = "read"',
    )
    graph = judged(code, *snapshot("escalation")).graph
    nodes = [one for one in graph.roles if one.name.text == "reports"]
    assert [one.address for one in nodes] == ["aws_iam_role.builder"]
    assert [held.policy.address for held in nodes[0].attachments] == ["aws_iam_role_policy.builder"]
    assert nodes[0].recorded is not None
    assert [held.policy.name for held in nodes[0].recorded.attachments] == ["read"]


def test_what_the_account_holds_is_not_judged_by_itself() -> None:
    report = judged(BUILDER, *snapshot("escalation"))
    assert {one.primary.span.path for one in report.shown} == {"main.tf"}
    assert report.files == 1
    assert report.coverage.principals == 1
    assert replace(report.coverage, principals=0).policies == 2


def test_redacted_reports_number_what_only_the_account_names() -> None:
    from iam_preflight.reporters.present import present
    from iam_preflight.reporters.redact import redact

    live = judged(BUILDER, *snapshot("escalation"), *snapshot("people")[1:])
    told = redact(present(live, "medium"), live.graph)
    messages = " ".join(finding.message for finding in told.findings)
    assert "role role-1 (an administrator)" in messages
    assert "role builder" in messages, "the code says that itself"
    for name in ("robot", "bob", "platform-admin ", "123456789012"):
        assert name not in messages
    assert "123456789012" not in str(told)


def test_suggestions_keep_resources_and_leave_out_what_is_unused() -> None:
    from iam_preflight.graph.suggestion import suggest
    from iam_preflight.graph.usage import usage_of
    from iam_preflight.reporters.policy_text import as_cloudformation, as_hcl

    code = (
        Path(__file__).parents[2] / "fixtures/rules/LEAST-015/terraform/bad_in_the_account/main.tf"
    ).read_text()
    graph = judged(code, *snapshot("workload")).graph
    role = next(one for one in graph.roles if one.name.text == "jobs")
    usage = usage_of(role, graph)
    assert usage is not None
    found = suggest(role, usage)
    assert [(one.service, one.actions) for one in found] == [
        ("dynamodb", ("dynamodb:GetItem",)),
        ("s3", ("s3:GetObject",)),
    ]
    hcl = "\n".join(as_hcl("role jobs", found))
    assert 'resources = ["arn:aws:dynamodb:eu-west-1:123456789012:table/jobs"]' in hcl
    template = "\n".join(as_cloudformation("role jobs", found))
    assert "DeleteItem" not in template
    assert '- "s3:GetObject"' in template


def test_use_from_cloudtrail_is_use() -> None:
    from iam_preflight.graph.usage import usage_of

    usage = {
        "UsageFrom": "2026-08-01T00:00:00Z",
        "UsageUntil": "2026-11-01T00:00:00Z",
        "Principals": [
            {
                "Arn": "arn:aws:iam::123456789012:role/builder",
                "Actions": ["lambda:InvokeFunction"],
            }
        ],
    }
    source = SourceFile("usage.json", json.dumps(usage).encode(), is_record=True)
    graph = judged(BUILDER, source).graph
    found = usage_of(next(graph.roles), graph)
    assert found is not None
    assert list(found.seen) == ["lambda:InvokeFunction"]


def test_permission_sets_of_identity_center_hold_their_policies() -> None:
    arn = "arn:aws:sso:::permissionSet/ssoins-1/ps-1"
    files = {
        "set": {"PermissionSet": {"Name": "admins", "PermissionSetArn": arn}},
        "managed": {
            "PermissionSetArn": arn,
            "AttachedManagedPolicies": [
                {"Name": "x", "Arn": "arn:aws:iam::aws:policy/AdministratorAccess"}
            ],
        },
        "inline": {
            "PermissionSetArn": arn,
            "InlinePolicy": '{"Version": "2012-10-17", "Statement": []}',
        },
    }
    sources = [
        SourceFile(f"{name}.json", json.dumps(held).encode(), is_record=True)
        for name, held in files.items()
    ]
    report = judged(BUILDER, *sources)
    assert not report.problems
    held = [one for one in report.graph.principals if one.name.text == "admins"]
    assert [sorted(a.policy.name for a in one.attachments) for one in held] == [
        ["AdministratorAccess", "ps-1 inline"]
    ]


def test_accounts_of_the_real_organization_are_known() -> None:
    guarded = snapshot("guarded")
    (listed,) = (one for one in guarded if one.path.startswith("guarded/accounts-ou-"))
    number = json.loads(listed.data)["Accounts"][0]["Id"]
    code = BUILDER.replace(
        '{ Service = "codebuild.amazonaws.com" }', f'{{ AWS = "arn:aws:iam::{number}:role/ci" }}'
    )

    def outside(*sources: SourceFile) -> set[str]:
        report = judged(code, *sources)
        return {one.rule for one in report.shown if one.rule.startswith("EXT-")}

    assert outside() == {"EXT-001"}
    assert outside(*guarded) == set()
