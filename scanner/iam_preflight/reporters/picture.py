"""A small picture of a way to become an administrator, in Mermaid, which forges draw.

https://mermaid.js.org/syntax/flowchart.html: a label is quoted, and `#` with a number stands for
a character.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from iam_preflight.reporters.escape import visible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.reporters.model import Escalation

MAX_STEPS = 8
MAX_LABEL = 90
_NOT_PLAIN = re.compile(r"[^A-Za-z0-9 .,_/-]")


def picture_of(path: Escalation) -> Iterator[str]:
    """The lines of a block: from the principal over every hop to the administrator."""
    hops = [step.label for step in path.steps if step.label != "the principal"]
    labels = [path.address, *hops[:MAX_STEPS]]
    if len(hops) > MAX_STEPS:
        labels.append(f"{len(hops) - MAX_STEPS} more")
    yield "```mermaid"
    yield "flowchart LR"
    for number, label in enumerate(labels):
        yield f'  n{number}["{_label(label)}"] --> n{number + 1}'
    yield f'  n{len(labels)}(["administrator"])'
    yield "```"


def _label(text: str) -> str:
    """Text that is nothing but text to Mermaid: no markup, no end of the label, no directive."""
    shown = visible(text)
    if len(shown) > MAX_LABEL:
        shown = f"{shown[: MAX_LABEL - 1]}…"
    return _NOT_PLAIN.sub(lambda match: f"#{ord(match[0])};", shown) or "#8203;"
