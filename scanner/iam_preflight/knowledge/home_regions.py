"""Global services: the one region of each partition that their requests go to.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-requestedregion
"""

from __future__ import annotations

import functools

import msgspec

from iam_preflight.knowledge.reading import read_data


class _HomeFile(msgspec.Struct):
    services: dict[str, tuple[str, ...]]
    elsewhere: tuple[str, ...]


@functools.cache
def _homes() -> _HomeFile:
    return read_data("home_regions.json", _HomeFile)


@functools.cache
def _elsewhere() -> frozenset[str]:
    return frozenset(name.lower() for name in _homes().elsewhere)


def home_regions(action: str) -> tuple[str, ...]:
    """What `aws:RequestedRegion` may say in requests for an action; empty where it may say much.

    The first is that of the commercial partition.
    """
    name = action.lower()
    return () if name in _elsewhere() else _homes().services.get(name.partition(":")[0], ())
