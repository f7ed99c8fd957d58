"""`iam-preflight explain`: a rule's page, offline."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from iam_preflight.commands.shared.command import ManualCommand
from iam_preflight.commands.shared.inputs import complete_rule


@click.command(
    "explain",
    cls=ManualCommand,
    short_help="Show the page of a rule.",
    examples=(("iam-preflight explain LEAST-001", "By id, or by name:"),),
)
@click.argument("rule", shell_complete=complete_rule)
@click.option(
    "--rules",
    multiple=True,
    metavar="PATH",
    type=click.Path(path_type=Path, exists=True),
    help="Load rules of your own from a file or folder.",
)
def command(rule: str, rules: tuple[Path, ...]) -> None:
    """Show the page of a RULE: what it checks, why it matters, how to fix it."""
    from iam_preflight.registry import load_rules
    from iam_preflight.rule_page import rule_page

    registry = load_rules(rules)
    found = registry.get(rule)
    if found is None:
        raise registry.unknown(rule)
    page = rule_page(found)
    if not sys.stdout.isatty():
        click.echo(page)
        return
    from rich.console import Console
    from rich.markdown import Markdown

    Console().print(Markdown(page))
