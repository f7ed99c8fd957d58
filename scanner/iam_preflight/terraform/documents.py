"""`data.aws_iam_policy_document` as the provider renders it, with a place under every element.

The order of merging is the provider's: sources, then the statements written here, then
overrides; a statement with a Sid takes the place of an earlier one with the same Sid. What is
unknown stays a hole beside the rest, what depends on a condition stays labelled with it.
https://registry.terraform.io/providers/hashicorp/aws/latest/docs/data-sources/iam_policy_document
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from msgspec import Struct, field
from msgspec.structs import replace

from iam_preflight.jsontext import JsonError, parse_json
from iam_preflight.knowledge.policy_blocks import OVERRIDES, SOURCES
from iam_preflight.terraform import types
from iam_preflight.terraform.equality import unique
from iam_preflight.values import (
    Absent,
    Choice,
    Fragment,
    Known,
    Listing,
    Mapping,
    Reason,
    Text,
    Unknown,
    Value,
    arms_of,
    choice,
    combine,
    conditional,
    either,
    is_conditional,
    is_null,
    join_parts,
    show,
    text_of,
    under,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from iam_preflight.source import Span
    from iam_preflight.values import Assumptions

DEFAULT_VERSION = "2012-10-17"

ELEMENTS = {
    "sid": "Sid",
    "effect": "Effect",
    "action": "Action",
    "notaction": "NotAction",
    "resource": "Resource",
    "notresource": "NotResource",
    "principal": "Principal",
    "notprincipal": "NotPrincipal",
    "condition": "Condition",
}
"""The elements of a statement in JSON; Go finds them whatever their case, and drops others."""


def policy_document(block: Mapping) -> Value:
    """The document of one data block."""
    merging = _Merging(block.span)
    for argument in SOURCES:
        for given, source in _listed(block.get(argument)):
            merging.add_json(source, given)
    merging.add_own(block)
    for argument in OVERRIDES:
        for given, override in _listed(block.get(argument)):
            merging.add_json(override, given)
    return merging.document()


def _listed(value: Value | None, given: Assumptions = ()) -> Iterator[tuple[Assumptions, Value]]:
    """The items of a list (or the one value), each alternative on its own; nulls are skipped."""
    if value is None:
        return
    for assumptions, arm in arms_of(value, given):
        if is_null(arm):
            continue
        if isinstance(arm, Listing):
            for item in arm.items:
                yield from _listed(item, assumptions)
            if arm.rest is not None:
                yield from _listed(arm.rest, assumptions)
        else:
            yield assumptions, arm


class _Merging(Struct):
    """The document so far."""

    span: Span
    statements: list[Value] = field(default_factory=list)
    rest: Value | None = None
    version: Value | None = None
    policy_id: Value | None = None

    def add_own(self, block: Mapping) -> None:
        version = block.get("version")
        if version is None or is_null(version):
            version = Known(DEFAULT_VERSION, self.span)
        self._adopt(version, block.get("policy_id"))
        written = block.get("statement")
        for item in _items(written):
            self._merge(_own_statement(item))
        further = written.rest if isinstance(written, Listing) else None
        if further is not None:
            self.rest = either(self.rest, _own_statement(further))
        elif isinstance(written, Unknown):
            self.rest = either(self.rest, written)

    def add_json(self, text: Value, given: Assumptions) -> None:
        """Merges a document given as JSON, under assumptions."""
        if isinstance(text, Unknown):
            self.rest = either(self.rest, under(text, given))
            return
        if text_of(text) == "":
            return
        try:
            parsed = parse_json(text)
        except JsonError as error:
            hole = Unknown(Reason.ERROR, f"not JSON: {error.message}", text.span)
            self.rest = either(self.rest, under(hole, given))
            return
        for more, document in arms_of(parsed, given):
            if isinstance(document, Mapping):
                self._add_document(document, more)
            elif isinstance(document, Unknown):
                self.rest = either(self.rest, under(document, more))

    def _add_document(self, document: Mapping, given: Assumptions) -> None:
        entries = {key.lower(): document.entries[key] for key in document.entries}
        self._adopt(entries.get("version"), entries.get("id"))
        for more, arm in arms_of(entries.get("statement") or Known(None, self.span), given):
            for item in _items(arm):
                self._merge(conditional(_json_statement(item), more))
            further = arm.rest if isinstance(arm, Listing) else None
            if isinstance(arm, Unknown):
                further = arm
            if further is not None:
                self.rest = either(self.rest, under(_json_statement(further), more))

    def _adopt(self, version: Value | None, policy_id: Value | None) -> None:
        """The latest version wins, and the last id."""
        if version is not None and not is_null(version):
            old, new = text_of(self.version), text_of(version)
            if self.version is None or old is None or (new is not None and new > old):
                self.version = version
        if policy_id is not None and not is_null(policy_id) and text_of(policy_id) != "":
            self.policy_id = policy_id

    def _merge(self, statement: Value) -> None:
        for given, arm in arms_of(statement):
            if isinstance(arm, Absent):
                continue
            sid = _sid(arm)
            if sid and self._replace(sid, arm, given):
                continue
            self.statements.append(conditional(arm, given))

    def _replace(self, sid: str, statement: Value, given: Assumptions) -> bool:
        """Puts a statement in the place of the one with its Sid; False where there is none."""
        for i, existing in enumerate(self.statements):
            arms = list(arms_of(existing))
            if not any(_sid(arm) == sid for _, arm in arms):
                continue
            if len(arms) == 1:
                self.statements[i] = conditional(statement, given, existing)
                return True
            replaced = [
                (more, conditional(statement, given, arm) if _sid(arm) == sid else arm)
                for more, arm in arms
            ]
            self.statements[i] = choice(replaced, existing.span)
            return True
        return False

    def document(self) -> Value:
        entries: dict[str, Value] = {}
        if self.version is not None:
            entries["Version"] = self.version
        if self.policy_id is not None:
            entries["Id"] = self.policy_id
        if self.statements or self.rest is not None:
            entries["Statement"] = Listing(tuple(self.statements), self.span, self.rest)
        return Mapping(entries, self.span)


def _items(value: Value | None) -> Iterator[Value]:
    match value:
        case Listing(items=items):
            yield from items
        case Mapping():
            yield value
        case Choice():
            for given, arm in value.arms:
                for item in _items(arm):
                    yield conditional(item, given)
        case _:
            return


def _sid(statement: Value) -> str | None:
    return text_of(statement.get("Sid")) if isinstance(statement, Mapping) else None


def _each_arm(value: Value, change: Callable[[Value], Value]) -> Value | None:
    """Applies a change to every alternative; None where the value has none."""
    if not isinstance(value, Choice):
        return None
    arms = [(given, arm if isinstance(arm, Absent) else change(arm)) for given, arm in value.arms]
    return choice(arms, value.span)


# ---------------------------------------------------------------- statements in JSON


def _json_statement(value: Value) -> Value:
    """A statement as the provider writes it back: elements it knows, in their own names."""
    split = _each_arm(value, _json_statement)
    if split is not None:
        return split
    if not isinstance(value, Mapping):
        return value
    entries: dict[str, Value] = {}
    key_spans: dict[str, Span] = {}
    for key in value.entries:
        name = ELEMENTS.get(key.lower())
        entry = value.entries[key]
        if name is None:
            if "«" in key:
                entries[key], key_spans[key] = entry, value.key_span(key)
            continue
        if is_null(entry) or (name == "Sid" and text_of(entry) == ""):
            continue
        if name in ("Principal", "NotPrincipal"):
            entry = _json_principals(entry)
        elif name == "Condition":
            entry = _json_conditions(entry)
        entries[name], key_spans[name] = entry, value.key_span(key)
    order = [name for name in (*ELEMENTS.values(), *entries) if name in entries]
    ordered = {name: entries[name] for name in order}
    return replace(value, entries=ordered, key_spans=key_spans)


def _json_principals(value: Value) -> Value:
    split = _each_arm(value, _json_principals)
    if split is not None:
        return split
    if isinstance(value, Known) and isinstance(value.value, str):
        return replace(value, value="*", fragments=())  # any text at all becomes "*"
    if not isinstance(value, Mapping):
        return value
    entries: dict[str, Value] = {}
    for kind in value.entries:
        entry = value.entries[kind]
        if isinstance(entry, Listing):
            entry = replace(entry, items=_backwards(list(entry.items)))
        entries[kind] = entry
    if set(entries) == {"*"} and _only_star(entries["*"]):
        return Known("*", entries["*"].span)
    return replace(value, entries={kind: entries[kind] for kind in sorted(entries)})


def _only_star(value: Value) -> bool:
    if isinstance(value, Listing):
        return value.rest is None and [text_of(item) for item in value.items] == ["*"]
    return text_of(value) == "*"


def _json_conditions(value: Value) -> Value:
    split = _each_arm(value, _json_conditions)
    if split is not None:
        return split
    if not isinstance(value, Mapping):
        return value
    tests: dict[str, Value] = {}
    for test in sorted(value.entries):
        keys = value.entries[test]
        if isinstance(keys, Mapping):
            flat = {key: _flat(_as_text(keys.entries[key])) for key in sorted(keys.entries)}
            tests[test] = replace(keys, entries=flat)
        else:
            tests[test] = keys
    return replace(value, entries=tests)


def _as_text(value: Value) -> Value:
    if isinstance(value, Known) and isinstance(value.value, bool):
        return replace(value, value="true" if value.value else "false")
    return value


# ---------------------------------------------------------------- statements in HCL


def _own_statement(value: Value) -> Value:
    split = _each_arm(value, _own_statement)
    if split is not None:
        return split
    if not isinstance(value, Mapping):
        return value
    writer = _StatementWriter(value)
    sid = value.get("sid")
    if sid is not None and text_of(sid) != "":
        writer.put("Sid", "sid", sid)
    effect = value.get("effect")
    if effect is None or is_null(effect):
        writer.entries["Effect"] = Known("Allow", value.span)
    else:
        writer.put("Effect", "effect", effect)
    writer.put("Action", "actions", _strings(value.get("actions")))
    writer.put("NotAction", "not_actions", _strings(value.get("not_actions")))
    writer.put("Resource", "resources", _strings(value.get("resources"), expands=True))
    writer.put("NotResource", "not_resources", _strings(value.get("not_resources"), expands=True))
    writer.put("Principal", "principals", _principals(value.get("principals")))
    writer.put("NotPrincipal", "not_principals", _principals(value.get("not_principals")))
    writer.put("Condition", "condition", _conditions(value.get("condition")))
    return Mapping(writer.entries, value.span, writer.key_spans)


class _StatementWriter:
    def __init__(self, block: Mapping) -> None:
        self.block = block
        self.entries: dict[str, Value] = {}
        self.key_spans: dict[str, Span] = {}

    def put(self, element: str, argument: str, value: Value | None) -> None:
        if value is None or is_null(value):
            return
        self.entries[element] = value
        self.key_spans[element] = self.block.key_span(argument)


def _strings(value: Value | None, *, expands: bool = False) -> Value | None:
    """A set of strings as the provider writes it: one by itself, several sorted backwards."""
    if value is None or is_null(value):
        return None
    if isinstance(value, Unknown):
        return value
    items, rest = _collected(value, expands=expands)
    if not items and rest is None:
        return None
    return _flat(Listing(_backwards(unique(items)), value.span, rest))


def _backwards(items: list[Value]) -> tuple[Value, ...]:
    known = [item for item in items if text_of(item) is not None]
    others = [item for item in items if text_of(item) is None]
    known.sort(key=lambda item: (text_of(item) or "").encode("utf-8", "replace"), reverse=True)
    return (*known, *others)


def _collected(
    value: Value, given: Assumptions = (), *, expands: bool
) -> tuple[list[Value], Value | None]:
    """The strings in a list, whatever alternatives it has, and what stands for more of them."""
    items: list[Value] = []
    rest: Value | None = None
    for assumptions, arm in arms_of(value, given):
        match arm:
            case Known(value=None):
                continue
            case Listing(items=inner, rest=further):
                for item in inner:
                    items.extend(_leaves(item, assumptions, expands=expands))
                if further is not None:
                    expanded = _expanded(further) if expands else further
                    rest = either(rest, under(expanded, assumptions))
            case Unknown():
                rest = either(rest, under(arm, assumptions))
            case _:
                items.extend(_leaves(arm, assumptions, expands=expands))
    return items, rest


def _leaves(item: Value, given: Assumptions, *, expands: bool) -> Iterator[Value]:
    """An item of a set of strings; where it has alternatives it stays one item."""
    if isinstance(item, Choice):
        arms = [
            (more, arm if is_null(arm) else _string(arm, expands=expands))
            for more, arm in item.arms
        ]
        yield conditional(choice(arms, item.span), given)
    elif not is_null(item):
        yield conditional(_string(item, expands=expands), given)


def _string(value: Value, *, expands: bool) -> Value:
    try:
        value = types.to_primitive(value, types.Kind.STRING)
    except types.ConversionError:
        return value
    return _expanded(value) if expands else value


def _expanded(value: Value) -> Value:
    """`&{aws:username}` is how IAM's own `${aws:username}` is written in HCL."""
    match value:
        case Known(value=str(text), fragments=fragments) if "&{" in text:
            pieces = fragments or (Fragment(text, value.span, value.sensitive),)
            if not any("&{" in piece.text for piece in pieces):
                pieces = (Fragment(text, value.span, value.sensitive),)
        case Text(parts=pieces) if any(
            isinstance(piece, Fragment) and "&{" in piece.text for piece in pieces
        ):
            pass
        case Choice(arms=arms):
            return Choice(tuple((given, _expanded(arm)) for given, arm in arms), value.span)
        case _:
            return value
    changed = [
        replace(piece, text=piece.text.replace("&{", "${"))
        if isinstance(piece, Fragment)
        else piece
        for piece in pieces
    ]
    return replace(join_parts(changed, value.span), reference=value.reference)


class _Gathered(Struct):
    """Values under one key, from one block or several."""

    span: Span
    items: list[Value] = field(default_factory=list)
    rest: Value | None = None
    blocks: int = 0


def _blocks(
    value: Value | None, serialised: Callable[[Mapping], str | None]
) -> Iterator[tuple[Assumptions, Mapping, bool]]:
    """Nested blocks, what has to hold for each, and whether it stands for any number of them.

    They come in the order of the provider's sets: by the checksum of their serialisation.
    """
    found = [
        (given, arm, _checksum(serialised(arm)))
        for item in _items(value)
        for given, arm in arms_of(item)
        if isinstance(arm, Mapping)
    ]
    if len(found) > 1:
        found.sort(key=lambda entry: entry[2])
    for given, block, _ in found:
        yield given, block, False
    rest = value.rest if isinstance(value, Listing) else None
    if rest is not None:
        for given, arm in arms_of(rest):
            if isinstance(arm, Mapping):
                yield given, arm, True


def _checksum(text: str | None) -> str:
    """https://github.com/hashicorp/terraform-plugin-sdk/blob/main/helper/schema/serialize.go"""
    return "~" if text is None else str(zlib.crc32(text.encode("utf-8", "replace")))


def _serialised_principals(block: Mapping) -> str | None:
    kind, identifiers = text_of(block.get("type")), _plain_texts(block.get("identifiers"))
    if kind is None or identifiers is None:
        return None
    inner = sorted((f"{text};" for text in set(identifiers)), key=_checksum)
    return f"identifiers:{{{''.join(inner)}}};type:{kind};"


def _serialised_condition(block: Mapping) -> str | None:
    test, key = text_of(block.get("test")), text_of(block.get("variable"))
    values = _plain_texts(block.get("values"))
    if test is None or key is None or values is None:
        return None
    return f"test:{test};values:({''.join(f'{text};' for text in values)});variable:{key};"


def _plain_texts(value: Value | None) -> list[str] | None:
    """The texts of a list that is known through and through; else None."""
    if not isinstance(value, Listing) or value.rest is not None:
        return None
    texts = [text_of(item) for item in value.items]
    known = [text for text in texts if text is not None]
    return known if len(known) == len(texts) else None


def _gather(
    into: dict[str, _Gathered],
    key: str,
    value: Value | None,
    given: Assumptions,
    *,
    is_rest: bool,
    sorts: bool = False,
) -> None:
    if value is None:
        return
    found = into.setdefault(key, _Gathered(value.span))
    found.blocks += 1
    if isinstance(value, Unknown):
        found.rest = either(found.rest, under(value, given))
        return
    items, rest = _collected(value, given, expands=True)
    if sorts:
        items = list(_backwards(unique(items)))
    if is_rest:
        for item in items:
            found.rest = either(found.rest, item)
    else:
        found.items.extend(items)
    found.rest = either(found.rest, rest)


def _principals(blocks: Value | None) -> Value | None:
    if blocks is None:
        return None
    if isinstance(blocks, Unknown):
        return blocks
    kinds: dict[str, _Gathered] = {}
    spans: dict[str, Span] = {}
    for given, block, is_rest in _blocks(blocks, _serialised_principals):
        for more, kind in arms_of(block.get("type") or Known(None, block.span), given):
            both = combine(given, more)
            if both is None or is_null(kind):
                continue
            name = show(kind)
            spans.setdefault(name, kind.span)
            identifiers = block.get("identifiers")
            _gather(kinds, name, identifiers, both, is_rest=is_rest, sorts=True)
    if set(kinds) == {"*"}:
        only = kinds["*"]
        if only.blocks == 1 and only.rest is None and [text_of(i) for i in only.items] == ["*"]:
            return Known("*", only.items[0].span)
    entries: dict[str, Value] = {}
    for name in sorted(kinds):
        found = kinds[name]
        entries[name] = _flat(Listing(tuple(found.items), found.span, found.rest))
    return Mapping(entries, blocks.span, spans) if entries else None


def _conditions(blocks: Value | None) -> Value | None:
    if blocks is None:
        return None
    if isinstance(blocks, Unknown):
        return blocks
    tests: dict[str, dict[str, _Gathered]] = {}
    test_spans: dict[str, Span] = {}
    key_spans: dict[str, dict[str, Span]] = {}
    for given, block, is_rest in _blocks(blocks, _serialised_condition):
        for first, test in arms_of(block.get("test") or Known(None, block.span), given):
            for second, key in arms_of(block.get("variable") or Known(None, block.span), first):
                if is_null(test) or is_null(key):
                    continue
                operator, name = show(test), show(key)
                test_spans.setdefault(operator, test.span)
                key_spans.setdefault(operator, {}).setdefault(name, key.span)
                keys = tests.setdefault(operator, {})
                _gather(keys, name, block.get("values"), second, is_rest=is_rest)
    if not tests:
        return None
    entries: dict[str, Value] = {}
    for operator in sorted(tests):
        keys = tests[operator]
        inner = {
            name: _flat(Listing(tuple(keys[name].items), keys[name].span, keys[name].rest))
            for name in sorted(keys)
        }
        entries[operator] = Mapping(inner, test_spans[operator], key_spans[operator])
    return Mapping(entries, blocks.span, test_spans)


def _flat(value: Value) -> Value:
    """A single value stands by itself."""
    if isinstance(value, Listing) and value.rest is None and len(value.items) == 1:
        return value if is_conditional(value.items[0]) else value.items[0]
    return value
