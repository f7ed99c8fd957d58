"""Which root module or stack a file belongs to, and which files a root is scanned by.

A changed file matters to the roots that call its module, and to nobody else: whoever knows them
can scan those alone.
"""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING

from msgspec import Struct

from iam_preflight.discovery import TEMPLATE_SUFFIXES, Inventory, Workspace
from iam_preflight.source import SourceFile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from iam_preflight.discovery import Tree

TERRAFORM_FILES = (".tf", ".tofu", ".tf.json", ".tofu.json")
VALUE_FILES = (".tfvars", ".tfvars.json")
TERRAGRUNT = "terragrunt.hcl"
TEMPLATE_WORDS = (b"Resources", b"AWSTemplateFormatVersion", b"Transform")
"""A file without any of these words is no template."""
_CALLS = re.compile(rb'source"?\s*[=:]\s*"\.')
_NESTED = re.compile(rb"[\w.-]+\.(?:ya?ml|json|template)\b")
_MAX_TEMPLATE_BYTES = 2 * 1024 * 1024


class Key(Struct, frozen=True):
    """Names a unit: a root's folder, a `terragrunt.hcl`, or the template that is on top."""

    kind: str
    path: str


class Map:
    """Which roots there are in a tree, and to which of them each file belongs.

    Only module calls with local sources are read for it, file by file, once each.
    """

    def __init__(self, tree: Tree, is_left_out: Callable[[str], bool]) -> None:
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

    def inventory_for(self, paths: Iterable[str]) -> Inventory:
        """The files to scan after a change of some: those of the roots that they belong to."""
        terraform: dict[str, None] = {}
        templates: dict[str, None] = {}
        for key in dict.fromkeys(key for path in paths for key in self.keys_of(path)):
            if key.kind == "template":
                templates[key.path] = None
            elif key.kind == "terragrunt":
                terraform[key.path] = None
            else:
                terraform.update(dict.fromkeys(self._in_folder(key.path)))
        return Inventory(tuple(sorted(terraform)), tuple(sorted(templates)))

    def _in_folder(self, folder: str) -> Iterator[str]:
        for name in self._tree.names(folder):
            path = name if folder in ("", ".") else f"{folder}/{name}"
            if path in self._calls:
                yield path

    def keys_of(self, path: str) -> list[Key]:
        """The units that a file belongs to: every root that calls its module, by name."""
        if not self._is_read:
            self._survey()
        name = posixpath.basename(path)
        folder = posixpath.dirname(path) or "."
        if name == TERRAGRUNT:
            return [Key("terragrunt", path)]
        if path.endswith(TERRAFORM_FILES) or path.endswith(VALUE_FILES):
            return [Key("terraform", root) for root in self.roots_of(folder)]
        if path in self._names:
            return [Key("template", top) for top in self._stacks_of(path)]
        folders = {posixpath.dirname(user) or "." for user in self._users_of(name)}
        roots = {root for each in folders for root in self.roots_of(each)}
        return [Key("terraform", root) for root in sorted(roots)]

    def _users_of(self, name: str) -> Iterator[str]:
        """Terraform files that mention a file which is read into a policy, by its name."""
        mention = name.encode()
        for path in self._calls:
            if mention in self._text(path):
                yield path

    def roots_of(self, folder: str) -> list[str]:
        """The root modules that a folder is part of; itself, where nobody calls it."""
        callers, _ = self._joined()
        return _tops_of(folder, callers)

    def _stacks_of(self, template: str) -> list[str]:
        """The templates on top that a template is nested in; itself, where nobody mentions it."""
        _, parents = self._joined()
        return _tops_of(template, parents)

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


def _tops_of(start: str, above: Mapping[str, set[str]]) -> list[str]:
    """What nothing stands above, of all that stands above a start; that itself in a circle."""
    reached: set[str] = set()
    tops: set[str] = set()
    stack = [start]
    while stack:
        current = stack.pop()
        if current in reached:
            continue
        reached.add(current)
        over = above.get(current, set())
        if not over:
            tops.add(current)
        stack.extend(over)
    return sorted(tops) or [start]


def _are_near(path: str, child: str) -> bool:
    """Whether a template may nest another one that it mentions: below it, or beside it."""
    folder = posixpath.dirname(path)
    return posixpath.dirname(child) == folder or child.startswith(f"{folder}/" if folder else "")
