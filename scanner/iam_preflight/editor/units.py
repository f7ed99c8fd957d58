"""What the editor analyses at a time: one Terraform root, or the templates that belong together.

A unit is judged by itself, as `iam-preflight scan ROOT` would, and not together with the rest of
the repository: an edit then costs what its root costs, however large the repository is.
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from iam_preflight.discovery import TEMPLATE_SUFFIXES, TERRAFORM_SUFFIXES
from iam_preflight.source import SourceFile
from iam_preflight.terraform.configuration import JSON_SUFFIXES, NATIVE_SUFFIXES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from iam_preflight.editor.overlay import LiveWorkspace, Overlay
    from iam_preflight.errors import Problem
    from iam_preflight.resources import Resource
    from iam_preflight.terraform.live import LiveRoot

TERRAFORM_FILES = (*NATIVE_SUFFIXES, *JSON_SUFFIXES)
VALUE_FILES = (".tfvars", ".tfvars.json")
TEMPLATE_WORDS = (b"Resources", b"AWSTemplateFormatVersion", b"Transform")
"""A file without any of these words is no template."""
_NESTED = re.compile(rb"[\w.-]+\.(?:ya?ml|json|template)\b")
_CALLS = re.compile(rb'source"?\s*[=:]\s*"\.')
_MAX_TEMPLATE_BYTES = 2 * 1024 * 1024


def is_of_interest(path: str) -> bool:
    """Whether a file by this name may be infrastructure code or give it values."""
    lower = path.lower()
    return lower.endswith((*TERRAFORM_SUFFIXES, *VALUE_FILES, *TEMPLATE_SUFFIXES))


@dataclass(frozen=True, slots=True)
class Key:
    """Names a unit: a root's folder, a `terragrunt.hcl`, or the template that is on top."""

    kind: str
    path: str


class Unit(Protocol):
    """Something that is analysed as one."""

    key: Key
    workspace: LiveWorkspace

    def change(self, paths: set[str]) -> bool:
        """Told of files that may have changed, appeared or gone; whether that matters to it."""

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

    def resources(self, is_wanted: Callable[[str], bool]) -> Iterator[Resource]:
        return self.root.resources(is_wanted)

    def problems(self) -> Iterator[Problem]:
        yield from self.workspace.problems
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

    def resources(self, is_wanted: Callable[[str], bool]) -> Iterator[Resource]:
        from iam_preflight.cloudformation.load import TemplateOptions, load_templates

        self.workspace.problems.clear()
        options = TemplateOptions(self.parameters)
        return load_templates(self.workspace, self.files, options, is_wanted)

    def problems(self) -> Iterator[Problem]:
        yield from self.workspace.problems


class Map:
    """Which roots there are in a tree, and to which of them each file belongs.

    Only module calls with local sources are read for it, file by file, once each.
    """

    def __init__(self, tree: Overlay, is_left_out: Callable[[str], bool]) -> None:
        self._tree = tree
        self._is_left_out = is_left_out
        self._calls: dict[str, frozenset[str]] = {}
        """Folders that a Terraform file calls."""
        self._names: dict[str, frozenset[str]] = {}
        """Names of other templates that a template mentions."""
        self._is_read = False
        self._roots: tuple[dict[str, set[str]], dict[str, set[str]]] | None = None

    def forget(self, path: str) -> None:
        """Told of a file that has changed, appeared or gone."""
        if not self._is_read:
            return
        before = (self._calls.pop(path, None), self._names.pop(path, None))
        if self._tree.is_file(path):
            self._read(path)
        if before != (self._calls.get(path), self._names.get(path)):
            self._roots = None

    def _survey(self) -> None:
        for path in self._tree.files("."):
            if not self._is_left_out(path):
                self._read(path)
        self._is_read = True

    def _read(self, path: str) -> None:
        if path.endswith(TERRAFORM_FILES):
            self._calls[path] = frozenset(self._called(path))
        elif path.lower().endswith(TEMPLATE_SUFFIXES):
            mentioned = self._mentioned(path)
            if mentioned is not None:
                self._names[path] = mentioned

    def _text(self, path: str) -> bytes:
        try:
            return self._tree.read(path)
        except OSError:
            return b""

    def _called(self, path: str) -> Iterator[str]:
        from iam_preflight.discovery import Workspace
        from iam_preflight.terraform.configuration import Configuration
        from iam_preflight.terraform.syntax import parse_file

        data = self._text(path)
        if _CALLS.search(data) is None:
            return
        configuration = Configuration(Workspace(self._tree), parse_file)
        folder = posixpath.dirname(path) or "."
        for block in configuration.parse(SourceFile(path, data)).blocks:
            if block.type == "module":
                target = configuration.target(folder, block)
                if target is not None and target != folder:
                    yield target

    def _mentioned(self, path: str) -> frozenset[str] | None:
        """None where the file is no template."""
        data = self._text(path)
        if len(data) > _MAX_TEMPLATE_BYTES or not any(word in data for word in TEMPLATE_WORDS):
            return None
        names = {match.decode("ascii", "replace") for match in _NESTED.findall(data)}
        return frozenset(names - {posixpath.basename(path)})

    # ---- answers

    def keys_of(self, path: str) -> list[Key]:
        """The units that a file belongs to: every root that calls its module, by name."""
        if not self._is_read:
            self._survey()
        name = posixpath.basename(path)
        folder = posixpath.dirname(path) or "."
        if name == "terragrunt.hcl":
            return [Key("terragrunt", path)]
        if path.endswith(TERRAFORM_FILES) or path.endswith(VALUE_FILES):
            return [Key("terraform", root) for root in self.roots_of(folder)]
        if path in self._names:
            return [Key("template", top) for top in self._tops_of(path)]
        return []

    def all_keys(self) -> list[Key]:
        """Every unit of the tree."""
        if not self._is_read:
            self._survey()
        folders = {posixpath.dirname(path) or "." for path in self._calls}
        roots = {root for folder in folders for root in self.roots_of(folder)}
        tops = {top for path in self._names for top in self._tops_of(path)}
        return [
            *(Key("terraform", root) for root in sorted(roots)),
            *(Key("template", top) for top in sorted(tops)),
        ]

    def roots_of(self, folder: str) -> list[str]:
        """The root modules that a folder is part of; itself, where nobody calls it."""
        callers, _ = self._joined()
        reached: set[str] = set()
        roots: set[str] = set()
        stack = [folder]
        while stack:
            current = stack.pop()
            if current in reached:
                continue
            reached.add(current)
            above = callers.get(current, set())
            if not above:
                roots.add(current)
            stack.extend(above)
        return sorted(roots) or [folder]

    def _tops_of(self, path: str) -> list[str]:
        _, parents = self._joined()
        reached: set[str] = set()
        tops: set[str] = set()
        stack = [path]
        while stack:
            current = stack.pop()
            if current in reached:
                continue
            reached.add(current)
            above = parents.get(current, set())
            if not above:
                tops.add(current)
            stack.extend(above)
        return sorted(tops) or [path]

    def _joined(self) -> tuple[dict[str, set[str]], dict[str, set[str]]]:
        """Who calls each folder, and who mentions each template."""
        if self._roots is None:
            callers: dict[str, set[str]] = {}
            for path, targets in self._calls.items():
                for target in targets:
                    callers.setdefault(target, set()).add(posixpath.dirname(path) or ".")
            by_name: dict[str, list[str]] = {}
            for path in self._names:
                by_name.setdefault(posixpath.basename(path), []).append(path)
            parents: dict[str, set[str]] = {}
            for path, names in self._names.items():
                for name in names:
                    for child in by_name.get(name, ()):
                        if _are_near(path, child):
                            parents.setdefault(child, set()).add(path)
            self._roots = (callers, parents)
        return self._roots


def _are_near(path: str, child: str) -> bool:
    """Whether a template may nest another one that it mentions: below it, or beside it."""
    folder = posixpath.dirname(path)
    return posixpath.dirname(child) == folder or child.startswith(f"{folder}/" if folder else "")
