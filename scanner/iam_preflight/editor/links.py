"""Links in a file: rules in ignore comments, AWS-managed policies, modules and files."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING

from msgspec import Struct

from iam_preflight.knowledge.managed import managed_policies

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.discovery import Tree
    from iam_preflight.editor.pages import Pages

REFERENCE = "https://docs.aws.amazon.com/aws-managed-policy/latest/reference/{}.html"
_IGNORE = re.compile(rb"iam-preflight:\s*ignore\[([^\]\n]*)\]|checkov:skip=(CKV_IAMP_\w+)")
_RULE = re.compile(rb"[\w-]+")
_MANAGED = re.compile(rb"arn:aws[\w-]*:iam::aws:policy/(?:[\w+=,.@-]+/)*([\w+=,.@-]+)")
_SOURCE = re.compile(rb'^\s*source\s*=\s*"(\.{1,2}(?:/[^"\n$]*)?)"', re.MULTILINE)
_FILE = re.compile(
    rb'\b(?:templatefile|file(?:base64)?(?:sha\d+|md5)?)\(\s*"(\$\{path\.(module|root)\}/)?([^"\n$]+)"'
)
_MODULE_FILES = ("main.tf", "main.tofu", "main.tf.json")


class Link(Struct, frozen=True):
    start: int
    end: int
    target: str
    is_path: bool = False
    """Whether the target is a path in the tree; else it is a URI."""
    tooltip: str = ""


def links_in(path: str, data: bytes, tree: Tree, pages: Pages) -> Iterator[Link]:
    for match in _IGNORE.finditer(data):
        group = 1 if match[1] is not None else 2
        for rule in _RULE.finditer(data, *match.span(group)):
            name = rule.group().decode()
            if name.startswith("CKV_IAMP_"):
                name = name.removeprefix("CKV_IAMP_").replace("_", "-")
            page = pages.address(name)
            if page is not None:
                yield Link(rule.start(), rule.end(), page, tooltip=f"about {name}")
    known = managed_policies()
    for match in _MANAGED.finditer(data):
        name = match[1].decode()
        if known.arn(name) is not None:
            yield Link(
                match.start(), match.end(), REFERENCE.format(name), tooltip="AWS's reference"
            )
    if path.endswith((".tf", ".tofu")):
        yield from _paths(posixpath.dirname(path), data, tree)


def _paths(folder: str, data: bytes, tree: Tree) -> Iterator[Link]:
    for match in _SOURCE.finditer(data):
        target = _beside(folder, match[1].decode("utf-8", "replace"))
        if target is None:
            continue
        for name in _MODULE_FILES:
            if tree.is_file(f"{target}/{name}"):
                yield Link(*match.span(1), f"{target}/{name}", is_path=True, tooltip="the module")
                break
    for match in _FILE.finditer(data):
        target = _beside(folder, match[3].decode("utf-8", "replace"))
        if target is not None and tree.is_file(target):
            yield Link(*match.span(3), target, is_path=True, tooltip="the file")


def _beside(folder: str, path: str) -> str | None:
    joined = posixpath.normpath(posixpath.join(folder or ".", path))
    return None if path.startswith("/") or joined.startswith("..") else joined
