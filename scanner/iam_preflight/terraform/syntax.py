"""HCL source to a small typed tree with spans, on tree-sitter.

Two steps, because most of a repository never matters to IAM: `parse_file` lists the top-level
blocks and reports syntax errors; a `Block` lowers its body, and an `Attribute` its expression,
when somebody asks. The tree itself is dropped after the first step and the bytes of a block
are parsed again on demand: cheaper than keeping it.

The language: https://github.com/hashicorp/hcl/blob/main/hclsyntax/spec.md
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from iam_preflight.errors import Problem, ProblemKind
from iam_preflight.source import SourceFile, Span
from iam_preflight.values import Fragment, Scalar

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tree_sitter import Node, Parser


# ---------------------------------------------------------------- expressions


@dataclass(frozen=True, slots=True)
class Literal:
    value: Scalar
    span: Span


@dataclass(frozen=True, slots=True)
class Interpolation:
    expression: Expression
    span: Span


@dataclass(frozen=True, slots=True)
class IfDirective:
    condition: Expression
    then: tuple[TemplatePart, ...]
    otherwise: tuple[TemplatePart, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class ForDirective:
    key: str | None
    value: str
    collection: Expression
    body: tuple[TemplatePart, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Template:
    parts: tuple[TemplatePart, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Variable:
    """The root of a reference: `var`, `local`, a resource type, a loop variable."""

    name: str
    span: Span


@dataclass(frozen=True, slots=True)
class GetAttribute:
    operand: Expression
    name: str
    span: Span


@dataclass(frozen=True, slots=True)
class Index:
    operand: Expression
    key: Expression
    span: Span


@dataclass(frozen=True, slots=True)
class Splat:
    """`operand[*]` or `operand.*`; `each` is the rest of the chain, over `Variable("*")`."""

    operand: Expression
    each: Expression
    span: Span


SPLAT_ITEM = "*"


@dataclass(frozen=True, slots=True)
class Call:
    name: str
    arguments: tuple[Expression, ...]
    spreads_last: bool
    span: Span


@dataclass(frozen=True, slots=True)
class Conditional:
    condition: Expression
    then: Expression
    otherwise: Expression
    span: Span


@dataclass(frozen=True, slots=True)
class Unary:
    operator: str
    operand: Expression
    span: Span


@dataclass(frozen=True, slots=True)
class Binary:
    operator: str
    left: Expression
    right: Expression
    span: Span


@dataclass(frozen=True, slots=True)
class Tuple:
    items: tuple[Expression, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Object:
    entries: tuple[tuple[Expression, Expression], ...]
    span: Span


@dataclass(frozen=True, slots=True)
class ForTuple:
    key: str | None
    value: str
    collection: Expression
    result: Expression
    condition: Expression | None
    span: Span


@dataclass(frozen=True, slots=True)
class ForObject:
    key: str | None
    value: str
    collection: Expression
    result_key: Expression
    result_value: Expression
    groups: bool
    condition: Expression | None
    span: Span


@dataclass(frozen=True, slots=True)
class Broken:
    """A part that did not parse; it evaluates to a hole."""

    span: Span


Expression: TypeAlias = (
    "Literal | Template | Variable | GetAttribute | Index | Splat | Call | Conditional | Unary"
    " | Binary | Tuple | Object | ForTuple | ForObject | Broken"
)
TemplatePart: TypeAlias = "Fragment | Interpolation | IfDirective | ForDirective"


# ---------------------------------------------------------------- bodies


class Attribute:
    """`name = expression`; the expression is lowered on first use."""

    __slots__ = ("_lowered", "_pending", "name", "name_span", "span")

    def __init__(
        self,
        name: str,
        span: Span,
        name_span: Span,
        expression: Expression | None = None,
        pending: tuple[_Lowering, Node] | None = None,
    ) -> None:
        self.name = name
        self.span = span
        self.name_span = name_span
        self._lowered = expression
        self._pending = pending

    @property
    def expression(self) -> Expression:
        if self._lowered is None:
            if self._pending is None:
                self._lowered = Broken(self.span)
            else:
                lowering, node = self._pending
                self._lowered = lowering.expression(node)
                self._pending = None
        return self._lowered


@dataclass(frozen=True, slots=True)
class Body:
    attributes: dict[str, Attribute]
    blocks: tuple[Block, ...]
    span: Span

    def blocks_of(self, block_type: str) -> Iterator[Block]:
        return (block for block in self.blocks if block.type == block_type)


class Block:
    """`type "label" { … }`: header at once, body on first use."""

    __slots__ = ("_body", "_pending", "header", "labels", "span", "type")

    def __init__(
        self,
        block_type: str,
        labels: tuple[str, ...],
        span: Span,
        header: Span,
        body: Body | None = None,
        pending: tuple[_Lowering, Node] | None = None,
    ) -> None:
        self.type = block_type
        self.labels = labels
        self.span = span
        self.header = header
        self._body = body
        self._pending = pending

    def __repr__(self) -> str:
        return f"Block({' '.join((self.type, *self.labels))} at {self.span})"

    @property
    def body(self) -> Body:
        if self._body is None:
            if self._pending is None:
                self._body = _parse_block_again(self.span)
            else:
                lowering, node = self._pending
                self._body = lowering.body(node)
                self._pending = None
        return self._body


@dataclass(frozen=True, slots=True)
class File:
    source: SourceFile
    blocks: tuple[Block, ...]
    attributes: dict[str, Attribute]
    """Top-level `name = value`, as in .tfvars files."""
    problems: tuple[Problem, ...]


# ---------------------------------------------------------------- parsing


@functools.cache
def _parser() -> Parser:
    import tree_sitter_hcl
    from tree_sitter import Language, Parser

    return Parser(Language(tree_sitter_hcl.language()))


def parse_file(source: SourceFile) -> File:
    """Top-level blocks and attributes of one file, and what does not parse."""
    root = _parser().parse(source.data).root_node
    lowering = _Lowering(source, source.data, 0)
    problems = list(_syntax_problems(root, lowering)) if root.has_error else []
    blocks: list[Block] = []
    attributes: dict[str, Attribute] = {}
    for node in _body_children(root):
        if node.type == "block":
            blocks.append(lowering.block(node, keep_tree=False))
        elif node.type == "attribute":
            attribute = lowering.attribute(node)
            if attribute is not None:
                attributes[attribute.name] = attribute
    return File(source, tuple(blocks), attributes, tuple(problems))


def parse_template(text: Span) -> Template:
    """The whole text of a span as a template, as `templatefile` reads a file.

    HCL has no entry point for a bare template in this grammar, so the text is parsed as the
    content of a heredoc; offsets are shifted back.
    """
    source, content = text.source, text.source.data[text.start : text.end]
    marker = b"IAM_PREFLIGHT_TEMPLATE"
    while marker in content:
        marker += b"_"
    prefix = b"x=<<" + marker + b"\n"
    data = prefix + content + b"\n" + marker + b"\n"
    lowering = _Lowering(source, data, text.start - len(prefix))
    stack = [_parser().parse(data).root_node]
    while stack:
        node = stack.pop()
        if node.type == "heredoc_template":
            start, end = len(prefix), len(prefix) + len(content)
            return Template(lowering.template_parts(node, start, end, is_quoted=False), text)
        stack.extend(reversed(node.children))
    return Template((Fragment(content.decode("utf-8", "replace"), text),), text)


def parse_expression(text: Span) -> Expression:
    """The whole text of a span as one expression."""
    prefix = b"x="
    data = prefix + text.source.data[text.start : text.end] + b"\n"
    lowering = _Lowering(text.source, data, text.start - len(prefix))
    for node in _body_children(_parser().parse(data).root_node):
        if node.type == "attribute":
            attribute = lowering.attribute(node)
            if attribute is not None:
                return attribute.expression
    return Broken(text)


def _parse_block_again(span: Span) -> Body:
    data = span.source.data[span.start : span.end]
    lowering = _Lowering(span.source, data, span.start)
    for node in _body_children(_parser().parse(data).root_node):
        if node.type == "block":
            return lowering.body(node)
    return Body({}, (), span)


def _body_children(root: Node) -> Iterator[Node]:
    """Blocks and attributes at the top of a file, also those beside an error."""
    for child in root.children:
        match child.type:
            case "body" | "ERROR":
                yield from _body_children(child)
            case "block" | "attribute":
                yield child


def _syntax_problems(root: Node, lowering: _Lowering) -> Iterator[Problem]:
    stack = [root]
    while stack:
        node = stack.pop()
        if node.is_missing:
            span = lowering.span(node)
            yield Problem(ProblemKind.SYNTAX, f"{_readable(node.type)} is missing", span.path, span)
        elif node.type == "ERROR":
            span = lowering.span(node)
            first_line = span.text.strip().split("\n", 1)[0][:60]
            message = f"unexpected {first_line!r}" if first_line else "unexpected end of text"
            yield Problem(ProblemKind.SYNTAX, message, span.path, span)
        elif node.has_error:
            stack.extend(reversed(node.children))


def _readable(token: str) -> str:
    names = {
        "block_end": "closing brace",
        "object_end": "closing brace",
        "tuple_end": "closing bracket",
        "quoted_template_end": "closing quote",
        "template_interpolation_end": "closing brace of an interpolation",
        "template_directive_end": "closing brace of a directive",
    }
    return names.get(token, token)


# ---------------------------------------------------------------- lowering

_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\"}
_ESCAPE = re.compile(rb"\\(?:u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)|\$\$\{|%%\{", re.DOTALL)
_TEMPLATE_ESCAPE = re.compile(rb"\$\$\{|%%\{")
_WORDS = re.compile(rb"[A-Za-z_][\w-]*")


@dataclass(frozen=True, slots=True)
class _Token:
    """One piece of a flattened template, before trimming and nesting."""

    kind: str
    start: int
    end: int
    node: Node | None = None
    trims_left: bool = False
    trims_right: bool = False


class _Lowering:
    """Turns tree-sitter nodes over `data` into the typed tree; `base` is where data starts."""

    __slots__ = ("base", "data", "source")

    def __init__(self, source: SourceFile, data: bytes, base: int) -> None:
        self.source = source
        self.data = data
        self.base = base

    def span(self, node: Node) -> Span:
        return Span(self.source, node.start_byte + self.base, node.end_byte + self.base)

    def _between(self, start: int, end: int) -> Span:
        return Span(self.source, start + self.base, end + self.base)

    def text(self, node: Node) -> str:
        return self.data[node.start_byte : node.end_byte].decode("utf-8", "replace")

    # ---- bodies

    def block(self, node: Node, *, keep_tree: bool = True) -> Block:
        block_type, labels, header_end = "", [], node.start_byte
        for child in node.children:
            match child.type:
                case "identifier":
                    if block_type:
                        labels.append(self.text(child))
                    else:
                        block_type = self.text(child)
                case "string_lit":
                    labels.append(self.text(child)[1:-1])
                case "block_start":
                    break
                case _:
                    continue
            header_end = child.end_byte
        return Block(
            block_type,
            tuple(labels),
            self.span(node),
            self._between(node.start_byte, header_end),
            pending=(self, node) if keep_tree else None,
        )

    def body(self, block: Node) -> Body:
        attributes: dict[str, Attribute] = {}
        blocks: list[Block] = []
        for child in block.children:
            if child.type in ("body", "ERROR"):
                for node in _body_children(child):
                    if node.type == "block":
                        blocks.append(self.block(node))
                    else:
                        attribute = self.attribute(node)
                        if attribute is not None:
                            attributes.setdefault(attribute.name, attribute)
        return Body(attributes, tuple(blocks), self.span(block))

    def attribute(self, node: Node) -> Attribute | None:
        name: Node | None = None
        value: Node | None = None
        for child in node.children:
            if child.type == "identifier" and name is None:
                name = child
            elif child.type == "expression":
                value = child
        if name is None:
            return None
        return Attribute(
            self.text(name),
            self.span(node),
            self.span(name),
            pending=(self, value) if value is not None else None,
        )

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
                return self._object(node, children)
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
        start = operand.span.start
        for step in steps:
            span = Span(self.source, start, step.end_byte + self.base)
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

    def _object(self, node: Node, children: Sequence[Node]) -> Expression:
        entries: list[tuple[Expression, Expression]] = []
        for child in children:
            if child.type != "object_elem":
                continue
            sides = [c for c in child.children if c.type == "expression"]
            if len(sides) == 2:
                entries.append((self._object_key(sides[0]), self.expression(sides[1])))
        return Object(tuple(entries), self.span(node))

    def _object_key(self, node: Node) -> Expression:
        """A bare word as a key is its own name, not a reference."""
        named = [child for child in node.children if child.type != "comment"]
        if len(named) == 1 and named[0].type == "variable_expr":
            return Literal(self.text(named[0]), self.span(node))
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
        if end < start:
            return Literal("", span)
        parts = self.template_parts(node, start, end, is_quoted=True)
        if not parts:
            return Literal("", span)
        if all(isinstance(part, Fragment) for part in parts):
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
        tokens = self._flatten(node, start, end)
        pieces: list[_Token | list[Fragment]] = []
        for i, token in enumerate(tokens):
            if token.kind != "text":
                pieces.append(token)
                continue
            first, last = token.start, token.end
            if i > 0 and tokens[i - 1].trims_right:
                first = self._skip_space(first, last)
            if i + 1 < len(tokens) and tokens[i + 1].trims_left:
                last = self._unskip_space(first, last)
            pieces.append(self._fragments(first, last, is_quoted=is_quoted, by_line=flush))
        if flush:
            _strip_indent(pieces)
        flat: list[Fragment | _Token] = []
        for piece in pieces:
            flat.extend(piece if isinstance(piece, list) else [piece])
        parts, _ = self._nest(flat, 0, ())
        return tuple(_merge_fragments(parts))

    def _skip_space(self, start: int, end: int) -> int:
        while start < end and self.data[start : start + 1].isspace():
            start += 1
        return start

    def _unskip_space(self, start: int, end: int) -> int:
        while end > start and self.data[end - 1 : end].isspace():
            end -= 1
        return end

    def _flatten(self, node: Node, start: int, end: int) -> list[_Token]:
        """Text, interpolations and directive marks in order; text is what lies between."""
        marks = list(self._marks(node))
        tokens: list[_Token] = []
        at = start
        for mark in marks:
            if mark.start > at:
                tokens.append(_Token("text", at, mark.start))
            tokens.append(mark)
            at = max(at, mark.end)
        if at < end:
            tokens.append(_Token("text", at, end))
        return tokens

    def _marks(self, node: Node) -> Iterator[_Token]:
        kinds = {
            "template_interpolation": "interpolation",
            "template_if_intro": "if",
            "template_else_intro": "else",
            "template_if_end": "endif",
            "template_for_start": "for",
            "template_for_end": "endfor",
        }
        for child in node.children:
            kind = kinds.get(child.type)
            if kind is not None:
                opening = self.data[child.start_byte : child.start_byte + 3]
                closing = self.data[max(child.end_byte - 2, 0) : child.end_byte]
                yield _Token(
                    kind,
                    child.start_byte,
                    child.end_byte,
                    child,
                    trims_left=opening.endswith(b"~"),
                    trims_right=closing.startswith(b"~"),
                )
            elif child.type in ("template_directive", "template_if", "template_for"):
                yield from self._marks(child)

    def _fragments(self, start: int, end: int, *, is_quoted: bool, by_line: bool) -> list[Fragment]:
        """Known text, cut wherever it stops being byte for byte what the file says."""
        out: list[Fragment] = []
        pattern = _ESCAPE if is_quoted else _TEMPLATE_ESCAPE
        at = start
        while at < end:
            found = pattern.search(self.data, at, end)
            stop = found.start() if found else end
            if stop > at:
                out.extend(self._plain(at, stop, by_line=by_line))
            if found is None:
                break
            raw = found.group().decode("utf-8", "replace")
            out.append(Fragment(_unescape(raw), self._between(found.start(), found.end())))
            at = found.end()
        return out

    def _plain(self, start: int, end: int, *, by_line: bool) -> Iterator[Fragment]:
        while start < end:
            stop = end
            if by_line:
                newline = self.data.find(b"\n", start, end)
                stop = newline + 1 if newline >= 0 else end
            text = self.data[start:stop].decode("utf-8", "replace")
            yield Fragment(text, self._between(start, stop))
            start = stop

    def _nest(
        self, tokens: Sequence[Fragment | _Token], at: int, until: tuple[str, ...]
    ) -> tuple[list[TemplatePart], int]:
        """Parts up to a closing mark; returns them and the index of that mark."""
        parts: list[TemplatePart] = []
        while at < len(tokens):
            token = tokens[at]
            if isinstance(token, Fragment):
                parts.append(token)
            elif token.kind in until:
                return parts, at
            elif token.kind == "interpolation":
                span = self._between(token.start, token.end)
                parts.append(Interpolation(self._expression_in(token), span))
            elif token.kind == "if":
                then, at = self._nest(tokens, at + 1, ("else", "endif"))
                otherwise: list[TemplatePart] = []
                closing = tokens[at] if at < len(tokens) else None
                if isinstance(closing, _Token) and closing.kind == "else":
                    otherwise, at = self._nest(tokens, at + 1, ("endif",))
                span = self._between(token.start, token.end)
                condition = self._expression_in(token)
                parts.append(
                    IfDirective(
                        condition,
                        tuple(_merge_fragments(then)),
                        tuple(_merge_fragments(otherwise)),
                        span,
                    )
                )
            elif token.kind == "for":
                body, at = self._nest(tokens, at + 1, ("endfor",))
                parts.append(self._for_directive(token, body))
            at += 1
        return parts, at

    def _for_directive(self, token: _Token, body: list[TemplatePart]) -> TemplatePart:
        node = token.node
        names = [self.text(c) for c in node.children if c.type == "identifier"] if node else []
        span = self._between(token.start, token.end)
        key, value = (names[0], names[1]) if len(names) > 1 else (None, names[0] if names else "")
        merged = tuple(_merge_fragments(body))
        return ForDirective(key, value, self._expression_in(token), merged, span)

    def _expression_in(self, token: _Token) -> Expression:
        if token.node is not None:
            for child in token.node.children:
                if child.type == "expression":
                    return self.expression(child)
        return Broken(self._between(token.start, token.end))


def _merge_fragments(parts: Sequence[TemplatePart]) -> Iterator[TemplatePart]:
    """Neighbouring text that is also contiguous in the file becomes one fragment."""
    held: Fragment | None = None
    for part in parts:
        if not isinstance(part, Fragment):
            if held is not None:
                yield held
                held = None
            yield part
            continue
        if not part.text:
            continue
        if (
            held is not None
            and held.span.end == part.span.start
            and _is_verbatim(held)
            and _is_verbatim(part)
        ):
            span = Span(held.span.source, held.span.start, part.span.end)
            held = Fragment(held.text + part.text, span)
        else:
            if held is not None:
                yield held
            held = part
    if held is not None:
        yield held


def _is_verbatim(fragment: Fragment) -> bool:
    span = fragment.span
    return span.source.data[span.start : span.end] == fragment.text.encode("utf-8")


def _strip_indent(pieces: list[_Token | list[Fragment]]) -> None:
    """`<<-`: takes the smallest indentation of all lines off every line, in place."""
    smallest: int | None = None
    starts: list[tuple[list[Fragment], int]] = []
    at_line_start = True
    for piece in pieces:
        if isinstance(piece, _Token):
            if at_line_start:
                smallest = 0
            at_line_start = False
            continue
        for i, fragment in enumerate(piece):
            if at_line_start:
                rest = fragment.text.lstrip()
                if rest or not fragment.text.endswith("\n"):
                    indent = len(fragment.text) - len(rest)
                    smallest = indent if smallest is None else min(smallest, indent)
                    starts.append((piece, i))
            at_line_start = fragment.text.endswith("\n")
    if not smallest:
        return
    for piece, i in starts:
        fragment = piece[i]
        cut = len(fragment.text[:smallest].encode("utf-8"))
        span = fragment.span
        piece[i] = Fragment(fragment.text[smallest:], Span(span.source, span.start + cut, span.end))


def _unescape(raw: str) -> str:
    if raw in ("$${", "%%{"):
        return raw[1:]
    if raw[1] in "uU" and len(raw) > 2:
        code = int(raw[2:], 16)
        return chr(code) if code < 0x110000 else "\ufffd"
    return _ESCAPES.get(raw[1], raw)


def parse_number(text: str) -> Scalar:
    """A numeric literal: int where it is whole, else Decimal."""
    from decimal import Decimal, InvalidOperation

    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    if number == number.to_integral_value() and abs(number.adjusted()) < 400:
        return int(number)
    return number
