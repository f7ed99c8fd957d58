"""Names that AWS takes although its service reference does not list them."""

from __future__ import annotations

import functools

import msgspec

from iam_preflight.knowledge.reading import read_data


class _LegacyFile(msgspec.Struct):
    actions: tuple[str, ...]
    condition_keys: tuple[str, ...]


@functools.cache
def legacy_names() -> frozenset[str]:
    """Actions and condition keys, in lower case."""
    held = read_data("legacy_names.json", _LegacyFile)
    return frozenset(name.lower() for name in (*held.actions, *held.condition_keys))
