"""Whether a file is worth reading as a template: a look at its bytes, which costs next to nothing.

Most YAML and JSON in a repository is something else. Whoever looks first need not load a YAML
reader for a repository that has no template.
"""

from __future__ import annotations

import json
import re

from iam_preflight.late_patterns import late

MAX_PEEK = 8 * 1024 * 1024
"""Larger JSON is not looked through before it is parsed; as a template it is far too large."""

_CLAIM = late(rb"""^[ \t]*["']?AWSTemplateFormatVersion["']?[ \t]*:""", re.MULTILINE)
_RESOURCES = late(
    rb"""(?:^(?:\xef\xbb\xbf)?[ \t]*|["'{,])Resources["']?[ \t\r\n]*:""", re.MULTILINE
)
_TYPE = late(rb"""["']?Type["']?[ \t]*:[ \t]*["']?(?:AWS|Alexa)::[A-Za-z0-9]+::""")


def in_utf8(data: bytes) -> bytes:
    """The same text in UTF-8, where it is UTF-16 by its first bytes."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", "replace").encode("utf-8")
    return data


def may_be_template(data: bytes) -> bool:
    """Whether a file in UTF-8 is worth parsing with places."""
    if b"::" not in data or not _RESOURCES.search(data):
        return False
    if len(data) > MAX_PEEK or data.lstrip()[:1] != b"{":
        return True
    try:
        root = json.loads(data)
    except (ValueError, RecursionError):
        return True
    return isinstance(root, dict) and (
        isinstance(root.get("Resources"), dict) or "AWSTemplateFormatVersion" in root
    )


def claims_to_be_template(data: bytes) -> bool:
    """Whether broken text was meant to be a template."""
    if _CLAIM.search(data):
        return True
    return _RESOURCES.search(data) is not None and _TYPE.search(data) is not None
