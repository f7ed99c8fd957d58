"""Source lines around the places of a finding, near ones together, with nothing secret in them."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from iam_preflight.late_patterns import late
from iam_preflight.reporters.model import Excerpt, Line, Mark, MarkKind
from iam_preflight.values import MASK

if TYPE_CHECKING:
    import re
    from collections.abc import Iterable, Sequence

    from iam_preflight.source import SourceFile, Span

NEAR = 4
"""Places at most so many lines apart share an excerpt."""
MAX_TEXT = 400
"""Characters kept of one line."""
MAX_LINES = 24
_BEFORE = 120
"""Characters kept before the first place on a long line."""
_LONG = 1 << 15
"""Bytes from which only a part of a line is read."""
_AROUND = 1 << 13
"""Characters read on either side of what is kept of such a line: more than a private key has."""

_SECRETS = (
    late(r"(?<![A-Z0-9])((?:AKIA|ASIA)[A-Z0-9]{2})[A-Z0-9]{14}(?![A-Z0-9])"),
    late(r"(?<![A-Za-z0-9/+])()[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=])"),
    late(r"(-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----).*"),
    late(
        r"(?i)((?:secret|password|passwd|token|api_?key|private_?key)[\w-]{0,40}[\"']?\s*[:=]\s*"
        r"[\"'])[^\"'$\s{}*<>]{6,}(?=[\"'])"
    ),
    # without quotes, as YAML has it
    late(
        r"(?i)((?:password|passwd|secret[-_]?(?:access[-_]?)?key|secret[-_]?string):\s+)"
        r"[^\"'!&*{\[$\s#|>][^\s#,}]{5,}(?=\s*(?:$|[,}]))"
    ),
    # and as scripts and command lines have it: `export DB_PASSWORD=…`, `--token=…`
    late(
        r"(?i)((?:secret|password|passwd|pwd|token|api_?key|private_?key)[\w-]{0,40}=)"
        r"(?!(?:var|local|data|module|each)\.)[^\"'`$\s{}()<>|&;=][^\"'`$\s{}()<>|&;]{5,}"
    ),
)


_NAMED = ("secret", "passw", "pwd", "token", "key")
_KEYS = late(r"AKIA|ASIA|[A-Za-z0-9/+]{40}|-----BEGIN ")


def without_secrets(text: str) -> str:
    """A line with what looks like a key or password masked, its length kept where it fits.

    Columns stay right, so that a caret still stands under what it means.
    """
    if not _may_hold_a_secret(text):
        return text
    for pattern in _SECRETS:
        text = pattern.sub(_masked, text)
    return text


def _may_hold_a_secret(text: str) -> bool:
    """What the patterns have in common: a name and something after it, or a key. Most have not."""
    folded = text.casefold()
    for name in _NAMED:
        at = folded.find(name)
        if at >= 0 and (folded.find("=", at) >= 0 or folded.find(":", at) >= 0):
            return True
    return _KEYS.search(text) is not None


def _masked(match: re.Match[str]) -> str:
    kept = match[1]
    length = len(match[0]) - len(kept)
    return kept + (MASK if length < len(MASK) else MASK.ljust(length, "·"))


def excerpts_of(places: Sequence[tuple[Span, str, MarkKind]]) -> tuple[Excerpt, ...]:
    """Excerpts that show all places, the one with the first place first; none of records."""
    clusters: list[list[tuple[Span, str, MarkKind]]] = []
    for place in places:
        if place[0].source.is_record or place[0].source.is_private:
            continue
        home = next((one for one in clusters if _is_near(place[0], one)), None)
        if home is None:
            clusters.append([place])
        else:
            home.append(place)
    return tuple(_excerpt(cluster) for cluster in clusters)


def _is_near(span: Span, cluster: Iterable[tuple[Span, str, MarkKind]]) -> bool:
    return any(
        span.path == other.path and abs(span.line - other.line) <= NEAR for other, _, _ in cluster
    )


def _excerpt(cluster: Sequence[tuple[Span, str, MarkKind]]) -> Excerpt:
    source = cluster[0][0].source
    marks = [_mark(span, label, kind) for span, label, kind in cluster]
    marks = list(dict.fromkeys(marks))
    rows = sorted({mark.line for mark in marks})
    first, last = rows[0], rows[-1]
    if first > 1 and source.line_text(first - 1).strip():
        first -= 1
    numbers = range(first, min(last, first + MAX_LINES) + 1)
    lines = tuple(_line(source, number, marks) for number in numbers)
    return Excerpt(file=source.path, lines=lines, marks=tuple(sorted(marks, key=_order)))


def _order(mark: Mark) -> tuple[int, int, int]:
    return mark.line, mark.column, mark.end_column


def _mark(span: Span, label: str, kind: MarkKind) -> Mark:
    """The first line of a place: what goes on below it is there to be read."""
    first, last = span.first, span.last
    if last.line == first.line:
        end = last.column
    else:
        end = len(span.source.line_text(first.line)) + 1
    end = max(end, first.column + 1)
    return Mark(line=first.line, column=first.column, end_column=end, label=label, kind=kind)


@functools.lru_cache(maxsize=64)
def _shown(text: str) -> str:
    """A line as it may be shown: that of a minified template is asked for again and again."""
    return without_secrets(text)


def _line(source: SourceFile, number: int, marks: Iterable[Mark]) -> Line:
    columns = [mark.column for mark in marks if mark.line == number]
    start = max(0, min(columns, default=1) - 1 - _BEFORE)
    if source.line_size(number) > _LONG:
        first = max(0, start - _AROUND)
        text = source.line_part(number, first, start + MAX_TEXT + _AROUND)
    else:
        first = 0
        text = source.line_text(number)
    text = _shown(text)
    if not first and len(text) <= MAX_TEXT:
        return Line(number=number, text=text)
    kept = text[start - first : start - first + MAX_TEXT]
    return Line(number=number, text=kept, start=start + 1)


def merged(excerpts: Iterable[Excerpt]) -> Excerpt:
    """Excerpts of one file as one, for findings that are told together."""
    lines: dict[int, Line] = {}
    marks: dict[Mark, None] = {}
    file = ""
    for excerpt in excerpts:
        file = file or excerpt.file
        if excerpt.file == file:
            lines.update({line.number: line for line in excerpt.lines})
            marks.update(dict.fromkeys(excerpt.marks))
    ordered = tuple(lines[number] for number in sorted(lines))
    return Excerpt(file=file, lines=ordered, marks=tuple(sorted(marks, key=_order)))
