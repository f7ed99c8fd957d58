"""The Terraform front end's one entry: files in, resources out, problems noted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from iam_preflight.terraform.modules import Configuration, load_root

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from iam_preflight.discovery import Workspace
    from iam_preflight.resources import Resource


@dataclass(frozen=True, slots=True)
class TerraformOptions:
    """What the user gives beside the files."""

    variables: tuple[str, ...] = ()
    """`NAME=VALUE`, as after `-var`."""
    variable_files: tuple[str, ...] = ()
    workspace: str = ""


def load_terraform(
    workspace: Workspace,
    files: Sequence[str],
    options: TerraformOptions,
    is_wanted: Callable[[str], bool],
) -> Iterator[Resource]:
    """Every resource of the wanted types in every root among the files, root by root."""
    configuration = Configuration(workspace)
    for directory in configuration.find_roots(tuple(files)):
        root = load_root(configuration, directory, options.workspace)
        for instance in root.walk():
            yield from instance.resources(is_wanted)
