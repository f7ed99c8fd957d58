"""By which rules and settings a file is judged: the settings file that is nearest above it."""

from __future__ import annotations

import os
import posixpath
from typing import TYPE_CHECKING

from msgspec import Struct, field

from iam_preflight.errors import Problem, ProblemKind, UsageError
from iam_preflight.scan import ScanOptions
from iam_preflight.settings import FILE_NAME, Settings
from iam_preflight.settings_file import read_settings
from iam_preflight.source import SourceFile
from iam_preflight.typed import FaultyFileError

if TYPE_CHECKING:
    from iam_preflight.discovery import Tree
    from iam_preflight.registry import Registry

MAX_ROOTS = 3
"""How many of the roots that call an open module are analysed, beside those with open files."""


class Preferences(Struct, frozen=True):
    """What the user of an editor sets there."""

    persona: str = ""
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    assignments: tuple[tuple[str, str], ...] = ()
    """`("var", "NAME=VALUE")` and `("file", path)`."""
    module_map: dict[str, str] = field(default_factory=dict)
    parameters: tuple[str, ...] = ()
    terraform_workspace: str = ""
    roots_per_module: int = MAX_ROOTS


class Judgement(Struct, frozen=True):
    """The rules that run, and what they are told."""

    registry: Registry
    options: ScanOptions


class Judgements:
    """The judgement of each folder of a repository; each settings file is read once."""

    def __init__(self, tree: Tree, rules: Registry, preferences: Preferences) -> None:
        self._tree = tree
        self._rules = rules
        self._preferences = preferences
        self._by_folder: dict[str, Judgement] = {}
        self.problems: list[Problem] = []
        """What is wrong with settings files that were read."""

    def at(self, folder: str) -> Judgement:
        folder = "" if folder == "." else folder
        found = self._by_folder.get(folder)
        if found is None:
            file = posixpath.join(folder, FILE_NAME)
            if self._tree.is_file(file):
                found = self._judgement(self._read(file), folder)
            elif folder:
                found = self.at(posixpath.dirname(folder))
            else:
                found = self._judgement(Settings(), "")
            self._by_folder[folder] = found
        return found

    def leaves_out(self, path: str) -> bool:
        """Whether the settings keep a file from being looked at."""
        return self.at(posixpath.dirname(path)).options.leaves_out(path)

    def _read(self, path: str) -> Settings:
        try:
            return read_settings(SourceFile(path, self._tree.read(path)), self._rules)
        except FaultyFileError as error:
            for fault in error.faults:
                message = f"{fault.key}: {fault.message}" if fault.key else fault.message
                self.problems.append(Problem(ProblemKind.UNREADABLE, message, path, fault.span))
        except (UsageError, OSError) as error:
            self.problems.append(Problem(ProblemKind.UNREADABLE, str(error), path))
        return Settings()

    def _judgement(self, settings: Settings, folder: str) -> Judgement:
        import msgspec

        wanted = self._preferences
        if wanted.persona:
            settings = msgspec.structs.replace(settings, persona=wanted.persona)
        registry = self._rules
        try:
            registry = registry.select(
                wanted.select or settings.select, wanted.ignore or settings.ignore
            )
        except UsageError as error:
            path = posixpath.join(folder, FILE_NAME)
            self.problems.append(Problem(ProblemKind.UNREADABLE, str(error), path))
        options = ScanOptions(
            settings=settings,
            settings_folder=folder,
            assignments=wanted.assignments,
            module_map=wanted.module_map,
            environment={
                name: value
                for name, value in os.environ.items()
                if name.startswith("TF_VAR_") or name == "TF_WORKSPACE"
            },
            parameters=wanted.parameters,
            terraform_workspace=wanted.terraform_workspace,
        )
        return Judgement(registry, options)
