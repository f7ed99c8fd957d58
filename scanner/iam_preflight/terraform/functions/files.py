"""Files beside the module, and paths.

Nothing outside the scanned tree is read; what lies outside is a hole.
https://developer.hashicorp.com/terraform/language/functions (filesystem functions)
"""

from __future__ import annotations

import base64
import posixpath
import re
from typing import TYPE_CHECKING

from iam_preflight.terraform.functions.arguments import (
    MAX_TEXT,
    Function,
    Invocation,
    NotKnown,
    TooLarge,
    WrongArguments,
)
from iam_preflight.terraform.functions.sets import set_of
from iam_preflight.terraform.regex import compile_pattern
from iam_preflight.terraform.tree import Complaints
from iam_preflight.values import (
    Fragment,
    Known,
    Mapping,
    Reason,
    Text,
    Unknown,
    Value,
    parts_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from iam_preflight.source import SourceFile, Span
    from iam_preflight.terraform.scope import Scope
    from iam_preflight.terraform.tree import Template

MAX_FILES = 5000
"""Files that `fileset` looks at."""


def read(call: Invocation, path: Value) -> SourceFile:
    source = call.scope.frame.read_file(_clean(call.text(path)))
    if source is None:
        raise NotKnown(Reason.MISSING)
    return source


def _clean(path: str) -> str:
    return posixpath.normpath(path) if path else path


def _file(call: Invocation, arguments: tuple[Value, ...]) -> Value:
    source = read(call, arguments[0])
    if len(source.data) > 4 * MAX_TEXT:
        raise TooLarge
    try:
        text = source.data.decode("utf-8")
    except UnicodeDecodeError:
        raise WrongArguments from None
    whole = source.whole()
    return Known(text, whole, (Fragment(text, whole, call.sensitive),), sensitive=call.sensitive)


def _filebase64(call: Invocation, arguments: tuple[Value, ...]) -> Value:
    return call.known(base64.b64encode(read(call, arguments[0]).data).decode())


def _fileexists(call: Invocation, arguments: tuple[Value, ...]) -> Value:
    path = _clean(call.text(arguments[0]))
    exists = call.scope.frame.has_file(path)
    if exists is None:
        raise NotKnown(Reason.MISSING)
    return call.known(exists)


def _templatefile(call: Invocation, arguments: tuple[Value, ...]) -> Value:
    from iam_preflight.terraform.expressions import parse_template

    source = read(call, arguments[0])
    variables = _variables(call, arguments[1])
    whole = source.whole()
    frame = call.scope.frame

    def place(start: int, end: int) -> Span:
        from iam_preflight.source import Span

        return Span(source, min(start, whole.end), min(end, whole.end))

    template = frame.template_of(
        source, lambda: parse_template(source.data, whole, place, Complaints(frame.problems))
    )
    return _rendered(call, template, variables)


def _templatestring(call: Invocation, arguments: tuple[Value, ...]) -> Value:
    value = arguments[0]
    if isinstance(value, Unknown | Text):
        raise NotKnown
    if call.scope.is_closed:
        raise WrongArguments  # Terraform has no templates within templates
    call.see(value)
    rendered = render_text(value, call.mapping(arguments[1]), call.scope, call.span)
    if rendered is None:
        raise NotKnown
    return rendered


def render_text(template: Value, variables: Mapping, scope: Scope, span: Span) -> Value | None:
    """A text as a template with variables of its own; None when the text is not known."""
    from iam_preflight.jsontext import HOLE, flatten
    from iam_preflight.terraform.evaluation import render
    from iam_preflight.terraform.expressions import parse_template

    parts = parts_of(template)
    if parts is None:
        return None
    text, origin = flatten(parts, template.span)
    if HOLE in text:
        return None
    data = text.encode("utf-8", "surrogatepass")

    def place(start: int, end: int) -> Span:
        first = len(data[:start].decode("utf-8", "replace"))
        last = first + len(data[start:end].decode("utf-8", "replace"))
        return origin.span(first, last)

    complaints = Complaints(scope.frame.problems)
    parsed = parse_template(data, template.span, place, complaints)
    names = {key: variables.entries[key] for key in variables.entries}
    return render(parsed.parts, scope.closed(names), span)


def _variables(call: Invocation, value: Value) -> dict[str, Value]:
    mapping = call.mapping(value)
    return {key: mapping.entries[key] for key in mapping.entries}


def _rendered(call: Invocation, template: Template, variables: dict[str, Value]) -> Value:
    from iam_preflight.terraform.evaluation import render

    if call.scope.is_closed:
        raise WrongArguments  # Terraform has no templates within templates
    return render(template.parts, call.scope.closed(variables), call.span)


# ---------------------------------------------------------------- sets of files


def _fileset(call: Invocation, arguments: tuple[Value, ...]) -> Value:
    directory = _clean(call.text(arguments[0]))
    pattern = compile_pattern(rf"\A(?:{_glob(call.text(arguments[1]))})\z")
    found: list[Value] = []
    names = call.scope.frame.files_below(directory)
    if names is None:
        raise NotKnown(Reason.MISSING)
    for count, name in enumerate(names):
        if count > MAX_FILES:
            raise TooLarge
        if pattern.search(name):
            found.append(call.known(name))
    return set_of(call, found)


def _glob(pattern: str) -> str:
    """A glob of Go's doublestar as a regular expression: `**`, `*`, `?`, `[…]`, `{a,b}`."""
    if len(pattern) > 1024:
        raise TooLarge
    pattern = re.sub(r"(\*\*/)+", "**/", re.sub(r"\*{3,}", "**", pattern))
    out: list[str] = []
    at, depth = 0, 0
    while at < len(pattern):
        char = pattern[at]
        if pattern.startswith("**/", at):
            out.append("(?:[^/]+/)*")
            at += 3
            continue
        if pattern.startswith("**", at):
            out.append(".*")
            at += 2
            continue
        if char == "*":
            out.append("[^/]*")
        elif char == "?":
            out.append("[^/]")
        elif char == "{":
            out.append("(?:")
            depth += 1
        elif char == "}" and depth:
            out.append(")")
            depth -= 1
        elif char == "," and depth:
            out.append("|")
        elif char == "[" and "]" in pattern[at + 2 :]:
            end = pattern.index("]", at + 2)
            inner = pattern[at + 1 : end].replace("\\", "\\\\").replace("[", "\\[")
            negated = inner[:1] in "!^"
            out.append(f"[{'^/' if negated else ''}{inner[1:] if negated else inner}]")
            at = end
        elif char == "\\" and at + 1 < len(pattern):
            at += 1
            out.append(re.escape(pattern[at]))
        else:
            out.append(re.escape(char))
        at += 1
    if depth:
        raise WrongArguments
    return "".join(out)


# ---------------------------------------------------------------- paths


def _on_path(change: Callable[[str], str]) -> Function:
    def apply(call: Invocation, arguments: tuple[Value, ...]) -> Value:
        return call.known(change(call.text(arguments[0])))

    return apply


def _basename(path: str) -> str:
    stripped = path.rstrip("/")
    if not path:
        return "."
    return stripped.rpartition("/")[2] if stripped else "/"


def _dirname(path: str) -> str:
    head, slash, _ = path.rpartition("/")
    cleaned = posixpath.normpath(head + slash) if slash else "."
    return "/" if cleaned == "//" else cleaned


def _pathexpand(call: Invocation, arguments: tuple[Value, ...]) -> Value:
    path = call.text(arguments[0])
    if path.startswith("~"):
        raise NotKnown
    return call.known(path)


def _abspath(call: Invocation, arguments: tuple[Value, ...]) -> Value:
    path = call.text(arguments[0])
    if not path.startswith("/"):
        raise NotKnown
    return call.known(posixpath.normpath(path))


FUNCTIONS: dict[str, Function] = {
    "abspath": _abspath,
    "basename": _on_path(_basename),
    "dirname": _on_path(_dirname),
    "file": _file,
    "filebase64": _filebase64,
    "fileexists": _fileexists,
    "fileset": _fileset,
    "pathexpand": _pathexpand,
    "templatefile": _templatefile,
    "templatestring": _templatestring,
}
