"""AWS Config rules in the code: single, of the organization, and in conformance packs.

https://docs.aws.amazon.com/config/latest/developerguide/managed-rules-by-aws-config.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from iam_preflight.jsontext import object_of
from iam_preflight.knowledge.audit import audit_facts
from iam_preflight.values import (
    Json,
    Known,
    Mapping,
    arms_of,
    blocks_of,
    items_of,
    parts_of,
    show,
    text_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.model import Graph
    from iam_preflight.resources import Resource
    from iam_preflight.source import Span
    from iam_preflight.values import Value

RULE = "aws_config_config_rule"
ORGANIZATION_RULE = "aws_config_organization_managed_rule"
PACKS = ("aws_config_conformance_pack", "aws_config_organization_conformance_pack")
STANDARD = "aws_securityhub_standards_subscription"
CONFIG_RULE_TYPES = (RULE, ORGANIZATION_RULE, *PACKS, STANDARD)


class ManagedRule(Struct, frozen=True):
    """One of AWS's rules, where it is switched on."""

    identifier: str
    """`ACCESS_KEYS_ROTATED`."""
    resource: Resource
    place: Span
    """The identifier."""
    parameters: Mapping | None

    def parameter(self, name: str) -> Value | None:
        return self.parameters.get(name) if self.parameters is not None else None


class ConfigRules(Struct, frozen=True):
    managed: tuple[ManagedRule, ...]
    unread: tuple[Resource, ...]
    """Conformance packs whose template is elsewhere."""
    standards: tuple[Resource, ...]
    """Security Hub standards that check the same."""
    resources: tuple[Resource, ...]
    """Everything that switches rules on."""

    def with_identifier(self, identifier: str) -> Iterator[ManagedRule]:
        return (rule for rule in self.managed if rule.identifier == identifier)


def config_rules(graph: Graph) -> ConfigRules:
    """The managed Config rules that the code switches on."""
    managed: list[ManagedRule] = []
    unread: list[Resource] = []
    for resource in graph.of_type(RULE):
        managed.extend(_single(resource))
    for resource in graph.of_type(ORGANIZATION_RULE):
        managed.extend(_of_organization(resource))
    for resource in graph.of_type(*PACKS):
        found = list(_in_pack(resource))
        managed.extend(found)
        if not found:
            unread.append(resource)
    words = audit_facts().hygiene_standards
    standards = [
        resource
        for resource in graph.of_type(STANDARD)
        if any(word in show(resource.get("standards_arn")) for word in words)
    ]
    own = graph.of_type(RULE, ORGANIZATION_RULE, *PACKS)
    return ConfigRules(tuple(managed), tuple(unread), tuple(standards), tuple(own))


def _single(resource: Resource) -> Iterator[ManagedRule]:
    for _, source in blocks_of(resource.get("source")):
        value = source.get("source_identifier")
        identifier = text_of(value)
        if value is not None and identifier and text_of(source.get("owner")) == "AWS":
            given = object_of(resource.get("input_parameters"))
            yield ManagedRule(identifier, resource, value.span, given)


def _of_organization(resource: Resource) -> Iterator[ManagedRule]:
    value = resource.get("rule_identifier")
    identifier = text_of(value)
    if value is not None and identifier:
        yield ManagedRule(
            identifier, resource, value.span, object_of(resource.get("input_parameters"))
        )


# ---------------------------------------------------------------- conformance packs


def _in_pack(pack: Resource) -> Iterator[ManagedRule]:
    template = _template(pack.get("template_body"))
    if template is None:
        return
    defaults = _parameters(template, pack)
    for _, resources in blocks_of(template.get("Resources")):
        for definition in resources.entries.values():
            if not isinstance(definition, Mapping):
                continue
            if text_of(definition.get("Type")) != "AWS::Config::ConfigRule":
                continue
            for _, properties in blocks_of(definition.get("Properties")):
                yield from _packed(properties, defaults, pack)


def _packed(
    properties: Mapping, defaults: dict[str, Value], pack: Resource
) -> Iterator[ManagedRule]:
    for _, source in blocks_of(properties.get("Source")):
        value = source.get("SourceIdentifier")
        identifier = text_of(value)
        if value is None or not identifier or text_of(source.get("Owner")) != "AWS":
            continue
        given: dict[str, Value] = {}
        for _, block in blocks_of(properties.get("InputParameters")):
            for name in block.entries:
                resolved = _resolved(block.entries[name], defaults)
                if resolved is not None:
                    given[name] = resolved
        yield ManagedRule(identifier, pack, value.span, Mapping(given, properties.span))


def _template(value: Value | None) -> Mapping | None:
    """The template of a pack as raw values: YAML or JSON in a text."""
    if value is None:
        return None
    for _, arm in arms_of(value):
        if isinstance(arm, Json) and isinstance(arm.value, Mapping):
            return arm.value
        if isinstance(arm, Mapping):
            return arm
        root = _read(arm)
        if isinstance(root, Mapping):
            return root
    return None


def _read(value: Value) -> Value | None:
    from iam_preflight.templatetext import TemplateError, TextPlaces, read_text

    pieces = parts_of(value)
    if pieces is None or not isinstance(value, Known):
        return None
    text = text_of(value) or ""
    try:
        for document in read_text(text, TextPlaces(pieces, value.span)):
            return document.root
    except TemplateError:
        return None
    return None


def _parameters(template: Mapping, pack: Resource) -> dict[str, Value]:
    """The template's parameters: what the pack gives, else the defaults."""
    found: dict[str, Value] = {}
    for _, parameters in blocks_of(template.get("Parameters")):
        for name, definition in parameters.entries.items():
            default = definition.get("Default") if isinstance(definition, Mapping) else None
            if default is not None:
                found[name] = default
    for _, block in blocks_of(pack.get("input_parameter")):
        given = text_of(block.get("parameter_name"))
        value = block.get("parameter_value")
        if given and value is not None:
            found[given] = value
    return found


def _resolved(value: Value, parameters: dict[str, Value]) -> Value | None:
    """A parameter of a rule in a pack; `Fn::If` of AWS's sample packs asks whether it is given."""
    if not isinstance(value, Mapping):
        return value
    name = text_of(value.get("Ref"))
    if name is not None:
        return parameters.get(name)
    arms = [item for _, item in items_of(value.get("Fn::If"))]
    return _resolved(arms[1], parameters) if len(arms) == 3 else None
