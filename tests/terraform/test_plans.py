"""Plans: by themselves, over their sources, and in the hands of the command line.

`fixtures/projects/planned` holds the sources and what `terraform show -json` says of their plan
with production.tfvars.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from iam_preflight.cli import cli

PROJECT = Path(__file__).parents[2] / "fixtures" / "projects" / "planned"
PLAN = json.loads((PROJECT / "plan.json").read_text())
WORKER = 'module.role["worker"].aws_iam_role.this'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The sources, without the plan."""
    shutil.copytree(PROJECT, tmp_path / "src")
    (tmp_path / "src" / "plan.json").unlink()
    (tmp_path / ".gitignore").touch()
    return tmp_path


def write_plan(path: Path, data: Any = PLAN) -> str:
    path.write_text(json.dumps(data))
    return str(path)


def scan(*arguments: str, code: int | None = None) -> dict[str, Any]:
    result = CliRunner().invoke(cli, ["scan", "-f", "json", *arguments], catch_exceptions=False)
    assert code is None or result.exit_code == code, result.output
    report: dict[str, Any] = json.loads(result.stdout)
    return report


def findings(report: dict[str, Any]) -> set[tuple[str, str]]:
    return {
        (finding["rule"], address)
        for finding in report["findings"]
        if finding["outcome"] == "shown"
        for address in finding["addresses"]
    }


def places(report: dict[str, Any]) -> set[str]:
    return {Path(finding["place"]["file"]).name for finding in report["findings"]}


def test_plan_by_itself_gives_the_addresses_of_terraform(tmp_path: Path) -> None:
    report = scan(write_plan(tmp_path / "tfplan.json"), code=1)
    assert {("ESC-001", WORKER), ("ROLE-003", WORKER)} <= findings(report)
    assert places(report) == {"tfplan.json"}


def test_plan_with_its_sources_points_into_them(folder: Path) -> None:
    plan = write_plan(folder / "plan.json")
    report = scan("--plan", plan, str(folder / "src"), code=1)
    assert {("ESC-001", WORKER), ("ROLE-003", WORKER)} <= findings(report)
    assert places(report) == {"main.tf"}


def test_plan_among_the_scanned_files_is_joined_without_being_named(folder: Path) -> None:
    write_plan(folder / "src" / "plan.json")
    assert places(scan(str(folder), code=1)) == {"main.tf"}


def test_plan_says_what_the_variables_are(folder: Path) -> None:
    """`iam:*` stands in production.tfvars, which nobody names here."""
    alone = findings(scan(str(folder / "src")))
    joined = findings(scan(str(folder / "src"), "--plan", write_plan(folder / "plan.json")))
    given = findings(
        scan(str(folder / "src"), "--var-file", str(folder / "src" / "production.tfvars"))
    )
    assert ("ESC-001", WORKER) not in alone
    assert joined == given


def test_plan_says_which_instances_there_are(folder: Path) -> None:
    main = folder / "src" / "main.tf"
    main.write_text(main.read_text().replace('toset(["api", "worker"])', "toset(data.x.y.keys)"))
    report = scan(str(folder / "src"), "--plan", write_plan(folder / "plan.json"))
    assert ("ROLE-003", WORKER) in findings(report)


def test_sources_fill_what_the_plan_does_not_know_yet(folder: Path) -> None:
    """The document is read at apply time: it holds ARNs of roles that are not there yet."""
    data = json.loads(json.dumps(PLAN))
    (policy,) = [r for r in data["resource_changes"] if r["address"] == "aws_iam_policy.deploy"]
    assert policy["change"]["after_unknown"]["policy"] is True
    report = scan("--plan", write_plan(folder / "plan.json"), str(folder / "src"))
    assert report["coverage"]["none"] == 0
    assert ("ESC-001", WORKER) in findings(report)


def test_what_is_deleted_is_not_judged(tmp_path: Path) -> None:
    data = json.loads(json.dumps(PLAN))
    for change in data["resource_changes"]:
        change["change"]["actions"] = ["delete"]
    data["planned_values"] = {}
    assert findings(scan(write_plan(tmp_path / "plan.json", data))) == set()


def test_state_is_read_like_a_plan(tmp_path: Path) -> None:
    policy = {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    state = {
        "format_version": "1.0",
        "terraform_version": "1.11.4",
        "values": {
            "root_module": {
                "resources": [
                    {
                        "address": "aws_iam_policy.all",
                        "mode": "managed",
                        "type": "aws_iam_policy",
                        "name": "all",
                        "values": {"name": "all", "policy": json.dumps(policy)},
                    }
                ]
            }
        },
    }
    report = scan(write_plan(tmp_path / "state.json", state), code=1)
    assert ("LEAST-001", "aws_iam_policy.all") in findings(report)


def test_policy_that_a_plan_marks_as_sensitive_is_judged(folder: Path) -> None:
    (role,) = [r for r in PLAN["resource_changes"] if r["address"] == WORKER]
    assert role["change"]["after_sensitive"]["assume_role_policy"] is True
    report = scan(write_plan(folder / "plan.json"))
    assert ("EXT-001", WORKER) in findings(report)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"PK\x03\x04 and so on", "terraform show -json"),
        (json.dumps(PLAN).encode()[:-40], "not a plan that can be read"),
        (b'{"format_version": "1.2", "terraform_version": "1", "resource_changes": 3}', "plan"),
        (b'{"format_version": "1.2", "terraform_version": "1", "planned_values": ' + b"[" * 10**5,
         "plan"),
        (b'{"some": "json"}', "not a plan or state"),
        (b"\xff\xfe\x00", "not a plan or state"),
    ],
)  # fmt: skip
def test_what_is_no_plan_is_said_and_the_rest_is_judged(
    folder: Path, content: bytes, message: str
) -> None:
    plan = folder / "plan.json"
    plan.write_bytes(content)
    (folder / "src" / "more.tf").write_text('resource "aws_iam_user" "a" {\n  name = "a"\n}\n')
    report = scan("--plan", str(plan), str(folder / "src"), code=4)
    told = [problem["message"] for problem in report["problems"]]
    assert any(message in text for text in told), told
    assert any(address == "aws_iam_user.a" for _, address in findings(report))


def test_named_file_that_is_neither_plan_nor_template_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "package.json"
    file.write_text('{"name": "x"}')
    report = scan(str(file), code=4)
    assert [p["message"] for p in report["problems"]] == [
        "neither a CloudFormation template nor a Terraform plan"
    ]


def test_such_a_file_in_a_folder_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "package.json").write_text('{"name": "x"}')
    assert scan(str(tmp_path), code=3)["problems"] == []


def test_words_of_aws_are_read_in_what_a_plan_hides(folder: Path) -> None:
    """A policy is sensitive as a whole for the one value in it: its actions are no secret."""
    report = scan(str(folder / "src"), "--plan", write_plan(folder / "plan.json"))
    told = [finding["message"] for finding in report["findings"] if finding["rule"] == "LEAST-014"]
    assert told == []
