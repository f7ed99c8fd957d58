"""Reports of earlier scans, given again while nothing has changed that they were made of.

An entry is named after everything that a scan depends on beside the files: options, settings,
rules, the scanner itself, the day. It holds the trace of the questions that the scan asked about
files (`tracing`) and the report as data, as JSON would have it; nothing that a report would not
say is kept. An entry that cannot be read is none.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from iam_preflight import __version__
from iam_preflight.discovery import FolderTree
from iam_preflight.errors import ProblemKind
from iam_preflight.reporters.model import Report  # noqa: TC001  msgspec decodes by it
from iam_preflight.tracing import Question, TracedTree, digest, still_holds
from iam_preflight.writing import cache_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.commands.shared.inputs import Inputs, Prepared
    from iam_preflight.scan import ScanOptions

VARIABLE = "IAM_PREFLIGHT_CACHE"
"""The environment variable that names the folder, or is `off`."""

MAX_ENTRIES = 50
"""The oldest go when there are more."""

_SUFFIX = ".iam-preflight-report"
_PASSING = frozenset(
    kind.value for kind in (ProblemKind.LIMIT, ProblemKind.RULE_CRASH, ProblemKind.FAULT)
)
"""Problems that another try, with more time or memory, may not have."""


class _Entry(msgspec.Struct, array_like=True):
    trace: list[Question]
    report: Report


def cache_for(
    inputs: Inputs,
    prepared: Prepared,
    options: ScanOptions,
    is_wanted: bool | None,
    about: tuple[object, ...],
) -> Cache | None:
    """The cache of a scan, as the command line has it (None: everywhere but in CI).

    What reads beside its tree, from another revision or from rules of one's own, is never kept.
    """
    if is_wanted is False or (is_wanted is None and os.environ.get("CI")):
        return None
    if inputs.rules or inputs.parameters or inputs.settings_from or inputs.suppressions_from:
        return None
    kept_in = folder()
    if kept_in is None:
        return None
    try:
        return Cache(kept_in, prepared, options, about)
    except UnicodeError:  # a path that is no text
        return None


def folder() -> Path | None:
    """Where reports are kept; None for nowhere."""
    told = os.environ.get(VARIABLE)
    if told:
        return None if told == "off" else Path(told)
    try:
        return cache_folder()
    except RuntimeError:
        return None  # a user without a home


class Cache:
    """The reports of one kind of scan of one folder."""

    def __init__(
        self, kept_in: Path, prepared: Prepared, options: ScanOptions, about: tuple[object, ...]
    ) -> None:
        self._disk = FolderTree(prepared.top)
        self.tree = TracedTree(self._disk)
        """What the scan has to read from, for its report to be kept."""
        known = (*_depends_on(prepared, options), about)
        name = digest(msgspec.json.encode(known)).hex()
        self._path = kept_in / (name + _SUFFIX)

    def find(self) -> Report | None:
        """The report of a scan that would find the same today."""
        started = time.perf_counter()
        try:
            entry = msgspec.msgpack.decode(self._path.read_bytes(), type=_Entry)
        except (OSError, msgspec.DecodeError, RecursionError, UnicodeError):
            return None
        if not still_holds(self._disk, entry.trace):
            return None
        return msgspec.structs.replace(entry.report, seconds=time.perf_counter() - started)

    def keep(self, report: Report) -> None:
        """Keeps the report of the scan that read `tree`; where that fails, it is not kept."""
        if any(problem.code in _PASSING for problem in report.problems):
            return
        partial = self._path.with_name(f"{self._path.name}.{os.getpid()}")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            data = msgspec.msgpack.encode(_Entry(self.tree.trace, report))
            partial.touch(mode=0o600, exist_ok=False)
            partial.write_bytes(data)
            partial.replace(self._path)
            self._tidy()
        except (OSError, UnicodeError):  # a path that is no text
            with contextlib.suppress(OSError):
                partial.unlink(missing_ok=True)

    def _tidy(self) -> None:
        kept = sorted(self._path.parent.glob("*" + _SUFFIX), key=lambda p: -p.stat().st_mtime)
        for old in kept[MAX_ENTRIES:]:
            old.unlink(missing_ok=True)


def _depends_on(prepared: Prepared, options: ScanOptions) -> Iterator[Any]:
    from iam_preflight.knowledge.age import data_date

    yield from (__version__, sys.version, str(data_date()), _code_of(prepared))
    yield from (str(prepared.top), [str(path.resolve()) for path in prepared.paths])
    yield [rule.id for rule in prepared.registry]
    yield {
        name: getattr(options, name)
        for name in options.__struct_fields__
        if name not in ("account_context", "ahead", "base", "progress")
    }
    yield [(source.path, digest(source.data)) for source in options.account_context]


def _code_of(prepared: Prepared) -> bytes:
    """Something that changes with the scanner, its rules and what is installed beside them."""
    files: set[Path] = set()
    for module in (sys.modules[type(rule).__module__] for rule in prepared.registry):
        if module.__file__ is not None:
            files.add(Path(module.__file__))
    own = Path(__file__).parents[2]
    files.update(Path(top, name) for top, _, names in os.walk(own) for name in names)
    files.add(Path(msgspec.__file__).parents[1])
    seen = [(str(file), file.stat().st_mtime_ns) for file in sorted(files) if file.suffix != ".pyc"]
    return digest(msgspec.json.encode(seen))
