"""What a step tells the runner: commands in its log, outputs, the job summary.

https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
"""

from __future__ import annotations

import secrets
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from iam_preflight.reporters.escape import command, command_property, visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

TITLE = "IAM Preflight"


def notice(text: str, stream: TextIO) -> None:
    """Something that could not be done and changes nothing about the verdict."""
    _say("notice", text, stream)


def error(text: str, stream: TextIO) -> None:
    _say("error", text, stream)


def _say(level: str, text: str, stream: TextIO) -> None:
    stream.write(f"::{level} title={command_property(TITLE)}::{command(text)}\n")
    stream.flush()


@contextmanager
def only_text(stream: TextIO) -> Iterator[None]:
    """What is written meanwhile is text to the runner, whatever it looks like.

    The word that ends it is made up anew each time, so that no scanned text can know it.
    """
    word = secrets.token_hex(20)
    stream.write(f"::stop-commands::{word}\n")
    stream.flush()
    try:
        yield
    finally:
        stream.flush()
        stream.write(f"\n::{word}::\n")
        stream.flush()


def set_outputs(outputs: Mapping[str, str], environment: Mapping[str, str]) -> None:
    """Outputs of the step; values are one line, so that none can add another output."""
    file = environment.get("GITHUB_OUTPUT")
    if file:
        _append(file, "".join(f"{name}={visible(value)}\n" for name, value in outputs.items()))


def add_summary(text: str, environment: Mapping[str, str]) -> bool:
    """Adds to the page of the job; False where there is none."""
    file = environment.get("GITHUB_STEP_SUMMARY")
    if file:
        _append(file, text)
    return bool(file)


def _append(file: str, text: str) -> None:
    with Path(file).open("a", encoding="utf-8", newline="\n", errors="replace") as stream:
        stream.write(text)
