"""The wheel, installed into an environment of its own, is the whole product."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from iam_preflight.registry import load_rules

ROOT = Path(__file__).parents[2]
ADMINISTRATOR = """\
resource "aws_iam_policy" "all" {
  policy = jsonencode({
    Statement = [{ Effect = "Allow", Action = "*", Resource = "*" }]
  })
}
"""
SOURCES = (ROOT / "scanner", ROOT / "checks")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    # a build writes into its source folder: it gets one of its own
    for name in ("scanner", "checks", "setup.cfg", "setup.py", "pyproject.toml", "README.md"):
        (source / name).symlink_to(ROOT / name)
    (source / "LICENSE").write_bytes((ROOT / "LICENSE").read_bytes())
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", str(folder)]
    subprocess.run([*command, str(source)], check=True, capture_output=True)
    return next(folder.glob("*.whl"))


def test_holds_every_file_of_both_source_roots_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    wanted = {
        str(path.relative_to(root))
        for root in SOURCES
        for path in root.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".pyc"
    }
    assert held == wanted


def test_scans_from_an_environment_that_has_nothing_else(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "env", with_pip=True)
    scripts = tmp_path / "env" / ("Scripts" if os.name == "nt" else "bin")
    install = [str(scripts / "python"), "-m", "pip", "install", "--quiet", str(wheel)]
    subprocess.run(install, check=True, capture_output=True)
    command = str(scripts / "iam-preflight")
    listed = subprocess.run(
        [command, "rules", "list", "--format", "json"],
        check=True,
        capture_output=True,
        cwd=tmp_path,
    )
    assert [rule["id"] for rule in json.loads(listed.stdout)] == [r.id for r in load_rules()]
    project = tmp_path / "project"
    project.mkdir()
    (project / "main.tf").write_text(ADMINISTRATOR)
    scanned = subprocess.run(
        [command, "scan", "--format", "json", str(project)],
        check=False,
        capture_output=True,
        cwd=tmp_path,
    )
    assert scanned.returncode == 1, scanned.stderr
    assert "LEAST-001" in {finding["rule"] for finding in json.loads(scanned.stdout)["findings"]}
    pack = subprocess.run(
        [command, "checkov-pack"], check=True, capture_output=True, cwd=tmp_path, text=True
    )
    folder = Path(pack.stdout.strip())
    assert tmp_path / "env" in folder.parents
    modules = {path.name for path in folder.iterdir()} - {"__pycache__"}
    assert modules == {"__init__.py", "iam_preflight_checkov.py"}
