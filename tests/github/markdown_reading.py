"""Markdown as a reader that looks for what acts."""

from __future__ import annotations

import re


def outside_of_code(text: str) -> str:
    """Markdown without blocks and pieces of code, in which nothing acts."""
    text = re.sub(r"(?ms)^ *(`{3,})[a-z]*\n.*?^ *\1$", "", text)
    return re.sub(r"(?s)(`+)(?!`).*?(?<!`)\1(?!`)", "", text)
