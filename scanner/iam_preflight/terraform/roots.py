"""Which folders are root modules: those that hold Terraform and that nobody here calls."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from iam_preflight.terraform.configuration import JSON_SUFFIXES, NATIVE_SUFFIXES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from iam_preflight.terraform.configuration import Configuration


def find_roots(
    configuration: Configuration, files: Iterable[str], called: Iterable[str] = ()
) -> list[str]:
    """The folders to scan as roots, sorted; `called` are known to be called by something else.

    Modules that call each other in a circle have no root; one of them is taken as such, so that
    nothing is passed over in silence.
    """
    suffixes = (*NATIVE_SUFFIXES, *JSON_SUFFIXES)
    directories = sorted(
        {posixpath.dirname(path) or "." for path in files if path.endswith(suffixes)}
    )
    present = [d for d in directories if configuration.module(d) is not None]
    calls = {directory: _called(configuration, directory) for directory in present}
    inner = {target for targets in calls.values() for target in targets} | set(called)
    roots = [directory for directory in present if directory not in inner]
    reached = _reached([*roots, *called], calls)
    for directory in present:
        if directory not in reached:
            roots.append(directory)
            reached |= _reached([directory], calls)
    return sorted(roots)


def _called(configuration: Configuration, directory: str) -> set[str]:
    module = configuration.module(directory)
    assert module is not None
    targets = (configuration.target(directory, block) for block in module.calls.values())
    return {target for target in targets if target is not None and target != directory}


def _reached(starts: Iterable[str], calls: dict[str, set[str]]) -> set[str]:
    found: set[str] = set()
    stack = list(starts)
    while stack:
        directory = stack.pop()
        if directory not in found:
            found.add(directory)
            stack.extend(calls.get(directory, ()))
    return found
