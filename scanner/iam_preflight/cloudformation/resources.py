"""Resources of a stack in Terraform's names: attributes, return values, derived resources.

A property becomes the attribute that `names` says, its nested objects as well; a policy document
and a map with the user's own keys stay as they are; a list of `Key`/`Value` tags becomes a map.
Beside the properties a resource has `metadata` (its `Metadata`, unchanged) and, where CDK wrote
it, `construct_path`: the construct that it was made from.

Where Terraform has several resources for what CloudFormation writes as one, there are several,
all with the same address (the logical id), the same `native_type` and Terraform's types:

- `AWS::IAM::Policy` is one `aws_iam_role_policy`, `aws_iam_user_policy` or
  `aws_iam_group_policy` for each of its Roles, Users and Groups
- `AWS::IAM::ManagedPolicy` is an `aws_iam_policy` and one attachment for each role, user, group
- `AWS::IAM::User` and `AWS::IAM::Group` are themselves, and their inline policies, attachments,
  memberships and login profile; `AWS::IAM::Role` keeps its policies as `inline_policy` and
  `managed_policy_arns`
- a bucket's public access block, encryption, versioning and the like, the policies of tables,
  repositories and queues, the assignments of permission sets: see the data file

A derived resource that is there only in some alternative carries the assumptions of that one.
"""

from __future__ import annotations

import functools
import json
import re
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from iam_preflight.cloudformation.intrinsics import evaluate, expand
from iam_preflight.cloudformation.names import SPREAD, Derived, TypeNames, names_of, snake_case
from iam_preflight.cloudformation.scope import function_of
from iam_preflight.cloudformation.texts import common_text, placed
from iam_preflight.knowledge.names import change_of, default_of, identifying, left_out
from iam_preflight.knowledge.reading import read_bytes
from iam_preflight.values import (
    Absent,
    Assumptions,
    Choice,
    Fragment,
    Known,
    LazyEntries,
    Listing,
    Mapping,
    Reason,
    Reference,
    Unknown,
    Value,
    arms_of,
    as_name,
    choice,
    is_null,
    items_of,
    join_parts,
    parts_of,
    show,
    with_reference,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from iam_preflight.cloudformation.scope import Scope
    from iam_preflight.source import Span

_PLACEHOLDER = re.compile(r"\{(\w+)\}")
_PSEUDO = {"partition": "AWS::Partition", "region": "AWS::Region", "account": "AWS::AccountId"}


@functools.cache
def _facts() -> dict[str, Any]:
    facts: dict[str, Any] = json.loads(read_bytes("terraform_attributes.json"))
    return facts


class Definition(Struct, frozen=True):
    """One entry of the Resources section, as written."""

    logical_id: str
    native_type: str
    raw: Mapping
    header: Span
    scope: Scope
    assumptions: Assumptions = ()
    construct_path: Known | None = None
    kind: str = ""
    """The CloudFormation type it is handled as: what a SAM type becomes."""

    @property
    def span(self) -> Span:
        """From the logical id to the end of the definition."""
        inner, header = self.raw.span, self.header
        if inner.source is header.source and header.start <= inner.end:
            return type(header)(header.source, header.start, inner.end)
        return inner


class DerivedResource(Struct, frozen=True):
    """A resource of Terraform's, cut out of a definition."""

    type: str
    attributes: Mapping
    header: Span
    span: Span
    assumptions: Assumptions


class Node:
    """A resource of a stack: its attributes on demand, and what Ref and GetAtt give."""

    __slots__ = ("address", "attributes", "definition", "names", "properties")

    def __init__(self, definition: Definition, address: str) -> None:
        self.definition = definition
        self.address = address
        self.names: TypeNames = names_of(definition.kind)
        self.properties = Properties(definition)
        self.attributes = _attributes(self)

    def ref(self, span: Span) -> Value:
        """What `Ref` gives."""
        return self.attribute(self.names.ref, self.address, span)

    def get_att(self, attribute: str, span: Span) -> Value:
        """What `Fn::GetAtt` gives."""
        name = self.names.returned(attribute)
        text = self.names.texts.get(attribute)
        if text is not None:
            return with_reference(self._filled(text, span), Reference(self.address, name))
        return self.attribute(name, f"{self.address}.{attribute}", span)

    def attribute(self, name: str, label: str, span: Span) -> Value:
        """An attribute by Terraform's name: as written, worked out from the name, or a hole."""
        reference = Reference(self.address, name)
        entries = self.attributes.entries
        if name in entries:
            written = entries[name]
            if not is_null(written):
                value = placed(common_text(written), span)
                if name in identifying(self.names.type):
                    value = as_name(value)
                return with_reference(value, reference)
        default = default_of(self.names.type, name)
        if default is not None:
            return Known(default, span, reference=reference)
        template = _facts()["types"].get(self.names.type, {}).get(name)
        if template is None or template == "{" + name + "}":
            return Unknown(Reason.COMPUTED, label, span, reference)
        return with_reference(self._filled(template, span), reference)

    def _filled(self, template: str, span: Span) -> Value:
        parts: list[Fragment | Unknown] = []
        at = 0
        for found in _PLACEHOLDER.finditer(template):
            parts.append(Fragment(template[at : found.start()], span))
            parts.extend(self._placeholder(found[1], span))
            at = found.end()
        parts.append(Fragment(template[at:], span))
        return join_parts(parts, span)

    def _placeholder(self, name: str, span: Span) -> list[Fragment | Unknown]:
        scope = self.definition.scope
        label = f"{self.address}.{name}"
        if name in _PSEUDO:
            value = scope.frame.ref(_PSEUDO[name], span, scope)
        elif name == "unique":
            return [Unknown(Reason.COMPUTED, label, span, Reference(self.address, "id"))]
        else:
            value = self.attribute(name, label, span)
        parts = list(parts_of(value) or (Unknown(Reason.COMPUTED, self.address, span),))
        change = change_of(self.names.type, name)
        return self._changed(change, parts, span) if change else parts

    def _changed(
        self, change: str, parts: list[Fragment | Unknown], span: Span
    ) -> list[Fragment | Unknown]:
        """What AWS does to a property before it goes into an ARN."""
        if change.startswith("under "):
            above = self._placeholder(change.removeprefix("under "), span)
            is_default = [part.text for part in above if isinstance(part, Fragment)] == ["default"]
            return parts if is_default else [*above, Fragment("/", span), *parts]
        first = parts[0]
        if isinstance(first, Fragment):
            parts[0] = replace(first, text=first.text[left_out(change, first.text) :])
        return parts

    def derived(self) -> Iterator[DerivedResource]:
        """The resources of Terraform's that are written inside this one."""
        found = False
        for rule in self.names.derived:
            for resource in _derive(self, rule):
                found = True
                yield resource
        if not found and not self.names.type and self.names.derived[0].copy:
            # nothing says who holds the policy: it is still a policy
            yield from _derive(self, replace(self.names.derived[0], source="", is_each=False))


# ---------------------------------------------------------------- attributes


class Properties:
    """What stands under `Properties`, loops and includes written out, each evaluated once."""

    __slots__ = ("evaluated", "keys", "raw", "rest")

    def __init__(self, definition: Definition) -> None:
        self.keys: dict[str, Span] = {}
        self.raw: dict[str, Value] = {}
        self.rest: Value | None = None
        pending: dict[str, Callable[[], Value]] = {}
        for name, key, item, scope in self._expanded(definition):
            if name is None:
                self.rest = item
            else:
                self.keys[name] = key
                self.raw[name] = item
                pending[name] = functools.partial(evaluate, item, scope)
        self.evaluated = LazyEntries(pending)

    def _expanded(self, definition: Definition) -> Iterator[tuple[str | None, Span, Value, Scope]]:
        raw = definition.raw.get("Properties")
        function = function_of(raw)
        if raw is not None and function is not None and function[0] != "Fn::Transform":
            raw = evaluate(raw, definition.scope)
        if isinstance(raw, Choice):
            raw = _merged(raw)
        if isinstance(raw, Mapping):
            self.rest = raw.rest
            yield from expand(raw, definition.scope)
        elif raw is not None and not is_null(raw):
            yield None, raw.span, raw, definition.scope


def _attributes(node: Node) -> Mapping:
    """The attributes of a resource, each worked out when somebody asks for it."""
    definition, names, properties = node.definition, node.names, node.properties
    evaluated = properties.evaluated
    pending: dict[str, Callable[[], Value]] = {}
    key_spans: dict[str, Span] = {}
    naming = identifying(names.type)

    def add(attribute: str, key: Span, work: Callable[[], Value]) -> None:
        if not attribute:
            return
        if attribute in naming:
            # a thing has one name: where there are several, what they share and a hole
            work = functools.partial(_one_text, work)
        if attribute in pending:
            work = functools.partial(_first_written, pending[attribute], work)
        pending[attribute] = work
        key_spans.setdefault(attribute, key)

    for name, raw in properties.raw.items():
        key = properties.keys[name]
        target = names.attributes.get(name, snake_case(name))
        is_plain = isinstance(raw, Mapping) and function_of(raw) is None
        for child, attribute in _lifted(name, raw if is_plain else None, target, names):
            add(attribute, key, functools.partial(_child, evaluated, name, child, names))
        if target != SPREAD:
            add(target, key, functools.partial(_renamed, evaluated, name, names))
    metadata = definition.raw.get("Metadata")
    if metadata is not None:
        key = definition.raw.key_span("Metadata")
        add("metadata", key, functools.partial(evaluate, metadata, definition.scope))
    construct = definition.construct_path
    if construct is not None:
        add("construct_path", construct.span, functools.partial(_same, construct))
    reference = Reference(node.address, "")
    return Mapping(LazyEntries(pending), definition.span, key_spans, properties.rest, reference)


def _lifted(
    name: str, raw: Value | None, target: str, names: TypeNames
) -> Iterator[tuple[str, str]]:
    """Which entries of a property's object are attributes of the resource itself."""
    known = names.lifted.get(name, {})
    for child, attribute in known.items():
        if not isinstance(raw, Mapping) or child.partition(".")[0] in raw.entries:
            yield child, attribute
    if target == SPREAD and isinstance(raw, Mapping):
        for child in raw.entries:
            if child not in known:
                yield child, snake_case(child)


def _first_written(first: Callable[[], Value], second: Callable[[], Value]) -> Value:
    value = first()
    return second() if is_null(value) else value


def _one_text(work: Callable[[], Value]) -> Value:
    return common_text(work())


def _merged(value: Choice) -> Value:
    """Objects in several alternatives as one object whose entries have alternatives."""
    objects = [(given, arm) for given, arm in value.arms if isinstance(arm, Mapping)]
    names = dict.fromkeys(name for _, arm in objects for name in arm.entries)
    entries: dict[str, Value] = {}
    for name in names:
        arms: list[tuple[Assumptions, Value]] = [
            (given, arm.entries.get(name) or Absent(None, arm.span)) for given, arm in objects
        ]
        entries[name] = choice(arms, value.span)
    return Mapping(entries, value.span)


def _renamed(evaluated: LazyEntries, name: str, names: TypeNames) -> Value:
    value = evaluated[name]
    if name == "Tags":
        return tags_from(value)
    return rename(value, name, names)


def _child(evaluated: LazyEntries, name: str, child: str, names: TypeNames) -> Value:
    """One entry of a property's object; null where it is not there."""
    value = evaluated[name]
    found = _descend(value, child.split("."))
    if found is None:
        return Absent(None, value.span)
    if child.rpartition(".")[2] == "Tags":
        return tags_from(found)
    return rename(found, f"{name}.{child}", names)


def _descend(value: Value, path: list[str]) -> Value | None:
    if not path:
        return value
    match value:
        case Mapping(entries=entries):
            inner = entries.get(path[0])
            return None if inner is None else _descend(inner, path[1:])
        case Choice(arms=arms, span=span):
            return choice(
                [(given, _descend(arm, path) or Absent(None, span)) for given, arm in arms], span
            )
        case Listing(items=items, rest=rest):
            found = [inner for item in items if (inner := _descend(item, path)) is not None]
            further = _descend(rest, path) if rest is not None else None
            return replace(value, items=tuple(found), rest=further)
        case Unknown():
            return replace(value, label=f"{value.label}.{path[0]}"[:80], origin="")
        case _:
            return None


def rename(value: Value, path: str, names: TypeNames) -> Value:
    """Nested objects with their keys in Terraform's spelling."""
    match value:
        case Listing(items=items, rest=rest):
            if not items and rest is None:
                return value
            renamed = tuple(rename(item, path, names) for item in items)
            further = rename(rest, path, names) if rest is not None else None
            return replace(value, items=renamed, rest=further)
        case Choice(arms=arms, span=span):
            return Choice(tuple((given, rename(arm, path, names)) for given, arm in arms), span)
        case Mapping(entries=entries):
            if "Statement" in entries or path in names.maps:
                return value
            renamed_entries: dict[str, Value] = {}
            key_spans: dict[str, Span] = {}
            for name in entries:
                inner = f"{path}.{name}"
                target = names.attributes.get(inner, "")
                key = target[1:] if target.startswith(".") else snake_case(name)
                item = entries[name]
                is_tags = name == "Tags" and isinstance(item, Listing)
                renamed_entries[key] = tags_from(item) if is_tags else rename(item, inner, names)
                key_spans[key] = value.key_span(name)
            return replace(value, entries=renamed_entries, key_spans=key_spans)
        case _:
            return value


def tags_from(value: Value) -> Value:
    """`[{Key, Value}]` as a map; a map of tags stays as it is."""
    match value:
        case Choice(arms=arms, span=span):
            return Choice(tuple((given, tags_from(arm)) for given, arm in arms), span)
        case Listing(items=items, span=span, rest=rest):
            entries: dict[str, Value] = {}
            key_spans: dict[str, Span] = {}
            for item in items:
                rest = _add_tags(item, entries, key_spans) or rest
            return Mapping(entries, span, key_spans, rest)
        case _:
            return value


def _add_tags(item: Value, entries: dict[str, Value], key_spans: dict[str, Span]) -> Value | None:
    """The tag that an item is, in each of its alternatives; gives back what is not known."""
    arms = list(arms_of(item))
    further: Value | None = None
    keys: dict[str, Span] = {}
    for _, arm in arms:
        if isinstance(arm, Mapping) and "Key" in arm.entries:
            keys.setdefault(show(arm.entries["Key"]), arm.entries["Key"].span)
        elif isinstance(arm, Unknown):
            further = arm
    for key, span in keys.items():
        values: list[tuple[Assumptions, Value]] = []
        for given, arm in arms:
            is_here = isinstance(arm, Mapping) and show(arm.get("Key")) == key
            found = arm.get("Value") if is_here and isinstance(arm, Mapping) else None
            values.append((given, found if found is not None else Absent(None, arm.span)))
        entries[key] = choice(values, item.span)
        key_spans[key] = span
    return further


# ---------------------------------------------------------------- derived resources


def _same(value: Value) -> Value:
    return value


def _derive(node: Node, rule: Derived) -> Iterator[DerivedResource]:
    scope = node.definition.scope
    if not rule.source:
        yield _derived(node, rule, None, node.definition.header, ())
        return
    head, *path = rule.source.split(".")
    if head not in node.properties.raw:
        return
    key = node.properties.keys[head]
    value = _descend(node.properties.evaluated[head], path)
    if value is None:
        return
    arms = items_of(value) if rule.is_each else arms_of(value)
    for given, arm in arms:
        if not is_null(arm) and scope.can_hold(given):
            yield _derived(node, rule, arm, key, given)


def _derived(
    node: Node, rule: Derived, item: Value | None, key: Span, given: Assumptions
) -> DerivedResource:
    definition, properties = node.definition, node.properties
    is_part = bool(node.names.type)
    header = key if is_part else definition.header
    span = item.span if is_part and item is not None else definition.span
    pending: dict[str, Callable[[], Value]] = {}
    key_spans: dict[str, Span] = {}
    if rule.own:
        attribute = rule.own_attribute or node.names.ref
        pending[rule.own] = functools.partial(node.attribute, attribute, node.address, header)
    if rule.statement and item is not None:
        document = Mapping({"Statement": item}, item.span, {"Statement": key})
        pending[rule.statement] = functools.partial(_same, document)
    elif rule.item and item is not None:
        pending[rule.item] = functools.partial(rename, item, rule.source, node.names)
    elif isinstance(item, Mapping):
        for name in item.entries:
            target = rule.attributes.get(name, snake_case(name))
            inner = f"{rule.source}.{name}"
            pending[target] = functools.partial(rename, item.entries[name], inner, node.names)
            key_spans[target] = item.key_span(name)
    for name, target in rule.copy.items():
        if name in properties.raw:
            pending[target] = functools.partial(_renamed, properties.evaluated, name, node.names)
            key_spans[target] = properties.keys[name]
    reference = Reference(node.address, "")
    mapping = Mapping(LazyEntries(pending), span, key_spans, None, reference)
    return DerivedResource(rule.type, mapping, header, span, given)
