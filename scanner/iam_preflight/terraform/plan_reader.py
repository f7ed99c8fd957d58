"""What a plan says of its resources: values, each when it is asked for, with holes in them."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from iam_preflight.resources import Deployment, Framework, Provider, Resource
from iam_preflight.source import Span
from iam_preflight.terraform.plan import (
    Planned,
    as_mapping,
    decoded,
    flag_at,
    flag_of,
    without_keys,
)
from iam_preflight.terraform.plan_references import Follower, each_reference, references_of
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

    from iam_preflight.terraform.plan import ConfigResource, Plan

_ADDRESS = re.compile(rb'"address"\s*:\s*("(?:[^"\\]|\\.)*")')

EXACT = frozenset(
    {
        *("role", "roles", "user", "users", "group", "groups", "policy_arn", "bucket", "name"),
        *("permissions_boundary", "instance_profile", "iam_instance_profile", "queue_url"),
        *("managed_policy_arns", "policy_arns", "topic_arn", "resource_arn", "key_id"),
    }
)
"""Arguments that, when they refer to one thing only, are that thing: names and ARNs. Anything
else may be a longer text around it, which a plan does not show."""


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
            decoded(raw) for raw in (planned.values, planned.unknown, planned.sensitive)
        )
        config = self.plan.by_config.get(without_keys(planned.base))
        expressions = decoded(config.expressions) if config is not None else {}
        names = {**as_mapping(values), **as_mapping(unknown)}
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
            if flag_of(unknown, name) is True and name not in as_mapping(expressions):
                continue  # AWS's to fill in: `attribute` knows what can be known of it
            piece = _Piece(
                as_mapping(values).get(name),
                flag_of(unknown, name),
                flag_of(sensitive, name),
                as_mapping(expressions).get(name),
            )
            pending[name] = functools.partial(_value, context, piece, name, name)
        entries.extend(pending)
        return entries

    def provider(self, config: ConfigResource | None, planned: Planned) -> Provider:
        key = config.provider_config_key if config is not None else ""
        if key in self._providers:
            return self._providers[key]
        found = self.plan.document.configuration.provider_config.get(key)
        provider = Provider()
        if found is not None:
            context = _Context(self, planned, self.place(planned.address), found.module_address)
            arguments = as_mapping(decoded(found.expressions))
            settings = {
                name: _setting(context, name, expression) for name, expression in arguments.items()
            }
            span = context.span
            provider = Provider(found.alias, Mapping(LazyEntries(settings), span), None)
        self._providers[key] = provider
        return provider


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
        keys = {**as_mapping(data), **as_mapping(unknown)}
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
    expression = as_mapping(piece.expression).get(key)
    return _Piece(
        as_mapping(piece.data).get(key),
        flag_of(piece.unknown, key),
        flag_of(piece.sensitive, key),
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
            flag_at(piece.unknown, i),
            flag_at(piece.sensitive, i),
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
                {key: _written(context, inner, key) for key, inner in as_mapping(block).items()},
                context.span,
            )
            for block in expression
        )
        return Listing(blocks, context.span)
    if "constant_value" in as_mapping(expression):
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
    references = each_reference(expression)
    if len(references) > number:
        target = _reference(context, references[number])
        return Unknown(Reason.COMPUTED, references[number], context.span, target)
    own = Reference(context.planned.address, f"{path}[{number}]")
    return Unknown(Reason.COMPUTED, str(own), context.span, own)


def _followed(context: _Context, expression: Any) -> Value | None:
    references = references_of(expression)
    if len(references) != 1:
        return None
    return Follower(context.reader).follow(references[0], context.planned, context.module)


def _reference(context: _Context, reference: str) -> Reference | None:
    return Follower(context.reader).target(reference, context.planned, context.module)
