"""`iam-preflight init`: a first settings file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from iam_preflight.commands.shared.command import ManualCommand
from iam_preflight.commands.shared.inputs import input_options
from iam_preflight.errors import UsageError

if TYPE_CHECKING:
    from iam_preflight.commands.shared.inputs import Inputs


@click.command(
    "init",
    cls=ManualCommand,
    short_help="Write a first settings file for this repository.",
    examples=(
        ("iam-preflight init", "At the top of the repository:"),
        ("iam-preflight init --output - infra", "Only look at it:"),
    ),
)
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--output",
    "-o",
    metavar="FILE",
    help="Where to write (default: .iam-preflight.yaml at the top); - is standard output.",
)
@click.option("--force", is_flag=True, help="Overwrite a file that is there.")
@input_options
def command(paths: tuple[Path, ...], output: str | None, force: bool, inputs: Inputs) -> None:
    """Look at the code in PATHS and write a commented .iam-preflight.yaml.

    It finds own accounts, organizations, environments, the tags that are in use, partners that
    may assume roles, and identity providers. What would excuse a finding is only proposed, in
    comments.
    """
    from iam_preflight.commands.shared.reading import read, tell_problems
    from iam_preflight.first_settings import collect, write_settings
    from iam_preflight.settings import FILE_NAME

    prepared = inputs.prepare(paths)
    file = Path(output) if output not in (None, "-") else prepared.top / FILE_NAME
    if output != "-" and file.exists() and not force:
        raise UsageError(f"{file} is there: --force replaces it, --output - shows the new one")
    graph, problems = read(prepared)
    text = write_settings(collect(graph))
    if output == "-":
        click.echo(text, nl=False)
    else:
        try:
            file.write_text(text, encoding="utf-8", newline="\n")
        except OSError as error:
            raise UsageError(f"cannot write {file}: {error.strerror}") from None
        click.echo(f"wrote {file}: read it, then run `iam-preflight scan`", err=True)
    sys.exit(tell_problems(problems))
