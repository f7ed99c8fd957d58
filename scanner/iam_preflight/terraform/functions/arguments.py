"""What every Terraform function is written with: one call, and ways to ask for its arguments.

A function asks its `Invocation` for what it needs (`call.text(value)`). What is not known, not
decided, in error or too large leaves through an exception that `functions.call` turns into a
hole; sensitivity is remembered on the way, so that `call.known(result)` is marked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from iam_preflight.terraform import numbers, types
from iam_preflight.terraform.labels import MAX_LABEL, one_line, shorten
from iam_preflight.values import (
    Absent,
    Choice,
    Fragment,
    Json,
    Known,
    Listing,
    Mapping,
    Reason,
    Scalar,
    Text,
    Unknown,
    Value,
    holes_of,
    join_parts,
    parts_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from iam_preflight.source import Span
    from iam_preflight.terraform.scope import Scope
    from iam_preflight.terraform.tree import Call
    from iam_preflight.values import Reference

MAX_TEXT = 4 * 1024 * 1024
"""Characters in one text; a template that doubles itself stops here."""

PIECE = 64
"""What each piece of a text counts beside its characters: holes double, too."""

MAX_ITEMS = 20_000
"""Items that one call may make."""
MAX_WEIGHT = 1 << 20
"""Leaves of one collection when it is written out; beyond, it is too large."""


class NotKnown(Exception):
    """An argument that a function needs is not known: the call becomes a hole."""

    def __init__(self, reason: Reason = Reason.FUNCTION) -> None:
        super().__init__(reason)
        self.reason = reason


class WrongArguments(Exception):
    """The call is in error, as Terraform would say: the call becomes an error hole."""


class Undecided(Exception):
    """An argument has several alternatives: the call is made once for each."""

    def __init__(self, choice: Choice) -> None:
        super().__init__(choice)
        self.choice = choice


class TooLarge(Exception):
    """The result would be too large: the call becomes a hole and a problem."""


Function: TypeAlias = "Callable[[Invocation, tuple[Value, ...]], Value]"

ENCODINGS = frozenset(
    {"base64encode", "base64gzip", "textencodebase64", "urlencode", "yamlencode", "jsonencode"}
)
"""Functions whose result anybody can turn back into what was put in."""


class Invocation:
    """One call that is being evaluated: its name, place, scope, and whether it saw a secret."""

    __slots__ = ("name", "node", "scope", "sensitive", "span", "width")

    def __init__(self, name: str, node: Call, scope: Scope, width: int = 1) -> None:
        self.name = name
        self.node = node
        self.scope = scope
        self.span: Span = node.span
        self.sensitive = False
        self.width = width
        """How many alternatives this call is already one of."""

    # ---- results

    def label(self, arguments: tuple[Value, ...] = ()) -> str:
        """The call as people would name it; arguments that vary in a loop by their value."""
        shown: list[str] = []
        sources = self.node.arguments
        for i, argument in enumerate(arguments):
            if isinstance(argument, Unknown):
                shown.append(argument.label)
            elif isinstance(argument, Known) and not argument.sensitive:
                shown.append(_scalar_label(argument.value))
            elif i < len(sources):
                shown.append(one_line(sources[i].span)[:MAX_LABEL])
        if not arguments:
            return shorten(one_line(self.span))
        return shorten(f"{self.name}({', '.join(shown)})")

    def unknown(
        self, reason: Reason = Reason.FUNCTION, arguments: tuple[Value, ...] = ()
    ) -> Unknown:
        carries = _carried(arguments) if self.name in ENCODINGS else ()
        return Unknown(reason, self.label(arguments), self.span, None, self.sensitive, carries)

    def known(self, value: Scalar) -> Known:
        if isinstance(value, str) and len(value) > MAX_TEXT:
            raise TooLarge
        return Known(value, self.span, sensitive=self.sensitive)

    def joined(self, parts: Iterable[Fragment | Unknown]) -> Value:
        """Text from parts, each with its own place."""
        pieces = list(parts)
        if size_of(pieces) > MAX_TEXT:
            raise TooLarge
        return join_parts(pieces, self.span)

    def fragment(self, text: str) -> Fragment:
        return Fragment(text, self.span, self.sensitive)

    def listing(self, items: Iterable[Value], rest: Value | None = None) -> Listing:
        """A tuple or, when `rest` is open, a list of unknown length."""
        return Listing(_bounded(items), self.span, rest, sensitive=self.sensitive)

    def typed_list(self, items: Iterable[Value], rest: Value | None = None) -> Listing:
        return Listing(_bounded(items), self.span, rest, is_list=True, sensitive=self.sensitive)

    # ---- scalars

    def see(self, value: Value) -> None:
        """Takes note of a value that the result will tell something about."""
        if not self.sensitive:
            self.sensitive = getattr(value, "sensitive", False)  # a `Choice` and a `Json` have none

    def text(self, value: Value) -> str:
        self.see(value)
        match value:
            case Known(value=str(text)):
                return text
            case Known(value=bool(flag)):
                return "true" if flag else "false"
            case Known(value=None):
                raise WrongArguments
            case Known():
                number = numbers.number_of(value)
                assert number is not None
                return numbers.render(number)
            case Json(value=inner):
                from iam_preflight.terraform.functions.encoding import json_parts

                return self._whole(json_parts(inner))
            case Choice():
                raise Undecided(value)
            case Unknown() | Text():
                raise NotKnown
            case _:
                raise WrongArguments

    def _whole(self, parts: Iterable[Fragment | Unknown]) -> str:
        texts: list[str] = []
        for part in parts:
            if isinstance(part, Unknown):
                raise NotKnown
            self.sensitive = self.sensitive or part.sensitive
            texts.append(part.text)
        return "".join(texts)

    def parts(self, value: Value) -> tuple[Fragment | Unknown, ...]:
        """A string, number or bool as text in parts, holes among them."""
        if isinstance(value, Json):
            from iam_preflight.terraform.functions.encoding import json_parts

            return tuple(json_parts(value.value))
        if isinstance(value, Choice):
            raise Undecided(value)
        if isinstance(value, Known) and not isinstance(value.value, str | None):
            return (Fragment(self.text(value), value.span, value.sensitive),)
        parts = parts_of(value)
        if parts is None:
            raise WrongArguments
        return parts

    def number(self, value: Value) -> numbers.Number:
        self.see(value)
        found = numbers.number_of(value)
        if found is None:
            self._refuse(value)
            raise WrongArguments
        return found

    def integer(self, value: Value) -> int:
        number = self.number(value)
        if not isinstance(number, int):
            raise WrongArguments
        return number

    def boolean(self, value: Value) -> bool:
        self.see(value)
        flag = types.boolean(value)
        if flag is None:
            self._refuse(value)
            raise WrongArguments
        return flag

    def _refuse(self, value: Value) -> None:
        if isinstance(value, Choice):
            raise Undecided(value)
        if isinstance(value, Unknown | Text | Json):
            raise NotKnown

    # ---- collections

    def sequence(self, value: Value) -> Listing:
        """A list, set or tuple; items that may not be there are decided first."""
        self.see(value)
        if isinstance(value, Listing):
            return value
        self._refuse(value)
        raise WrongArguments

    def items(self, value: Value) -> tuple[Value, ...]:
        """The items of a list, set or tuple that is known to have no others."""
        listing = self.sequence(value)
        if listing.rest is not None:
            raise NotKnown
        self.certain(listing.items)
        return listing.items

    def certain(self, items: Iterable[Value]) -> None:
        """Sees to it that each of these items is there for certain."""
        for item in items:
            if isinstance(item, Choice) and any(isinstance(arm, Absent) for _, arm in item.arms):
                raise Undecided(item)

    def texts(self, value: Value) -> list[str]:
        return [self.text(item) for item in self.items(value)]

    def mapping(self, value: Value) -> Mapping:
        self.see(value)
        if isinstance(value, Mapping):
            return value
        self._refuse(value)
        raise WrongArguments

    def whole_mapping(self, value: Value) -> Mapping:
        """A map or object that is known to have no further keys, nor keys with holes."""
        mapping = self.mapping(value)
        if mapping.rest is not None or any("«" in key for key in mapping.entries):
            raise NotKnown
        return mapping

    def as_list(self, value: Value) -> Listing:
        """The items as a list of one type, as a parameter of type `list(any)` takes them."""
        listing = self.sequence(value)
        if listing.is_list:
            return listing
        try:
            converted = types.convert(listing, types.Type(types.Kind.LIST, types.ANY))
        except types.ConversionError:
            raise WrongArguments from None
        assert isinstance(converted, Listing)
        return converted


def _bounded(items: Iterable[Value]) -> tuple[Value, ...]:
    made: list[Value] = []
    for item in items:
        made.append(item)
        if len(made) > MAX_ITEMS:
            raise TooLarge
    return tuple(made)


def size_of(pieces: Sequence[Fragment | Unknown]) -> int:
    """How much of `MAX_TEXT` the pieces of a text take."""
    texts = sum(len(piece.text) for piece in pieces if isinstance(piece, Fragment))
    return texts + PIECE * len(pieces)


def _scalar_label(value: Scalar) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f'"{value}"' if len(value) <= MAX_LABEL - 30 else f'"{value[: MAX_LABEL - 30]}…"'
    return str(value)


def spread(value: Value, span: Span) -> Value:
    """A hole for any number of items of an unknown collection."""
    if isinstance(value, Unknown):
        label = shorten(f"{value.label}[*]")
        return Unknown(value.reason, label, value.span, value.reference, value.sensitive)
    return Unknown(Reason.FUNCTION, "further items", span)


def _carried(arguments: tuple[Value, ...]) -> tuple[Reference, ...]:
    found: dict[Reference, None] = {}
    for argument in arguments:
        for hole in holes_of(argument):
            if hole.reference is not None:
                found[hole.reference] = None
            found.update(dict.fromkeys(hole.carries))
    return tuple(found)
