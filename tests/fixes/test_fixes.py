"""Fixes: the named bytes change, everything else stays, and nothing is done by halves."""

from __future__ import annotations

import subprocess
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from iam_preflight.cli import cli
from iam_preflight.errors import UsageError
from iam_preflight.findings import Edit, Finding, Fix
from iam_preflight.fixes import apply_edits, plan_fixes, unified_diff, write_fixes
from iam_preflight.registry import load_rules
from iam_preflight.source import SourceFile, Span
from iam_preflight.testing import scan_files

if TYPE_CHECKING:
    from pathlib import Path

RULE = ("--select", "ROLE-003")

HCL = """\
# The pipeline's role.
resource "aws_iam_role" "ci" {
  name                 = "ci"
  max_session_duration = 7200 # two hours, for the long build
  /* trust */ assume_role_policy = jsonencode({
    Statement = [{ Effect = "Allow", Principal = { AWS = "111122223333" }, Action = "sts:AssumeRole" }]
  })
}
"""  # noqa: E501
YAML = """\
# The pipeline's role.
Resources:
  Ci:
    Type: AWS::IAM::Role
    Properties:
      MaxSessionDuration:   7200   # two hours
      AssumeRolePolicyDocument: {Statement: [{Effect: Allow, Principal: {AWS: '111122223333'}, Action: 'sts:AssumeRole'}]}
"""  # noqa: E501
JSON = """\
{"Resources": {"Ci": {"Type": "AWS::IAM::Role", "Properties": {
    "MaxSessionDuration" : 7200 ,
  "AssumeRolePolicyDocument": {"Statement": [{"Effect": "Allow",
      "Principal": {"AWS": "111122223333"}, "Action": "sts:AssumeRole"}]}}}}}
"""


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, [str(one) for one in arguments], catch_exceptions=False)


@pytest.mark.parametrize(
    ("name", "text"), [("main.tf", HCL), ("stack.yaml", YAML), ("stack.json", JSON)]
)
def test_only_the_value_changes_and_a_second_run_finds_nothing(
    tmp_path: Path, name: str, text: str
) -> None:
    file = tmp_path / name
    file.write_text(text)
    result = run("scan", "--fix", *RULE, file)
    assert result.exit_code == 0
    assert "fixed 1 finding" in result.stderr
    assert file.read_text() == text.replace("7200", "3600")
    again = run("scan", "--fix", *RULE, file)
    assert "fixed 0 findings" in again.stderr


def test_line_endings_byte_order_mark_and_missing_newline_stay(tmp_path: Path) -> None:
    data = b"\xef\xbb\xbf" + HCL.replace("\n", "\r\n").rstrip().encode()
    file = tmp_path / "main.tf"
    file.write_bytes(data)
    run("scan", "--fix", *RULE, file)
    assert file.read_bytes() == data.replace(b"7200", b"3600")


def test_permissions_of_the_file_stay(tmp_path: Path) -> None:
    file = tmp_path / "main.tf"
    file.write_text(HCL)
    file.chmod(0o640)
    run("scan", "--fix", *RULE, file)
    assert file.stat().st_mode & 0o777 == 0o640
    assert list(tmp_path.iterdir()) == [file]


def test_one_edit_fixes_every_instance_of_a_module(tmp_path: Path) -> None:
    (tmp_path / "role").mkdir()
    (tmp_path / "role" / "main.tf").write_text(HCL)
    calls = "".join(f'module "{name}" {{\n  source = "./role"\n}}\n' for name in "ab")
    (tmp_path / "main.tf").write_text(calls)
    assert "fixed 1 finding" in run("scan", "--fix", *RULE, tmp_path).stderr
    assert (tmp_path / "role" / "main.tf").read_text() == HCL.replace("7200", "3600")


def test_ignored_findings_are_not_fixed(tmp_path: Path) -> None:
    file = tmp_path / "main.tf"
    text = HCL.replace("# two hours", "# iam-preflight: ignore[ROLE-003] two hours")
    file.write_text(text)
    run("scan", "--fix", *RULE, file)
    assert file.read_text() == text


def test_diff_shows_the_patch_and_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    file = tmp_path / "main.tf"
    file.write_text(HCL)
    result = run("scan", "--diff", *RULE, tmp_path)
    assert result.exit_code == 1
    assert result.stdout.splitlines()[:2] == ["--- a/main.tf", "+++ b/main.tf"]
    assert "-  max_session_duration = 7200 # two hours, for the long build" in result.stdout
    assert "+  max_session_duration = 3600 # two hours, for the long build" in result.stdout
    assert file.read_text() == HCL
    file.write_text(HCL.replace("7200", "3600"))
    assert run("scan", "--diff", *RULE, tmp_path).exit_code == 0


def test_a_patch_shows_no_secret_beside_a_change(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    secret = "# DB_PASSWORD=correct-horse-battery"
    (tmp_path / "main.tf").write_text(HCL.replace("  max_session", f"  {secret}\n  max_session"))
    (tmp_path / "plain.tf").write_text(HCL.replace('"ci"', '"plain"'))
    patch = run("scan", "--diff", *RULE, tmp_path).stdout
    assert "correct-horse" not in patch
    (tmp_path / "fixes.patch").write_text(patch)
    apply = ["git", "apply", "--unidiff-zero", "fixes.patch"]
    subprocess.run(apply, cwd=tmp_path, check=True)
    assert "3600" in (tmp_path / "main.tf").read_text()
    assert secret in (tmp_path / "main.tf").read_text()
    assert patch.count("\n ") > 0  # the other file's change has its context


# ---------------------------------------------------------------- several fixes at once


@cache
def finding() -> Finding:
    report = scan_files({"main.tf": HCL}, load_rules().select(["ROLE-003"], []))
    (only,) = report.shown
    return only


SOURCE = SourceFile("x.tf", b"0123456789")


def with_fix(*edits: tuple[int, int, str]) -> Finding:
    made = tuple(Edit(Span(SOURCE, start, end), text) for start, end, text in edits)
    return replace(finding(), fix=Fix("test", made))


def applied(*findings: Finding) -> tuple[str, int]:
    plan = plan_fixes(findings)
    texts = [content.decode() for _, content in plan.texts()]
    return (texts[0] if texts else SOURCE.data.decode()), plan.waiting


@pytest.mark.parametrize(
    ("first", "second", "text", "waiting"),
    [
        ([(0, 2, "a")], [(5, 7, "b")], "a234b789", 0),
        ([(0, 2, "a")], [(2, 4, "b")], "ab456789", 0),
        ([(0, 3, "a")], [(2, 4, "b")], "a3456789", 1),
        ([(0, 3, "a")], [(0, 3, "a")], "a3456789", 0),
        ([(0, 3, "a")], [(0, 3, "b")], "a3456789", 1),
        ([(4, 4, "a")], [(4, 4, "b")], "0123a456789", 1),
        ([(2, 6, "a")], [(4, 4, "b")], "01a6789", 1),
        ([(4, 4, "a")], [(6, 6, "b")], "0123a45b6789", 0),
        # all of a fix, or nothing of it
        ([(0, 3, "a")], [(2, 4, "b"), (8, 9, "c")], "a3456789", 1),
        ([(0, 3, "a"), (2, 4, "b")], [(8, 9, "c")], "01234567c9", 1),
        ([(0, 99, "a")], [(8, 9, "c")], "01234567c9", 1),
    ],
)
def test_fixes_that_collide_wait_for_each_other(
    first: list[tuple[int, int, str]],
    second: list[tuple[int, int, str]],
    text: str,
    waiting: int,
) -> None:
    assert applied(with_fix(*first), with_fix(*second)) == (text, waiting)


@given(st.lists(st.tuples(st.integers(0, 10), st.integers(0, 10), st.text("ab", max_size=3))))
def test_edits_that_are_planned_never_touch(edits: list[tuple[int, int, str]]) -> None:
    findings = [with_fix((min(a, b), max(a, b), text)) for a, b, text in edits]
    plan = plan_fixes(findings)
    assert len(plan.fixes) + plan.waiting == len(findings)
    planned = sorted(plan.edits.get("x.tf", {}).items())
    assert all(left[0][1] <= right[0][0] for left, right in pairwise(planned))
    for source, content in plan.texts():
        taken = sum(end - start for (start, end), _ in planned)
        given = sum(len(text) for _, text in planned)
        assert len(content) == len(source.data) - taken + given


def test_new_lines_end_as_those_of_the_file_do() -> None:
    assert apply_edits(b"a\r\nb", {(1, 1): "\nx"}) == b"a\r\nx\r\nb"
    assert apply_edits(b"a\nb", {(1, 1): "\r\nx"}) == b"a\nx\nb"


def test_patch_of_a_file_without_final_newline_says_so() -> None:
    plan = plan_fixes([with_fix((0, 1, "a"))])
    assert list(unified_diff(plan))[-1].endswith("\\ No newline at end of file\n")


# ---------------------------------------------------------------- what is refused


def test_file_that_has_changed_meanwhile_is_refused_and_nothing_written(tmp_path: Path) -> None:
    first, second = SourceFile("a.tf", b"one"), SourceFile("b.tf", b"two")
    plan = plan_fixes(
        replace(finding(), fix=Fix("test", (Edit(Span(source, 0, 1), "X"),)))
        for source in (first, second)
    )
    (tmp_path / "a.tf").write_bytes(b"one")
    (tmp_path / "b.tf").write_bytes(b"changed")
    with pytest.raises(UsageError, match=r"b\.tf has changed since it was scanned"):
        write_fixes(plan, tmp_path)
    assert (tmp_path / "a.tf").read_bytes() == b"one"


@pytest.mark.parametrize("path", ["../out.tf", "link.tf"])
def test_nothing_is_written_outside_of_the_root(tmp_path: Path, path: str) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "out.tf").write_bytes(b"one")
    (root / "link.tf").symlink_to(tmp_path / "out.tf")
    source = SourceFile(path, b"one")
    plan = plan_fixes([replace(finding(), fix=Fix("test", (Edit(Span(source, 0, 1), "X"),)))])
    with pytest.raises(UsageError, match="leads out"):
        write_fixes(plan, root)
    assert (tmp_path / "out.tf").read_bytes() == b"one"


def test_installed_modules_are_left_alone() -> None:
    source = SourceFile(".terraform/modules/x/main.tf", b"one")
    plan = plan_fixes([replace(finding(), fix=Fix("test", (Edit(Span(source, 0, 1), "X"),)))])
    assert not plan.fixes
    assert plan.waiting == 1
