"""A policy as JSON where parts of it hang on undecided conditions: every alternative is in it.

A statement with an undecided element is written once for each of its forms, an item of a list that
may be there is there, and documents that exclude each other are one with the statements of all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from iam_preflight.values import (
    Absent,
    Assumptions,
    Choice,
    Listing,
    Mapping,
    arms_of,
    combine,
    plain,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.values import Value

MAX_FORMS = 32
"""Of one object; further ones are left out."""

_Form = tuple[Assumptions, object]


def with_alternatives(document: Value) -> object:
    """The document as `plain` gives it, with what undecided conditions would make of it."""
    forms = [form for _, form in _forms(document, ()) if form is not None]
    if len(forms) == 1:
        return forms[0]
    merged: dict[str, Any] = {}
    statements: list[object] = []
    for form in forms:
        if not isinstance(form, dict):
            statements.append(form)
            continue
        merged = {**form, **merged}
        found = form.get("Statement", [])
        statements += found if isinstance(found, list) else [found]
    return {**merged, "Statement": _distinct(statements)} if forms else None


def _forms(value: Value, given: Assumptions) -> Iterator[_Form]:
    match value:
        case Choice():
            for held, arm in arms_of(value, given):
                yield from _forms(arm, held)
        case Mapping(entries=entries):
            yield from _objects(value, [(given, {})], list(entries))
        case Listing(items=items, rest=rest):
            yield given, list(_items((*items, rest), given))
        case Absent():
            yield given, None
        case _:
            yield given, plain(value)


def _items(items: tuple[Value | None, ...], given: Assumptions) -> Iterator[object]:
    """All items; those of a list that an undecided condition puts in the place of one, too."""
    for item in items:
        if item is None:
            continue
        forms = [form for _, form in _forms(item, given)]
        if not isinstance(item, Choice):
            yield from forms
            continue
        for form in forms:
            if form is not None:
                yield from form if isinstance(form, list) else [form]


def _objects(
    value: Mapping, so_far: list[tuple[Assumptions, dict[str, object]]], keys: list[str]
) -> Iterator[_Form]:
    for key in keys:
        grown: list[tuple[Assumptions, dict[str, object]]] = []
        for given, entries in so_far:
            for held, form in _forms(value.entries[key], given):
                both = combine(given, held)
                if both is not None:
                    is_gone = form is None and isinstance(value.entries[key], Choice)
                    grown.append((both, entries if is_gone else {**entries, key: form}))
        so_far = grown[:MAX_FORMS]
    yield from so_far


def _distinct(items: list[object]) -> list[object]:
    """Each once, in order: what does not hang on the condition is in several alternatives."""
    kept: list[object] = []
    for item in items:
        if item not in kept:
            kept.append(item)
    return kept
