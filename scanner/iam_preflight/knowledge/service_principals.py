"""What the principals of AWS services look like, and which one somebody meant."""

from __future__ import annotations

import functools
from fnmatch import fnmatchcase

import msgspec

from iam_preflight.knowledge.catalog import catalog
from iam_preflight.knowledge.deputies import deputy_names
from iam_preflight.knowledge.reading import read_data
from iam_preflight.spelling import nearest

_SUFFIX = ".amazonaws.com"


class _File(msgspec.Struct):
    forms: tuple[str, ...]
    doubled: tuple[str, ...]
    common: tuple[str, ...]


@functools.cache
def _facts() -> _File:
    return read_data("service_principals.json", _File)


def may_be_service(principal: str) -> bool:
    """Whether a text could be a service principal; which services there are nobody lists."""
    text = principal.lower()
    facts = _facts()
    if any(fnmatchcase(text, form) for form in facts.doubled):
        return False
    return any(fnmatchcase(text, form) for form in facts.forms)


def nearest_service_principal(text: str) -> str | None:
    """The service principal that somebody meant, where one is known that is like it."""
    labels = text.lower().split(".")
    known = _known()
    for end in range(len(labels), 0, -1):
        name = ".".join(labels[:end])
        if name in known:
            return name + _SUFFIX
    return nearest(text, (name + _SUFFIX for name in sorted(known)), 0.85)


@functools.cache
def _known() -> frozenset[str]:
    """Names of services as they stand before the suffix."""
    return frozenset((*_facts().common, *deputy_names(), *catalog().services))
