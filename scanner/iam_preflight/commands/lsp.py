"""`iam-preflight lsp`: the language server."""

from __future__ import annotations

import gc
import importlib.util

import click

from iam_preflight.commands.shared.command import ManualCommand
from iam_preflight.errors import UsageError


@click.command(
    "lsp",
    cls=ManualCommand,
    short_help="Start the language server, for editors.",
    examples=(("iam-preflight lsp", "As an editor starts it (docs/editors.md):"),),
)
@click.option("--stdio", is_flag=True, help="Accepted for editors that insist; there is no other.")
@click.option("--check", is_flag=True, help="Say whether it can start, and end.")
def command(stdio: bool, check: bool) -> None:  # noqa: ARG001  editors pass it
    """Speak the Language Server Protocol on standard input and output.

    Judges open files as they are typed, before they are saved. It reads below the repository of
    each file and sends nothing anywhere.
    """
    if importlib.util.find_spec("pygls") is None:
        raise UsageError("the language server is an extra: pip install 'iam-preflight[lsp]'")
    from iam_preflight.editor.server import serve

    if check:
        click.echo("ready")
    else:
        gc.enable()  # the other commands end before there is anything to collect
        serve()
