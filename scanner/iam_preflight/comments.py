"""Finds the ignores that are written in a file, and what each of them covers.

Comments in HCL and YAML, `Metadata` of CloudFormation templates, `"//"` keys of Terraform JSON.
A comment covers the attribute, block, item or statement that starts on its line, or, standing
alone, on the next. Text that only looks like a comment, inside a string, is none.
"""

from __future__ import annotations

import bisect
import datetime as dt
import itertools
import re
from enum import Enum
from typing import TYPE_CHECKING

from msgspec import Struct

from iam_preflight import yamltext
from iam_preflight.late_patterns import late
from iam_preflight.source import Span
from iam_preflight.structure import Branch, StructureError, read_structure

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

    from iam_preflight.source import SourceFile

HCL_SUFFIXES = (".tf", ".tofu", ".tfvars", ".hcl")
MARKS = (b"iam-preflight", b"checkov")
"""A file without any of these words has no ignores."""

_IN_COMMENTS = re.compile(rb"iam-preflight|checkov:skip=(?:CKV_IAMP|[A-Z0-9]+-)")
"""What an ignore in a comment has; checks of somebody else's, which many files name, do not."""

_IGNORE = late(r"iam-preflight:\s*ignore\b[ \t]*(?:\[([^\]\n]*)\])?([^\n]*)")
_CHECKOV = late(r"checkov:skip=([A-Za-z0-9_-]+)(?::([^\n]*))?")
_CHECKOV_ID = late(r"CKV_IAMP_([A-Z][A-Z0-9]*)_(\d{3})")
_UNTIL = late(r"(?:^|\s)until=(\S*)")
_ANCHOR_LINES = 2_000


class Origin(Enum):
    COMMENT = "comment"
    METADATA = "Metadata"
    CHECKOV = "checkov:skip"


class Ignore(Struct, frozen=True):
    """One ignore as it is written."""

    rules: tuple[str, ...]
    reason: str
    until: dt.date | None
    place: Span
    scope: Span | None
    """What it covers; None when nothing follows it."""
    origin: Origin = Origin.COMMENT
    fault: str = ""
    """Why it cannot count, whatever it covers."""

    def identity(self) -> tuple[str, ...]:
        """What makes it the same ignore in another version of the file, lines aside."""
        until = self.until.isoformat() if self.until is not None else ""
        return (
            self.place.path,
            self.origin.value,
            ",".join(sorted(self.rules)),
            " ".join(self.reason.split()),
            until,
            *_anchor(self.scope if self.scope is not None else self.place),
        )


def ignores_in(source: SourceFile) -> list[Ignore]:
    """Every ignore in a file, in order. A file that cannot be read as its language has none."""
    if not any(mark in source.data for mark in MARKS):
        return []
    if source.path.lower().endswith(HCL_SUFFIXES):
        found = list(_in_hcl(source))
    else:
        found = list(_in_structure(source))
    return sorted(found, key=lambda ignore: ignore.place.start)


# ---------------------------------------------------------------- the text of an ignore


def _from_text(text: str, place: Span, scope: Span | None, skip_scope: Span | None) -> list[Ignore]:
    found = [
        _ignore(_listed(match[1]), match[2], place, scope, has_rules=match[1] is not None)
        for match in _IGNORE.finditer(text)
    ]
    for match in _CHECKOV.finditer(text):
        rule = rule_of_checkov(match[1])
        if rule is not None:
            reason = (match[2] or "").strip()
            found.append(_ignore((rule,), reason, place, skip_scope, origin=Origin.CHECKOV))
    return found


def _listed(text: str | None) -> tuple[str, ...]:
    return tuple(rule for part in (text or "").split(",") if (rule := part.strip()))


def rule_of_checkov(name: str) -> str | None:
    """`CKV_IAMP_LEAST_001` and `LEAST-001` as a rule id; None for a check of somebody else's."""
    match = _CHECKOV_ID.fullmatch(name)
    if match is not None:
        return f"{match[1]}-{match[2]}"
    return name if re.fullmatch(r"[A-Z][A-Z0-9]*-\d{3}", name) else None


def _ignore(
    rules: tuple[str, ...],
    text: str,
    place: Span,
    scope: Span | None,
    *,
    has_rules: bool = True,
    origin: Origin = Origin.COMMENT,
) -> Ignore:
    until: dt.date | None = None
    fault = "" if has_rules and rules else "name the rule: ignore[RULE-ID] reason"
    text = text.strip().removesuffix("*/")
    match = _UNTIL.search(text)
    if match is not None:
        text = text[: match.start()] + text[match.end() :]
        try:
            until = dt.date.fromisoformat(match[1])
        except ValueError:
            fault = fault or f"until={match[1][:40]} is not a date such as 2027-01-31"
    reason = text.strip(" \t\r-:").strip()
    if not reason:
        fault = fault or "it gives no reason"
    return Ignore(rules, reason, until, place, scope, origin, fault)


# ---------------------------------------------------------------- HCL

_ELEMENTS = frozenset({"attribute", "block", "object_elem"})
_VISIBLE = late(rb"\S")
_COLLECTIONS = frozenset({"tuple", "function_arguments"})


def _in_hcl(source: SourceFile) -> Iterator[Ignore]:
    if _IN_COMMENTS.search(source.data) is None:
        return
    import tree_sitter_hcl
    from tree_sitter import Language, Parser

    root = Parser(Language(tree_sitter_hcl.language())).parse(source.data).root_node
    comments = sorted(_nodes(root, "comment"), key=lambda node: node.start_byte)
    following = _rows_after(source, comments)
    tops = _Tops(root)
    for comment, row in zip(comments, following, strict=True):
        if _IN_COMMENTS.search(source.data, comment.start_byte, comment.end_byte) is None:
            continue
        place = Span(source, comment.start_byte, comment.end_byte)
        own: int = comment.start_point[0]
        is_trailing = bool(source.data[source.line_starts[own] : comment.start_byte].strip())
        covered = own if is_trailing else row
        scope = _hcl_scope(source, tops, covered) if covered is not None else None
        block = tops.block(source, comment.start_byte)
        yield from _from_text(place.text, place, scope, block or scope)


def _nodes(root: Node, kind: str) -> Iterator[Node]:
    stack = [root]
    while stack:
        node = stack.pop()
        if node.type == kind:
            yield node
        stack.extend(node.children)


def _rows_after(source: SourceFile, comments: list[Node]) -> list[int | None]:
    """For each comment the row of the code that follows; None where a bracket closes first."""
    index_at = {comment.start_byte: index for index, comment in enumerate(comments)}
    rows: list[int | None] = [None] * len(comments)
    for index in reversed(range(len(comments))):
        found = _VISIBLE.search(source.data, comments[index].end_byte)
        if found is None:
            continue
        other = index_at.get(found.start())
        if other is not None:
            rows[index] = rows[other]
        elif found.group() not in b"}])":
            rows[index] = source.position(found.start()).line - 1
    return rows


class _Tops:
    """The blocks and arguments at the top of a file, to find those at a place among thousands."""

    def __init__(self, root: Node) -> None:
        bodies = [node for node in root.children if node.type == "body"]
        self._nodes = [node for body in bodies for node in body.children]
        self._starts = [node.start_byte for node in self._nodes]
        self._rows = [node.start_point[0] for node in self._nodes]

    def on(self, row: int) -> Iterator[Node]:
        """Those that have something on a row."""
        index = bisect.bisect_right(self._rows, row) - 1
        while index >= 0 and self._nodes[index].end_point[0] >= row:
            yield self._nodes[index]
            index -= 1

    def block(self, source: SourceFile, at: int) -> Span | None:
        """The resource, data or module block around a byte."""
        index = bisect.bisect_right(self._starts, at) - 1
        if index < 0:
            return None
        node = self._nodes[index]
        is_around = node.type == "block" and at < node.end_byte
        return Span(source, node.start_byte, node.end_byte) if is_around else None


def _hcl_scope(source: SourceFile, tops: _Tops, row: int) -> Span:
    """From the start of a row to the end of what starts on it."""
    start = source.line_starts[row]
    end = _line_end(source, row)
    stack = [*tops.on(row)]
    while stack:
        node = stack.pop()
        if node.start_point[0] > row or node.end_point[0] < row:
            continue
        parent = node.parent
        is_element = node.type in _ELEMENTS or (
            node.is_named and parent is not None and parent.type in _COLLECTIONS
        )
        if node.start_point[0] == row and is_element:
            end = max(end, node.end_byte)
        else:
            stack.extend(node.children)
    return Span(source, start, end)


def _line_end(source: SourceFile, row: int) -> int:
    starts = source.line_starts
    return starts[row + 1] if row + 1 < len(starts) else len(source.data)


# ---------------------------------------------------------------- YAML and JSON


def _in_structure(source: SourceFile) -> Iterator[Ignore]:
    try:
        tree = read_structure(source)
    except StructureError:
        return
    if tree is None:
        return
    yield from _in_metadata(source, tree)
    if source.path.lower().endswith(".json"):
        for branch in tree.walk():
            yield from _in_json_comment(branch)
    else:
        yield from _in_yaml_comments(source, tree)


def _in_metadata(source: SourceFile, tree: Branch) -> Iterator[Ignore]:
    """`Metadata` of the template and of each resource, ours and checkov's form."""
    yield from _metadata_entries(tree, source.whole())
    resources = tree.get("Resources")
    for entry in resources.entries if resources is not None else ():
        yield from _metadata_entries(entry.value, entry.span)


def _metadata_entries(owner: Branch, scope: Span) -> Iterator[Ignore]:
    ours = owner.get("Metadata", "iam-preflight", "ignore")
    if ours is not None:
        for item in ours.items or (ours,):
            yield _metadata_ignore(item, scope)
    checkov = owner.get("Metadata", "checkov", "skip")
    for item in checkov.items if checkov is not None else ():
        name = item.get("id")
        rule = rule_of_checkov(name.text or "") if name is not None else None
        if rule is not None:
            comment = item.get("comment")
            reason = (comment.text or "") if comment is not None else ""
            yield _ignore((rule,), reason, item.span, scope, origin=Origin.CHECKOV)


def _metadata_ignore(item: Branch, scope: Span) -> Ignore:
    rule, reason, until = item.get("rule"), item.get("reason"), item.get("until")
    unknown = sorted({entry.key for entry in item.entries} - {"rule", "reason", "until"})
    rules = [rule] if rule is not None and rule.text else list(rule.items if rule else ())
    names = tuple(one.text for one in rules if one.text)
    text = (reason.text or "") if reason is not None else ""
    if until is not None:
        text += f" until={until.text}"
    ignore = _ignore(names, text, item.span, scope, origin=Origin.METADATA)
    if unknown:
        fault = f"unknown key {unknown[0]!r}: rule, reason and until are known"
        return Ignore(names, text, None, item.span, scope, Origin.METADATA, fault)
    if not names:
        fault = "an entry is {rule: RULE-ID, reason: text, until: date}"
        return Ignore((), text, None, item.span, scope, Origin.METADATA, fault)
    return ignore


def _in_json_comment(branch: Branch) -> Iterator[Ignore]:
    """Terraform JSON takes `"//"` for a comment on the object it stands in."""
    comment = branch.get("//")
    if comment is None:
        return
    for text in comment.items or (comment,):
        if text.text is not None:
            yield from _from_text(text.text, text.span, branch.span, branch.span)


def _in_yaml_comments(source: SourceFile, tree: Branch) -> Iterator[Ignore]:
    scalars = _scalar_ranges(source)
    resources = tree.get("Resources")
    code = _code_rows(source)
    for row, line_start in enumerate(source.line_starts):
        line = source.data[line_start : _line_end(source, row)]
        if not any(mark in line for mark in MARKS):
            continue
        start = _comment_start(line, line_start, scalars)
        if start is None:
            continue
        place = Span(source, start, line_start + len(line.rstrip()))
        is_trailing = bool(source.data[line_start:start].strip())
        covered = row if is_trailing else _next(code, row)
        scope = _branch_scope(source, tree, covered) if covered is not None else None
        owners = resources.entries if resources is not None else ()
        owner = next((one.span for one in owners if one.span.contains(place)), None)
        yield from _from_text(place.text, place, scope, owner or scope)


def _scalar_ranges(source: SourceFile) -> list[tuple[int, int]]:
    """Where text stands that may hold a `#`; of a block scalar, the lines after its header."""
    from yaml import ScalarToken

    ranges: list[tuple[int, int]] = []
    try:
        for token in yamltext.tokens(source):
            if not isinstance(token, ScalarToken):
                continue
            span = yamltext.span_of(source, token)
            start = span.start
            if token.style in ("|", ">"):
                start = _line_end(source, source.position(start).line - 1)
            ranges.append((start, span.end))
    except yamltext.YamlError:
        pass
    return ranges


def _comment_start(line: bytes, line_start: int, scalars: list[tuple[int, int]]) -> int | None:
    """Byte offset of the `#` that starts a comment on a line."""
    for match in re.finditer(rb"(?:^|(?<=\s))#", line):
        at = line_start + match.start()
        index = bisect.bisect_right(scalars, (at, len(line) + at)) - 1
        if index < 0 or not scalars[index][0] <= at < scalars[index][1]:
            return at
    return None


def _code_rows(source: SourceFile) -> list[int]:
    """The rows with more on them than a comment."""
    starts = (*source.line_starts, len(source.data))
    lines = (source.data[start:end].lstrip() for start, end in itertools.pairwise(starts))
    return [row for row, line in enumerate(lines) if line and not line.startswith(b"#")]


def _next(rows: list[int], row: int) -> int | None:
    index = bisect.bisect_right(rows, row)
    return rows[index] if index < len(rows) else None


def _branch_scope(source: SourceFile, tree: Branch, row: int) -> Span:
    """From the start of a row to the end of the entry or item that starts on it."""
    start, end = source.line_starts[row], _line_end(source, row)
    widest = end
    stack = [tree]
    while stack:
        branch = stack.pop()
        for span, child in (
            *((entry.span, entry.value) for entry in branch.entries),
            *((item.span, item) for item in branch.items),
        ):
            if start <= span.start < end:
                widest = max(widest, span.end)
            elif span.start < start < span.end:
                stack.append(child)
    return Span(source, start, widest)


# ---------------------------------------------------------------- the same in another version


def _anchor(scope: Span) -> Iterator[str]:
    """The line that is covered and, by indentation, the lines that it stands under."""
    source = scope.source
    if scope.start == 0 and scope.end == len(source.data):
        return
    row = source.position(scope.start).line
    depth: int | None = None
    for line in range(row, max(row - _ANCHOR_LINES, 0), -1):
        text = source.line_text(line)
        stripped = re.split(r"(?:#|//|/\*)[^\n]*(?:iam-preflight|checkov):", text)[0].strip()
        if not stripped or stripped.startswith(("#", "//", "/*")):
            continue
        indent = len(text) - len(text.lstrip())
        if depth is None or indent < depth:
            depth = indent
            yield " ".join(stripped.split())
        if depth == 0:
            return
