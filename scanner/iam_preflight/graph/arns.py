"""The ARN that a resource will have, as a pattern: known where its name is known."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING

import msgspec

from iam_preflight.knowledge.names import change_of, default_of, left_out
from iam_preflight.knowledge.reading import read_data
from iam_preflight.policy.document import Pattern
from iam_preflight.values import (
    Fragment,
    Reason,
    Reference,
    Unknown,
    parts_of,
    text_of,
    with_reference,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from iam_preflight.resources import Resource

_PLACEHOLDER = re.compile(r"\{(\w+)\}")


class _Facts(msgspec.Struct):
    types: dict[str, dict[str, str]]


@functools.cache
def _templates() -> dict[str, str]:
    """ARN templates by resource type: `arn:{partition}:sqs:{region}:{account}:{name}`."""
    facts = read_data("terraform_attributes.json", _Facts).types
    found: dict[str, str] = {}
    for name, attributes in facts.items():
        own = [key for key in attributes if key.endswith("_arn") and name.endswith(f"_{key[:-4]}")]
        for key in ("arn", "id", *own):
            template = attributes.get(key, "")
            if template.startswith("arn:"):
                found.setdefault(name, template)
    return found


def arn_of(resource: Resource) -> Pattern | None:
    """The ARN of a resource; None for types whose ARN nobody knows before it exists."""
    template = _templates().get(resource.type)
    if template is None:
        return None
    parts: list[str | Unknown] = []
    at = 0
    for found in _PLACEHOLDER.finditer(template):
        parts.append(template[at : found.start()])
        parts.extend(_placeholder(found[1], resource))
        at = found.end()
    parts.append(template[at:])
    reference = Reference(resource.address, "arn", resource.deployment.path)
    return Pattern(tuple(join_texts(parts)), resource.header, (), reference)


def arn_within(resource: Resource, service: str, *tail: str | Unknown) -> Pattern:
    """An ARN of a service in the account and region that a resource is deployed to."""
    place = [
        piece for name in ("region", "account") for piece in (":", *_placeholder(name, resource))
    ]
    parts = (f"arn:{partition_of(resource)}:{service}", *place, ":", *tail)
    return Pattern(tuple(join_texts(parts)), resource.header)


def iam_arn(
    resource: Resource, kind: str, path: Iterable[str | Unknown], name: Pattern, account: str | None
) -> Pattern:
    """The ARN of something in IAM, which has no region; an account of None is not known."""
    span = resource.header
    owner: str | Unknown = account or Unknown(Reason.ACCOUNT, "account", span)
    partition = f"arn:{partition_of(resource)}:iam::"
    parts: list[str | Unknown] = [partition, owner, f":{kind}", *path, *name.parts]
    reference = Reference(resource.address, "arn", resource.deployment.path)
    return Pattern(tuple(join_texts(parts)), span, (), reference)


def _placeholder(name: str, resource: Resource) -> list[str | Unknown]:
    span = resource.header
    match name:
        case "partition":
            return [partition_of(resource)]
        case "account":
            account = resource.provider.account_id
            return [account if account is not None else Unknown(Reason.ACCOUNT, "account", span)]
        case "region":
            region = text_of(resource.provider.get("region"))
            return [region if region is not None else Unknown(Reason.REGION, "region", span)]
        case "unique":
            return [_hole(resource, "id")]
        case _:
            parts = attribute_parts(resource, name)
            change = change_of(resource.type, name)
            return _changed(change, parts, resource) if change else parts


def attribute_parts(resource: Resource, name: str) -> list[str | Unknown]:
    """The text of an attribute as a reference to it gives it: as written, or as AWS fills it in."""
    pieces = _pieces(name, resource)
    if pieces is not None:
        return pieces
    default = default_of(resource.type, name)
    if default is not None:
        return [str(default)]
    return [*(_pieces(f"{name}_prefix", resource) or ()), _hole(resource, name)]


def _pieces(name: str, resource: Resource) -> list[str | Unknown] | None:
    value = resource.get(name)
    if value is None:
        return None
    reference = Reference(resource.address, name, resource.deployment.path)
    parts = parts_of(with_reference(value, reference))
    if parts is None:
        return None
    return [part.text if isinstance(part, Fragment) else part for part in parts]


def _hole(resource: Resource, name: str) -> Unknown:
    reference = Reference(resource.address, name, resource.deployment.path)
    return Unknown(Reason.COMPUTED, f"{resource.address}.{name}", resource.header, reference)


def _changed(change: str, parts: list[str | Unknown], resource: Resource) -> list[str | Unknown]:
    """What AWS does to an attribute before it goes into an ARN."""
    if change.startswith("under "):
        above = attribute_parts(resource, change.removeprefix("under "))
        return parts if above == ["default"] else [*above, "/", *parts]
    head = parts[0]
    return [head[left_out(change, head) :], *parts[1:]] if isinstance(head, str) else parts


def partition_of(resource: Resource) -> str:
    """The AWS partition that a resource is deployed to: commercial unless its region says else."""
    region = text_of(resource.provider.get("region")) or ""
    if region.startswith("us-gov-"):
        return "aws-us-gov"
    return "aws-cn" if region.startswith("cn-") else "aws"


def join_texts(parts: Iterable[str | Unknown]) -> Iterator[str | Unknown]:
    """The same parts with neighbouring texts as one."""
    held = ""
    for part in parts:
        if isinstance(part, str):
            held += part
            continue
        if held:
            yield held
            held = ""
        yield part
    if held:
        yield held
