"""Plans and states as `terraform show -json` writes them.

A resource's values come from `resource_changes`, where what is known after apply is marked, or
from `planned_values` and `prior_state`. What is not known is worked out from the configuration
in the plan as far as that goes: a policy that refers to a document is that document, rebuilt
from its known statements. https://developer.hashicorp.com/terraform/internals/json-format

Large plans are read in linear memory: values stay raw bytes until somebody wants the resource.
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct, field

from iam_preflight.errors import Problem, ProblemKind
from iam_preflight.resources import Deployment, Framework, Provider, Resource
from iam_preflight.source import Span
from iam_preflight.terraform.resources import BlockEntries, Places
from iam_preflight.values import (
    Json,
    Known,
    LazyEntries,
    Listing,
    Mapping,
    Reason,
    Reference,
    Unknown,
    Value,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from iam_preflight.discovery import Workspace
    from iam_preflight.source import SourceFile

_ADDRESS = re.compile(rb'"address"\s*:\s*("(?:[^"\\]|\\.)*")')
INDEX = re.compile(r'\[(\d+|"(?:[^"\\]|\\.)*")\]')
_STEP = re.compile(r'([^.\[\]"]+)|\[(\d+|"(?:[^"\\]|\\.)*")\]')

EXACT = frozenset(
    {
        *("role", "roles", "user", "users", "group", "groups", "policy_arn", "bucket", "name"),
        *("permissions_boundary", "instance_profile", "iam_instance_profile", "queue_url"),
        *("managed_policy_arns", "policy_arns", "topic_arn", "resource_arn", "key_id"),
    }
)
"""Arguments that, when they refer to one thing only, are that thing: names and ARNs. Anything
else may be a longer text around it, which a plan does not show."""

Key = "str | int | None"


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


class _ConfigResource(msgspec.Struct):
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
    resources: list[_ConfigResource] = []
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


ZIP = b"PK\x03\x04"


def is_plan(data: bytes) -> bool:
    """Whether JSON text is likely a plan or state; cheap, for every JSON file there is."""
    return (
        b'"format_version"' in data
        and b'"terraform_version"' in data
        and (b'"root_module"' in data or b'"resource_changes"' in data)
    )


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
    by_config: dict[str, _ConfigResource] = field(default_factory=dict)
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
        source.data.decode()  # values are looked into later, and must not fail then
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


def _keep_secrets(workspace: Workspace, plan: Plan) -> None:
    """Remembers what Terraform has marked; a plan with anything marked shows none of its lines."""
    for secret in plan.secrets:
        workspace.secrets.add(secret)
        plan.source.is_private = True
    for planned in plan.planned.values():
        if b"true" in bytes(planned.sensitive):
            plan.source.is_private = True
            for text in _marked(_decoded(planned.values), _decoded(planned.sensitive)):
                workspace.secrets.add(text)


def _marked(data: Any, marks: Any) -> Iterator[str]:
    """The texts in a value that its marks are about."""
    match data:
        case str() if marks is True:
            yield data
        case dict():
            for key, item in data.items():
                yield from _marked(item, marks if marks is True else _part(marks, key))
        case list():
            for index, item in enumerate(data):
                yield from _marked(item, marks if marks is True else _item(marks, index))


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


# ---------------------------------------------------------------- resources


class PlanReader:
    """Makes resources of a plan, each when it is asked for."""

    def __init__(
        self, plan: Plan, deployment: Deployment | None = None, *, follows: bool = True
    ) -> None:
        self.plan = plan
        self.follows = follows
        """Whether what is unknown is worked out from the plan, or left to its sources."""
        self.deployment = deployment or Deployment(plan.source.path, Framework.PLAN)
        self._entries: dict[str, BlockEntries] = {}
        self._providers: dict[str, Provider] = {}
        self._places: dict[str, Span] | None = None

    def resources(self, is_wanted: Callable[[str], bool]) -> Iterator[Resource]:
        for planned in self.plan.planned.values():
            if is_wanted(planned.type):
                yield self.resource(planned)

    def resource(self, planned: Planned) -> Resource:
        entries = self.entries(planned)
        span = self.place(planned.address)
        reference = Reference(planned.address, "")
        return Resource(
            address=planned.address,
            type=planned.type,
            native_type=planned.type,
            name=planned.name,
            attributes=Mapping(entries, span, None, None, reference),
            span=span,
            header=span,
            deployment=self.deployment,
            provider=entries.provider,
            is_data=planned.mode == "data",
        )

    def value(self, data: Any) -> Value:
        """A plain value of the plan, such as a variable's."""
        nothing = msgspec.Raw(b"null")
        planned = Planned("", "", "", "", None, "", nothing, nothing, nothing)
        return _value(
            _Context(self, planned, self.place("")), _Piece(data, None, None, None), "", ""
        )

    def place(self, address: str) -> Span:
        """Where an address stands first in the plan's file."""
        source = self.plan.source
        if self._places is None:
            self._places = {}
            for found in _ADDRESS.finditer(source.data):
                try:
                    name = msgspec.json.decode(found[1], type=str)
                except msgspec.MsgspecError:
                    continue
                self._places.setdefault(name, Span(source, found.start(1), found.end(1)))
        return self._places.get(address, Span(source, 0, 0))

    def entries(self, planned: Planned) -> BlockEntries:
        """The attributes of an instance, worked out on demand."""
        found = self._entries.get(planned.address)
        if found is None:
            found = self._entries[planned.address] = self._make_entries(planned)
        return found

    def _make_entries(self, planned: Planned) -> BlockEntries:
        values, unknown, sensitive = (
            _decoded(raw) for raw in (planned.values, planned.unknown, planned.sensitive)
        )
        config = self.plan.by_config.get(without_keys(planned.base))
        expressions = _decoded(config.expressions) if config is not None else {}
        names = {**_mapping(values), **_mapping(unknown)}
        context = _Context(self, planned, self.place(planned.address))
        pending: dict[str, Callable[[], Value]] = {}
        entries = BlockEntries(
            planned.address,
            planned.type,
            {},
            self.provider(config, planned),
            Places(context.span, {}),
            None,
            is_data=planned.mode == "data",
        )
        for name in names:
            if _part(unknown, name) is True and name not in _mapping(expressions):
                continue  # AWS's to fill in: `attribute` knows what can be known of it
            piece = _Piece(
                _mapping(values).get(name),
                _part(unknown, name),
                _part(sensitive, name),
                _mapping(expressions).get(name),
            )
            pending[name] = functools.partial(_value, context, piece, name, name)
        entries.extend(pending)
        return entries

    def provider(self, config: _ConfigResource | None, planned: Planned) -> Provider:
        key = config.provider_config_key if config is not None else ""
        if key in self._providers:
            return self._providers[key]
        found = self.plan.document.configuration.provider_config.get(key)
        provider = Provider()
        if found is not None:
            context = _Context(self, planned, self.place(planned.address), found.module_address)
            arguments = _mapping(_decoded(found.expressions))
            settings = {
                name: _setting(context, name, expression) for name, expression in arguments.items()
            }
            span = context.span
            provider = Provider(found.alias, Mapping(LazyEntries(settings), span), None)
        self._providers[key] = provider
        return provider


def _decoded(raw: msgspec.Raw) -> Any:
    return msgspec.json.decode(raw)


def _mapping(data: Any) -> dict[str, Any]:
    return data if isinstance(data, dict) else {}


def _part(flags: Any, name: str) -> Any:
    """What a tree of flags says about an entry; one flag may stand for all below it."""
    return flags if isinstance(flags, bool) else _mapping(flags).get(name)


def _item(flags: Any, index: int) -> Any:
    if isinstance(flags, list):
        return flags[index] if index < len(flags) else None
    return flags if isinstance(flags, bool) else None


# ---------------------------------------------------------------- values


class _Piece(Struct, frozen=True):
    """A value of a plan with what the plan says about it."""

    data: Any
    unknown: Any
    sensitive: Any
    expression: Any
    """What was written for it in the configuration: constants and references."""


class _Context(Struct, frozen=True):
    """Where a value belongs, so that references in it can be followed."""

    reader: PlanReader
    planned: Planned
    span: Span
    module_address: str | None = None

    @property
    def module(self) -> str:
        if self.module_address is not None:
            return self.module_address
        return self.planned.module_address


def _setting(context: _Context, name: str, expression: Any) -> Callable[[], Value]:
    return lambda: _written(context, expression, name)


def _value(context: _Context, piece: _Piece, name: str, path: str) -> Value:
    """A value with holes where it is known after apply; `name` is the nearest argument's."""
    span, data, unknown = context.span, piece.data, piece.unknown
    if unknown is True:
        return _unknown(context, piece.expression, name, path)
    if isinstance(data, dict) or isinstance(unknown, dict):
        keys = {**_mapping(data), **_mapping(unknown)}
        entries = {key: _value(context, _entry(piece, key), key, f"{path}.{key}") for key in keys}
        return Mapping(entries, span, weight=1 + len(entries))
    if isinstance(data, list) or isinstance(unknown, list):
        length = max(len(part) for part in (data, unknown) if isinstance(part, list))
        return _listing(context, piece, name, path, length)
    sensitive = piece.sensitive is True or (
        isinstance(data, str) and data in context.reader.plan.secrets
    )
    if isinstance(data, str | bool | int | float) or data is None:
        return Known(data, span, sensitive=sensitive)
    return Unknown(Reason.ERROR, path, span)


def _entry(piece: _Piece, key: str) -> _Piece:
    expression = _mapping(piece.expression).get(key)
    return _Piece(
        _mapping(piece.data).get(key),
        _part(piece.unknown, key),
        _part(piece.sensitive, key),
        expression,
    )


def _listing(context: _Context, piece: _Piece, name: str, path: str, length: int) -> Value:
    data = piece.data if isinstance(piece.data, list) else []
    written = piece.expression if isinstance(piece.expression, list) else []
    items: list[Value] = []
    holes = 0
    for i in range(length):
        inner = _Piece(
            data[i] if i < len(data) else None,
            _item(piece.unknown, i),
            _item(piece.sensitive, i),
            written[i] if len(written) == length else None,
        )
        if inner.unknown is True and isinstance(piece.expression, dict):
            # an item of a set: which of the references it is cannot be told
            items.append(_unknown_item(context, piece.expression, path, holes))
            holes += 1
        else:
            items.append(_value(context, inner, name, f"{path}[{i}]"))
    return Listing(tuple(items), context.span, weight=1 + length)


def _written(context: _Context, expression: Any, name: str) -> Value:
    """What an expression of the configuration gives: a constant, blocks, or references."""
    if isinstance(expression, list):
        blocks = tuple(
            Mapping(
                {key: _written(context, inner, key) for key, inner in _mapping(block).items()},
                context.span,
            )
            for block in expression
        )
        return Listing(blocks, context.span)
    if "constant_value" in _mapping(expression):
        constant = _Piece(expression["constant_value"], None, None, None)
        return _value(context, constant, name, name)
    found = _followed(context, expression)
    if found is not None:
        return found
    return _unknown(context, expression, name, name)


def _unknown(context: _Context, expression: Any, name: str, path: str) -> Value:
    """A value known after apply, as far as what it refers to says."""
    references = references_of(expression)
    if len(references) == 1 and context.reader.follows:
        found = _followed(context, expression)
        if found is not None and (isinstance(found, Json) or name in EXACT):
            return found
        if name in EXACT:
            target = _reference(context, references[0])
            return Unknown(Reason.COMPUTED, references[0], context.span, target)
    own = Reference(context.planned.address, path)
    return Unknown(Reason.COMPUTED, str(own), context.span, own)


def _unknown_item(context: _Context, expression: Any, path: str, number: int) -> Value:
    references = _each_reference(expression)
    if len(references) > number:
        target = _reference(context, references[number])
        return Unknown(Reason.COMPUTED, references[number], context.span, target)
    own = Reference(context.planned.address, f"{path}[{number}]")
    return Unknown(Reason.COMPUTED, str(own), context.span, own)


def references_of(expression: Any) -> list[str]:
    """The references of an expression, each once."""
    return list(dict.fromkeys(_each_reference(expression)))


def _each_reference(expression: Any) -> list[str]:
    """The references of an expression as they come, without the shorter forms that follow."""
    listed = _mapping(expression).get("references")
    found: list[str] = []
    for reference in listed if isinstance(listed, list) else ():
        if not isinstance(reference, str):
            continue
        if found and found[-1].startswith(reference) and found[-1] != reference:
            continue
        found.append(reference)
    return found


def _followed(context: _Context, expression: Any) -> Value | None:
    from iam_preflight.terraform.plan_references import Follower

    references = references_of(expression)
    if len(references) != 1:
        return None
    return Follower(context.reader).follow(references[0], context.planned, context.module)


def _reference(context: _Context, reference: str) -> Reference | None:
    from iam_preflight.terraform.plan_references import Follower

    return Follower(context.reader).target(reference, context.planned, context.module)


def steps_of(reference: str) -> list[str | int]:
    """`aws_iam_role.a["x"].arn` → `["aws_iam_role", "a", "x", "arn"]`, keys after a mark."""
    steps: list[str | int] = []
    for found in _STEP.finditer(reference):
        if found[1] is not None:
            steps.append(found[1])
        elif found[2].startswith('"'):
            steps.append("\0" + _unquoted(found[2]))
        else:
            steps.append(int(found[2]))
    return steps


def _unquoted(text: str) -> str:
    try:
        return msgspec.json.decode(text.encode(), type=str)
    except msgspec.MsgspecError:
        return text[1:-1]
