"""What the editor analyses at a time: one Terraform root, or the templates that belong together.

A unit is judged by itself, as `iam-preflight scan ROOT` would, and not together with the rest of
the repository: an edit then costs what its root costs, however large the repository is.
"""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, Protocol

from iam_preflight.discovery import TEMPLATE_SUFFIXES, TERRAFORM_SUFFIXES
from iam_preflight.membership import TERRAFORM_FILES, VALUE_FILES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from iam_preflight.editor.overlay import LiveWorkspace
    from iam_preflight.errors import Problem
    from iam_preflight.membership import Key
    from iam_preflight.resources import Resource
    from iam_preflight.terraform.live import LiveRoot


def is_of_interest(path: str) -> bool:
    """Whether a file by this name may be infrastructure code or give it values."""
    lower = path.lower()
    return lower.endswith((*TERRAFORM_SUFFIXES, *VALUE_FILES, *TEMPLATE_SUFFIXES))


class Unit(Protocol):
    """Something that is analysed as one."""

    key: Key
    workspace: LiveWorkspace

    def change(self, paths: set[str]) -> bool:
        """Told of files that may have changed, appeared or gone; whether that matters to it."""

    def take_different(self) -> frozenset[str] | None:
        """Addresses of what may have another value than when this was last asked; None: all."""

    def resources(self, is_wanted: Callable[[str], bool]) -> Iterator[Resource]: ...

    def problems(self) -> Iterator[Problem]: ...


class TerraformUnit:
    """A root module with all that it calls."""

    def __init__(self, key: Key, workspace: LiveWorkspace, root: LiveRoot) -> None:
        self.key = key
        self.workspace = workspace
        self.root = root

    def change(self, paths: set[str]) -> bool:
        known = self.workspace.refresh(paths)
        changed = known | {path for path in paths - known if self._is_new(path)}
        self.root.change(changed)
        return bool(changed)

    def _is_new(self, path: str) -> bool:
        """Whether a file that was not read so far has something to say now."""
        if path in self.workspace.paths:
            return False
        folder = posixpath.dirname(path) or "."
        return folder in self.root.directories or not path.endswith(TERRAFORM_FILES)

    def take_different(self) -> frozenset[str] | None:
        return self.root.take_different()

    def resources(self, is_wanted: Callable[[str], bool]) -> Iterator[Resource]:
        return self.root.resources(is_wanted)

    def problems(self) -> Iterator[Problem]:
        yield from self.root.problems


class TemplateUnit:
    """A CloudFormation template with those that it nests; parsed again after every change."""

    def __init__(
        self,
        key: Key,
        workspace: LiveWorkspace,
        files: tuple[str, ...],
        parameters: tuple[str, ...],
    ) -> None:
        self.key = key
        self.workspace = workspace
        self.files = files
        self.parameters = parameters

    def change(self, paths: set[str]) -> bool:
        return bool(self.workspace.refresh(paths))

    def take_different(self) -> None:
        return None

    def resources(self, is_wanted: Callable[[str], bool]) -> Iterator[Resource]:
        from iam_preflight.cloudformation.load import TemplateOptions, load_templates

        self.workspace.problems.clear()
        options = TemplateOptions(self.parameters)
        return load_templates(self.workspace, self.files, options, is_wanted)

    def problems(self) -> Iterator[Problem]:
        yield from self.workspace.problems
