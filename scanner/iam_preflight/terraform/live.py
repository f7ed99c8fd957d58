"""A root module that outlives edits: after a change only what depends on it is evaluated again.

Files are the unit of change. What a changed file declares, and what refers to that, directly or
through others, is forgotten; everything else keeps its values, and with them the objects that
later stages know them by. References are taken from the text of a block, so that a name in a
comment counts too: too much may be forgotten, never too little.
"""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING

from msgspec import Struct

from iam_preflight.errors import Problem, ProblemKind
from iam_preflight.source import Span
from iam_preflight.terraform import tree
from iam_preflight.terraform.closure import READS_FILES
from iam_preflight.terraform.configuration import JSON_SUFFIXES, NATIVE_SUFFIXES, Configuration
from iam_preflight.terraform.evaluation import evaluate
from iam_preflight.terraform.expressions import parse_expression
from iam_preflight.terraform.load import (
    TerraformOptions,
    load_root,
    load_unit,
    resources_under,
)
from iam_preflight.terraform.surroundings import is_library
from iam_preflight.terraform.syntax import parse_file
from iam_preflight.terraform.terragrunt import find_units

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from iam_preflight.discovery import Workspace
    from iam_preflight.resources import Resource
    from iam_preflight.source import SourceFile
    from iam_preflight.terraform.configuration import Module
    from iam_preflight.terraform.instances import ModuleInstance
    from iam_preflight.terraform.terragrunt import Unit
    from iam_preflight.values import Value

_REFERENCE = re.compile(r"(?<![\w.-])(?:(?:data|ephemeral)\.\w+\.[\w-]+|[A-Za-z]\w*\.[\w-]+)")
_UNUSUAL = re.compile(r"\b(?:var|local|module|data)\s*(?:\[|\s\.|\.\s)|\w\s+\.\s*\w")
"""References that are written so that `_REFERENCE` misses them."""
_READS_FILES = re.compile(rf"\b(?:{'|'.join(sorted(READS_FILES))})\s*\(")

_INDEX = re.compile(r'\[(?:[^\]"]|"(?:[^"\\]|\\.)*")*\]')

ANYTHING = "*"
"""Stands among references for everything; among names, for files that are no Terraform."""
FILES = "file()"
PROVIDER = "provider."
SETTINGS = "terraform."


class Files:
    """Parsed files, the latest version of each, which several roots may share."""

    def __init__(self) -> None:
        self._held: dict[str, tuple[SourceFile, tree.File, list[Problem]]] = {}

    def parse(
        self, source: SourceFile, read: Callable[[SourceFile, list[Problem]], tree.File]
    ) -> tree.File:
        held = self._held.get(source.path)
        if held is None or held[0] is not source:
            problems: list[Problem] = []
            held = self._held[source.path] = (source, read(source, problems), problems)
        return held[1]

    def problems(self, paths: Iterable[str]) -> Iterator[Problem]:
        """What is wrong with the text of files, as far as they were looked at."""
        for path in paths:
            if path in self._held:
                yield from self._held[path][2]


class Delta(Struct, frozen=True):
    """What a folder declares otherwise than before, by name."""

    changed: frozenset[str]
    """What is another object now: everything in a file that was edited."""
    different: frozenset[str]
    """What says something else; the rest of it has only moved."""


NO_CHANGE = Delta(frozenset(), frozenset())


class LiveConfiguration(Configuration):
    """Module folders that can be read again."""

    def __init__(self, workspace: Workspace, files: Files) -> None:
        super().__init__(workspace, parse_file)
        self.files = files

    def parse(self, source: SourceFile) -> tree.File:
        if not source.path.endswith(".json"):
            return self.files.parse(source, self.read)
        from iam_preflight.terraform.json_syntax import parse_json_file

        return self.files.parse(source, parse_json_file)

    @property
    def directories(self) -> tuple[str, ...]:
        """Every folder that was asked about."""
        return tuple(self._modules)

    def reload(self, directory: str) -> Delta | None:
        """Reads a folder again, into the same module; the names of what is not what it was.

        None where everything may be different: there was no module, or there is none now.
        """
        module = self._modules.get(directory)
        self.problems[:] = [
            problem
            for problem in self.problems
            if problem.kind is not ProblemKind.SYNTAX
            or (posixpath.dirname(problem.path) or ".") != (directory or ".")
        ]
        fresh = self._load(directory)
        if module is None or fresh is None or module.tfvars != fresh.tfvars:
            return None
        if is_library(module) is not is_library(fresh):
            return None
        before, after = dict(_things(module)), dict(_things(fresh))
        changed = {name for name, thing in before.items() if after.get(name) is not thing}
        changed |= after.keys() - before.keys()
        moved = {
            name
            for name in changed & before.keys() & after.keys()
            if before[name].span.text == after[name].span.text
        }
        if any(name.startswith((PROVIDER, SETTINGS)) for name in changed - moved):
            return None
        for name in module.__struct_fields__:
            if name not in ("directory", "constants", "closed", "types"):
                setattr(module, name, getattr(fresh, name))
        module.closed.clear()
        module.types.clear()
        return Delta(frozenset(changed), frozenset(changed - moved))

    def forget_file(self, path: str) -> None:
        self.templates.pop(path, None)
        self._values.pop(path, None)


Thing = tree.Block | tree.Attribute


def _things(module: Module) -> Iterator[tuple[str, Thing]]:
    """What a module declares, by the name that others refer to it with."""
    for name, block in module.variables.items():
        yield f"var.{name}", block
    for name, attribute in module.locals.items():
        yield f"local.{name}", attribute
    for (mode, kind, name), block in module.resources.items():
        yield (f"{kind}.{name}" if mode == "resource" else f"{mode}.{kind}.{name}"), block
    for name, block in module.calls.items():
        yield f"module.{name}", block
    for name, block in module.outputs.items():
        yield f"output.{name}", block
    for (name, place), block in module.providers.items():
        yield f"{PROVIDER}{name}.{place}", block
    for place, block in module.settings.items():
        yield f"{SETTINGS}{place}", block


def without_indexes(address: str) -> str:
    return _INDEX.sub("", address)


class References:
    """What the text of a thing refers to; each text is looked at once."""

    def __init__(self) -> None:
        self._held: dict[int, tuple[Thing, frozenset[str]]] = {}

    def of(self, thing: Thing) -> frozenset[str]:
        held = self._held.get(id(thing))
        if held is None:
            held = self._held[id(thing)] = (thing, _references(thing.span.text))
        return held[1]

    def closure(self, module: Module, changed: Iterable[str]) -> set[str]:
        """The given names and those of everything that depends on them."""
        things = {name: self.of(thing) for name, thing in _things(module)}
        reached = set(changed)
        if not reached:
            return reached
        users: dict[str, list[str]] = {}
        for name, references in things.items():
            for reference in references:
                users.setdefault(reference, []).append(name)
        stack = [*reached]
        for name in users.get(ANYTHING, ()):
            if name not in reached:
                reached.add(name)
                stack.append(name)
        while stack:
            for name in users.get(stack.pop(), ()):
                if name not in reached:
                    reached.add(name)
                    stack.append(name)
        return reached

    def keep(self, modules: Iterable[Module]) -> None:
        """Forgets texts that are no longer there."""
        live = {id(thing) for module in modules for _, thing in _things(module)}
        for key in self._held.keys() - live:
            del self._held[key]


def _references(text: str) -> frozenset[str]:
    found = set(_REFERENCE.findall(text))
    if _UNUSUAL.search(text):
        found.add(ANYTHING)
    if _READS_FILES.search(text):
        found.add(FILES)
    return frozenset(found)


class _Loaded(Struct):
    """The module instances of a root, or of the Terragrunt units that stand for it."""

    configuration: LiveConfiguration
    tops: list[ModuleInstance]


class LiveRoot:
    """One root module. `resources` gives what `load_terraform` would give for it."""

    def __init__(
        self,
        workspace: Workspace,
        directory: str,
        options: TerraformOptions,
        files: Files,
        units: tuple[str, ...] = (),
    ) -> None:
        self.workspace = workspace
        self.directory = directory
        self.options = options
        self.files = files
        self.units = units
        """The `terragrunt.hcl` files that run the module; none: it is a root by itself."""
        self.references = References()
        self._loaded: _Loaded | None = None
        self._different: set[str] | None = None

    @property
    def directories(self) -> tuple[str, ...]:
        """The module folders that it is made of."""
        return self._loaded.configuration.directories if self._loaded is not None else ()

    @property
    def problems(self) -> list[Problem]:
        """What is wrong with it; not with modules that it used to call."""
        workspace = self.workspace
        texts = self.files.problems(source.path for source in workspace.sources)
        used = self._used()
        return [
            problem
            for problem in (*workspace.problems, *texts)
            if not problem.path.endswith((*NATIVE_SUFFIXES, *JSON_SUFFIXES))
            or (posixpath.dirname(problem.path) or ".") in used
        ]

    def _used(self) -> set[str]:
        """The module folders that are called now."""
        tops = self._loaded.tops if self._loaded is not None else []
        return {self.directory, *(each.module.directory for top in tops for each in top.walk())}

    def change(self, paths: set[str]) -> None:
        """Forgets what depends on files that have changed, appeared or gone."""
        if self._loaded is None or not paths:
            return
        if self.units or any(not self._is_local(path) for path in paths):
            self._reset()
            return
        configuration = self._loaded.configuration
        changed: dict[str, Delta] = {}
        has_other_files = False
        for path in sorted(paths):
            configuration.forget_file(path)
            if not path.endswith((*NATIVE_SUFFIXES, *JSON_SUFFIXES)):
                has_other_files = True
                continue
            directory = posixpath.dirname(path) or "."
            if directory in configuration.directories and directory not in changed:
                delta = configuration.reload(directory)
                if delta is None:
                    self._reset()
                    return
                changed[directory] = delta
        self._drop_problems(lambda place: place.path in paths)
        extra = (FILES,) if has_other_files else ()
        for top in self._loaded.tops:
            top.budget.refill()
            self._forget(top, changed, extra)
        modules = (configuration.module(directory) for directory in configuration.directories)
        self.references.keep(module for module in modules if module is not None)

    def _is_local(self, path: str) -> bool:
        """Whether a file can only matter to those who refer to what it declares."""
        name = posixpath.basename(path)
        return not name.endswith((".tfvars", ".tfvars.json", ".hcl", "modules.json"))

    def _reset(self) -> None:
        self._loaded = None
        self._different = None
        self.workspace.problems.clear()

    def _drop_problems(self, is_gone: Callable[[Span], bool]) -> None:
        problems = self.workspace.problems
        problems[:] = [one for one in problems if one.span is None or not is_gone(one.span)]

    def _forget(
        self,
        instance: ModuleInstance,
        changed: Mapping[str, Delta],
        extra: tuple[str, ...],
    ) -> tuple[bool, bool]:
        """Forgets in a module instance and those below it.

        Gives whether there was anything, and whether any of it may have another value now.
        """
        module = instance.module
        below: set[str] = set()
        below_different: set[str] = set()
        for name, child in instance.made_calls():
            is_changed, is_different = self._forget(child, changed, extra)
            below.update([f"module.{name}"] if is_changed else ())
            below_different.update([f"module.{name}"] if is_different else ())
        own = changed.get(module.directory, NO_CHANGE)
        names = self.references.closure(module, {*own.changed, *below, *extra}) - {FILES}
        if not names:
            return False, False
        different = self.references.closure(module, {*own.different, *below_different, *extra})
        things = dict(_things(module))
        calls = {
            name
            for name, block in module.calls.items()
            if f"module.{name}" in own.changed or self.references.of(block) & {*names, ANYTHING}
        }
        if any(name.startswith(PROVIDER) for name in names):
            # everything carries the provider that it is deployed with
            names |= {name for name in things if not name.startswith(("var.", "local."))}
            calls = set(module.calls)
            if any(name.startswith(PROVIDER) for name in different):
                different |= names
            instance.renew_providers()
        gone = [things[name].span for name in names if name in things]
        self._drop_problems(lambda place: any(span.contains(place) for span in gone))
        instance.forget(names, calls)
        kept = below_different - {f"module.{name}" for name in calls}
        self._note_different(instance, different - kept)
        return True, bool(different - {FILES})

    def _note_different(self, instance: ModuleInstance, names: set[str]) -> None:
        if self._different is not None:
            prefix = f"{without_indexes(instance.address)}." if instance.address else ""
            self._different.update(f"{prefix}{name}" for name in names)

    def take_different(self) -> frozenset[str] | None:
        """What may have another value than when this was last asked: addresses without indexes.

        A module call stands for everything in it. None: anything may.
        """
        found = self._different
        self._different = set()
        return frozenset(found) if found is not None else None

    def resources(self, is_wanted: Callable[[str], bool]) -> Iterator[Resource]:
        """Every resource of the wanted types, evaluated as far as it was not before."""
        if self._loaded is None:
            self._loaded = self._load()
        for top in self._loaded.tops:
            yield from resources_under(top, is_wanted)

    def _load(self) -> _Loaded:
        configuration = LiveConfiguration(self.workspace, self.files)
        if configuration.module(self.directory) is None:
            return _Loaded(configuration, [])
        if self.units:
            units: Iterator[Unit] = find_units(configuration, self.units)
            tops = [load_unit(configuration, unit, self.options) for unit in units]
        else:
            tops = [load_root(configuration, self.directory, self.options)]
        return _Loaded(configuration, tops)

    # ---- questions

    def evaluate(self, place: Span) -> Iterator[Value]:
        """What an expression that is written at a place is, in each instance of its module."""
        if self._loaded is None:
            return
        directory = posixpath.dirname(place.path) or "."
        complaints = tree.Complaints([])

        def where(start: int, end: int) -> Span:
            return Span(place.source, place.start + start, place.start + end)

        data = place.source.data[place.start : place.end]
        expression = parse_expression(data, place, where, complaints)
        for top in self._loaded.tops:
            for instance in top.walk():
                if instance.module.directory == directory:
                    yield evaluate(expression, instance.scope)
