"""Reports that are given again: only as long as a scan would find the same."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from iam_preflight import scan as scan_module
from iam_preflight.cli import cli

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CODE = """
variable "action" {
  default = "s3:GetObject"
}

module "role" {
  source = "./modules/role"
  policy = templatefile("${path.module}/policy.json", { action = var.action })
}
"""
MODULE = """
variable "policy" {}

resource "aws_iam_user" "this" {
  name = "someone"
}

resource "aws_iam_user_policy" "this" {
  user   = aws_iam_user.this.name
  policy = var.policy
}
"""
POLICY = """{"Version": "2012-10-17", "Statement": [
  {"Effect": "Allow", "Action": "${action}", "Resource": "arn:aws:s3:::data/*"}
]}
"""


@pytest.fixture
def estate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("IAM_PREFLIGHT_CACHE", str(tmp_path / "kept"))
    monkeypatch.delenv("CI", raising=False)
    top = tmp_path / "estate"
    (top / "modules" / "role").mkdir(parents=True)
    (top / ".git").mkdir()
    (top / "main.tf").write_text(CODE)
    (top / "policy.json").write_text(POLICY)
    (top / "modules" / "role" / "main.tf").write_text(MODULE)
    return top


@pytest.mark.skipif(os.name == "nt", reason="needs names that are bytes")
def test_names_that_are_no_text_keep_no_report_and_cost_none(estate: Path) -> None:
    named = os.fsencode(estate) + b"/\xff.tf"
    with open(named, "wb") as stream:  # noqa: PTH123  a path of bytes
        stream.write(b'resource "aws_iam_user" "odd" {\n  name = "odd"\n}\n')
    manifest = estate / ".terraform" / "modules" / "modules.json"
    manifest.parent.mkdir(parents=True)
    manifest.write_text('{"Modules": [{"Key": "i", "Source": "x/y/z", "Dir": "a\\ud800b"}]}')
    (estate / "more.tf").write_text('module "i" {\n  source = "x/y/z"\n}\n')
    assert "user odd" in scanned(estate)
    os.unlink(named)  # noqa: PTH108
    assert "user odd" not in scanned(estate)


def scanned(top: Path, *options: str) -> str:
    result = CliRunner().invoke(cli, ["scan", str(top), "-f", "json", *options])
    assert result.exit_code in (0, 1), result.output
    return result.stdout


def kept(top: Path) -> list[Path]:
    return sorted((top.parent / "kept").glob("*"))


@pytest.fixture
def no_scan(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    def forbid() -> None:
        def scan(*_: object) -> None:
            raise AssertionError("scanned again")

        monkeypatch.setattr(scan_module, "scan", scan)

    return forbid


def test_nothing_changed_nothing_is_done(estate: Path, no_scan: Callable[[], None]) -> None:
    first = scanned(estate)
    assert "ROLE-001" in first
    no_scan()
    assert scanned(estate) == first
    (entry,) = kept(estate)
    assert entry.stat().st_mode & 0o077 == 0 or os.name == "nt"


def _edit(name: str, old: str, new: str) -> Callable[[Path], None]:
    def change(top: Path) -> None:
        text = (top / name).read_text()
        assert old in text
        (top / name).write_text(text.replace(old, new))

    return change


def _write(name: str, text: str) -> Callable[[Path], None]:
    return lambda top: void((top / name).write_text(text))


def void(_: object) -> None:
    pass


def _link(top: Path) -> None:
    (top / "wide.json").write_text(POLICY.replace("${action}", "*"))
    (top / "policy.json").unlink()
    (top / "policy.json").symlink_to("wide.json")


@pytest.mark.parametrize(
    "change",
    [
        _edit("main.tf", "s3:GetObject", "s3:*"),
        _edit("modules/role/main.tf", "someone", "somebody"),
        _edit("policy.json", "data/*", "*"),
        _write("terraform.tfvars", 'action = "iam:*"\n'),
        _write("new.tf", 'resource "aws_iam_user" "new" {\n  name = "new"\n}\n'),
        _write(".iam-preflight.yaml", "version: 1\nignore: [ROLE-001]\n"),
        _edit("modules/role/main.tf", "resource", "# iam-preflight: ignore[ROLE] a test\nresource"),
        lambda top: (top / "policy.json").unlink(),
        _link,
    ],
)
def test_whatever_changes_is_seen(estate: Path, change: Callable[[Path], None]) -> None:
    first = scanned(estate)
    change(estate)
    second = scanned(estate)
    assert second != first
    assert second == scanned(estate, "--no-cache")


@pytest.mark.parametrize(
    "options",
    [("--var", "action=iam:*"), ("--persona", "auditor"), ("--ignore", "ROLE"), ("--redact",)],
)
def test_options_count(estate: Path, options: tuple[str, ...]) -> None:
    scanned(estate)
    assert scanned(estate, *options) == scanned(estate, *options, "--no-cache")


def test_nothing_is_kept_in_ci_unless_asked_for(
    estate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", "true")
    scanned(estate)
    assert not kept(estate)
    scanned(estate, "--cache")
    assert kept(estate)


def test_a_broken_entry_is_none(estate: Path) -> None:
    first = scanned(estate)
    (entry,) = kept(estate)
    entry.write_bytes(entry.read_bytes()[:-20])
    assert scanned(estate) == first


def test_where_nothing_can_be_kept_the_scan_goes_on(estate: Path) -> None:
    (estate.parent / "kept").write_text("a file, not a folder")
    assert scanned(estate) == scanned(estate, "--no-cache")


def test_a_fix_reads_the_code(estate: Path) -> None:
    scanned(estate)
    result = CliRunner().invoke(cli, ["scan", str(estate), "--fix"])
    assert result.exit_code in (0, 1), result.output
    assert len(kept(estate)) == 1
