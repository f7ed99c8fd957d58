"""Plans and states as `terraform show -json` writes them.

A resource's values come from `resource_changes`, where what is known after apply is marked, or
from `planned_values` and `prior_state`. What is not known is worked out from the configuration
in the plan as far as that goes: a policy that refers to a document is that document, rebuilt
from its known statements. https://developer.hashicorp.com/terraform/internals/json-format

Large plans are read in linear memory: values stay raw bytes until somebody wants the resource.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct, field

from iam_preflight.errors import Problem, ProblemKind
from iam_preflight.terraform.sniffing import is_plan

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.discovery import Workspace
    from iam_preflight.source import SourceFile

INDEX = re.compile(r'\[(\d+|"(?:[^"\\]|\\.)*")\]')


class _Change(msgspec.Struct):
    actions: list[str] = []
    after: msgspec.Raw = msgspec.Raw(b"null")
    after_unknown: msgspec.Raw = msgspec.Raw(b"null")
    after_sensitive: msgspec.Raw = msgspec.Raw(b"null")


class _ResourceChange(msgspec.Struct):
    address: str
    mode: str
    type: str
    name: str
    change: _Change
    module_address: str = ""
    index: str | int | None = None
    deposed: str | None = None


class _StateResource(msgspec.Struct):
    address: str
    mode: str
    type: str
    name: str
    index: str | int | None = None
    values: msgspec.Raw = msgspec.Raw(b"null")
    sensitive_values: msgspec.Raw = msgspec.Raw(b"null")


class _StateModule(msgspec.Struct):
    address: str = ""
    resources: list[_StateResource] = []
    child_modules: list[_StateModule] = []


class _StateValues(msgspec.Struct):
    root_module: _StateModule | None = None


class _State(msgspec.Struct):
    values: _StateValues | None = None


class ConfigResource(msgspec.Struct):
    address: str
    provider_config_key: str = ""
    expressions: msgspec.Raw = msgspec.Raw(b"{}")
    for_each_expression: msgspec.Raw = msgspec.Raw(b"null")


class _ConfigOutput(msgspec.Struct):
    expression: msgspec.Raw = msgspec.Raw(b"null")


class _ConfigVariable(msgspec.Struct):
    sensitive: bool = False


class _ModuleCall(msgspec.Struct):
    expressions: msgspec.Raw = msgspec.Raw(b"{}")
    for_each_expression: msgspec.Raw = msgspec.Raw(b"null")
    module: _ConfigModule | None = None


class _ConfigModule(msgspec.Struct):
    resources: list[ConfigResource] = []
    module_calls: dict[str, _ModuleCall] = {}
    outputs: dict[str, _ConfigOutput] = {}
    variables: dict[str, _ConfigVariable] = {}


class _ProviderConfig(msgspec.Struct):
    name: str = ""
    alias: str = ""
    module_address: str = ""
    expressions: msgspec.Raw = msgspec.Raw(b"{}")


class _Configuration(msgspec.Struct):
    provider_config: dict[str, _ProviderConfig] = {}
    root_module: _ConfigModule = msgspec.field(default_factory=_ConfigModule)


class _Variable(msgspec.Struct):
    value: Any = None


class _Document(msgspec.Struct):
    """A plan; a state has `values` in place of the rest."""

    variables: dict[str, _Variable] = {}
    planned_values: _StateValues = msgspec.field(default_factory=_StateValues)
    resource_changes: list[_ResourceChange] = []
    prior_state: _State = msgspec.field(default_factory=_State)
    values: _StateValues | None = None
    configuration: _Configuration = msgspec.field(default_factory=_Configuration)


MOST_DIGITS = 4000
"""Python makes no number of many more digits than this."""
ZIP = b"PK\x03\x04"


class Planned(Struct, frozen=True):
    """One resource instance of a plan, not yet looked into."""

    address: str
    mode: str
    type: str
    name: str
    index: str | int | None
    module_address: str
    values: msgspec.Raw
    unknown: msgspec.Raw
    sensitive: msgspec.Raw

    @property
    def base(self) -> str:
        """The address without the instance's key."""
        prefix = f"{self.module_address}." if self.module_address else ""
        return f"{prefix}{'data.' if self.mode == 'data' else ''}{self.type}.{self.name}"


class Plan(Struct):
    """A plan, decoded as far as to know which resources there are."""

    source: SourceFile
    document: _Document
    planned: dict[str, Planned] = field(default_factory=dict)
    by_base: dict[str, list[Planned]] = field(default_factory=dict)
    by_config: dict[str, ConfigResource] = field(default_factory=dict)
    """The configuration of each resource by its address without any keys."""
    modules: dict[str, _ConfigModule] = field(default_factory=dict)
    calls: dict[str, _ModuleCall] = field(default_factory=dict)
    """Module calls by module address without keys."""
    secrets: frozenset[str] = frozenset()
    """Texts that some variable marks as sensitive."""

    @property
    def variables(self) -> dict[str, Any]:
        return {name: variable.value for name, variable in self.document.variables.items()}


def read_plan(workspace: Workspace, path: str) -> Plan | None:
    """A plan or state file; None, with a problem noted, when it is not one."""
    source = workspace.source(path)
    if source is None:
        return None
    workspace.code.add(path)
    if source.data.startswith(ZIP):
        message = "a plan in Terraform's own format: write it as JSON with `terraform show -json`"
        workspace.problems.append(Problem(ProblemKind.UNREADABLE, message, path))
        return None
    if not is_plan(source.data):
        message = "not a plan or state as `terraform show -json` writes it"
        workspace.problems.append(Problem(ProblemKind.UNREADABLE, message, path))
        return None
    try:
        # values are looked into later, and must not fail then
        source.data.decode()
        if _has_endless_number(source.data):
            raise msgspec.DecodeError("a number of thousands of digits")
        document = msgspec.json.decode(source.data, type=_Document)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        message = f"not a plan that can be read: {error}"
        workspace.problems.append(Problem(ProblemKind.UNREADABLE, message, path, source.whole()))
        return None
    plan = Plan(source, document)
    _index_configuration(plan, document.configuration.root_module, "")
    for planned in _resources(document):
        if planned.address not in plan.planned:
            plan.planned[planned.address] = planned
            plan.by_base.setdefault(planned.base, []).append(planned)
    declared = document.configuration.root_module.variables
    plan.secrets = frozenset(
        variable.value
        for name, variable in document.variables.items()
        if name in declared and declared[name].sensitive and isinstance(variable.value, str)
    )
    _keep_secrets(workspace, plan)
    return plan


def _has_endless_number(data: bytes) -> bool:
    """Whether so many digits follow each other that one of the blocks here has nothing else."""
    size = MOST_DIGITS // 2
    return any(data[at : at + size].isdigit() for at in range(0, len(data) - size + 1, size))


def _keep_secrets(workspace: Workspace, plan: Plan) -> None:
    """Remembers what Terraform has marked; a plan with anything marked shows none of its lines."""
    for secret in plan.secrets:
        workspace.secrets.add(secret)
        plan.source.is_private = True
    for planned in plan.planned.values():
        if b"true" in bytes(planned.sensitive):
            plan.source.is_private = True
            for text in _marked(decoded(planned.values), decoded(planned.sensitive)):
                workspace.secrets.add(text)


def _marked(data: Any, marks: Any) -> Iterator[str]:
    """The texts in a value that its marks are about."""
    match data:
        case str() if marks is True:
            yield data
        case dict():
            for key, item in data.items():
                yield from _marked(item, marks if marks is True else flag_of(marks, key))
        case list():
            for index, item in enumerate(data):
                yield from _marked(item, marks if marks is True else flag_at(marks, index))


def _resources(document: _Document) -> Iterator[Planned]:
    for change in document.resource_changes:
        if change.change.actions != ["delete"] and change.deposed is None:
            yield Planned(
                change.address,
                change.mode,
                change.type,
                change.name,
                change.index,
                change.module_address,
                change.change.after,
                change.change.after_unknown,
                change.change.after_sensitive,
            )
    for values, wants_data in (
        (document.planned_values, False),
        (document.prior_state.values, True),
        (document.values, False),
    ):
        module = values.root_module if values is not None else None
        if module is not None:
            yield from _state_resources(module, only_data=wants_data)


def _state_resources(top: _StateModule, *, only_data: bool) -> Iterator[Planned]:
    stack = [top]
    while stack:
        module = stack.pop()
        for found in module.resources:
            if found.mode == "data" or not only_data:
                yield Planned(
                    found.address,
                    found.mode,
                    found.type,
                    found.name,
                    found.index,
                    module.address,
                    found.values,
                    msgspec.Raw(b"null"),
                    found.sensitive_values,
                )
        stack.extend(reversed(module.child_modules))


def _index_configuration(plan: Plan, module: _ConfigModule, address: str) -> None:
    stack = [(module, address)]
    while stack:
        module, address = stack.pop()
        plan.modules[address] = module
        prefix = f"{address}." if address else ""
        for resource in module.resources:
            plan.by_config[prefix + resource.address] = resource
        for name, call in module.module_calls.items():
            plan.calls[f"{prefix}module.{name}"] = call
            if call.module is not None:
                stack.append((call.module, f"{prefix}module.{name}"))


def without_keys(address: str) -> str:
    return INDEX.sub("", address)


def decoded(raw: msgspec.Raw) -> Any:
    """A part of a plan; a number that no float holds is its text."""
    return _DECODER.decode(raw)


def _float(text: str) -> float | str:
    number = float(text)
    return number if math.isfinite(number) else text


_DECODER = msgspec.json.Decoder(float_hook=_float)


def as_mapping(data: Any) -> dict[str, Any]:
    return data if isinstance(data, dict) else {}


def flag_of(flags: Any, name: str) -> Any:
    """What a tree of flags says about an entry; one flag may stand for all below it."""
    return flags if isinstance(flags, bool) else as_mapping(flags).get(name)


def flag_at(flags: Any, index: int) -> Any:
    if isinstance(flags, list):
        return flags[index] if index < len(flags) else None
    return flags if isinstance(flags, bool) else None
