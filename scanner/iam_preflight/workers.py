"""The rules in several processes: each takes the next task, which is some of them.

The processes are copies of the scan made once everything has been read (`fork`), so that nothing
has to be handed to them. What they find comes back by pickle; resources and files are named in it
instead of copied, so that all findings speak of the same ones. What a process that fails had taken
is missing from the results, for the caller to do itself.
"""

from __future__ import annotations

import contextlib
import io
import os
import pickle
import signal
import struct
import threading
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from iam_preflight.resources import Resource
from iam_preflight.source import SourceFile
from iam_preflight.tracing import Question, TracedTree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from iam_preflight.discovery import Workspace
    from iam_preflight.errors import Problem
    from iam_preflight.findings import Finding
    from iam_preflight.graph.model import Graph
    from iam_preflight.source import Span

    Found = dict[int, list[Finding]]
    """What was found by the number of the rule."""

    Tasks = Sequence[Sequence[int]]
    """The numbers of the rules that are for one process each, those that take longest first."""

MAX_BY_DEFAULT = 4
"""What several rules need is worked out in each process: more processes gain little."""
_TICKET = struct.Struct("<H")
_MAX_TASKS = 2000
"""More tickets than this may not fit a pipe at once."""


def workers(wanted: int) -> int:
    """How many processes there may be; for 0 as many as there are processors, within reason.

    One where the process cannot be copied: the thread of somebody else may hold a lock.
    """
    if not hasattr(os, "fork") or threading.active_count() > 1:
        return 1
    if wanted:
        return wanted
    if hasattr(os, "sched_getaffinity"):
        return min(len(os.sched_getaffinity(0)), MAX_BY_DEFAULT)
    return min(os.cpu_count() or 1, MAX_BY_DEFAULT)


def share(
    tasks: Tasks,
    jobs: int,
    judge: Callable[[int], list[Finding]],
    graph: Graph,
    workspace: Workspace,
    ends: contextlib.ExitStack,
) -> Found:
    """What the rules of all tasks find; without those that a failed process had taken.

    It takes a process some time to end that has nothing left to say: `ends` waits for it.
    """
    if len(tasks) > _MAX_TASKS:
        return {}
    tickets, box = os.pipe()
    os.write(box, b"".join(map(_TICKET.pack, range(len(tasks)))))
    os.close(box)

    def work() -> Found:
        return {number: judge(number) for task in _taken(tickets, tasks) for number in task}

    parcels = _Parcels(graph, workspace)
    helpers: list[_Helper] = []
    try:
        while len(helpers) < jobs - 1:
            helpers.append(_Helper(work, parcels))
        found = work()
        parcels.know(found)
        for helper in helpers:
            with contextlib.suppress(pickle.UnpicklingError, EOFError):
                found.update(parcels.open(helper.wait()))
    finally:
        for helper in helpers:
            helper.stop()
            ends.callback(helper.bury)
        os.close(tickets)
    return found


def _taken(tickets: int, tasks: Tasks) -> Iterator[Sequence[int]]:
    """Tasks that nobody else has taken, until there are none left."""
    while ticket := os.read(tickets, _TICKET.size):
        (number,) = _TICKET.unpack(ticket)
        yield tasks[number]


class _Helper:
    """A copy of this process that works and ends."""

    def __init__(self, work: Callable[[], Found], parcels: _Parcels) -> None:
        self._results, results = os.pipe()
        self._process = os.fork()
        if self._process == 0:
            try:
                data = parcels.wrap(work())
                with os.fdopen(results, "wb") as stream:
                    stream.write(data)
            finally:
                os._exit(0)  # nothing of what the other process has begun is ended twice
        os.close(results)

    def wait(self) -> bytes:
        """Its results; not all of them where it failed."""
        with os.fdopen(self._results, "rb") as stream:
            data = stream.read()
        self._results = -1
        return data

    def stop(self) -> None:
        """Ends it, if nobody has waited for its results."""
        if self._results >= 0:
            os.close(self._results)
            os.kill(self._process, signal.SIGKILL)

    def bury(self) -> None:
        os.waitpid(self._process, 0)


class _Parcel(Struct):
    """What one process hands to another: findings, and what it came to know on the way."""

    found: Found
    problems: list[Problem]
    secrets: list[str]
    code: list[str]
    read: list[str]
    asked: list[Question]


class _Parcels:
    """Wraps and opens parcels, between processes that have a graph and a workspace in common."""

    def __init__(self, graph: Graph, workspace: Workspace) -> None:
        self._workspace = workspace
        self._resources = graph.resources
        self._numbers = {id(resource): i for i, resource in enumerate(graph.resources)}
        self._texts: dict[tuple[object, ...], SourceFile] = {}
        """Sources that are no file: what a function has decoded, a policy of AWS's."""
        # what everybody knows need not be sent
        self._problems = len(workspace.problems)
        self._read = {source.path for source in workspace.sources}
        self._secrets = workspace.secrets.texts
        self._asked = set(self._trace())

    def know(self, found: Found) -> None:
        """Makes sources that are alike one with those of these findings."""
        for findings in found.values():
            for span in (span for finding in findings for span in _spans_of(finding)):
                if not self._is_file(span.source):
                    self._texts.setdefault(_content(span.source), span.source)

    def wrap(self, found: Found) -> bytes:
        workspace = self._workspace
        parcel = _Parcel(
            found,
            workspace.problems[self._problems :],
            sorted(workspace.secrets.texts - self._secrets),
            sorted(workspace.code),
            [source.path for source in workspace.sources if source.path not in self._read],
            [question for question in self._trace() if question not in self._asked],
        )
        stream = io.BytesIO()
        wrapper = pickle.Pickler(stream, pickle.HIGHEST_PROTOCOL)
        wrapper.dispatch_table = {Resource: self._by_name, SourceFile: self._by_name}
        wrapper.dump(parcel)
        return stream.getvalue()

    def open(self, data: bytes) -> Found:
        """The findings of a parcel; what else it holds joins the workspace."""
        parcel = _Opener(io.BytesIO(data), self).load()
        assert isinstance(parcel, _Parcel)
        workspace = self._workspace
        workspace.problems.extend(parcel.problems)
        for text in parcel.secrets:
            workspace.secrets.add(text)
        workspace.code.update(parcel.code)
        for path in parcel.read:
            workspace.source(path)
        if isinstance(workspace.tree, TracedTree):
            workspace.tree.remember(parcel.asked)
        return parcel.found

    def _trace(self) -> list[Question]:
        tree = self._workspace.tree
        return tree.trace if isinstance(tree, TracedTree) else []

    # ---- what is named in a parcel

    def _by_name(self, thing: Resource | SourceFile) -> tuple[Any, tuple[object, ...]]:
        return _named, (self._name_of(thing),)

    def _name_of(self, thing: Resource | SourceFile) -> tuple[object, ...]:
        if isinstance(thing, SourceFile):
            return ("file", thing.path) if self._is_file(thing) else _content(thing)
        number = self._numbers.get(id(thing))
        if number is None:
            raise pickle.PicklingError(f"{thing.address} is not in the graph")
        return ("resource", number)

    def named(self, name: tuple[Any, ...]) -> object:
        match name:
            case ("resource", int(number)):
                return self._resources[number]
            case ("file", str(path)):
                return self._workspace.source(path)
            case ("text", str(path), bytes(data), bool(is_record), bool(is_private)):
                source = self._texts.get(name)
                if source is None:
                    source = self._texts[name] = SourceFile(path, data, is_record=is_record)
                    source.is_private = is_private
                return source
            case _:
                raise pickle.UnpicklingError(f"nothing has the name {name!r}")

    def _is_file(self, source: SourceFile) -> bool:
        return self._workspace.has_read(source)


def _content(source: SourceFile) -> tuple[object, ...]:
    return ("text", source.path, source.data, source.is_record, source.is_private)


def _spans_of(finding: Finding) -> Iterator[Span]:
    yield finding.primary.span
    yield from (place.span for place in (*finding.related, *finding.steps))
    yield from finding.causes
    if finding.fix is not None:
        yield from (edit.span for edit in finding.fix.edits)


def _named(name: tuple[Any, ...]) -> object:
    """What stands in a parcel for a thing that has a name: the opener puts in what it has."""
    raise pickle.UnpicklingError(f"nobody knows {name!r}")


class _Opener(pickle.Unpickler):
    def __init__(self, stream: io.BytesIO, parcels: _Parcels) -> None:
        super().__init__(stream)
        self._parcels = parcels

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == (__name__, _named.__name__):
            return self._parcels.named
        return super().find_class(module, name)
