"""The two whole estates are Terraform as Terraform itself sees it: formatted, and valid."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
import terraform_oracle as oracle

PROJECTS = Path(__file__).parents[2] / "fixtures" / "projects"
ROOTS = {
    "broken-estate": ("",),
    "compliant-estate/terraform": ("development", "management", "production", "security"),
}


@pytest.mark.skipif(oracle.terraform() is None, reason="terraform is not installed")
@pytest.mark.parametrize("project", ROOTS)
def test_estate_is_formatted(project: str) -> None:
    done = subprocess.run(
        ["terraform", "fmt", "-check", "-recursive", PROJECTS / project],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.skipif(oracle.mirror() is None, reason=f"{oracle.MIRROR_VARIABLE} names no mirror")
@pytest.mark.parametrize(
    ("project", "root"), [(project, root) for project, roots in ROOTS.items() for root in roots]
)
def test_estate_is_valid(project: str, root: str, tmp_path: Path) -> None:
    shutil.copytree(PROJECTS / project, tmp_path, dirs_exist_ok=True)
    oracle.run(tmp_path / root, "init", "-backend=false", "-input=false")
    assert "is valid" in oracle.run(tmp_path / root, "validate", "-no-color")
