"""Functions on lists, sets, maps and objects.

https://developer.hashicorp.com/terraform/language/functions (collection functions)
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

from iam_preflight.terraform import types
from iam_preflight.terraform.equality import equal, sort_set, unique
from iam_preflight.terraform.functions.arguments import (
    MAX_ITEMS,
    Function,
    Invocation,
    NotKnown,
    TooLarge,
    Undecided,
    WrongArguments,
    spread,
)
from iam_preflight.terraform.functions.text import graphemes
from iam_preflight.values import (
    Absent,
    Choice,
    Json,
    Known,
    Listing,
    Mapping,
    Reason,
    Text,
    Unknown,
    Value,
    arms_of,
    choice,
    conditional,
    either,
    is_conditional,
    is_null,
    text_of,
    under,
    weight_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from iam_preflight.source import Span

MAX_WEIGHT = 1 << 20
"""Leaves of one collection when it is written out; beyond, it is too large."""


# ---------------------------------------------------------------- joining


def _gathered(call: Invocation, argument: Value) -> tuple[list[Value], Value | None]:
    """The items of a collection, those of each alternative only under its assumptions."""
    items: list[Value] = []
    rest: Value | None = None
    for given, arm in arms_of(argument):
        call.see(arm)
        match arm:
            case Listing(items=more, rest=open_end):
                items.extend(conditional(item, given) for item in more)
                if open_end is not None:
                    rest = either(rest, under(open_end, given))
            case Unknown():
                rest = either(rest, under(spread(arm, call.span), given))
            case Known(value=None) if given:
                continue
            case _:
                raise WrongArguments
    return items, rest


def _concat(call: Invocation, arguments: tuple[Value, ...]) -> Value:
    items: list[Value] = []
    rest: Value | None = None
    is_list = True
    for argument in arguments:
        more, open_end = _gathered(call, argument)
        items.extend(more)
        rest = either(rest, open_end)
        is_list = is_list and all(
            isinstance(arm, Listing) and arm.is_list for _, arm in arms_of(argument)
        )
    if is_list:
        return _one_type(call, call.typed_list(items, rest))
    return call.listing(items, rest)


def _one_type(call: Invocation, listing: Listing) -> Listing:
    """A list whose items came from several lists: all are brought to one type."""
    kinds = {type(item.value) for item in listing.items if isinstance(item, Known)}
    kinds.discard(type(None))
    if len(kinds) < 2:
        return listing
    as_tuple = Listing(listing.items, listing.span, listing.rest, sensitive=listing.sensitive)
    return call.as_list(as_tuple)


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


def _flatten(call: Invocation, arguments: tuple[Value, ...]) -> Value:
    items: list[Value] = []
    rest: Value | None = None
    stack = [arguments[0]]
    if not isinstance(arguments[0], Listing | Choice):
        call.sequence(arguments[0])
    while stack:
        value = stack.pop()
        match value:
            case Listing(items=more, rest=open_end):
                call.see(value)
                rest = either(rest, None if open_end is None else _flat_rest(open_end))
                stack.extend(reversed(more))
            case Choice(arms=arms) if any(isinstance(arm, Listing) for _, arm in arms):
                for given, arm in reversed(arms):
                    if isinstance(arm, Listing):
                        further = None if arm.rest is None else _flat_rest(arm.rest)
                        if further is not None:
                            rest = either(rest, under(further, given))
                        stack.extend(conditional(item, given) for item in reversed(arm.items))
                    elif not is_null(arm):
                        stack.append(conditional(arm, given))
            case _:
                items.append(value)
        if len(items) + len(stack) > MAX_ITEMS:
            raise TooLarge
    return call.listing(items, rest)


def _flat_rest(value: Value) -> Value | None:
    """What stands for further items, when each of them may be a list itself."""
    match value:
        case Listing(items=items, rest=rest):
            flat = None if rest is None else _flat_rest(rest)
            for item in items:
                flat = either(flat, _flat_rest(item))
            return flat
        case Choice(arms=arms):
            kept = [(given, inner) for given, arm in arms if (inner := _flat_rest(arm)) is not None]
            return choice(kept, value.span) if kept else None
        case Known(value=None):
            return None
        case _:
            return value


# ---------------------------------------------------------------- choosing items


def _compact(call: Invocation, arguments: tuple[Value, ...]) -> Value:
    gathered, rest = _gathered(call, arguments[0])
    items: list[Value] = []
    for item in gathered:
        if isinstance(item, Listing | Mapping):
            raise WrongArguments
        kept = [
            (given, Absent(None, arm.span) if _is_blank(arm) else arm)
            for given, arm in arms_of(item)
        ]
        if all(isinstance(arm, Absent) for _, arm in kept):
            continue
        items.append(Choice(tuple(kept), item.span) if isinstance(item, Choice) else _text(item))
    return call.typed_list(items, rest)


def _text(item: Value) -> Value:
    try:
        return types.convert(item, types.STRING)
    except types.ConversionError:
        raise WrongArguments from None


def _is_blank(value: Value) -> bool:
    return is_null(value) or (isinstance(value, Known) and value.value == "")


def _distinct(call: Invocation, arguments: tuple[Value, ...]) -> Value:
    gathered, rest = _gathered(call, arguments[0])
    listing = call.as_list(call.listing(gathered, rest))
    return call.typed_list(unique(listing.items), listing.rest)


def _element(call: Invocation, arguments: tuple[Value, ...]) -> Value:
    listing = call.sequence(arguments[0])
    index = call.integer(arguments[1])
    if index < 0 or (not listing.items and listing.rest is None):
        raise WrongArguments
    if listing.rest is not None:
        return listing.rest if not listing.items else _any_item(listing)
    call.certain(listing.items)
    return listing.items[index % len(listing.items)]


def _any_item(listing: Listing) -> Value:
    """One of the items of a list of unknown length, which makes the index wrap anywhere."""
    found: Value | None = listing.rest
    for item in listing.items:
        found = either(item, found)
    assert found is not None
    return found


def _slice(call: Invocation, arguments: tuple[Value, ...]) -> Value:
    listing = call.sequence(arguments[0])
    start, end = call.integer(arguments[1]), call.integer(arguments[2])
    call.certain(listing.items[:end])
    if start < 0 or start > end:
        raise WrongArguments
    if end > len(listing.items):
        if listing.rest is None:
            raise WrongArguments
        raise NotKnown
    made = call.listing(listing.items[start:end])
    return call.typed_list(made.items) if listing.is_list or listing.is_set else made


def _one(call: Invocation, arguments: tuple[Value, ...]) -> Value:
    listing = call.sequence(arguments[0])
    if listing.rest is not None:
        return listing.rest if not listing.items else _any_item(listing)
    call.certain(listing.items)
    if not listing.items:
        return call.known(None)
    if len(listing.items) > 1:
        raise WrongArguments
    return listing.items[0]


def _coalesce(_call: Invocation, arguments: tuple[Value, ...]) -> Value:
    kinds = types.unify([found for a in arguments if (found := types.type_of(a)) is not None])
    for argument in arguments:
        if isinstance(argument, Unknown):
            return argument
        if is_null(argument) or text_of(argument) == "":
            continue
        if kinds is not None and kinds.is_primitive:
            return types.convert(argument, kinds)
        return argument
    raise WrongArguments


def _coalescelist(_call: Invocation, arguments: tuple[Value, ...]) -> Value:
    for argument in arguments:
        if isinstance(argument, Unknown):
            return argument
        if isinstance(argument, Listing):
            if argument.items or argument.rest is not None:
                return argument
        elif not is_null(argument):
            raise WrongArguments
    raise WrongArguments


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


def _matchkeys(call: Invocation, arguments: tuple[Value, ...]) -> Value:
    values, keys, wanted = (call.items(argument) for argument in arguments)
    if len(values) != len(keys):
        raise WrongArguments
    kept: list[Value] = []
    for value, key in zip(values, keys, strict=True):
        verdicts = [equal(key, other) for other in wanted]
        if True in verdicts:
            kept.append(value)
        elif None in verdicts:
            raise NotKnown
    return call.typed_list(kept)


# ---------------------------------------------------------------- asking


def _length(call: Invocation, arguments: tuple[Value, ...]) -> Value:
    match arguments[0]:
        case Known(value=str(text)):
            call.see(arguments[0])
            return call.known(len(graphemes(text)))
        case Listing(is_set=is_set) as listing:
            items = call.items(listing)
            if is_set and not all(isinstance(item, Known) for item in items):
                raise NotKnown
            return call.known(len(items))
        case Mapping() as mapping:
            entries = call.whole_mapping(mapping).entries
            if isinstance(entries, dict):
                call.certain(entries.values())
            return call.known(len(entries))
        case Json() as encoded:
            return call.known(len(graphemes(call.text(encoded))))
        case Text() | Unknown():
            call.see(arguments[0])
            raise NotKnown
        case _:
            raise WrongArguments


def _contains(call: Invocation, arguments: tuple[Value, ...]) -> Value:
    listing = call.sequence(arguments[0])
    wanted = arguments[1]
    call.see(wanted)
    verdicts: list[bool | None] = []
    for item in listing.items:
        call.see(item)
        verdicts.append(equal(item, wanted))
    if True in verdicts:
        return call.known(True)
    if None in verdicts:
        for item in (*listing.items, wanted):
            if isinstance(item, Choice):
                raise Undecided(item)
        raise NotKnown
    if listing.rest is not None:
        raise NotKnown
    return call.known(False)


def _index(call: Invocation, arguments: tuple[Value, ...]) -> Value:
    for i, item in enumerate(call.items(arguments[0])):
        same = equal(item, arguments[1])
        if same is None:
            raise NotKnown
        if same:
            return call.known(i)
    raise WrongArguments


def _alltrue(call: Invocation, arguments: tuple[Value, ...]) -> Value:
    return _quantified(call, arguments[0], decisive=False)


def _anytrue(call: Invocation, arguments: tuple[Value, ...]) -> Value:
    return _quantified(call, arguments[0], decisive=True)


def _quantified(call: Invocation, argument: Value, *, decisive: bool) -> Value:
    listing = call.sequence(argument)
    is_certain = listing.rest is None
    for item in listing.items:
        if isinstance(item, Unknown | Choice):
            is_certain = False
            continue
        # a null counts as false: `alltrue([null])` is false, `anytrue([null])` is false
        flag = False if is_null(item) else call.boolean(item)
        if flag is decisive:
            return call.known(decisive)
    if not is_certain:
        for item in listing.items:
            if isinstance(item, Choice):
                raise Undecided(item)
        raise NotKnown
    return call.known(not decisive)


# ---------------------------------------------------------------- shapes


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


def _reverse(call: Invocation, arguments: tuple[Value, ...]) -> Value:
    listing = call.sequence(arguments[0])
    made = call.listing(reversed(listing.items), listing.rest)
    return call.typed_list(made.items, made.rest) if listing.is_list or listing.is_set else made


def _chunklist(call: Invocation, arguments: tuple[Value, ...]) -> Value:
    items = call.as_list(call.listing(call.items(arguments[0]))).items
    size = call.integer(arguments[1])
    if size < 0:
        raise WrongArguments
    if size == 0:
        return call.typed_list([call.typed_list(items)] if items else [])
    chunks = [items[start : start + size] for start in range(0, len(items), size)]
    return call.typed_list([call.typed_list(chunk) for chunk in chunks])


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


def _sort(call: Invocation, arguments: tuple[Value, ...]) -> Value:
    listing = call.sequence(arguments[0])
    call.certain(listing.items)
    if any(isinstance(item, Choice) for item in listing.items):
        raise Undecided(next(item for item in listing.items if isinstance(item, Choice)))
    known = [item for item in listing.items if isinstance(item, Known)]
    others = [item for item in listing.items if not isinstance(item, Known)]
    known.sort(key=lambda item: call.text(item).encode("utf-8", "surrogatepass"))
    return call.typed_list([*(_text(item) for item in known), *others], listing.rest)


def _range(call: Invocation, arguments: tuple[Value, ...]) -> Value:
    from iam_preflight.terraform import numbers

    given = [call.number(argument) for argument in arguments]
    start, limit = (0, given[0]) if len(given) == 1 else (given[0], given[1])
    if len(given) == 3:
        step = given[2]
        if step == 0 or (start > limit and step > 0) or (start < limit and step < 0):
            raise WrongArguments
    else:
        step = 1 if limit >= start else -1
    items: list[Value] = []
    at: numbers.Number = start
    while at < limit if step > 0 else at > limit:
        items.append(call.known(at))
        if len(items) > 1024:
            raise WrongArguments  # Terraform's own bound
        at = numbers.arithmetic("+", at, step)
    return call.typed_list(items)


# ---------------------------------------------------------------- sets


def set_of(call: Invocation, items: Sequence[Value], rest: Value | None = None) -> Listing:
    weight = 1 + sum(weight_of(item) for item in items)
    if len(items) > MAX_ITEMS or weight > MAX_WEIGHT:
        raise TooLarge
    ordered = tuple(sort_set(unique(items)))
    return Listing(ordered, call.span, rest, is_set=True, sensitive=call.sensitive, weight=weight)


def _sets(call: Invocation, arguments: tuple[Value, ...]) -> list[list[Value]]:
    """The items of several sets, brought to one type."""
    groups = [list(call.items(argument)) for argument in arguments]
    together = call.as_list(call.listing([item for group in groups for item in group]))
    at = 0
    out: list[list[Value]] = []
    for group in groups:
        out.append(unique(together.items[at : at + len(group)]))
        at += len(group)
    return out


def _setunion(call: Invocation, arguments: tuple[Value, ...]) -> Value:
    items: list[Value] = []
    rest: Value | None = None
    for argument in arguments:
        more, open_end = _gathered(call, argument)
        items.extend(more)
        rest = either(rest, open_end)
    listing = call.as_list(call.listing(items, rest))
    return set_of(call, listing.items, listing.rest)


def _is_member(item: Value, group: Sequence[Value]) -> bool:
    verdicts = [equal(item, other) for other in group]
    if True in verdicts:
        return True
    if None in verdicts:
        for other in (item, *group):
            if isinstance(other, Choice):
                raise Undecided(other)
        raise NotKnown
    return False


def _setintersection(call: Invocation, arguments: tuple[Value, ...]) -> Value:
    first, *others = _sets(call, arguments)
    kept = [item for item in first if all(_is_member(item, group) for group in others)]
    return set_of(call, kept)


def _setsubtract(call: Invocation, arguments: tuple[Value, ...]) -> Value:
    first, second = _sets(call, arguments)
    return set_of(call, [item for item in first if not _is_member(item, second)])


def _setproduct(call: Invocation, arguments: tuple[Value, ...]) -> Value:
    groups = [call.items(argument) for argument in arguments]
    if len(groups) < 2:
        raise WrongArguments
    total = 1
    for group in groups:
        total *= len(group)
        if total > MAX_ITEMS:
            raise TooLarge
    listings = [call.sequence(argument) for argument in arguments]
    rows: list[Value] = [call.listing(row) for row in product(*groups)]
    if all(listing.is_set for listing in listings):
        return set_of(call, rows)
    if all(listing.is_list or listing.is_set for listing in listings):
        return call.typed_list(rows)
    return call.as_list(call.listing(rows)) if rows else call.typed_list([])


FUNCTIONS: dict[str, Function] = {
    "alltrue": _alltrue,
    "anytrue": _anytrue,
    "chunklist": _chunklist,
    "coalesce": _coalesce,
    "coalescelist": _coalescelist,
    "compact": _compact,
    "concat": _concat,
    "contains": _contains,
    "distinct": _distinct,
    "element": _element,
    "flatten": _flatten,
    "index": _index,
    "keys": _keys,
    "length": _length,
    "lookup": _lookup,
    "matchkeys": _matchkeys,
    "merge": _merge,
    "one": _one,
    "range": _range,
    "reverse": _reverse,
    "setintersection": _setintersection,
    "setproduct": _setproduct,
    "setsubtract": _setsubtract,
    "setunion": _setunion,
    "slice": _slice,
    "sort": _sort,
    "transpose": _transpose,
    "values": _values,
    "zipmap": _zipmap,
}

FOLDING = frozenset({"compact", "concat", "distinct", "flatten", "merge", "setunion"})
"""Functions that take every alternative of an argument into one collection."""
