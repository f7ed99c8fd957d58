"""HCL source to the typed tree, on tree-sitter.

Two steps, because most of a repository never matters to IAM: `parse_file` lists the top-level
blocks and reports syntax errors; a block lowers its body, and an attribute its expression, when
somebody asks. The tree itself is dropped after the first step and the bytes of a block are
parsed again on demand: cheaper than keeping it.

The grammar is laxer than HCL in a few points (a repeated argument, an unknown escape, two
arguments on a line, a line break in a quoted string): they are checked while lowering.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from iam_preflight.source import SourceFile, Span
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
    import re
    from collections.abc import Callable, Iterator, Sequence

    from tree_sitter import Node, Parser

    from iam_preflight.errors import Problem
    from iam_preflight.terraform.tree import TemplatePart
    from iam_preflight.values import Scalar

BOM = b"\xef\xbb\xbf"

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


# ---------------------------------------------------------------- files


def parse_file(source: SourceFile, problems: list[Problem]) -> File:
    """Top-level blocks and attributes of one file.

    What does not parse joins the problems: some of it now, some when a block is lowered.
    """
    complaints = Complaints(problems)
    if not source.is_ascii:
        _check_encoding(source, complaints)
    start = len(BOM) if source.data.startswith(BOM) else 0
    text = Span(source, start, len(source.data))
    body = parse_items(text, complaints)
    if body is None:
        from iam_preflight.terraform.recovery import recover

        body = recover(text, complaints)
    return File(source, body.blocks, body.attributes)


def parse_items(text: Span, complaints: Complaints) -> Body | None:
    """The blocks and attributes of a text; None when it does not parse."""
    source = text.source
    is_whole = text.start == 0 and text.end == len(source.data)
    data = source.data if is_whole else source.data[text.start : text.end]
    root = _parser().parse(data).root_node
    if root.has_error or any(_is_broken_header(node, data) for node in _items_of(root)):
        return None
    return _Reader(source, data, text.start, complaints).items(root, text, keeps_tree=False)


def _is_broken_header(node: Node, data: bytes) -> bool:
    """The grammar lets `resource "a" "b"` without a brace run into the next block."""
    if node.type != "block":
        return False
    brace = next((child for child in node.children if child.type == "block_start"), None)
    return brace is not None and b"\n" in data[node.start_byte : brace.start_byte]


def first_error(text: Span) -> Span | None:
    """Where tree-sitter stumbles first; None when the text parses."""
    data = text.source.data[text.start : text.end]
    stack = [_parser().parse(data).root_node]
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
    root = _parser().parse(whole).root_node
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
    root = _parser().parse(whole).root_node
    if not root.has_error:
        for node in _items_of(root):
            attribute = reader.attribute(node)
            if node.type == "attribute" and attribute is not None:
                return attribute.expression
    return Broken(span)


# ---------------------------------------------------------------- bodies


def _items_of(root: Node) -> Iterator[Node]:
    for child in root.children:
        kind = child.type
        if kind == "body":
            yield from _items_of(child)
        elif kind in ("block", "attribute"):
            yield child


class _Reader:
    """Turns tree-sitter nodes over `data` into the typed tree; `base` is where data starts."""

    __slots__ = ("base", "complaints", "data", "source")

    def __init__(self, source: SourceFile, data: bytes, base: int, complaints: Complaints) -> None:
        self.source = source
        self.data = data
        self.base = base
        self.complaints = complaints

    def between(self, start: int, end: int) -> Span:
        return Span(self.source, start + self.base, end + self.base)

    def span(self, node: Node) -> Span:
        return self.between(node.start_byte, node.end_byte)

    def text(self, node: Node) -> str:
        return self.data[node.start_byte : node.end_byte].decode("utf-8", "replace")

    def complain(self, message: str, start: int, end: int) -> None:
        self.complaints.add(message, self.between(start, end))

    def items(self, parent: Node, span: Span, *, keeps_tree: bool) -> Body:
        """The attributes and blocks directly under a node."""
        attributes: dict[str, Attribute] = {}
        blocks: list[Block] = []
        previous_end = -1
        for node in _items_of(parent):
            start = node.start_byte
            if previous_end >= 0 and b"\n" not in self.data[previous_end:start]:
                self.complain("a new line must begin here", start, node.end_byte)
            previous_end = node.end_byte
            if node.type == "block":
                blocks.append(self.block(node, keeps_tree=keeps_tree))
                continue
            attribute = self.attribute(node)
            if attribute is None:
                continue
            if attribute.name in attributes:
                self.complain(f'"{attribute.name}" is set twice', start, node.end_byte)
            else:
                attributes[attribute.name] = attribute
        return Body(attributes, tuple(blocks), span)

    def block(self, node: Node, *, keeps_tree: bool) -> Block:
        block_type, labels, header_end = "", [], node.start_byte
        for child in node.children:
            kind = child.type
            if kind == "identifier":
                if block_type:
                    labels.append(self.text(child))
                else:
                    block_type = self.text(child)
            elif kind == "string_lit":
                labels.append(self._label(child))
            elif kind == "block_start":
                break
            else:
                continue
            header_end = child.end_byte
        span = self.span(node)
        header = self.between(node.start_byte, header_end)
        if keeps_tree:
            lower = functools.partial(self.items, node, span, keeps_tree=True)
        else:
            lower = functools.partial(_parse_block_again, span, self.complaints)
        return Block(block_type, tuple(labels), span, header, lower)

    def _label(self, node: Node) -> str:
        raw = self.text(node)[1:-1]
        if "\\" in raw:
            self._check_escapes(node.start_byte, node.end_byte)
        if "${" in raw or "%{" in raw:
            message = "a block's label cannot hold an interpolation"
            self.complain(message, node.start_byte, node.end_byte)
        return raw

    def attribute(self, node: Node) -> Attribute | None:
        name: Node | None = None
        value: Node | None = None
        for child in node.children:
            if name is None and child.type == "identifier":
                name = child
            elif child.type == "expression":
                value = child
        if name is None or value is None:
            return None
        lower = functools.partial(self.expression, value)
        return Attribute(self.text(name), self.span(node), self.span(name), lower)

    # ---- expressions

    def expression(self, node: Node) -> Expression:
        children = [child for child in node.children if child.type != "comment"]
        match node.type:
            case "expression" | "template_expr" | "collection_value" | "operation" | "for_expr":
                return self._chain(children, node)
            case "literal_value":
                return self._literal(children[0]) if children else Broken(self.span(node))
            case "string_lit" | "quoted_template":
                return self._quoted(node)
            case "heredoc_template":
                return self._heredoc(node)
            case "variable_expr":
                return Variable(self.text(node), self.span(node))
            case "function_call":
                return self._call(node, children)
            case "conditional":
                parts = [child for child in children if child.type == "expression"]
                if len(parts) != 3:
                    return Broken(self.span(node))
                condition, then, otherwise = (self.expression(part) for part in parts)
                return Conditional(condition, then, otherwise, self.span(node))
            case "unary_operation":
                operand = self._chain(children[1:], node)
                return Unary(self.text(children[0]), operand, self.span(node))
            case "binary_operation":
                return self._binary(node, children)
            case "tuple":
                items = [self.expression(c) for c in children if c.type == "expression"]
                return Tuple(tuple(items), self.span(node))
            case "object":
                return self._object(node)
            case "for_tuple_expr" | "for_object_expr":
                return self._for(node, children)
            case _:
                return Broken(self.span(node))

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

    def _literal(self, node: Node) -> Expression:
        span = self.span(node)
        match node.type:
            case "numeric_lit":
                return Literal(parse_number(self.text(node)), span)
            case "bool_lit":
                return Literal(self.text(node) == "true", span)
            case "null_lit":
                return Literal(None, span)
            case "string_lit":
                return self._quoted(node)
            case _:
                return Broken(span)

    def _call(self, node: Node, children: Sequence[Node]) -> Expression:
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

    def _binary(self, node: Node, children: Sequence[Node]) -> Expression:
        at = next((i for i, c in enumerate(children) if not c.is_named and i > 0), None)
        while at is not None and children[at].type in (")", "("):
            at = next((i for i, c in enumerate(children) if not c.is_named and i > at), None)
        if at is None:
            return Broken(self.span(node))
        left = self._chain(children[:at], node)
        right = self._chain(children[at + 1 :], node)
        return Binary(children[at].type, left, right, self.span(node))

    def _object(self, node: Node) -> Expression:
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

    def _for(self, node: Node, children: Sequence[Node]) -> Expression:
        names: list[str] = []
        collection: Expression | None = None
        condition: Expression | None = None
        results: list[Expression] = []
        groups = False
        for child in children:
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

    def _quoted(self, node: Node) -> Expression:
        span = self.span(node)
        start, end = node.start_byte + 1, node.end_byte - 1
        if end <= start:
            return Literal("", span)
        parts = self.template_parts(node, start, end, is_quoted=True)
        if not parts:
            return Literal("", span)
        if len(parts) == 1 and isinstance(parts[0], Fragment):
            return Literal(parts[0].text, span)
        return Template(parts, span)

    def _heredoc(self, node: Node) -> Expression:
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
            pieces.extend(self._literals(at, child.start_byte, is_quoted=is_quoted))
            pieces.append(self._mark(child))
            at = max(at, child.end_byte)
        pieces.extend(self._literals(at, end, is_quoted=is_quoted))
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

    def _literals(self, start: int, end: int, *, is_quoted: bool) -> Iterator[list[Fragment]]:
        """The literal tokens of known text: one in a quoted string, else one for each line."""
        if start >= end:
            return
        if is_quoted:
            if self.data.find(b"\\", start, end) >= 0:
                self._check_escapes(start, end)
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

    def _check_escapes(self, start: int, end: int) -> None:
        at = start
        while True:
            at = self.data.find(b"\\", at, end)
            if at < 0:
                return
            if BAD_ESCAPE.match(self.data, at, end):
                self.complain("an unknown escape in a string", at, min(at + 2, end))
            at += 2


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


def _parse_block_again(span: Span, complaints: Complaints) -> Body:
    data = span.source.data[span.start : span.end]
    reader = _Reader(span.source, data, span.start, complaints)
    for node in _items_of(_parser().parse(data).root_node):
        if node.type == "block":
            return reader.items(node, span, keeps_tree=True)
    return Body({}, (), span)


def parse_number(text: str) -> Scalar:
    """A numeric literal: int where it is whole, else Decimal."""
    from decimal import Decimal, InvalidOperation

    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    if number.is_zero():
        return 0
    if abs(number.adjusted()) < 400 and number == number.to_integral_value():
        return int(number)
    return number
