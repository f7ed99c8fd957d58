"""Whole configurations: the same addresses and policies as `terraform plan`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import terraform_oracle as oracle
from terraform_helpers import data_of, everything

from iam_preflight.discovery import FolderTree, Workspace
from iam_preflight.terraform.load import TerraformOptions, load_terraform

if TYPE_CHECKING:
    from pathlib import Path

    from iam_preflight.resources import Resource

ANSWERS: dict[str, dict[str, Any]] = oracle.recorded("configurations")
SETS = frozenset({"groups", "users", "roles", "managed_policy_arns", "inline_policy"})


@pytest.fixture(scope="module")
def resources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Resource]:
    folder = tmp_path_factory.mktemp("configurations")
    oracle.write_configurations(folder)
    workspace = Workspace(FolderTree(folder))
    files = [path for path in workspace.tree.files(".") if path.endswith((".tf", ".tf.json"))]
    found = list(load_terraform(workspace, files, TerraformOptions(), everything))
    assert workspace.problems == []
    return {r.address: r for r in found if not r.type.startswith("terraform_")}


def test_there_are_enough_of_them() -> None:
    assert len(list((oracle.CASES / "configurations").iterdir())) >= 15


def test_same_addresses_as_the_plan(resources: dict[str, Resource]) -> None:
    assert sorted(resources) == sorted(ANSWERS)


@pytest.mark.parametrize("address", ANSWERS)
def test_same_attributes_as_the_plan(address: str, resources: dict[str, Resource]) -> None:
    resource = resources[address]
    for name, answer in ANSWERS[address].items():
        if name not in resource.attributes.entries and not (resource.is_data and name == "json"):
            continue  # AWS's to fill in: compared in test_computed
        value = resource.attributes.entries.attribute(name, resource.span)  # type: ignore[attr-defined]
        assert _comparable(name, data_of(value)) == _comparable(name, answer), name


def _comparable(name: str, value: Any) -> Any:
    found = oracle.comparable(value)
    if name in SETS and isinstance(found, list):
        return sorted(found, key=str)
    return found


@pytest.mark.skipif(oracle.mirror() is None, reason=f"{oracle.MIRROR_VARIABLE} names no mirror")
def test_the_record_is_what_terraform_plans(tmp_path: Path) -> None:
    assert oracle.configuration_answers(tmp_path) == ANSWERS
