"""What the action is given. All of it comes through the environment, and is checked here.

Lists are one item a line. Nothing of it ever reaches a shell.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from msgspec import Struct

from iam_preflight.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PREFIX = "INPUT_"
MAX_LENGTH = 32_768
FORMATS = {
    "html": "report.html",
    "junit": "report.junit.xml",
    "markdown": "report.md",
    "text": "report.txt",
    "gitlab": "report.gitlab.json",
    "gitlab-sast": "report.gitlab-sast.json",
}
"""Reports that are written when they are asked for; JSON and SARIF always are."""
FAIL_ON = ("", "info", "low", "medium", "high", "critical", "never")
COMPARE = ("auto", "off")
SWITCHES = ("comment", "annotations", "summary")
"""For the publishing step, yet a wrong one is told before anything is scanned."""
_TAKEN = ("--format", "--output", "--quiet", "--fix", "--diff", "--root", "--path")
_TAKEN_LETTERS = ("-f", "-o", "-q", "-p")


class Inputs(Struct, frozen=True):
    """The inputs of action.yml that the scan needs."""

    paths: tuple[str, ...] = ()
    config: str = ""
    fail_on: str = ""
    formats: tuple[str, ...] = ()
    baseline: str = ""
    compare: str = "auto"
    sarif_file: str = ""
    var_files: tuple[str, ...] = ()
    plan: tuple[str, ...] = ()
    parameters: tuple[str, ...] = ()
    args: tuple[str, ...] = ()

    @property
    def is_comparing(self) -> bool:
        """Whether a pull request is to be compared with its base.

        A plan is of one version only, and no commit holds it.
        """
        return self.compare == "auto" and not self.plan


def read_inputs(environment: Mapping[str, str]) -> Inputs:
    """The inputs in the environment. Raises `UsageError`, which names the input."""
    reader = _Reader(environment)
    for switch in SWITCHES:
        reader.choice(switch, ("true", "false"))
    return Inputs(
        paths=reader.lines("paths"),
        config=reader.one("config"),
        fail_on=reader.choice("fail-on", FAIL_ON),
        formats=reader.choices("format", tuple(FORMATS)),
        baseline=reader.one("baseline"),
        compare=reader.choice("compare", COMPARE),
        sarif_file=reader.one("sarif-file"),
        var_files=reader.lines("var-files"),
        plan=reader.lines("plan"),
        parameters=reader.lines("parameters"),
        args=reader.arguments("args"),
    )


class _Reader(Struct, frozen=True):
    environment: Mapping[str, str]

    def text(self, name: str) -> str:
        value = self.environment.get(PREFIX + name.upper().replace("-", "_"), "").strip()
        if len(value) > MAX_LENGTH:
            raise UsageError(f"input {name}: longer than {MAX_LENGTH} characters")
        if any(not char.isprintable() and char not in "\t\r\n" for char in value):
            raise UsageError(f"input {name}: holds a character that cannot be seen")
        return value

    def one(self, name: str) -> str:
        value = self.text(name)
        if len(value.splitlines()) > 1:
            raise UsageError(f"input {name}: takes one line")
        return value

    def lines(self, name: str) -> tuple[str, ...]:
        stripped = (line.strip() for line in self.text(name).splitlines())
        return tuple(line for line in stripped if line)

    def choice(self, name: str, choices: Sequence[str]) -> str:
        value = self.one(name) or choices[0]
        return self._known(name, value, choices)

    def choices(self, name: str, choices: Sequence[str]) -> tuple[str, ...]:
        """Several, with commas or spaces between them."""
        words = self.text(name).replace(",", " ").split()
        return tuple(self._known(name, word, choices) for word in dict.fromkeys(words))

    def arguments(self, name: str) -> tuple[str, ...]:
        """Words as a shell would split them, without what the action itself says."""
        try:
            words = tuple(shlex.split(self.text(name)))
        except ValueError as error:
            raise UsageError(f"input {name}: {error}") from None
        for word in words:
            is_short = word.startswith(_TAKEN_LETTERS) and not word.startswith("--")
            if word == "--" or is_short or word.partition("=")[0] in _TAKEN:
                raise UsageError(f"input {name}: {word} is not for this input")
        if words and not words[0].startswith("-"):
            raise UsageError(f"input {name}: {words[0]!r} is not an option")
        return words

    def _known(self, name: str, value: str, choices: Sequence[str]) -> str:
        if value not in choices:
            known = ", ".join(filter(None, choices))
            raise UsageError(f"input {name}: {value!r} is none of {known}")
        return value
