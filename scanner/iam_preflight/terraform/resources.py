"""Blocks of a Terraform configuration to attributes: arguments, nested blocks, computed ones."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, TypeAlias

from msgspec import Struct

from iam_preflight.knowledge.names import identifying
from iam_preflight.terraform import types
from iam_preflight.terraform.configuration import nested_name
from iam_preflight.terraform.evaluation import evaluate
from iam_preflight.terraform.labels import deeper, label_of
from iam_preflight.terraform.loops import collection_pairs
from iam_preflight.values import (
    LazyEntries,
    Listing,
    Mapping,
    Reason,
    Reference,
    Unknown,
    Value,
    arms_of,
    as_name,
    combine,
    conditional,
    either,
    is_null,
    with_reference,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Mapping as MappingABC

    from iam_preflight.resources import Provider
    from iam_preflight.source import Span
    from iam_preflight.terraform.scope import Scope
    from iam_preflight.terraform.tree import Attribute, Block, Body
    from iam_preflight.values import Assumptions

TAGS = types.Type(types.Kind.MAP, types.STRING)
META_ARGUMENTS = frozenset(
    {"count", "for_each", "provider", "depends_on", "lifecycle", "provisioner", "connection"}
)
RENEWAL = "replace_triggered_by"


Entry: TypeAlias = "Attribute | tuple[Block, ...] | Callable[[], Value]"
"""What an entry is worked out of: an argument, the nested blocks of a type, or something else."""


class Places(Struct, frozen=True):
    """Where a block stands, and where each of its arguments and nested blocks is named."""

    span: Span
    keys: dict[str, Span]

    @staticmethod
    def of(block: Block) -> Places:
        keys = {name: attribute.name_span for name, attribute in block.body.attributes.items()}
        for nested in block.body.blocks:
            keys.setdefault(nested_name(nested), nested.header)
        return Places(block.span, keys)


class BodyEntries(LazyEntries):
    """The arguments and nested blocks of a body, in a scope."""

    __slots__ = ("scope",)

    def __init__(self, pending: MappingABC[str, Entry], scope: Scope | None) -> None:
        super().__init__(pending)
        self.scope = scope

    def _worked_out(self, pending: Entry) -> Value:
        if callable(pending):
            return pending()
        assert self.scope is not None
        if isinstance(pending, tuple):
            return nested_blocks(pending, self.scope)
        return _attribute_value(pending, self.scope)


class BlockEntries(BodyEntries):
    """The entries of a resource or data block, and the attributes that AWS will fill in."""

    __slots__ = (
        "address",
        "body",
        "document",
        "is_data",
        "key_spans",
        "provider",
        "span",
        "type",
    )

    def __init__(
        self,
        address: str,
        resource_type: str,
        pending: MappingABC[str, Entry],
        provider: Provider,
        places: Places,
        scope: Scope | None,
        *,
        is_data: bool,
        body: Body | None = None,
    ) -> None:
        super().__init__(pending, scope)
        self.body = body
        self.address = address
        self.span = places.span
        self.key_spans = places.keys
        self.type = resource_type
        self.provider = provider
        self.is_data = is_data
        self.document: Value | None = None
        """A data block's policy document once it is worked out, so that it is built once."""

    def extend(self, pending: dict[str, Callable[[], Value]]) -> None:
        """Adds entries that are made with the entries themselves at hand."""
        self._pending = {**self._pending, **pending}

    def defaults_behind(self, name: str) -> set[str]:
        """The variables of the root, left at their defaults, that an argument may hang on."""
        from iam_preflight.terraform.dependence import References, attributes_in, defaults_behind
        from iam_preflight.terraform.instances import ModuleInstance

        frame = self.scope.frame if self.scope is not None else None
        if self.body is None or not isinstance(frame, ModuleInstance):
            return set()
        return defaults_behind(attributes_in(self.body, name), frame, References())

    def attribute(self, name: str, span: Span) -> Value:
        """What a reference to the attribute gives; it remembers which attribute it was."""
        from iam_preflight.terraform.computed import computed_attribute, is_filled_in

        if name in self:
            value = self[name]
            if not is_null(value):
                if name in identifying(self.type, is_data=self.is_data):
                    value = as_name(value)
                return with_reference(value, Reference(self.address, name))
            if not is_filled_in(self, name):
                return value
        return computed_attribute(self, name, span)


def entries_in(body: Body) -> dict[str, Entry]:
    """What a block holds, for `BodyEntries`: attributes and nested blocks."""
    found: dict[str, Entry] = {
        name: attribute for name, attribute in body.attributes.items() if name not in META_ARGUMENTS
    }
    for block in body.blocks_of("lifecycle"):
        # what a resource is renewed with says how long it lives
        renewal = block.body.attributes.get(RENEWAL)
        if renewal is not None:
            found[RENEWAL] = renewal
    groups: dict[str, list[Block]] = {}
    for block in body.blocks:
        name = nested_name(block)
        if name not in META_ARGUMENTS:
            groups.setdefault(name, []).append(block)
    found.update((name, tuple(blocks)) for name, blocks in groups.items())
    return found


def _attribute_value(attribute: Attribute, scope: Scope) -> Value:
    value = evaluate(attribute.expression, scope)
    if attribute.name == "tags":
        # every provider's tags are text, and references to them see that
        with contextlib.suppress(types.ConversionError):
            return types.convert(value, TAGS)
    return value


def nested_blocks(blocks: tuple[Block, ...], scope: Scope) -> Value:
    """Nested blocks of one type as a list of objects, `dynamic` ones expanded."""
    items: list[Value] = []
    rest: Value | None = None
    for block in blocks:
        if block.type != "dynamic":
            items.append(_block_object(block, scope))
            continue
        more, further = _dynamic(block, scope)
        items.extend(more)
        rest = either(rest, further)
    return Listing(tuple(items), blocks[0].span, rest)


def _block_object(block: Block, scope: Scope) -> Mapping:
    places = Places.of(block)
    entries = BodyEntries(entries_in(block.body), scope)
    return Mapping(entries, places.span, places.keys)


def _dynamic(block: Block, scope: Scope) -> tuple[list[Value], Value | None]:
    """The blocks that a `dynamic` one makes, and what stands for further ones."""
    body = block.body
    content = next(body.blocks_of("content"), None)
    for_each = body.attributes.get("for_each")
    if content is None or for_each is None or not block.labels:
        return [], None
    iterator = block.labels[0]
    if "iterator" in body.attributes:
        iterator = body.attributes["iterator"].expression.span.text.strip().strip('"')
    items: list[Value] = []
    rest: Value | None = None
    for given, arm in arms_of(evaluate(for_each.expression, scope)):
        inner = scope.assuming(given)
        if inner is None or is_null(arm):
            continue
        pairs = collection_pairs(arm, inner)
        further = arm.rest if isinstance(arm, Listing | Mapping) else None
        if pairs is None:
            pairs = []
            if isinstance(arm, Unknown):
                further = deeper(arm, "[*]", "", for_each.span)
            else:
                further = scope.frame.limit(label_of(for_each.span), for_each.span)
        for more, key, value in pairs:
            both = combine(given, more)
            if both is not None:
                item = _iteration(content, iterator, key, value, scope, both)
                items.append(conditional(item, both))
        if further is not None:
            label = f"{iterator}.key of {label_of(for_each.expression.span)}"
            key = Unknown(Reason.EACH, label, for_each.span)
            rest = either(rest, _iteration(content, iterator, key, further, scope, given))
    return items, rest


def _iteration(
    content: Block, iterator: str, key: Value, value: Value, scope: Scope, given: Assumptions
) -> Value:
    names: dict[str, Value] = {iterator: Mapping({"key": key, "value": value}, value.span)}
    both = combine(scope.given, given)
    return _block_object(content, scope.with_names(names, both))
