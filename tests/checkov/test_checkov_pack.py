"""The pack inside the real checkov: the same answers, and never a false all-clear.

A process of checkov takes seconds, so each of them is asked as much as it can answer.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest
from checkov_process import OURS, PACK, ROOT, SENTINEL, Checkov, Run, documents
from click.testing import CliRunner

from iam_preflight.cli import cli
from iam_preflight.registry import load_rules
from iam_preflight.scan import ScanOptions, scan

PROJECTS = ROOT / "fixtures" / "projects"
OPEN = """\
resource "aws_iam_role" "{name}" {{
  {comment}
  assume_role_policy = jsonencode({{
    Statement = [{{ Effect = "Allow", Principal = "*", Action = "sts:AssumeRole" }}]
  }})
}}
"""
VALUES = "planned/production.tfvars"
MULTITOOL = os.environ.get("IAM_PREFLIGHT_SARIF_MULTITOOL") or shutil.which("sarif-multitool")


def check_of(rule: str) -> str:
    return f"CKV_IAMP_{rule.replace('-', '_')}"


@pytest.fixture(scope="module")
def estate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two projects in HCL, one of them also as a plan, one with keys of all kinds, a template."""
    folder = tmp_path_factory.mktemp("estate").resolve()
    (folder / ".git").mkdir()
    shutil.copytree(Path(__file__).with_name("estate"), folder, dirs_exist_ok=True)
    for name in ("two-roles", "planned"):
        left_out = shutil.ignore_patterns(".iam-preflight.yaml")
        shutil.copytree(PROJECTS / name, folder / name, ignore=left_out)
    (folder / "plan").mkdir()
    (folder / "planned" / "plan.json").rename(folder / "plan" / "plan.json")
    return folder


def found_by_the_engine(folder: Path, *paths: str) -> set[tuple[str, str, str]]:
    """What `iam-preflight scan` shows, by rule, file and address as checkov writes them."""
    options = ScanOptions(assignments=(("file", VALUES),))
    report = scan([folder / path for path in paths], load_rules(), options, folder)
    return {
        (check_of(one.rule), one.resource.header.path, address_for_checkov(one.resource.address))
        for decided in report.findings
        if decided.is_shown
        for one in decided.instances
    }


def address_for_checkov(address: str) -> str:
    """It leaves out `data.`, and does not unfold what is not known; SAM's role is its function."""
    plain = re.sub(r"(^|\.)data\.", r"\1", address).removesuffix("[*]")
    return "Job" if plain == "JobRole" else plain


@pytest.fixture(scope="module")
def forked(checkov: Checkov, estate: Path) -> Run:
    return checkov.run(estate, "-d", ".", *OURS, "--var-file", VALUES)


def test_finds_what_the_command_line_finds(forked: Run, estate: Path) -> None:
    wanted = found_by_the_engine(estate, "two-roles", "planned", "keys", "stack")
    planned = found_by_the_engine(estate, "plan/plan.json")
    assert {file for _, file, _ in wanted} == {
        "two-roles/main.tf",
        "two-roles/role/main.tf",
        "planned/role/main.tf",
        "keys/main.tf",
        "keys/team/main.tf",
        "keys/team/key/main.tf",
        "stack/template.yaml",
    }
    assert {file for _, file, _ in planned} == {"plan/plan.json"}
    assert forked.failed == wanted | planned
    assert forked.code == 1


def test_finds_the_same_in_threads_and_in_graphs_of_networkx(
    checkov: Checkov, estate: Path, forked: Run
) -> None:
    variables = {"CHECKOV_PARALLELIZATION_TYPE": "thread", "CHECKOV_GRAPH_FRAMEWORK": "NETWORKX"}
    run = checkov.run(estate, "-d", ".", *OURS, "--var-file", VALUES, **variables)
    assert run.records == forked.records


def test_finds_the_same_folder_by_folder(checkov: Checkov, estate: Path, forked: Run) -> None:
    folders = ("two-roles", "planned", "keys", "stack", "plan")
    arguments = [argument for folder in folders for argument in ("-d", folder)]
    run = checkov.run(estate, *arguments, *OURS, "--var-file", VALUES)
    assert run.failed == forked.failed


def test_sentinel_passes_once_a_graph_when_all_is_analysed(forked: Run) -> None:
    passed = [one for one in forked.records if one.result == "PASSED"]
    assert {one.check for one in passed} == {SENTINEL}
    assert len(passed) == len({"terraform", "terraform_plan", "cloudformation"})


def test_records_name_the_rule_its_severity_and_its_page(forked: Run) -> None:
    rules = {check_of(rule.id): rule for rule in load_rules()}
    records = [
        record for report in documents(forked.out) for record in report["results"]["failed_checks"]
    ]
    for record in records:
        rule = rules[record["check_id"]]
        assert record["check_name"] == rule.title()
        assert record["severity"] == rule.severity.name
        assert (ROOT / record["guideline"].partition("/main/")[2]).is_file()
        first, last = record["file_line_range"]
        assert 0 < first <= last


# ---------------------------------------------------------------- choosing and skipping


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Open roles: one to report, one that is skipped, others where nobody is to look."""
    folder = tmp_path_factory.mktemp("small").resolve()
    (folder / ".git").mkdir()
    skip = "#checkov:skip=CKV_IAMP_SEG_007:public on purpose"
    own = "# iam-preflight: ignore[SEG-007] public on purpose"
    (folder / "main.tf").write_text(
        OPEN.format(name="reported", comment="")
        + OPEN.format(name="skipped", comment=skip)
        + OPEN.format(name="ignored", comment=own)
    )
    (folder / "legacy.tf").write_text(OPEN.format(name="legacy", comment=""))
    for name in ("old", ".hidden"):
        (folder / name).mkdir()
        (folder / name / "main.tf").write_text(OPEN.format(name="old", comment=""))
    role = {
        "Type": "AWS::IAM::Role",
        "Properties": {
            "AssumeRolePolicyDocument": {
                "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}]
            }
        },
    }
    excuse = {"skip": [{"id": "CKV_IAMP_SEG_007", "comment": "public on purpose"}]}
    resources = {"Reported": role, "Skipped": {**role, "Metadata": {"checkov": excuse}}}
    template = {"AWSTemplateFormatVersion": "2010-09-09", "Resources": resources}
    (folder / "template.json").write_text(json.dumps(template, indent=2))
    return folder


def test_skips_and_reports_in_every_format(checkov: Checkov, small: Path, tmp_path: Path) -> None:
    outputs = {name: tmp_path / f"out.{name}" for name in ("cli", "json", "sarif", "junitxml")}
    arguments = [argument for name in outputs for argument in ("--output", name)]
    run = checkov.run(
        small,
        *("-d", ".", "-c", "CKV_IAMP_SEG_007", "--skip-path", "legacy.tf", "--skip-path", "old"),
        *(*arguments, "--output-file-path", ",".join(map(str, outputs.values()))),
        json_output=False,
    )
    told = Run(run.code, outputs["json"].read_text(), run.err, small)
    assert {(one.file, one.resource, one.result) for one in told.records} == {
        ("main.tf", "aws_iam_role.reported", "FAILED"),
        ("main.tf", "aws_iam_role.skipped", "SKIPPED"),
        ("template.json", "Reported", "FAILED"),
        ("template.json", "Skipped", "SKIPPED"),
    }
    assert run.code == 1
    assert "A role can be assumed by anyone" in outputs["cli"].read_text()
    cases = ElementTree.parse(outputs["junitxml"]).getroot().iter("testcase")
    assert sum(case.find("failure") is not None for case in cases) == 2
    assert_is_sarif(outputs["sarif"], "CKV_IAMP_SEG_007", 2)


def assert_is_sarif(file: Path, rule: str, count: int) -> None:
    """Valid by its schema, where the validator is there, and with our rule and results."""
    (run,) = json.loads(file.read_text())["runs"]
    (declared,) = run["tool"]["driver"]["rules"]
    assert declared["id"] == rule
    assert declared["helpUri"].endswith("docs/rules/SEG-007.md")
    reported = [one for one in run["results"] if not one.get("suppressions")]
    assert [one["ruleId"] for one in reported] == [rule] * count
    assert all(isinstance(one["message"]["text"], str) for one in run["results"])
    if MULTITOOL is None:
        return
    out = file.with_suffix(".checked")
    command = [MULTITOOL, "validate", str(file), "--output", str(out), "--log", "ForceOverwrite"]
    environment = {**os.environ, "DOTNET_SYSTEM_GLOBALIZATION_INVARIANT": "1"}
    subprocess.run(command, check=False, capture_output=True, env=environment)
    results = json.loads(out.read_text("utf-8-sig"))["runs"][0]["results"]
    assert [one for one in results if one["ruleId"].startswith("JSON")] == []


def test_checks_are_chosen_by_severity_and_kept_in_a_baseline(
    checkov: Checkov, small: Path
) -> None:
    first = checkov.run(small, "-d", ".", "-c", "HIGH", "--create-baseline")
    failed = {one for one in first.of("FAILED") if one.check.startswith("CKV_IAMP_")}
    assert {one.check for one in failed} >= {"CKV_IAMP_SEG_007"}
    assert {one.severity for one in failed} <= {"HIGH", "CRITICAL"}
    assert (first.code, SENTINEL in {one.check for one in first.of("PASSED")}) == (1, True)
    second = checkov.run(small, "-d", ".", "-c", "HIGH", "--baseline", ".checkov.baseline")
    assert (second.code, second.failed) == (0, set())
    (small / ".checkov.baseline").unlink()


def test_checks_are_skipped_by_severity_and_by_id(checkov: Checkov, small: Path) -> None:
    run = checkov.run(small, "-d", ".", "--skip-check", "MEDIUM,CKV_AWS_*,CKV2_AWS_*")
    assert {one.severity for one in run.of("FAILED")} == {"CRITICAL"}
    run = checkov.run(small, "-d", ".", *OURS, "--skip-check", "CKV_IAMP_SEG_*,CKV_IAMP_TAG_001")
    assert not {one.check for one in run.of("FAILED")} & {"CKV_IAMP_SEG_007", "CKV_IAMP_TAG_001"}


# ---------------------------------------------------------------- failing closed


def test_run_is_red_without_the_engine(checkov: Checkov, small: Path, tmp_path: Path) -> None:
    (tmp_path / "iam_preflight").mkdir()
    (tmp_path / "iam_preflight" / "__init__.py").write_text("raise ImportError('not here')\n")
    run = checkov.run(small, "-d", ".", *OURS, before=(tmp_path,))
    assert run.code == 1
    assert {(check, file) for check, file, _ in run.failed} == {
        (SENTINEL, "legacy.tf"),
        (SENTINEL, "template.json"),
    }
    assert "ImportError: not here" in run.out
    assert "ImportError: not here" in run.err
    one = checkov.run(small, "-d", ".", "-c", "CKV_IAMP_LEAST_001", before=(tmp_path,))
    assert (one.code, {check for check, _, _ in one.failed}) == (1, {"CKV_IAMP_LEAST_001"})


def test_run_is_red_when_the_engine_crashes(checkov: Checkov, small: Path, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import iam_preflight.scan\n"
        "def crash(*arguments):\n"
        "    raise RuntimeError('out of order')\n"
        "iam_preflight.scan.scan_inventory = crash\n"
    )
    run = checkov.run(small, "-d", ".", *OURS, before=(tmp_path,))
    assert run.code == 1
    assert {check for check, _, _ in run.failed} == {SENTINEL}
    assert "RuntimeError: out of order" in run.out
    one = checkov.run(small, "-d", ".", "-c", "CKV_IAMP_TAG_001", before=(tmp_path,))
    assert (one.code, {check for check, _, _ in one.failed}) == (1, {"CKV_IAMP_TAG_001"})


def test_run_is_red_when_checkov_passes_by_a_folder(checkov: Checkov, small: Path) -> None:
    # in threads it scans the first of several folders again and again
    arguments = ("-d", ".", "-d", "old", "-c", SENTINEL)
    run = checkov.run(small, *arguments, CHECKOV_PARALLELIZATION_TYPE="thread")
    assert run.code == 1
    assert "checkov shows the same code again" in run.out


# ---------------------------------------------------------------- the command


def test_command_prints_the_folder_of_the_pack() -> None:
    result = CliRunner().invoke(cli, ["checkov-pack"])
    assert (result.exit_code, Path(result.output.strip()).resolve()) == (0, PACK)
    names = {path.name for path in PACK.iterdir()} - {"__pycache__"}
    assert names == {"__init__.py", "iam_preflight_checkov.py"}
    assert (PACK / "__init__.py").read_bytes() == b""


def test_exported_pack_is_loaded_from_a_repository(
    checkov: Checkov, small: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "pack"
    assert CliRunner().invoke(cli, ["checkov-pack", "--export", str(folder)]).exit_code == 0
    git = ["git", "-C", str(folder), "-c", "user.name=t", "-c", "user.email=t@example.com"]
    for command in (["init", "-q", "-b", "pack"], ["add", "."], ["commit", "-q", "-m", "pack"]):
        subprocess.run([*git, *command], check=True, capture_output=True)
    pack = ("--external-checks-git", f"file://{folder}?ref=heads/pack")
    run = checkov.run(small, "-d", ".", "-c", "CKV_IAMP_SEG_007", pack=pack)
    assert ("CKV_IAMP_SEG_007", "main.tf", "aws_iam_role.reported") in run.failed
    assert CliRunner().invoke(cli, ["checkov-pack", "--export", str(folder)]).exit_code == 0


def test_export_goes_to_no_folder_with_other_things(tmp_path: Path) -> None:
    (tmp_path / "values.yaml").write_text("a: b\n")
    result = CliRunner().invoke(cli, ["checkov-pack", "--export", str(tmp_path)])
    assert "holds other things (values.yaml)" in str(result.exception)
    assert [path.name for path in tmp_path.iterdir()] == ["values.yaml"]
