"""Tag policies of the organization: which keys they know, with which values.

https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_example-tag-policies.html
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from msgspec import Struct

from iam_preflight.graph.organization import ATTACHMENT_TYPE
from iam_preflight.jsontext import object_of
from iam_preflight.resources import Resource
from iam_preflight.values import Mapping, items_of, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.model import Graph
    from iam_preflight.source import Span
    from iam_preflight.values import Value

POLICY_TYPE = "aws_organizations_policy"
ASSIGNING = ("@@assign", "@@append")


class KeyRule(Struct, frozen=True):
    """What a tag policy says of one key."""

    key: str
    """As it has to be written."""
    place: Span
    values: tuple[str, ...]
    """Allowed values, each with at most one `*`; empty allows any."""
    enforced_for: tuple[str, ...]
    """Types of resources for which AWS refuses other values; for all others it only reports."""

    def allows(self, value: str) -> bool:
        return not self.values or any(fnmatchcase(value, pattern) for pattern in self.values)


class TagPolicy(Struct, frozen=True):
    resource: Resource
    rules: tuple[KeyRule, ...]
    is_read: bool
    """Whether its content is known."""
    is_attached: bool


def tag_policies(graph: Graph) -> tuple[TagPolicy, ...]:
    """Every tag policy in the code."""
    attached = set(_attached(graph))
    found: list[TagPolicy] = []
    for resource in graph.of_type(POLICY_TYPE):
        if resource.text("type") != "TAG_POLICY":
            continue
        content = object_of(resource.get("content"))
        rules = tuple(_rules(content)) if content is not None else ()
        found.append(TagPolicy(resource, rules, content is not None, id(resource) in attached))
    return tuple(found)


def _attached(graph: Graph) -> Iterator[int]:
    for attachment in graph.of_type(ATTACHMENT_TYPE):
        value = attachment.get("policy_id")
        for _, policy, _ in graph.lookup.find_all(value, Resource, attachment):
            yield id(policy)


def _rules(content: Mapping) -> Iterator[KeyRule]:
    tags = content.get("tags")
    if not isinstance(tags, Mapping):
        return
    for name in tags.entries:
        rule = tags.entries[name]
        if not isinstance(rule, Mapping):
            continue
        key = next(iter(_assigned(rule.get("tag_key"))), name)
        values = tuple(_assigned(rule.get("tag_value")))
        yield KeyRule(key, tags.key_span(name), values, tuple(_assigned(rule.get("enforced_for"))))


def _assigned(value: Value | None) -> Iterator[str]:
    if not isinstance(value, Mapping):
        return
    for operator in ASSIGNING:
        for _, item in items_of(value.get(operator)):
            text = text_of(item)
            if text is not None:
                yield text
