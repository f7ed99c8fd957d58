"""YAML nodes to typed structs, with every fault found and placed.

msgspec stops at the first fault and names a route; people want all of them, each with line,
column, and the name they probably meant.
"""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from msgspec import Struct
from msgspec import inspect as types

from iam_preflight import spelling, yamltext
from iam_preflight.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from yaml import Node

    from iam_preflight.source import SourceFile, Span

T = TypeVar("T")

_INTEGER = re.compile(r"[+-]?\d{1,18}")
_BOOLEANS = {"true": True, "false": False}
_MISSING = object()
MAX_SHOWN = 20


class Fault(Struct, frozen=True):
    """What is wrong with one value: where, under which key, and why."""

    span: Span
    key: str
    message: str

    def __str__(self) -> str:
        key = f"{self.key}: " if self.key else ""
        return f"{self.span}: {key}{self.message}"


class FaultyFileError(UsageError):
    """A file that people write for us is wrong: every fault on a line of its own."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        shown = [str(fault) for fault in self.faults[:MAX_SHOWN]]
        if len(self.faults) > MAX_SHOWN:
            shown.append(f"and {len(self.faults) - MAX_SHOWN} more")
        super().__init__("\n".join(shown))


def nearest(name: str, known: Iterable[str]) -> str:
    """` (did you mean …?)` for a misspelt name; empty when nothing is near."""
    meant = spelling.nearest(name, known, 0.6)
    return f" (did you mean {meant!r}?)" if meant is not None else ""


def decode(source: SourceFile, kind: type[T]) -> T:
    """The file as a struct; raises `FaultyFileError` with every fault."""
    try:
        root = yamltext.compose(source)
    except yamltext.YamlError as error:
        raise FaultyFileError([Fault(error.span, "", f"not YAML: {error.message}")]) from None
    if root is None or yamltext.text(root) == "":
        root = None
    reader = Reader(source)
    data = reader.value(root, types.type_info(kind), "") if root is not None else {}
    if reader.faults:
        raise FaultyFileError(reader.faults)
    try:
        return msgspec.convert(data, kind)
    except msgspec.ValidationError as error:
        place = yamltext.span_of(source, root) if root is not None else source.whole()
        raise FaultyFileError([Fault(place, "", str(error))]) from None


class Reader:
    """Walks nodes and types together. Faults are collected, never raised."""

    def __init__(self, source: SourceFile) -> None:
        self.source = source
        self.faults: list[Fault] = []

    def fault(self, node: Node, key: str, message: str) -> Any:
        self.faults.append(Fault(yamltext.span_of(self.source, node), key, message))
        return _MISSING

    def value(self, node: Node, kind: types.Type, key: str) -> Any:
        match kind:
            case types.Metadata(type=inner):
                return self.value(node, inner, key)
            case types.UnionType(types=options):
                return self._union(node, options, key)
            case types.StructType():
                return self._struct(node, kind, key)
            case types.DictType(key_type=key_type, value_type=value_type):
                return self._dict(node, key_type, value_type, key)
            case types.VarTupleType(item_type=item) | types.ListType(item_type=item):
                return self._list(node, item, key)
            case _:
                return self._scalar(node, kind, key)

    def _union(self, node: Node, options: tuple[types.Type, ...], key: str) -> Any:
        """The option whose shape fits; a scalar is read as the scalar option, and so on."""
        if _is_null(node) and any(isinstance(one, types.NoneType) for one in options):
            return None
        fitting = [one for one in options if _fits(node, one)]
        if not fitting:
            names = " or ".join(_describe(one) for one in options)
            return self.fault(node, key, f"expected {names}, not {_kind_of(node)}")
        return self.value(node, fitting[0], key)

    def _struct(self, node: Node, kind: types.StructType, key: str) -> Any:
        if _kind_of(node) != "a mapping":
            return self.fault(node, key, f"expected a mapping, not {_kind_of(node)}")
        fields = {field.encode_name: field for field in kind.fields}
        data: dict[str, Any] = {}
        for name_node, child in yamltext.pairs(node):
            name = yamltext.text(name_node) or ""
            route = f"{key}.{name}" if key else name
            field = fields.get(name)
            if field is None:
                self.fault(name_node, route, f"unknown key{nearest(name, fields)}")
                continue
            if name in data:
                self.fault(name_node, route, "written twice")
                continue
            data[name] = self.value(child, field.type, route)
        for name, field in fields.items():
            if field.required and name not in data:
                self.fault(node, f"{key}.{name}" if key else name, "is missing")
        return data

    def _dict(self, node: Node, key_type: types.Type, value_type: types.Type, key: str) -> Any:
        if _kind_of(node) != "a mapping":
            return self.fault(node, key, f"expected a mapping, not {_kind_of(node)}")
        data: dict[str, Any] = {}
        for name_node, child in yamltext.pairs(node):
            name = self.value(name_node, key_type, key)
            if name is _MISSING:
                continue
            route = f"{key}.{name}" if key else str(name)
            if name in data:
                self.fault(name_node, route, "written twice")
                continue
            data[name] = self.value(child, value_type, route)
        return data

    def _list(self, node: Node, item: types.Type, key: str) -> Any:
        if _kind_of(node) != "a list":
            return self.fault(node, key, f"expected a list, not {_kind_of(node)}")
        return [
            self.value(child, item, f"{key}[{index}]")
            for index, child in enumerate(yamltext.items(node))
        ]

    def _scalar(self, node: Node, kind: types.Type, key: str) -> Any:
        text = yamltext.text(node)
        if text is None or _is_null(node):
            return self.fault(node, key, f"expected {_describe(kind)}, not {_kind_of(node)}")
        match kind:
            case types.StrType():
                return self._text(node, text, kind, key)
            case types.LiteralType(values=values):
                if text in values:
                    return text
                listed = ", ".join(map(str, values))
                near = nearest(text, map(str, values))
                return self.fault(node, key, f"{text!r} is not one of {listed}{near}")
            case types.BoolType():
                if text.lower() in _BOOLEANS:
                    return _BOOLEANS[text.lower()]
            case types.IntType(ge=low, le=high):
                if _INTEGER.fullmatch(text):
                    number = int(text)
                    if (low is None or number >= low) and (high is None or number <= high):
                        return number
                    limits = f"from {low}" + (f" to {high}" if high is not None else "")
                    return self.fault(node, key, f"expected a number {limits}, not {text[:60]}")
            case types.DateType():
                try:
                    return dt.date.fromisoformat(text)
                except ValueError:
                    pass
            case _:
                pass
        return self.fault(node, key, f"expected {_describe(kind)}, not {text[:60]!r}")

    def _text(self, node: Node, text: str, kind: types.StrType, key: str) -> Any:
        if kind.pattern is not None and not re.search(kind.pattern, text[:2000]):
            return self.fault(node, key, f"{text[:80]!r} does not have the form {kind.pattern}")
        if kind.min_length is not None and len(text) < kind.min_length:
            return self.fault(node, key, "is empty")
        if kind.max_length is not None and len(text) > kind.max_length:
            return self.fault(node, key, f"is longer than {kind.max_length} characters")
        return text


def _is_null(node: Node) -> bool:
    return str(node.tag) == "tag:yaml.org,2002:null"


def _kind_of(node: Node) -> str:
    if yamltext.is_mapping(node):
        return "a mapping"
    if yamltext.is_sequence(node):
        return "a list"
    return "nothing" if _is_null(node) else f"{str(node.value)[:60]!r}"


def _fits(node: Node, kind: types.Type) -> bool:
    match kind:
        case types.Metadata(type=inner):
            return _fits(node, inner)
        case types.StructType() | types.DictType():
            return yamltext.is_mapping(node)
        case types.VarTupleType() | types.ListType():
            return yamltext.is_sequence(node)
        case types.NoneType():
            return _is_null(node)
        case _:
            return yamltext.text(node) is not None and not _is_null(node)


def _describe(kind: types.Type) -> str:
    match kind:
        case types.Metadata(type=inner):
            return _describe(inner)
        case types.StructType() | types.DictType():
            return "a mapping"
        case types.VarTupleType() | types.ListType():
            return "a list"
        case types.BoolType():
            return "true or false"
        case types.IntType():
            return "a number"
        case types.DateType():
            return "a date such as 2027-01-31"
        case types.NoneType():
            return "nothing"
        case types.LiteralType(values=values):
            return "one of " + ", ".join(map(str, values))
        case _:
            return "a text"
