"""Finds the rules: every module of `iam_preflight_checks` and of installed plug-ins.

The scanned repository never contributes code: the package is looked up beside this one and in
the places where distributions are installed, never in the current directory.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from iam_preflight.errors import UsageError
from iam_preflight.rules import Rule

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import ModuleType

PACKAGE = "iam_preflight_checks"
PACK = "checkov_pack"
"""The folder of the checks for checkov, installed beside the rules."""


class Registry(Struct, frozen=True):
    """The rules of a run, by id."""

    rules: tuple[Rule, ...]
    everything: tuple[Rule, ...] = ()
    """All that are installed, where `rules` is a selection of them."""

    @property
    def installed(self) -> tuple[Rule, ...]:
        return self.everything or self.rules

    @property
    def is_complete(self) -> bool:
        """Whether every installed rule runs."""
        return len(self.rules) == len(self.installed)

    def __iter__(self) -> Iterator[Rule]:
        return iter(self.rules)

    def get(self, rule_id: str) -> Rule | None:
        wanted = rule_id.upper()
        for rule in self.rules:
            if rule.id == wanted or rule_id in (rule.name, *rule.aliases):
                return rule
        return None

    def select(self, selected: Iterable[str], ignored: Iterable[str]) -> Registry:
        """The rules whose id, name or family is selected and not ignored; empty selects all."""
        wanted, unwanted = tuple(selected), tuple(ignored)
        for name in (*wanted, *unwanted):
            if not self.has(name):
                raise self.unknown(name)
        kept = (
            rule
            for rule in self.rules
            if (not wanted or any(_is_named(rule, name) for name in wanted))
            and not any(_is_named(rule, name) for name in unwanted)
        )
        return Registry(tuple(kept), self.installed)

    def find_installed(self, name: str) -> Rule | None:
        """The one rule with an id, name or alias, whether it runs or not."""
        return Registry(self.installed).get(name)

    def ids_named(self, names: Iterable[str]) -> frozenset[str]:
        """Ids of the installed rules that an id, name, alias or family names."""
        wanted = tuple(names)
        return frozenset(
            rule.id for rule in self.installed if any(_is_named(rule, name) for name in wanted)
        )

    def has(self, name: str) -> bool:
        """Whether an id, name, alias or family names a rule."""
        return any(_is_named(rule, name) for rule in self.installed)

    def names(self) -> Iterator[str]:
        """Everything that a rule can be called."""
        for rule in self.installed:
            yield from (rule.id, rule.name, *rule.aliases)

    def unknown(self, name: str) -> UsageError:
        from iam_preflight.typed import nearest

        near = nearest(name, self.names())
        return UsageError(f"there is no rule {name!r}{near}: `iam-preflight rules list` has all")


def _is_named(rule: Rule, name: str) -> bool:
    upper = name.upper()
    return (
        rule.id == upper
        or rule.family() == upper.rstrip("-*")
        or name == rule.name
        or name in rule.aliases
    )


def load_rules(extra: Iterable[Path] = ()) -> Registry:
    """Every rule that is installed, and those of the given files and folders, sorted by id.

    Two rules with one id are an error. `extra` comes from the command line: nothing in the
    scanned repository can name rules to load.
    """
    found: dict[str, Rule] = {}
    for origin, rule in (*_installed(), *_custom(extra)):
        other = found.get(rule.id)
        if other is not None:
            raise UsageError(
                f"rule id {rule.id} is taken twice: {type(other).__module__} and {origin}"
            )
        found[rule.id] = rule
    return Registry(tuple(found[rule_id] for rule_id in sorted(found)))


def _installed() -> Iterator[tuple[str, Rule]]:
    for module in _modules():
        for rule in rules_in(module):
            yield module.__name__, rule


def rules_in(module: ModuleType) -> Iterator[Rule]:
    """The rules that a module defines, not those it imports."""
    for value in vars(module).values():
        if not (isinstance(value, type) and issubclass(value, Rule)):
            continue
        if value.__module__ == module.__name__ and hasattr(value, "id"):
            yield value()


def _custom(extra: Iterable[Path]) -> Iterator[tuple[str, Rule]]:
    from iam_preflight.custom_rules import load_custom_rules

    yield from load_custom_rules(extra)


def _modules() -> Iterator[ModuleType]:
    for name in sorted(_module_names()):
        yield importlib.import_module(name)


def _module_names() -> Iterator[str]:
    for folder in package_folders():
        for family in _folders_in(folder):
            with os.scandir(folder / family) as entries:
                for entry in entries:
                    name = inspect.getmodulename(entry.name)
                    if name is not None and name != "__init__" and entry.is_file():
                        yield f"{PACKAGE}.{family}.{name}"


def _folders_in(folder: Path) -> list[str]:
    with os.scandir(folder) as entries:
        return [entry.name for entry in entries if entry.name.isidentifier() and entry.is_dir()]


def package_folders() -> list[Path]:
    """The folders of the namespace package that may be trusted, nearest installation first."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.submodule_search_locations is None:
        return []
    here = Path.cwd().resolve()
    own = Path(__file__).resolve()
    folders: list[Path] = []
    for location in spec.submodule_search_locations:
        folder = Path(location).resolve()
        is_from_cwd = folder.parent == here and not _is_beside(folder, own)
        if folder.is_dir() and not is_from_cwd and folder not in folders:
            folders.append(folder)
    module = sys.modules.get(PACKAGE)
    if module is not None and folders:
        module.__path__ = [str(folder) for folder in folders]
    return folders


def companion(name: str) -> Path | None:
    """A folder that is installed beside the rules, nearest installation first."""
    beside = (folder.with_name(name) for folder in package_folders())
    return next((folder for folder in beside if folder.is_dir()), None)


def _is_beside(folder: Path, own: Path) -> bool:
    """Installed together: in one site-packages, or in one checkout's source roots."""
    return folder.parent == own.parents[1] or folder.parent.parent == own.parents[2]
