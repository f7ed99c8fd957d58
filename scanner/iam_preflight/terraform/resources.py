"""Blocks of a Terraform configuration to resources: attributes, nested blocks, computed ones."""

from __future__ import annotations

import functools
import json
import re
from importlib import resources as package_files
from typing import TYPE_CHECKING, Any

from iam_preflight.terraform.expressions import Scope, deeper, evaluate, label_of
from iam_preflight.values import (
    Fragment,
    Json,
    Known,
    LazyEntries,
    Listing,
    Mapping,
    Reason,
    Reference,
    Text,
    Unknown,
    Value,
    arms_of,
    is_null,
    join_parts,
    parts_of,
    text_of,
    with_reference,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from iam_preflight.resources import Provider
    from iam_preflight.source import Span
    from iam_preflight.terraform.syntax import Block, Body

META_ARGUMENTS = frozenset({"count", "for_each", "provider", "depends_on", "lifecycle"})

_PLACEHOLDER = re.compile(r"\{(\w+)\}")


@functools.cache
def _facts() -> dict[str, Any]:
    text = (
        package_files.files("iam_preflight.knowledge") / "data/terraform_attributes.json"
    ).read_text()
    facts: dict[str, Any] = json.loads(text)
    return facts


class BlockEntries(LazyEntries):
    """The entries of a resource or data block, and the attributes that AWS will fill in."""

    __slots__ = ("_address", "_computed")

    def __init__(
        self,
        address: str,
        pending: dict[str, Callable[[], Value]],
        computed: Callable[[str, Span], Value],
    ) -> None:
        super().__init__(pending)
        self._address = address
        self._computed = computed

    def attribute(self, name: str, span: Span) -> Value:
        """What a reference to the attribute gives; it remembers which attribute it was."""
        if name in self:
            value = self[name]
            if not is_null(value):
                return with_reference(value, Reference(self._address, name))
        return self._computed(name, span)


def body_entries(body: Body, scope: Scope) -> dict[str, Callable[[], Value]]:
    """What a block holds, each to be evaluated on demand: attributes and nested blocks."""
    pending: dict[str, Callable[[], Value]] = {}
    for name, attribute in body.attributes.items():
        if name not in META_ARGUMENTS:
            pending[name] = functools.partial(_attribute_value, attribute, scope)
    groups: dict[str, list[Block]] = {}
    for block in body.blocks:
        name = block.labels[0] if block.type == "dynamic" and block.labels else block.type
        if name not in META_ARGUMENTS:
            groups.setdefault(name, []).append(block)
    for name, blocks in groups.items():
        pending[name] = functools.partial(nested_blocks, blocks, scope)
    return pending


def _attribute_value(attribute: Any, scope: Scope) -> Value:
    return evaluate(attribute.expression, scope)


def nested_blocks(blocks: list[Block], scope: Scope) -> Value:
    """Nested blocks of one type as a list of objects, `dynamic` ones expanded."""
    items: list[Value] = []
    rest: Value | None = None
    for block in blocks:
        if block.type != "dynamic":
            items.append(_block_object(block.body, block.span, scope))
            continue
        more, further = _dynamic(block, scope)
        items.extend(more)
        rest = further if further is not None else rest
    return Listing(tuple(items), blocks[0].span, rest)


def _block_object(body: Body, span: Span, scope: Scope) -> Mapping:
    key_spans = {name: attribute.name_span for name, attribute in body.attributes.items()}
    for block in body.blocks:
        key_spans.setdefault(
            block.labels[0] if block.type == "dynamic" else block.type, block.header
        )
    return Mapping(LazyEntries(body_entries(body, scope)), span, key_spans)


def _dynamic(block: Block, scope: Scope) -> tuple[list[Value], Value | None]:
    from iam_preflight.terraform.expressions import _if_assumed, _pairs

    body = block.body
    content = next(body.blocks_of("content"), None)
    for_each = body.attributes.get("for_each")
    if content is None or for_each is None:
        return [], None
    iterator = block.labels[0]
    if "iterator" in body.attributes:
        iterator = body.attributes["iterator"].expression.span.text.strip()
    items: list[Value] = []
    rest: Value | None = None
    for given, arm in arms_of(evaluate(for_each.expression, scope)):
        pairs = _pairs(arm)
        further = arm.rest if isinstance(arm, Listing | Mapping) else None
        if pairs is None:
            if is_null(arm):
                continue
            pairs = []
            hole = (
                arm
                if isinstance(arm, Unknown)
                else Unknown(Reason.LIMIT, label_of(for_each.expression), arm.span)
            )
            further = deeper(hole, "[*]", "", for_each.span)
        for key, value in pairs:
            inner = _iteration(scope, iterator, key, value)
            item = _block_object(content.body, content.span, inner)
            items.append(_if_assumed(item, given, None, block.span))
        if further is not None:
            key = Unknown(Reason.EACH, f"{iterator}.key", for_each.span)
            inner = _iteration(scope, iterator, key, further)
            rest = _block_object(content.body, content.span, inner)
    return items, rest


def _iteration(scope: Scope, iterator: str, key: Value, value: Value) -> Scope:
    entries = {"key": key, "value": value}
    return scope.with_names(**{iterator: Mapping(entries, value.span)})


# ---------------------------------------------------------------- what AWS fills in


def computed_attribute(
    address: str,
    resource_type: str,
    entries: BlockEntries,
    provider: Provider,
    name: str,
    span: Span,
) -> Value:
    """An attribute that is not written: a default, text built from the name, or a hole."""
    reference = Reference(address, name)
    defaults = _facts()["defaults"].get(resource_type, {})
    if name in defaults:
        return Known(defaults[name], span)
    template = _facts()["types"].get(resource_type, {}).get(name)
    if template is None or template == "{" + name + "}":
        return Unknown(Reason.COMPUTED, f"{address}.{name}", span, reference)
    parts: list[Fragment | Unknown] = []
    at = 0
    for found in _PLACEHOLDER.finditer(template):
        parts.append(Fragment(template[at : found.start()], span))
        parts.extend(_placeholder(found[1], address, entries, provider, span))
        at = found.end()
    parts.append(Fragment(template[at:], span))
    return with_reference(join_parts(parts, span), reference)


def _placeholder(
    name: str, address: str, entries: BlockEntries, provider: Provider, span: Span
) -> list[Fragment | Unknown]:
    if name in ("partition", "region", "account"):
        return place_parts(name, provider, span)
    value = entries.attribute(name, span)
    parts = parts_of(value)
    if parts is None:
        return [Unknown(Reason.COMPUTED, f"{address}.{name}", span, Reference(address, name))]
    if (
        name == "name"
        and isinstance(parts[0], Fragment)
        and address.split(".")[-2:-1] == ["aws_ssm_parameter"]
    ):
        parts = (Fragment(parts[0].text.lstrip("/"), parts[0].span), *parts[1:])
    return list(parts)


def place_parts(name: str, provider: Provider, span: Span) -> list[Fragment | Unknown]:
    """The account, region or partition that a provider deploys to, as parts of an ARN."""
    match name:
        case "account":
            if len(provider.account_ids) == 1:
                return [Fragment(provider.account_ids[0], span)]
            return [Unknown(Reason.ACCOUNT, "account", span)]
        case "region":
            region = text_of(provider.get("region"))
            if region is not None:
                return [Fragment(region, span)]
            return [Unknown(Reason.REGION, "region", span)]
        case _:
            return [Unknown(Reason.PARTITION, "partition", span)]


def data_attribute(
    address: str, data_type: str, entries: BlockEntries, provider: Provider, name: str, span: Span
) -> Value:
    """An attribute of a data source, as far as it is known without asking AWS."""
    match data_type, name:
        case "aws_caller_identity", "account_id" | "id":
            return join_parts(place_parts("account", provider, span), span)
        case "aws_region", "name" | "id" | "region":
            return join_parts(place_parts("region", provider, span), span)
        case "aws_partition", "partition" | "id":
            return join_parts(place_parts("partition", provider, span), span)
        case "aws_partition", "dns_suffix":
            return Known("amazonaws.com", span)
        case "aws_iam_policy_document", "json" | "minified_json":
            from iam_preflight.terraform.documents import policy_document

            return Json(policy_document(Mapping(entries, span)), span, Reference(address, "json"))
        case "aws_iam_policy", "arn":
            found = entries.get("name")
            parts = parts_of(found) if found is not None else None
            if parts is not None:
                head = [Fragment("arn:", span), *place_parts("partition", provider, span)]
                return join_parts([*head, Fragment(":iam::aws:policy/", span), *parts], span)
        case _:
            pass
    template = _facts()["types"].get(data_type, {}).get(name)
    if template is not None and template != "{" + name + "}":
        return computed_attribute(address, data_type, entries, provider, name, span)
    return Unknown(Reason.DATA, f"{address}.{name}", span, Reference(address, name))


def text_value(text: str, span: Span) -> Known | Text:
    return Known(text, span)
