"""AWS services that act for anybody's resources, and whether they say whose."""

from __future__ import annotations

import functools
import re

import msgspec

from iam_preflight.knowledge.reading import read_data

_SUFFIX = re.compile(r"\.(?:amazonaws\.com(?:\.cn)?|amazon\.com|aws\.internal)$")
_REGION = re.compile(r"[a-z]{2}(?:-[a-z]+)+-\d")


class _File(msgspec.Struct):
    sends: frozenset[str]
    silent: frozenset[str]
    trust: frozenset[str]
    elsewhere: dict[str, frozenset[str]]
    levels: dict[str, str]


@functools.cache
def _facts() -> _File:
    return read_data("confused_deputies.json", _File)


def deputy_names() -> frozenset[str]:
    """The services of which it is known what they send, by their short names."""
    facts = _facts()
    return facts.sends | facts.silent | facts.trust


def short_name(principal: str) -> str:
    """A service principal without region and suffix: `delivery.logs`."""
    labels = _SUFFIX.sub("", principal.lower()).split(".")
    return ".".join(label for label in labels if not _REGION.fullmatch(label))


def sends_source(principal: str, used: str) -> bool | None:
    """Whether a service says for whom it uses a resource of another; None where nobody knows."""
    name = short_name(principal)
    if name in _facts().silent:
        return False
    if used in _facts().elsewhere.get(name, ()):
        return None
    return True if name in _facts().sends else None


def sends_source_to_roles(principal: str) -> bool:
    """Whether a service says so when it assumes a role."""
    return short_name(principal) in _facts().trust


def deputy_level(action: str) -> str:
    """How bad it is that a service may use an action for anybody."""
    levels = _facts().levels
    return levels.get(action) or levels.get(action.partition(":")[0], "medium")
