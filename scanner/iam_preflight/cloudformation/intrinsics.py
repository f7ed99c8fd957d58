"""Evaluates intrinsic functions: a hole in gives a hole out, never an exception.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference.html

A condition that nobody can decide gives both arms as a `Choice`; a map looked up by an unknown
key gives every entry, labelled. What is already assumed on the way down (`Scope.given`) prunes
the arms that contradict it.
"""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING

from msgspec.structs import replace

from iam_preflight.cloudformation.scalars import fragments_of, with_fragments
from iam_preflight.cloudformation.scope import MAX_LABEL, Scope, label_of
from iam_preflight.cloudformation.texts import Cutter, concatenate, flat_items, placed
from iam_preflight.values import (
    MAX_ARMS,
    Absent,
    Assumption,
    Assumptions,
    Choice,
    CycleError,
    Fragment,
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
    combine,
    is_null,
    join_parts,
    number_of,
    parts_of,
    show,
    text_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from iam_preflight.source import Span

MAX_ITEMS = 4096
"""Most items that a loop goes through."""

_VARIABLE = re.compile(r"\$\{([^{}]*)\}")
_DYNAMIC = re.compile(r"\{\{resolve:([a-z-]+):([^{}]*)\}\}")
_NAME = re.compile(r"[A-Za-z0-9]+(?:::[A-Za-z0-9]+)*(?:\.[A-Za-z0-9_:/-]+)*")
_PLACEHOLDER = re.compile(r"[$&]\{([A-Za-z0-9]+)\}")
_NOT_ALPHANUMERIC = re.compile(r"[^A-Za-z0-9]+")


class _Malformed(Exception):
    """An intrinsic function whose arguments AWS would refuse."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


def evaluate(value: Value, scope: Scope) -> Value:
    """The value that a raw value stands for; holes for whatever cannot be known."""
    watch = scope.frame.watch
    is_outermost = watch.start()
    try:
        return _evaluate(value, scope)
    except CycleError:
        return Unknown(Reason.CYCLE, label_of(value), value.span)
    except RecursionError:
        return _limit("nested too deeply", value.span, scope)
    finally:
        if is_outermost:
            watch.stop()


def _limit(label: str, span: Span, scope: Scope) -> Value:
    watch = scope.frame.watch
    if not watch.is_told:
        watch.is_told = True
        scope.frame.note(f"too large to evaluate: {label}", span, is_limit=True)
    return Unknown(Reason.LIMIT, label, span)


def _evaluate(value: Value, scope: Scope) -> Value:
    match value:
        case Known(value=str(text)):
            if scope.bindings and "{" in text:
                bound = _bound_text(value, scope)
                if bound is not value:
                    return bound
            if "{{resolve:" in text:
                return _dynamic_references(value)
            return with_fragments(value)
        case Mapping(entries=entries):
            if len(entries) == 1:
                (name,) = entries
                if name == "Ref" or name.startswith("Fn::"):
                    return _intrinsic(name, entries[name], value, scope)
            return _object(value, scope)
        case Listing(items=items):
            return _list(value, items, scope)
        case _:
            return value


# ---------------------------------------------------------------- structures


def _list(value: Listing, items: Sequence[Value], scope: Scope) -> Value:
    evaluated: list[Value] = []
    rest = value.rest
    is_changed = False
    for item in items:
        result = _evaluate(item, scope)
        if isinstance(result, Absent):
            is_changed = True
            continue
        if result is not item:
            is_changed = True
        evaluated.append(result)
    return replace(value, items=tuple(evaluated), rest=rest) if is_changed else value


def _object(value: Mapping, scope: Scope) -> Value:
    entries: dict[str, Value] = {}
    key_spans = value.key_spans
    rest = value.rest
    is_changed = False
    for name, key, item, inner in expand(value, scope):
        if name is None:
            rest = item
            is_changed = True
            continue
        result = _evaluate(item, inner)
        if isinstance(result, Absent):
            is_changed = True
            continue
        if result is not item or inner is not scope or name not in value.entries:
            is_changed = True
            if key_spans is value.key_spans and name not in value.entries:
                key_spans = dict(value.key_spans or {})
            if name not in value.entries and key_spans is not None:
                key_spans[name] = key
        entries[name] = result
    if not is_changed:
        return value
    return replace(value, entries=entries, key_spans=key_spans, rest=rest)


def expand(value: Mapping, scope: Scope) -> Iterator[tuple[str | None, Span, Value, Scope]]:
    """The entries of an object, loops and included files written out; the values stay raw.

    An entry without a name stands for entries that are not known.
    """
    for name in value.entries:
        item = value.entries[name]
        key = value.key_span(name)
        if name.startswith("Fn::ForEach::"):
            yield from _for_each(name, item, key, scope)
        elif name == "Fn::Transform":
            yield from _transformed_entries(item, key, scope)
        elif scope.bindings and "{" in name:
            text = show(_bound_text(Known(name, key), scope))
            yield text, key, item, scope
        else:
            yield name, key, item, scope


def _transformed_entries(
    item: Value, key: Span, scope: Scope
) -> Iterator[tuple[str | None, Span, Value, Scope]]:
    included = _transform(item, key, scope, is_raw=True)
    if isinstance(included, Mapping):
        yield from expand(included, scope)
    elif isinstance(included, Unknown):
        yield None, key, included, scope


def _for_each(
    name: str, item: Value, key: Span, scope: Scope
) -> Iterator[tuple[str | None, Span, Value, Scope]]:
    """`Fn::ForEach::Loop: [Name, [items], {Key${Name}: body}]`.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-foreach.html
    """
    if not isinstance(item, Listing) or len(item.items) != 3:
        scope.frame.note(f"{name} takes a name, a list and an object", key)
        return
    identifier, collection, body = item.items
    bound = text_of(identifier)
    if bound is None or not isinstance(body, Mapping):
        scope.frame.note(f"{name} takes a name, a list and an object", key)
        return
    found = _evaluate(collection, scope)
    if isinstance(found, Listing) and all(map(_is_blank, flat_items(found))):
        # that a parameter is empty by default does not decide that nothing is there
        found = _evaluate(collection, replace(scope, is_strict=True))
    if not scope.can_hold(()):
        return
    count = 0
    for given, arm in arms_of(found):
        inner = scope.assume(*given) if given else scope
        items: list[Value] = []
        rest: Value | None = None
        match arm:
            case Listing():
                items = [entry for entry in flat_items(arm) if not is_null(entry)]
            case Known(value=None):
                continue
            case Unknown():
                rest = replace(arm, label=f"{bound} of {arm.label}"[:MAX_LABEL], origin="")
            case _:
                items = [arm]
        for entry in (*items, *(() if rest is None else (rest,))):
            count += 1
            if count > MAX_ITEMS:
                scope.frame.note(f"{name} has more than {MAX_ITEMS} items", key, is_limit=True)
                return
            yield from expand(body, inner.bind(bound, entry))


def _is_blank(item: Value) -> bool:
    return is_null(item) or text_of(item) == ""


def _bound_text(value: Known, scope: Scope) -> Value:
    """Text with the names of loops filled in: `${Name}`, and `&{Name}` without punctuation."""
    cutter = Cutter(fragments_of(value))
    parts: list[Fragment | Unknown] = []
    at = 0
    for found in _PLACEHOLDER.finditer(cutter.text):
        bound = scope.bindings.get(found[1])
        if bound is None:
            continue
        parts.extend(cutter.pieces(at, found.start()))
        place = cutter.span(found.start(), found.end()) or value.span
        for part in parts_of(bound) or ():
            if isinstance(part, Unknown):
                parts.append(replace(part, span=place))
                continue
            is_plain = found.group()[0] == "&"
            text = _NOT_ALPHANUMERIC.sub("", part.text) if is_plain else part.text
            parts.append(Fragment(text, place, part.sensitive))
        at = found.end()
    if at == 0:
        return value
    parts.extend(cutter.pieces(at, len(cutter.text)))
    return join_parts(parts, value.span)


def _dynamic_references(value: Known) -> Value:
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/dynamic-references.html"""
    cutter = Cutter(fragments_of(value))
    parts: list[Fragment | Unknown] = []
    at = 0
    for found in _DYNAMIC.finditer(cutter.text):
        parts.extend(cutter.pieces(at, found.start()))
        is_secret = found[1] in ("secretsmanager", "ssm-secure")
        reason = Reason.SECRET if is_secret else Reason.DATA
        label = f"{found[1]}:{found[2]}"[:MAX_LABEL]
        place = cutter.span(found.start(), found.end()) or value.span
        parts.append(Unknown(reason, label, place, sensitive=is_secret))
        at = found.end()
    parts.extend(cutter.pieces(at, len(cutter.text)))
    return join_parts(parts, value.span)


# ---------------------------------------------------------------- functions


def _intrinsic(name: str, argument: Value, whole: Mapping, scope: Scope) -> Value:
    function = _FUNCTIONS.get(name)
    if function is None:
        if name.startswith("Fn::ForEach::"):
            return _object(whole, scope)
        return Unknown(Reason.UNSUPPORTED, name, whole.span)
    watch = scope.frame.watch
    if watch.is_over:
        return _limit(f"it takes longer than {watch.limit:g} seconds", whole.span, scope)
    try:
        return function(argument, whole.span, scope)
    except _Malformed as error:
        scope.frame.note(f"{name}: {error.message}", whole.span)
        return Unknown(Reason.ERROR, label_of(whole), whole.span)


def _ref(argument: Value, span: Span, scope: Scope) -> Value:
    name = text_of(_evaluate(argument, scope) if scope.bindings else argument)
    if name is None:
        raise _Malformed("expected a name")
    bound = scope.bindings.get(name)
    if bound is not None:
        return placed(bound, span)
    return scope.frame.ref(name, span, scope)


def _get_att(argument: Value, span: Span, scope: Scope) -> Value:
    match argument:
        case Known(value=str(text)) if "." in text:
            name, _, attribute = text.partition(".")
            items: list[Value] = [Known(name, argument.span), Known(attribute, argument.span)]
        case Listing(items=given) if len(given) >= 2:
            items = list(given)
        case _:
            raise _Malformed("expected a logical id and an attribute")
    texts = [text_of(_evaluate(item, scope)) for item in items]
    if texts[0] is None or any(text is None for text in texts):
        return Unknown(Reason.FUNCTION, "GetAtt of an unknown name", span)
    return scope.frame.get_att(texts[0], ".".join(t for t in texts[1:] if t), span)


def _sub(argument: Value, span: Span, scope: Scope) -> Value:
    names: dict[str, Value] = {}
    text = argument
    if isinstance(argument, Listing):
        if not argument.items:
            raise _Malformed("expected text")
        text = argument.items[0]
        for _, arm in arms_of(argument.items[1]) if len(argument.items) > 1 else ():
            if isinstance(arm, Mapping):
                names = {name: arm.entries[name] for name in arm.entries}
    text = _evaluate(text, scope)
    if isinstance(text, Choice):
        return lift((text,), lambda arm: _substituted(arm, names, span, scope), span, scope)
    return _substituted(text, names, span, scope)


def _substituted(text: Value, names: dict[str, Value], span: Span, scope: Scope) -> Value:
    match text:
        case Known(value=str()):
            pieces = [Known(text.value, text.span, fragments_of(text), None, text.sensitive)]
            return concatenate(_variables(pieces[0], names, scope), span, scope.can_hold)
        case Text(parts=parts):
            found: list[Value] = []
            for part in parts:
                if isinstance(part, Unknown):
                    found.append(part)
                else:
                    piece = Known(part.text, part.span, (part,), None, part.sensitive)
                    found.extend(_variables(piece, names, scope))
            return concatenate(found, span, scope.can_hold)
        case Unknown():
            return text
        case Known(value=None):
            raise _Malformed("expected text")
        case Known():
            return text
        case _:
            raise _Malformed("expected text")


def _variables(text: Known, names: dict[str, Value], scope: Scope) -> Iterator[Value]:
    """Text cut at its `${}`; each of them evaluated."""
    cutter = Cutter(text.fragments)
    at = 0
    for found in _VARIABLE.finditer(cutter.text):
        name = found[1].strip()
        is_literal = name.startswith("!")
        if not is_literal and name not in names and not _NAME.fullmatch(name):
            # `${aws:username}` and the like are meant for IAM; CloudFormation would refuse them
            continue
        yield from _stretch(cutter, at, found.start())
        place = cutter.span(found.start(), found.end()) or text.span
        at = found.end()
        if is_literal:
            yield Known("${" + name[1:] + "}", place)
        else:
            yield placed(_variable(name, names, place, scope), place)
    yield from _stretch(cutter, at, len(cutter.text))


def _stretch(cutter: Cutter, start: int, end: int) -> Iterator[Value]:
    for piece in cutter.pieces(start, end):
        yield Known(piece.text, piece.span, (piece,), None, piece.sensitive)


def _variable(name: str, names: dict[str, Value], place: Span, scope: Scope) -> Value:
    if name in names:
        return _evaluate(names[name], scope)
    bound = scope.bindings.get(name)
    if bound is not None:
        return bound
    head, dot, attribute = name.partition(".")
    if dot:
        return scope.frame.get_att(head, attribute, place)
    return scope.frame.ref(name, place, scope)


def _join(argument: Value, span: Span, scope: Scope) -> Value:
    if not isinstance(argument, Listing) or len(argument.items) != 2:
        raise _Malformed("expected a delimiter and a list")
    delimiter = _evaluate(argument.items[0], scope)
    items = _evaluate(argument.items[1], scope)

    def join(glue: Value, listed: Value) -> Value:
        match listed:
            case Listing(rest=rest):
                pieces = list(flat_items(listed))
                if rest is not None:
                    pieces[-1] = _more_of(rest)
                return concatenate(pieces, span, scope.can_hold, glue)
            case Unknown():
                label = f"Join({listed.label})"[:MAX_LABEL]
                return replace(listed, label=label, span=span, origin="")
            case Absent():
                return Known("", span)
            case _:
                return concatenate([listed], span, scope.can_hold)

    return lift((delimiter, items), join, span, scope)


def _more_of(rest: Value) -> Value:
    return rest if isinstance(rest, Unknown) else Unknown(Reason.FUNCTION, show(rest), rest.span)


def _split(argument: Value, span: Span, scope: Scope) -> Value:
    if not isinstance(argument, Listing) or len(argument.items) != 2:
        raise _Malformed("expected a delimiter and text")
    delimiter = text_of(_evaluate(argument.items[0], scope))
    source = _evaluate(argument.items[1], scope)

    def split(text: Value) -> Value:
        parts = parts_of(text)
        if delimiter is None or not delimiter or parts is None or isinstance(text, Unknown):
            label = f"Split({show(text)})"[:MAX_LABEL]
            return Listing((), span, Unknown(Reason.FUNCTION, label, span))
        items: list[list[Fragment | Unknown]] = [[]]
        for part in parts:
            if isinstance(part, Unknown):
                items[-1].append(part)
                continue
            cutter = Cutter((part,))
            at = 0
            found = part.text.find(delimiter)
            while found >= 0:
                items[-1].extend(cutter.pieces(at, found))
                items.append([])
                at = found + len(delimiter)
                found = part.text.find(delimiter, at)
            items[-1].extend(cutter.pieces(at, len(part.text)))
        return Listing(tuple(join_parts(item, _place_of(item, span)) for item in items), span)

    return lift((source,), split, span, scope)


def _place_of(parts: list[Fragment | Unknown], span: Span) -> Span:
    return parts[0].span.to(parts[-1].span) if parts else span


def _select(argument: Value, span: Span, scope: Scope) -> Value:
    if not isinstance(argument, Listing) or len(argument.items) != 2:
        raise _Malformed("expected an index and a list")
    index = _evaluate(argument.items[0], scope)
    items = _evaluate(argument.items[1], scope)

    def select(number: Value, listed: Value) -> Value:
        at = number_of(number)
        if at is None or int(at) != at or at < 0:
            return Unknown(Reason.FUNCTION, f"Select({show(number)})"[:MAX_LABEL], span)
        match listed:
            case Listing(items=found, rest=rest):
                if int(at) < len(found):
                    return found[int(at)]
                if rest is None:
                    return Unknown(Reason.ERROR, f"item {int(at)} of {len(found)}", span)
                return _deeper(rest, int(at), span)
            case Unknown():
                return _deeper(listed, int(at), span)
            case _:
                return Unknown(Reason.ERROR, "Select from what is not a list", span)

    return lift((index, items), select, span, scope)


def _deeper(value: Value, index: int, span: Span) -> Value:
    if not isinstance(value, Unknown):
        return value
    label = f"{value.label}[{index}]"[:MAX_LABEL]
    return replace(value, label=label, span=span, origin="")


def _find_in_map(argument: Value, span: Span, scope: Scope) -> Value:
    if not isinstance(argument, Listing) or len(argument.items) not in (3, 4):
        raise _Malformed("expected a map and two keys")
    default: Value | None = None
    if len(argument.items) == 4 and isinstance(argument.items[3], Mapping):
        raw = argument.items[3].get("DefaultValue")
        default = _evaluate(raw, scope) if raw is not None else None
    strict = replace(scope, is_strict=True)
    names = tuple(_evaluate(item, strict) for item in argument.items[:3])

    def find(name: Value, first: Value, second: Value) -> Value:
        text = text_of(name)
        found = scope.frame.mapping(text) if text is not None else None
        if found is None:
            return default or Unknown(Reason.MISSING, f"map {show(name)}"[:MAX_LABEL], span)
        entry = _entry(found, first, default, span, scope)
        return _only_one(_entry(entry, second, default, span, scope))

    return lift(names, find, span, scope)


def _entry(value: Value, key: Value, default: Value | None, span: Span, scope: Scope) -> Value:
    """The entry of a map for a key; every entry, labelled, for a key that is not known."""
    if isinstance(value, Choice):
        return choice(
            [
                (given, _entry(arm, key, default, span, scope.assume(*given)))
                for given, arm in value.arms
            ],
            span,
        )
    if not isinstance(value, Mapping):
        return value
    text = text_of(key)
    if text is not None:
        found = value.get(text)
        if found is None:
            return default or Unknown(Reason.MISSING, f"key {text} of a map"[:MAX_LABEL], span)
        return _map_value(found, scope)
    subject = show(key).strip("«»")
    arms: list[tuple[Assumptions, Value]] = []
    for name in value.entries:
        given = (Assumption(subject, name),)
        if scope.can_hold(given):
            arms.append((given, _map_value(value.entries[name], scope)))
    if default is not None:
        arms.append(((Assumption(subject, "another"),), default))
    if not arms or len(arms) > MAX_ARMS:
        return Unknown(Reason.FUNCTION, f"map by {subject}"[:MAX_LABEL], span)
    return choice(arms, span)


def _only_one(value: Value) -> Value:
    """A choice between equal things is no choice."""
    arms = [arm for _, arm in arms_of(value)]
    first = arms[0]
    if len(arms) > 1 and isinstance(first, Known):
        if all(isinstance(arm, Known) and arm.value == first.value for arm in arms):
            return first
    return value


def _map_value(value: Value, scope: Scope) -> Value:
    """An entry of a map: in its own place, so that what is found there is shown there."""
    if isinstance(value, Mapping):
        return value
    return _evaluate(value, scope)


def _if(argument: Value, span: Span, scope: Scope) -> Value:
    if not isinstance(argument, Listing) or len(argument.items) != 3:
        raise _Malformed("expected a condition and two values")
    test, then, otherwise = argument.items
    assumption = _assumption(test, scope)
    if isinstance(assumption, bool):
        return _evaluate(then if assumption else otherwise, scope)
    contrary = Assumption(assumption.subject, not assumption.holds)
    arms: list[tuple[Assumptions, Value]] = []
    for outcome, arm in ((assumption, then), (contrary, otherwise)):
        if scope.can_hold((outcome,)):
            arms.append(((outcome,), arm))
    if len(arms) == 1:
        given, arm = arms[0]
        return _evaluate(arm, scope.assume(*given))
    return choice([(given, _evaluate(arm, scope.assume(*given))) for given, arm in arms], span)


def _assumption(test: Value, scope: Scope) -> Assumption | bool:
    """What the first arm of an `Fn::If` takes for granted; a boolean where it is decided."""
    name = text_of(_evaluate(test, scope)) if not isinstance(test, Mapping) else None
    if name is None and isinstance(test, Mapping):
        inner = test.get("Condition")
        name = text_of(inner) if inner is not None else None
    if name is None:
        raise _Malformed("expected the name of a condition")
    return scope.frame.outcome(name, test.span)


def _import_value(argument: Value, span: Span, scope: Scope) -> Value:
    """What another stack exports: under the name as it is, else whatever a name with holes fits.

    Parameters that say which stack it is mostly have a default that no stack is called.
    """

    def imported(name: Value) -> Value:
        return lift((name,), lambda arm: scope.frame.import_value(arm, span), span, scope)

    name = _evaluate(argument, scope)
    found = imported(name)
    if isinstance(found, Unknown) and found.reason is Reason.REMOTE and not scope.is_strict:
        open_name = _evaluate(argument, replace(scope, is_strict=True))
        if show(open_name) != show(name):
            return imported(open_name)
    return found


def _get_azs(argument: Value, span: Span, _: Scope) -> Value:
    return Listing((), span, Unknown(Reason.REGION, "availability zone", argument.span))


def _cidr(argument: Value, span: Span, scope: Scope) -> Value:
    if not isinstance(argument, Listing) or len(argument.items) not in (2, 3):
        raise _Malformed("expected a block, a count and the bits of a subnet")
    block, count, *more = (_evaluate(item, scope) for item in argument.items)
    hole = Listing((), span, Unknown(Reason.FUNCTION, "Cidr", span))
    text, number = text_of(block), number_of(count)
    bits = number_of(more[0]) if more else None
    if text is None or number is None or (more and bits is None) or not 0 < number <= 256:
        return hole
    try:
        network = ipaddress.ip_network(text, strict=False)
        prefix = network.max_prefixlen - int(bits if bits is not None else 8)
        subnets = network.subnets(new_prefix=prefix)
        found = [str(subnet) for _, subnet in zip(range(int(number)), subnets, strict=False)]
    except ValueError:
        return hole
    return Listing(tuple(Known(subnet, span) for subnet in found), span)


def _base64(argument: Value, _: Span, scope: Scope) -> Value:
    """The text itself: encoded, nobody could find anything in it."""
    return _evaluate(argument, scope)


def _length(argument: Value, span: Span, scope: Scope) -> Value:
    def length(value: Value) -> Value:
        if isinstance(value, Listing) and value.rest is None:
            if not any(isinstance(item, Choice) for item in value.items):
                return Known(len(value.items), span)
        return Unknown(Reason.FUNCTION, f"Length({show(value)})"[:MAX_LABEL], span)

    return lift((_evaluate(argument, scope),), length, span, scope)


def _to_json_string(argument: Value, span: Span, scope: Scope) -> Value:
    return Json(_evaluate(argument, scope), span)


def _transform_value(argument: Value, span: Span, scope: Scope) -> Value:
    return _transform(argument, span, scope, is_raw=False)


def _transform(argument: Value, span: Span, scope: Scope, *, is_raw: bool) -> Value:
    """`AWS::Include` of a file that is here; any other macro does what nobody knows."""
    if isinstance(argument, Mapping):
        name = text_of(argument.get("Name"))
        parameters = argument.get("Parameters")
        location = parameters.get("Location") if isinstance(parameters, Mapping) else None
        if name == "AWS::Include" and location is not None:
            found = scope.frame.include(_evaluate(location, scope))
            if found is None:
                label = f"AWS::Include of {show(_evaluate(location, scope))}"[:MAX_LABEL]
                return Unknown(Reason.MODULE, label, span)
            return found if is_raw else _evaluate(found, scope)
        return Unknown(Reason.UNSUPPORTED, f"macro {name or ''}".strip(), span)
    return Unknown(Reason.UNSUPPORTED, "macro", span)


def lift(
    operands: Sequence[Value], function: Callable[..., Value], span: Span, scope: Scope
) -> Value:
    """Applies a function to every combination of alternatives that can hold together."""
    if not any(isinstance(operand, Choice) for operand in operands):
        return function(*operands)
    combinations: list[tuple[Assumptions, tuple[Value, ...]]] = [((), ())]
    for operand in operands:
        grown: list[tuple[Assumptions, tuple[Value, ...]]] = []
        for given, so_far in combinations:
            for more, arm in arms_of(operand):
                both = combine(given, more)
                if both is not None and (not (given and more) or scope.can_hold(both)):
                    grown.append((both, (*so_far, arm)))
        if len(grown) > MAX_ARMS:
            return Unknown(Reason.LIMIT, "more alternatives than are followed", span)
        combinations = grown
    return choice([(given, function(*arms)) for given, arms in combinations], span)


_FUNCTIONS: dict[str, Callable[[Value, Span, Scope], Value]] = {
    "Ref": _ref,
    "Fn::Base64": _base64,
    "Fn::Cidr": _cidr,
    "Fn::FindInMap": _find_in_map,
    "Fn::GetAZs": _get_azs,
    "Fn::GetAtt": _get_att,
    "Fn::If": _if,
    "Fn::ImportValue": _import_value,
    "Fn::Join": _join,
    "Fn::Length": _length,
    "Fn::Select": _select,
    "Fn::Split": _split,
    "Fn::Sub": _sub,
    "Fn::ToJsonString": _to_json_string,
    "Fn::Transform": _transform_value,
}
