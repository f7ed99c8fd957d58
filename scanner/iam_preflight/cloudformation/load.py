"""The CloudFormation front end's one entry: files in, resources out, problems noted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from iam_preflight.discovery import Workspace
    from iam_preflight.resources import Resource


@dataclass(frozen=True, slots=True)
class TemplateOptions:
    """What the user gives beside the files."""

    parameters: tuple[str, ...] = ()
    """`KEY=VALUE`, or the path of a parameter file."""


def load_templates(
    workspace: Workspace,
    files: Sequence[str],
    options: TemplateOptions,
    is_wanted: Callable[[str], bool],
) -> Iterator[Resource]:
    """Every resource of the wanted types in every file that is a template."""
    raise NotImplementedError
