"""`iam-preflight who-can`: the principals that may do something, and what lets them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from iam_preflight.commands.shared.command import ManualCommand
from iam_preflight.commands.shared.inputs import input_options
from iam_preflight.commands.shared.reading import read, tell_problems
from iam_preflight.reporters.escape import visible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.commands.shared.inputs import Inputs
    from iam_preflight.graph.model import Graph, Principal
    from iam_preflight.policy.evaluate import Decision
    from iam_preflight.source import Span


@click.command(
    "who-can",
    cls=ManualCommand,
    short_help="List the principals that may do an ACTION.",
    examples=(
        ("iam-preflight who-can iam:PassRole", "On anything at all:"),
        (
            "iam-preflight who-can s3:GetObject arn:aws:s3:::reports/2026.csv --in infra",
            "On one object, in the code below infra:",
        ),
    ),
)
@click.argument("action")
@click.argument("arn", required=False)
@click.option(
    "--in", "paths", multiple=True, type=click.Path(path_type=Path), help="Where the code is."
)
@input_options
@click.option("--format", "-f", "format_name", type=click.Choice(("text", "json")), default="text")
def command(
    action: str, arn: str | None, paths: tuple[Path, ...], inputs: Inputs, format_name: str
) -> None:
    """List the principals that may do ACTION, on ARN where it is given.

    Every policy has its say: inline, managed and group policies, permissions boundaries and
    the control policies in the code. "perhaps" hangs on a condition or on something unknown.
    """
    from iam_preflight.errors import UsageError
    from iam_preflight.knowledge.catalog import catalog

    known = catalog().action(action)
    if known is None:
        near = catalog().nearest_action(action)
        hint = f": did you mean {near}?" if near else ""
        raise UsageError(f"there is no action {action!r}{hint}")
    graph, problems = read(inputs.prepare(paths))
    answers = [_answer(p, d) for p, d in who_can(graph, known.full_name, arn)]
    answers.sort(key=lambda answer: (answer["certain"] is False, answer["principal"]))
    if format_name == "json":
        click.echo(json.dumps(answers, indent=2, ensure_ascii=False))
    else:
        _tell(answers, known.full_name, arn)
    sys.exit(tell_problems(problems))


def who_can(graph: Graph, action: str, arn: str | None) -> Iterator[tuple[Principal, Decision]]:
    """Principals that may do an action on some resource, or on the given one."""
    for principal in graph.principals:
        effective = graph.effective(principal)
        if action not in effective.possible:
            continue
        context = graph.permissions.context(principal)
        decision = effective.allows(action, arn or "*", context)
        if decision.is_possible:
            yield principal, decision


def _answer(principal: Principal, decision: Decision) -> dict[str, Any]:
    places = [_place(p) for p in _places(principal, decision)]
    return {
        "principal": principal.label,
        "address": principal.address,
        "certain": decision.is_allowed,
        "statements": places,
    }


def _places(principal: Principal, decision: Decision) -> Iterator[Span]:
    """Where the allowing statements are written; attachments for AWS-managed policies."""
    from iam_preflight.graph.model import Origin

    managed = {
        id(attachment.policy.document): attachment.place
        for attachment in principal.held()
        if attachment.policy.origin is Origin.AWS_MANAGED
    }
    for reason in decision.allowed_by:
        yield managed.get(id(reason.document), reason.statement.span)


def _place(span: Span) -> dict[str, Any]:
    first = span.first
    return {"file": span.path, "line": first.line, "column": first.column}


def _tell(answers: list[dict[str, Any]], action: str, arn: str | None) -> None:
    for answer in answers:
        sure = "" if answer["certain"] else " (perhaps)"
        click.echo(visible(f"{answer['principal']}{sure}  {answer['address']}"))
        for place in answer["statements"]:
            click.echo(visible(f"  {place['file']}:{place['line']}:{place['column']}"))
    on = f" on {arn}" if arn else ""
    count = len(answers)
    click.echo(visible(f"{count} principal{'' if count == 1 else 's'} can {action}{on}"))
