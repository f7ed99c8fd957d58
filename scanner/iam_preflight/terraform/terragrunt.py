"""Terragrunt units: a module of this tree, called with the inputs of a terragrunt.hcl.

Only what is static is followed: local sources, `inputs`, `locals`, included parents. What
another unit puts out, or the environment says, is a hole.
https://terragrunt.gruntwork.io/docs/reference/config-blocks-and-attributes/
"""

from __future__ import annotations

import functools
import posixpath
from typing import TYPE_CHECKING

from msgspec import Struct

from iam_preflight.errors import Problem, ProblemKind
from iam_preflight.terraform.configuration import is_local
from iam_preflight.terraform.evaluation import evaluate
from iam_preflight.terraform.functions.arguments import Invocation, NotKnown
from iam_preflight.terraform.scope import Budget, Scope, Step
from iam_preflight.values import (
    CycleError,
    LazyEntries,
    Mapping,
    Reason,
    Unknown,
    Value,
    text_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from iam_preflight.source import SourceFile, Span
    from iam_preflight.terraform import tree
    from iam_preflight.terraform.configuration import Configuration
    from iam_preflight.terraform.functions.arguments import Function
    from iam_preflight.terraform.inputs import Inputs

FILE_NAME = "terragrunt.hcl"
PARENT_NAMES = ("terragrunt.hcl", "root.hcl")
MAX_PARENTS = 8
"""Terragrunt itself follows one level of includes."""
MAX_FILES = 100
"""Files that one unit includes and reads, each counted every time."""


class Unit(Struct, frozen=True):
    """A terragrunt.hcl that runs a module of this tree."""

    directory: str
    """Where the terragrunt.hcl is."""
    module: str
    """The folder of the module that it runs."""
    inputs: Inputs


def find_units(configuration: Configuration, files: Iterable[str]) -> Iterator[Unit]:
    """The units among the files; one whose module is not here is a problem."""
    for path in files:
        if posixpath.basename(path) != FILE_NAME:
            continue
        if configuration.values_file(path) is None:
            continue
        unit = _Terragrunt(configuration, path)
        directory = unit.module_directory()
        if directory is not None:
            yield Unit(unit.directory, directory, unit.inputs())


class _Terragrunt:
    """One terragrunt.hcl: a frame for its expressions."""

    def __init__(
        self, configuration: Configuration, path: str, asking: _Terragrunt | None = None
    ) -> None:
        self.configuration = configuration
        self.problems = configuration.problems
        self.budget = Budget(200_000)
        self.path = path
        self.directory = posixpath.dirname(path) or "."
        self.depth: int = asking.depth + 1 if asking is not None else 0
        self.child: _Terragrunt | None = None
        """What includes it."""
        self.read: list[str] = asking.read if asking is not None else []
        """What the unit, and whatever it reads, has included or read so far."""
        self.scope = Scope(self, {})
        file = configuration.values_file(path)
        assert file is not None
        self.blocks = file.blocks
        self.attributes = file.attributes
        names: dict[str, Callable[[], Value]] = {
            name: functools.partial(evaluate, attribute.expression, self.scope)
            for block in self.blocks_of("locals")
            for name, attribute in block.body.attributes.items()
        }
        self.locals = Mapping(LazyEntries(names), self._span())

    def blocks_of(self, block_type: str) -> Iterator[tree.Block]:
        return (block for block in self.blocks if block.type == block_type)

    def _span(self) -> Span:
        source = self.configuration.workspace.source(self.path)
        assert source is not None
        return source.whole()

    # ---- what it says

    @functools.cached_property
    def parents(self) -> dict[str, _Terragrunt]:
        """The files that it includes, by the label of the block."""
        found: dict[str, _Terragrunt] = {}
        for block in self.blocks_of("include"):
            attribute = block.body.attributes.get("path")
            path = text_of(evaluate(attribute.expression, self.scope)) if attribute else None
            inside = self._inside(path) if path is not None else None
            if inside is None or not self.configuration.workspace.tree.is_file(inside):
                continue
            if self.configuration.values_file(inside) is None:
                continue
            parent = self.other(inside, block.header)
            if parent is None:
                break
            parent.child = self
            found[block.labels[0] if block.labels else ""] = parent
        return found

    def other(self, path: str, place: Span) -> _Terragrunt | None:
        """A file that this one includes or reads; None, with a problem noted, past the bounds."""
        if self.depth >= MAX_PARENTS or len(self.read) >= MAX_FILES:
            message = "this unit includes and reads more files than are followed"
            self.problems.append(Problem(ProblemKind.LIMIT, message, place.path, place))
            return None
        self.read.append(path)
        return _Terragrunt(self.configuration, path, self)

    def module_directory(self) -> str | None:
        """The folder of the module: a local source, else where the file itself is."""
        for unit in (self, *self.parents.values()):
            for block in unit.blocks_of("terraform"):
                attribute = block.body.attributes.get("source")
                if attribute is None:
                    continue
                source = text_of(evaluate(attribute.expression, unit.scope))
                return unit.located(source, block)
        return self.directory if self.configuration.module(self.directory) is not None else None

    def located(self, source: str | None, block: tree.Block) -> str | None:
        path = source.replace("//", "/") if source is not None else None
        if path is None or not is_local(path):
            shown = source if source is not None else "not known"
            message = f"the module of this unit ({shown}) is not in the scanned tree"
            self.configuration.note(ProblemKind.UNRESOLVED_MODULE, message, block)
            return None
        inside = self._inside(path)
        if inside is None or self.configuration.module(inside) is None:
            message = f"the module of this unit ({source}) is not here"
            self.configuration.note(ProblemKind.UNRESOLVED_MODULE, message, block)
            return None
        return inside

    def inputs(self) -> Inputs:
        """Its own inputs over those of the files it includes."""
        merged: Inputs = {}
        for parent in self.parents.values():
            merged.update(parent.inputs())
        attribute = self.attributes.get("inputs")
        if attribute is None:
            return merged
        value = evaluate(attribute.expression, self.scope)
        if isinstance(value, Mapping):
            for name in value.entries:
                merged[name] = functools.partial(_input, value, name)
        return merged

    # ---- the frame

    def resolve(self, root: str, steps: list[Step], _scope: Scope) -> tuple[Value, int] | None:
        name = steps[0].key if steps and isinstance(steps[0].key, str) else None
        if name is None:
            return None
        span = steps[0].span
        match root:
            case "local":
                return self._local(name, span), 1
            case "include":
                parent = self.parents.get(name)
                if parent is None:
                    return Unknown(Reason.MISSING, f"include.{name}", span), 1
                return parent.exposed(), 1
            case "dependency":
                return Unknown(Reason.REMOTE, f"dependency.{name}", span), 1
            case _:
                return None

    def _local(self, name: str, span: Span) -> Value:
        if name not in self.locals.entries:
            return Unknown(Reason.MISSING, f"local.{name}", span)
        try:
            return self.locals.entries[name]
        except CycleError:
            return Unknown(Reason.CYCLE, f"local.{name}", span)

    def exposed(self) -> Mapping:
        """What another file sees of this one."""
        entries: dict[str, Callable[[], Value]] = {"locals": lambda: self.locals}
        if "inputs" in self.attributes:
            expression = self.attributes["inputs"].expression
            entries["inputs"] = lambda: evaluate(expression, self.scope)
        return Mapping(LazyEntries(entries), self._span())

    def function(self, name: str) -> Function | None:
        return _FUNCTIONS.get(name)

    def _inside(self, path: str) -> str | None:
        return self.configuration.workspace.beside(self.directory, path)

    def read_file(self, path: str) -> SourceFile | None:
        inside = self._inside(path)
        workspace = self.configuration.workspace
        if inside is None or not workspace.tree.is_file(inside):
            return None
        return workspace.source(inside)

    def has_file(self, path: str) -> bool | None:
        inside = self._inside(path)
        return None if inside is None else self.configuration.workspace.tree.is_file(inside)

    def files_below(self, directory: str) -> Iterator[str] | None:
        inside = self._inside(directory)
        if inside is None:
            return None
        return iter(self.configuration.workspace.tree.files(inside))

    def template_of(self, _source: SourceFile, parse: Callable[[], tree.Template]) -> tree.Template:
        return parse()

    def decoded(self, _source: SourceFile, _text: str, decode: Callable[[], Value]) -> Value:
        return decode()

    def planned_keys(self, _address: str) -> list[str | int] | None:
        return None

    def keep_secret(self, value: Value) -> Value:
        return self.configuration.workspace.secrets.keep(value)

    def limit(self, label: str, span: Span) -> Unknown:
        return Unknown(Reason.LIMIT, label, span)


def _input(value: Mapping, name: str, _scope: Scope) -> Value:
    return value.entries[name]


# ---------------------------------------------------------------- functions


def _unit(call: Invocation) -> _Terragrunt:
    frame = call.scope.frame
    assert isinstance(frame, _Terragrunt)
    return frame


def _find_in_parent_folders(call: Invocation, arguments: tuple[Value, ...]) -> Value:
    unit = _unit(call)
    names = (call.text(arguments[0]),) if arguments else PARENT_NAMES
    directory, up = unit.directory, ""
    while directory not in (".", ""):
        directory = posixpath.dirname(directory) or "."
        up += "../"
        for name in names:
            if unit.configuration.workspace.tree.is_file(posixpath.join(directory, name)):
                return call.known(up + name)
    if len(arguments) > 1:
        return arguments[1]
    raise NotKnown(Reason.MISSING)


def _here(call: Invocation, _arguments: tuple[Value, ...]) -> Value:
    return call.known(".")


def _relative_to_include(call: Invocation, _arguments: tuple[Value, ...]) -> Value:
    """`envs/prod/app` as seen from the folder of the file that is being included."""
    unit = _unit(call)
    child = unit.child if unit.child is not None else unit
    parent = unit if unit.child is not None else next(iter(unit.parents.values()), unit)
    return call.known(posixpath.relpath(child.directory, parent.directory))


def _read_config(call: Invocation, arguments: tuple[Value, ...]) -> Value:
    unit = _unit(call)
    path = call.text(arguments[0])
    inside = unit.configuration.workspace.beside(unit.directory, path)
    if inside is None:
        raise NotKnown(Reason.MISSING)
    if not unit.configuration.workspace.tree.is_file(inside):
        if len(arguments) > 1:
            return arguments[1]
        raise NotKnown(Reason.MISSING)
    read = unit.other(inside, call.span) if unit.configuration.values_file(inside) else None
    if read is None:
        raise NotKnown(Reason.MISSING)
    return read.exposed()


def _account(call: Invocation, _arguments: tuple[Value, ...]) -> Value:
    return Unknown(Reason.ACCOUNT, "account", call.span)


_FUNCTIONS: dict[str, Function] = {
    "find_in_parent_folders": _find_in_parent_folders,
    "get_aws_account_id": _account,
    "get_original_terragrunt_dir": _here,
    "get_terragrunt_dir": _here,
    "path_relative_to_include": _relative_to_include,
    "read_terragrunt_config": _read_config,
}
