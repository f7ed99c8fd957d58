"""The Terraform front end's one entry: files in, resources out, problems noted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from msgspec import Struct, field

from iam_preflight.faults import KeptTo
from iam_preflight.resources import Deployment, Framework
from iam_preflight.terraform.configuration import Configuration
from iam_preflight.terraform.inputs import Assignments, collect
from iam_preflight.terraform.instances import ModuleInstance, Root
from iam_preflight.terraform.roots import find_roots, possible_calls, sure_roots
from iam_preflight.terraform.scope import Budget
from iam_preflight.terraform.surroundings import is_library, surroundings_of
from iam_preflight.terraform.switched_off import Switches
from iam_preflight.terraform.syntax import parse_file
from iam_preflight.terraform.terragrunt import Unit, find_units
from iam_preflight.timing import TIMEOUT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from iam_preflight.discovery import Workspace
    from iam_preflight.errors import Problem
    from iam_preflight.resources import Resource
    from iam_preflight.source import SourceFile
    from iam_preflight.terraform.configuration import Reader
    from iam_preflight.terraform.plan_join import Join
    from iam_preflight.terraform.read_ahead import ReadAhead
    from iam_preflight.terraform.tree import File


HclReader: TypeAlias = Literal["tree-sitter", "python-hcl2"]


class TerraformOptions(Struct, frozen=True):
    """What the user gives beside the files."""

    variables: tuple[str, ...] = ()
    """`NAME=VALUE`, as after `-var`."""
    variable_files: tuple[str, ...] = ()
    """Paths from the top of the tree; they come before `variables`."""
    workspace: str = ""
    module_map: Mapping[str, str] = field(default_factory=dict)
    """Directories (from the top of the tree) of modules by their `source`."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """For `TF_VAR_…` and `TF_WORKSPACE`."""
    assignments: tuple[tuple[str, str], ...] = ()
    """`("var", "NAME=VALUE")` and `("file", path)` in the order of the command line, where that
    is known; they come after the two above."""
    plans: tuple[str, ...] = ()
    """Plans (paths from the top of the tree), each joined with the root it was made of."""
    timeout: float = TIMEOUT
    """Seconds that the evaluation of one root may take."""
    reader: HclReader = "tree-sitter"
    """What reads HCL files. Templates in other text are always read with tree-sitter."""
    ahead: ReadAhead | None = None
    """Another process that parses them, where there is one."""
    progress: Callable[[str], None] = lambda _stage: None
    """Told what is being done."""


def load_terraform(
    workspace: Workspace,
    files: Sequence[str],
    options: TerraformOptions,
    is_wanted: Callable[[str], bool],
) -> Iterator[Resource]:
    """Every resource of the wanted types in every root among the files, root by root."""
    read = _reader(options.ahead, is_wanted)
    if options.reader == "python-hcl2":
        from iam_preflight.terraform import python_hcl2_reader

        read = python_hcl2_reader.parse_file
    configuration = Configuration(workspace, read)
    units = list(find_units(configuration, files))
    called = {unit.module for unit in units}
    joins: dict[str, Join] = {}

    switches = Switches(is_wanted)

    def evaluated(directory: str, unit: Unit | None = None) -> _Evaluated:
        found = _Evaluated()
        with KeptTo(directory, workspace.problems):
            if unit is not None:
                root = load_unit(configuration, unit, options)
            else:
                root = load_root(configuration, directory, options, joins.get(directory))
            found.take(root, is_wanted)
        return found

    def given_out(directory: str, found: _Evaluated) -> Iterator[Resource]:
        yield from found.resources
        if found.root is not None:
            with KeptTo(directory, workspace.problems):
                switches.look_at(found.root)

    early: dict[str, _Evaluated] = {}
    if not options.plans:  # which root a plan was made of is only known when all are
        sure = sure_roots(possible_calls(workspace, files), called)
        for number, directory in enumerate(sure, 1):
            options.progress(f"reading: {number} of {len(sure)} root modules")
            early[directory] = evaluated(directory)
    roots = find_roots(configuration, files, called)
    if options.plans:
        from iam_preflight.terraform.planned import read_plans

        yield from read_plans(workspace, configuration, roots, options.plans, is_wanted, joins)
    for directory in sorted({*roots, *joins}):
        found = early.pop(directory) if directory in early else evaluated(directory)
        yield from given_out(directory, found)
    for unit in units:
        yield from given_out(unit.directory, evaluated(unit.directory, unit))
    workspace.switched_off.extend(switches.off)


class _Evaluated(Struct):
    """What came out of a root module."""

    resources: list[Resource] = field(default_factory=list)
    root: ModuleInstance | None = None
    """Where the evaluation got to its end."""

    def take(self, root: ModuleInstance, is_wanted: Callable[[str], bool]) -> None:
        for resource in resources_under(root, is_wanted):
            self.resources.append(resource)  # those before a crash are kept
        self.root = root


def _reader(ahead: ReadAhead | None, is_wanted: Callable[[str], bool]) -> Reader:
    def read(source: SourceFile, problems: list[Problem]) -> File:
        file = ahead.file(source, problems) if ahead is not None else None
        return file if file is not None else parse_file(source, problems, is_wanted)

    return read


def resources_under(root: ModuleInstance, is_wanted: Callable[[str], bool]) -> Iterator[Resource]:
    """The resources of a root module instance and of all that it calls."""
    seen: set[str] = set()
    for instance in root.walk():
        for resource in instance.resources(is_wanted):
            seen.add(resource.address)
            yield resource
        yield from surroundings_of(instance, is_wanted)
    if root.root.join is not None:
        from iam_preflight.terraform.planned import only_planned

        yield from only_planned(root.root.join, root.root.deployment, seen, is_wanted)


def load_root(
    configuration: Configuration,
    directory: str,
    options: TerraformOptions,
    join: Join | None = None,
) -> ModuleInstance:
    """The root module instance of a folder, with the values that its variables are given."""
    module = configuration.module(directory)
    assert module is not None
    assignments = Assignments(
        (
            *(("file", path) for path in options.variable_files),
            *(("var", text) for text in options.variables),
            *options.assignments,
        ),
        options.environment,
    )
    inputs, hints = collect(configuration, module, assignments)
    chosen = options.workspace or options.environment.get("TF_WORKSPACE", "")
    is_for_others = is_library(module) and not inputs
    framework = Framework.TERRAFORM if join is None else Framework.PLAN
    if join is not None:
        from iam_preflight.terraform.plan_join import planned_inputs

        inputs = planned_inputs(join, module, inputs)
    deployment = Deployment(directory, framework, chosen, hints, is_for_others)
    budget = Budget(seconds=options.timeout)
    root = Root(configuration, deployment, directory, budget, dict(options.module_map), set(), join)
    return ModuleInstance(root, module, inputs=inputs)


def load_unit(
    configuration: Configuration, unit: Unit, options: TerraformOptions
) -> ModuleInstance:
    """The root module instance of a Terragrunt unit."""
    module = configuration.module(unit.module)
    assert module is not None
    inputs, hints = collect(configuration, module, Assignments((), options.environment))
    deployment = Deployment(unit.directory, Framework.TERRAFORM, options.workspace, hints)
    budget = Budget(seconds=options.timeout)
    root = Root(configuration, deployment, unit.module, budget, dict(options.module_map), set())
    return ModuleInstance(root, module, inputs={**inputs, **unit.inputs})
