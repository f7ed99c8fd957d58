"""Finds what there is to scan and reads it, never leaving the root.

The scanned tree may be hostile: links that leave the root are not followed, loops end, and
nothing is read twice.
"""

from __future__ import annotations

import os
import posixpath
import stat
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from iam_preflight.errors import Problem, ProblemKind, UsageError
from iam_preflight.masking import Secrets
from iam_preflight.source import SourceFile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from iam_preflight.resources import SwitchedOff

MAX_FILE_BYTES = 64 * 1024 * 1024
"""Larger files are named and not read."""

SKIPPED_DIRECTORIES = frozenset(
    {
        ".git",
        ".hg",
        ".svn",
        ".terraform",
        ".terragrunt-cache",
        ".tox",
        ".nox",
        ".venv",
        "venv",
        ".mypy_cache",
        ".pytest_cache",
        ".ruff_cache",
        "__pycache__",
        "node_modules",
        "site-packages",
    }
)
SETTINGS = (".iam-preflight.yaml",)
SOFT_MARKERS = ("LICENSE", "LICENSE.md", "LICENSE.txt", ".gitignore", ".github", "pyproject.toml")

OUR_FILES = (".iam-preflight.", ".iam-preflight-")
"""Settings and baselines: YAML and JSON, but never templates."""

TERRAFORM_SUFFIXES = (".tf", ".tf.json", ".tofu", ".tofu.json", "terragrunt.hcl")
TEMPLATE_SUFFIXES = (".yaml", ".yml", ".json", ".template")


def read_regular(file: Path) -> bytes:
    """The bytes of a file, of its kind and size that one reads: no pipe, no device."""
    status = file.stat()
    if not stat.S_ISREG(status.st_mode):
        raise OSError("not a regular file")
    if status.st_size > MAX_FILE_BYTES:
        raise OSError(f"larger than {MAX_FILE_BYTES // 2**20} MB")
    with file.open("rb") as stream:
        return stream.read(status.st_size)


class Tree(Protocol):
    """A tree of files by `/`-separated path relative to its top: a folder, or a git revision."""

    @property
    def closed(self) -> Mapping[str, str]:
        """Folders that could not be listed when somebody asked for files, and why not."""

    def files(self, below: str) -> Iterator[str]:
        """Every file below a folder, sorted; ignored folders left out."""

    def read(self, path: str) -> bytes:
        """The bytes of a file; raises OSError."""

    def is_file(self, path: str) -> bool: ...

    def is_directory(self, path: str) -> bool: ...

    def names(self, directory: str) -> list[str]:
        """The names in a folder, sorted; empty when there is no such folder."""


class FolderTree:
    """A folder on disk. What links out of it does not exist."""

    def __init__(self, top: Path) -> None:
        self.top = top.resolve()
        self.closed: dict[str, str] = {}
        self._folders: dict[str, Path | None] = {}

    def _inside(self, path: str) -> Path | None:
        """Where a path leads; None when that is outside. Folders are looked at once."""
        folder, _, name = path.rpartition("/")
        if name in ("", ".", ".."):
            return self._resolved(path)
        if folder not in self._folders:
            self._folders[folder] = self._resolved(folder)
        parent = self._folders[folder]
        if parent is None or "\0" in name:
            return None
        full = parent / name
        try:
            return self._resolved(path) if full.is_symlink() else full
        except OSError:  # a name that is too long for the disk, a folder that is closed
            return None

    def _resolved(self, path: str) -> Path | None:
        full = self.top / path
        try:
            resolved = full.resolve()
        except (OSError, RuntimeError, ValueError):
            return None
        return resolved if resolved == self.top or self.top in resolved.parents else None

    def files(self, below: str) -> Iterator[str]:
        # not os.walk: it calls itself for each level, and a path has room for two thousand
        start = posixpath.normpath(below or ".")
        left = ["" if start == "." else start]
        while left:
            names, folders = self._listed(left.pop())
            yield from names
            left.extend(reversed(folders))

    def _listed(self, folder: str) -> tuple[list[str], list[str]]:
        """The paths of the files and of the folders in a folder; links to folders are neither."""
        head = f"{folder}/" if folder else ""
        names: list[str] = []
        folders: list[str] = []
        try:
            with os.scandir(self.top / folder) as entries:
                for entry in entries:
                    if not _is_folder(entry):
                        names.append(head + entry.name)
                    elif entry.name not in SKIPPED_DIRECTORIES and not entry.is_symlink():
                        folders.append(head + entry.name)
        except OSError as error:
            self.closed[folder or "."] = error.strerror or str(error)
        return sorted(names), sorted(folders)

    def read(self, path: str) -> bytes:
        inside = self._inside(path)
        if inside is None:
            raise PermissionError(f"{path} leads out of the scanned folder")
        return read_regular(inside)

    def is_file(self, path: str) -> bool:
        return _holds(self._inside(path), Path.is_file)

    def is_directory(self, path: str) -> bool:
        return _holds(self._inside(path), Path.is_dir)

    def names(self, directory: str) -> list[str]:
        inside = self._inside(directory)
        try:
            return sorted(one.name for one in inside.iterdir()) if inside is not None else []
        except (OSError, ValueError):
            return []


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _holds(path: Path | None, question: Callable[[Path], bool]) -> bool:
    """The answer of the disk; no where it does not give one."""
    try:
        return path is not None and question(path)
    except OSError:
        return False


class Workspace:
    """A tree, with each file read once and each failure to read noted once."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.problems: list[Problem] = []
        self.code: set[str] = set()
        """Files that turned out to be infrastructure code: front ends add what they recognise."""
        self.secrets = Secrets()
        """What is marked as sensitive: front ends add it."""
        self.switched_off: list[SwitchedOff] = []
        """For each block that makes nothing by default: why. Front ends add them."""
        self._sources: dict[str, SourceFile | None] = {}

    def source(self, path: str) -> SourceFile | None:
        """A file by its normalised path; None, with a problem noted, when it cannot be read."""
        if path in self._sources:
            return self._sources[path]
        source: SourceFile | None = None
        try:
            source = SourceFile(path, self.tree.read(path))
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else error
            self.problems.append(Problem(ProblemKind.UNREADABLE, f"cannot be read: {reason}", path))
        self._sources[path] = source
        return source

    def has_read(self, source: SourceFile) -> bool:
        """Whether a source is a file that was read here, and not text from elsewhere."""
        return self._sources.get(source.path) is source

    @property
    def sources(self) -> Iterator[SourceFile]:
        """The files that were read, in no particular order."""
        return (source for source in self._sources.values() if source is not None)

    def beside(self, directory: str, path: str) -> str | None:
        """A path as seen from a folder, normalised; None when it leaves the tree."""
        if path.startswith("/") or "\\" in path or "\0" in path:
            return None
        joined = posixpath.normpath(posixpath.join(directory or ".", path))
        return None if joined == ".." or joined.startswith("../") else joined


class Inventory(Struct, frozen=True):
    """The files of a scan, by what they may be."""

    terraform: tuple[str, ...]
    templates: tuple[str, ...]
    """YAML and JSON files: templates, plans, or neither; decided by content."""
    named: tuple[str, ...] = ()
    """Those of them that somebody named one by one: being neither is an error."""


def find_root(paths: Iterable[Path]) -> Path:
    """The folder that a scan must not leave: the repository around the paths.

    Reports name files from here, so the repository's top comes before a folder with settings of
    its own. Without either, the nearest folder that looks like the top of a project; without
    that, the paths' own common folder.

    The content of a repository cannot move its top: git checks out no `.git` of its own, a
    submodule belongs to the repository around it, and `.hg` counts only above any `.git`.
    """
    folders = [path if path.is_dir() else path.parent for path in (p.resolve() for p in paths)]
    common = Path(os.path.commonpath(folders))
    home = Path.home()
    candidates = [
        folder for folder in (common, *common.parents) if folder not in (home, home.parent)
    ]
    candidates = [folder for folder in candidates if folder.parent != folder]
    repository = _repository(candidates)
    if repository is not None:
        return repository
    for markers in (SETTINGS, SOFT_MARKERS):
        for folder in candidates:
            if any((folder / marker).exists() for marker in markers):
                return folder
    return common


def _repository(candidates: list[Path]) -> Path | None:
    """The top of the repository around the first folder; the others are those above it."""
    git = [folder for folder in candidates if (folder / ".git").exists()]
    own = [folder for folder in git if _is_checkout(folder)]
    mercurial = [folder for folder in candidates if (folder / ".hg").is_dir()]
    tops = [*(own or git)[:1], *mercurial[:1]]
    return min(tops, key=lambda folder: len(folder.parts), default=None)


def _is_checkout(folder: Path) -> bool:
    """Whether a folder with a `.git` is a clone or a worktree, which its repository knows of.

    https://git-scm.com/docs/gitrepository-layout#Documentation/gitrepository-layout.txt-worktrees
    """
    marker = folder / ".git"
    if marker.is_dir():
        return True
    try:
        held = read_regular(marker).decode().removeprefix("gitdir:").strip()
        back = read_regular(folder / held / "gitdir").decode().strip()
        return (folder / held / back).resolve() == marker.resolve()
    except (OSError, ValueError):
        return False


def take_inventory(
    workspace: Workspace,
    top: Path,
    paths: Iterable[Path],
    is_left_out: Callable[[str], bool] = lambda _path: False,
) -> Inventory:
    """What the given files and folders hold. A path that does not exist is a usage error."""
    below: list[str] = []
    for path in paths:
        if not path.exists():
            raise UsageError(f"no such file or folder: {path}")
        below.append(path.resolve().relative_to(top).as_posix())
    inventory = inventory_of(workspace.tree, below, is_left_out)
    workspace.problems.extend(
        Problem(ProblemKind.UNREADABLE, f"cannot be read: {reason}", folder)
        for folder, reason in workspace.tree.closed.items()
        if not is_left_out(folder)
    )
    return inventory


def inventory_of(
    tree: Tree, paths: Iterable[str], is_left_out: Callable[[str], bool] = lambda _path: False
) -> Inventory:
    """What files and folders of a tree hold; `is_left_out` is asked about files in folders."""
    terraform: dict[str, None] = {}
    templates: dict[str, None] = {}
    named: dict[str, None] = {}
    for path in paths:
        is_folder = tree.is_directory(path)
        found = tree.files(path) if is_folder else iter((path,))
        for name in found:
            if is_folder and (is_left_out(name) or posixpath.basename(name).startswith(OUR_FILES)):
                continue
            lower = name.lower()
            if lower.endswith(TERRAFORM_SUFFIXES):
                terraform[name] = None
            elif lower.endswith(TEMPLATE_SUFFIXES):
                templates[name] = None
                if not is_folder:
                    named[name] = None
            elif not is_folder:
                raise UsageError(f"{path}: not a Terraform, plan or CloudFormation file")
    return Inventory(tuple(terraform), tuple(templates), tuple(named))


def path_matches(pattern: str, path: str) -> bool:
    """Whether a glob covers a path or a folder above it; `**` stands for any folders.

    `modules/legacy`, `*/generated`, `**/test/*.tf`. Names are compared one by one, so that no
    pattern is slow.
    """
    wanted = [part for part in pattern.strip("/").split("/") if part not in ("", ".")]
    reached = {0} if wanted else set()
    for name in path.split("/"):
        following: set[int] = set()
        for at in _past_stars(wanted, reached):
            if at == len(wanted):
                return True
            if wanted[at] == "**":
                following.add(at)
            elif fnmatchcase(name, wanted[at]):
                following.add(at + 1)
        reached = following
    return len(wanted) in _past_stars(wanted, reached)


def _past_stars(wanted: list[str], reached: set[int]) -> set[int]:
    """The positions in a pattern, and those behind a `**` that stands for nothing."""
    found = set(reached)
    for at in reached:
        while at < len(wanted) and wanted[at] == "**":
            at += 1
            found.add(at)
    return found
