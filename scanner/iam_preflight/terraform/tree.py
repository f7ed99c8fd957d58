"""The typed tree of Terraform's language, whoever read it.

Three readers produce it: `syntax` (tree-sitter), `json_syntax` (.tf.json) and
`python_hcl2_reader`. Attributes and block bodies are lowered on first use, because most of a
repository never matters to IAM.

The language: https://github.com/hashicorp/hcl/blob/main/hclsyntax/spec.md
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, TypeAlias

from msgspec import Struct

from iam_preflight.errors import Problem, ProblemKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from iam_preflight.source import SourceFile, Span
    from iam_preflight.values import Fragment, Scalar


# ---------------------------------------------------------------- expressions


class Literal(Struct, frozen=True, gc=False):
    value: Scalar
    span: Span


class Interpolation(Struct, frozen=True, gc=False):
    expression: Expression
    span: Span


class IfDirective(Struct, frozen=True, gc=False):
    condition: Expression
    then: tuple[TemplatePart, ...]
    otherwise: tuple[TemplatePart, ...]
    span: Span


class ForDirective(Struct, frozen=True, gc=False):
    key: str | None
    value: str
    collection: Expression
    body: tuple[TemplatePart, ...]
    span: Span


class Template(Struct, frozen=True, gc=False):
    parts: tuple[TemplatePart, ...]
    span: Span


class Variable(Struct, frozen=True, gc=False):
    """The root of a reference: `var`, `local`, a resource type, a loop variable."""

    name: str
    span: Span


class GetAttribute(Struct, frozen=True, gc=False):
    operand: Expression
    name: str
    span: Span


class Index(Struct, frozen=True, gc=False):
    operand: Expression
    key: Expression
    span: Span


class Splat(Struct, frozen=True, gc=False):
    """`operand[*]` or `operand.*`; `each` is the rest of the chain, over `Variable("*")`."""

    operand: Expression
    each: Expression
    span: Span


SPLAT_ITEM = "*"


class Call(Struct, frozen=True, gc=False):
    name: str
    arguments: tuple[Expression, ...]
    spreads_last: bool
    span: Span


class Conditional(Struct, frozen=True, gc=False):
    condition: Expression
    then: Expression
    otherwise: Expression
    span: Span


class Unary(Struct, frozen=True, gc=False):
    operator: str
    operand: Expression
    span: Span


class Binary(Struct, frozen=True, gc=False):
    operator: str
    left: Expression
    right: Expression
    span: Span


class Tuple(Struct, frozen=True, gc=False):
    items: tuple[Expression, ...]
    span: Span


class Object(Struct, frozen=True, gc=False):
    entries: tuple[tuple[Expression, Expression], ...]
    span: Span


class ForTuple(Struct, frozen=True, gc=False):
    key: str | None
    value: str
    collection: Expression
    result: Expression
    condition: Expression | None
    span: Span


class ForObject(Struct, frozen=True, gc=False):
    key: str | None
    value: str
    collection: Expression
    result_key: Expression
    result_value: Expression
    groups: bool
    condition: Expression | None
    span: Span


class Broken(Struct, frozen=True, gc=False):
    """A part that did not parse; it evaluates to a hole."""

    span: Span
    is_too_deep: bool = False


Expression: TypeAlias = (
    "Literal | Template | Variable | GetAttribute | Index | Splat | Call | Conditional | Unary"
    " | Binary | Tuple | Object | ForTuple | ForObject | Broken"
)
TemplatePart: TypeAlias = "Fragment | Interpolation | IfDirective | ForDirective"


def subexpressions(expression: Expression) -> Iterator[Expression]:
    """The expressions directly inside one, those in templates too."""
    match expression:
        case Template(parts=parts):
            yield from _in_parts(parts)
        case GetAttribute(operand=operand) | Unary(operand=operand):
            yield operand
        case Index(operand=operand, key=key):
            yield from (operand, key)
        case Splat(operand=operand, each=each):
            yield from (operand, each)
        case Call(arguments=arguments):
            yield from arguments
        case Conditional(condition=condition, then=then, otherwise=otherwise):
            yield from (condition, then, otherwise)
        case Binary(left=left, right=right):
            yield from (left, right)
        case Tuple(items=items):
            yield from items
        case Object(entries=entries):
            for key, value in entries:
                yield from (key, value)
        case ForTuple(collection=collection, result=result, condition=condition):
            yield from (collection, result)
            if condition is not None:
                yield condition
        case ForObject(collection=collection, condition=condition):
            yield from (collection, expression.result_key, expression.result_value)
            if condition is not None:
                yield condition
        case _:
            return


def _in_parts(parts: tuple[TemplatePart, ...]) -> Iterator[Expression]:
    for part in parts:
        match part:
            case Interpolation(expression=expression):
                yield expression
            case IfDirective(condition=condition, then=then, otherwise=otherwise):
                yield condition
                yield from _in_parts((*then, *otherwise))
            case ForDirective(collection=collection, body=body):
                yield collection
                yield from _in_parts(body)
            case _:
                continue


# ---------------------------------------------------------------- bodies


class Attribute:
    """`name = expression`; the expression is lowered on first use."""

    __slots__ = ("_expression", "_lower", "name", "name_span", "span")

    def __init__(
        self, name: str, span: Span, name_span: Span, lower: Callable[[], Expression] | Expression
    ) -> None:
        self.name = name
        self.span = span
        self.name_span = name_span
        self._expression: Expression | None = None
        self._lower: Callable[[], Expression] | None = None
        if callable(lower):
            self._lower = lower
        else:
            self._expression = lower

    def __repr__(self) -> str:
        return f"Attribute({self.name} at {self.span})"

    def lower_if_possible(self) -> None:
        """Lowers the expression now, unless it is too deep for what is left of the stack."""
        if self._lower is not None:
            with contextlib.suppress(RecursionError):
                self._expression = self._lower()
                self._lower = None

    @property
    def expression(self) -> Expression:
        if self._expression is None:
            assert self._lower is not None
            try:
                self._expression = self._lower()
            except RecursionError:
                self._expression = Broken(self.span, is_too_deep=True)
            self._lower = None
        return self._expression


class Body(Struct, frozen=True):
    attributes: dict[str, Attribute]
    blocks: tuple[Block, ...]
    span: Span

    def blocks_of(self, block_type: str) -> Iterator[Block]:
        return (block for block in self.blocks if block.type == block_type)


class Block:
    """`type "label" { … }`: header at once, body on first use."""

    __slots__ = ("_body", "_lower", "header", "labels", "span", "type")

    def __init__(
        self,
        block_type: str,
        labels: tuple[str, ...],
        span: Span,
        header: Span,
        lower: Callable[[], Body] | Body,
    ) -> None:
        self.type = block_type
        self.labels = labels
        self.span = span
        self.header = header
        self._body: Body | None = None
        self._lower: Callable[[], Body] | None = None
        if isinstance(lower, Body):
            self._body = lower
        else:
            self._lower = lower

    def __repr__(self) -> str:
        return f"Block({' '.join((self.type, *self.labels))} at {self.span})"

    @property
    def lowered(self) -> Body | None:
        """The body, if somebody has asked for it."""
        return self._body

    @property
    def body(self) -> Body:
        if self._body is None:
            assert self._lower is not None
            try:
                self._body = self._lower()
            except RecursionError:
                self._body = Body({}, (), self.span)
            self._lower = None
        return self._body


class Complaints:
    """What is wrong in one file, up to a bound; it grows while its blocks are lowered."""

    MAX = 50
    """More than this many in one file say nothing more."""

    __slots__ = ("_count", "_problems")

    def __init__(self, problems: list[Problem]) -> None:
        self._problems = problems
        self._count = 0

    def add(self, message: str, span: Span) -> None:
        self._count += 1
        if self._count <= self.MAX:
            self._problems.append(Problem(ProblemKind.SYNTAX, message, span.path, span))

    @property
    def count(self) -> int:
        return self._count


class File(Struct, frozen=True):
    source: SourceFile
    blocks: tuple[Block, ...]
    attributes: dict[str, Attribute]
    """Top-level `name = value`, as in .tfvars files."""
