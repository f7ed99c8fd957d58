"""One call of a module: the frame of its expressions, and the resources in it.

What expressions refer to is worked out on demand and remembered.
"""

from __future__ import annotations

import functools
import posixpath
from typing import TYPE_CHECKING

from msgspec import Struct

from iam_preflight.errors import Problem, ProblemKind
from iam_preflight.resources import Deployment, Provider, Resource
from iam_preflight.terraform import tree, types
from iam_preflight.terraform.closure import is_closed
from iam_preflight.terraform.evaluation import evaluate
from iam_preflight.terraform.functions.conversion import mark
from iam_preflight.terraform.inputs import Inputs, type_of
from iam_preflight.terraform.providers import own_providers, passed_providers, provider_of
from iam_preflight.terraform.references import item_of
from iam_preflight.terraform.repetition import Repetition, is_repeated, repetitions, together
from iam_preflight.terraform.resources import BlockEntries, BodyEntries, Places, entries_in
from iam_preflight.terraform.scope import Budget, Scope, Step
from iam_preflight.values import (
    Assumptions,
    Choice,
    CycleError,
    Known,
    LazyEntries,
    Mapping,
    Reason,
    Reference,
    Unknown,
    Value,
    combine,
    is_null,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from iam_preflight.source import SourceFile, Span
    from iam_preflight.terraform.configuration import Configuration, Module
    from iam_preflight.terraform.functions.arguments import Function
    from iam_preflight.terraform.plan_join import Join

MAX_MODULE_DEPTH = 32
MODULE_STEPS = 500
"""Expressions for which an instance of a module counts: modules multiply those that they call."""
MODES = {"resource": "", "data": "data.", "ephemeral": "ephemeral."}


class ResourceInstance(Struct, frozen=True):
    address: str
    block: tree.Block
    repetition: Repetition
    attributes: Mapping
    provider: Provider


class ModuleCall(Struct):
    """A call and its instances; `why` says so where it has none here."""

    block: tree.Block
    instances: list[tuple[Repetition, ModuleInstance]]
    why: Unknown | None = None


class Root(Struct, frozen=True):
    """What all instances under one root module share."""

    configuration: Configuration
    deployment: Deployment
    directory: str
    """The folder of the root module: paths in expressions begin there."""
    budget: Budget
    module_map: dict[str, str]
    """Directories of modules by their source, given by the user."""
    limits: set[str]
    """The bounds that were reached and said."""
    join: Join | None = None
    """A plan that was made of these sources."""


class ModuleInstance:
    """One call of a module: a frame for its expressions."""

    def __init__(
        self,
        root: Root,
        module: Module,
        *,
        address: str = "",
        inputs: Inputs | None = None,
        providers: dict[str, Provider] | None = None,
        parents: tuple[Module, ...] = (),
        calls: tuple[Span, ...] = (),
        assumptions: Assumptions = (),
        caller: ModuleInstance | None = None,
        call_name: str = "",
        suffix: str = "",
    ) -> None:
        self.root = root
        self.caller = caller
        """The instance that calls it, by which name, and which of its instances it is."""
        self.call_name = call_name
        self.suffix = suffix
        self.module = module
        self.address = address
        self.parents = parents
        self.calls = calls
        self.assumptions = assumptions
        self.budget = root.budget
        self.problems = root.configuration.problems
        self.scope = Scope(self, {}, assumptions)
        self._inputs = inputs or {}
        self._variables = LazyEntries(
            {name: functools.partial(self._variable, name) for name in module.variables}
        )
        self._locals = LazyEntries(
            {name: functools.partial(self._local, name) for name in module.locals}
        )
        self._resources: dict[tuple[str, str, str], list[ResourceInstance]] = {}
        self._whole: dict[tuple[str, str, str], Value] = {}
        self._calls: dict[str, ModuleCall] = {}
        self._outputs: Mapping | None = None
        self._passed = providers or {}
        self.providers = own_providers(module, self.scope, self._passed)

    def __repr__(self) -> str:
        return f"ModuleInstance({self.address or self.module.directory})"

    def has_default(self, name: str) -> bool:
        """Whether a variable has its default, because nobody gives it another value."""
        block = self.module.variables.get(name)
        return block is not None and name not in self._inputs and "default" in block.body.attributes

    def once_more(self, root: Root, inputs: Inputs) -> ModuleInstance:
        """The same root module with more inputs."""
        return ModuleInstance(root, self.module, inputs={**self._inputs, **inputs})

    def _name(self, name: str) -> str:
        """The name of a thing in this instance, for labels."""
        return f"{self.address}.{name}" if self.address else name

    # ---- files

    def _inside(self, path: str) -> str | None:
        return self.root.configuration.workspace.beside(self.root.directory, path)

    def read_file(self, path: str) -> SourceFile | None:
        workspace = self.root.configuration.workspace
        inside = self._inside(path)
        if inside is None or not workspace.tree.is_file(inside):
            return None
        return workspace.source(inside)

    def has_file(self, path: str) -> bool | None:
        inside = self._inside(path)
        return None if inside is None else self.root.configuration.workspace.tree.is_file(inside)

    def files_below(self, directory: str) -> Iterator[str] | None:
        inside = self._inside(directory)
        workspace = self.root.configuration.workspace
        if inside is None or not workspace.tree.is_directory(inside):
            return None
        head = "" if inside == "." else inside + "/"
        return (path.removeprefix(head) for path in workspace.tree.files(inside))

    def template_of(self, source: SourceFile, parse: Callable[[], tree.Template]) -> tree.Template:
        templates = self.root.configuration.templates
        if source.path not in templates:
            templates[source.path] = parse()
        return templates[source.path]

    def decoded(self, source: SourceFile, text: str, decode: Callable[[], Value]) -> Value:
        known = self.root.configuration.decoded
        value = known.get((source, text))
        if value is None:
            value = known[source, text] = decode()
        return value

    def function(self, _name: str) -> Function | None:
        return None

    def planned_keys(self, address: str) -> list[str | int] | None:
        return None if self.root.join is None else self.root.join.keys_of(address)

    def keep_secret(self, value: Value) -> Value:
        return self.root.configuration.workspace.secrets.keep(value)

    def limit(self, label: str, span: Span) -> Unknown:
        if label not in self.root.limits:
            self.root.limits.add(label)
            message = f"too large to evaluate: {label}"
            self.problems.append(Problem(ProblemKind.LIMIT, message, span.path, span))
        return Unknown(Reason.LIMIT, label, span)

    # ---- references

    def resolve(self, root: str, steps: list[Step], scope: Scope) -> tuple[Value, int] | None:
        name = steps[0].key if steps and isinstance(steps[0].key, str) else None
        if name is None:
            return None
        span = steps[0].span
        match root:
            case "var":
                return self._named(self._variables, "var", name, span), 1
            case "local":
                return self._named(self._locals, "local", name, span), 1
            case "path":
                return self._path(name, span), 1
            case "terraform" | "tofu":
                return self._terraform(name, span), 1
            case "module":
                return self._resolve_module(name, steps, scope)
            case "data" | "ephemeral":
                if len(steps) > 1 and isinstance(steps[1].key, str):
                    return self._resolve_resource((root, name, steps[1].key), steps, 2, scope)
                return None
            case "each" | "count" | "self":
                return None
            case _:
                return self._resolve_resource(("resource", root, name), steps, 1, scope)

    def _named(self, entries: LazyEntries, kind: str, name: str, span: Span) -> Value:
        if name not in entries:
            return Unknown(Reason.MISSING, self._name(f"{kind}.{name}"), span)
        try:
            return entries[name]
        except CycleError:
            return Unknown(Reason.CYCLE, self._name(f"{kind}.{name}"), span)

    def _path(self, name: str, span: Span) -> Value:
        match name:
            case "module":
                start = self.root.directory or "."
                return Known(posixpath.relpath(self.module.directory or ".", start), span)
            case "root" | "cwd":
                # the working directory is absolute in Terraform; here it only finds files
                return Known(".", span)
            case _:
                return Unknown(Reason.MISSING, f"path.{name}", span)

    def _terraform(self, name: str, span: Span) -> Value:
        workspace = self.root.deployment.workspace
        if name == "workspace" and workspace:
            return Known(workspace, span)
        # Not "default": who names a workspace in the code has several, and which one is chosen
        # is not in the sources. As a hole it keeps every arm of what depends on it.
        return Unknown(Reason.VARIABLE, f"terraform.{name}", span)

    # ---- variables, locals, outputs

    def _variable(self, name: str) -> Value:
        block = self.module.variables[name]
        attributes = block.body.attributes
        given = self._inputs.get(name)
        default = attributes.get("default")
        if given is not None:
            value = given(self.scope)
            if _is_set(attributes, "nullable", is_default=True):
                value = self._converted(name, value)
            else:
                value = self._without_null(value, default)
                value = self._converted(name, value)
        elif default is not None:
            value = self._converted(name, evaluate(default.expression, self.scope))
        else:
            label = self._name(f"var.{name}")
            value = Unknown(Reason.VARIABLE, label, block.header, origin=label)
        if not _is_set(attributes, "sensitive", is_default=False):
            return value
        return self.keep_secret(mark(value))

    def _without_null(self, value: Value, default: tree.Attribute | None) -> Value:
        """`nullable = false`: a null means the default."""
        if default is None:
            return value
        if is_null(value):
            return evaluate(default.expression, self.scope)
        if isinstance(value, Choice) and any(is_null(arm) for _, arm in value.arms):
            instead = evaluate(default.expression, self.scope)
            arms = tuple((given, instead if is_null(arm) else arm) for given, arm in value.arms)
            return Choice(arms, value.span)
        return value

    def _converted(self, name: str, value: Value) -> Value:
        wanted = type_of(self.module, name)
        try:
            return types.convert(value, wanted, lambda default: evaluate(default, self.scope))
        except types.ConversionError:
            # Terraform would refuse it; what was meant is better judged than lost
            return value

    def _local(self, name: str) -> Value:
        constants = self.module.constants
        if name in constants:
            return constants[name]
        expression = self.module.locals[name].expression
        if is_closed(self.module, name):
            constants[name] = evaluate(expression, Scope(self, {}))
            return constants[name]
        return evaluate(expression, self.scope)

    @property
    def outputs(self) -> Mapping:
        if self._outputs is None:
            pending: dict[str, Callable[[], Value]] = {}
            spans: dict[str, Span] = {}
            for name, block in self.module.outputs.items():
                if "value" in block.body.attributes:
                    pending[name] = functools.partial(self._output, block)
                    spans[name] = block.header
            span = self.calls[-1] if self.calls else next(iter(spans.values()))
            self._outputs = Mapping(LazyEntries(pending), span, spans)
        return self._outputs

    def _output(self, block: tree.Block) -> Value:
        attributes = block.body.attributes
        value = evaluate(attributes["value"].expression, self.scope)
        if not _is_set(attributes, "sensitive", is_default=False):
            return value
        return self.keep_secret(mark(value))

    # ---- resources

    def instances(self, key: tuple[str, str, str]) -> list[ResourceInstance]:
        """Every instance of a resource or data block."""
        if key not in self._resources:
            self._resources[key] = []  # a block whose count asks for itself has no instances then
            self._resources[key] = self._instances(key, self.module.resources[key])
        return self._resources[key]

    def _instances(self, key: tuple[str, str, str], block: tree.Block) -> list[ResourceInstance]:
        mode, resource_type, name = key
        base = self._name(f"{MODES[mode]}{resource_type}.{name}")
        provider = provider_of(block, resource_type, self.providers)
        places = Places.of(block)
        written = entries_in(block.body)
        made: list[ResourceInstance] = []
        for repetition in repetitions(block, self.scope, base):
            address = base + repetition.suffix
            scope = self._scope_of(repetition)
            pending = written
            if self.root.join is not None:
                overlay = self.root.join.overlaid(
                    address, BodyEntries(written, scope), block.header
                )
                pending = {**written, **overlay}
            entries = BlockEntries(
                address,
                resource_type,
                pending,
                provider,
                places,
                scope,
                is_data=mode == "data",
                body=block.body,
            )
            mapping = Mapping(entries, places.span, places.keys, None, Reference(address, ""))
            made.append(ResourceInstance(address, block, repetition, mapping, provider))
        return made

    def _scope_of(self, repetition: Repetition) -> Scope:
        if not repetition.names:
            return self.scope
        given = combine(self.assumptions, repetition.assumptions)
        return self.scope.with_names(repetition.names, given)

    def _resolve_resource(
        self, key: tuple[str, str, str], steps: list[Step], used: int, scope: Scope
    ) -> tuple[Value, int] | None:
        mode, resource_type, name = key
        block = self.module.resources.get(key)
        label = self._name(f"{MODES[mode]}{resource_type}.{name}")
        if block is None:
            if "_" not in resource_type:
                return None
            return Unknown(Reason.MISSING, label, steps[used - 1].span), used
        instances = self.instances(key)
        if not is_repeated(block):
            if not instances:
                return Unknown(Reason.CYCLE, label, block.header), used
            return instances[0].attributes, used
        if key not in self._whole:
            whole = together([(i.repetition, i.attributes) for i in instances], block)
            if not instances:
                return self._pick(whole, steps, used, scope)
            self._whole[key] = whole
        return self._pick(self._whole[key], steps, used, scope)

    def _pick(self, whole: Value, steps: list[Step], used: int, scope: Scope) -> tuple[Value, int]:
        """One instance by index, or all of them."""
        if len(steps) > used:
            step = steps[used]
            if not isinstance(step.key, str):
                key = evaluate(step.key, scope)
                return item_of(whole, key, step.span, tries=scope.tries), used + 1
        return whole, used

    # ---- modules

    def call(self, name: str) -> ModuleCall:
        """A module call's instances, made on first use."""
        if name in self._calls:
            return self._calls[name]
        block = self.module.calls[name]
        address = self._name(f"module.{name}")
        call = ModuleCall(block, [])
        self._calls[name] = call
        module, why = self._called(name, block)
        if module is None:
            call.why = Unknown(Reason.MODULE, address, block.header, Reference(address, ""))
            self.root.configuration.note(ProblemKind.UNRESOLVED_MODULE, why, block)
            return call
        for repetition in repetitions(block, self.scope, address):
            reached = self.budget.spend(MODULE_STEPS)
            if reached:
                hole = self.limit(reached, block.header)
                call.why = call.why if call.instances else hole
                break
            child = self._child(module, block, name, repetition)
            call.instances.append((repetition, child))
        return call

    def _called(self, name: str, block: tree.Block) -> tuple[Module | None, str]:
        """The module that a call names; else why there is none here."""
        configuration = self.root.configuration
        source = block.body.attributes.get("source")
        if source is None:
            return None, f'module "{name}" has no source'
        value = evaluate(source.expression, self.scope)
        shown = value.value if isinstance(value, Known) and isinstance(value.value, str) else None
        if shown is None:
            return None, f'the source of module "{name}" is not known'
        directory = configuration.locate(
            self.root.directory,
            self.module.directory,
            self._name(f"module.{name}"),
            shown,
            self.root.module_map,
        )
        if directory is None:
            fix = "run terraform init, or give its folder with --module-map"
            if shown.startswith("."):
                fix = "there is no such folder here"
            return None, f'module "{name}" ({shown}) is not installed: {fix}'
        module = configuration.module(directory)
        if module is None:
            return None, f'module "{name}" ({shown}): there is no Terraform in {directory}'
        if module is self.module or module in self.parents:
            return None, f'module "{name}" ({shown}) calls itself'
        if len(self.parents) >= MAX_MODULE_DEPTH:
            return None, f'module "{name}" ({shown}) is nested too deeply'
        return module, ""

    def _child(
        self, module: Module, block: tree.Block, name: str, repetition: Repetition
    ) -> ModuleInstance:
        scope = self._scope_of(repetition)
        inputs: Inputs = {
            key: _in_scope(attribute, scope) for key, attribute in block.body.attributes.items()
        }
        return ModuleInstance(
            self.root,
            module,
            address=self._name(f"module.{name}") + repetition.suffix,
            inputs=inputs,
            providers=passed_providers(block, self.providers),
            parents=(*self.parents, self.module),
            calls=(*self.calls, block.span),
            assumptions=scope.given,
            caller=self,
            call_name=name,
            suffix=repetition.suffix,
        )

    def _resolve_module(self, name: str, steps: list[Step], scope: Scope) -> tuple[Value, int]:
        span = steps[0].span
        if name not in self.module.calls:
            return Unknown(Reason.MISSING, self._name(f"module.{name}"), span), 1
        call = self.call(name)
        if call.why is not None:
            return call.why, 1
        if not is_repeated(call.block):
            if not call.instances:
                return Unknown(Reason.CYCLE, self._name(f"module.{name}"), span), 1
            return call.instances[0][1].outputs, 1
        outputs = [(repetition, child.outputs) for repetition, child in call.instances]
        return self._pick(together(outputs, call.block), steps, 1, scope)

    # ---- changes

    def made_calls(self) -> Iterator[tuple[str, ModuleInstance]]:
        """The instances below this one that somebody asked for, by the name of their call."""
        for name, call in self._calls.items():
            for _, child in call.instances:
                yield name, child

    def forget(self, names: set[str], calls: set[str]) -> None:
        """Drops the values of what has changed: `local.x`, `aws_iam_role.y`, and module calls."""
        module = self.module
        for name in names:
            module.constants.pop(name.removeprefix("local."), None)
        self._variables = self._variables.renewed(
            {name: functools.partial(self._variable, name) for name in module.variables},
            {name for name in module.variables if f"var.{name}" not in names},
        )
        self._locals = self._locals.renewed(
            {name: functools.partial(self._local, name) for name in module.locals},
            {name for name in module.locals if f"local.{name}" not in names},
        )
        for key in [*self._resources]:
            mode, resource_type, name = key
            if f"{MODES[mode]}{resource_type}.{name}" in names or key not in module.resources:
                del self._resources[key]
                self._whole.pop(key, None)
        for name in [*self._calls]:
            if name in calls or name not in module.calls:
                del self._calls[name]
        self._outputs = None

    def renew_providers(self) -> None:
        self.providers = own_providers(self.module, self.scope, self._passed)

    # ---- everything in it

    def walk(self) -> Iterator[ModuleInstance]:
        """This instance and every one below it."""
        yield self
        for name in self.module.calls:
            for _, child in self.call(name).instances:
                yield from child.walk()

    def resources(self, is_wanted: Callable[[str], bool]) -> Iterator[Resource]:
        """The resources of this module instance, of the types that somebody wants."""
        module = self.module
        for key, block in (*module.resources.items(), *module.again):
            mode, resource_type, name = key
            if mode == "ephemeral" or not is_wanted(resource_type):
                continue
            is_first = module.resources[key] is block
            for instance in self.instances(key) if is_first else self._instances(key, block):
                yield Resource(
                    address=instance.address,
                    type=resource_type,
                    native_type=resource_type,
                    name=name,
                    attributes=instance.attributes,
                    span=block.span,
                    header=block.header,
                    deployment=self.root.deployment,
                    provider=instance.provider,
                    calls=self.calls,
                    assumptions=(*self.assumptions, *instance.repetition.assumptions),
                    is_data=mode == "data",
                )


def _in_scope(attribute: tree.Attribute, scope: Scope) -> Callable[[Scope], Value]:
    return lambda _: evaluate(attribute.expression, scope)


def _is_set(attributes: dict[str, tree.Attribute], name: str, *, is_default: bool) -> bool:
    """Whether a flag of a variable or output is on; only a literal can say so."""
    attribute = attributes.get(name)
    if attribute is None or not isinstance(attribute.expression, tree.Literal):
        return is_default
    return attribute.expression.value in (True, "true")
