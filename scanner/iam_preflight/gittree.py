"""A revision of a git repository as a tree of files: no checkout, no network, no filters run.

The repository may be hostile: git is asked only for what needs no configuration of it, objects
that are not here are not fetched, and a revision can never be taken for an option.
"""

from __future__ import annotations

import os
import posixpath
import subprocess
from pathlib import Path
from types import MappingProxyType
from typing import IO, TYPE_CHECKING

from msgspec import Struct

from iam_preflight.discovery import MAX_FILE_BYTES, SKIPPED_DIRECTORIES, FolderTree
from iam_preflight.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MAX_LINKS = 16
_SAFE = (
    "-c",
    "core.fsmonitor=false",
    "-c",
    "protocol.allow=never",
    "-c",
    "core.hooksPath=/dev/null",
)
_DROPPED = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_OBJECT_DIRECTORY")
_MODULES = ".terraform"
"""Installed modules are not committed: both versions read those of the working tree."""


class Repository:
    """The repository around a folder. Raises `UsageError` where there is none."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        top = self._ask("rev-parse", "--show-toplevel").rstrip("\n")
        self.top = Path(os.path.realpath(top))
        self.prefix = posixpath.relpath(folder.resolve().as_posix(), self.top.as_posix())
        """The folder, from the top of the repository."""

    def commit(self, revision: str) -> str:
        """The id of the commit that a revision names."""
        if revision.startswith("-") or "\0" in revision:
            raise UsageError(f"{revision!r} is not a revision")
        try:
            return self._ask("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}").strip()
        except UsageError:
            raise UsageError(
                f"there is no revision {revision!r} here: fetch it first"
                " (a shallow clone has only its last commits)"
            ) from None

    def merge_base(self, base: str, head: str) -> str:
        """Where the second grew out of the first; the first itself where they share nothing."""
        try:
            return self._ask("merge-base", base, head).strip() or base
        except UsageError:
            return base

    def tree(self, commit: str) -> GitTree:
        return GitTree(self, commit)

    def _ask(self, *arguments: str) -> str:
        return self.run(*arguments).decode("utf-8", "surrogateescape")

    def run(self, *arguments: str) -> bytes:
        try:
            done = subprocess.run(  # noqa: S603  no shell, and arguments that are never options
                self.command(*arguments),
                check=False,
                capture_output=True,
                env=_environment(),
                stdin=subprocess.DEVNULL,
            )
        except OSError as error:
            raise UsageError(f"git cannot be started: {error.strerror}") from None
        if done.returncode != 0:
            reason = done.stderr.decode("utf-8", "replace").strip().splitlines()
            raise UsageError(reason[0] if reason else f"git {arguments[0]} failed")
        return done.stdout

    def command(self, *arguments: str) -> list[str]:
        return ["git", "-C", str(self._folder), *_SAFE, *arguments]

    @property
    def folder(self) -> Path:
        return self._folder


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in _DROPPED}
    return {
        **kept,
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0",
        "LC_ALL": "C",
    }


class _Blob(Struct, frozen=True):
    id: str
    is_link: bool


class GitTree:
    """The files of a commit below the repository object's folder; see `discovery.Tree`."""

    closed: Mapping[str, str] = MappingProxyType({})

    def __init__(self, repository: Repository, commit: str) -> None:
        self._repository = repository
        self._installed = FolderTree(repository.folder)
        self._blobs: dict[str, _Blob] = {}
        self._folders: dict[str, set[str]] = {"": set()}
        self._process: subprocess.Popen[bytes] | None = None
        self._list(commit)

    def _list(self, commit: str) -> None:
        prefix = "" if self._repository.prefix == "." else f"{self._repository.prefix}/"
        wanted = (prefix,) if prefix else ()
        listed = self._repository.run("ls-tree", "-r", "-z", "--full-tree", commit, "--", *wanted)
        for line in listed.decode("utf-8", "surrogateescape").split("\0"):
            facts, _, path = line.partition("\t")
            fields = facts.split()
            if len(fields) != 3 or fields[1] != "blob" or not path.startswith(prefix):
                continue
            self._add(path[len(prefix) :], _Blob(fields[2], fields[0] == "120000"))

    def _add(self, path: str, blob: _Blob) -> None:
        self._blobs[path] = blob
        while path:
            folder, _, name = path.rpartition("/")
            self._folders.setdefault(folder, set()).add(name)
            path = folder

    def close(self) -> None:
        """Ends the process that reads files."""
        if self._process is None:
            return
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()
        self._process.wait()
        self._process = None

    def __enter__(self) -> GitTree:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ---- discovery.Tree

    def files(self, below: str) -> Iterator[str]:
        start = _normal(below)
        folder = self._resolve(start)
        if folder is None or folder not in self._folders:
            return
        left = [folder]
        while left:
            here = left.pop()
            names = sorted(self._folders[here])
            paths = [_join(here, name) for name in names]
            yield from (path for path in paths if path in self._blobs)
            inner = [
                path
                for name, path in zip(names, paths, strict=True)
                if path in self._folders and name not in SKIPPED_DIRECTORIES
            ]
            left.extend(reversed(inner))

    def read(self, path: str) -> bytes:
        if _is_installed(path):
            return self._installed.read(path)
        resolved = self._resolve(_normal(path))
        blob = self._blobs.get(resolved) if resolved is not None else None
        if blob is None or blob.is_link:
            raise FileNotFoundError(2, "no such file in this revision", path)
        return self._content(blob)

    def is_file(self, path: str) -> bool:
        if _is_installed(path):
            return self._installed.is_file(path)
        resolved = self._resolve(_normal(path))
        return resolved is not None and resolved in self._blobs

    def is_directory(self, path: str) -> bool:
        if _is_installed(path):
            return self._installed.is_directory(path)
        resolved = self._resolve(_normal(path))
        return resolved is not None and resolved in self._folders

    def names(self, directory: str) -> list[str]:
        if _is_installed(directory):
            return self._installed.names(directory)
        resolved = self._resolve(_normal(directory))
        return sorted(self._folders.get(resolved, ())) if resolved is not None else []

    # ---- objects

    def _resolve(self, path: str) -> str | None:
        """The path with every link on it followed; None when it leaves the tree or goes on."""
        done = ""
        left = [part for part in path.split("/") if part]
        links = 0
        while left:
            part = left.pop(0)
            if part == "..":
                if not done:
                    return None
                done = done.rpartition("/")[0]
                continue
            if part == ".":
                continue
            here = _join(done, part)
            blob = self._blobs.get(here)
            if blob is None or not blob.is_link:
                done = here
                continue
            links += 1
            target = self._content(blob).decode("utf-8", "surrogateescape")
            if links > MAX_LINKS or target.startswith("/") or len(target) > 4096:
                return None
            left = [*(one for one in target.split("/") if one), *left]
        return done

    def _content(self, blob: _Blob) -> bytes:
        stdin, stdout = self._pipes()
        try:
            stdin.write(f"{blob.id}\n".encode("ascii"))
            stdin.flush()
            header = stdout.readline().split()
            if len(header) != 3 or header[1] != b"blob":
                raise OSError("the object is not in this clone")
            size = int(header[2])
            if size > MAX_FILE_BYTES:
                _drain(stdout, size + 1)
                raise OSError(f"larger than {MAX_FILE_BYTES // 2**20} MB")
            data = stdout.read(size)
            stdout.read(1)
        except (BrokenPipeError, ValueError) as error:
            raise OSError(f"git stopped: {error}") from None
        return data

    def _pipes(self) -> tuple[IO[bytes], IO[bytes]]:
        if self._process is None:
            self._process = subprocess.Popen(  # noqa: S603  no shell, and no argument from outside
                self._repository.command("cat-file", "--batch"),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=_environment(),
            )
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        return stdin, stdout


def _drain(stream: IO[bytes], size: int) -> None:
    while size > 0:
        size -= len(stream.read(min(size, 1 << 20))) or size


def _join(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


def _normal(path: str) -> str:
    return "" if path in ("", ".") else path


def _is_installed(path: str) -> bool:
    return _MODULES in path.split("/")
