"""The files of a workspace as the editor sees them: open buffers over what is on disk."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from iam_preflight.discovery import FolderTree, Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from iam_preflight.source import SourceFile


class Overlay:
    """A folder (`discovery.Tree`) in which some files have another text, or only exist so."""

    def __init__(self, top: Path) -> None:
        self.disk = FolderTree(top)
        self._texts: dict[str, bytes] = {}

    @property
    def top(self) -> Path:
        return self.disk.top

    @property
    def closed(self) -> Mapping[str, str]:
        return self.disk.closed

    def put(self, path: str, data: bytes) -> None:
        self._texts[path] = data

    def drop(self, path: str) -> None:
        self._texts.pop(path, None)

    def __contains__(self, path: str) -> bool:
        return path in self._texts

    @property
    def open(self) -> tuple[str, ...]:
        return tuple(self._texts)

    # ---- as a tree

    def files(self, below: str) -> Iterator[str]:
        head = "" if below in ("", ".") else f"{below}/"
        unsaved = {path for path in self._texts if path.startswith(head)}
        for path in self.disk.files(below):
            unsaved.discard(path)
            yield path
        yield from sorted(unsaved)

    def read(self, path: str) -> bytes:
        data = self._texts.get(posixpath.normpath(path))
        return data if data is not None else self.disk.read(path)

    def is_file(self, path: str) -> bool:
        return posixpath.normpath(path) in self._texts or self.disk.is_file(path)

    def is_directory(self, path: str) -> bool:
        head = f"{posixpath.normpath(path)}/"
        return self.disk.is_directory(path) or any(name.startswith(head) for name in self._texts)

    def names(self, directory: str) -> list[str]:
        head = "" if directory in ("", ".") else f"{directory}/"
        unsaved = {
            path.removeprefix(head).partition("/")[0]
            for path in self._texts
            if path.startswith(head)
        }
        return sorted({*self.disk.names(directory), *unsaved})


class LiveWorkspace(Workspace):
    """A workspace that outlives edits: a file whose text is the same stays the same object."""

    def __init__(self, tree: Overlay, shared: dict[str, SourceFile]) -> None:
        super().__init__(tree)
        self._shared = shared
        """The latest version of each file, which all roots have in common."""

    def source(self, path: str) -> SourceFile | None:
        source = super().source(path)
        if source is None:
            return None
        held = self._shared.get(path)
        if held is not None and held.data == source.data:
            self._sources[path] = held
            return held
        self._shared[path] = source
        return source

    def refresh(self, paths: set[str]) -> set[str]:
        """Reads the given files again; those that are not what they were."""
        changed: set[str] = set()
        for path in paths & self._sources.keys():
            earlier = self._sources.pop(path)
            self.problems[:] = [one for one in self.problems if one.path != path or one.span]
            if not self.tree.is_file(path) or self.source(path) is not earlier:
                changed.add(path)
        return changed

    @property
    def paths(self) -> tuple[str, ...]:
        """Everything that somebody asked for."""
        return tuple(self._sources)
