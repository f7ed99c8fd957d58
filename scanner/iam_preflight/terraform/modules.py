"""Terraform configurations: roots, modules, their instances, and the resources in them.

`Configuration` parses each folder once. `ModuleInstance` is one call of a module with its
inputs: what expressions refer to, worked out on demand and remembered.
"""

from __future__ import annotations

import posixpath
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from iam_preflight.discovery import TERRAFORM_SUFFIXES
from iam_preflight.errors import Problem, ProblemKind
from iam_preflight.resources import Deployment, Framework, Provider, Resource
from iam_preflight.terraform import syntax
from iam_preflight.terraform.expressions import Scope, Step, deeper, evaluate, item_of
from iam_preflight.terraform.resources import (
    BlockEntries,
    body_entries,
    computed_attribute,
    data_attribute,
)
from iam_preflight.values import (
    Assumption,
    Assumptions,
    CycleError,
    Known,
    LazyEntries,
    Listing,
    Mapping,
    Reason,
    Reference,
    Unknown,
    Value,
    arms_of,
    choice,
    is_null,
    number_of,
    text_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from iam_preflight.discovery import Workspace
    from iam_preflight.source import SourceFile, Span

MAX_INSTANCES = 2048
"""Instances of one block; more are a limit problem."""

MAX_MODULE_DEPTH = 32


@dataclass(slots=True)
class Module:
    """The blocks of one folder, by what they declare."""

    directory: str
    variables: dict[str, syntax.Block] = field(default_factory=dict)
    locals: dict[str, syntax.Attribute] = field(default_factory=dict)
    outputs: dict[str, syntax.Block] = field(default_factory=dict)
    resources: dict[tuple[bool, str, str], syntax.Block] = field(default_factory=dict)
    """By (is data, type, name)."""
    calls: dict[str, syntax.Block] = field(default_factory=dict)
    providers: list[syntax.Block] = field(default_factory=list)
    settings: list[syntax.Block] = field(default_factory=list)
    tfvars: list[str] = field(default_factory=list)


class Configuration:
    """Every module folder of a workspace, parsed once."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.problems = workspace.problems
        self._modules: dict[str, Module | None] = {}

    def module(self, directory: str) -> Module | None:
        """The module in a folder; None when there is no Terraform in it."""
        if directory not in self._modules:
            self._modules[directory] = self._load(directory)
        return self._modules[directory]

    def _load(self, directory: str) -> Module | None:
        names = self.workspace.tree.names(directory)
        module = Module(directory)
        found = False
        for name in names:
            path = name if directory in ("", ".") else f"{directory}/{name}"
            if name.endswith((".auto.tfvars", ".auto.tfvars.json")) or name in (
                "terraform.tfvars",
                "terraform.tfvars.json",
            ):
                module.tfvars.append(path)
            if not name.endswith(TERRAFORM_SUFFIXES) or name.endswith(".json"):
                continue
            source = self.workspace.source(path)
            if source is None:
                continue
            found = True
            parsed = syntax.parse_file(source)
            self.problems.extend(parsed.problems)
            for block in parsed.blocks:
                _file_block(module, block)
        return module if found else None

    def find_roots(self, files: tuple[str, ...]) -> list[str]:
        """Folders to scan as roots: those that hold Terraform and that nobody here calls."""
        directories = sorted({posixpath.dirname(path) or "." for path in files})
        called: set[str] = set()
        for directory in directories:
            module = self.module(directory)
            if module is None:
                continue
            for block in module.calls.values():
                target = self.local_target(directory, block)
                if target is not None and target != directory:
                    called.add(target)
        return [d for d in directories if d not in called and self.module(d) is not None]

    def local_target(self, directory: str, call: syntax.Block) -> str | None:
        """The folder that a module call with a local source names."""
        attribute = call.body.attributes.get("source")
        if attribute is None or not isinstance(attribute.expression, syntax.Literal):
            return None
        source = attribute.expression.value
        if not isinstance(source, str) or not source.startswith(("./", "../", ".")):
            return None
        return self.workspace.beside(directory, source)


def _file_block(module: Module, block: syntax.Block) -> None:
    labels = block.labels
    match block.type:
        case "variable" if labels:
            module.variables[labels[0]] = block
        case "locals":
            module.locals.update(block.body.attributes)
        case "output" if labels:
            module.outputs[labels[0]] = block
        case "resource" | "data" if len(labels) >= 2:
            module.resources[(block.type == "data", labels[0], labels[1])] = block
        case "module" if labels:
            module.calls[labels[0]] = block
        case "provider" if labels:
            module.providers.append(block)
        case "terraform":
            module.settings.append(block)


@dataclass(frozen=True, slots=True)
class Repetition:
    """One instance that `count` or `for_each` makes: its key and what `each` and `count` are."""

    key: Value | None
    names: dict[str, Value]
    assumptions: Assumptions = ()

    @property
    def suffix(self) -> str:
        """The index as Terraform writes it in an address; `[*]` when it is not known."""
        if self.key is None:
            return ""
        if isinstance(self.key, Known) and isinstance(self.key.value, int):
            return f"[{self.key.value}]"
        text = text_of(self.key)
        if text is None:
            return "[*]"
        escaped = text.replace("\\", "\\\\").replace('"', '\\"')
        return f'["{escaped}"]'


@dataclass(slots=True)
class ResourceInstance:
    address: str
    block: syntax.Block
    repetition: Repetition
    attributes: Mapping
    provider: Provider


@dataclass(slots=True)
class ModuleCall:
    """A call and its instances; `instances` is empty and `why` says so when it has none here."""

    address: str
    block: syntax.Block
    repetitions: list[Repetition]
    instances: list[ModuleInstance]
    why: Unknown | None = None


class ModuleInstance:
    """One call of a module: a frame for its expressions."""

    def __init__(
        self,
        configuration: Configuration,
        module: Module,
        deployment: Deployment,
        *,
        address: str = "",
        inputs: dict[str, Callable[[], Value]] | None = None,
        providers: dict[str, Provider] | None = None,
        calls: tuple[Span, ...] = (),
        assumptions: Assumptions = (),
    ) -> None:
        self.configuration = configuration
        self.module = module
        self.deployment = deployment
        self.address = address
        self.calls = calls
        self.assumptions = assumptions
        self.scope = Scope(self, {})
        self._variables = LazyEntries(
            {name: self._variable_thunk(name, inputs or {}) for name in module.variables}
        )
        self._locals = LazyEntries(
            {
                name: lambda attribute=attribute: evaluate(attribute.expression, self.scope)  # type: ignore[misc]
                for name, attribute in module.locals.items()
            }
        )
        self._resources: dict[tuple[bool, str, str], list[ResourceInstance]] = {}
        self._calls: dict[str, ModuleCall] = {}
        self._outputs: Mapping | None = None
        self.providers = self._own_providers(providers or {})

    # ---- the frame

    @property
    def directory(self) -> str:
        return self.module.directory

    def read_text(self, path: str) -> SourceFile | None:
        workspace = self.configuration.workspace
        inside = workspace.beside(self.deployment.path, path)
        if inside is None or not workspace.tree.is_file(inside):
            return None
        return workspace.source(inside)

    def resolve(self, root: str, steps: list[Step], scope: Scope) -> tuple[Value, int] | None:
        name = steps[0].key if steps and isinstance(steps[0].key, str) else None
        match root:
            case "var" if name is not None:
                return self._named(self._variables, "var", name, steps[0].span), 1
            case "local" if name is not None:
                return self._named(self._locals, "local", name, steps[0].span), 1
            case "path" if name is not None:
                return self._path(name, steps[0].span), 1
            case "terraform" if name is not None:
                return self._terraform(name, steps[0].span), 1
            case "module" if name is not None:
                return self._resolve_module(name, steps, scope)
            case "data" if name is not None and len(steps) > 1 and isinstance(steps[1].key, str):
                return self._resolve_resource(True, name, steps[1].key, steps, 2, scope)
            case _ if name is not None:
                return self._resolve_resource(False, root, name, steps, 1, scope)
            case _:
                return None

    def _named(self, entries: LazyEntries, kind: str, name: str, span: Span) -> Value:
        if name not in entries:
            return Unknown(Reason.MISSING, f"{kind}.{name}", span)
        try:
            return entries[name]
        except CycleError:
            return Unknown(Reason.CYCLE, f"{kind}.{name}", span)

    def _path(self, name: str, span: Span) -> Value:
        match name:
            case "module":
                start = self.deployment.path or "."
                relative = posixpath.relpath(self.directory or ".", start)
                return Known(relative, span)
            case "root":
                return Known(".", span)
            case _:
                return Unknown(Reason.UNSUPPORTED, f"path.{name}", span)

    def _terraform(self, name: str, span: Span) -> Value:
        if name == "workspace" and self.deployment.workspace:
            return Known(self.deployment.workspace, span)
        return Unknown(Reason.VARIABLE, f"terraform.{name}", span)

    # ---- variables and outputs

    def _variable_thunk(
        self, name: str, inputs: dict[str, Callable[[], Value]]
    ) -> Callable[[], Value]:
        def evaluate_variable() -> Value:
            given = inputs.get(name)
            block = self.module.variables[name]
            default = block.body.attributes.get("default")
            if given is not None:
                value = given()
                if not (is_null(value) and default is not None):
                    return value
            if default is not None:
                return evaluate(default.expression, self.scope)
            return Unknown(Reason.VARIABLE, f"var.{name}", block.header)

        return evaluate_variable

    @property
    def outputs(self) -> Mapping:
        if self._outputs is None:
            pending: dict[str, Callable[[], Value]] = {}
            spans: dict[str, Span] = {}
            for name, block in self.module.outputs.items():
                attribute = block.body.attributes.get("value")
                if attribute is not None:
                    pending[name] = lambda a=attribute: evaluate(a.expression, self.scope)  # type: ignore[misc]
                    spans[name] = block.header
            span = next(iter(spans.values()), None) or self.scope_span()
            self._outputs = Mapping(LazyEntries(pending), span, spans)
        return self._outputs

    def scope_span(self) -> Span:
        for blocks in (self.module.outputs, self.module.resources, self.module.variables):
            for block in blocks.values():  # type: ignore[attr-defined]
                span: Span = block.header
                return span
        return self.calls[-1]

    # ---- count and for_each

    def repetitions(self, block: syntax.Block) -> list[Repetition]:
        count = block.body.attributes.get("count")
        if count is not None:
            return self._counted(evaluate(count.expression, self.scope), count.span)
        for_each = block.body.attributes.get("for_each")
        if for_each is not None:
            return self._for_each(evaluate(for_each.expression, self.scope), for_each.span)
        return [Repetition(None, {})]

    def _counted(self, value: Value, span: Span) -> list[Repetition]:
        arms = [(given, arm, number_of(arm)) for given, arm in arms_of(value)]
        known = [int(n) for _, _, n in arms if n is not None]
        largest = max([*known, *(1 for _, _, n in arms if n is None)], default=0)
        out: list[Repetition] = []
        for i in range(min(largest, MAX_INSTANCES)):
            here = [
                (given, arm, n) for given, arm, n in arms if (n is None and i == 0) or (n or 0) > i
            ]
            assumptions: Assumptions = ()
            if len(here) < len(arms):
                assumptions = here[0][0]
            elif len(here) == 1 and here[0][2] is None and isinstance(here[0][1], Unknown):
                assumptions = (Assumption(f"{here[0][1].label} > 0", True),)
            entries: dict[str, Value] = {"index": Known(i, span)}
            out.append(Repetition(Known(i, span), {"count": Mapping(entries, span)}, assumptions))
        return out

    def _for_each(self, value: Value, span: Span) -> list[Repetition]:
        found: dict[str, Repetition] = {}
        open_ended: list[Repetition] = []
        arms = list(arms_of(value))
        for given, arm in arms:
            match arm:
                case Mapping(entries=entries, rest=rest):
                    pairs = [(Known(key, arm.key_span(key)), key) for key in entries]
                    for key, name in pairs:
                        found.setdefault(
                            name, _each(key, lambda n=name, e=entries: e[n], span, given)
                        )  # type: ignore[misc]
                case Listing(items=items, rest=rest):
                    for item in items:
                        name_text = text_of(item)
                        if name_text is None:
                            open_ended.append(_each(item, lambda i=item: i, span, given))  # type: ignore[misc]
                        else:
                            found.setdefault(name_text, _each(item, lambda i=item: i, span, given))  # type: ignore[misc]
                case Known(value=None):
                    continue
                case _:
                    rest = deeper(arm, "[*]", "", span) if isinstance(arm, Unknown) else arm
            if rest is not None:
                key = Unknown(Reason.EACH, "each.key", span)
                more = rest
                value_of = key if isinstance(arm, Listing) and arm.is_set else more
                open_ended.append(_each(key, lambda v=value_of: v, span, given))  # type: ignore[misc]
        everywhere = len(arms) == 1
        out = [found[key] for key in sorted(found)] + open_ended[:1]
        if everywhere:
            return out[:MAX_INSTANCES]
        return out[:MAX_INSTANCES]

    # ---- resources

    def instances(self, is_data: bool, resource_type: str, name: str) -> list[ResourceInstance]:
        key = (is_data, resource_type, name)
        if key in self._resources:
            return self._resources[key]
        block = self.module.resources[key]
        self._resources[key] = []
        base = f"{'data.' if is_data else ''}{resource_type}.{name}"
        address = f"{self.address}.{base}" if self.address else base
        provider = self.provider_of(block)
        made = [
            self._instance(is_data, resource_type, address, block, repetition, provider)
            for repetition in self.repetitions(block)
        ]
        self._resources[key] = made
        return made

    def _instance(
        self,
        is_data: bool,
        resource_type: str,
        base: str,
        block: syntax.Block,
        repetition: Repetition,
        provider: Provider,
    ) -> ResourceInstance:
        address = base + repetition.suffix
        scope = Scope(self, repetition.names) if repetition.names else self.scope
        compute = data_attribute if is_data else computed_attribute
        entries = BlockEntries(
            address,
            body_entries(block.body, scope),
            lambda name, span: compute(address, resource_type, entries, provider, name, span),
        )
        spans = {name: a.name_span for name, a in block.body.attributes.items()}
        mapping = Mapping(entries, block.span, spans, None, Reference(address, ""))
        return ResourceInstance(address, block, repetition, mapping, provider)

    def _resolve_resource(
        self,
        is_data: bool,
        resource_type: str,
        name: str,
        steps: list[Step],
        used: int,
        scope: Scope,
    ) -> tuple[Value, int] | None:
        key = (is_data, resource_type, name)
        block = self.module.resources.get(key)
        if block is None:
            if "_" not in resource_type:
                return None
            label = f"{'data.' if is_data else ''}{resource_type}.{name}"
            return Unknown(Reason.MISSING, label, steps[used - 1].span), used
        instances = self.instances(is_data, resource_type, name)
        if "count" not in block.body.attributes and "for_each" not in block.body.attributes:
            if not instances:
                return Unknown(Reason.CYCLE, f"{resource_type}.{name}", block.header), used
            return instances[0].attributes, used
        keyed = [(i.repetition, i.attributes) for i in instances]
        return self._pick(keyed, steps, used, scope, block)

    def _pick(
        self,
        instances: list[tuple[Repetition, Mapping]],
        steps: list[Step],
        used: int,
        scope: Scope,
        block: syntax.Block,
    ) -> tuple[Value, int]:
        """One instance by index, or all of them as a list or map."""
        is_count = "count" in block.body.attributes
        known = [(r, v) for r, v in instances if text_of(r.key) is not None]
        rest = next((v for r, v in instances if text_of(r.key) is None), None)
        whole: Value
        if is_count:
            whole = Listing(tuple(v for _, v in known), block.header, rest)
        else:
            entries: dict[str, Value] = {text_of(r.key) or "": v for r, v in known}
            whole = Mapping(entries, block.header, None, rest)
        if len(steps) > used:
            step = steps[used]
            if not isinstance(step.key, str):
                key = evaluate(step.key, scope)
                return item_of(whole, key, step.span), used + 1
            if step.key.isdigit():
                return item_of(whole, Known(int(step.key), step.span), step.span), used + 1
        return whole, used

    # ---- modules

    def call(self, name: str) -> ModuleCall:
        if name in self._calls:
            return self._calls[name]
        block = self.module.calls[name]
        address = f"{self.address}.module.{name}" if self.address else f"module.{name}"
        call = ModuleCall(address, block, [], [])
        self._calls[name] = call
        target = self.configuration.local_target(self.directory, block)
        module = self.configuration.module(target) if target is not None else None
        depth = len(self.calls)
        if module is None or depth >= MAX_MODULE_DEPTH or self._is_ancestor(module):
            source = block.body.attributes.get("source")
            shown = source.expression.span.text.strip('"') if source else "no source"
            call.why = Unknown(Reason.MODULE, address, block.header, Reference(address, ""))
            cyclic = module is not None
            reason = "calls itself" if cyclic else "is not installed: run terraform init"
            self.configuration.problems.append(
                Problem(
                    ProblemKind.UNRESOLVED_MODULE,
                    f'module "{name}" ({shown}) {reason}',
                    block.header.path,
                    block.header,
                )
            )
            return call
        for repetition in self.repetitions(block):
            call.repetitions.append(repetition)
            call.instances.append(self._child(module, block, address, repetition))
        return call

    def _is_ancestor(self, module: Module) -> bool:
        return (
            any(call.source.path.rpartition("/")[0] == module.directory for call in self.calls)
            or module is self.module
        )

    def _child(
        self, module: Module, block: syntax.Block, address: str, repetition: Repetition
    ) -> ModuleInstance:
        scope = Scope(self, repetition.names) if repetition.names else self.scope
        inputs: dict[str, Callable[[], Value]] = {
            name: lambda a=attribute: evaluate(a.expression, scope)  # type: ignore[misc]
            for name, attribute in block.body.attributes.items()
        }
        return ModuleInstance(
            self.configuration,
            module,
            self.deployment,
            address=address + repetition.suffix,
            inputs=inputs,
            providers=self._passed_providers(block),
            calls=(*self.calls, block.span),
            assumptions=(*self.assumptions, *repetition.assumptions),
        )

    def _resolve_module(self, name: str, steps: list[Step], scope: Scope) -> tuple[Value, int]:
        span = steps[0].span
        if name not in self.module.calls:
            return Unknown(Reason.MISSING, f"module.{name}", span), 1
        call = self.call(name)
        if call.why is not None:
            return call.why, 1
        attributes = call.block.body.attributes
        if "count" not in attributes and "for_each" not in attributes:
            if not call.instances:
                return Unknown(Reason.CYCLE, f"module.{name}", span), 1
            return call.instances[0].outputs, 1
        keyed = [
            (repetition, instance.outputs)
            for repetition, instance in zip(call.repetitions, call.instances, strict=True)
        ]
        return self._pick(keyed, steps, 1, scope, call.block)

    # ---- providers

    def _own_providers(self, passed: dict[str, Provider]) -> dict[str, Provider]:
        providers = dict(passed)
        for block in self.module.providers:
            if block.labels[0] != "aws":
                continue
            attribute = block.body.attributes.get("alias")
            alias = attribute.expression.span.text.strip('"') if attribute is not None else ""
            entries = LazyEntries(body_entries(block.body, self.scope))
            settings = Mapping(entries, block.span)
            name = f"aws.{alias}" if alias else "aws"
            providers[name] = Provider(alias, settings, block.header)
        return providers

    def provider_of(self, block: syntax.Block) -> Provider:
        attribute = block.body.attributes.get("provider")
        name = attribute.expression.span.text.strip().strip('"') if attribute else "aws"
        return self.providers.get(name) or Provider()

    def _passed_providers(self, block: syntax.Block) -> dict[str, Provider]:
        passed = {"aws": self.providers["aws"]} if "aws" in self.providers else {}
        attribute = block.body.attributes.get("providers")
        if attribute is not None and isinstance(attribute.expression, syntax.Object):
            for key, value in attribute.expression.entries:
                inner = key.value if isinstance(key, syntax.Literal) else key.span.text.strip()
                outer = value.span.text.strip()
                if outer in self.providers:
                    passed[str(inner)] = self.providers[outer]
        return passed

    # ---- everything in it

    def walk(self) -> Iterator[ModuleInstance]:
        """This instance and every one below it."""
        yield self
        for name in self.module.calls:
            for instance in self.call(name).instances:
                yield from instance.walk()

    def resources(self, is_wanted: Callable[[str], bool]) -> Iterator[Resource]:
        """The resources of this module instance, of the types that somebody wants."""
        for (is_data, resource_type, name), block in self.module.resources.items():
            if not is_wanted(resource_type):
                continue
            for instance in self.instances(is_data, resource_type, name):
                yield Resource(
                    address=instance.address,
                    type=resource_type,
                    native_type=resource_type,
                    name=name,
                    attributes=instance.attributes,
                    span=block.span,
                    header=block.header,
                    deployment=self.deployment,
                    provider=instance.provider,
                    calls=self.calls,
                    assumptions=(*self.assumptions, *instance.repetition.assumptions),
                    is_data=is_data,
                )


def _each(key: Value, value: Callable[[], Value], span: Span, given: Assumptions) -> Repetition:
    entries = LazyEntries({"key": lambda: key, "value": value})
    return Repetition(key, {"each": Mapping(entries, span)}, given)


def load_root(configuration: Configuration, directory: str, workspace: str = "") -> ModuleInstance:
    """The root module instance of a folder, with the values of its tfvars files."""
    module = configuration.module(directory)
    assert module is not None
    deployment = Deployment(directory, Framework.TERRAFORM, workspace)
    inputs: dict[str, Callable[[], Value]] = {}
    instance: ModuleInstance
    for path in sorted(module.tfvars, key=lambda p: ("/terraform.tfvars" not in f"/{p}", p)):
        source = configuration.workspace.source(path)
        if source is None:
            continue
        parsed = syntax.parse_file(source)
        configuration.problems.extend(parsed.problems)
        for name, attribute in parsed.attributes.items():
            inputs[name] = lambda a=attribute: evaluate(a.expression, instance.scope)  # type: ignore[misc]
    instance = ModuleInstance(configuration, module, deployment, inputs=inputs)
    return instance


__all__ = ["Configuration", "Module", "ModuleInstance", "choice", "load_root"]
