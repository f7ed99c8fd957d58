"""Functions on strings; what is known around a hole stays known.

https://developer.hashicorp.com/terraform/language/functions (string functions)
"""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from iam_preflight.terraform import regex, regex_syntax
from iam_preflight.terraform.functions.arguments import (
    Function,
    Invocation,
    NotKnown,
    TooLarge,
    WrongArguments,
    spread,
)
from iam_preflight.values import (
    Fragment,
    Json,
    Mapping,
    Reason,
    Unknown,
    Value,
    arms_of,
    either,
    is_null,
    join_parts,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Parts = tuple["Fragment | Unknown", ...]

WITHOUT_SEPARATORS = frozenset({Reason.ACCOUNT, Reason.REGION, Reason.PARTITION})
"""Holes that cannot hold a separator of an ARN or a path."""


def graphemes(text: str) -> list[str]:
    """The characters that people see: a base with its marks, joiners and variation selectors."""
    if text.isascii() and "\r\n" not in text:
        return list(text)
    found: list[str] = []
    joins = False
    for char in text:
        extends = (
            unicodedata.combining(char)
            or unicodedata.category(char) in ("Mn", "Me", "Mc")
            or "\ufe00" <= char <= "\ufe0f"
            or "\U0001f3fb" <= char <= "\U0001f3ff"
            or char == "\u200d"
            or (char == "\n" and found and found[-1] == "\r")
        )
        if found and (extends or joins):
            found[-1] += char
        else:
            found.append(char)
        joins = char == "\u200d"
    return found


def _by_fragment(change: Callable[[str], str]) -> Function:
    def apply(call: Invocation, arguments: tuple[Value, ...]) -> Value:
        value = arguments[0]
        if isinstance(value, Unknown):
            return value
        changed: list[Fragment | Unknown] = []
        for part in call.parts(value):
            if isinstance(part, Fragment):
                part = Fragment(change(part.text), part.span, part.sensitive)
            changed.append(part)
        return call.joined(changed)

    return apply


def _title(text: str) -> str:
    out: list[str] = []
    before = " "
    for char in text:
        out.append(char if before.isalnum() or before == "_" else char.upper()[:1] or char)
        before = char
    return "".join(out)


# ---------------------------------------------------------------- ends of a text


def _trimmed(
    call: Invocation,
    value: Value,
    start: Callable[[str], str] | None,
    end: Callable[[str], str] | None,
) -> Value:
    """Takes characters off the ends; a hole at an end keeps what it is."""
    parts = list(call.parts(value))
    if start is not None:
        while parts and isinstance(parts[0], Fragment):
            kept = start(parts[0].text)
            if kept:
                parts[0] = cut(parts[0], len(parts[0].text) - len(kept), 0)
                break
            del parts[0]
    if end is not None:
        while parts and isinstance(parts[-1], Fragment):
            kept = end(parts[-1].text)
            if kept:
                parts[-1] = cut(parts[-1], 0, len(parts[-1].text) - len(kept))
                break
            del parts[-1]
    call.see(value)
    return call.joined(parts) if parts else call.known("")


def cut(fragment: Fragment, head: int, tail: int) -> Fragment:
    from iam_preflight.source import Span
    from iam_preflight.terraform.templates import is_verbatim

    if not head and not tail:
        return fragment
    text, span = fragment.text, fragment.span
    kept = text[head : len(text) - tail]
    if not is_verbatim(fragment):
        return Fragment(kept, span, fragment.sensitive)
    start = span.start + len(text[:head].encode())
    place = Span(span.source, start, start + len(kept.encode()))
    return Fragment(kept, place, fragment.sensitive)


def _trimspace(call: Invocation, arguments: tuple[Value, ...]) -> Value:
    return _trimmed(call, arguments[0], str.lstrip, str.rstrip)


def _chomp(call: Invocation, arguments: tuple[Value, ...]) -> Value:
    return _trimmed(call, arguments[0], None, lambda text: text.rstrip("\r\n"))


def _trim(call: Invocation, arguments: tuple[Value, ...]) -> Value:
    characters = call.text(arguments[1])
    return _trimmed(
        call,
        arguments[0],
        lambda text: text.lstrip(characters) if characters else text,
        lambda text: text.rstrip(characters) if characters else text,
    )


def _starts(call: Invocation, value: Value, prefix: str, *, at_end: bool) -> bool:
    """Whether a text begins (or ends) with another; asks for more than is known otherwise."""
    parts = call.parts(value)
    call.see(value)
    edge = parts[-1] if at_end else parts[0]
    if isinstance(edge, Unknown):
        if not prefix:
            return True
        raise NotKnown
    text = "".join(p.text for p in parts) if _is_known(parts) else edge.text  # type: ignore[union-attr]
    shorter = min(len(text), len(prefix))
    if at_end:
        same = text[len(text) - shorter :] == prefix[len(prefix) - shorter :]
    else:
        same = text[:shorter] == prefix[:shorter]
    if not same:
        return False
    if shorter == len(prefix):
        return True
    if _is_known(parts):
        return False
    raise NotKnown


def _is_known(parts: Sequence[Fragment | Unknown]) -> bool:
    return all(isinstance(part, Fragment) for part in parts)


def _trimprefix(call: Invocation, arguments: tuple[Value, ...]) -> Value:
    value, prefix = arguments[0], call.text(arguments[1])
    if isinstance(value, Unknown):
        return call.unknown(value.reason, arguments)
    if not _starts(call, value, prefix, at_end=False):
        return value
    return _without(call, value, len(prefix), at_end=False)


def _trimsuffix(call: Invocation, arguments: tuple[Value, ...]) -> Value:
    value, suffix = arguments[0], call.text(arguments[1])
    if isinstance(value, Unknown):
        return call.unknown(value.reason, arguments)
    if not _starts(call, value, suffix, at_end=True):
        return value
    return _without(call, value, len(suffix), at_end=True)


def _without(call: Invocation, value: Value, count: int, *, at_end: bool) -> Value:
    parts = list(call.parts(value))
    while count and parts:
        index = -1 if at_end else 0
        edge = parts[index]
        assert isinstance(edge, Fragment)
        if len(edge.text) <= count:
            count -= len(edge.text)
            del parts[index]
        else:
            parts[index] = cut(edge, 0, count) if at_end else cut(edge, count, 0)
            count = 0
    return call.joined(parts) if parts else call.known("")


def _startswith(call: Invocation, arguments: tuple[Value, ...]) -> Value:
    return call.known(_starts(call, arguments[0], call.text(arguments[1]), at_end=False))


def _endswith(call: Invocation, arguments: tuple[Value, ...]) -> Value:
    return call.known(_starts(call, arguments[0], call.text(arguments[1]), at_end=True))


def _strcontains(call: Invocation, arguments: tuple[Value, ...]) -> Value:
    parts, wanted = call.parts(arguments[0]), call.text(arguments[1])
    call.see(arguments[0])
    if any(isinstance(part, Fragment) and wanted in part.text for part in parts):
        return call.known(True)
    if not _is_known(parts):
        raise NotKnown
    return call.known(wanted in "".join(p.text for p in parts if isinstance(p, Fragment)))


# ---------------------------------------------------------------- joining and splitting


def _join(call: Invocation, arguments: tuple[Value, ...]) -> Value:
    separator = call.text(arguments[0])
    items: list[Value] = []
    for argument in arguments[1:]:
        listing = call.sequence(argument)
        call.certain(listing.items)
        items.extend(item for item in listing.items if not _refuses_null(item))
        if listing.rest is not None:
            items.extend(_further(call, listing.rest))
    if len(items) == 1 and isinstance(items[0], Json):
        return items[0]  # a document in text stays a document
    parts: list[Fragment | Unknown] = []
    for i, item in enumerate(items):
        if i and separator:
            parts.append(call.fragment(separator))
        parts.extend(call.parts(item))
    return call.joined(parts) if parts else call.known("")


def _further(call: Invocation, rest: Value) -> list[Value]:
    """What stands in text for any number of further items: one of each."""
    if isinstance(rest, Unknown):
        return [spread(rest, call.span)]
    return [arm for _, arm in arms_of(rest) if not is_null(arm)]


def _refuses_null(item: Value) -> bool:
    if is_null(item):
        raise WrongArguments
    return False


def _split(call: Invocation, arguments: tuple[Value, ...]) -> Value:
    separator, parts = call.text(arguments[0]), call.parts(arguments[1])
    call.see(arguments[1])
    if _is_known(parts) and not separator:
        text = "".join(part.text for part in parts if isinstance(part, Fragment))
        return call.typed_list(call.known(char) for char in graphemes(text))
    if not separator:
        raise NotKnown
    pieces: list[list[Fragment | Unknown]] = [[]]
    opened: Unknown | None = None
    if _is_known(parts):
        parts = _whole(parts, separator)
    for part in parts:
        if isinstance(part, Unknown):
            pieces[-1].append(part)
            if part.reason not in WITHOUT_SEPARATORS:
                opened = opened or part
                if len(parts) == 1:
                    break
            continue
        at = 0
        for i, text in enumerate(part.text.split(separator)):
            if i:
                pieces.append([])
                at += len(separator)
            if text:
                tail = len(part.text) - at - len(text)
                pieces[-1].append(cut(part, at, tail))
            at += len(text)
    if opened is None:
        return call.typed_list(_piece(call, piece) for piece in pieces)
    # what holds the first hole may be any number of pieces
    first = next(i for i, piece in enumerate(pieces) if opened in piece)
    rest: Value = opened
    for piece in pieces[first + 1 :]:
        rest = either(rest, _piece(call, piece)) or rest
    head = [_piece(call, piece) for piece in pieces[:first]]
    if len(parts) > 1 or not head:
        return call.typed_list(head, either(_piece(call, pieces[first]), rest))
    return call.typed_list(head, rest)


def _whole(parts: Parts, separator: str) -> Parts:
    """Fragments joined where a separator may lie across two of them."""
    if len(separator) == 1 or len(parts) == 1:
        return parts
    text = "".join(part.text for part in parts if isinstance(part, Fragment))
    first = parts[0]
    return (Fragment(text, first.span, any(part.sensitive for part in parts)),)


def _piece(call: Invocation, parts: list[Fragment | Unknown]) -> Value:
    return join_parts(parts, parts[0].span if parts else call.span) if parts else call.known("")


# ---------------------------------------------------------------- replacing and matching


def _replace(call: Invocation, arguments: tuple[Value, ...]) -> Value:
    search, into = call.text(arguments[1]), call.text(arguments[2])
    parts = call.parts(arguments[0])
    call.see(arguments[0])
    if len(search) > 1 and search.startswith("/") and search.endswith("/"):
        if not _is_known(parts):
            raise NotKnown
        pattern = _pattern(search[1:-1])
        text = call.text(arguments[0])
        return call.known(pattern.replace(text, into))
    if isinstance(arguments[0], Unknown):
        return call.unknown(arguments[0].reason, arguments)
    if _is_known(parts) and len(parts) > 1:
        text = "".join(part.text for part in parts if isinstance(part, Fragment))
        if search in text and not any(search in p.text for p in parts if isinstance(p, Fragment)):
            return call.known(text.replace(search, into))
    changed: list[Fragment | Unknown] = []
    for part in parts:
        if isinstance(part, Fragment) and search in part.text:
            if not search:
                raise NotKnown if not _is_known(parts) else TooLarge
            part = Fragment(part.text.replace(search, into), part.span, call.sensitive)
        changed.append(part)
    return call.joined(changed)


def _pattern(text: str) -> regex.Pattern:
    try:
        return regex.compile_pattern(text)
    except regex_syntax.Unsupported:
        raise NotKnown(Reason.UNSUPPORTED) from None
    except regex_syntax.TooComplex:
        raise TooLarge from None
    except regex_syntax.SyntaxFault:
        raise WrongArguments from None


def _match_value(call: Invocation, pattern: regex.Pattern, found: regex.Match) -> Value:
    """A whole match, a list of groups, or an object of named groups, as `regex` gives them."""
    if not pattern.groups:
        return call.known(found.text)
    if any(pattern.names):
        if not all(pattern.names):
            raise WrongArguments
        entries: dict[str, Value] = {
            name or "": call.known(group)
            for name, group in zip(pattern.names, found.groups, strict=True)
        }
        return Mapping(entries, call.span, sensitive=call.sensitive)
    return call.listing(call.known(group) for group in found.groups)


def _regex(call: Invocation, arguments: tuple[Value, ...]) -> Value:
    pattern = _pattern(call.text(arguments[0]))
    found = pattern.search(call.text(arguments[1]))
    if found is None:
        raise WrongArguments
    return _match_value(call, pattern, found)


def _regexall(call: Invocation, arguments: tuple[Value, ...]) -> Value:
    pattern = _pattern(call.text(arguments[0]))
    text = call.text(arguments[1])
    return call.typed_list(_match_value(call, pattern, found) for found in pattern.finditer(text))


# ---------------------------------------------------------------- the rest


def _substr(call: Invocation, arguments: tuple[Value, ...]) -> Value:
    offset, length = call.integer(arguments[1]), call.integer(arguments[2])
    parts = call.parts(arguments[0])
    call.see(arguments[0])
    if _is_known(parts):
        characters = graphemes(call.text(arguments[0]))
        start = max(len(characters) + offset, 0) if offset < 0 else offset
        end = len(characters) if length < 0 else start + length
        return call.known("".join(characters[start:end]))
    head = parts[0]
    if not isinstance(head, Fragment) or offset < 0 or length < 0:
        raise NotKnown
    if offset + length > len(head.text):
        raise NotKnown
    return call.joined([cut(head, offset, len(head.text) - offset - length)])


def _strrev(call: Invocation, arguments: tuple[Value, ...]) -> Value:
    return call.known("".join(reversed(graphemes(call.text(arguments[0])))))


def _indent(call: Invocation, arguments: tuple[Value, ...]) -> Value:
    spaces = call.integer(arguments[0])
    if spaces < 0:
        raise WrongArguments
    if spaces > 4096:
        raise TooLarge
    pad = "\n" + " " * spaces
    changed: list[Fragment | Unknown] = []
    for part in call.parts(arguments[1]):
        if isinstance(part, Fragment) and "\n" in part.text:
            # each line keeps its own place
            lines = part.text.split("\n")
            at = 0
            for i, line in enumerate(lines):
                if i:
                    changed.append(Fragment(pad, part.span, part.sensitive))
                    at += 1
                if line:
                    changed.append(cut(part, at, len(part.text) - at - len(line)))
                at += len(line)
        else:
            changed.append(part)
    call.see(arguments[1])
    return call.joined(changed) if changed else call.known("")


FUNCTIONS: dict[str, Function] = {
    "chomp": _chomp,
    "endswith": _endswith,
    "indent": _indent,
    "join": _join,
    "lower": _by_fragment(str.lower),
    "regex": _regex,
    "regexall": _regexall,
    "replace": _replace,
    "split": _split,
    "startswith": _startswith,
    "strcontains": _strcontains,
    "strrev": _strrev,
    "substr": _substr,
    "title": _by_fragment(_title),
    "trim": _trim,
    "trimprefix": _trimprefix,
    "trimspace": _trimspace,
    "trimsuffix": _trimsuffix,
    "upper": _by_fragment(str.upper),
}
