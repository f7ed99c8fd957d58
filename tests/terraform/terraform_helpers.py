"""Short ways to ask the Terraform front end."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from iam_preflight.discovery import TERRAFORM_SUFFIXES, FolderTree, Workspace
from iam_preflight.terraform.configuration import Configuration
from iam_preflight.terraform.functions.encoding import json_parts
from iam_preflight.terraform.load import TerraformOptions, load_root, load_terraform
from iam_preflight.terraform.syntax import parse_file
from iam_preflight.testing import MemoryTree
from iam_preflight.values import Fragment, Value, holes_of, plain, show

if TYPE_CHECKING:
    from pathlib import Path

    from iam_preflight.errors import Problem
    from iam_preflight.resources import Resource
    from iam_preflight.terraform.instances import ModuleInstance

Files = dict[str, str]


def everything(_resource_type: str) -> bool:
    return True


def load(
    files: Files | str, options: TerraformOptions | None = None
) -> tuple[dict[str, Resource], list[Problem]]:
    """The resources of a small configuration by address, and what is wrong with it."""
    named = {"main.tf": files} if isinstance(files, str) else files
    workspace = Workspace(MemoryTree(named))
    paths = tuple(path for path in workspace.tree.files(".") if path.endswith(TERRAFORM_SUFFIXES))
    found = load_terraform(workspace, paths, options or TerraformOptions(), everything)
    resources = {resource.address: resource for resource in found}
    return resources, workspace.problems


def root_of(files: Files | str | Path, options: TerraformOptions | None = None) -> ModuleInstance:
    """The instance of the root module in the top folder."""
    named = {"main.tf": files} if isinstance(files, str) else files
    tree = MemoryTree(named) if isinstance(named, dict) else FolderTree(named)
    configuration = Configuration(Workspace(tree), parse_file)
    return load_root(configuration, ".", options or TerraformOptions())


def local(root: ModuleInstance, name: str) -> Value:
    value, _ = root.resolve("local", [_step(name)], root.scope) or (None, 0)
    assert value is not None
    return value


def _step(name: str) -> Any:
    from iam_preflight.source import SourceFile
    from iam_preflight.terraform.scope import Step

    return Step(name, SourceFile("test", b"").whole())


def value_of(expression: str, head: str = "", options: TerraformOptions | None = None) -> Value:
    """What an expression is worth in a root module that begins with `head`."""
    return local(root_of(f"{head}\nlocals {{\n  tested = {expression}\n}}\n", options), "tested")


def shown(expression: str, head: str = "") -> str:
    return show(value_of(expression, head))


def data_of(value: Value) -> Any:
    """A value as Terraform's `jsonencode` would write it; with holes in it, as people see it."""
    if next(holes_of(value), None) is not None:
        return plain(value)
    return json.loads("".join(p.text for p in json_parts(value) if isinstance(p, Fragment)))
