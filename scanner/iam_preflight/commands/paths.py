"""`iam-preflight paths`: how a principal can become another, or an administrator."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from iam_preflight.commands.shared.command import ManualCommand
from iam_preflight.commands.shared.inputs import input_options
from iam_preflight.commands.shared.reading import find_principals, read, tell_problems
from iam_preflight.findings import Confidence
from iam_preflight.reporters.escape import json_text, visible

if TYPE_CHECKING:
    from iam_preflight.commands.shared.inputs import Inputs
    from iam_preflight.graph.escalation import Escalation
    from iam_preflight.graph.model import Principal
    from iam_preflight.graph.paths import Path as Chain


@click.command(
    "paths",
    cls=ManualCommand,
    short_help="Show how a principal can become another, or an administrator.",
    examples=(
        ("iam-preflight paths ci-deploy", "To any administrator:"),
        ("iam-preflight paths ci-deploy prod-data --in infra", "To one role:"),
    ),
)
@click.argument("start", metavar="FROM")
@click.argument("end", metavar="[TO]", required=False)
@click.option(
    "--in", "paths", multiple=True, type=click.Path(path_type=Path), help="Where the code is."
)
@input_options
@click.option("--format", "-f", "format_name", type=click.Choice(("text", "json")), default="text")
def command(
    start: str, end: str | None, paths: tuple[Path, ...], inputs: Inputs, format_name: str
) -> None:
    """Show a shortest chain from FROM to TO, or to an administrator.

    Names, addresses and ARNs will do. Exit code 0 either way.
    """
    graph, problems = read(inputs.prepare(paths))
    starts, ends = find_principals(graph, start), find_principals(graph, end) if end else []
    chains: list[Chain] = []
    already: list[tuple[Principal, Escalation | None]] = []
    for principal in starts:
        own = graph.paths.by_itself(principal)
        if not ends and (own is not None or graph.powers.is_admin(principal)):
            is_admin = graph.powers.is_admin(principal)
            already.append((principal, None if is_admin else own))
            continue
        chain = graph.paths.to(principal, ends) if ends else graph.paths.to_admin(principal)
        if chain is not None:
            chains.append(chain)
    if format_name == "json":
        data = [_data(chain) for chain in chains] + [_own_data(*one) for one in already]
        click.echo(json_text(json.dumps(data, indent=2, ensure_ascii=False)))
    else:
        for chain in chains:
            _tell(chain)
        for one in already:
            _tell_own(*one)
        if not chains and not already:
            goal = end or "an administrator"
            click.echo(visible(f"there is no path from {start} to {goal}"))
    sys.exit(tell_problems(problems))


def _data(chain: Chain) -> dict[str, Any]:
    return {
        "from": chain.start.address,
        "to": chain.end.address,
        "confidence": str(chain.confidence),
        "needs_mfa": chain.needs_mfa,
        "hops": [_hop(hop) for hop in chain.hops],
    }


def _own_data(principal: Principal, own: Escalation | None) -> dict[str, Any]:
    """Of an administrator, who has no way to go, and of whom makes itself one."""
    return {
        "from": principal.address,
        "to": principal.address,
        "confidence": str(own.confidence if own is not None else Confidence.HIGH),
        "needs_mfa": own is not None and own.needs_mfa,
        "hops": [_hop(own)] if own is not None else [],
    }


def _hop(hop: Escalation) -> dict[str, Any]:
    return {
        "from": hop.actor.address,
        "to": hop.target.address if hop.target is not None else None,
        "method": hop.method.id,
        "what": hop.describe(),
        "why": [{"file": p.span.path, "line": p.span.line, "text": p.label} for p in hop.places],
    }


def _tell_own(principal: Principal, own: Escalation | None) -> None:
    if own is None:
        click.echo(visible(f"{principal.label} is an administrator already"))
        return
    click.echo(visible(f"{principal.label} makes itself administrator: it {own.describe()}"))
    _tell_places(own)


def _tell(chain: Chain) -> None:
    count = len(chain.hops)
    hops = f"{count} hop{'' if count == 1 else 's'}"
    click.echo(visible(f"{chain.start.label} to {chain.end.label}, {hops}"))
    for number, hop in enumerate(chain.hops, 1):
        click.echo(visible(f"  {number}. {hop.actor.label} {hop.describe()}"))
        _tell_places(hop)


def _tell_places(hop: Escalation) -> None:
    for place in hop.places:
        click.echo(visible(f"     {place.span}  {place.label}"))
