"""pre-commit itself, in a repository of its own, with the hook as it is published."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
TRUST = """\
resource "aws_iam_role" "ci" {
  name = "ci"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "codebuild.amazonaws.com" }
    }]
  })
  tags = {
    Environment = "prod"
    Owner       = "platform"
    CreatedBy   = "terraform"
  }
}
"""
POLICY = """\
variable "actions" {}
resource "aws_iam_role_policy" "ci" {
  name = "ci"
  role = "ci"
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = var.actions, Resource = "*" }]
  })
}
"""
CALL = """\
module "grants" {
  source  = "../../modules/grants"
  actions = "ACTIONS"
}
"""


def run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("GIT_")},
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "PRE_COMMIT_HOME": str(folder.parent / "pre-commit"),
        "GIT_AUTHOR_NAME": "a",
        "GIT_AUTHOR_EMAIL": "a@example.com",
        "GIT_COMMITTER_NAME": "a",
        "GIT_COMMITTER_EMAIL": "a@example.com",
        "PYTHONIOENCODING": "utf-8",
    }
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, encoding="utf-8", check=False
    )


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    good, other = folder / "roots" / "good", folder / "roots" / "other"
    module = folder / "modules" / "grants"
    for each in (good, other, module):
        each.mkdir(parents=True)
    (good / "main.tf").write_text(TRUST + CALL.replace("ACTIONS", "ec2:DescribeInstances"))
    (other / "main.tf").write_text(TRUST + CALL.replace("ACTIONS", "*"))
    (module / "main.tf").write_text(POLICY)
    return folder


def scan(folder: Path, *paths: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "iam_preflight", "scan", "--changed", "-f", "json"]
    return run([*command, "--root", ".", *paths], folder)


def test_only_the_roots_of_changed_files_are_scanned(repository: Path) -> None:
    assert scan(repository, "roots/good/main.tf").returncode == 0
    assert scan(repository, "roots/other/main.tf").returncode == 1
    assert scan(repository, "modules/grants/main.tf").returncode == 1, "both roots call it"


def test_a_file_that_belongs_to_no_root_passes(repository: Path) -> None:
    (repository / "notes.yaml").write_text("a: 1\n")
    assert scan(repository, "notes.yaml").returncode == 0


def test_a_document_that_terraform_reads_belongs_to_its_root(repository: Path) -> None:
    (repository / "policies").mkdir()
    document = repository / "policies" / "ci.json"
    document.write_text(
        '{"Version": "2012-10-17", "Statement": '
        '[{"Effect": "Allow", "Action": "*", "Resource": "*"}]}'
    )
    (repository / "roots" / "good" / "more.tf").write_text(
        'resource "aws_iam_role_policy" "more" {\n  role   = aws_iam_role.ci.id\n'
        '  policy = file("${path.module}/../../policies/ci.json")\n}\n'
    )
    assert scan(repository, "policies/ci.json").returncode == 1


@pytest.mark.skipif(
    not (BIN / "pre-commit").exists() or shutil.which("git") is None,
    reason="needs pre-commit (extra `test`) and git",
)
def test_a_bad_commit_is_stopped_and_a_good_one_passes(repository: Path, tmp_path: Path) -> None:
    hook = (TOP / ".pre-commit-hooks.yaml").read_text(encoding="utf-8")
    hook = "\n".join(f"      {line}" for line in hook.splitlines())
    # the published hook, run by the installed command: building an environment needs a network
    hook = hook.replace("language: python", "language: system")
    (repository / ".pre-commit-config.yaml").write_text(
        f"repos:\n  - repo: local\n    hooks:\n{hook}\n"
    )
    assert run(["git", "init", "-q"], repository).returncode == 0
    other = tmp_path / "other"
    (repository / "roots" / "other").rename(other)
    installed = run(["pre-commit", "install"], repository)
    assert installed.returncode == 0, installed.stderr

    run(["git", "add", "roots/good", "modules", ".pre-commit-config.yaml"], repository)
    good = run(["git", "commit", "-qm", "good"], repository)
    assert good.returncode == 0, good.stdout + good.stderr

    other.rename(repository / "roots" / "other")
    run(["git", "add", "roots/other"], repository)
    bad = run(["git", "commit", "-qm", "bad"], repository)
    assert bad.returncode != 0
    assert "LEAST-001" in bad.stdout + bad.stderr
    assert "roots/other/main.tf" in bad.stdout + bad.stderr
    assert run(["git", "rev-list", "--count", "HEAD"], repository).stdout.strip() == "1"
