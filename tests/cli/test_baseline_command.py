"""`baseline write|update|show`, and the scan that heeds the file."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from iam_preflight.cli import cli
from iam_preflight.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

ROLE = """\
resource "aws_iam_role" "%s" {
  assume_role_policy = jsonencode({
    Statement = [{ Effect = "Allow", Principal = "*", Action = "sts:AssumeRole" }]
  })
}
"""
ONLY = ("--select", "SEG-007")


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, [str(one) for one in arguments], catch_exceptions=False)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / ".git").mkdir()
    (tmp_path / "main.tf").write_text(ROLE % "a" + ROLE % "b")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def known(project: Path) -> list[str]:
    data = json.loads((project / ".iam-preflight-baseline.json").read_text())
    return [entry["address"] for entry in data["findings"]]


def test_written_findings_are_not_reported_again(project: Path) -> None:
    assert run("baseline", "write", *ONLY).exit_code == 0
    assert known(project) == ["aws_iam_role.a", "aws_iam_role.b"]
    result = run("scan", *ONLY, "--baseline", ".iam-preflight-baseline.json")
    assert result.exit_code == 0
    assert "0 findings, 2 in the baseline" in result.output


def test_new_finding_is_reported(project: Path) -> None:
    run("baseline", "write", *ONLY)
    (project / "new.tf").write_text(ROLE % "c")
    result = run("scan", *ONLY, "--baseline", ".iam-preflight-baseline.json")
    assert result.exit_code == 1
    assert "aws_iam_role.c" in result.output
    assert "aws_iam_role.a" not in result.output


def test_update_only_shrinks_unless_new_ones_are_accepted(project: Path) -> None:
    run("baseline", "write", *ONLY)
    (project / "main.tf").write_text(ROLE % "b" + ROLE % "c")
    assert "1 known finding, 2 before" in run("baseline", "update", *ONLY).stderr
    assert known(project) == ["aws_iam_role.b"]
    run("baseline", "update", "--accept-new", *ONLY)
    assert known(project) == ["aws_iam_role.b", "aws_iam_role.c"]


def test_show_lists_them(project: Path) -> None:
    run("baseline", "write", *ONLY)
    lines = run("baseline", "show").stdout.splitlines()
    assert lines[0] == "SEG-007    aws_iam_role.a  anyone with an AWS account can assume this role"
    assert len(lines) == 2


def test_write_does_not_overwrite(project: Path) -> None:
    run("baseline", "write", *ONLY)
    with pytest.raises(UsageError, match="is there"):
        run("baseline", "write", *ONLY)
    assert run("baseline", "write", "--force", *ONLY).exit_code == 0


def test_half_a_scan_makes_no_baseline(project: Path) -> None:
    (project / "broken.tf").write_text("resource {")
    with pytest.raises(UsageError, match="a baseline needs everything analysed"):
        run("baseline", "write", *ONLY)


def test_ignored_findings_are_not_in_it(project: Path) -> None:
    text = "# iam-preflight: ignore[SEG-007] known\n" + ROLE % "a" + ROLE % "b"
    (project / "main.tf").write_text(text)
    run("baseline", "write", *ONLY)
    assert known(project) == ["aws_iam_role.b"]
