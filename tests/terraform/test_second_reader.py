"""python-hcl2 reads the same tree, in an environment of its own: it must not be beside checkov."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import terraform_oracle as oracle
from click.testing import CliRunner

from iam_preflight.cli import cli

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
CORPORA = os.environ.get("IAM_PREFLIGHT_CORPORA")


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Variables under which python-hcl2 is importable, and only there."""
    folder = tmp_path_factory.mktemp("python-hcl2")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(folder)]
    done = subprocess.run([*command, "python-hcl2>=8"], check=False, capture_output=True)
    if done.returncode:
        pytest.skip("python-hcl2 cannot be installed")
    return {**os.environ, "PYTHONPATH": str(folder)}


def compared(environment: dict[str, str], *folders: Path) -> str:
    command = [sys.executable, str(HERE / "reader_comparison.py"), *map(str, folders)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_both_read_the_same_of_our_own_files(environment: dict[str, str]) -> None:
    assert "same=" in compared(environment, ROOT / "fixtures", oracle.CASES)


def test_both_read_the_same_of_every_expression(
    environment: dict[str, str], tmp_path: Path
) -> None:
    for i, expression in enumerate(oracle.expressions()):
        (tmp_path / f"e{i}.tf").write_text(f"locals {{\n  e = {expression}\n}}\n", "utf-8")
    assert "different=0" in compared(environment, tmp_path)


@pytest.mark.skipif(CORPORA is None, reason="IAM_PREFLIGHT_CORPORA is not set")
@pytest.mark.parametrize("corpus", ["iam-vulnerable", "terraform-aws-iam", "cloudgoat"])
def test_both_read_the_same_of_other_peoples_files(
    environment: dict[str, str], corpus: str
) -> None:
    assert "rejected=0" in compared(environment, Path(str(CORPORA)) / corpus)


def test_scan_says_the_same_with_either(environment: dict[str, str]) -> None:
    def findings(reader: str) -> list[object]:
        project = ROOT / "fixtures" / "projects" / "two-roles"
        command = ["-m", "iam_preflight", "scan", "-f", "json", "--hcl-reader", reader]
        done = subprocess.run(
            [sys.executable, *command, str(project)],
            check=False,
            capture_output=True,
            env=environment,
        )
        assert done.returncode == 1, done.stderr
        found: list[object] = json.loads(done.stdout)["findings"]
        return found

    assert findings("python-hcl2") == findings("tree-sitter") != []


def test_says_what_to_install_where_it_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "hcl2", None)
    project = ROOT / "fixtures" / "projects" / "two-roles"
    result = CliRunner().invoke(cli, ["scan", "--hcl-reader", "python-hcl2", str(project)])
    assert "iam-preflight[python-hcl2]" in str(result.exception)
