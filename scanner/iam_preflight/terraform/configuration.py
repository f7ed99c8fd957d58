"""Terraform configuration on disk: the blocks of each module folder, read once.

https://developer.hashicorp.com/terraform/language/files
"""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, Any, TypeAlias

from msgspec import Struct, field

from iam_preflight.errors import Problem, ProblemKind
from iam_preflight.faults import KeptTo
from iam_preflight.late_patterns import late
from iam_preflight.terraform import tree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from iam_preflight.discovery import Workspace
    from iam_preflight.source import SourceFile
    from iam_preflight.terraform.types import Type
    from iam_preflight.values import Value

NATIVE_SUFFIXES = (".tf", ".tofu")
JSON_SUFFIXES = (".tf.json", ".tofu.json")
SUFFIXES = (*NATIVE_SUFFIXES, *JSON_SUFFIXES)
TFVARS_NAMES = ("terraform.tfvars", "terraform.tfvars.json")
TFVARS_SUFFIXES = (".auto.tfvars", ".auto.tfvars.json")
LABELS = {"resource": 2, "data": 2, "ephemeral": 2, "variable": 1, "output": 1, "module": 1}

Reader: TypeAlias = "Callable[[SourceFile, list[Problem]], tree.File]"


class Module(Struct):
    """The blocks of one folder, by what they declare."""

    directory: str
    variables: dict[str, tree.Block] = field(default_factory=dict)
    locals: dict[str, tree.Attribute] = field(default_factory=dict)
    outputs: dict[str, tree.Block] = field(default_factory=dict)
    resources: dict[tuple[str, str, str], tree.Block] = field(default_factory=dict)
    """By (`resource`, `data` or `ephemeral`; type; name)."""
    again: list[tuple[tuple[str, str, str], tree.Block]] = field(default_factory=list)
    """Resources whose name is taken: nothing refers to them, but what they say is judged."""
    calls: dict[str, tree.Block] = field(default_factory=dict)
    providers: dict[tuple[str, int], tree.Block] = field(default_factory=dict)
    """By local name and place in order: several differ by their `alias`."""
    settings: dict[int, tree.Block] = field(default_factory=dict)
    """The `terraform` blocks, by their place in order."""
    tfvars: list[str] = field(default_factory=list)
    """Paths of the variable files that Terraform reads by itself, in its order."""
    constants: dict[str, Value] = field(default_factory=dict)
    """Locals that depend on nothing outside the module: worked out once for all instances."""
    closed: dict[str, bool] = field(default_factory=dict)
    """Which locals those are, as far as somebody asked."""
    types: dict[str, Type] = field(default_factory=dict)
    """The types of variables, as far as somebody asked."""


class Configuration:
    """Every module folder of a workspace."""

    def __init__(self, workspace: Workspace, read: Reader) -> None:
        self.workspace = workspace
        self.problems = workspace.problems
        self.read = read
        self.templates: dict[str, tree.Template] = {}
        self.decoded: dict[tuple[SourceFile, str], Value] = {}
        self._modules: dict[str, Module | None] = {}
        self._values: dict[str, tree.File | None] = {}
        self._installed: dict[str, dict[str, str]] = {}

    def aside(self) -> Configuration:
        """The same, for a question whose problems are nobody's: it tells of none."""
        import copy

        other = copy.copy(self)
        vars(other).update(problems=[], _modules={**self._modules})
        return other

    def module(self, directory: str) -> Module | None:
        """The module in a folder; None when there is no Terraform in it."""
        if directory not in self._modules:
            self._modules[directory] = self._load(directory)
        return self._modules[directory]

    def note(self, kind: ProblemKind, message: str, block: tree.Block) -> None:
        self.problems.append(Problem(kind, message, block.header.path, block.header))

    def parse(self, source: SourceFile) -> tree.File:
        """One file, native or JSON. What is wrong in it joins the problems, now or later."""
        if source.path.endswith(".json"):
            from iam_preflight.terraform.json_syntax import parse_json_file

            return parse_json_file(source, self.problems)
        return self.read(source, self.problems)

    def _load(self, directory: str) -> Module | None:
        module = Module(directory)
        overrides: list[tree.Block] = []
        found = False
        paths = _paths_in(self.workspace, directory)
        for source in _sources_of(self.workspace, paths):
            found = True
            file = None
            with KeptTo(source.path, self.problems):
                file = self.parse(source)
            if file is None:
                continue
            if _is_override(posixpath.basename(source.path)):
                overrides.extend(file.blocks)
                continue
            for block in file.blocks:
                self._declare(module, block)
        for block in overrides:
            _override(module, block)
        if not found:
            return None
        module.tfvars.extend(sorted(filter(_is_tfvars, paths), key=_tfvars_order))
        return module

    def _declare(self, module: Module, block: tree.Block) -> None:
        for place, key, target in _places(module, block):
            earlier = target.get(key)
            if earlier is None:
                target[key] = place
            elif isinstance(earlier, tree.Block | tree.Attribute):
                what = " ".join((block.type, *block.labels))
                if isinstance(place, tree.Attribute):
                    what = f"local.{place.name}"
                span = place.header if isinstance(place, tree.Block) else place.name_span
                where = earlier.span.first.line
                message = f"{what} is declared twice (first in {earlier.span.path}:{where})"
                self.problems.append(Problem(ProblemKind.SYNTAX, message, span.path, span))
                if target is module.resources and isinstance(place, tree.Block):
                    module.again.append(((place.type, place.labels[0], place.labels[1]), place))

    # ---- where modules are

    def target(self, directory: str, call: tree.Block) -> str | None:
        """The folder that a module call with a local source names; None for any other source."""
        source = source_of(call)
        return None if source is None else local_target(self.workspace, directory, source)

    def installed(self, root: str, key: str) -> str | None:
        """The folder where `terraform init` put a module, by its path of call names.

        Paths that leave the tree are refused.
        """
        if root not in self._installed:
            self._installed[root] = dict(self._manifest(root))
        return self._installed[root].get(key)

    def _manifest(self, root: str) -> Iterator[tuple[str, str]]:
        import json

        path = posixpath.normpath(posixpath.join(root or ".", ".terraform/modules/modules.json"))
        if not self.workspace.tree.is_file(path):
            return
        source = self.workspace.source(path)
        if source is None:
            return
        try:
            entries = json.loads(source.data)["Modules"]
        except (ValueError, TypeError, KeyError, RecursionError):
            message = "the list of installed modules is not readable"
            self.problems.append(Problem(ProblemKind.UNREADABLE, message, path))
            return
        for entry in entries if isinstance(entries, list) else ():
            if not isinstance(entry, dict):
                continue
            key, directory = entry.get("Key"), entry.get("Dir")
            if not isinstance(key, str) or not isinstance(directory, str) or not key:
                continue
            inside = self.workspace.beside(root or ".", directory.replace("\\", "/"))
            if inside is None:
                message = f'the installed module "{key}" lies outside of the scanned folder'
                self.problems.append(Problem(ProblemKind.UNRESOLVED_MODULE, message, path))
                continue
            yield key, inside

    def locate(
        self, root: str, directory: str, address: str, source: str, module_map: Mapping[str, str]
    ) -> str | None:
        """The folder of a called module: given by the user, local, or installed."""
        given = _mapped(source, module_map)
        if given is not None:
            return self.workspace.beside(".", given)
        if is_local(source):
            return self.workspace.beside(directory, source)
        key = ".".join(_CALL_INDEX.sub("", address).split("module.")).replace("..", ".").strip(".")
        return self.installed(root, key)

    # ---- values

    def values_file(self, path: str) -> tree.File | None:
        """A variable file, parsed once; None when it cannot be read."""
        if path not in self._values:
            source = self.workspace.source(path)
            file: tree.File | None = None
            if source is not None:
                if path.endswith(".json"):
                    from iam_preflight.terraform.json_syntax import parse_json_values

                    file = parse_json_values(source, self.problems)
                else:
                    file = self.read(source, self.problems)
            self._values[path] = file
        return self._values[path]


_CALL_INDEX = late(r'\[(?:\d+|\*|"(?:[^"\\]|\\.)*")\]')


def is_local(source: str) -> bool:
    return source.startswith(("./", "../")) or source in (".", "..")


def local_target(workspace: Workspace, directory: str, source: str) -> str | None:
    """The folder that a local source names in a folder; None for any other source."""
    return workspace.beside(directory, source) if is_local(source) else None


def sources_in(workspace: Workspace, directory: str) -> Iterator[SourceFile]:
    """The files that a module consists of, as far as they can be read."""
    return _sources_of(workspace, _paths_in(workspace, directory))


def _sources_of(workspace: Workspace, paths: Iterable[str]) -> Iterator[SourceFile]:
    for path in paths:
        source = workspace.source(path) if path.endswith(SUFFIXES) else None
        if source is not None:
            yield source


def _paths_in(workspace: Workspace, directory: str) -> list[str]:
    head = "" if directory in ("", ".") else f"{directory}/"
    return [head + name for name in _chosen(workspace.tree.names(directory))]


def _mapped(source: str, module_map: Mapping[str, str]) -> str | None:
    """The folder given for a source, with or without its getter prefix and version."""
    if not module_map:
        return None
    package, slashes, inner = _split_inner(source)
    bare = package.removeprefix("git::").partition("?")[0]
    for candidate in (source, source.partition("?")[0]):
        if candidate in module_map:
            return module_map[candidate]
    for candidate in (package, bare):
        if candidate in module_map:
            return (
                posixpath.join(module_map[candidate], inner) if slashes else module_map[candidate]
            )
    return None


def _split_inner(source: str) -> tuple[str, str, str]:
    """`git::https://host/repo//modules/x?ref=1` → package, `//`, folder inside it."""
    scheme = source.find("://")
    at = source.find("//", scheme + 3 if scheme >= 0 else 0)
    if at < 0:
        return source, "", ""
    return source[:at], "//", source[at + 2 :].partition("?")[0]


def source_of(call: tree.Block) -> str | None:
    """A module call's source where it is a plain string."""
    attribute = call.body.attributes.get("source")
    if attribute is None or not isinstance(attribute.expression, tree.Literal):
        return None
    value = attribute.expression.value
    return value if isinstance(value, str) else None


def _chosen(names: Iterable[str]) -> list[str]:
    """The files that are read: no hidden ones, no backups, and x.tofu instead of x.tf."""
    kept = [name for name in names if not name.startswith((".", "#")) and not name.endswith("~")]
    present = set(kept)
    return [
        name
        for name in kept
        if not (name.endswith(".tf") and f"{name[:-3]}.tofu" in present)
        and not (name.endswith(".tf.json") and f"{name[:-8]}.tofu.json" in present)
    ]


def _is_override(name: str) -> bool:
    stem = name.removesuffix(".json")
    stem = stem.removesuffix(".tf").removesuffix(".tofu")
    return stem == "override" or stem.endswith("_override")


def _is_tfvars(path: str) -> bool:
    """Whether Terraform reads a file of variables by itself."""
    return path.endswith(TFVARS_SUFFIXES) or posixpath.basename(path) in TFVARS_NAMES


def _tfvars_order(path: str) -> tuple[int, str]:
    name = posixpath.basename(path)
    return (TFVARS_NAMES.index(name) if name in TFVARS_NAMES else len(TFVARS_NAMES), name)


def _places(
    module: Module, block: tree.Block
) -> Iterator[tuple[tree.Block | tree.Attribute, object, dict[Any, Any]]]:
    """What a top-level block declares, under which key, and in which of the module's tables."""
    labels = block.labels
    tables: dict[str, dict[Any, Any]] = {
        "variable": module.variables,
        "output": module.outputs,
        "module": module.calls,
    }
    if block.type == "locals":
        for name, attribute in block.body.attributes.items():
            yield attribute, name, module.locals
    elif block.type in ("resource", "data", "ephemeral") and len(labels) >= 2:
        yield block, (block.type, labels[0], labels[1]), module.resources
    elif block.type == "provider" and labels:
        yield block, (labels[0], len(module.providers)), module.providers
    elif block.type == "terraform":
        yield block, len(module.settings), module.settings
    elif block.type in tables and labels:
        yield block, labels[0], tables[block.type]


def _override(module: Module, block: tree.Block) -> None:
    """Merges a block of an override file into what it overrides.

    https://developer.hashicorp.com/terraform/language/files/override
    """
    for place, key, target in _places(module, block):
        if block.type == "provider":
            key = _same_provider(module, block) or key
        earlier = target.get(key)
        if isinstance(place, tree.Block) and isinstance(earlier, tree.Block):
            target[key] = _merged(earlier, place)
        else:
            target[key] = place


def _same_provider(module: Module, block: tree.Block) -> tuple[str, int] | None:
    for key, existing in module.providers.items():
        if key[0] == block.labels[0] and alias_of(existing) == alias_of(block):
            return key
    return None


def alias_of(provider: tree.Block) -> str:
    attribute = provider.body.attributes.get("alias")
    return attribute.expression.span.text.strip().strip('"') if attribute is not None else ""


def _merged(base: tree.Block, over: tree.Block) -> tree.Block:
    """Arguments replace arguments; blocks of a type replace all blocks of that type."""
    replaced = {nested_name(block) for block in over.body.blocks}
    attributes = {**base.body.attributes, **over.body.attributes}
    for name in replaced:
        attributes.pop(name, None)
    kept = [
        block
        for block in base.body.blocks
        if nested_name(block) not in replaced and block.type not in over.body.attributes
    ]
    body = tree.Body(attributes, (*kept, *over.body.blocks), base.body.span)
    return tree.Block(base.type, base.labels, base.span, base.header, body)


def nested_name(block: tree.Block) -> str:
    """The name of the attribute that a nested block is: a dynamic block's label."""
    return block.labels[0] if block.type == "dynamic" and block.labels else block.type
