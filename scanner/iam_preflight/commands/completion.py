"""`iam-preflight completion`: what a shell needs to complete our commands."""

from __future__ import annotations

import click

from iam_preflight.commands.shared.command import ManualCommand

PROGRAM = "iam-preflight"
VARIABLE = "_IAM_PREFLIGHT_COMPLETE"


@click.command(
    "completion",
    cls=ManualCommand,
    examples=(
        ('eval "$(iam-preflight completion bash)"', "In ~/.bashrc (zsh: ~/.zshrc):"),
        ("iam-preflight completion fish > ~/.config/fish/completions/iam-preflight.fish", "Fish:"),
    ),
)
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print the completion script of a SHELL."""
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None
    root = ctx.find_root().command
    click.echo(kind(root, {}, PROGRAM, VARIABLE).source())
