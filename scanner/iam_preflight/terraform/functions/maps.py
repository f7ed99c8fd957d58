"""Functions on maps and objects.

https://developer.hashicorp.com/terraform/language/functions (collection functions)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.terraform import types
from iam_preflight.terraform.functions.arguments import (
    MAX_WEIGHT,
    Function,
    Invocation,
    TooLarge,
    Undecided,
    WrongArguments,
    spread,
)
from iam_preflight.values import (
    Absent,
    Choice,
    Known,
    Mapping,
    Reason,
    Text,
    Unknown,
    Value,
    arms_of,
    conditional,
    either,
    is_conditional,
    under,
    weight_of,
)

if TYPE_CHECKING:
    from iam_preflight.source import Span


def _merge(call: Invocation, arguments: tuple[Value, ...]) -> Value:
    entries: dict[str, Value] = {}
    key_spans: dict[str, Span] = {}
    rest: Value | None = None
    is_map = True
    for argument in arguments:
        for given, arm in arms_of(argument):
            call.see(arm)
            match arm:
                case Mapping(entries=more, rest=open_end):
                    for key in more:
                        entries[key] = conditional(more[key], given, entries.get(key))
                        key_spans[key] = arm.key_span(key)
                    if open_end is not None:
                        rest = either(rest, under(open_end, given))
                    is_map = is_map and arm.is_map
                case Unknown():
                    rest = either(rest, under(spread(arm, call.span), given))
                    is_map = False
                case Known(value=None):
                    continue
                case _:
                    raise WrongArguments
    return mapping_of(call, entries, key_spans, rest, is_map=is_map and bool(arguments))


def mapping_of(
    call: Invocation,
    entries: dict[str, Value],
    key_spans: dict[str, Span] | None = None,
    rest: Value | None = None,
    *,
    is_map: bool = False,
) -> Mapping:
    weight = 1 + sum(weight_of(entry) for entry in entries.values())
    if weight > MAX_WEIGHT:
        raise TooLarge
    return Mapping(
        entries,
        call.span,
        key_spans,
        rest,
        is_map=is_map,
        sensitive=call.sensitive,
        weight=weight,
    )


def _lookup(call: Invocation, arguments: tuple[Value, ...]) -> Value:
    from iam_preflight.terraform.references import item_of

    mapping = call.mapping(arguments[0])
    default = arguments[2] if len(arguments) > 2 else None
    if isinstance(arguments[1], Unknown | Text):
        found = item_of(mapping, arguments[1], call.span)
        return either(found, default) or found
    name = call.text(arguments[1])
    if name in mapping.entries:
        entry = mapping.entries[name]
        if is_conditional(entry):
            assert isinstance(entry, Choice)
            raise Undecided(entry)
        return entry
    if mapping.rest is not None or any("«" in key for key in mapping.entries):
        found = item_of(mapping, arguments[1], call.span)
        return either(found, default) or found
    if default is None:
        raise WrongArguments
    if mapping.is_map and mapping.entries:
        element = types.type_of(mapping)
        if element is not None and element.element is not None:
            return types.convert(default, element.element)
    return default


def _keys(call: Invocation, arguments: tuple[Value, ...]) -> Value:
    mapping = call.mapping(arguments[0])
    items: list[Value] = []
    rest: Value | None = None
    for key in sorted(mapping.entries):
        span = mapping.key_span(key)
        if "«" in key:
            rest = either(rest, Unknown(Reason.EACH, key.strip("«»"), span))
            continue
        entry: Value = Known(key, span, sensitive=call.sensitive)
        value = _peek(mapping, key)
        if value is not None and is_conditional(value):
            assert isinstance(value, Choice)
            entry = _key_arms(entry, value)
        items.append(entry)
    if mapping.rest is not None:
        rest = either(rest, Unknown(Reason.EACH, f"key of {call.label()}", call.span))
    return call.typed_list(items, rest) if mapping.is_map else call.listing(items, rest)


def _peek(mapping: Mapping, key: str) -> Value | None:
    """An entry where that costs nothing: one that is still to be evaluated is always there."""
    return mapping.entries[key] if isinstance(mapping.entries, dict) else None


def _key_arms(key: Value, value: Choice) -> Value:
    arms = tuple((given, arm if isinstance(arm, Absent) else key) for given, arm in value.arms)
    return Choice(arms, key.span)


def _values(call: Invocation, arguments: tuple[Value, ...]) -> Value:
    mapping = call.mapping(arguments[0])
    items = [mapping.entries[key] for key in sorted(mapping.entries)]
    if mapping.is_map:
        return call.typed_list(items, mapping.rest)
    return call.listing(items, mapping.rest)


def _zipmap(call: Invocation, arguments: tuple[Value, ...]) -> Value:
    keys = call.items(arguments[0])
    values = call.sequence(arguments[1])
    if values.rest is not None:
        entries = {call.text(key): values.rest for key in keys}
        return mapping_of(call, entries)
    if len(keys) != len(values.items):
        raise WrongArguments
    entries = {call.text(key): value for key, value in zip(keys, values.items, strict=True)}
    return mapping_of(call, entries, is_map=values.is_list or values.is_set)


def _transpose(call: Invocation, arguments: tuple[Value, ...]) -> Value:
    mapping = call.whole_mapping(arguments[0])
    turned: dict[str, list[str]] = {}
    for key in sorted(mapping.entries):
        for text in call.texts(mapping.entries[key]):
            turned.setdefault(text, []).append(key)
    entries: dict[str, Value] = {
        key: call.typed_list([call.known(name) for name in sorted(names)])
        for key, names in sorted(turned.items())
    }
    return mapping_of(call, entries, is_map=True)


FUNCTIONS: dict[str, Function] = {
    "keys": _keys,
    "lookup": _lookup,
    "merge": _merge,
    "transpose": _transpose,
    "values": _values,
    "zipmap": _zipmap,
}
