"""`iam-preflight what-can`: what one principal may do, by service and access level."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from iam_preflight.commands.shared.command import ManualCommand
from iam_preflight.commands.shared.inputs import input_options
from iam_preflight.commands.shared.reading import find_principals, read, tell_problems
from iam_preflight.reporters.escape import json_text, visible

if TYPE_CHECKING:
    from iam_preflight.commands.shared.inputs import Inputs
    from iam_preflight.graph.model import Graph, Principal

SHOWN_ACTIONS = 8


@click.command(
    "what-can",
    cls=ManualCommand,
    short_help="Show what a PRINCIPAL may do, by service and access level.",
    examples=(("iam-preflight what-can ci-deploy --in infra", "By name, address or ARN:"),),
)
@click.argument("principal")
@click.option(
    "--in", "paths", multiple=True, type=click.Path(path_type=Path), help="Where the code is."
)
@input_options
@click.option("--format", "-f", "format_name", type=click.Choice(("text", "json")), default="text")
def command(principal: str, paths: tuple[Path, ...], inputs: Inputs, format_name: str) -> None:
    """Show what PRINCIPAL (a name, an address or an ARN) may do, all its policies together."""
    graph, problems = read(inputs.prepare(paths))
    found = find_principals(graph, principal)
    answers = [what_can(graph, one) for one in found]
    if format_name == "json":
        click.echo(json_text(json.dumps(answers, indent=2, ensure_ascii=False)))
    else:
        for answer in answers:
            _tell(answer)
    sys.exit(tell_problems(problems))


def what_can(graph: Graph, principal: Principal) -> dict[str, Any]:
    """`services` by name, each with its actions by access level; only what is possible."""
    effective = graph.effective(principal)
    possible = effective.possible
    services: dict[str, dict[str, list[str]]] = {}
    for service in possible.services:
        levels: dict[str, list[str]] = {}
        for name in possible.of_service(service):
            action = effective.catalog.action(name)
            if action is not None:
                levels.setdefault(action.level.value, []).append(action.name)
        services[service] = levels
    return {
        "principal": principal.label,
        "address": principal.address,
        "standing": graph.standing(principal).describe(),
        "services": services,
    }


def _tell(answer: dict[str, Any]) -> None:
    click.echo(visible(f"{answer['principal']} ({answer['address']}) is {answer['standing']}"))
    for service, levels in answer["services"].items():
        click.echo(visible(service))
        for level, names in levels.items():
            shown = ", ".join(names[:SHOWN_ACTIONS])
            more = len(names) - SHOWN_ACTIONS
            click.echo(visible(f"  {level}: {shown}{f' and {more} more' if more > 0 else ''}"))
