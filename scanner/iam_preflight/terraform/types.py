"""Type constraints: reading them, converting values to them, and the type that several share.

https://developer.hashicorp.com/terraform/language/expressions/type-constraints
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from iam_preflight.terraform import numbers
from iam_preflight.terraform.tree import Call, Expression, Literal, Object, Tuple
from iam_preflight.terraform.tree import Variable as Word
from iam_preflight.values import (
    Choice,
    Json,
    Known,
    LazyEntries,
    Listing,
    Mapping,
    Reason,
    Text,
    Unknown,
    Value,
    already,
    choice,
    is_null,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MAX_NODES = 20_000
"""A value with more leaves than this keeps the types that its leaves have."""


class Kind(Enum):
    ANY = "any"
    STRING = "string"
    NUMBER = "number"
    BOOL = "bool"
    LIST = "list"
    SET = "set"
    MAP = "map"
    TUPLE = "tuple"
    OBJECT = "object"


class AttributeType(Struct, frozen=True):
    type: Type
    is_optional: bool = False
    default: Expression | None = None

    def __eq__(self, other: object) -> bool:
        """Without the default: it does not make another type."""
        if not isinstance(other, AttributeType):
            return NotImplemented
        return self.type == other.type and self.is_optional == other.is_optional

    def __hash__(self) -> int:
        return hash((self.type, self.is_optional))


class Type(Struct, frozen=True):
    kind: Kind
    element: Type | None = None
    """Of a list, set or map."""
    items: tuple[Type, ...] = ()
    """Of a tuple."""
    attributes: tuple[tuple[str, AttributeType], ...] = ()
    """Of an object, by name."""

    @property
    def is_primitive(self) -> bool:
        return self.kind in (Kind.STRING, Kind.NUMBER, Kind.BOOL)


ANY = Type(Kind.ANY)
STRING = Type(Kind.STRING)
NUMBER = Type(Kind.NUMBER)
BOOL = Type(Kind.BOOL)


class ConversionError(Exception):
    """The value certainly does not fit the type."""


# ---------------------------------------------------------------- reading


def read_type(expression: Expression) -> Type:
    """A type constraint as written after `type =`; `any` for what is not one."""
    match expression:
        case Word(name=name):
            return _named(name)
        case Literal(value=str(name)):
            return _named(name)  # before 0.12 types stood in quotes
        case Call(name="list" | "set" | "map" as name, arguments=(inner,)):
            return Type(Kind(name), read_type(inner))
        case Call(name="tuple", arguments=(Tuple(items=items),)):
            return Type(Kind.TUPLE, items=tuple(read_type(item) for item in items))
        case Call(name="object", arguments=(Object(entries=entries),)):
            return _object_type(entries)
        case _:
            return ANY


def _named(name: str) -> Type:
    match name:
        case "string" | "number" | "bool":
            return Type(Kind(name))
        case "list" | "set" | "map":
            return Type(Kind(name), ANY)
        case _:
            return ANY


def _object_type(entries: tuple[tuple[Expression, Expression], ...]) -> Type:
    attributes: list[tuple[str, AttributeType]] = []
    for key, value in entries:
        name = key.value if isinstance(key, Literal) else None
        if not isinstance(name, str):
            continue
        match value:
            case Call(name="optional", arguments=(inner, *more)):
                default = more[0] if more else None
                attributes.append((name, AttributeType(read_type(inner), True, default)))
            case _:
                attributes.append((name, AttributeType(read_type(value))))
    return Type(Kind.OBJECT, attributes=tuple(sorted(attributes, key=lambda pair: pair[0])))


# ---------------------------------------------------------------- converting


DefaultOf: TypeAlias = "Callable[[Expression], Value] | None"
"""Evaluates the default of an `optional()` attribute."""


def convert(value: Value, wanted: Type, default_of: DefaultOf = None) -> Value:
    """The value as the type; raises `ConversionError` where it certainly does not fit.

    Holes stay holes. `default_of` evaluates the defaults of `optional()`.
    """
    if wanted.kind is Kind.ANY or isinstance(value, Unknown):
        return value
    if isinstance(value, Choice):
        return _convert_arms(value, wanted, default_of)
    if is_null(value):
        return value
    match wanted.kind:
        case Kind.STRING | Kind.NUMBER | Kind.BOOL:
            return to_primitive(value, wanted.kind)
        case Kind.LIST | Kind.SET:
            return _to_sequence(value, wanted, default_of)
        case Kind.TUPLE:
            return _to_tuple(value, wanted, default_of)
        case Kind.MAP:
            return _to_map(value, wanted, default_of)
        case _:
            return _to_object(value, wanted, default_of)


def _convert_arms(value: Choice, wanted: Type, default_of: DefaultOf) -> Value:
    arms = []
    for given, arm in value.arms:
        try:
            arms.append((given, convert(arm, wanted, default_of)))
        except ConversionError:
            arms.append((given, Unknown(Reason.ERROR, "a value of another type", arm.span)))
    return choice(arms, value.span)


def to_primitive(value: Value, kind: Kind) -> Value:
    """A string, number or bool; raises `ConversionError`."""
    if kind is Kind.STRING and isinstance(value, Known) and isinstance(value.value, str):
        return value
    match kind, value:
        case Kind.STRING, Text() | Json():
            return value
        case Kind.STRING, Known(value=bool(is_true)):
            return replace(value, value="true" if is_true else "false")
        case Kind.STRING, Known():
            number = numbers.number_of(value)
            if number is not None:
                return replace(value, value=numbers.render(number))
        case Kind.NUMBER, Known():
            number = numbers.number_of(value)
            if number is not None:
                return replace(value, value=number, fragments=())
        case Kind.BOOL, Known():
            flag = boolean(value)
            if flag is not None:
                return replace(value, value=flag, fragments=())
        case ((Kind.NUMBER | Kind.BOOL), Text()):
            return Unknown(Reason.FUNCTION, "text with a hole", value.span)
    raise ConversionError


def boolean(value: Value) -> bool | None:
    """The bool that a known value is or converts to; None where it does not."""
    match value:
        case Known(value=bool(flag)):
            return flag
        case Known(value="true" | "1"):
            return True
        case Known(value="false" | "0"):
            return False
        case _:
            return None


def _to_sequence(value: Value, wanted: Type, default_of: DefaultOf) -> Value:
    if not isinstance(value, Listing):
        raise ConversionError
    element = wanted.element or ANY
    if element.kind is Kind.ANY:
        element = element_type(value)
    is_set = wanted.kind is Kind.SET
    same = value.is_set == is_set and value.is_list == (not is_set)
    if same and element.kind is Kind.ANY:
        return value
    items = [convert(item, element, default_of) for item in value.items]
    rest = None if value.rest is None else convert(value.rest, element, default_of)
    if is_set:
        from iam_preflight.terraform.equality import sort_set, unique

        items = sort_set(unique(items))
    return replace(value, items=tuple(items), rest=rest, is_set=is_set, is_list=not is_set)


def _to_tuple(value: Value, wanted: Type, default_of: DefaultOf) -> Value:
    if not isinstance(value, Listing):
        raise ConversionError
    if value.rest is not None:
        return value
    if len(value.items) != len(wanted.items):
        raise ConversionError
    items = [
        convert(item, inner, default_of)
        for item, inner in zip(value.items, wanted.items, strict=True)
    ]
    return replace(value, items=tuple(items), is_set=False, is_list=False)


def _to_map(value: Value, wanted: Type, default_of: DefaultOf) -> Value:
    if not isinstance(value, Mapping):
        raise ConversionError
    element = wanted.element or ANY
    if element.kind is Kind.ANY:
        element = element_type(value)
        if element.kind is Kind.ANY:
            return replace(value, is_map=True)
    if isinstance(value.entries, LazyEntries):
        return value
    entries = {key: convert(value.entries[key], element, default_of) for key in value.entries}
    rest = None if value.rest is None else convert(value.rest, element, default_of)
    return replace(value, entries=entries, rest=rest, is_map=True)


def _to_object(value: Value, wanted: Type, default_of: DefaultOf) -> Value:
    if not isinstance(value, Mapping):
        raise ConversionError
    pending: dict[str, Callable[[], Value]] = {}
    entries: dict[str, Value] = {}
    is_lazy = isinstance(value.entries, LazyEntries)
    for name, attribute in wanted.attributes:
        if name not in value.entries:
            entries[name] = _missing(value, name, attribute, default_of)
        elif is_lazy:
            pending[name] = _lazily(value, name, attribute, default_of)
        else:
            entries[name] = _attribute(value, name, attribute, default_of)
    if is_lazy:
        for name, entry in entries.items():
            pending[name] = already(entry)
        return replace(value, entries=LazyEntries(pending), rest=None, is_map=False)
    return replace(value, entries=entries, rest=None, is_map=False)


def _lazily(
    value: Mapping,
    name: str,
    attribute: AttributeType,
    default_of: DefaultOf,
) -> Callable[[], Value]:
    def attribute_value() -> Value:
        try:
            return _attribute(value, name, attribute, default_of)
        except ConversionError:
            return Unknown(Reason.ERROR, name, value.span)

    return attribute_value


def _attribute(
    value: Mapping,
    name: str,
    attribute: AttributeType,
    default_of: DefaultOf,
) -> Value:
    entry = value.entries[name]
    if is_null(entry) and attribute.is_optional:
        return _missing(value, name, attribute, default_of)
    return convert(entry, attribute.type, default_of)


def _missing(
    value: Mapping,
    name: str,
    attribute: AttributeType,
    default_of: DefaultOf,
) -> Value:
    if not attribute.is_optional:
        if value.rest is not None:
            return value.rest
        if name in value.entries:
            return value.entries[name]
        raise ConversionError
    if attribute.default is not None and default_of is not None:
        return convert(default_of(attribute.default), attribute.type, default_of)
    return Known(None, value.span)


# ---------------------------------------------------------------- the type of several values


class _TooLarge(Exception):
    pass


def type_of(value: Value) -> Type | None:
    """The type of a value; None where a hole decides or the value is too large to look into."""
    try:
        return _Reader().type_of(value)
    except _TooLarge:
        return None


def element_type(value: Value) -> Type:
    """The type that a list of the items has, or a map of the entries; `any` if it cannot be told.

    Raises `ConversionError` where there is none.
    """
    try:
        found = _Reader().elements(value)
    except _TooLarge:
        return ANY
    if not found:
        return ANY
    element = unify(found)
    if element is None:
        raise ConversionError
    return element


class _Reader:
    def __init__(self) -> None:
        self.nodes = 0

    def type_of(self, value: Value) -> Type | None:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise _TooLarge
        match value:
            case Known(value=None):
                return ANY
            case Known(value=bool()):
                return BOOL
            case Known(value=str()) | Text() | Json():
                return STRING
            case Known():
                return NUMBER
            case Listing(items=items, is_set=is_set, is_list=is_list):
                found = self.elements(value)
                if found is None:
                    return None
                if not is_set and not is_list:
                    return Type(Kind.TUPLE, items=tuple(found)) if items else Type(Kind.TUPLE)
                element = unify(found) if found else ANY
                return None if element is None else Type(Kind.SET if is_set else Kind.LIST, element)
            case Mapping(entries=entries, is_map=is_map):
                found = self.elements(value)
                if found is None:
                    return None
                if is_map:
                    element = unify(found) if found else ANY
                    return None if element is None else Type(Kind.MAP, element)
                pairs = sorted(zip(entries, found, strict=True), key=lambda pair: pair[0])
                named = tuple((name, AttributeType(inner)) for name, inner in pairs)
                return Type(Kind.OBJECT, attributes=named)
            case _:
                return None

    def elements(self, value: Value) -> list[Type] | None:
        """The types of the items or entries; None where one cannot be told."""
        match value:
            case Listing(items=items, rest=None):
                found = [self.type_of(item) for item in items]
            case Mapping(entries=entries, rest=None) if not isinstance(entries, LazyEntries):
                found = [self.type_of(entry) for entry in entries.values()]
            case _:
                return None
        known = [inner for inner in found if inner is not None]
        return known if len(known) == len(found) else None


def unify(types: Sequence[Type]) -> Type | None:
    """The one type that all of these convert to, as Terraform chooses it; None for none."""
    wanted = [inner for inner in types if inner.kind is not Kind.ANY]
    if not wanted:
        return ANY
    first = wanted[0]
    if all(inner == first for inner in wanted):
        return first
    kinds = {inner.kind for inner in wanted}
    if kinds <= {Kind.STRING, Kind.NUMBER, Kind.BOOL}:
        return STRING if Kind.STRING in kinds else None
    if kinds <= {Kind.OBJECT, Kind.MAP}:
        return _unify_mappings(wanted, kinds)
    if kinds <= {Kind.TUPLE, Kind.LIST, Kind.SET}:
        return _unify_sequences(wanted, kinds)
    return None


def _unify_mappings(types: list[Type], kinds: set[Kind]) -> Type | None:
    if kinds == {Kind.OBJECT}:
        names = [tuple(name for name, _ in inner.attributes) for inner in types]
        if all(found == names[0] for found in names):
            merged: list[tuple[str, AttributeType]] = []
            for i, name in enumerate(names[0]):
                shared = unify([inner.attributes[i][1].type for inner in types])
                if shared is None:
                    return None
                merged.append((name, AttributeType(shared)))
            return Type(Kind.OBJECT, attributes=tuple(merged))
    elements: list[Type] = []
    for inner in types:
        if inner.kind is Kind.MAP:
            elements.append(inner.element or ANY)
        else:
            elements.extend(attribute.type for _, attribute in inner.attributes)
    element = unify(elements)
    return None if element is None else Type(Kind.MAP, element)


def _unify_sequences(types: list[Type], kinds: set[Kind]) -> Type | None:
    if kinds == {Kind.TUPLE} and len({len(inner.items) for inner in types}) == 1:
        columns = zip(*(inner.items for inner in types), strict=True)
        shared = [unify(column) for column in columns]
        known = [inner for inner in shared if inner is not None]
        return Type(Kind.TUPLE, items=tuple(known)) if len(known) == len(shared) else None
    elements: list[Type] = []
    for inner in types:
        if inner.kind is Kind.TUPLE:
            elements.extend(inner.items)
        else:
            elements.append(inner.element or ANY)
    element = unify(elements)
    if element is None:
        return None
    return Type(Kind.SET if kinds == {Kind.SET} else Kind.LIST, element)
