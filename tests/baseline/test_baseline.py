"""Known findings: they stay known when lines move, and a second one of a kind is new."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iam_preflight.baseline import entries_of, generalised, read_baseline, write_baseline
from iam_preflight.decisions import Outcome
from iam_preflight.errors import UsageError
from iam_preflight.registry import load_rules
from iam_preflight.scan import Report, ScanOptions
from iam_preflight.testing import scan_files

if TYPE_CHECKING:
    from pathlib import Path

    from iam_preflight.baseline import Entry

RULES = load_rules().select(["ROLE-003", "SEG-007"], [])

ROLE = """\
resource "aws_iam_role" "%s" {
  max_session_duration = 7200
  assume_role_policy = jsonencode({
    Statement = [{ Effect = "Allow", Principal = { AWS = "111122223333" }, Action = "sts:AssumeRole" }]
  })
}
"""  # noqa: E501


def role(name: str = "ci") -> str:
    return ROLE % name


def scanned(files: dict[str, str], baseline: tuple[Entry, ...] = ()) -> Report:
    return scan_files(files, RULES, ScanOptions(baseline=baseline))


def known(files: dict[str, str]) -> tuple[Entry, ...]:
    report = scanned(files)
    return tuple(
        entries_of(
            finding
            for decided in report.findings
            if decided.is_shown
            for finding in (*decided.instances, *decided.folded)
        )
    )


def shown(files: dict[str, str], baseline: tuple[Entry, ...]) -> list[str]:
    report = scanned(files, baseline)
    return [address for finding in report.shown for address in finding.addresses]


def test_known_finding_is_not_shown_but_counted() -> None:
    files = {"main.tf": role()}
    report = scanned(files, known(files))
    assert [decided.outcome for decided in report.findings] == [Outcome.BASELINE]


@pytest.mark.parametrize(
    "changed",
    [
        "\n\n# moved down\n" + role(),
        role().replace("max_session_duration = 7200", "max_session_duration=7200 # why"),
        role().replace("  max", "\tmax"),
        "\n" + role("other").replace("7200", "3600") + role(),
    ],
)
def test_stays_known_when_lines_move_and_text_is_formatted(changed: str) -> None:
    assert shown({"main.tf": changed}, known({"main.tf": role()})) == []


def test_stays_known_in_another_file_of_the_root() -> None:
    assert shown({"roles.tf": role()}, known({"main.tf": role()})) == []


def test_stays_known_when_its_root_is_renamed() -> None:
    assert shown({"new/main.tf": role()}, known({"old/main.tf": role()})) == []


def test_copy_into_a_new_root_is_new() -> None:
    files = {"one/main.tf": role(), "two/main.tf": role()}
    assert shown(files, known({"one/main.tf": role()})) == ["aws_iam_role.ci"]


def test_worse_evidence_is_new() -> None:
    changed = role().replace("7200", "43200")
    assert shown({"main.tf": changed}, known({"main.tf": role()})) == ["aws_iam_role.ci"]


def test_further_instances_of_a_known_block_are_known() -> None:
    def several(names: str) -> dict[str, str]:
        return {"main.tf": role().replace("{", f"{{\n  for_each = toset({names})", 1)}

    assert shown(several('["a", "b"]'), known(several('["a"]'))) == []


def test_further_call_of_a_module_is_new_and_only_that() -> None:
    call = 'module "%s" {\n  source = "./role"\n}\n'
    one = {"role/main.tf": role(), "main.tf": call % "a"}
    two = {"role/main.tf": role(), "main.tf": call % "a" + call % "b"}
    assert shown(two, known(one)) == ["module.b.aws_iam_role.ci"]


STATEMENTS = """\
resource "aws_iam_role" "ci" {
  assume_role_policy = jsonencode({ Statement = [%s] })
}
"""
OPEN = '{ Effect = "Allow", Principal = "*", Action = "sts:AssumeRole" },\n'


def test_second_statement_of_the_same_text_is_new() -> None:
    one, two = {"main.tf": STATEMENTS % OPEN}, {"main.tf": STATEMENTS % (OPEN + OPEN)}
    assert len(shown(two, known(one))) == 1
    assert shown(one, known(two)) == []
    assert [entry.count for entry in known(two)] == [2]


@pytest.mark.parametrize(
    ("address", "general"),
    [
        ("aws_iam_role.a[0]", "aws_iam_role.a[*]"),
        ('module.ci["eu"].aws_iam_role.a["x]y"]', "module.ci[*].aws_iam_role.a[*]"),
        ('a["\\"]"].b', "a[*].b"),
        ("LogicalId", "LogicalId"),
    ],
)
def test_indexes_are_generalised(address: str, general: str) -> None:
    assert generalised(address) == general


@given(st.text(max_size=50))
def test_generalising_twice_changes_nothing_more(address: str) -> None:
    assert generalised(generalised(address)) == generalised(address)


def test_file_reads_back_and_has_one_line_a_finding(tmp_path: Path) -> None:
    entries = known({"main.tf": role("a") + role("b")})
    file = tmp_path / "baseline.json"
    write_baseline(file, entries)
    assert read_baseline(file) == entries
    lines = file.read_text().splitlines()
    assert len([line for line in lines if "ROLE-003" in line]) == 2
    assert not any("line" in json.loads(line.rstrip(",")) for line in lines if "ROLE" in line)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not a baseline"),
        ("[]", "not a baseline"),
        ('{"version": 1, "findings": [{"rule": 1}]}', "not a baseline"),
        ('{"version": 99, "findings": []}', "version 99 is not known"),
    ],
)
def test_file_that_is_none_is_a_usage_error(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "baseline.json"
    file.write_text(text)
    with pytest.raises(UsageError, match=message):
        read_baseline(file)


def test_baseline_does_not_depend_on_the_order_of_files() -> None:
    files = {"b.tf": role("b"), "a.tf": role("a")}
    assert known(files) == known(dict(reversed(files.items())))
