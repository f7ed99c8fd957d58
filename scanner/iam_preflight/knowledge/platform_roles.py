"""Roles that tools of AWS's own need as administrators."""

from __future__ import annotations

import functools
from fnmatch import fnmatchcase

import msgspec

from iam_preflight.knowledge.reading import read_data


class _Role(msgspec.Struct):
    name: str
    tool: str


class _File(msgspec.Struct):
    roles: tuple[_Role, ...]


@functools.cache
def _roles() -> tuple[_Role, ...]:
    return read_data("platform_roles.json", _File).roles


def platform_of(name: str) -> str | None:
    """The tool that needs a role of this name as administrator; None where there is none."""
    lower = name.lower()
    return next((role.tool for role in _roles() if fnmatchcase(lower, role.name)), None)
