"""HCL source to the typed tree, on python-hcl2: a second opinion on what `syntax` reads.

For `--hcl-reader python-hcl2`, and to hold both readers against each other. The whole file is
parsed at once, about fifty times slower than with tree-sitter; what it rejects is given to the
recovery, item by item. python-hcl2 installs a module `hcl2`, as the fork inside checkov does:
have only one of them in an environment.

Terms of its grammar: https://github.com/amplify-education/python-hcl2/blob/main/hcl2/hcl2.lark
"""

from __future__ import annotations

import functools
import re
from bisect import bisect_right
from typing import TYPE_CHECKING, Any

from iam_preflight.errors import UsageError
from iam_preflight.source import Span
from iam_preflight.terraform import numbers
from iam_preflight.terraform.recovery import recover
from iam_preflight.terraform.templates import Mark, Piece, assemble
from iam_preflight.terraform.text_reader import TextReader
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
    from collections.abc import Callable, Iterator

    from iam_preflight.errors import Problem
    from iam_preflight.source import SourceFile

BOM = "\ufeff"
_HEREDOC = re.compile(r"<<(-?)([A-Za-z][\w.-]*)\r?\n")
_SPECIAL = re.compile(rb"[\\\n]|\$\{|%\{")
_WORDS = {"true": True, "false": False, "null": None}
_NOTHING = frozenset({"new_line_or_comment", "NL_OR_COMMENT"})
_MARKS = {
    "interpolation": "interpolation",
    "template_if_start": "if",
    "template_else": "else",
    "template_endif": "endif",
    "template_for_start": "for",
    "template_endfor": "endfor",
}


def parse_file(source: SourceFile, problems: list[Problem]) -> File:
    """Top-level blocks and attributes of one file; see `syntax.parse_file`.

    Raises `UsageError` where python-hcl2 is not installed.
    """
    complaints = Complaints(problems)
    whole = source.whole()
    try:
        text = source.data.decode("utf-8")
    except UnicodeDecodeError as error:
        complaints.add("not UTF-8 text", Span(source, error.start, error.start + 1))
        text = source.data.decode("utf-8", "replace")
    tree = _parsed(text) if len(text.encode()) == len(source.data) else None
    if tree is None:
        body = recover(whole, complaints)
    else:
        body = _Reader(source, text, complaints).body(tree.children[0], whole)
    return File(source, body.blocks, body.attributes)


def is_rejected(source: SourceFile) -> bool:
    """Whether python-hcl2 does not accept a file."""
    return _parsed(source.data.decode("utf-8", "replace")) is None


def _parsed(text: str) -> Any | None:
    """python-hcl2's tree, untyped there; None for what it rejects."""
    from_text, error = _parser()
    if text.startswith(BOM):
        text = " " + text[1:]
    try:
        return from_text(text)
    except (error, RecursionError):
        return None


@functools.cache
def _parser() -> tuple[Callable[[str], Any], type[Exception]]:
    try:
        from hcl2.api import parses_to_tree
        from lark.exceptions import LarkError
    except ImportError:
        hint = "pip install 'iam-preflight[python-hcl2]', not beside checkov"
        raise UsageError(f"--hcl-reader python-hcl2: it is not installed: {hint}") from None
    return parses_to_tree, LarkError


class _Reader(TextReader):
    """Turns python-hcl2's nodes over `text` into the typed tree."""

    def __init__(
        self, source: SourceFile, text: str, complaints: Complaints, base: int = 0
    ) -> None:
        super().__init__(source, text.encode(), base, complaints)
        self._wide = [i for i, char in enumerate(text) if char > "\x7f"]
        self._shift = [0]
        for i in self._wide:
            self._shift.append(self._shift[-1] + len(text[i].encode()) - 1)

    def byte(self, position: int) -> int:
        """Where a character is among the bytes."""
        return position + self._shift[bisect_right(self._wide, position - 1)]

    def extent(self, node: Any) -> tuple[int, int]:
        """The bytes of a node without the line breaks and comments at its ends."""
        first, last = node, node
        while (children := _children(first)) is not None:
            first = children[0]
        while (children := _children(last)) is not None:
            last = children[-1]
        start = first.start_pos + len(first) - len(first.lstrip(" \t"))
        return self.byte(start), self.byte(last.end_pos)

    def span(self, node: Any) -> Span:
        return self.between(*self.extent(node))

    def text(self, node: Any) -> str:
        start, end = self.extent(node)
        return self.data[start:end].decode("utf-8", "replace")

    # ---- bodies

    def body(self, node: Any, span: Span) -> Body:
        attributes: dict[str, Attribute] = {}
        blocks: list[Block] = []
        previous_end = -1
        for item in node.children:
            if item.data not in ("attribute", "block"):
                continue
            start, end = self.extent(item)
            if previous_end >= 0 and self.data.find(b"\n", previous_end - 1, start) < 0:
                self.complain("a new line must begin here", start, end)
            previous_end = end
            if item.data == "block":
                blocks.append(self.block(item))
                continue
            attribute = self.attribute(item)
            if attribute.name in attributes:
                self.complain(f'"{attribute.name}" is set twice', start, end)
            else:
                attributes[attribute.name] = attribute
        return Body(attributes, tuple(blocks), span)

    def attribute(self, node: Any) -> Attribute:
        name, _, value = node.children
        start, end = self.extent(value)
        if self.data[start : start + 2] == b"<<":
            end = self._end_of_marker(end)
        place = self.between(self.extent(name)[0], end)
        return Attribute(self.text(name), place, self.span(name), lambda: self.expression(value))

    def block(self, node: Any) -> Block:
        words = [child for child in _trees(node) if child.data not in ("body", *_NOTHING)]
        body = next(child for child in _trees(node) if child.data == "body")
        start, end = self.extent(node)
        head_end = self.extent(words[-1])[1]
        labels = [
            self.text(word)[1:-1] if word.data == "string" else self.text(word)
            for word in words[1:]
        ]
        span = self.between(start, end)
        return Block(
            self.text(words[0]),
            tuple(labels),
            span,
            self.between(start, head_end),
            lambda: self.body(body, span),
        )

    def _end_of_marker(self, end: int) -> int:
        """A heredoc's token takes the line break behind its marker along."""
        return end - 1 if self.data[end - 1 : end] == b"\n" else end

    # ---- expressions

    def expression(self, node: Any) -> Expression:
        kind = node.data
        children = [child for child in node.children if _kind(child) not in _NOTHING]
        match kind:
            case "expr_term":
                if _kind(children[0]) == "LPAR":
                    return self.expression(children[1])
                return self.expression(children[0])
            case "identifier" | "keyword":
                return Variable(self.text(node), self.span(node))
            case "literal_value":
                return Literal(_WORDS[self.text(node)], self.span(node))
            case "int_lit" | "float_lit":
                return self._number(node)
            case "string":
                return self._quoted(node)
            case "template_string":
                raw = self.text(node)
                return Literal(raw.strip("\\").strip('"').rstrip("\\"), self.span(node))
            case "heredoc_template" | "heredoc_template_trim":
                return self._heredoc(node)
            case "tuple":
                items = [self.expression(child) for child in children if _is_tree(child)]
                return Tuple(tuple(items), self.span(node))
            case "object":
                return self._object(node)
            case "conditional":
                condition, then, otherwise = (child for child in children if _is_tree(child))
                return Conditional(
                    self.expression(condition),
                    self.expression(then),
                    self.expression(otherwise),
                    self.span(node),
                )
            case "binary_op":
                left, term = (child for child in children if _is_tree(child))
                operator, right = (c for c in _trees(term) if c.data not in _NOTHING)
                return Binary(
                    str(operator.children[0]).split()[-1],
                    self.expression(left),
                    self.expression(right),
                    self.span(node),
                )
            case "unary_op":
                return Unary(str(children[0]), self.expression(children[1]), self.span(node))
            case "function_call":
                return self._call(node)
            case "for_tuple_expr" | "for_object_expr":
                return self._for(node)
            case "get_attr_expr_term" | "index_expr_term":
                return self._step(self.expression(children[0]), children[1])
            case "attr_splat_expr_term" | "full_splat_expr_term":
                return self._splat(self.expression(children[0]), children[1])
            case _:
                return Broken(self.span(node))

    def _number(self, node: Any) -> Expression:
        text, span = self.text(node), self.span(node)
        if not text.startswith("-"):
            return Literal(numbers.parse(text), span)
        inner = Span(span.source, span.start + 1, span.end)
        return Unary("-", Literal(numbers.parse(text[1:]), inner), span)

    def _step(self, operand: Expression, step: Any) -> Expression:
        place = self.span(step)
        span = Span(place.source, operand.span.start, place.end)
        children = [child for child in step.children if _kind(child) not in _NOTHING]
        match step.data:
            case "get_attr":
                return GetAttribute(operand, self.text(children[1]), span)
            case "braces_index":
                return Index(operand, self.expression(children[1]), span)
            case "short_index":
                return Index(operand, Literal(int(str(children[1])), place), span)
            case _:
                return Broken(span)

    def _splat(self, operand: Expression, node: Any) -> Expression:
        steps = list(_trees(node))
        inside = steps
        if node.data == "attr_splat":
            cut = next((i for i, s in enumerate(steps) if s.data != "get_attr"), len(steps))
            inside = steps[:cut]
        each: Expression = Variable(SPLAT_ITEM, self.span(node))
        for step in inside:
            each = self._step(each, step)
        place = self.span(node)
        result: Expression = Splat(operand, each, Span(place.source, operand.span.start, place.end))
        for step in steps[len(inside) :]:
            result = self._step(result, step)
        return result

    def _call(self, node: Any) -> Expression:
        names = [child for child in _trees(node) if child.data == "identifier"]
        given = next((child for child in _trees(node) if child.data == "arguments"), None)
        arguments: list[Expression] = []
        spreads = False
        for child in given.children if given is not None else ():
            if _kind(child) == "ELLIPSIS":
                spreads = True
            elif _is_tree(child) and child.data not in _NOTHING:
                arguments.append(self.expression(child))
        name = "::".join(self.text(part) for part in names)
        return Call(name, tuple(arguments), spreads, self.span(node))

    def _object(self, node: Any) -> Expression:
        entries: list[tuple[Expression, Expression]] = []
        previous_end = -1
        for item in _trees(node):
            if item.data != "object_elem":
                continue
            start, end = self.extent(item)
            between = self.data[previous_end - 1 : start] if previous_end >= 0 else b","
            if b"\n" not in between and b"," not in between:
                self.complain("a comma or a new line must stand before this", start, end)
            previous_end = end
            key, value = _trees(item)
            entries.append((self._object_key(key), self.expression(value)))
        return Object(tuple(entries), self.span(node))

    def _object_key(self, node: Any) -> Expression:
        """A bare word as a key is its own name, not a reference."""
        (inner,) = _trees(node)
        bare = inner
        if inner.data == "expr_term" and len(inner.children) == 1:
            bare = inner.children[0]
        if bare.data in ("identifier", "literal_value", "keyword"):
            return Literal(self.text(bare), self.span(node))
        return self.expression(inner)

    def _for(self, node: Any) -> Expression:
        span = self.span(node)
        intro, *results = [c for c in _trees(node) if c.data not in _NOTHING]
        names = [self.text(child) for child in _trees(intro) if child.data == "identifier"]
        collection = [c for c in _trees(intro) if c.data not in ("identifier", *_NOTHING)]
        if len(collection) != 1 and len(names) > 1:
            return Broken(span)
        condition: Expression | None = None
        if results and results[-1].data == "for_cond":
            asked = [c for c in _trees(results.pop()) if c.data not in _NOTHING]
            condition = self.expression(asked[0])
        key, value = (names[0], names[1]) if len(names) > 1 else (None, names[0])
        over = self.expression(collection[0])
        if node.data == "for_tuple_expr":
            return ForTuple(key, value, over, self.expression(results[0]), condition, span)
        groups = any(_kind(child) == "ELLIPSIS" for child in node.children)
        result_key, result_value = (self.expression(result) for result in results)
        return ForObject(key, value, over, result_key, result_value, groups, condition, span)

    # ---- templates

    def _quoted(self, node: Any) -> Expression:
        span = self.span(node)
        start, end = self.extent(node)
        raw = self.data[start + 1 : end - 1]
        if not _SPECIAL.search(raw):
            return Literal(raw.decode("utf-8", "replace"), span)
        pieces: list[Piece] = []
        at = start + 1
        for part in _trees(node):
            (inner,) = part.children
            if not _is_tree(inner):
                continue
            mark = self._mark(inner)
            begin, stop = self.extent(inner)
            pieces.extend(self.literals(at, begin, is_quoted=True))
            pieces.append(mark)
            at = stop
        pieces.extend(self.literals(at, end - 1, is_quoted=True))
        parts = assemble(pieces, flush=False)
        if not parts:
            return Literal("", span)
        if len(parts) == 1 and isinstance(parts[0], Fragment):
            return Literal(parts[0].text, span)
        return Template(parts, span)

    def _mark(self, node: Any) -> Mark:
        raw = self.text(node)
        names: list[str] = []
        expression: Expression | None = None
        for child in _trees(node):
            if child.data == "identifier" and node.data == "template_for_start":
                names.append(self.text(child))
            elif child.data not in _NOTHING:
                expression = self.expression(child)
        return Mark(
            _MARKS[node.data],
            self.span(node),
            expression,
            tuple(names),
            trims_left=raw[2:3] == "~",
            trims_right=raw[-2:-1] == "~",
        )

    def _heredoc(self, node: Any) -> Expression:
        """The grammar does not look into a heredoc's token: its templates are found here."""
        begin, end = self.extent(node)
        end = self._end_of_marker(end)
        raw = self.data[begin:end]
        head = _HEREDOC.match(raw.decode("utf-8", "replace"))
        span = self.between(begin, end)
        if head is None:
            return Broken(span)
        start = begin + raw.find(b"\n") + 1
        stop = max(begin + raw.rfind(b"\n") + 1, start)
        pieces: list[Piece] = []
        at = start
        for first, last in _sequences(self.data, start, stop):
            pieces.extend(self.literals(at, first, is_quoted=False))
            mark = self._text_mark(first, last)
            if mark is None:
                self.complain("the template does not parse", first, last)
                return Template((), span)
            pieces.append(mark)
            at = last
        pieces.extend(self.literals(at, stop, is_quoted=False))
        return Template(assemble(pieces, flush=head[1] == "-"), span)

    def _text_mark(self, first: int, last: int) -> Mark | None:
        """`${…}` or `%{…}` in text: as the only content of a quoted string it parses."""
        raw = self.data[first:last].decode("utf-8", "replace")
        trims_left = raw[2:3] == "~" and raw.startswith("$")
        trims_right = raw[-2:-1] == "~" and raw.startswith("$")
        plain = raw
        if raw.startswith("$"):  # the grammar knows strip markers in directives only
            plain = ("${ " if trims_left else "${") + raw[3 if trims_left else 2 :]
            if trims_right:
                plain = plain[:-2] + " }"
        head = 'x="'
        tree = _parsed(f'{head}{plain}"')
        if tree is None:
            return None
        inner = _Reader(self.source, f'{head}{plain}"', self.complaints, 0)
        inner.base = self.base + first - len(head)
        for part in tree.iter_subtrees_topdown():
            if part.data in _MARKS:
                mark = inner._mark(part)
                return Mark(
                    mark.kind,
                    self.between(first, last),
                    mark.expression,
                    mark.names,
                    mark.trims_left or trims_left,
                    mark.trims_right or trims_right,
                )
        return None


def _sequences(data: bytes, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Where `${…}` and `%{…}` stand in text; braces and quoted strings nest."""
    at = start
    while at < end:
        if data[at : at + 3] in (b"$${", b"%%{"):
            at += 3
        elif data[at : at + 2] in (b"${", b"%{"):
            stop = _closing(data, at + 2, end)
            yield at, stop
            at = stop
        else:
            at += 1


def _closing(data: bytes, at: int, end: int) -> int:
    """Just past the brace that closes a sequence; the end of the text where none does."""
    nested: list[bytes] = [b"}"]
    while at < end and nested:
        char = data[at : at + 1]
        if nested[-1] == b'"':
            if char == b"\\":
                at += 1
            elif char == b'"':
                nested.pop()
            elif data[at : at + 2] in (b"${", b"%{") and data[at - 1 : at] not in (b"$", b"%"):
                nested.append(b"}")
                at += 1
        elif char == b'"':
            nested.append(b'"')
        elif char == b"{":
            nested.append(b"}")
        elif char == b"}":
            nested.pop()
        at += 1
    return min(at, end)


def _is_tree(node: Any) -> bool:
    return hasattr(node, "data")


def _trees(node: Any) -> Iterator[Any]:
    return (child for child in node.children if _is_tree(child))


def _kind(node: Any) -> str:
    """A rule's name, or a token's type."""
    return str(node.data if _is_tree(node) else node.type)


def _children(node: Any) -> list[Any] | None:
    """What a node is made of, without line breaks and comments; None for a token."""
    if not _is_tree(node):
        return None
    return [c for c in node.children if _kind(c) not in _NOTHING and not _is_empty(c)] or None


def _is_empty(node: Any) -> bool:
    """A body with nothing in it has no place."""
    return _is_tree(node) and _children(node) is None
