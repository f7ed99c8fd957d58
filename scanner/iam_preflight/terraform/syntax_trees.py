"""tree-sitter's trees of HCL text, made again on demand, with what its grammar gets wrong."""

from __future__ import annotations

import functools
import time
from typing import TYPE_CHECKING

from iam_preflight.late_patterns import late

if TYPE_CHECKING:
    from tree_sitter import Node, Parser, Tree

SHORT = 8192
"""Bytes of source whose tree is kept for a while."""

LONG = 65_536
"""Bytes of a text that is not parsed for however long it takes."""

PARSING_SECONDS = 2.0

PARSING_SECONDS_A_BYTE = 5e-6
"""Twenty times what a text without errors takes."""

_EXPONENT = late(rb"(?<![\w.])(\d+)([eE][+-]?\d+)")
_SIGNS = late(rb"([$%])\1*(?=\1\1\{)")


@functools.cache
def _parser() -> Parser:
    import tree_sitter_hcl
    from tree_sitter import Language, Parser

    return Parser(Language(tree_sitter_hcl.language()))


def parse(data: bytes) -> Node:
    """The tree of some source, at hand where the same text was parsed a while ago.

    Roots repeat whole files of their neighbours, and modules the same few expressions.
    """
    return _recent_tree(data) if len(data) <= SHORT else _new_tree(data)


def _new_tree(data: bytes) -> Node:
    """The tree of some source. Others of the same length stand in for what the grammar gets wrong.

    It does not know `1e3`, and takes the first two signs of `$$${` for an escape, not the last.
    """
    if b"$$${" in data or b"%%%{" in data:
        data = _SIGNS.sub(lambda found: b"_" * len(found[0]), data)
    root = _tree(data).root_node
    if root.has_error and _EXPONENT.search(data):
        spelled = _EXPONENT.sub(lambda found: found[1] + b"0" * len(found[2]), data)
        root = _tree(spelled).root_node
    return root


def _tree(data: bytes) -> Tree:
    """What tree-sitter makes of a text; of one that is broken all over, what has an error.

    The time that it takes to make sense of errors grows with the square of the text. Such a text
    is better cut into pieces at once, which is what is done with any that has an error. (Versions
    of tree-sitter before 0.26.1 crash when they are asked to tell of their progress.)
    """
    parser = _parser()
    if len(data) <= LONG:
        return parser.parse(data)
    until = time.process_time() + PARSING_SECONDS + PARSING_SECONDS_A_BYTE * len(data)
    try:
        return parser.parse(
            lambda at, _place: data[at : at + LONG],
            progress_callback=lambda _at, _has_erred: time.process_time() > until,
        )
    except ValueError:  # it was stopped
        parser.reset()
        return parser.parse(b"}")


_recent_tree = functools.lru_cache(maxsize=64)(_new_tree)


def items_of(parent: Node) -> list[Node]:
    """The nodes in the body of a file or block: attributes, blocks, comments."""
    for child in parent.children:
        if child.type == "body":
            return child.children
    return []
