"""HCL source to the typed tree, on tree-sitter.

In steps, because most of a repository never matters to IAM: `parse_file` lists the top-level
blocks and reports syntax errors; a block lowers its body, and a longer argument its expression,
when somebody asks. tree-sitter's own tree is dropped after each step and the bytes are parsed
again on demand: cheaper than keeping it, which takes forty bytes for one of source. Only blocks
whose body is certain to be asked for are lowered while the tree of their file is at hand.

The grammar is laxer than HCL in a few points (a repeated argument, an unknown escape, two
arguments on a line, a line break in a quoted string): they are checked while lowering.
"""

from __future__ import annotations

import contextlib
import functools
import re
from typing import TYPE_CHECKING

from msgspec import Struct

from iam_preflight.source import SourceFile, Span
from iam_preflight.terraform.expressions import ExpressionReader, parse_value
from iam_preflight.terraform.syntax_trees import items_of, parse
from iam_preflight.terraform.text_reader import SPECIAL
from iam_preflight.terraform.tree import (
    Attribute,
    Block,
    Body,
    Complaints,
    File,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from tree_sitter import Node

    from iam_preflight.errors import Problem
    from iam_preflight.terraform.tree import Expression

BOM = b"\xef\xbb\xbf"

USED_AT_ONCE = frozenset({"locals", "module", "output", "provider", "terraform"})
"""Types of blocks whose body somebody will certainly ask for."""

_WORD = rb"[A-Za-z_\x80-\xff][A-Za-z0-9_\x80-\xff-]*"
_HEADER = re.compile(rb"(%b)((?:[ \t]*\"(?:[^\"\\\n]|\\.)*\"|[ \t]+%b)*)[ \t]*\{" % (_WORD, _WORD))
_LABEL = re.compile(rb"\"(?:[^\"\\\n]|\\.)*\"|%b" % _WORD)
_NAME = re.compile(rb"(%b)([ \t]*=[ \t]*)" % _WORD)


def _nothing(_resource_type: str) -> bool:
    return False


def parse_file(
    source: SourceFile,
    problems: list[Problem],
    is_wanted: Callable[[str], bool] = _nothing,
    lowered: Collection[str] = (),
) -> File:
    """Top-level blocks and attributes of one file; `is_wanted` tells the types of resources.

    What does not parse joins the problems: some of it now, some when a block is lowered. In
    blocks of the `lowered` types expressions are lowered now, too.
    """
    complaints = Complaints(problems)
    if not source.is_ascii:
        _check_encoding(source, complaints)
    start = len(BOM) if source.data.startswith(BOM) else 0
    text = Span(source, start, len(source.data))
    body = parse_items(text, complaints, is_wanted, lowered)
    if body is None:
        from iam_preflight.terraform.recovery import recover

        body = recover(text, complaints)
    return File(source, body.blocks, body.attributes)


def parse_items(
    text: Span,
    complaints: Complaints,
    is_wanted: Callable[[str], bool] = _nothing,
    lowered: Collection[str] = (),
) -> Body | None:
    """The blocks and attributes of a text; None when it does not parse."""
    source = text.source
    is_whole = text.start == 0 and text.end == len(source.data)
    data = source.data if is_whole else source.data[text.start : text.end]
    root = parse(data)
    if root.has_error:
        return None
    reader = _Reader(source, data, text.start, complaints, is_wanted, lowered)
    try:
        return reader.items(root, text, is_lazy=True)
    except _BrokenHeader:
        return None


class _BrokenHeader(Exception):
    """The grammar lets `resource "a" "b"` without a brace run into the next block."""


def first_error(text: Span) -> Span | None:
    """Where tree-sitter stumbles first; None when the text parses."""
    data = text.source.data[text.start : text.end]
    stack = [parse(data)]
    while stack:
        node = stack.pop()
        if node.is_missing or node.type == "ERROR":
            return Span(text.source, text.start + node.start_byte, text.start + node.end_byte)
        if node.has_error:
            stack.extend(reversed(node.children))
    return None


def _check_encoding(source: SourceFile, complaints: Complaints) -> None:
    try:
        source.data.decode("utf-8")
    except UnicodeDecodeError as error:
        complaints.add("not UTF-8 text", Span(source, error.start, error.start + 1))


class _Reader(ExpressionReader):
    """Turns tree-sitter's nodes over `data` into blocks and attributes."""

    __slots__ = ("is_wanted", "lowered")

    def __init__(
        self,
        source: SourceFile,
        data: bytes,
        base: int,
        complaints: Complaints,
        is_wanted: Callable[[str], bool] = _nothing,
        lowered: Collection[str] = (),
    ) -> None:
        super().__init__(source, data, base, complaints)
        self.is_wanted = is_wanted
        self.lowered = lowered

    def items(self, parent: Node, span: Span, *, is_lazy: bool, is_lowered: bool = False) -> Body:
        """The attributes and blocks directly under a node; top-level ones are lowered later."""
        attributes: dict[str, Attribute] = {}
        blocks: list[Block] = []
        data, previous_end = self.data, -1
        for node in items_of(parent):
            kind = node.type
            if kind not in ("attribute", "block"):
                continue
            start, end = node.start_byte, node.end_byte
            if previous_end >= 0 and data.find(b"\n", previous_end, start) < 0:
                self.complain("a new line must begin here", start, end)
            previous_end = end
            if kind == "block":
                blocks.append(self.block(node, start, end, is_lazy=is_lazy))
                continue
            attribute = self.attribute(node, start, end, is_lowered=is_lowered)
            if attribute.name in attributes:
                self.complain(f'"{attribute.name}" is set twice', start, end)
            else:
                attributes[attribute.name] = attribute
        return Body(attributes, tuple(blocks), span)

    def block(self, node: Node, start: int, end: int, *, is_lazy: bool) -> Block:
        header = _HEADER.match(self.data, start, end)
        if header is None:
            head, tail = self._header_with_comments(node)
        else:
            head, tail = header.span(1), header.span(2)
        block_type = self.data[slice(*head)].decode("utf-8", "replace")
        labels: list[str] = []
        for found in _LABEL.finditer(self.data, *tail):
            raw = found.group()
            if raw[:1] == b'"':
                if SPECIAL.search(raw):
                    self._check_label(found.start(), found.end())
                raw = raw[1:-1]
            labels.append(raw.decode("utf-8", "replace"))
        span = self.between(start, end)
        place = self.between(start, tail[1])
        body: Body | Callable[[], Body]
        if is_lazy:
            body = functools.partial(_parse_block_again, span, self.complaints)
            if self._is_used_at_once(block_type, labels):
                # what goes wrong here is said when it goes wrong again
                with contextlib.suppress(RecursionError, _BrokenHeader):
                    is_lowered = block_type in self.lowered
                    body = self.items(node, span, is_lazy=False, is_lowered=is_lowered)
        else:
            body = self.items(node, span, is_lazy=False)
        return Block(block_type, tuple(labels), span, place, body)

    def _is_used_at_once(self, block_type: str, labels: list[str]) -> bool:
        if block_type in ("resource", "data"):
            return bool(labels) and self.is_wanted(labels[0])
        return block_type in USED_AT_ONCE

    def _header_with_comments(self, node: Node) -> tuple[tuple[int, int], tuple[int, int]]:
        """Where a block's type and its labels stand."""
        children = node.children
        brace = next((child for child in children if child.type == "block_start"), None)
        words = [child for child in children if child.type in ("identifier", "string_lit")]
        if brace is None or not words:
            raise _BrokenHeader
        if self.data.find(b"\n", node.start_byte, brace.start_byte) >= 0:
            raise _BrokenHeader
        first = words[0]
        return (first.start_byte, first.end_byte), (first.end_byte, words[-1].end_byte)

    def _check_label(self, start: int, end: int) -> None:
        raw = self.data[start:end]
        self.check_escapes(start, end)
        if b"${" in raw or b"%{" in raw:
            self.complain("a block's label cannot hold an interpolation", start, end)

    def attribute(self, node: Node, start: int, end: int, *, is_lowered: bool) -> Attribute:
        found = _NAME.match(self.data, start, end)
        if found is not None:
            name, at = found.span(1), found.end()
        else:
            first, *_, last = node.children
            name, at = (first.start_byte, first.end_byte), last.start_byte
        value = self.between(at, end)
        return Attribute(
            self.data[slice(*name)].decode("utf-8", "replace"),
            self.between(start, end),
            self.between(*name),
            self.expression(node.children[-1]) if is_lowered else _Later(value, self.complaints),
        )


class _Later(Struct, frozen=True, gc=False):
    """Lowers an expression when it is called; there are many, and a partial is larger."""

    span: Span
    complaints: Complaints

    def __call__(self) -> Expression:
        return parse_value(self.span, self.complaints)


def _parse_block_again(span: Span, complaints: Complaints) -> Body:
    data = span.source.data[span.start : span.end]
    reader = _Reader(span.source, data, span.start, complaints)
    for node in items_of(parse(data)):
        if node.type == "block":
            try:
                return reader.items(node, span, is_lazy=False)
            except RecursionError:
                complaints.add("nested too deeply", span)
            except _BrokenHeader:
                complaints.add("a block's brace must be on the line of its type", span)
    return Body({}, (), span)
