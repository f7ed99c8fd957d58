"""The functions of the AWS provider (`provider::aws::…`).

https://registry.terraform.io/providers/hashicorp/aws/latest/docs/functions/arn_build
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.terraform.functions.arguments import Function, Invocation, WrongArguments
from iam_preflight.terraform.functions.text import cut
from iam_preflight.values import Fragment, Mapping, Unknown, Value, join_parts

if TYPE_CHECKING:
    from collections.abc import Sequence

SECTIONS = ("partition", "service", "region", "account_id", "resource")


def _arn_build(call: Invocation, arguments: tuple[Value, ...]) -> Value:
    parts: list[Fragment | Unknown] = [call.fragment("arn")]
    for argument in arguments:
        parts.append(call.fragment(":"))
        parts.extend(call.parts(argument))
    return call.joined(parts)


def _arn_parse(call: Invocation, arguments: tuple[Value, ...]) -> Value:
    sections = _sections(call, arguments[0])
    entries: dict[str, Value] = {
        name: join_parts(list(section), section[0].span) if section else call.known("")
        for name, section in zip(SECTIONS, sections[1:], strict=True)
    }
    return Mapping(entries, call.span, sensitive=call.sensitive, weight=1 + len(entries))


def _trim_iam_role_path(call: Invocation, arguments: tuple[Value, ...]) -> Value:
    sections = _sections(call, arguments[0])
    resource = sections[-1]
    if _plain(sections[2]) != "iam" or not _plain(resource[:1]).startswith("role/"):
        raise WrongArguments
    parts: list[Fragment | Unknown] = []
    for section in sections[:-1]:
        parts.extend((*section, call.fragment(":")))
    parts.append(call.fragment("role/"))
    parts.extend(_after_last_slash(resource))
    return call.joined(parts)


def _after_last_slash(parts: Sequence[Fragment | Unknown]) -> list[Fragment | Unknown]:
    kept: list[Fragment | Unknown] = []
    for part in reversed(parts):
        if isinstance(part, Fragment) and "/" in part.text:
            tail = part.text.rpartition("/")[2]
            if tail:
                kept.append(cut(part, len(part.text) - len(tail), 0))
            break
        kept.append(part)
    return kept[::-1]


def _plain(parts: Sequence[Fragment | Unknown]) -> str:
    return "".join(part.text for part in parts if isinstance(part, Fragment))


def _sections(call: Invocation, value: Value) -> list[list[Fragment | Unknown]]:
    """The six sections of an ARN as parts; a hole is taken to hold no colon."""
    call.see(value)
    if isinstance(value, Unknown):
        call.text(value)
    sections: list[list[Fragment | Unknown]] = [[]]
    for part in call.parts(value):
        if isinstance(part, Unknown):
            sections[-1].append(part)
            continue
        at = 0
        while True:
            colon = part.text.find(":", at) if len(sections) < 6 else -1
            end = colon if colon >= 0 else len(part.text)
            if end > at:
                sections[-1].append(cut(part, at, len(part.text) - end))
            if colon < 0:
                break
            sections.append([])
            at = colon + 1
    if len(sections) != 6 or _plain(sections[0]) != "arn":
        raise WrongArguments
    return sections


FUNCTIONS: dict[str, Function] = {
    "provider::aws::arn_build": _arn_build,
    "provider::aws::arn_parse": _arn_parse,
    "provider::aws::trim_iam_role_path": _trim_iam_role_path,
}
