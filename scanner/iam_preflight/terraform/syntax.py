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
import time
from typing import TYPE_CHECKING

from iam_preflight.source import SourceFile, Span
from iam_preflight.terraform import numbers
from iam_preflight.terraform.templates import (
    BAD_ESCAPE,
    QUOTED_ESCAPE,
    TEMPLATE_ESCAPE,
    Mark,
    Piece,
    assemble,
    unescape,
)
from iam_preflight.terraform.tree import (
    SPLAT_ITEM,
    Attribute,
    Binary,
    Block,
    Body,
    Broken,
    Call,
    Complaints,
    Conditional,
    Expression,
    File,
    ForObject,
    ForTuple,
    GetAttribute,
    Index,
    Literal,
    Object,
    Splat,
    Template,
    Tuple,
    Unary,
    Variable,
)
from iam_preflight.values import Fragment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tree_sitter import Node, Parser, Tree

    from iam_preflight.errors import Problem
    from iam_preflight.terraform.tree import TemplatePart

SHORT = 8192
"""Bytes of source whose tree is kept for a while."""

BOM = b"\xef\xbb\xbf"

USED_AT_ONCE = frozenset({"locals", "module", "output", "provider", "terraform"})
"""Types of blocks whose body somebody will certainly ask for."""
LONG = 65_536
"""Bytes of a text that is not parsed for however long it takes."""
PARSING_SECONDS = 2.0
PARSING_SECONDS_A_BYTE = 5e-6
"""Twenty times what a text without errors takes."""
_SPECIAL = re.compile(rb"[\\\n]|\$\{|%\{")
_WRAPPERS = frozenset(
    {"expression", "template_expr", "collection_value", "operation", "for_expr", "literal_value"}
)
_WORD = rb"[A-Za-z_\x80-\xff][A-Za-z0-9_\x80-\xff-]*"
_HEADER = re.compile(rb"(%b)((?:[ \t]*\"(?:[^\"\\\n]|\\.)*\"|[ \t]+%b)*)[ \t]*\{" % (_WORD, _WORD))
_LABEL = re.compile(rb"\"(?:[^\"\\\n]|\\.)*\"|%b" % _WORD)
_NAME = re.compile(rb"(%b)([ \t]*=[ \t]*)" % _WORD)
_PLAIN = re.compile(
    rb"(?:\"(?P<text>[^\"\\$%%\n]*)\"|(?P<number>\d+(?:\.\d+)?)|(?P<word>true|false|null)"
    rb"|(?P<path>[A-Za-z_][\w-]*(?:\.[A-Za-z_][\w-]*)*))\Z"
)
_EXPONENT = re.compile(rb"(?<![\w.])(\d+)([eE][+-]?\d+)")
_SIGNS = re.compile(rb"([$%])\1*(?=\1\1\{)")
_MARKS = {
    "template_interpolation": "interpolation",
    "template_if_intro": "if",
    "template_else_intro": "else",
    "template_if_end": "endif",
    "template_for_start": "for",
    "template_for_end": "endfor",
}


@functools.cache
def _parser() -> Parser:
    import tree_sitter_hcl
    from tree_sitter import Language, Parser

    return Parser(Language(tree_sitter_hcl.language()))


def _parse(data: bytes) -> Node:
    """The tree of some source, at hand where the same text was parsed a while ago.

    Roots repeat whole files of their neighbours, and modules the same few expressions.
    """
    return _recent_tree(data) if len(data) <= SHORT else _new_tree(data)


def _new_tree(data: bytes) -> Node:
    """The tree of some source. Others of the same length stand in for what the grammar gets wrong.

    It does not know `1e3`, and takes the first two signs of `$$${` for an escape, not the last.
    """
    if b"$$${" in data or b"%%%{" in data:
        data = _SIGNS.sub(lambda found: b"_" * len(found[0]), data)
    root = _tree(data).root_node
    if root.has_error and _EXPONENT.search(data):
        spelled = _EXPONENT.sub(lambda found: found[1] + b"0" * len(found[2]), data)
        root = _tree(spelled).root_node
    return root


def _tree(data: bytes) -> Tree:
    """What tree-sitter makes of a text; of one that is broken all over, what has an error.

    The time that it takes to make sense of errors grows with the square of the text. Such a text
    is better cut into pieces at once, which is what is done with any that has an error. (Versions
    of tree-sitter before 0.26.1 crash when they are asked to tell of their progress.)
    """
    parser = _parser()
    if len(data) <= LONG:
        return parser.parse(data)
    until = time.process_time() + PARSING_SECONDS + PARSING_SECONDS_A_BYTE * len(data)
    try:
        return parser.parse(
            lambda at, _place: data[at : at + LONG],
            progress_callback=lambda _at, _has_erred: time.process_time() > until,
        )
    except ValueError:  # it was stopped
        parser.reset()
        return parser.parse(b"}")


_recent_tree = functools.lru_cache(maxsize=64)(_new_tree)


# ---------------------------------------------------------------- files


def _nothing(_resource_type: str) -> bool:
    return False


def parse_file(
    source: SourceFile, problems: list[Problem], is_wanted: Callable[[str], bool] = _nothing
) -> File:
    """Top-level blocks and attributes of one file; `is_wanted` tells the types of resources.

    What does not parse joins the problems: some of it now, some when a block is lowered.
    """
    complaints = Complaints(problems)
    if not source.is_ascii:
        _check_encoding(source, complaints)
    start = len(BOM) if source.data.startswith(BOM) else 0
    text = Span(source, start, len(source.data))
    body = parse_items(text, complaints, is_wanted)
    if body is None:
        from iam_preflight.terraform.recovery import recover

        body = recover(text, complaints)
    return File(source, body.blocks, body.attributes)


def parse_items(
    text: Span, complaints: Complaints, is_wanted: Callable[[str], bool] = _nothing
) -> Body | None:
    """The blocks and attributes of a text; None when it does not parse."""
    source = text.source
    is_whole = text.start == 0 and text.end == len(source.data)
    data = source.data if is_whole else source.data[text.start : text.end]
    root = _parse(data)
    if root.has_error:
        return None
    reader = _Reader(source, data, text.start, complaints, is_wanted)
    try:
        return reader.items(root, text, is_lazy=True)
    except _BrokenHeader:
        return None


class _BrokenHeader(Exception):
    """The grammar lets `resource "a" "b"` without a brace run into the next block."""


def first_error(text: Span) -> Span | None:
    """Where tree-sitter stumbles first; None when the text parses."""
    data = text.source.data[text.start : text.end]
    stack = [_parse(data)]
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


# ---------------------------------------------------------------- expressions on their own


def parse_template(
    data: bytes, span: Span, place: Callable[[int, int], Span], complaints: Complaints
) -> Template:
    """Text as a template, as `templatefile` reads a file; `place` says where its bytes are from.

    The grammar has no entry point for a bare template, so the text is parsed as the content of
    a heredoc.
    """
    marker = b"IAM_PREFLIGHT_TEMPLATE"
    while marker in data:
        marker += b"_"
    head = b"x=<<" + marker + b"\n"
    whole = head + data + b"\n" + marker + b"\n"
    reader = _PlacedReader(span, whole, len(head), place, complaints)
    root = _parse(whole)
    if root.has_error:
        complaints.add("the template does not parse", span)
        return Template((), span)
    stack = [root]
    while stack:
        node = stack.pop()
        if node.type == "heredoc_template":
            parts = reader.template_parts(node, len(head), len(head) + len(data), is_quoted=False)
            return Template(parts, span)
        stack.extend(reversed(node.children))
    return Template((Fragment(data.decode("utf-8", "replace"), span),), span)


def parse_expression(
    data: bytes, span: Span, place: Callable[[int, int], Span], complaints: Complaints
) -> Expression:
    """Text as one expression, as `-var` reads a value that is not a plain string."""
    head = b"x=("
    whole = head + data + b"\n)\n"
    reader = _PlacedReader(span, whole, len(head), place, complaints)
    root = _parse(whole)
    return _only_expression(root, reader) or Broken(span)


# ---------------------------------------------------------------- bodies


def _items_of(parent: Node) -> list[Node]:
    """The nodes in the body of a file or block: attributes, blocks, comments."""
    for child in parent.children:
        if child.type == "body":
            return child.children
    return []


class TextReader:
    """What every reader does over `data`, which begins at `base` of the source."""

    __slots__ = ("base", "complaints", "data", "source")

    def __init__(self, source: SourceFile, data: bytes, base: int, complaints: Complaints) -> None:
        self.source = source
        self.data = data
        self.base = base
        self.complaints = complaints

    def between(self, start: int, end: int) -> Span:
        return Span(self.source, start + self.base, end + self.base)

    def complain(self, message: str, start: int, end: int) -> None:
        self.complaints.add(message, self.between(start, end))

    def literals(self, start: int, end: int, *, is_quoted: bool) -> Iterator[list[Fragment]]:
        """The literal tokens of known text: one in a quoted string, else one for each line."""
        if start >= end:
            return
        if is_quoted:
            if self.data.find(b"\\", start, end) >= 0:
                self.check_escapes(start, end)
            newline = self.data.find(b"\n", start, end)
            if newline >= 0:
                self.complain("a quoted string must end on its line", newline, newline + 1)
            yield self._fragments(start, end, QUOTED_ESCAPE)
            return
        while start < end:
            newline = self.data.find(b"\n", start, end)
            stop = newline + 1 if newline >= 0 else end
            yield self._fragments(start, stop, TEMPLATE_ESCAPE)
            start = stop

    def _fragments(self, start: int, end: int, escape: re.Pattern[bytes]) -> list[Fragment]:
        """Known text, cut wherever it stops being byte for byte what the file says."""
        out: list[Fragment] = []
        data = self.data
        while start < end:
            found = escape.search(data, start, end)
            stop = found.start() if found else end
            if stop > start:
                text = data[start:stop].decode("utf-8", "replace")
                out.append(Fragment(text, self.between(start, stop)))
            if found is None:
                break
            raw = found.group().decode("utf-8", "replace")
            out.append(Fragment(unescape(raw), self.between(found.start(), found.end())))
            start = found.end()
        return out

    def check_escapes(self, start: int, end: int) -> None:
        at = start
        while True:
            at = self.data.find(b"\\", at, end)
            if at < 0:
                return
            if BAD_ESCAPE.match(self.data, at, end):
                self.complain("an unknown escape in a string", at, min(at + 2, end))
            at += 2


class _Reader(TextReader):
    """Turns tree-sitter nodes over `data` into the typed tree."""

    __slots__ = ("is_wanted",)

    def __init__(
        self,
        source: SourceFile,
        data: bytes,
        base: int,
        complaints: Complaints,
        is_wanted: Callable[[str], bool] = _nothing,
    ) -> None:
        super().__init__(source, data, base, complaints)
        self.is_wanted = is_wanted

    def span(self, node: Node) -> Span:
        return self.between(node.start_byte, node.end_byte)

    def text(self, node: Node) -> str:
        return self.data[node.start_byte : node.end_byte].decode("utf-8", "replace")

    def items(self, parent: Node, span: Span, *, is_lazy: bool) -> Body:
        """The attributes and blocks directly under a node; top-level ones are lowered later."""
        attributes: dict[str, Attribute] = {}
        blocks: list[Block] = []
        data, previous_end = self.data, -1
        for node in _items_of(parent):
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
            attribute = self.attribute(node, start, end)
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
                if _SPECIAL.search(raw):
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
                    body = self.items(node, span, is_lazy=False)
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

    def attribute(self, node: Node, start: int, end: int) -> Attribute:
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
            functools.partial(_parse_value, value, self.complaints),
        )

    # ---- expressions

    def expression(self, node: Node) -> Expression:
        kind = node.type
        while kind in _WRAPPERS and node.child_count == 1:
            node = node.children[0]
            kind = node.type
        lower = _LOWER.get(kind)
        return lower(self, node) if lower is not None else Broken(self.span(node))

    def lower_variable(self, node: Node) -> Expression:
        return Variable(self.text(node), self.span(node))

    def lower_unary(self, node: Node) -> Expression:
        children = _without_comments(node)
        return Unary(self.text(children[0]), self._chain(children[1:], node), self.span(node))

    def lower_tuple(self, node: Node) -> Expression:
        items = [self.expression(child) for child in node.children if child.type == "expression"]
        return Tuple(tuple(items), self.span(node))

    def lower_wrapped(self, node: Node) -> Expression:
        return self._chain(_without_comments(node), node)

    def lower_conditional(self, node: Node) -> Expression:
        """`a ? b : c ? d : e` belongs together on the right; the grammar joins it on the left."""
        parts = _arms_of(node)
        if parts is None:
            return Broken(self.span(node))
        condition, then, otherwise = parts
        ends = [(then, self.expression(otherwise))]
        while (inner := _bare_conditional(condition)) is not None:
            arms = _arms_of(inner)
            if arms is None:
                return Broken(self.span(node))
            condition, then, middle = arms
            ends.append((then, self.expression(middle)))
        # `ends` runs from the last arm to the first; each middle is the next one's condition
        result = ends[0][1]
        for i in range(len(ends) - 1):
            question = ends[i + 1][1]
            answer = self.expression(ends[i][0])
            result = Conditional(question, answer, result, self._joined(question, result))
        first = self.expression(condition)
        return Conditional(first, self.expression(ends[-1][0]), result, self.span(node))

    def _joined(self, first: Expression, last: Expression) -> Span:
        if first.span.source is last.span.source and first.span.start <= last.span.end:
            return Span(first.span.source, first.span.start, last.span.end)
        return first.span

    def _chain(self, children: Sequence[Node], whole: Node) -> Expression:
        """An operand followed by attribute, index and splat steps."""
        if not children:
            return Broken(self.span(whole))
        steps = list(children)
        first = steps.pop(0)
        if first.type == "(":
            inner = steps.pop(0) if steps else whole
            result = self.expression(inner)
            if steps and steps[0].type == ")":
                steps.pop(0)
        else:
            result = self.expression(first)
        return self._steps(result, steps)

    def _steps(self, operand: Expression, steps: Sequence[Node]) -> Expression:
        for step in steps:
            end = self.between(step.start_byte, step.end_byte)
            if operand.span.source is end.source and operand.span.start <= end.end:
                span = Span(end.source, operand.span.start, end.end)
            else:
                span = end
            match step.type:
                case "get_attr":
                    name = step.children[-1] if step.children else step
                    operand = GetAttribute(operand, self.text(name).lstrip("."), span)
                case "index":
                    operand = Index(operand, self._index_key(step), span)
                case "splat":
                    operand = self._splat(operand, step.children[0], span)
                case _:
                    return Broken(span)
        return operand

    def _index_key(self, node: Node) -> Expression:
        inner = node.children[0]
        if inner.type == "legacy_index":
            digits = self.text(inner).lstrip(".")
            return Literal(int(digits) if digits.isdigit() else digits, self.span(inner))
        for child in inner.children:
            if child.type == "expression":
                return self.expression(child)
        return Broken(self.span(node))

    def _splat(self, operand: Expression, node: Node, span: Span) -> Expression:
        steps = [child for child in node.children if child.is_named and child.type != "comment"]
        inside = steps
        if node.type == "attr_splat":
            # `a.*.b[0]`: only attributes belong to the splat, an index applies to its result
            cut = next((i for i, s in enumerate(steps) if s.type != "get_attr"), len(steps))
            inside = steps[:cut]
        item = Variable(SPLAT_ITEM, self.span(node))
        splat = Splat(operand, self._steps(item, inside), span)
        return self._steps(splat, steps[len(inside) :])

    def lower_number(self, node: Node) -> Expression:
        return Literal(numbers.parse(self.text(node)), self.span(node))

    def lower_bool(self, node: Node) -> Expression:
        return Literal(self.text(node) == "true", self.span(node))

    def lower_null(self, node: Node) -> Expression:
        return Literal(None, self.span(node))

    def lower_call(self, node: Node) -> Expression:
        children = _without_comments(node)
        arguments: list[Expression] = []
        spreads = False
        for child in children:
            if child.type == "function_arguments":
                for argument in child.children:
                    if argument.type == "expression":
                        arguments.append(self.expression(argument))
                    elif argument.type == "ellipsis":
                        spreads = True
        return Call(self.text(children[0]), tuple(arguments), spreads, self.span(node))

    def lower_binary(self, node: Node) -> Expression:
        children = _without_comments(node)
        at = next((i for i, c in enumerate(children) if not c.is_named and i > 0), None)
        while at is not None and children[at].type in (")", "("):
            at = next((i for i, c in enumerate(children) if not c.is_named and i > at), None)
        if at is None:
            return Broken(self.span(node))
        left = self._chain(children[:at], node)
        right = self._chain(children[at + 1 :], node)
        return Binary(children[at].type, left, right, self.span(node))

    def lower_object(self, node: Node) -> Expression:
        entries: list[tuple[Expression, Expression]] = []
        previous_end = -1
        for child in node.children:
            if child.type != "object_elem":
                continue
            start = child.start_byte
            separator = self.data[previous_end:start] if previous_end >= 0 else b","
            if b"\n" not in separator and b"," not in separator:
                self.complain("a comma or a new line must stand before this", start, child.end_byte)
            previous_end = child.end_byte
            sides = [c for c in child.children if c.type == "expression"]
            if len(sides) == 2:
                entries.append((self._object_key(sides[0]), self.expression(sides[1])))
        return Object(tuple(entries), self.span(node))

    def _object_key(self, node: Node) -> Expression:
        """A bare word as a key is its own name, not a reference."""
        named = [child for child in node.children if child.type != "comment"]
        if len(named) == 1 and named[0].type in ("variable_expr", "literal_value"):
            word = named[0]
            if word.type == "variable_expr" or (
                word.children and word.children[0].type in ("bool_lit", "null_lit")
            ):
                return Literal(self.text(word), self.span(node))
        return self.expression(node)

    def lower_for(self, node: Node) -> Expression:
        names: list[str] = []
        collection: Expression | None = None
        condition: Expression | None = None
        results: list[Expression] = []
        groups = False
        for child in node.children:
            match child.type:
                case "for_intro":
                    for part in child.children:
                        if part.type == "identifier":
                            names.append(self.text(part))
                        elif part.type == "expression":
                            collection = self.expression(part)
                case "for_cond":
                    for part in child.children:
                        if part.type == "expression":
                            condition = self.expression(part)
                case "expression":
                    results.append(self.expression(child))
                case "ellipsis":
                    groups = True
        span = self.span(node)
        if collection is None or not names:
            return Broken(span)
        key, value = (names[0], names[1]) if len(names) > 1 else (None, names[0])
        if node.type == "for_tuple_expr" and len(results) == 1:
            return ForTuple(key, value, collection, results[0], condition, span)
        if node.type == "for_object_expr" and len(results) == 2:
            return ForObject(
                key, value, collection, results[0], results[1], groups, condition, span
            )
        return Broken(span)

    # ---- templates

    def lower_quoted(self, node: Node) -> Expression:
        span = self.span(node)
        start, end = node.start_byte + 1, node.end_byte - 1
        raw = self.data[start:end]
        if not _SPECIAL.search(raw):
            return Literal(raw.decode("utf-8", "replace"), span)
        parts = self.template_parts(node, start, end, is_quoted=True)
        if not parts:
            return Literal("", span)
        if len(parts) == 1 and isinstance(parts[0], Fragment):
            return Literal(parts[0].text, span)
        return Template(parts, span)

    def lower_heredoc(self, node: Node) -> Expression:
        marks = [child for child in node.children if child.type == "heredoc_identifier"]
        if len(marks) < 2:
            return Broken(self.span(node))
        start = self.data.find(b"\n", marks[0].end_byte) + 1
        end = self.data.rfind(b"\n", 0, marks[-1].start_byte) + 1
        flush = self.data[node.start_byte : node.start_byte + 3] == b"<<-"
        parts = self.template_parts(node, start, max(start, end), is_quoted=False, flush=flush)
        return Template(parts, self.span(node))

    def template_parts(
        self, node: Node, start: int, end: int, *, is_quoted: bool, flush: bool = False
    ) -> tuple[TemplatePart, ...]:
        pieces: list[Piece] = []
        at = start
        for child in self._marks(node):
            pieces.extend(self.literals(at, child.start_byte, is_quoted=is_quoted))
            pieces.append(self._mark(child))
            at = max(at, child.end_byte)
        pieces.extend(self.literals(at, end, is_quoted=is_quoted))
        return assemble(pieces, flush=flush)

    def _marks(self, node: Node) -> Iterator[Node]:
        for child in node.children:
            if child.type in _MARKS:
                yield child
            elif child.type in ("template_directive", "template_if", "template_for"):
                yield from self._marks(child)

    def _mark(self, node: Node) -> Mark:
        opening = self.data[node.start_byte : node.start_byte + 3]
        closing = self.data[max(node.end_byte - 2, 0) : node.end_byte]
        expression: Expression | None = None
        names: list[str] = []
        for child in node.children:
            if child.type == "expression":
                expression = self.expression(child)
            elif child.type == "identifier":
                names.append(self.text(child))
        return Mark(
            _MARKS[node.type],
            self.span(node),
            expression,
            tuple(names),
            trims_left=opening.endswith(b"~"),
            trims_right=closing.startswith(b"~"),
        )


class _PlacedReader(_Reader):
    """Reads text that is not in one piece in any file; `place` knows where its bytes are from."""

    __slots__ = ("head", "place")

    def __init__(
        self,
        span: Span,
        data: bytes,
        head: int,
        place: Callable[[int, int], Span],
        complaints: Complaints,
    ) -> None:
        super().__init__(span.source, data, 0, complaints)
        self.head = head
        self.place = place

    def between(self, start: int, end: int) -> Span:
        return self.place(max(start - self.head, 0), max(end - self.head, 0))


def _arms_of(node: Node) -> list[Node] | None:
    parts = [child for child in node.children if child.type == "expression"]
    return parts if len(parts) == 3 else None


def _bare_conditional(node: Node) -> Node | None:
    """The conditional that an expression is, when no parentheses stand around it."""
    children = [child for child in node.children if child.type != "comment"]
    return children[0] if len(children) == 1 and children[0].type == "conditional" else None


def _without_comments(node: Node) -> list[Node]:
    return [child for child in node.children if child.type != "comment"]


_LOWER: dict[str, Callable[[_Reader, Node], Expression]] = {
    "expression": _Reader.lower_wrapped,
    "template_expr": _Reader.lower_wrapped,
    "collection_value": _Reader.lower_wrapped,
    "operation": _Reader.lower_wrapped,
    "for_expr": _Reader.lower_wrapped,
    "literal_value": _Reader.lower_wrapped,
    "numeric_lit": _Reader.lower_number,
    "bool_lit": _Reader.lower_bool,
    "null_lit": _Reader.lower_null,
    "string_lit": _Reader.lower_quoted,
    "quoted_template": _Reader.lower_quoted,
    "heredoc_template": _Reader.lower_heredoc,
    "variable_expr": _Reader.lower_variable,
    "function_call": _Reader.lower_call,
    "conditional": _Reader.lower_conditional,
    "unary_operation": _Reader.lower_unary,
    "binary_operation": _Reader.lower_binary,
    "tuple": _Reader.lower_tuple,
    "object": _Reader.lower_object,
    "for_tuple_expr": _Reader.lower_for,
    "for_object_expr": _Reader.lower_for,
}


def _parse_block_again(span: Span, complaints: Complaints) -> Body:
    data = span.source.data[span.start : span.end]
    reader = _Reader(span.source, data, span.start, complaints)
    for node in _items_of(_parse(data)):
        if node.type == "block":
            try:
                return reader.items(node, span, is_lazy=False)
            except RecursionError:
                complaints.add("nested too deeply", span)
            except _BrokenHeader:
                complaints.add("a block's brace must be on the line of its type", span)
    return Body({}, (), span)


def _parse_value(span: Span, complaints: Complaints) -> Expression:
    """The expression of an argument; the plainest without tree-sitter, which is most of them."""
    text = span.source.data[span.start : span.end]
    plain = _PLAIN.match(text)
    if plain is not None:
        return _plain_value(plain, span)
    head = b"x="
    reader = _Reader(span.source, head + text + b"\n", span.start - len(head), complaints)
    return _only_expression(_parse(reader.data), reader) or Broken(span)


def _plain_value(found: re.Match[bytes], span: Span) -> Expression:
    match found.lastgroup:
        case "text":
            return Literal(found["text"].decode("utf-8", "replace"), span)
        case "number":
            return Literal(numbers.parse(found["number"].decode()), span)
        case "word":
            return Literal({b"true": True, b"false": False, b"null": None}[found["word"]], span)
    at = span.start
    expression: Expression | None = None
    for name in found["path"].decode().split("."):
        place = Span(span.source, span.start, at + len(name))
        step = GetAttribute(expression, name, place) if expression else Variable(name, place)
        expression = step
        at += len(name) + 1
    assert expression is not None
    return expression


def _only_expression(root: Node, reader: _Reader) -> Expression | None:
    """The expression of a text that is one argument."""
    if root.has_error:
        return None
    for node in _items_of(root):
        for child in node.children:
            if child.type == "expression":
                return reader.expression(child)
    return None
