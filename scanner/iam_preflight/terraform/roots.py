"""Which folders are root modules: those that hold Terraform and that nobody here calls."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING, TypeAlias

from iam_preflight.terraform.configuration import SUFFIXES, local_target, sources_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from iam_preflight.discovery import Workspace
    from iam_preflight.terraform.configuration import Configuration

_LOCAL = re.compile(rb'"(\.\.?(?:/[^"\n]*)?)"')
"""Text that may be the source of a call of a module in the tree, in HCL and in JSON."""
_ESCAPES = (b'"\\u', b'"\\U', b'"\\/', b'".\\', b'"..\\')
"""How text begins that may be one, too, in other letters."""

MAX_TEXTS = 10_000
"""Such texts in one file: nobody writes as many."""

Calls: TypeAlias = "dict[str, set[str]]"
"""For each folder with Terraform those that it calls, or may call."""


def possible_calls(workspace: Workspace, files: Iterable[str]) -> Calls:
    """The calls in the tree, and perhaps others, told by a look at the text of the files.

    None at all where a text would have to be parsed to tell which folder it names.
    """
    calls: Calls = {}
    for directory in _directories(files):
        for source in sources_in(workspace, directory):
            texts = set(_LOCAL.findall(source.data))
            if len(texts) > MAX_TEXTS or any(start in source.data for start in _ESCAPES):
                return {}
            if any(map(_is_disguised, texts)):
                return {}
            targets = calls.setdefault(directory, set())
            for text in texts:
                target = local_target(workspace, directory, text.decode())
                if target is not None and target != directory:
                    targets.add(target)
    return calls


def _is_disguised(text: bytes) -> bool:
    """Whether text has to be parsed to tell what it names."""
    return b"\\" in text or b"$${" in text or b"%%{" in text or not text.isascii()


def sure_roots(calls: Calls, called: Iterable[str] = ()) -> list[str]:
    """Folders that `find_roots` will find among the roots, those that reach most others first.

    They can be evaluated before everything has been parsed. `calls` are all that are possible.
    """
    sure = calls.keys() - set(called).union(*calls.values())
    return sorted(sorted(sure), key=lambda root: len(_reached([root], calls)), reverse=True)


def order_of_use(calls: Calls) -> Iterator[str]:
    """Folders in the order in which the evaluation of sure roots comes to them, each once.

    What the first one needs comes last: whoever evaluates is there before anybody else.
    """
    seen: set[str] = set()
    first: list[str] = []
    for root in sure_roots(calls):
        new = [root, *sorted(_reached([root], calls) - {root} - seen)]
        seen.update(new)
        if first:
            yield from new
        else:
            first = new
    yield from first


def find_roots(
    configuration: Configuration, files: Iterable[str], called: Iterable[str] = ()
) -> list[str]:
    """The folders to scan as roots, sorted; `called` are known to be called by something else.

    Modules that call each other in a circle have no root; one of them is taken as such, so that
    nothing is passed over in silence.
    """
    present = [d for d in _directories(files) if configuration.module(d) is not None]
    calls = {directory: _called(configuration, directory) for directory in present}
    inner = {target for targets in calls.values() for target in targets} | set(called)
    roots = [directory for directory in present if directory not in inner]
    reached = _reached([*roots, *called], calls)
    for directory in present:
        if directory not in reached:
            roots.append(directory)
            reached |= _reached([directory], calls)
    return sorted(roots)


def _directories(files: Iterable[str]) -> list[str]:
    return sorted({posixpath.dirname(path) or "." for path in files if path.endswith(SUFFIXES)})


def _called(configuration: Configuration, directory: str) -> set[str]:
    module = configuration.module(directory)
    assert module is not None
    targets = (configuration.target(directory, block) for block in module.calls.values())
    return {target for target in targets if target is not None and target != directory}


def _reached(starts: Iterable[str], calls: Calls) -> set[str]:
    found: set[str] = set()
    stack = list(starts)
    while stack:
        directory = stack.pop()
        if directory not in found:
            found.add(directory)
            stack.extend(calls.get(directory, ()))
    return found
