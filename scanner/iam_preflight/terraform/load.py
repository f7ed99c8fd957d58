"""The Terraform front end's one entry: files in, resources out, problems noted."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from iam_preflight.resources import Deployment, Framework
from iam_preflight.terraform.configuration import Configuration
from iam_preflight.terraform.inputs import Assignments, collect
from iam_preflight.terraform.instances import ModuleInstance, Root
from iam_preflight.terraform.roots import find_roots
from iam_preflight.terraform.scope import Budget
from iam_preflight.terraform.surroundings import is_library, surroundings_of
from iam_preflight.terraform.syntax import parse_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from iam_preflight.discovery import Workspace
    from iam_preflight.resources import Resource


@dataclass(frozen=True, slots=True)
class TerraformOptions:
    """What the user gives beside the files."""

    variables: tuple[str, ...] = ()
    """`NAME=VALUE`, as after `-var`."""
    variable_files: tuple[str, ...] = ()
    """Paths from the top of the tree; they come before `variables`."""
    workspace: str = ""
    module_map: Mapping[str, str] = field(default_factory=dict)
    """Directories (from the top of the tree) of modules by their `source`."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """For `TF_VAR_…` and `TF_WORKSPACE`."""
    assignments: tuple[tuple[str, str], ...] = ()
    """`("var", "NAME=VALUE")` and `("file", path)` in the order of the command line, where that
    is known; they come after the two above."""


def load_terraform(
    workspace: Workspace,
    files: Sequence[str],
    options: TerraformOptions,
    is_wanted: Callable[[str], bool],
) -> Iterator[Resource]:
    """Every resource of the wanted types in every root among the files, root by root."""
    configuration = Configuration(workspace, parse_file)
    for directory in find_roots(configuration, files):
        for instance in load_root(configuration, directory, options).walk():
            yield from instance.resources(is_wanted)
            yield from surroundings_of(instance, is_wanted)


def load_root(
    configuration: Configuration, directory: str, options: TerraformOptions
) -> ModuleInstance:
    """The root module instance of a folder, with the values that its variables are given."""
    module = configuration.module(directory)
    assert module is not None
    assignments = Assignments(
        (
            *(("file", path) for path in options.variable_files),
            *(("var", text) for text in options.variables),
            *options.assignments,
        ),
        options.environment,
    )
    inputs, hints = collect(configuration, module, assignments)
    chosen = options.workspace or options.environment.get("TF_WORKSPACE", "")
    is_for_others = is_library(module) and not inputs
    deployment = Deployment(directory, Framework.TERRAFORM, chosen, hints, is_for_others)
    root = Root(configuration, deployment, Budget(), dict(options.module_map), set())
    return ModuleInstance(root, module, inputs=inputs)
