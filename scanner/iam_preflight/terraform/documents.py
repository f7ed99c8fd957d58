"""`data.aws_iam_policy_document` as the provider renders it, with a span under every element.

https://registry.terraform.io/providers/hashicorp/aws/latest/docs/data-sources/iam_policy_document
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.jsontext import JsonError, parse_json
from iam_preflight.values import (
    Known,
    Listing,
    Mapping,
    Unknown,
    Value,
    arms_of,
    blocks_of,
    choice,
    either,
    is_null,
    items_of,
    text_of,
)

if TYPE_CHECKING:
    from iam_preflight.source import Span
    from iam_preflight.values import Assumptions

DEFAULT_VERSION = "2012-10-17"


def policy_document(block: Mapping) -> Value:
    """The document of one data block: own statements, merged sources, overrides by Sid."""
    span = block.span
    version = block.get("version")
    statements: list[Value] = []
    rest: Value | None = None
    for sources in ("source_policy_documents", "source_json"):
        for _, source in items_of(block.get(sources)):
            rest = _append(statements, source, rest)
    own = block.get("statement")
    if isinstance(own, Listing):
        statements.extend(_statement(item) for item in own.items)
        if own.rest is not None:
            rest = either(rest, _statement(own.rest))
    for overrides in ("override_policy_documents", "override_json"):
        for _, override in items_of(block.get(overrides)):
            rest = _override(statements, override, rest)
    entries: dict[str, Value] = {
        "Version": version
        if version is not None and not is_null(version)
        else Known(DEFAULT_VERSION, span)
    }
    policy_id = block.get("policy_id")
    if policy_id is not None and not is_null(policy_id):
        entries["Id"] = policy_id
    entries["Statement"] = Listing(tuple(statements), span, rest)
    return Mapping(entries, span)


def _document_statements(document: Value) -> tuple[list[Value], Value | None]:
    """The statements of a document given as JSON, and what stands for more of them."""
    if isinstance(document, Unknown):
        return [], document
    try:
        parsed = parse_json(document)
    except JsonError:
        return [], None
    if not isinstance(parsed, Mapping):
        return [], parsed if isinstance(parsed, Unknown) else None
    statement = parsed.get("Statement")
    match statement:
        case Listing(items=items, rest=rest):
            return list(items), rest
        case None:
            return [], None
        case _:
            return [statement], None


def _append(statements: list[Value], source: Value, rest: Value | None) -> Value | None:
    more, further = _document_statements(source)
    statements.extend(more)
    return either(rest, further)


def _override(statements: list[Value], override: Value, rest: Value | None) -> Value | None:
    more, further = _document_statements(override)
    for statement in more:
        sid = text_of(statement.get("Sid")) if isinstance(statement, Mapping) else None
        for i, existing in enumerate(statements):
            if sid and isinstance(existing, Mapping) and text_of(existing.get("Sid")) == sid:
                statements[i] = statement
                break
        else:
            statements.append(statement)
    return either(rest, further)


def _statement(block: Value) -> Value:
    if not isinstance(block, Mapping):
        arms = (
            [(given, _statement(arm)) for given, arm in arms_of(block)]
            if not isinstance(block, Unknown | Known)
            else []
        )
        return choice(arms, block.span) if arms else block
    entries: dict[str, Value] = {}
    key_spans: dict[str, Span] = {}

    def put(target: str, source: str, value: Value | None) -> None:
        if value is None or is_null(value):
            return
        if isinstance(value, Listing) and not value.items and value.rest is None:
            return
        entries[target] = value
        key_spans[target] = block.key_span(source)

    sid = block.get("sid")
    if sid is not None and text_of(sid) != "":
        put("Sid", "sid", sid)
    effect = block.get("effect")
    entries["Effect"] = (
        effect if effect is not None and not is_null(effect) else Known("Allow", block.span)
    )
    put("Action", "actions", block.get("actions"))
    put("NotAction", "not_actions", block.get("not_actions"))
    put("Resource", "resources", block.get("resources"))
    put("NotResource", "not_resources", block.get("not_resources"))
    put("Principal", "principals", _principals(block.get("principals")))
    put("NotPrincipal", "not_principals", _principals(block.get("not_principals")))
    put("Condition", "condition", _conditions(block.get("condition")))
    return Mapping(entries, block.span, key_spans)


def _principals(blocks: Value | None) -> Value | None:
    if blocks is None:
        return None
    merged: dict[str, list[Value]] = {}
    spans: dict[str, Span] = {}
    for _, block in blocks_of(blocks):
        kind = text_of(block.get("type")) or "AWS"
        for _, identifier in items_of(block.get("identifiers")):
            merged.setdefault(kind, []).append(identifier)
        spans.setdefault(kind, block.span)
    if set(merged) == {"*"}:
        return Known("*", merged["*"][0].span)
    entries: dict[str, Value] = {
        kind: Listing(tuple(values), spans[kind]) for kind, values in merged.items()
    }
    return Mapping(entries, blocks.span) if entries else None


def _conditions(blocks: Value | None) -> Value | None:
    if blocks is None:
        return None
    merged: dict[str, dict[str, list[tuple[Assumptions, Value]]]] = {}
    for given, block in blocks_of(blocks):
        test = text_of(block.get("test"))
        key = text_of(block.get("variable"))
        if test is None or key is None:
            continue
        values = merged.setdefault(test, {}).setdefault(key, [])
        values.extend(items_of(block.get("values"), given))
    if not merged:
        return None
    span = blocks.span
    return Mapping(
        {
            test: Mapping(
                {
                    key: Listing(
                        tuple(value for _, value in values), values[0][1].span if values else span
                    )
                    for key, values in keys.items()
                },
                span,
            )
            for test, keys in merged.items()
        },
        span,
    )
