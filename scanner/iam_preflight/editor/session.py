"""One repository while it is edited: collects changes, analyses, says what became of each file.

Everything that touches a graph runs in one worker thread, one thing after the other, so that
the loop which talks to the editor always answers. A change that comes in while something is
being worked out stops that between two steps; what was evaluated by then is kept.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
from typing import TYPE_CHECKING, TypeVar

from msgspec import Struct, field

from iam_preflight.editor.analysis import Cancelled
from iam_preflight.editor.diagnostics import Diagnostics, merged
from iam_preflight.editor.positions import Ranges
from iam_preflight.editor.units import is_of_interest

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Executor

    from lsprotocol import types

    from iam_preflight.editor.analysis import Analysis
    from iam_preflight.editor.pages import Pages
    from iam_preflight.editor.project import Project
    from iam_preflight.membership import Key

Result = TypeVar("Result")

SETTLE_SECONDS = 10.0
"""How long a question waits for the analysis of what was typed before it."""
EDITS_BETWEEN_COLLECTIONS = 20
"""Graphs are circles of objects, which go when the collector runs. It is off during an analysis,
as it is for every command, and runs between two."""


class _Batch(Struct):
    """What has changed since somebody last looked."""

    texts: dict[str, bytes | None] = field(default_factory=dict)
    """Open files with their text; None for one that was closed."""
    versions: dict[str, int] = field(default_factory=dict)
    paths: set[str] = field(default_factory=set)

    def __bool__(self) -> bool:
        return bool(self.paths)

    def take_in(self, later: _Batch) -> None:
        self.texts.update(later.texts)
        self.versions.update(later.versions)
        self.paths |= later.paths


class Session:
    """Keeps the diagnostics of a project up to date."""

    def __init__(
        self,
        project: Project,
        pages: Pages,
        executor: Executor,
        publish: Callable[[str, list[types.Diagnostic], int | None], None],
        uri_of: Callable[[str], str],
        debounce: float,
    ) -> None:
        self.project = project
        self.debounce = debounce
        self._pages = pages
        self._executor = executor
        self._publish = publish
        self._uri_of = uri_of
        self._batch = _Batch()
        self._generation = 0
        self._wake = asyncio.Event()
        self._fresh = asyncio.Event()
        """What was typed so far has been judged, by itself at least."""
        self._idle = asyncio.Event()
        """And so has what it does to everything else."""
        self._fresh.set()
        self._idle.set()
        self._by_key: dict[Key, dict[str, list[types.Diagnostic]]] = {}
        self._scanned: dict[str, list[types.Diagnostic]] = {}
        """What a scan of the whole workspace said of files that no live unit is made of."""
        self._shown: dict[str, list[types.Diagnostic]] = {}
        self._versions: dict[str, int] = {}
        self._stale: set[Key] = set()
        self._edits = 0
        self._waiting = 0
        """Questions that the worker has not answered yet."""
        self._task = asyncio.create_task(self._work())

    # ---- changes, from the loop

    def edit(self, path: str, data: bytes, version: int) -> None:
        """An open file has this text now."""
        self._batch.texts[path] = data
        self._batch.versions[path] = version
        self._note(path)

    def close(self, path: str) -> None:
        self._batch.texts[path] = None
        self._note(path)

    def touch(self, path: str) -> None:
        """A file may be another one on disk."""
        self._note(path)

    def _note(self, path: str) -> None:
        self._batch.paths.add(path)
        self._generation += 1
        self._fresh.clear()
        self._idle.clear()
        self._wake.set()

    def refresh(self) -> None:
        """Everything is judged anew: settings have changed."""
        for path in self.project.tree.open:
            self._note(path)

    async def ask(self, question: Callable[[], Result], *, is_about_all: bool = False) -> Result:
        """Runs something that needs a graph, after what was typed before it.

        Most questions are about what is written; some are about what that does to others.
        """
        with contextlib.suppress(asyncio.TimeoutError):
            waiting = self._idle if is_about_all else self._fresh
            await asyncio.wait_for(waiting.wait(), SETTLE_SECONDS)
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, question)
        finally:
            self._waiting -= 1

    def stop(self) -> None:
        self._generation += 1
        self._task.cancel()

    # ---- work

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        left = _Batch()
        while True:
            await self._wake.wait()
            await self._quiet()
            batch, self._batch = self._batch, _Batch()
            left.take_in(batch)
            generation = self._generation
            done = await loop.run_in_executor(self._executor, self._update, left, generation)
            if not done or generation != self._generation:
                continue
            self._show(left)
            left = _Batch()
            self._fresh.set()
            self._edits += 1
            if self._edits % EDITS_BETWEEN_COLLECTIONS == 0:
                await loop.run_in_executor(self._executor, gc.collect)
            done = False
            while not done and generation == self._generation:
                done = await loop.run_in_executor(self._executor, self._complete, generation)
            if done and generation == self._generation:
                self._show(left)
                self._idle.set()

    async def _quiet(self) -> None:
        """Waits until nothing has come in for a moment."""
        while self._wake.is_set():
            self._wake.clear()
            await asyncio.sleep(self.debounce)

    def _update(self, batch: _Batch, generation: int) -> bool:
        """Brings everything up to date; False where a later change stopped it. In the worker."""
        project = self.project

        def is_cancelled() -> bool:
            return generation != self._generation

        for path, data in batch.texts.items():
            if data is None:
                project.closed(path)
            else:
                project.opened(path, data)
        batch.texts.clear()
        self._stale |= project.change(batch.paths)
        live = set(project.live_keys())
        for key in project.retire():
            self._by_key.pop(key, None)
        self._by_key = {key: held for key, held in self._by_key.items() if key in live}
        self._stale &= live
        try:
            for key in sorted(self._stale, key=lambda key: (key.kind, key.path)):
                self._by_key[key] = self._diagnostics(project.glance(key, is_cancelled))
                self._stale.discard(key)
        except Cancelled:
            return False
        return True

    def _complete(self, generation: int) -> bool:
        """Judges as a whole what was only glanced at; a question comes first. In the worker."""

        def is_cancelled() -> bool:
            return generation != self._generation or self._waiting > 0

        try:
            for key, analysis in list(self.project.analyses.items()):
                if not analysis.is_complete:
                    whole = self.project.complete(key, is_cancelled)
                    self._by_key[key] = self._diagnostics(whole)
        except Cancelled:
            return False
        return True

    def _diagnostics(self, analysis: Analysis) -> dict[str, list[types.Diagnostic]]:
        maker = Diagnostics(analysis.ranges, self._pages, self._uri_of)
        return maker.by_file(analysis.shown, analysis.problems)

    def _show(self, batch: _Batch) -> None:
        """Publishes what is different, and every file that was edited."""
        self._versions.update(batch.versions)
        for path in batch.paths:
            if path not in self.project.tree:
                self._versions.pop(path, None)
            self._scanned.pop(path, None)
        now: dict[str, list[list[types.Diagnostic]]] = {}
        for held in (*self._by_key.values(), self._settings()):
            for path, diagnostics in held.items():
                now.setdefault(path, []).append(diagnostics)
        wanted = {**self._scanned, **{path: merged(several) for path, several in now.items()}}
        edited = {path for path in batch.paths if path in self.project.tree}
        for path in sorted({*wanted, *self._shown, *edited}):
            diagnostics = wanted.get(path, [])
            if path in edited or diagnostics != self._shown.get(path, []):
                self._publish(path, diagnostics, self._versions.get(path))
        self._shown = {path: found for path, found in wanted.items() if found}

    def _settings(self) -> dict[str, list[types.Diagnostic]]:
        """What is wrong with settings files."""
        maker = Diagnostics(Ranges(), self._pages, self._uri_of)
        return maker.by_file((), self.project.judgements.problems)

    # ---- the whole workspace

    async def scan_workspace(self) -> dict[str, int]:
        """Judges everything together, as the command line does; counts by severity."""
        counts, diagnostics = await self.ask(self._scan, is_about_all=True)
        live = {path for analysis in self.project.analyses.values() for path in analysis.sources}
        self._scanned = {path: found for path, found in diagnostics.items() if path not in live}
        self._show(_Batch())
        return counts

    def _scan(self) -> tuple[dict[str, int], dict[str, list[types.Diagnostic]]]:
        from iam_preflight.discovery import Workspace, inventory_of
        from iam_preflight.scan import scan_inventory

        project = self.project
        judgement = project.judgements.at(".")
        options = judgement.options
        workspace = Workspace(project.tree)
        inventory = inventory_of(project.tree, ["."], options.leaves_out)
        report = scan_inventory(workspace, inventory, judgement.registry, options, str(project.top))
        counts: dict[str, int] = {}
        for finding in report.shown:
            counts[str(finding.severity)] = counts.get(str(finding.severity), 0) + 1
        maker = Diagnostics(Ranges(), self._pages, self._uri_of)
        return counts, maker.by_file(report.shown, report.problems)

    def is_about(self, path: str) -> bool:
        """Whether a change of a file on disk can matter here."""
        return is_of_interest(path) or any(
            path in unit.workspace.paths for unit in self.project.units
        )
