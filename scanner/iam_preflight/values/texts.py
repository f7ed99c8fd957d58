"""Values as text, numbers and JSON, and text put together from parts."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from iam_preflight.values.kinds import (
    MASK,
    Choice,
    Fragment,
    Json,
    Known,
    Listing,
    Mapping,
    Scalar,
    Text,
    Unknown,
    Value,
)
from iam_preflight.values.walks import is_sensitive

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from iam_preflight.source import Span


MAX_EXPONENT = 4096
"""Decimal places beyond which a number is too large (or small) to write out."""
LARGEST = 2**63


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
    """The number that a value is or says; None also for one larger than any that AWS takes."""
    number = _number_of(value)
    return number if number is not None and abs(number) < LARGEST else None


def _number_of(value: Value | None) -> int | float | None:
    match value:
        case Known(value=bool()):
            return None
        case Known(value=Decimal() as number):
            return int(number) if number == number.to_integral_value() else float(number)
        case Known(value=int() | float() as number):
            return number
        case Known(value=str(text)) if len(text) < MAX_EXPONENT:
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
    import json

    return json.dumps(data, separators=(",", ":"), ensure_ascii=False)


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
