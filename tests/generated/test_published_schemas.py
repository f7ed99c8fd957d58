"""What is published about our data is true of the data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from click.testing import CliRunner

from iam_preflight.cli import cli

ROOT = Path(__file__).parents[2]
PROJECTS = sorted(path for path in (ROOT / "fixtures" / "projects").iterdir() if path.is_dir())
SETTINGS = sorted((ROOT / "fixtures").rglob(".iam-preflight.yaml"))


def validator(name: str) -> jsonschema.Draft202012Validator:
    schema: dict[str, Any] = json.loads((ROOT / "docs" / f"{name}.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def output(*arguments: str) -> Any:
    return json.loads(CliRunner().invoke(cli, arguments, catch_exceptions=False).stdout)


@pytest.mark.parametrize("project", PROJECTS, ids=lambda path: path.name)
def test_report_has_its_schema(project: Path) -> None:
    validator("report").validate(output("scan", str(project), "--format", "json"))


@pytest.mark.parametrize("project", PROJECTS, ids=lambda path: path.name)
def test_graph_has_its_schema(project: Path) -> None:
    graph = output("graph", "--format", "json", str(project))
    validator("graph").validate(graph)
    ids = {node["id"] for node in graph["nodes"]}
    assert {end for edge in graph["edges"] for end in (edge["from"], edge["to"])} <= ids


@pytest.mark.parametrize("path", SETTINGS, ids=lambda path: str(path.relative_to(ROOT)))
def test_settings_have_their_schema(path: Path) -> None:
    validator("settings").validate(yaml.safe_load(path.read_text()) or {})


@pytest.mark.parametrize("settings", [{"fail_onn": "low"}, {"fail_on": "worst"}, {"tags": 3}])
def test_wrong_settings_do_not_pass(settings: dict[str, Any]) -> None:
    assert not validator("settings").is_valid(settings)
