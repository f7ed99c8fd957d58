"""Raw values that nobody wrote: what the SAM transform puts into a template.

They take the place of what they were made from, so that a finding lands on the SAM property.
"""

from __future__ import annotations

from collections.abc import Mapping as MappingABC
from typing import TYPE_CHECKING, TypeAlias

from iam_preflight.values import Fragment, Known, Listing, Mapping, Value, is_null, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.source import Span

Facts: TypeAlias = MappingABC[str, object]
"""An object in the making: plain data, with raw values in it."""


def raw(data: object, span: Span) -> Value:
    """Python data (with raw values in it) as a raw value, all of it at one place."""
    match data:
        case Known() | Mapping() | Listing():
            return data
        case MappingABC():
            return Mapping({str(key): raw(item, span) for key, item in data.items()}, span)
        case list() | tuple():
            return Listing(tuple(raw(item, span) for item in data), span)
        case str():
            return Known(data, span, (Fragment(data, span),))
        case bool() | int() | float() | None:
            return Known(data, span)
        case _:
            # other values (holes) are values already
            return data  # type: ignore[return-value]


def ref(name: str) -> Facts:
    return {"Ref": name}


def get_att(name: str, attribute: str = "Arn") -> Facts:
    return {"Fn::GetAtt": [name, attribute]}


def sub(text: str, **names: object) -> Facts:
    return {"Fn::Sub": [text, names] if names else text}


def entry(value: Value | None, *path: str) -> Value | None:
    """What is written under a path of keys; None where it is not there, or null."""
    for key in path:
        if not isinstance(value, Mapping):
            return None
        value = value.get(key)
    return None if is_null(value) else value


def text_at(value: Value | None, *path: str) -> str | None:
    return text_of(entry(value, *path))


def entries_of(value: Value | None) -> Iterator[tuple[str, Value, Span]]:
    """The entries of a mapping with the places of their keys; nothing for any other value."""
    if isinstance(value, Mapping):
        for key in value.entries:
            yield key, value.entries[key], value.key_span(key)


def items_at(value: Value | None, *path: str) -> tuple[Value, ...]:
    """The items of a list, or what is written there as the only one."""
    found = entry(value, *path)
    if found is None:
        return ()
    return found.items if isinstance(found, Listing) else (found,)


def name_in(value: Value | None) -> str | None:
    """The logical id in a plain `Ref` or `Fn::GetAtt`."""
    if not isinstance(value, Mapping) or len(value.entries) != 1:
        return None
    if "Ref" in value.entries:
        return text_of(value.entries["Ref"])
    found = value.entries.get("Fn::GetAtt")
    if isinstance(found, Listing) and found.items:
        return text_of(found.items[0])
    text = text_of(found)
    return text.partition(".")[0] if text is not None else None


def is_no_value(value: Value | None) -> bool:
    return isinstance(value, Mapping) and text_of(value.get("Ref")) == "AWS::NoValue"


def spans_of(
    properties: Facts, known: MappingABC[str, Span] | None, place: Span
) -> dict[str, Span]:
    """The places of properties: where they are known, else one for all."""
    return {name: (known or {}).get(name, place) for name in properties}
