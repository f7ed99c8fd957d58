"""Rules that are not ours: from installed distributions, and from paths on the command line.

Nothing is ever taken from the current directory or the scanned repository by itself: Python
rules are programs, and run as such.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from iam_preflight.errors import UsageError
from iam_preflight.rules import Rule, RuleDefinitionError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from importlib.metadata import EntryPoint
    from types import ModuleType

GROUP = "iam_preflight.rules"
"""Entry points of this group name a module that defines rules, or a rule."""

SKIPPED = frozenset({"fixtures", "tests", "__pycache__"})


def load_custom_rules(paths: Iterable[Path]) -> Iterator[tuple[str, Rule]]:
    """Where each rule comes from, and the rule. Raises `UsageError`."""
    yield from _from_distributions()
    for path in paths:
        for file in rule_files(path):
            yield from ((str(file), rule) for rule in rules_of_file(file))


def rule_files(path: Path) -> list[Path]:
    """The files of rules below a path, in order; those of fixtures and tests left out."""
    if path.is_file():
        return [path]
    found = [
        file
        for file in sorted(path.rglob("*"))
        if file.suffix in (".py", ".yaml", ".yml")
        and not any(
            part in SKIPPED or part.startswith(".") for part in file.relative_to(path).parts
        )
    ]
    if not found:
        raise UsageError(f"{path}: no rules: a .yaml or .py file is expected")
    return found


def rules_of_file(file: Path) -> Iterator[Rule]:
    """The rules that a YAML or Python file defines."""
    if file.suffix == ".py":
        from iam_preflight.registry import rules_in

        yield from rules_in(_load(file))
        return
    yield from _declared(file)


def _declared(file: Path) -> Iterator[Rule]:
    from iam_preflight.declarative import RuleFile, rule_class
    from iam_preflight.source import SourceFile
    from iam_preflight.typed import decode

    try:
        source = SourceFile(str(file), file.read_bytes())
    except OSError as error:
        raise UsageError(f"{file}: cannot be read: {error.strerror}") from None
    for declared in decode(source, RuleFile).rules:
        try:
            yield rule_class(declared, str(file))()
        except (RuleDefinitionError, KeyError) as error:
            raise UsageError(f"{file}: {declared.id}: {error}") from None


def _load(file: Path) -> ModuleType:
    """A Python file as a module of a name that nothing else has."""
    import hashlib

    digest = hashlib.sha256(str(file.resolve()).encode("utf-8", "replace")).hexdigest()[:12]
    name = f"iam_preflight_custom_{digest}"
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise UsageError(f"{file}: cannot be loaded")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise UsageError(f"{file}: cannot be loaded: {type(error).__name__}: {error}") from error
    return module


def _from_distributions() -> Iterator[tuple[str, Rule]]:
    """Rules of installed distributions.

    Reading what every distribution says about itself takes longer than a small scan, so only
    those that mention our group are asked.
    """
    named = [folder for folder in _metadata_folders() if _mentions_us(folder)]
    if not named:
        return
    from importlib.metadata import PathDistribution

    for folder in named:
        for entry in PathDistribution(folder).entry_points:
            if entry.group == GROUP:
                yield from _of_entry(entry)


def _metadata_folders() -> Iterator[Path]:
    """Of every distribution on the search path, the current directory left out."""
    here = Path.cwd().resolve()
    for place in sys.path:
        folder = Path(place)
        if not place or not folder.is_dir() or folder.resolve() == here:
            continue
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries)
        for name in names:
            if name.endswith((".dist-info", ".egg-info")):
                yield folder / name


def _mentions_us(folder: Path) -> bool:
    try:
        return GROUP.encode() in (folder / "entry_points.txt").read_bytes()
    except OSError:
        return False


def _of_entry(entry: EntryPoint) -> Iterator[tuple[str, Rule]]:
    from types import ModuleType

    from iam_preflight.registry import rules_in

    try:
        loaded = entry.load()
    except Exception as error:
        raise UsageError(f"rules of {entry.value} cannot be loaded: {error}") from error
    if isinstance(loaded, ModuleType):
        yield from ((entry.value, rule) for rule in rules_in(loaded))
    elif isinstance(loaded, type) and issubclass(loaded, Rule):
        yield entry.value, loaded()
    else:
        raise UsageError(f"rules of {entry.value}: neither a module nor a rule")
