"""What AWS will fill in: ARNs, ids and names, and the answers of data sources.

Facts are in knowledge/data/terraform_attributes.json.
"""

from __future__ import annotations

import functools
import json
import re
from importlib import resources as package_files
from typing import TYPE_CHECKING, Any

from iam_preflight.values import (
    Fragment,
    Json,
    Known,
    Mapping,
    Reason,
    Reference,
    Unknown,
    Value,
    join_parts,
    parts_of,
    text_of,
    with_reference,
)

if TYPE_CHECKING:
    from iam_preflight.resources import Provider
    from iam_preflight.source import Span
    from iam_preflight.terraform.resources import BlockEntries

_PLACEHOLDER = re.compile(r"\{(\w+)\}")


@functools.cache
def _facts() -> dict[str, Any]:
    text = (
        package_files.files("iam_preflight.knowledge") / "data/terraform_attributes.json"
    ).read_text()
    facts: dict[str, Any] = json.loads(text)
    return facts


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
