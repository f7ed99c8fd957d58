"""String templates, whoever read them: trimming, indentation and nesting of directives.

A reader hands over the pieces in order: a `Mark` for each `${…}` and `%{…}`, and between them
literal tokens, each a list of fragments. As in HCL a literal token ends with its line in a
heredoc or a template file, and only a quoted string's runs on; that decides how far `~` and
`<<-` reach.

https://github.com/hashicorp/hcl/blob/main/hclsyntax/parser_template.go
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec import Struct

from iam_preflight.late_patterns import late
from iam_preflight.source import Span
from iam_preflight.terraform.tree import (
    Broken,
    Expression,
    ForDirective,
    IfDirective,
    Interpolation,
    TemplatePart,
)
from iam_preflight.values import Fragment

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

QUOTED_ESCAPE = late(rb"\\(?:u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)|\$\$\{|%%\{", re.DOTALL)
TEMPLATE_ESCAPE = late(rb"\$\$\{|%%\{")
BAD_ESCAPE = late(rb"\\(?:[^nrt\"\\uU]|u(?![0-9a-fA-F]{4})|U(?![0-9a-fA-F]{8}))", re.DOTALL)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\"}


class Mark(Struct, frozen=True):
    """`${…}` or one directive: `kind` is interpolation, if, else, endif, for or endfor."""

    kind: str
    span: Span
    expression: Expression | None = None
    names: tuple[str, ...] = ()
    trims_left: bool = False
    trims_right: bool = False


Piece = Mark | list[Fragment]


def unescape(raw: str) -> str:
    if raw in ("$${", "%%{"):
        return raw[1:]
    if raw[1] in "uU" and len(raw) > 2:
        code = int(raw[2:], 16)
        return chr(code) if code < 0x110000 and not 0xD800 <= code < 0xE000 else "\ufffd"
    return _ESCAPES.get(raw[1], raw)


def assemble(pieces: list[Piece], *, flush: bool) -> tuple[TemplatePart, ...]:
    """The parts of a template; `flush` takes the common indentation off (`<<-`)."""
    for i, piece in enumerate(pieces):
        if isinstance(piece, Mark):
            continue
        before = pieces[i - 1] if i else None
        after = pieces[i + 1] if i + 1 < len(pieces) else None
        if isinstance(before, Mark) and before.trims_right:
            _trim_start(piece)
        if isinstance(after, Mark) and after.trims_left:
            _trim_end(piece)
    if flush:
        _take_indent_off(pieces)
    flat: list[Fragment | Mark] = []
    for piece in pieces:
        if isinstance(piece, Mark):
            flat.append(piece)
        else:
            flat.extend(piece)
    parts, _ = _nest(flat, 0, ())
    return tuple(merge_fragments(parts))


def _trim_start(fragments: list[Fragment]) -> None:
    while fragments:
        kept = fragments[0].text.lstrip()
        if kept:
            fragments[0] = _without(fragments[0], len(fragments[0].text) - len(kept), 0)
            return
        del fragments[0]


def _trim_end(fragments: list[Fragment]) -> None:
    while fragments:
        kept = fragments[-1].text.rstrip()
        if kept:
            fragments[-1] = _without(fragments[-1], 0, len(fragments[-1].text) - len(kept))
            return
        del fragments[-1]


def _without(fragment: Fragment, head: int, tail: int) -> Fragment:
    """The fragment without so many characters at its start and end."""
    if not head and not tail:
        return fragment
    text, span = fragment.text, fragment.span
    kept = text[head : len(text) - tail]
    if not is_verbatim(fragment):
        return Fragment(kept, span)
    start = span.start + len(text[:head].encode())
    return Fragment(kept, Span(span.source, start, start + len(kept.encode())))


def _take_indent_off(pieces: list[Piece]) -> None:
    """`<<-`: the smallest indentation of all lines goes off every line, in place."""
    smallest: int | None = None
    starts: list[list[Fragment]] = []
    at_line_start = True
    for piece in pieces:
        if isinstance(piece, Mark):
            if at_line_start:
                smallest = 0
            at_line_start = False
            continue
        if at_line_start:
            text = "".join(fragment.text for fragment in piece)
            rest = text.lstrip()
            if rest or not text.endswith("\n"):
                indent = len(text) - len(rest)
                smallest = indent if smallest is None else min(smallest, indent)
                starts.append(piece)
        at_line_start = bool(piece) and piece[-1].text.endswith("\n")
    for piece in starts if smallest else ():
        if piece:
            piece[0] = _without(piece[0], smallest or 0, 0)


def _nest(
    tokens: Sequence[Fragment | Mark], at: int, until: tuple[str, ...]
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
            parts.append(Interpolation(token.expression or Broken(token.span), token.span))
        elif token.kind == "if":
            then, at = _nest(tokens, at + 1, ("else", "endif"))
            otherwise: list[TemplatePart] = []
            closing = tokens[at] if at < len(tokens) else None
            if isinstance(closing, Mark) and closing.kind == "else":
                otherwise, at = _nest(tokens, at + 1, ("endif",))
            parts.append(
                IfDirective(
                    token.expression or Broken(token.span),
                    tuple(merge_fragments(then)),
                    tuple(merge_fragments(otherwise)),
                    token.span,
                )
            )
        elif token.kind == "for":
            body, at = _nest(tokens, at + 1, ("endfor",))
            names = token.names or ("",)
            key, value = (names[0], names[1]) if len(names) > 1 else (None, names[0])
            merged = tuple(merge_fragments(body))
            collection = token.expression or Broken(token.span)
            parts.append(ForDirective(key, value, collection, merged, token.span))
        at += 1
    return parts, at


def merge_fragments(parts: Sequence[TemplatePart]) -> Iterator[TemplatePart]:
    """Neighbouring text that is also contiguous in the file becomes one fragment."""
    run: list[Fragment] = []
    for part in parts:
        if isinstance(part, Fragment):
            if not part.text:
                continue
            if run and not (
                run[-1].span.end == part.span.start and is_verbatim(run[-1]) and is_verbatim(part)
            ):
                yield _joined(run)
                run = []
            run.append(part)
            continue
        if run:
            yield _joined(run)
            run = []
        yield part
    if run:
        yield _joined(run)


def _joined(run: list[Fragment]) -> Fragment:
    if len(run) == 1:
        return run[0]
    span = Span(run[0].span.source, run[0].span.start, run[-1].span.end)
    return Fragment("".join(fragment.text for fragment in run), span)


def is_verbatim(fragment: Fragment) -> bool:
    span = fragment.span
    return span.source.data[span.start : span.end] == fragment.text.encode()
