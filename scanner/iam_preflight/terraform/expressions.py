"""Expressions of HCL to the typed tree: arguments, and texts that are one, or a template."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from iam_preflight.source import Span
from iam_preflight.terraform import numbers
from iam_preflight.terraform.syntax_trees import items_of, parse
from iam_preflight.terraform.templates import (
    Mark,
    Piece,
    assemble,
)
from iam_preflight.terraform.text_reader import SPECIAL, TextReader
from iam_preflight.terraform.tree import (
    SPLAT_ITEM,
    Binary,
    Broken,
    Call,
    Complaints,
    Conditional,
    Expression,
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

    from tree_sitter import Node

    from iam_preflight.terraform.tree import TemplatePart

_WRAPPERS = frozenset(
    {"expression", "template_expr", "collection_value", "operation", "for_expr", "literal_value"}
)

_MARKS = {
    "template_interpolation": "interpolation",
    "template_if_intro": "if",
    "template_else_intro": "else",
    "template_if_end": "endif",
    "template_for_start": "for",
    "template_for_end": "endfor",
}

_PLAIN = re.compile(
    rb"(?:\"(?P<text>[^\"\\$%%\n]*)\"|(?P<number>\d+(?:\.\d+)?)|(?P<word>true|false|null)"
    rb"|(?P<path>[A-Za-z_][\w-]*(?:\.[A-Za-z_][\w-]*)*))\Z"
)


class ExpressionReader(TextReader):
    """Turns tree-sitter's nodes over `data` into expressions."""

    __slots__ = ()

    def span(self, node: Node) -> Span:
        return self.between(node.start_byte, node.end_byte)

    def text(self, node: Node) -> str:
        return self.data[node.start_byte : node.end_byte].decode("utf-8", "replace")

    def expression(self, node: Node) -> Expression:
        kind = node.type
        while kind in _WRAPPERS and node.child_count == 1:
            (node,) = node.children
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

    def lower_quoted(self, node: Node) -> Expression:
        span = self.span(node)
        start, end = node.start_byte + 1, node.end_byte - 1
        raw = self.data[start:end]
        if not SPECIAL.search(raw):
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


class PlacedReader(ExpressionReader):
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


_LOWER: dict[str, Callable[[ExpressionReader, Node], Expression]] = {
    "expression": ExpressionReader.lower_wrapped,
    "template_expr": ExpressionReader.lower_wrapped,
    "collection_value": ExpressionReader.lower_wrapped,
    "operation": ExpressionReader.lower_wrapped,
    "for_expr": ExpressionReader.lower_wrapped,
    "literal_value": ExpressionReader.lower_wrapped,
    "numeric_lit": ExpressionReader.lower_number,
    "bool_lit": ExpressionReader.lower_bool,
    "null_lit": ExpressionReader.lower_null,
    "string_lit": ExpressionReader.lower_quoted,
    "quoted_template": ExpressionReader.lower_quoted,
    "heredoc_template": ExpressionReader.lower_heredoc,
    "variable_expr": ExpressionReader.lower_variable,
    "function_call": ExpressionReader.lower_call,
    "conditional": ExpressionReader.lower_conditional,
    "unary_operation": ExpressionReader.lower_unary,
    "binary_operation": ExpressionReader.lower_binary,
    "tuple": ExpressionReader.lower_tuple,
    "object": ExpressionReader.lower_object,
    "for_tuple_expr": ExpressionReader.lower_for,
    "for_object_expr": ExpressionReader.lower_for,
}


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
    reader = PlacedReader(span, whole, len(head), place, complaints)
    root = parse(whole)
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
    reader = PlacedReader(span, whole, len(head), place, complaints)
    root = parse(whole)
    return only_expression(root, reader) or Broken(span)


def parse_value(span: Span, complaints: Complaints) -> Expression:
    """The expression of an argument; the plainest without tree-sitter, which is most of them."""
    text = span.source.data[span.start : span.end]
    plain = _PLAIN.match(text)
    if plain is not None:
        return _plain_value(plain, span)
    head = b"x="
    reader = ExpressionReader(span.source, head + text + b"\n", span.start - len(head), complaints)
    return only_expression(parse(reader.data), reader) or Broken(span)


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


def only_expression(root: Node, reader: ExpressionReader) -> Expression | None:
    """The expression of a text that is one argument."""
    if root.has_error:
        return None
    for node in items_of(root):
        for child in node.children:
            if child.type == "expression":
                return reader.expression(child)
    return None
