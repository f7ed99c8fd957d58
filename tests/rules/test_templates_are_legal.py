"""The templates of the fixtures are ones that CloudFormation would take."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

FIXTURES = Path(__file__).parents[2] / "fixtures"
TEMPLATES = sorted(
    path
    for folder in ("rules", "mission")
    for path in (FIXTURES / folder).rglob("cloudformation/**/*")
    if path.suffix in (".yaml", ".json", ".template") and b"Resources" in path.read_bytes()
)
MEANT = {
    # it is about resources that are misspelt
    "rules/LEAST-014/cloudformation/bad_typing_errors.yaml:35:E3510",
    # an account of 11 digits, a template's parameter without Fn::Sub, a list in a list, a name
    "rules/LEAST-014/cloudformation/bad_what_stands_for_nothing.yaml:17:E3510",
    "rules/LEAST-014/cloudformation/bad_what_stands_for_nothing.yaml:37:E1029",
    "rules/LEAST-014/cloudformation/bad_what_stands_for_nothing.yaml:96:E3510",
    "rules/LEAST-014/cloudformation/bad_what_stands_for_nothing.yaml:151:E3512",
}


@pytest.mark.skipif(shutil.which("cfn-lint") is None, reason="cfn-lint is not installed")
def test_cfn_lint_has_nothing_against_them() -> None:
    command = ["cfn-lint", "--ignore-checks", "W", "I", "--format", "parseable", "--"]
    done = subprocess.run(
        [*command, *map(str, TEMPLATES)], check=False, capture_output=True, text=True
    )
    found = set()
    for line in done.stdout.splitlines():
        path, row, _, _, _, code, _ = line.split(":", 6)
        found.add(f"{Path(path).relative_to(FIXTURES)}:{row}:{code}")
    assert found == MEANT, done.stdout
