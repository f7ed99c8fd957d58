"""Real Terraform as an oracle: what it makes of expressions and configurations.

Answers are recorded beside the cases (support/record_terraform_answers.py), so that every test
runs without Terraform; where it is installed, the records themselves are checked.
"""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

CASES = Path(__file__).parent / "cases"
MIRROR_VARIABLE = "IAM_PREFLIGHT_TF_MIRROR"

PROVIDER = """
terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

provider "aws" {
  region                      = "eu-west-1"
  access_key                  = "none"
  secret_key                  = "none"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
}
"""


def terraform() -> str | None:
    return shutil.which("terraform")


def mirror() -> str | None:
    """The folder with the AWS provider; None where there is none."""
    folder = os.environ.get(MIRROR_VARIABLE)
    return folder if folder and Path(folder).is_dir() and terraform() else None


def expressions() -> list[str]:
    lines = (CASES / "expressions.txt").read_text("utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def write_expressions(folder: Path) -> None:
    """A configuration with one local for each expression of the table."""
    shutil.copytree(CASES / "files", folder / "files")
    shutil.copy(CASES / "expressions.tf", folder)
    lines = [f"  e{i} = {expression}" for i, expression in enumerate(expressions())]
    (folder / "cases.tf").write_text("locals {\n" + "\n".join(lines) + "\n}\n", "utf-8")


def write_configurations(folder: Path) -> None:
    """A root that calls every whole configuration as a module."""
    shutil.copytree(CASES / "configurations", folder / "configurations")
    calls = "".join(
        f'\nmodule "{found.name}" {{\n  source = "./configurations/{found.name}"\n}}\n'
        for found in sorted((CASES / "configurations").iterdir())
    )
    (folder / "main.tf").write_text(PROVIDER + calls, "utf-8")


def write_documents(folder: Path) -> None:
    shutil.copy(CASES / "policy_documents.tf", folder)
    (folder / "provider.tf").write_text(PROVIDER, "utf-8")


def run(folder: Path, *arguments: str, given: str | None = None) -> str:
    configuration = folder / "terraform.rc"
    path = os.environ.get(MIRROR_VARIABLE, "")
    configuration.write_text(
        f'provider_installation {{\n  filesystem_mirror {{\n    path = "{path}"\n  }}\n}}\n'
        "disable_checkpoint = true\n"
    )
    done = subprocess.run(
        ["terraform", *arguments],
        cwd=folder,
        input=given,
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "TF_CLI_CONFIG_FILE": str(configuration), "TF_IN_AUTOMATION": "1"},
        check=False,
    )
    if done.returncode:
        raise RuntimeError(re.sub(r"\x1b\[\d*m", "", done.stdout + done.stderr)[-4000:])
    return done.stdout


def console_values(folder: Path, names: list[str]) -> dict[str, Any]:
    """The values of locals, in one run of `terraform console`."""
    fields = ", ".join(f"{name} = local.{name}" for name in names)
    answer = run(folder, "console", given=f"base64encode(jsonencode({{{fields}}}))\n")
    values: dict[str, Any] = json.loads(base64.b64decode(json.loads(answer)))
    return values


def plan(folder: Path, *arguments: str) -> dict[str, Any]:
    """The plan of a root, as `terraform show -json` writes it."""
    run(folder, "init", "-input=false")
    run(folder, "plan", "-input=false", "-refresh=false", "-out=plan.bin", *arguments)
    shown: dict[str, Any] = json.loads(run(folder, "show", "-json", "plan.bin"))
    return shown


def planned(shown: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The values of every resource and data source in a plan, by address."""
    found: dict[str, dict[str, Any]] = {}
    roots = [shown["planned_values"].get("root_module", {})]
    prior = shown.get("prior_state", {}).get("values", {})
    roots.append(prior.get("root_module", {}))
    for root in roots:
        for module in _modules(root):
            for resource in module.get("resources", []):
                found[resource["address"]] = resource["values"]
    return found


def _modules(module: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield module
    for child in module.get("child_modules", []):
        yield from _modules(child)


def document_answers(folder: Path) -> dict[str, Any]:
    """The JSON of every policy document, by address."""
    write_documents(folder)
    values = planned(plan(folder))
    return {address: json.loads(found["json"]) for address, found in sorted(values.items())}


WATCHED = (
    *("assume_role_policy", "policy", "json", "name", "path", "tags", "groups", "users", "role"),
    *("managed_policy_arns", "inline_policy", "policy_arn", "max_session_duration", "roles"),
    *("force_destroy", "description", "permissions_boundary", "user", "group"),
)
"""Attributes of the whole configurations that are compared."""


def configuration_answers(folder: Path) -> dict[str, Any]:
    """What is planned for every resource of the whole configurations, by address."""
    write_configurations(folder)
    values = planned(plan(folder))
    return {
        address: {
            name: comparable(found[name])
            for name in WATCHED
            if name in found and found[name] is not None
        }
        for address, found in sorted(values.items())
    }


def comparable(value: Any) -> Any:
    """A value in which JSON text is data, and nulls are left out."""
    if isinstance(value, str):
        try:
            data = json.loads(value)
        except ValueError:
            return value
        return comparable(data) if isinstance(data, dict | list) else value
    if isinstance(value, dict):
        return {key: comparable(entry) for key, entry in value.items() if entry is not None}
    if isinstance(value, list):
        return [comparable(item) for item in value]
    return value


def recorded(name: str) -> Any:
    return json.loads((CASES / f"{name}.answers.json").read_text("utf-8"))
