"""How holes and conditions are named: as the source writes them, on one line, cut short."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from iam_preflight.values import Known, Reference, Unknown, Value, is_null, show

if TYPE_CHECKING:
    from iam_preflight.source import Span

MAX_LABEL = 100
MAX_OPERAND = 60


def shorten(label: str) -> str:
    return label if len(label) <= MAX_LABEL else label[: MAX_LABEL - 1] + "…"


def one_line(span: Span) -> str:
    source = span.source.data
    # a label needs the beginning only, and an expression may go on for megabytes
    end = min(span.end, span.start + 8 * MAX_LABEL)
    return " ".join(source[span.start : end].decode("utf-8", "replace").split())


def label_of(span: Span) -> str:
    return shorten(one_line(span))


def operand_label(value: Value, span: Span) -> str:
    """A value as an operand: what it is if it is short, else what was written."""
    match value:
        case Unknown(label=label):
            return label
        case Known(sensitive=False, value=str(text)) if len(text) <= MAX_OPERAND:
            return f'"{text}"'
        case Known(sensitive=False):
            return "null" if is_null(value) else show(value)[:MAX_OPERAND]
        case _:
            return one_line(span)[:MAX_OPERAND]


def deeper(hole: Unknown, suffix: str, attribute: str, span: Span) -> Unknown:
    """The hole for a part of a hole: same reason, longer name."""
    reference = hole.reference
    if reference is not None and attribute:
        joined = f"{reference.attribute}.{attribute}" if reference.attribute else attribute
        reference = Reference(reference.address, joined, reference.deployment)
    label = shorten(hole.label + suffix)
    is_one = label == hole.origin + suffix and not set(suffix) & set("*…«")
    origin = label if hole.origin and is_one else ""
    return replace(hole, label=label, span=span, reference=reference, origin=origin)
