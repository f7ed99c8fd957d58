"""`iam-preflight suggest`: the narrowest policy that covers what a principal has used."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from iam_preflight.commands.shared.command import ManualCommand
from iam_preflight.commands.shared.inputs import input_options
from iam_preflight.commands.shared.reading import find_principals, read, tell_problems
from iam_preflight.reporters.escape import visible

if TYPE_CHECKING:
    from collections.abc import Iterable

    from iam_preflight.commands.shared.inputs import Inputs


@click.command(
    "suggest",
    cls=ManualCommand,
    short_help="Write the narrowest policy that covers what a PRINCIPAL has used.",
    examples=(
        (
            "iam-preflight suggest ci-deploy --in infra --account-context snapshots",
            "From the recorded use in a folder of exports:",
        ),
    ),
)
@click.argument("principal")
@click.option(
    "--in", "paths", multiple=True, type=click.Path(path_type=Path), help="Where the code is."
)
@input_options
@click.option(
    "--format",
    "-f",
    "format_name",
    type=click.Choice(("hcl", "cloudformation", "both")),
    default="both",
    help="In which language (default: both).",
)
def command(principal: str, paths: tuple[Path, ...], inputs: Inputs, format_name: str) -> None:
    """Write the narrowest policy that covers what PRINCIPAL has used, one statement a service.

    PRINCIPAL is a name, an address or an ARN. Needs its recorded use among the exports of
    --account-context: service last accessed details, or actions from CloudTrail. Resources and
    conditions are those of the statements that allow the actions now. Where IAM knows only that
    a service was used, the actions that are allowed now are kept. What the records do not see,
    such as data events that the trail leaves out, is not in it: read before you apply.
    """
    from iam_preflight.errors import UsageError
    from iam_preflight.graph.suggestion import suggest
    from iam_preflight.graph.usage import usage_of
    from iam_preflight.reporters.policy_text import as_cloudformation, as_hcl

    graph, problems = read(inputs.prepare(paths))
    found = find_principals(graph, principal)
    for one in found:
        usage = usage_of(one, graph)
        if usage is None:
            raise UsageError(f"the account context has no use of {one.label}")
        statements = suggest(one, usage)
        if format_name != "cloudformation":
            _tell(as_hcl(one.label, statements))
        if format_name != "hcl":
            _tell(as_cloudformation(one.label, statements))
    sys.exit(tell_problems(problems))


def _tell(lines: Iterable[str]) -> None:
    for line in lines:
        click.echo(visible(line))
    click.echo()
