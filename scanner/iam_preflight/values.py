"""What a value can be before anything is deployed.

Front ends turn expressions into these; everything after them reads nothing else. A hole
never hides what is known around it: text keeps its known parts, a list its known items.

- `Known`    a string, number, boolean or null
- `Text`     a string with holes: `arn:aws:s3:::‹var.bucket›/*`
- `Unknown`  a hole: why it is unknown, where, and which attribute of which resource it will be
- `Listing`  a list or set; `rest` stands for any number of further items
- `Mapping`  an object or map; `rest` stands for any number of further entries; a key with a
             hole in it is written with `«why»`, as `show` writes it
- `Choice`   one of several values, each under assumptions that cannot be decided here
- `Json`     a string that is the JSON of a value, kept as the value

An item or entry that is there only under assumptions is a `Choice` whose other arm is `Absent`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping as MappingABC
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from iam_preflight.source import Span

Scalar: TypeAlias = "str | bool | int | float | Decimal | None"

MAX_ARMS = 64
"""More arms than this are not followed one by one: the rest of a Choice is dropped to a hole."""

MASK = "«sensitive»"
"""What people see of a value that is known to be sensitive."""


class Reason(Enum):
    """Why a value is not known. The text goes into reports after the name of the thing."""

    VARIABLE = "variable has no value"
    PARAMETER = "parameter has no value"
    COMPUTED = "known after apply"
    DATA = "read from AWS at plan time"
    REMOTE = "value of another stack or state"
    MODULE = "module is not installed"
    ACCOUNT = "account that is deployed to"
    REGION = "region that is deployed to"
    PARTITION = "partition that is deployed to"
    EACH = "for_each over an unknown collection"
    REPEATED = "repeated for each of an unknown collection"
    FUNCTION = "function of an unknown value"
    UNSUPPORTED = "not evaluated"
    CYCLE = "refers to itself"
    MISSING = "refers to something that does not exist"
    LIMIT = "too large to evaluate"
    ERROR = "expression is in error"
    SECRET = "dynamic reference to a secret"  # noqa: S105


class Reference(Struct, frozen=True):
    """An attribute of a node of the graph: `aws_iam_role.ci` and `arn`."""

    address: str
    attribute: str
    deployment: str = ""
    """The path of the root or stack it is in, where that is not the reader's own."""

    def __str__(self) -> str:
        return f"{self.address}.{self.attribute}" if self.attribute else self.address


class Assumption(Struct, frozen=True):
    """What is taken for granted where nobody can decide here.

    `holds` is one side of a condition (`IsProd` is true), or one value of a thing that may have
    several (`var.env` is `"prod"`).
    """

    subject: str
    holds: bool | str

    def __str__(self) -> str:
        match self.holds:
            case True:
                return self.subject
            case False:
                return f"not ({self.subject})"
            case text:
                return f'{self.subject} = "{text}"'


Assumptions: TypeAlias = tuple[Assumption, ...]


class Fragment(Struct, frozen=True):
    """Known text and where it was written."""

    text: str
    span: Span
    sensitive: bool = False


class Known(Struct, frozen=True):
    value: Scalar
    span: Span
    fragments: tuple[Fragment, ...] = ()
    """Where the pieces of a composed string come from; empty for a plain one."""
    reference: Reference | None = None
    sensitive: bool = False


class Absent(Known, frozen=True):
    """The arm of a `Choice` inside a collection in which the item or entry is not there.

    It is a null to whoever does not care for the difference.
    """


class Unknown(Struct, frozen=True):
    reason: Reason
    label: str
    """What stands there: `var.bucket`, `data.aws_caller_identity.current.account_id`."""
    span: Span
    reference: Reference | None = None
    sensitive: bool = False
    carries: tuple[Reference, ...] = ()
    """Attributes that can be read back out of it, although it is not their text: `base64encode`."""

    @property
    def explanation(self) -> str:
        return f"{self.label}: {self.reason.value}"


class Text(Struct, frozen=True):
    parts: tuple[Fragment | Unknown, ...]
    span: Span
    reference: Reference | None = None
    """The attribute whose text this is, when the whole text is one attribute."""
    sensitive: bool = False


class Listing(Struct, frozen=True):
    items: tuple[Value, ...]
    span: Span
    rest: Value | None = None
    is_set: bool = False
    is_list: bool = False
    """Terraform's list of items of one type; neither this nor `is_set` is a tuple."""
    sensitive: bool = False
    weight: int = 1
    """How many leaves it has when it is written out in full, as far as they were counted."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Listing) and self._told() == other._told()

    def __hash__(self) -> int:
        return hash(self._told())

    def _told(self) -> tuple[object, ...]:
        """Everything but the weight: the same list may have been counted less far."""
        kind = (self.is_set, self.is_list, self.sensitive)
        return (self.items, self.span, self.rest, kind)


class Mapping(Struct, frozen=True):
    entries: MappingABC[str, Value]
    span: Span
    key_spans: dict[str, Span] | None = None
    rest: Value | None = None
    reference: Reference | None = None
    is_map: bool = False
    """Terraform's map of entries of one type, as opposed to an object."""
    sensitive: bool = False
    weight: int = 1

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Mapping) and self._told() == other._told()

    def __hash__(self) -> int:
        return hash(self._told())

    def _told(self) -> tuple[object, ...]:
        """Everything but the weight, as with `Listing`."""
        kind = (self.is_map, self.sensitive)
        return (self.entries, self.span, self.key_spans, self.rest, self.reference, kind)

    def get(self, key: str) -> Value | None:
        return self.entries.get(key)

    def key_span(self, key: str) -> Span:
        if self.key_spans and key in self.key_spans:
            return self.key_spans[key]
        return self.entries[key].span


class Choice(Struct, frozen=True):
    arms: tuple[tuple[Assumptions, Value], ...]
    span: Span


class Json(Struct, frozen=True):
    value: Value
    span: Span
    reference: Reference | None = None


Value: TypeAlias = "Known | Text | Unknown | Listing | Mapping | Choice | Json"


def already(value: Value) -> Callable[[], Value]:
    """An entry for `LazyEntries` that needs no working out."""
    return lambda: value


class LazyEntries(MappingABC[str, Value]):
    """Entries that are worked out when somebody asks for them, once each.

    An entry that asks for itself while it is being worked out raises `CycleError`, which the
    evaluator turns into a hole.
    """

    __slots__ = ("_pending", "_values")

    def __init__(self, pending: dict[str, Callable[[], Value]]) -> None:
        self._pending: dict[str, Callable[[], Value] | None] = dict(pending)
        self._values: dict[str, Value] = {}

    def __getitem__(self, key: str) -> Value:
        value = self._values.get(key)
        if value is None:
            evaluate = self._pending[key]
            if evaluate is None:
                raise CycleError(key)
            self._pending[key] = None
            try:
                value = evaluate()
            except BaseException:
                self._pending[key] = evaluate
                raise
            self._values[key] = value
        return value

    def get(  # type: ignore[override]
        self, key: str, default: Value | None = None
    ) -> Value | None:
        # asked for far more often than there: without the exception that `Mapping` catches
        return self[key] if key in self._pending else default

    def renewed(self, pending: dict[str, Callable[[], Value]], kept: set[str]) -> LazyEntries:
        """Other entries, with what was worked out of those that are still the same."""
        entries = LazyEntries(pending)
        for key in kept & self._values.keys():
            entries._values[key] = self._values[key]
        return entries

    def __iter__(self) -> Iterator[str]:
        return iter(self._pending)

    def __len__(self) -> int:
        return len(self._pending)

    def __contains__(self, key: object) -> bool:
        return key in self._pending


class CycleError(Exception):
    """A value was asked for while it was being worked out."""


def is_null(value: Value | None) -> bool:
    return value is None or (isinstance(value, Known) and value.value is None)


def choice(arms: list[tuple[Assumptions, Value]], span: Span) -> Value:
    """A `Choice`, flattened; contradictory arms are dropped, a single arm is just its value."""
    flat: list[tuple[Assumptions, Value]] = []
    for assumptions, value in arms:
        if not isinstance(value, Choice):
            flat.append((assumptions, value))
            continue
        for inner, leaf in arms_of(value):
            both = combine(assumptions, inner)
            if both is not None:
                flat.append((both, leaf))
    if len(flat) > MAX_ARMS:
        hole = Unknown(Reason.LIMIT, "more alternatives than are followed", span)
        flat = [*flat[: MAX_ARMS - 1], ((), hole)]
    if not flat:
        return Unknown(Reason.ERROR, "no alternative is possible", span)
    first = flat[0][1]
    if len(flat) == 1:
        return Choice(tuple(flat), span) if flat[0][0] else first
    if all(value is first or _both_null(value, first) for _, value in flat):
        return first
    return Choice(tuple(flat), span)


def _both_null(left: Value, right: Value) -> bool:
    return type(left) is type(right) is Known and left.value is None and right.value is None


def combine(left: Assumptions, right: Assumptions) -> Assumptions | None:
    """Both sets of assumptions together; None when they contradict each other."""
    if not right:
        return left
    if not left:
        return right
    known = {assumption.subject: assumption.holds for assumption in left}
    merged = list(left)
    for assumption in right:
        held = known.get(assumption.subject)
        if held is None:
            merged.append(assumption)
        elif held != assumption.holds:
            return None
    return tuple(merged)


def arms_of(value: Value, given: Assumptions = ()) -> Iterator[tuple[Assumptions, Value]]:
    """Every alternative of a value with its assumptions; a plain value is its only one."""
    if not isinstance(value, Choice):
        yield given, value
        return
    for assumptions, arm in value.arms:
        both = combine(given, assumptions)
        if both is None:
            continue
        if isinstance(arm, Choice):
            yield from arms_of(arm, both)
        else:
            yield both, arm


def items_of(value: Value | None, given: Assumptions = ()) -> Iterator[tuple[Assumptions, Value]]:
    """The items of a list, of a single value taken as a list, or of each alternative.

    Nulls are skipped; what stands for further items comes last.
    """
    if value is None:
        return
    for assumptions, arm in arms_of(value, given):
        match arm:
            case Known(value=None):
                continue
            case Listing(items=items, rest=rest):
                for item in items:
                    if not isinstance(item, Choice):
                        if not is_null(item):
                            yield assumptions, item
                        continue
                    for inner, leaf in arms_of(item, assumptions):
                        if not is_null(leaf):
                            yield inner, leaf
                if rest is not None:
                    yield from arms_of(rest, assumptions)
            case _:
                yield assumptions, arm


def blocks_of(
    value: Value | None, given: Assumptions = ()
) -> Iterator[tuple[Assumptions, Mapping]]:
    """The nested blocks or objects under an attribute, whether written once or many times."""
    for assumptions, item in items_of(value, given):
        if isinstance(item, Listing):
            yield from blocks_of(item, assumptions)
        elif isinstance(item, Mapping):
            yield assumptions, item


def either(left: Value | None, right: Value | None) -> Value | None:
    """What stands for further items when two collections are joined."""
    if left is None or right is None:
        return left if right is None else right
    return choice([((), left), ((), right)], left.span)


def parts_of(value: Value) -> tuple[Fragment | Unknown, ...] | None:
    """A string value as its parts; None when it is not a string."""
    if isinstance(value, Known):  # nearly always: before `match`, which looks at each field
        if isinstance(value.value, str):
            return value.fragments or (Fragment(value.value, value.span, value.sensitive),)
        if value.value is None:
            return None
        return (Fragment(render_scalar(value.value), value.span, value.sensitive),)
    match value:
        case Text(parts=parts):
            return parts
        case Unknown():
            return (value,)
        case Json(value=inner, span=span):
            return (Fragment(_dump(plain(inner, masks=False)), span, is_sensitive(inner)),)
        case _:
            return None


def text_of(value: Value | None) -> str | None:
    """The text of a wholly known string, number or boolean; else None."""
    if not isinstance(value, Known):
        return None
    scalar = value.value
    if isinstance(scalar, str):
        return scalar
    return None if scalar is None else render_scalar(scalar)


def render_scalar(scalar: Scalar) -> str:
    """A scalar as Terraform and CloudFormation put it into text."""
    match scalar:
        case None:
            return ""
        case bool():
            return "true" if scalar else "false"
        case str() | int():
            return str(scalar)
        case float():
            return str(int(scalar)) if scalar.is_integer() and abs(scalar) < 1e15 else repr(scalar)
        case Decimal():
            if scalar == scalar.to_integral_value():
                return str(int(scalar))
            return format(scalar.normalize(), "f")


def show(value: Value | None) -> str:
    """A string for people and fingerprints: each hole as `«why»`, structures as JSON."""
    if value is None:
        return ""
    if isinstance(value, Unknown):
        return f"«{value.label}»"
    parts = parts_of(value)
    if parts is None:
        return to_json(value)
    return "".join(_shown(part) for part in parts)


def _shown(part: Fragment | Unknown) -> str:
    if isinstance(part, Unknown):
        return f"«{part.label}»"
    return MASK if part.sensitive else part.text


def bool_of(value: Value | None) -> bool | None:
    """True or false where known, also from the strings that both languages accept; else None."""
    match value:
        case Known(value=bool(flag)):
            return flag
        case Known(value=str(text)) if text.lower() in ("true", "false"):
            return text.lower() == "true"
        case _:
            return None


def number_of(value: Value | None) -> int | float | None:
    match value:
        case Known(value=bool()):
            return None
        case Known(value=int() | float() as number):
            return number
        case Known(value=Decimal() as number):
            return int(number) if number == number.to_integral_value() else float(number)
        case Known(value=str(text)):
            try:
                return int(text)
            except ValueError:
                try:
                    return float(text)
                except ValueError:
                    return None
        case _:
            return None


def plain(
    value: Value,
    hole: Callable[[Unknown], object] = lambda u: f"«{u.label}»",
    *,
    masks: bool = True,
) -> object:
    """The value as JSON-like Python data; holes, also those inside strings, through `hole`.

    What is sensitive is masked unless `masks` is off: only evaluation itself may turn it off.
    A Choice gives its first arm: use `arms_of` first where the others matter.
    """
    match value:
        case Known(sensitive=True) if masks:
            return MASK
        case Known(value=Decimal() as number):
            return int(number) if number == number.to_integral_value() else float(number)
        case Known(value=scalar):
            return scalar
        case Text(parts=parts):
            texts = [
                str(hole(part))
                if isinstance(part, Unknown)
                else (MASK if masks and part.sensitive else part.text)
                for part in parts
            ]
            return "".join(texts)
        case Unknown():
            return hole(value)
        case Listing(items=items, rest=rest):
            listed = [plain(item, hole, masks=masks) for item in items]
            return listed if rest is None else [*listed, plain(rest, hole, masks=masks)]
        case Mapping(entries=entries):
            return {key: plain(entry, hole, masks=masks) for key, entry in entries.items()}
        case Choice(arms=arms):
            return plain(arms[0][1], hole, masks=masks)
        case Json(value=inner):
            return _dump(plain(inner, masks=masks))


def to_json(value: Value) -> str:
    """The value as JSON for people: holes as `«why»`, what is sensitive masked."""
    return _dump(plain(value))


def _dump(data: object) -> str:
    return json.dumps(data, separators=(",", ":"), ensure_ascii=False)


def is_sensitive(value: Value) -> bool:
    """Whether anything in the value is marked sensitive."""
    match value:
        case Known(sensitive=sensitive) | Unknown(sensitive=sensitive):
            return sensitive
        case Text(parts=parts, sensitive=sensitive):
            return sensitive or any(part.sensitive for part in parts)
        case Listing(items=items, rest=rest, sensitive=sensitive):
            return (
                sensitive
                or any(is_sensitive(item) for item in items)
                or (rest is not None and is_sensitive(rest))
            )
        case Mapping(entries=entries, rest=rest, sensitive=sensitive):
            return (
                sensitive
                or any(is_sensitive(entry) for entry in entries.values())
                or (rest is not None and is_sensitive(rest))
            )
        case Choice(arms=arms):
            return any(is_sensitive(arm) for _, arm in arms)
        case Json(value=inner):
            return is_sensitive(inner)


def holes_of(value: Value) -> Iterator[Unknown]:
    """Every hole anywhere inside a value, in order."""
    match value:
        case Unknown():
            yield value
        case Text(parts=parts):
            for part in parts:
                if isinstance(part, Unknown):
                    yield part
        case Listing(items=items, rest=rest):
            for item in items:
                yield from holes_of(item)
            if rest is not None:
                yield from holes_of(rest)
        case Mapping(entries=entries, rest=rest):
            for entry in entries.values():
                yield from holes_of(entry)
            if rest is not None:
                yield from holes_of(rest)
        case Choice(arms=arms):
            for _, arm in arms:
                yield from holes_of(arm)
        case Json(value=inner):
            yield from holes_of(inner)
        case Known():
            return


def weight_of(value: Value) -> int:
    """How many leaves a value has when it is written out in full, as far as they were counted."""
    match value:
        case Listing(weight=weight) | Mapping(weight=weight):
            return weight
        case Choice(arms=arms):
            return sum(weight_of(arm) for _, arm in arms)
        case Json(value=inner):
            return 2 * weight_of(inner)  # JSON in JSON in JSON doubles its backslashes each time
        case _:
            return 1


def conditional(value: Value, given: Assumptions, otherwise: Value | None = None) -> Value:
    """An item or entry that is there only under assumptions; else another, or it is absent."""
    if not given:
        return value
    opposite: Assumptions = ()
    if len(given) == 1 and isinstance(given[0].holds, bool):
        opposite = (Assumption(given[0].subject, not given[0].holds),)
    absent = otherwise if otherwise is not None else Absent(None, value.span)
    return choice([(given, value), (opposite, absent)], value.span)


def is_conditional(value: Value) -> bool:
    """Whether an item or entry may not be there at all."""
    return isinstance(value, Choice) and any(isinstance(arm, Absent) for _, arm in value.arms)


def join_parts(parts: Sequence[Fragment | Unknown], span: Span) -> Known | Text | Unknown:
    """Text from parts: known when no part is a hole, the hole itself when it is all there is."""
    if len(parts) == 1:
        part = parts[0]
        if isinstance(part, Unknown):
            return part
        if part.text:
            pieces = (part,) if part.sensitive or part.span != span else ()
            return Known(part.text, span, pieces, None, part.sensitive)
    kept = [part for part in parts if isinstance(part, Unknown) or part.text]
    sensitive = any(part.sensitive for part in parts)
    if len(kept) == 1 and isinstance(kept[0], Unknown):
        return kept[0]
    fragments = [part for part in kept if isinstance(part, Fragment)]
    if len(fragments) == len(kept):
        if len(fragments) == 1:
            only = fragments[0]
            pieces = (only,) if only.span != span or only.sensitive else ()
            return Known(only.text, span, pieces, None, sensitive)
        text = "".join(fragment.text for fragment in fragments)
        return Known(text, span, tuple(fragments), None, sensitive)
    return Text(tuple(kept), span, sensitive=sensitive)


def with_reference(value: Value, reference: Reference) -> Value:
    match value:
        case Known() | Text() | Unknown() | Mapping() | Json():
            return replace(value, reference=reference)
        case Choice(arms=arms):
            arms = tuple((given, with_reference(arm, reference)) for given, arm in arms)
            return Choice(arms, value.span)
        case _:
            return value
