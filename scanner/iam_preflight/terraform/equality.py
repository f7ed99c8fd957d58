"""When two values are equal, and in which order the items of a set stand.

https://developer.hashicorp.com/terraform/language/expressions/operators#equality-operators
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.terraform import numbers
from iam_preflight.values import (
    Absent,
    Choice,
    Fragment,
    Json,
    Known,
    Listing,
    Mapping,
    Text,
    Unknown,
    Value,
    parts_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from iam_preflight.values import Scalar

MAX_COMPARED = 50_000


class _Budget:
    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = MAX_COMPARED


def equal(left: Value, right: Value) -> bool | None:
    """Whether two values are equal; None when a hole decides (or they are too large)."""
    if type(left) is Known and type(right) is Known:  # nearly all
        return _same(left.value, right.value)
    return _equal(left, right, _Budget())


def _same(a: Scalar, b: Scalar) -> bool:
    if isinstance(a, str):
        return isinstance(b, str) and a == b
    if a is None or b is None or isinstance(a, bool) or isinstance(b, bool):
        return a is b
    return not isinstance(b, str) and a == b


def _equal(left: Value, right: Value, budget: _Budget) -> bool | None:
    budget.left -= 1
    if budget.left < 0:
        return None
    if type(left) is Known and type(right) is Known:
        return _same(left.value, right.value)
    match left, right:
        case (Unknown() | Choice() | Absent(), _) | (_, Unknown() | Choice() | Absent()):
            return None
        case (Json() | Text(), Known(value=None)) | (Known(value=None), Json() | Text()):
            return False
        case (Json(), Json()):
            return True if left is right else None
        case (Json() | Text() | Known(), Json() | Text() | Known()):
            if isinstance(left, Known) and not isinstance(left.value, str):
                return False
            if isinstance(right, Known) and not isinstance(right.value, str):
                return False
            return None if isinstance(left, Json) or isinstance(right, Json) else _text(left, right)
        case Listing(), Listing():
            return _sequences(left, right, budget)
        case Mapping(), Mapping():
            return _mappings(left, right, budget)
        case _:
            return False


def _sequences(left: Listing, right: Listing, budget: _Budget) -> bool | None:
    if left.rest is not None or right.rest is not None or _is_open(left) or _is_open(right):
        return None
    if left.is_set != right.is_set or left.is_list != right.is_list:
        return False
    if len(left.items) != len(right.items):
        return None if left.is_set and _has_holes((*left.items, *right.items)) else False
    if left.is_set and _has_holes((*left.items, *right.items)):
        return None
    return _all(zip(left.items, right.items, strict=True), budget)


def _mappings(left: Mapping, right: Mapping, budget: _Budget) -> bool | None:
    if left.rest is not None or right.rest is not None or left is right:
        return True if left is right else None
    if left.is_map != right.is_map:
        return False
    if set(left.entries) != set(right.entries):
        open_ended = any("«" in key for key in (*left.entries, *right.entries))
        return None if open_ended else False
    pairs = ((left.entries[key], right.entries[key]) for key in left.entries)
    return _all(pairs, budget)


def _all(pairs: Iterable[tuple[Value, Value]], budget: _Budget) -> bool | None:
    verdict: bool | None = True
    for a, b in pairs:
        same = _equal(a, b, budget)
        if same is False:
            return False
        if same is None:
            verdict = None
    return verdict


def _is_open(listing: Listing) -> bool:
    return any(isinstance(item, Choice) for item in listing.items)


def _has_holes(items: Sequence[Value]) -> bool:
    return any(not isinstance(item, Known) for item in items)


def _text(left: Value, right: Value) -> bool | None:
    """Text with holes differs for certain when its known start or end differs."""
    a, b = parts_of(left) or (), parts_of(right) or ()
    if not a or not b:
        return None
    for first, second, is_head in ((a[0], b[0], True), (a[-1], b[-1], False)):
        if isinstance(first, Fragment) and isinstance(second, Fragment):
            x, y = first.text, second.text
            shorter = min(len(x), len(y))
            same = (
                x[:shorter] == y[:shorter]
                if is_head
                else x[len(x) - shorter :] == y[len(y) - shorter :]
            )
            if not same:
                return False
    return None


# ---------------------------------------------------------------- sets


def unique(items: Iterable[Value]) -> list[Value]:
    """The items without those that certainly stand there already, first ones kept."""
    kept: list[Value] = []
    seen: set[tuple[type, object]] = set()
    others: list[Value] = []
    for item in items:
        if isinstance(item, Known) and not isinstance(item, Absent):
            is_number = not isinstance(item.value, str | bool) and item.value is not None
            key = (int if is_number else type(item.value), item.value)
            if key in seen:
                continue
            seen.add(key)
        else:
            if len(others) < 256 and any(_is_same(item, other) for other in others):
                continue
            others.append(item)
        kept.append(item)
    return kept


def _is_same(item: Value, other: Value) -> bool:
    if isinstance(item, Unknown) and isinstance(other, Unknown):
        return item.label == other.label and item.reason is other.reason
    return equal(item, other) is True


def sort_set(items: list[Value]) -> list[Value]:
    """The items in the order in which Terraform goes through a set; holes come last.

    Strings, numbers and bools by value; anything else by a serialisation of it.
    https://github.com/zclconf/go-cty/blob/main/cty/set_internals.go
    """
    return sorted(items, key=_set_key)


def _set_key(item: Value) -> tuple[int, object, object]:
    match item:
        case Known(value=None):
            return (4, 0, b"")
        case Known(value=bool(flag)):
            return (0, int(flag), b"")
        case Known(value=str(text)):
            return (1, 0, text.encode("utf-8", "surrogatepass"))
        case Known():
            return (0, numbers.number_of(item) or 0, b"")
        case Listing() | Mapping():
            return (2, 0, _serialised(item))
        case _:
            return (3, 0, b"")


def _serialised(value: Value) -> bytes:
    match value:
        case Known(value=None):
            return b"~"
        case Known(value=bool(flag)):
            return b"T" if flag else b"F"
        case Known(value=str(text)):
            from iam_preflight.terraform.functions.formatting import quoted

            return quoted(text).encode("utf-8", "surrogatepass")
        case Known():
            return numbers.render(numbers.number_of(value) or 0).encode()
        case Listing(items=items, is_set=is_set, is_list=is_list):
            inner = b"".join(_serialised(item) + b";" for item in items)
            return b"[" + inner + b"]" if is_set or is_list else b"<" + inner + b">"
        case Mapping(entries=entries, is_map=True):
            pairs = (
                _serialised(Known(key, value.span)) + b":" + _serialised(entries[key]) + b";"
                for key in sorted(entries)
            )
            return b"{" + b"".join(pairs) + b"}"
        case Mapping(entries=entries):
            inner = b"".join(_serialised(entries[key]) + b";" for key in sorted(entries))
            return b"<" + inner + b">"
        case _:
            return b"?"
