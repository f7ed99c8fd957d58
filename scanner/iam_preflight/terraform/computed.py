"""What AWS fills in: ARNs, ids and names, and what data sources answer without being asked.

The facts are in knowledge/data/terraform_attributes.json.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.knowledge.names import (
    PLACEHOLDER,
    PLACES,
    attribute_facts,
    change_of,
    default_of,
    left_out,
)
from iam_preflight.values import (
    Fragment,
    Json,
    Known,
    Mapping,
    Reason,
    Reference,
    Unknown,
    Value,
    arms_of,
    choice,
    is_null,
    join_parts,
    parts_of,
    show,
    text_of,
    with_reference,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from iam_preflight.resources import Provider
    from iam_preflight.source import Span
    from iam_preflight.terraform.resources import BlockEntries

_PARTITIONS = (("cn-", "aws-cn"), ("us-gov-", "aws-us-gov"), ("us-iso-", "aws-iso"))
_SUFFIXES = {"aws-cn": "amazonaws.com.cn", "aws-iso": "c2s.ic.gov"}

Pieces = list["Fragment | Unknown"]


def is_filled_in(entries: BlockEntries, name: str) -> bool:
    """Whether AWS gives the attribute a value where the configuration leaves it null."""
    facts = attribute_facts()
    templates = (facts.data if entries.is_data else facts.types).get(entries.type, {})
    if name in templates or default_of(entries.type, name) is not None:
        return True
    return f"{name}_prefix" in entries or any(
        f"{{{name}}}" in template for template in templates.values()
    )


def computed_attribute(entries: BlockEntries, name: str, span: Span) -> Value:
    """An attribute that is not written: a default, text built from others, or a hole."""
    facts = attribute_facts()
    address, resource_type = entries.address, entries.type
    if entries.is_data:
        found = _answer(entries, name, span)
        if found is not None:
            return found
    same = facts.same.get(resource_type, {}).get(name)
    if same is not None and same in entries:
        return entries.attribute(same, span)
    if not entries.is_data:
        default = default_of(resource_type, name)
        if default is not None:
            return Known(default, span, (), Reference(address, name))
        if name == "tags_all":
            return _all_tags(entries, span)
        prefixed = _prefixed(entries, name, span)
        if prefixed is not None:
            return prefixed
    templates = (facts.data if entries.is_data else facts.types).get(resource_type, {})
    template = templates.get(name)
    if template is not None and (name in PLACES or template != f"{{{name}}}"):
        parts = _filled(template, entries, span)
        return with_reference(join_parts(parts, span), Reference(address, name))
    return _hole(entries, name, span)


def _hole(entries: BlockEntries, name: str, span: Span) -> Unknown:
    reason = Reason.DATA if entries.is_data else Reason.COMPUTED
    if entries.is_data and entries.type == "terraform_remote_state":
        reason = Reason.REMOTE
    reference = Reference(entries.address, name)
    return Unknown(reason, f"{entries.address}.{name}", span, reference)


def _prefixed(entries: BlockEntries, name: str, span: Span) -> Value | None:
    """`name_prefix` with what the provider puts behind it."""
    prefix = entries.get(f"{name}_prefix")
    parts = parts_of(prefix) if prefix is not None and not is_null(prefix) else None
    if parts is None:
        return None
    joined = join_parts([*parts, _hole(entries, name, span)], span)
    return with_reference(joined, Reference(entries.address, name))


def _all_tags(entries: BlockEntries, span: Span) -> Value:
    """The tags of the provider with those of the resource over them."""
    merged: dict[str, Value] = {}
    rest: Value | None = None
    for tags in (entries.provider.default_tags, entries.get("tags")):
        if isinstance(tags, Mapping):
            merged.update((key, tags.entries[key]) for key in tags.entries)
            rest = tags.rest if tags.rest is not None else rest
        elif tags is not None and not is_null(tags):
            rest = tags
    return Mapping(merged, span, None, rest, is_map=True)


# ---------------------------------------------------------------- templates


def _filled(template: str, entries: BlockEntries, span: Span) -> Pieces:
    parts: Pieces = []
    at = 0
    for found in PLACEHOLDER.finditer(template):
        parts.append(Fragment(template[at : found.start()], span))
        parts.extend(_placeholder(found[1], entries, span))
        at = found.end()
    parts.append(Fragment(template[at:], span))
    return parts


def _placeholder(name: str, entries: BlockEntries, span: Span) -> Pieces:
    if name in PLACES:
        return place_parts(name, entries.provider, span, entries.get("region"))
    if name == "unique":
        return [_hole(entries, "id", span)]
    value = entries.attribute(name, span)
    parts = parts_of(value)
    if parts is None:
        return [_hole(entries, name, span)]
    change = change_of(entries.type, name, is_data=entries.is_data)
    return _changed(change, list(parts), entries, span) if change else list(parts)


def _changed(change: str, parts: Pieces, entries: BlockEntries, span: Span) -> Pieces:
    """What AWS does to an argument before it goes into an ARN."""
    from iam_preflight.terraform.functions.text import cut

    head = parts[0]
    if change.startswith("under "):
        above = entries.attribute(change.removeprefix("under "), span)
        pieces = parts_of(above)
        if pieces is None or text_of(above) == "default":
            return parts
        return [*pieces, Fragment("/", span), *parts]
    taken = left_out(change, head.text) if isinstance(head, Fragment) else 0
    if isinstance(head, Fragment) and taken:
        rest = cut(head, taken, 0)
        return [rest, *parts[1:]] if rest.text else parts[1:]
    return parts


# ---------------------------------------------------------------- account, region, partition


def place_parts(
    name: str, provider: Provider, span: Span, written_region: Value | None = None
) -> Pieces:
    """The account, region, partition or domain that is deployed to, as parts of an ARN."""
    match name:
        case "account":
            return _account(provider, span)
        case "region":
            region = _region(provider, written_region)
            return list(region) if region else [Unknown(Reason.REGION, "region", span)]
        case "dns_suffix":
            partition = _partition(provider, written_region)
            return [Fragment(_SUFFIXES.get(partition or "", "amazonaws.com"), span)]
        case _:
            known = _partition(provider, written_region)
            hole = Unknown(Reason.PARTITION, "partition", span)
            return [Fragment(known, span) if known is not None else hole]


def _account(provider: Provider, span: Span) -> Pieces:
    if provider.account_id is not None:
        return [Fragment(provider.account_id, span)]
    role = provider.role_arn
    if role is not None:
        section = _section(parts_of(role) or (), 4)
        if section:
            return section
    return [Unknown(Reason.ACCOUNT, "account", span)]


def _section(parts: Sequence[Fragment | Unknown], number: int) -> Pieces:
    """One section of an ARN in parts; empty when the text does not reach that far."""
    sections: list[Pieces] = [[]]
    for part in parts:
        if isinstance(part, Unknown):
            sections[-1].append(part)
            continue
        for i, text in enumerate(part.text.split(":")):
            if i:
                sections.append([])
            if text:
                sections[-1].append(Fragment(text, part.span, part.sensitive))
    return sections[number] if len(sections) > number + 1 else []


def _region(provider: Provider, written: Value | None) -> tuple[Fragment | Unknown, ...] | None:
    """The region: of the resource itself (provider version 6), else of the provider."""
    for value in (written, provider.get("region")):
        if value is not None and not is_null(value):
            parts = parts_of(value)
            if parts is not None:
                return parts
    return None


def _partition(provider: Provider, written_region: Value | None) -> str | None:
    parts = _region(provider, written_region)
    if not parts or not isinstance(parts[0], Fragment):
        return None
    for prefix, partition in _PARTITIONS:
        if parts[0].text.startswith(prefix):
            return partition
    return "aws"


# ---------------------------------------------------------------- data sources


def _answer(entries: BlockEntries, name: str, span: Span) -> Value | None:
    """What a data source answers for certain; None where the facts or a hole must do."""
    special = _ANSWERS.get(entries.type)
    return special(entries, name, span) if special is not None else None


def _policy_document(entries: BlockEntries, name: str, _span: Span) -> Value | None:
    if name not in ("json", "minified_json"):
        return None
    from iam_preflight.terraform.documents import policy_document

    if entries.document is None:
        document = policy_document(Mapping(entries, entries.span, entries.key_spans))
        entries.document = Json(document, entries.span, Reference(entries.address, "json"))
    return entries.document


def _iam_policy(entries: BlockEntries, name: str, span: Span) -> Value | None:
    """A policy by its ARN or name: AWS's own is known, whose path is shipped."""
    from iam_preflight.knowledge.managed import managed_policies

    arn = entries.get("arn")
    if name == "policy":
        wanted = entries.get("name") if arn is None or is_null(arn) else arn
        asked = show(wanted).rpartition(":policy/")[2]
        document = managed_policies().get(asked)
        value = document.value if document is not None else None
        return Json(value, value.span) if value is not None else None
    if arn is not None and not is_null(arn) and name == "id":
        return arn
    if name not in ("arn", "id"):
        return None
    wanted = entries.get("name")
    text = text_of(wanted)
    parts = parts_of(wanted) if wanted is not None else None
    if parts is None:
        return None
    managed = managed_policies().arn(text) if text is not None else None
    head: Pieces = [Fragment("arn:", span), *place_parts("partition", entries.provider, span)]
    if managed is not None:
        tail = managed.partition(":iam::aws:policy/")[2]
        return join_parts([*head, Fragment(f":iam::aws:policy/{tail}", span)], span)
    account = place_parts("account", entries.provider, span)
    path = parts_of(entries.get("path_prefix") or Known(None, span))
    between: Pieces = list(path) if path else [_hole(entries, "path", span)]
    middle = [Fragment(":iam::", span), *account, Fragment(":policy", span)]
    return join_parts([*head, *middle, *between, *parts], span)


def _arn(entries: BlockEntries, name: str, span: Span) -> Value | None:
    fields = ("partition", "service", "region", "account", "resource")
    arn = entries.get("arn")
    parts = parts_of(arn) if arn is not None else None
    if name not in fields or parts is None:
        return None
    if name == "resource":
        text = text_of(arn)
        return Known(text.split(":", 5)[-1], span) if text is not None else None
    section = _section(parts, fields.index(name) + 1)
    return join_parts(section, span) if section else Known("", span)


def _default_tags(entries: BlockEntries, name: str, span: Span) -> Value | None:
    if name != "tags":
        return None
    return entries.provider.default_tags or Mapping({}, span)


def _template_file(entries: BlockEntries, name: str, span: Span) -> Value | None:
    if name != "rendered" or "template" not in entries or entries.scope is None:
        return None
    from iam_preflight.terraform.functions.files import render_text

    variables = entries.get("vars")
    given = variables if isinstance(variables, Mapping) else Mapping({}, span)
    arms = []
    for assumptions, template in arms_of(entries["template"]):
        rendered = render_text(template, given, entries.scope, span)
        if rendered is None:
            rendered = template if isinstance(template, Unknown) else _hole(entries, name, span)
        arms.append((assumptions, rendered))
    return choice(arms, span)


def _local_file(entries: BlockEntries, name: str, _span: Span) -> Value | None:
    path = text_of(entries.get("filename"))
    if name != "content" or path is None or entries.scope is None:
        return None
    source = entries.scope.frame.read_file(path)
    if source is None:
        return None
    text = source.data.decode("utf-8", "replace")
    return Known(text, source.whole(), (Fragment(text, source.whole()),))


_ANSWERS: dict[str, Callable[[BlockEntries, str, Span], Value | None]] = {
    "aws_arn": _arn,
    "aws_default_tags": _default_tags,
    "aws_iam_policy": _iam_policy,
    "aws_iam_policy_document": _policy_document,
    "local_file": _local_file,
    "template_file": _template_file,
}
