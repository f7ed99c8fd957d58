"""What our pages tell people to type is there: commands, options, rules, and the example rule."""

from __future__ import annotations

import re
import shlex
import textwrap
from typing import TYPE_CHECKING

import click
import pytest
from click.testing import CliRunner
from test_links import ROOT, pages

from iam_preflight.cli import cli

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
SHELLS = ("", "sh", "bash", "yaml")
INLINE = re.compile(r"`(iam-preflight [^`]+)`")
COMMAND = re.compile(r"(?:^|[\s\"'(=])(iam-preflight[ \t]+[a-z][^|>#&;)\n]*)", re.MULTILINE)
QUOTES = str.maketrans("", "", "'\"")
ESTATE = ROOT / "fixtures" / "projects" / "broken-estate"


def commands(page: Path) -> Iterator[list[str]]:
    """Every command line of ours on a page, word by word."""
    text = page.read_text("utf-8")
    written = [*INLINE.findall(re.sub(r"```.*?```", "", text, flags=re.DOTALL))]
    for language, block in FENCE.findall(text):
        if language not in SHELLS:
            continue
        written += COMMAND.findall(block.replace("\\\n", " "))
    for line in written:
        yield line.translate(QUOTES).split()[1:]


def unknown_words(words: list[str]) -> list[str]:
    """The commands and options among some words that there are not."""
    command: click.Command = cli
    with click.Context(cli) as ctx:
        while words and isinstance(command, click.Group) and not words[0].startswith("-"):
            name, *words = words
            inner = command.get_command(ctx, name)
            if inner is None:
                return [name]
            command = inner
        options = {opt for param in command.get_params(ctx) for opt in param.opts}
        options |= {opt for param in command.get_params(ctx) for opt in param.secondary_opts}
    written = {word.partition("=")[0] for word in words if word.startswith("-") and len(word) > 1}
    return sorted(written - options)


WRITTEN = [
    pytest.param(words, id=f"{page.relative_to(ROOT)}: {' '.join(words)}")
    for page in pages()
    if "rules/" not in str(page) and page.name != "cli.md"
    for words in commands(page)
]


@pytest.mark.parametrize("words", WRITTEN)
def test_documented_commands_and_options_are_there(words: list[str]) -> None:
    assert unknown_words(words) == []


@pytest.mark.parametrize(
    "words",
    [["explain", "ESC-001"], ["who-can", "iam:CreateRole"], ["paths", "role deploy"], ["graph"]],
    ids=" ".join,
)
def test_the_first_five_minutes_work_in_the_bundled_estate(
    words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert " ".join(shlex.quote(word) for word in words) in " ".join(
        (ROOT / "README.md").read_text("utf-8").split()
    )
    monkeypatch.chdir(ESTATE)
    result = CliRunner().invoke(cli, words)
    assert result.exit_code == 0, result.output
    assert "there is no path" not in result.output


def test_the_finding_in_the_readme_is_what_the_estate_gives(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    blocks = FENCE.findall((ROOT / "README.md").read_text("utf-8"))
    (shown,) = (text for language, text in blocks if language == "text")
    monkeypatch.chdir(ESTATE)
    result = CliRunner().invoke(cli, ["scan", "--no-cache", "--color", "never"])
    assert [line for line in shown.splitlines() if line not in result.output] == []


def test_the_example_of_a_python_rule_works(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "custom-rules.md").read_text("utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (tmp_path / "rule.py").write_text(example)
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "main.tf").write_text(
        textwrap.dedent(
            """
            resource "aws_iam_role" "ci" {
              name = "ci"
              assume_role_policy = jsonencode({ Statement = [] })
            }
            """
        )
    )
    asked = ["scan", "--no-cache", "--rules", str(tmp_path / "rule.py"), "--select", "ACME"]
    result = CliRunner().invoke(cli, [*asked, str(tmp_path / "code")])
    assert "role ci is not below a team's path" in result.stdout, result.output
