"""Applies fixes as the smallest edits of the text: what is not named stays byte for byte.

A fix is made whole or not at all. Where two want the same bytes, the worse finding's goes first
and the other waits for the next round. A file that is no longer what was scanned is left alone.
"""

from __future__ import annotations

import difflib
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct, field

from iam_preflight.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from iam_preflight.findings import Edit, Finding, Fix
    from iam_preflight.source import SourceFile

INSTALLED = ".terraform"
"""Below here are downloaded modules: an edit would be lost."""


class Plan(Struct):
    """The edits that go together, file by file."""

    edits: dict[str, dict[tuple[int, int], str]] = field(default_factory=dict)
    """Replacements by byte range, by path."""
    sources: dict[str, SourceFile] = field(default_factory=dict)
    fixes: list[Finding] = field(default_factory=list)
    waiting: int = 0
    """Fixes that another one stands in the way of."""

    def texts(self) -> Iterator[tuple[SourceFile, bytes]]:
        """Each file with its new content, by path."""
        for path in sorted(self.edits):
            source = self.sources[path]
            yield source, apply_edits(source.data, self.edits[path])


def plan_fixes(findings: Iterable[Finding]) -> Plan:
    """The fixes of the findings, in their order, as far as they do not collide."""
    plan = Plan()
    for finding in findings:
        if finding.fix is None:
            continue
        if _is_free(plan, finding.fix):
            for edit in finding.fix.edits:
                path = edit.span.path
                plan.sources[path] = edit.span.source
                plan.edits.setdefault(path, {})[edit.span.start, edit.span.end] = edit.replacement
            plan.fixes.append(finding)
        else:
            plan.waiting += 1
    return plan


def _is_free(plan: Plan, fix: Fix) -> bool:
    """Whether no edit of the fix touches one that is planned; the same edit twice is one."""
    own: list[Edit] = []
    for edit in fix.edits:
        span = edit.span
        if not 0 <= span.start <= span.end <= len(span.source.data):
            return False
        if INSTALLED in span.path.split("/"):
            return False
        taken = plan.edits.get(span.path, {})
        for (start, end), replacement in taken.items():
            is_same = (start, end, replacement) == (span.start, span.end, edit.replacement)
            if not is_same and _touch(span.start, span.end, start, end):
                return False
        for other in own:
            if other.span.path == span.path and _touch(
                span.start, span.end, other.span.start, other.span.end
            ):
                return False
        own.append(edit)
    return True


def _touch(start: int, end: int, other_start: int, other_end: int) -> bool:
    """Whether two ranges share a byte, or insert at one place, or one inserts inside the other."""
    if start == end or other_start == other_end:
        return start <= other_end and other_start <= end
    return start < other_end and other_start < end


def apply_edits(data: bytes, edits: dict[tuple[int, int], str]) -> bytes:
    """The bytes with each range replaced; ranges do not touch. New lines end as the file's do."""
    newline = "\r\n" if b"\r\n" in data else "\n"
    pieces: list[bytes] = []
    at = 0
    for (start, end), replacement in sorted(edits.items()):
        pieces.append(data[at:start])
        pieces.append(replacement.replace("\r\n", "\n").replace("\n", newline).encode("utf-8"))
        at = end
    pieces.append(data[at:])
    return b"".join(pieces)


CONTEXT = 3
"""Lines that a patch shows around a change."""


def unified_diff(
    plan: Plan, is_secret: Callable[[str], bool] = lambda _line: False
) -> Iterator[str]:
    """The plan as a patch, line by line; without context where that would show a secret."""
    for source, content in plan.texts():
        before = source.data.decode("utf-8", "replace").splitlines(keepends=True)
        after = content.decode("utf-8", "replace").splitlines(keepends=True)
        names = f"a/{source.path}", f"b/{source.path}"
        lines = list(difflib.unified_diff(before, after, *names, n=CONTEXT))
        if any(line.startswith(" ") and is_secret(line.rstrip("\r\n")) for line in lines):
            lines = list(difflib.unified_diff(before, after, *names, n=0))
        for line in lines:
            yield line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"


def write_fixes(plan: Plan, top: Path) -> list[str]:
    """Writes the plan below the root and gives the paths.

    Raises `UsageError`, with nothing written, when a file has changed since it was read.
    """
    contents = list(plan.texts())
    for source, _ in contents:
        if _target(top, source).read_bytes() != source.data:
            raise UsageError(f"{source.path} has changed since it was scanned: nothing was fixed")
    for source, content in contents:
        _replace(_target(top, source), content)
    return [source.path for source, _ in contents]


def _target(top: Path, source: SourceFile) -> Path:
    path = (top / source.path).resolve()
    if top.resolve() not in path.parents:
        raise UsageError(f"{source.path} leads out of the scanned folder: nothing was fixed")
    return path


def _replace(path: Path, content: bytes) -> None:
    """Puts a whole new file in the place of the old one, with its permissions."""
    try:
        mode = path.stat().st_mode
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as stream:
            stream.write(content)
            name = stream.name
        os.chmod(name, mode & 0o7777)  # noqa: PTH101  the temporary file has no Path
        Path(name).replace(path)
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from None
