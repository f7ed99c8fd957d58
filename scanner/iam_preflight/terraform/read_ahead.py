"""HCL files parsed by another process, while this one loads its rules and evaluates.

The other one is a copy of this (`fork`) that goes through the files in the order in which they
will be asked for and sends the tree of each; it leaves a few out whenever this one has caught up.
Both see in one piece of memory which files somebody has begun with: what the other one has not,
this one parses itself.
A file with anything wrong in it is left to this one, and so is all that the other one has not
sent when it ends, whatever it ended of.
"""

from __future__ import annotations

import contextlib
import io
import mmap
import os
import pickle
import select
import signal
import struct
import sys
import traceback
from collections import deque
from itertools import islice
from typing import TYPE_CHECKING, Any

from iam_preflight.discovery import FolderTree, Workspace, inventory_of
from iam_preflight.knowledge.resource_types import resource_types
from iam_preflight.source import SourceFile
from iam_preflight.terraform.configuration import sources_in
from iam_preflight.terraform.roots import order_of_use, possible_calls
from iam_preflight.terraform.tree import Body, Complaints, File
from iam_preflight.tracing import TracedTree
from iam_preflight.workers import workers

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from iam_preflight.discovery import Tree
    from iam_preflight.errors import Problem

SUFFIXES = (".tf", ".tofu")
WORTH_IT = 12
"""Files from which on another process is faster."""
AT_ONCE = 100
"""Files of which the expressions are sent, too: not all will be asked for, and all take memory."""

AHEAD = 8
"""Files that are left to the first process when it has caught up."""
FAR_AHEAD = 24
"""Files that nobody has asked for yet from which on there is time to do more with the next."""
LOWERED = frozenset({"locals", "data", "resource"})
"""Types of blocks of which most expressions will be asked for: they are sent when there is time."""

_SLOTS = 1 << 16
_SLOT = struct.Struct("<I")
_HEAD = struct.Struct("<IIq")
"""Before each tree: the bytes of the path and of the tree, and the hash of what was read."""
_CHUNK = 1 << 20


def read_below(tree: Tree, below: Sequence[str], jobs: int) -> ReadAhead | None:
    """Begins to parse what is below some folders, where there are files and processes enough."""
    found = (name for path in below for name in tree.files(path) if name.endswith(SUFFIXES))
    if jobs == 1 or len(list(islice(found, WORTH_IT))) < WORTH_IT:
        return None
    return _started(tree, lambda: inventory_of(tree, below).terraform, jobs)


def read_files(tree: Tree, files: Sequence[str], jobs: int) -> ReadAhead | None:
    """Begins to parse some files, where there are files and processes enough."""
    if jobs == 1 or len(files) < WORTH_IT:
        return None
    return _started(tree, lambda: files, jobs)


def _started(tree: Tree, files: Callable[[], Sequence[str]], jobs: int) -> ReadAhead | None:
    below = tree.below if isinstance(tree, TracedTree) else tree
    # what another kind of tree reads from may not be read by two
    if not isinstance(below, FolderTree) or workers(jobs) == 1:
        return None
    return ReadAhead(below, files)


class ReadAhead:
    """What another process has parsed. Close it when nothing more is asked."""

    def __init__(self, tree: FolderTree, files: Callable[[], Sequence[str]]) -> None:
        """`files` are listed by the other process."""
        import iam_preflight.terraform.syntax  # noqa: F401  both need it

        self._begun = _Begun()
        self._sent: dict[str, tuple[int, bytes]] = {}
        self._rest = b""
        self._pipe, pipe = os.pipe()
        _widen(pipe)
        self._process = os.fork()
        if self._process == 0:
            try:
                _leave_streams_alone()
                os.close(self._pipe)
                with os.fdopen(pipe, "wb", buffering=0) as stream:
                    _parse_all(tree, files(), self._begun, stream)
            finally:
                os._exit(0)  # nothing of what the first process has begun is ended twice
        os.close(pipe)
        self._poll = select.poll()
        self._poll.register(self._pipe, select.POLLIN)

    def file(self, source: SourceFile, problems: list[Problem]) -> File | None:
        """The tree of a file; None where it has to be parsed here."""
        if self._pipe < 0 or not source.path.endswith(SUFFIXES):
            return None
        while self._poll.poll(0) and self._receive():
            pass  # the other one must not wait
        if source.path not in self._sent and self._begun.begin(source.path):
            return None
        while source.path not in self._sent:
            self._begun.is_caught_up = True
            if not self._receive():
                return None
        digest, data = self._sent.pop(source.path)
        self._begun.taken += 1
        if not data or digest != hash(source.data):
            return None
        return _Opener(data, source, problems).file()

    def close(self) -> None:
        if self._pipe >= 0:
            os.close(self._pipe)
            self._pipe = -1
            os.kill(self._process, signal.SIGKILL)
            os.waitpid(self._process, 0)

    def _receive(self) -> bool:
        """Takes in what was sent; no when there is nothing more to come."""
        data = os.read(self._pipe, _CHUNK)
        if not data:
            return False
        data, at = self._rest + data, 0
        while at + _HEAD.size <= len(data):
            path_size, size, digest = _HEAD.unpack_from(data, at)
            middle = at + _HEAD.size + path_size
            if middle + size > len(data):
                break
            path = os.fsdecode(data[at + _HEAD.size : middle])
            self._sent[path] = digest, data[middle : middle + size]
            at = middle + size
        self._rest = data[at:]
        return True


class _Begun:
    """The files that somebody has begun to parse, in memory that both processes see.

    Two that fall into one slot may be parsed twice, which does no harm.
    """

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, _SLOTS * _SLOT.size + _SLOT.size + 1)

    @property
    def is_caught_up(self) -> bool:
        """Whether the first process has had to wait for the other one."""
        return self._memory[-1] == 1

    @is_caught_up.setter
    def is_caught_up(self, value: bool) -> None:
        self._memory[-1] = value

    @property
    def taken(self) -> int:
        """How many files the first process has taken over from the other one."""
        (count,) = _SLOT.unpack_from(self._memory, _SLOTS * _SLOT.size)
        assert isinstance(count, int)
        return count

    @taken.setter
    def taken(self, value: int) -> None:
        _SLOT.pack_into(self._memory, _SLOTS * _SLOT.size, value)

    def begin(self, path: str) -> bool:
        """Whether nobody had begun with a file; from now on somebody has."""
        # both processes have the same hashes
        value = hash(path) & 0xFFFF_FFFF_FFFF
        at, tag = value % _SLOTS * _SLOT.size, value // _SLOTS
        if _SLOT.unpack_from(self._memory, at)[0] == tag:
            return False
        _SLOT.pack_into(self._memory, at, tag)
        return True


def _widen(pipe: int) -> None:
    """Lets the other process send much before anybody listens, where the platform can."""
    import fcntl

    size = getattr(fcntl, "F_SETPIPE_SZ", None)
    if size is not None:
        with contextlib.suppress(OSError):
            fcntl.fcntl(pipe, size, _CHUNK)


def _leave_streams_alone() -> None:
    """Whoever reads the output of the scan waits for its end, not for that of this process."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(nowhere, stream)


def _parse_all(
    tree: FolderTree, files: Sequence[str], begun: _Begun, stream: io.RawIOBase | io.FileIO
) -> None:
    _halve_the_stack()
    workspace = Workspace(tree)
    left = deque(_in_order_of_use(workspace, files))
    sent = 0
    while left:
        if begun.is_caught_up:
            left.rotate(-AHEAD)
            begun.is_caught_up = False
        path = left.popleft()
        if begun.begin(path):
            data = parsed = b""
            # what goes wrong will be seen, and told, where it is parsed again
            with contextlib.suppress(Exception):
                source = workspace.source(path)
                if source is not None:
                    lowered = LOWERED if sent - begun.taken > FAR_AHEAD else ()
                    data = source.data
                    parsed = _parsed(source, lowered, is_whole=sent < AT_ONCE)
            sent += 1
            name = os.fsencode(path)
            _write(stream, _HEAD.pack(len(name), len(parsed), hash(data)) + name + parsed)


def _in_order_of_use(workspace: Workspace, files: Sequence[str]) -> Iterator[str]:
    """The HCL files among some, each once."""
    wanted = dict.fromkeys(path for path in files if path.endswith(SUFFIXES))
    for directory in order_of_use(possible_calls(workspace, files)):
        for source in sources_in(workspace, directory):
            if source.path in wanted:
                del wanted[source.path]
                yield source.path
    yield from wanted


def _halve_the_stack() -> None:
    """What is deep here must not be too deep there, where more has been called already."""
    used = sum(1 for _ in traceback.walk_stack(None))
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(used + max(limit - used, 0) // 2)


def _write(stream: io.RawIOBase | io.FileIO, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[stream.write(left) :]


def _parsed(source: SourceFile, lowered: Collection[str], *, is_whole: bool) -> bytes:
    """The tree of a file as bytes; none where anything is wrong in it.

    In a whole one all expressions are lowered, else those in blocks of some types.
    """
    from iam_preflight.terraform.syntax import parse_file

    problems: list[Problem] = []
    file = parse_file(source, problems, resource_types().is_relevant, lowered)
    if is_whole:
        for body in _bodies(file):
            for attribute in body.attributes.values():
                attribute.lower_if_possible()
    if problems:
        return b""
    data = io.BytesIO()
    wrapper = pickle.Pickler(data, pickle.HIGHEST_PROTOCOL)
    wrapper.dispatch_table = {SourceFile: _named, Complaints: _named}
    wrapper.dump(file)
    return data.getvalue()


def _bodies(file: File) -> Iterator[Body]:
    """Every body that has been lowered."""
    left = [*file.blocks]
    while left:
        body = left.pop().lowered
        if body is not None:
            yield body
            left.extend(body.blocks)


def _named(thing: SourceFile | Complaints) -> tuple[type, tuple[()]]:
    """What is not sent: the receiver has it."""
    return type(thing), ()


class _Opener(pickle.Unpickler):
    """Reads a tree, of a source that is here already."""

    def __init__(self, data: bytes, source: SourceFile, problems: list[Problem]) -> None:
        super().__init__(io.BytesIO(data))
        complaints = Complaints(problems)
        # what is read remembers these, and must not remember the reader with all that it has read
        self._here: dict[str, Callable[[], object]] = {
            SourceFile.__name__: lambda: source,
            Complaints.__name__: lambda: complaints,
        }

    def find_class(self, module: str, name: str) -> Any:
        here = self._here.get(name)
        return here if here is not None else super().find_class(module, name)

    def file(self) -> File:
        file = self.load()
        assert isinstance(file, File)
        return file
