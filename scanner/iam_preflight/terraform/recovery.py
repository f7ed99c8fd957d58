"""What can be read of a file that does not parse, and what is wrong with it, in plain words.

Somebody is typing, or a merge went wrong: one block is broken, the others are fine. The text is
cut into items by their indentation (a top-level block, an argument, a nested block), each is
parsed on its own, and a broken block is cut again inside. So one unclosed bracket costs one
argument, not the rest of the file, and the message names the place where it was opened.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from typing import TYPE_CHECKING

from msgspec import Struct

from iam_preflight.source import Span
from iam_preflight.terraform.templates import BAD_ESCAPE
from iam_preflight.terraform.tree import Attribute, Block, Body, Broken, Complaints

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_DEPTH = 12

TOP_LEVEL = (
    rb"resource|data|ephemeral|variable|output|locals|module|provider|terraform"
    rb"|moved|import|removed|check"
)
_LABELS = rb'(?:[ \t]+(?:"(?:[^"\\\n]|\\.)*"|[A-Za-z_][\w-]*))*'
_TOP_BLOCK = re.compile(rb"(?m)^([ \t]*)(?:" + TOP_LEVEL + rb")" + _LABELS + rb"[ \t]*(?:\{|\r?$)")
_ITEM = re.compile(
    rb"(?m)^([ \t]*)(?:[A-Za-z_][\w-]*[ \t]*=(?![=>])|[A-Za-z_][\w-]*" + _LABELS + rb"[ \t]*\{)"
)
_BLOCK = re.compile(rb"[ \t\r\n]*([A-Za-z_][\w-]*)(" + _LABELS + rb")[ \t]*(\{)?")
_ATTRIBUTE = re.compile(rb"[ \t\r\n]*([A-Za-z_][\w-]*)[ \t]*=(?![=>])")
_LABEL = re.compile(rb'"((?:[^"\\\n]|\\.)*)"|([A-Za-z_][\w-]*)')
_HEREDOC = re.compile(rb"<<-?([A-Za-z_][\w-]*)[ \t]*\r?\n")
_CLOSING = re.compile(rb"(?m)^[ \t]*([A-Za-z_][\w-]*)[ \t]*\r?$")
_SKIPPED = re.compile(
    rb'#[^\n]*|//[^\n]*|/\*.*?(?:\*/|\Z)|"(?:[^"\\\n]|\\.)*"?|<<-?[A-Za-z_][\w-]*[ \t]*\r?\n',
    re.DOTALL,
)


def recover(text: Span, complaints: Complaints) -> Body:
    """The blocks and attributes of a text that does not parse as a whole."""
    before = complaints.count
    recovery = _Recovery(complaints)
    body = recovery.items(text, 0)
    if complaints.count == before:
        recovery.complain(text)
    return body


class _Recovery:
    def __init__(self, complaints: Complaints) -> None:
        self.complaints = complaints

    def complain(self, text: Span) -> None:
        trouble = diagnose(text)
        self.complaints.add(trouble.message, trouble.span)

    def items(self, text: Span, depth: int) -> Body:
        from iam_preflight.terraform.syntax import parse_items

        blocks: list[Block] = []
        attributes: dict[str, Attribute] = {}
        for item in _cut(text, is_top=depth == 0):
            found = (
                parse_items(item, self.complaints)
                or self.followed_by_more(item)
                or self.broken(item, depth)
            )
            blocks.extend(found.blocks)
            for name, attribute in found.attributes.items():
                attributes.setdefault(name, attribute)
        return Body(attributes, tuple(blocks), text)

    def followed_by_more(self, item: Span) -> Body | None:
        """A whole block, where only what stands behind it is broken: a brace too many."""
        from iam_preflight.terraform.syntax import first_error, parse_items

        block = _BLOCK.match(item.source.data, item.start, item.end)
        error = first_error(item)
        if block is None or error is None or error.start <= block.end():
            return None
        whole = Span(item.source, item.start, error.start)
        found = parse_items(whole, self.complaints)
        if found is not None:
            self.complain(Span(item.source, error.start, item.end))
        return found

    def broken(self, item: Span, depth: int) -> Body:
        """What is left of one item that does not parse."""
        source, data = item.source, item.source.data
        attribute = _ATTRIBUTE.match(data, item.start, item.end)
        if attribute is not None:
            self.complain(item)
            name = Span(source, attribute.start(1), attribute.end(1))
            value = Span(source, attribute.end(), _trimmed_end(item))
            whole = Span(source, name.start, max(value.end, name.end))
            return Body({name.text: Attribute(name.text, whole, name, Broken(value))}, (), item)
        block = _BLOCK.match(data, item.start, item.end)
        if block is None or block[3] is None or depth >= MAX_DEPTH:
            self.complain(item)
            return Body({}, (), item)
        header = Span(source, block.start(1), block.end(2))
        end = _trimmed_end(item)
        is_closed = data[end - 1 : end] == b"}" and _indent(data, end - 1) == _indent(
            data, header.start
        )
        before = self.complaints.count
        inside = Span(source, block.end(3), end - 1 if is_closed else item.end)
        body = self.items(inside, depth + 1)
        if self.complaints.count == before:
            if is_closed:
                self.complain(item)
            else:
                brace = Span(source, block.start(3), block.end(3))
                self.complaints.add(f"the block {header.text} is not closed", brace)
        labels = tuple(
            (found[1] if found[1] is not None else found[2]).decode("utf-8", "replace")
            for found in _LABEL.finditer(block[2])
        )
        whole = Span(source, header.start, end)
        block_type = block[1].decode("utf-8", "replace")
        return Body({}, (Block(block_type, labels, whole, header, body),), item)


def _cut(text: Span, *, is_top: bool) -> Iterator[Span]:
    """The items of a text: each begins on a line that is indented least."""
    data = text.source.data
    heads: list[tuple[int, int]] = []
    patterns = (_TOP_BLOCK, _ITEM) if is_top else (_ITEM,)
    for pattern in patterns:
        heads = [
            (found.start(), len(found[1]))
            for found in _outside_heredocs(pattern, data, text.start, text.end)
        ]
        if heads:
            break
    if not heads:
        if data[text.start : text.end].strip():
            yield text
        return
    least = min(indent for _, indent in heads)
    starts = [start for start, indent in heads if indent == least]
    if data[text.start : starts[0]].strip():
        starts.insert(0, text.start)
    for start, end in zip(starts, [*starts[1:], text.end], strict=True):
        yield Span(text.source, start, end)


def _outside_heredocs(
    pattern: re.Pattern[bytes], data: bytes, start: int, end: int
) -> Iterator[re.Match[bytes]]:
    skip_to = start
    known = _Heredocs(data, start, end)
    heredocs = iter(known.openings)
    heredoc = next(heredocs, None)
    for found in pattern.finditer(data, start, end):
        while heredoc is not None and heredoc.start() < found.start():
            if heredoc.start() >= skip_to:
                closing = known.end_of(heredoc)
                skip_to = max(skip_to, closing if closing is not None else heredoc.end())
            heredoc = next(heredocs, None)
        if found.start() >= skip_to:
            yield found


class _Heredocs:
    """Where the heredocs of a text may begin and end, found in one go: there may be thousands."""

    def __init__(self, data: bytes, start: int, end: int) -> None:
        self.openings = [*_HEREDOC.finditer(data, start, end)]
        self._again: dict[bytes, list[int]] = {}
        for found in self.openings:
            self._again.setdefault(found[1], []).append(found.start())
        self._closings: dict[bytes, tuple[list[int], list[int]]] = {}
        for closing in _CLOSING.finditer(data, start, end) if self.openings else ():
            starts, ends = self._closings.setdefault(closing[1], ([], []))
            starts.append(closing.start())
            ends.append(closing.end())

    def end_of(self, opening: re.Match[bytes]) -> int | None:
        """The end of a heredoc; None when it is not closed before another begins with its word."""
        starts, ends = self._closings.get(opening[1], ([], []))
        at = bisect_left(starts, opening.end())
        if at == len(starts):
            return None
        again = self._again.get(opening[1], [])
        following = bisect_left(again, opening.end())
        is_closed = following == len(again) or starts[at] < again[following]
        return ends[at] if is_closed else None


def _trimmed_end(item: Span) -> int:
    text = item.source.data[item.start : item.end]
    return item.start + len(text.rstrip())


def _indent(data: bytes, at: int) -> int:
    """How far a line's text stands in; -1 for a place that is not the first on its line."""
    start = data.rfind(b"\n", 0, at) + 1
    before = data[start:at]
    return len(before) if not before.strip() else -1


# ---------------------------------------------------------------- what is wrong


class Trouble(Struct, frozen=True):
    message: str
    span: Span


_CLOSES = {b"}": b"{", b"]": b"[", b")": b"("}
_OPENS = frozenset(_CLOSES.values())
_TOKEN = re.compile(rb"[{}()\[\]]")


def diagnose(text: Span) -> Trouble:
    """The first thing that is wrong with a text that does not parse."""
    from iam_preflight.terraform.syntax import first_error

    trouble = _brackets_and_quotes(text) or _missing_value(text) or _missing_brace(text)
    if trouble is not None:
        return trouble
    place = first_error(text)
    if place is None or place.start == place.end:
        return Trouble("unexpected end of text" if place else "does not parse", place or text)
    line = place.text.strip().split("\n", 1)[0]
    shown = line if len(line) <= 40 else line[:39] + "…"
    return Trouble(f"unexpected {shown!r}" if shown else "unexpected end of text", place)


def _brackets_and_quotes(text: Span) -> Trouble | None:
    source, data, end = text.source, text.source.data, text.end
    open_brackets: list[int] = []
    at = text.start
    heredocs = _Heredocs(data, text.start, end)
    token = _TOKEN.search(data, at, end)
    while at < end:
        if token is not None and token.start() < at:  # else every comment costs a search
            token = _TOKEN.search(data, at, end)
        skipped = _SKIPPED.search(data, at, token.end() if token else end)
        if skipped is not None and (token is None or skipped.start() <= token.start()):
            skipped = _SKIPPED.match(data, skipped.start(), end)
            assert skipped is not None
            piece = skipped.group()
            place = Span(source, skipped.start(), skipped.end())
            if piece.startswith(b'"'):
                closing = _string_end(data, skipped.start(), end)
                if closing is None:
                    quote = Span(source, skipped.start(), skipped.start() + 1)
                    return Trouble("a string is not closed", quote)
                escape = BAD_ESCAPE.search(data, skipped.start(), closing)
                if escape is not None:
                    place = Span(source, escape.start(), escape.start() + 2)
                    return Trouble("an unknown escape in a string", place)
                at = closing
                continue
            if piece.startswith(b"/*") and not piece.endswith(b"*/"):
                return Trouble("a comment is not closed", place)
            if piece.startswith(b"<<"):
                opening = _HEREDOC.match(data, skipped.start(), end)
                closed = heredocs.end_of(opening) if opening else None
                if closed is None:
                    return Trouble(f"the heredoc {place.text.strip()} is not closed", place)
                at = closed
                continue
            at = skipped.end()
            continue
        if token is None:
            break
        bracket, at = token.group(), token.end()
        if bracket in _OPENS:
            open_brackets.append(token.start())
            continue
        place = Span(source, token.start(), token.end())
        if not open_brackets:
            return Trouble(f"unexpected {place.text!r}", place)
        opener = open_brackets.pop()
        if data[opener : opener + 1] != _CLOSES[bracket]:
            opening_span = Span(source, opener, opener + 1)
            return Trouble(
                f"{opening_span.text!r} is not closed before {place.text!r}", opening_span
            )
    if open_brackets:
        span = Span(source, open_brackets[-1], open_brackets[-1] + 1)
        return Trouble(f"{span.text!r} is not closed", span)
    return None


_IN_STRING = re.compile(rb'\\.|\$\$\{|%%\{|\$\{|%\{|["\n]', re.DOTALL)
_IN_CODE = re.compile(rb'[{}"]')


def _string_end(data: bytes, start: int, end: int) -> int | None:
    """The end of a quoted string, strings inside its interpolations stepped over."""
    braces: list[int] = [0]
    """How many braces are open in each interpolation around; the string itself has 0."""
    at = start + 1
    in_string = True
    while True:
        found = (_IN_STRING if in_string else _IN_CODE).search(data, at, end)
        if found is None:
            return None
        token, at = found.group(), found.end()
        if in_string:
            if token == b"\n":
                return None
            if token == b'"':
                if len(braces) == 1:
                    return at
                in_string = False
            elif token in (b"${", b"%{"):
                braces.append(1)
                in_string = False
        elif token == b'"':
            in_string = True
            braces.append(0)
        elif token == b"{":
            braces[-1] += 1
        else:
            braces[-1] -= 1
            if not braces[-1]:
                braces.pop()
                in_string = True


def _missing_value(text: Span) -> Trouble | None:
    attribute = _ATTRIBUTE.match(text.source.data, text.start, text.end)
    if attribute is None:
        return None
    rest = text.source.data[attribute.end() : text.end]
    line = rest.split(b"\n", 1)[0]
    if line.split(b"#")[0].strip():
        return None
    span = Span(text.source, attribute.start(1), attribute.end())
    return Trouble(f'"{attribute[1].decode("utf-8", "replace")}" has no value', span)


def _missing_brace(text: Span) -> Trouble | None:
    block = _BLOCK.match(text.source.data, text.start, text.end)
    if block is None or block[3] is not None:
        return None
    following = text.source.data[block.end() : text.end].lstrip(b" \t")
    if following and following[:1] not in b"\r\n":
        return None
    span = Span(text.source, block.start(1), block.end(2))
    return Trouble(f"{span.text!r} is neither an argument nor a block: a brace is missing", span)
