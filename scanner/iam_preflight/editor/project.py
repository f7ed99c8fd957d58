"""A repository in the editor: what is open, which units that concerns, what is known of them."""

from __future__ import annotations

import posixpath
import time
from typing import TYPE_CHECKING

from iam_preflight.editor.analysis import Analysis, Analyst
from iam_preflight.editor.judgement import Judgement, Judgements, Preferences
from iam_preflight.editor.overlay import LiveWorkspace, Overlay
from iam_preflight.editor.units import TemplateUnit, TerraformUnit
from iam_preflight.membership import Key, Map
from iam_preflight.settings import FILE_NAME
from iam_preflight.terraform.live import Files, LiveRoot
from iam_preflight.terraform.load import TerraformOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from iam_preflight.editor.units import Unit
    from iam_preflight.registry import Registry
    from iam_preflight.source import SourceFile

WORTH_A_GLANCE = 0.15
"""Seconds that judging everything may take before only the change is judged first."""


def _never() -> bool:
    return False


class Project:
    """One repository. It is used from one thread at a time."""

    def __init__(self, top: Path, rules: Registry, preferences: Preferences) -> None:
        self.tree = Overlay(top)
        self.rules = rules
        self.preferences = preferences
        self._sources: dict[str, SourceFile] = {}
        self._files = Files()
        self._units: dict[Key, Unit] = {}
        self.analyses: dict[Key, Analysis] = {}
        self._different: dict[Key, set[str] | None] = {}
        """What has changed since the analysis of each unit; None: anything may have."""
        self._seconds: dict[Key, float] = {}
        """How long judging a unit as a whole took last."""
        self._configure()

    @property
    def top(self) -> Path:
        return self.tree.top

    # ---- settings

    def _configure(self) -> None:
        """Forgets everything that was judged by other settings."""
        self.judgements = Judgements(self.tree, self.rules, self.preferences)
        self._units.clear()
        self.analyses.clear()
        self._different.clear()
        self.map = Map(self.tree, self.judgements.leaves_out)

    def prefer(self, preferences: Preferences) -> None:
        self.preferences = preferences
        self._configure()

    # ---- files

    def opened(self, path: str, data: bytes) -> None:
        self.tree.put(path, data)

    def closed(self, path: str) -> None:
        self.tree.drop(path)

    def change(self, paths: Iterable[str]) -> set[Key]:
        """Told of files that have changed in the editor or on disk, appeared or gone.

        Gives the units whose answer may be another one now.
        """
        changed = set(paths)
        stale: set[Key] = set()
        if any(posixpath.basename(path) == FILE_NAME for path in changed):
            self._configure()
        else:
            for path in changed:
                self.map.forget(path)
            stale = {key for key, unit in self._units.items() if unit.change(changed)}
        return stale | {key for key in self.live_keys() if key not in self.analyses}

    # ---- units

    def keys_of(self, path: str) -> list[Key]:
        """The units to analyse for an open file."""
        if self.judgements.leaves_out(path):
            return []
        keys = self.map.keys_of(path)
        limit = max(1, self.preferences.roots_per_module)
        if len(keys) <= limit:
            return keys
        folders = {posixpath.dirname(name) or "." for name in self.tree.open}
        preferred = [key for key in keys if key.path in folders]
        others = [key for key in keys if key.path not in folders]
        return [*preferred, *others[: max(0, limit - len(preferred))]]

    def live_keys(self) -> list[Key]:
        """The units of all open files, and those that read one of them otherwise."""
        keys = dict.fromkeys(key for path in self.tree.open for key in self.keys_of(path))
        return list(keys)

    @property
    def units(self) -> tuple[Unit, ...]:
        return tuple(self._units.values())

    def unit(self, key: Key) -> Unit:
        if key not in self._units:
            self._units[key] = self._make(key)
        return self._units[key]

    def _make(self, key: Key) -> Unit:
        workspace = LiveWorkspace(self.tree, self._sources)
        given = self._judgement(key).options
        if key.kind == "template":
            return TemplateUnit(key, workspace, (key.path,), given.parameters)
        options = TerraformOptions(
            workspace=given.terraform_workspace,
            module_map=given.module_map,
            environment=given.environment,
            assignments=given.assignments,
        )
        units = (key.path,) if key.kind == "terragrunt" else ()
        folder = (posixpath.dirname(key.path) or ".") if units else key.path
        return TerraformUnit(
            key, workspace, LiveRoot(workspace, folder, options, self._files, units)
        )

    def glance(self, key: Key, is_cancelled: Callable[[], bool] = _never) -> Analysis:
        """The analysis of a unit after a change, not complete where that would take long.

        Raises `Cancelled`.
        """
        unit = self.unit(key)
        earlier = self.analyses.get(key)
        self._different.setdefault(key, set())
        different = unit.take_different()
        held = self._different[key]
        self._different[key] = None if different is None or held is None else held | different
        known = self._different[key]
        analyst = self._analyst(key, is_cancelled)
        if earlier is None or known is None or self._seconds.get(key, 0.0) < WORTH_A_GLANCE:
            return self._timed(key, lambda: analyst.analyse(unit))
        found = analyst.glance(earlier, frozenset(known))
        self._different[key] = set()
        self.analyses[key] = found
        return found

    def complete(self, key: Key, is_cancelled: Callable[[], bool] = _never) -> Analysis:
        """The whole analysis of a unit that was glanced at; raises `Cancelled`."""
        analysis = self.analyses[key]
        if analysis.is_complete:
            return analysis
        return self._timed(key, lambda: self._analyst(key, is_cancelled).complete(analysis))

    def _judgement(self, key: Key) -> Judgement:
        folder = key.path if key.kind == "terraform" else posixpath.dirname(key.path)
        return self.judgements.at(folder)

    def _analyst(self, key: Key, is_cancelled: Callable[[], bool]) -> Analyst:
        judgement = self._judgement(key)
        return Analyst(judgement.registry, judgement.options, is_cancelled)

    def _timed(self, key: Key, analyse: Callable[[], Analysis]) -> Analysis:
        started = time.perf_counter()
        found = analyse()
        self._seconds[key] = time.perf_counter() - started
        self._different[key] = set()
        self.analyses[key] = found
        return found

    def retire(self) -> list[Key]:
        """Forgets the units that no open file belongs to."""
        live = set(self.live_keys())
        gone = [key for key in self._units if key not in live]
        for key in gone:
            del self._units[key]
            self.analyses.pop(key, None)
            self._different.pop(key, None)
        return gone
