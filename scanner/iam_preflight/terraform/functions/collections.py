"""Functions on lists, and on collections of any kind.

https://developer.hashicorp.com/terraform/language/functions (collection functions)
"""

from __future__ import annotations

from iam_preflight.terraform import types
from iam_preflight.terraform.equality import equal, unique
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
    Text,
    Unknown,
    Value,
    arms_of,
    choice,
    conditional,
    either,
    is_null,
    text_of,
    under,
)

# ---------------------------------------------------------------- joining


def gathered(call: Invocation, argument: Value) -> tuple[list[Value], Value | None]:
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
        more, open_end = gathered(call, argument)
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
    found, rest = gathered(call, arguments[0])
    items: list[Value] = []
    for item in found:
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
    found, rest = gathered(call, arguments[0])
    listing = call.as_list(call.listing(found, rest))
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
    "length": _length,
    "matchkeys": _matchkeys,
    "one": _one,
    "range": _range,
    "reverse": _reverse,
    "slice": _slice,
    "sort": _sort,
}

FOLDING = frozenset({"compact", "concat", "distinct", "flatten", "merge", "setunion"})
"""Functions that take every alternative of an argument into one collection."""
