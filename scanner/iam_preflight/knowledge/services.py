"""Which services may share a role, and what kind of work each of them does with one."""

from __future__ import annotations

import functools
import re
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import msgspec

from iam_preflight.knowledge.reading import read_data

if TYPE_CHECKING:
    from collections.abc import Iterable

_DOMAIN = re.compile(r"\.amazonaws\.com(\.cn)?$|\.amazon\.com$|\.aws\.internal$|\.aws$")
_REGION = re.compile(r"\.[a-z]{2}(-[a-z]+)+-\d$")


class _File(msgspec.Struct):
    together: tuple[tuple[str, ...], ...]
    classes: dict[str, tuple[str, ...]]
    basic: tuple[str, ...]
    types: dict[str, str]
    agents: tuple[str, ...]
    hosted: tuple[str, ...]


@functools.cache
def _facts() -> _File:
    return read_data("service_families.json", _File)


def service_name(principal: str) -> str:
    """The short name of a service principal: `logs` for `logs.eu-west-1.amazonaws.com`."""
    return _REGION.sub("", _DOMAIN.sub("", principal.lower()))


def class_of(service: str) -> str:
    """What kind of work a service does with a role; empty where that is not known."""
    return next((name for name, all_of in _facts().classes.items() if service in all_of), "")


def families(services: Iterable[str]) -> list[tuple[str, ...]]:
    """The services in groups that AWS lets share a role."""
    groups: list[set[str]] = [{service} for service in dict.fromkeys(services)]
    for together in _facts().together:
        joined = [group for group in groups if group & set(together)]
        if len(joined) > 1:
            groups = [group for group in groups if group not in joined]
            groups.append(set().union(*joined))
    return [tuple(sorted(group)) for group in groups]


def basic_actions() -> tuple[str, ...]:
    """Patterns of the actions that every role may have that only runs something."""
    return _facts().basic


def agent_policies() -> tuple[str, ...]:
    """AWS-managed policies that the agents of an ordinary machine need."""
    return _facts().agents


def runner_of(resource_type: str) -> str:
    """The service that takes the role which a resource of a type names."""
    types = _facts().types
    starts = [start for start in types if resource_type.startswith(start)]
    if starts:
        return types[max(starts, key=len)]
    return resource_type.removeprefix("aws_").split("_", 1)[0]


def is_hosted_by_aws(name: str) -> bool:
    """Whether a bucket or repository of that name is AWS's own, for everybody to load from."""
    return any(fnmatchcase(name, pattern) for pattern in _facts().hosted)
