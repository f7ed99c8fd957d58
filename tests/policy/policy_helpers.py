"""Short ways to write policies in tests."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from iam_preflight.policy.read import read_policy
from iam_preflight.source import SourceFile
from iam_preflight.values import Fragment, Known, Reason, Text, Unknown, Value

if TYPE_CHECKING:
    from iam_preflight.policy.document import Document


def document(policy: object) -> Document:
    """A policy given as Python data (or JSON text). `«name»` in a string is a hole."""
    text = policy if isinstance(policy, str) else json.dumps(policy, ensure_ascii=False)
    source = SourceFile("policy.json", text.encode())
    return read_policy(_with_holes(text, source))


def _with_holes(text: str, source: SourceFile) -> Value:
    if "«" not in text:
        return Known(text, source.whole())
    parts: list[Fragment | Unknown] = []
    rest = text
    while rest:
        known, opening, tail = rest.partition("«")
        if known:
            parts.append(Fragment(known, source.whole()))
        if not opening:
            break
        label, _, rest = tail.partition("»")
        parts.append(Unknown(Reason.VARIABLE, label, source.whole()))
    return Text(tuple(parts), source.whole())


def policy(*statements: dict[str, object], version: str = "2012-10-17") -> Document:
    return document({"Version": version, "Statement": list(statements)})


def allow(action: object, resource: object = "*", **more: object) -> dict[str, object]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def deny(action: object, resource: object = "*", **more: object) -> dict[str, object]:
    return {"Effect": "Deny", "Action": action, "Resource": resource, **more}
