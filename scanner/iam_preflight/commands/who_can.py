"""`iam-preflight who-can`: the principals that may do something, and what lets them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from msgspec import Struct
from msgspec.structs import replace

from iam_preflight.commands.shared.command import ManualCommand
from iam_preflight.commands.shared.inputs import input_options
from iam_preflight.commands.shared.reading import read, tell_problems
from iam_preflight.policy.truth import Truth
from iam_preflight.reporters.escape import json_text, visible

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

    Every policy has its say: inline, managed and group policies, permissions boundaries, the
    control policies and the policies of the resources in the code, which may also let in
    somebody from outside. "perhaps" hangs on a condition or on something unknown.
    """
    from iam_preflight.errors import UsageError
    from iam_preflight.knowledge.catalog import catalog

    known = catalog().action(action)
    if known is None:
        near = catalog().nearest_action(action)
        hint = f": did you mean {near}?" if near else ""
        if ":" not in action:
            hint = ": write it with its service, such as iam:PassRole"
        raise UsageError(f"there is no action {action!r}{hint}")
    graph, problems = read(inputs.prepare(paths))
    answers = [_answer(answer) for answer in who_can(graph, known.full_name, arn)]
    answers.sort(key=lambda answer: (answer["certain"] is False, answer["principal"]))
    if format_name == "json":
        click.echo(json_text(json.dumps(answers, indent=2, ensure_ascii=False)))
    else:
        _tell(answers, known.full_name, arn)
    sys.exit(tell_problems(problems))


class Answer(Struct, frozen=True):
    """Somebody who may do it, and the statements that let them."""

    label: str
    id: str
    """The address; of whom the code only names, the id in the exported graph."""
    decision: Decision
    places: tuple[Span, ...]


def who_can(graph: Graph, action: str, arn: str | None) -> Iterator[Answer]:
    """Who may do an action on some resource, or on the given one."""
    from iam_preflight.graph.resource_sides import ResourceSides

    sides = ResourceSides(graph)
    about = sides.about(action, arn)
    for principal in graph.principals:
        found = _decisions(graph, principal, action, arn)
        found += [sides.decide(principal, action, side) for side in about]
        settled = [i for i, side in enumerate(about, 1) if side.is_it is Truth.YES]
        if settled:  # the resource's own policy has the last word
            found = [found[i] for i in settled]
        best = max(found, key=lambda decision: decision.truth)
        if best.is_possible:
            places = dict.fromkeys(_places(principal, best))
            yield Answer(principal.label, principal.address, best, tuple(places))
    outside: dict[str, Answer] = {}
    for side in about:
        for label, name, decision in sides.outsiders(action, side):
            if side.is_it is Truth.MAYBE and arn is not None:
                decision = replace(decision, truth=Truth.MAYBE)
            places = dict.fromkeys(reason.statement.span for reason in decision.allowed_by)
            known = outside.get(name)
            if known is None or known.decision.truth < decision.truth:
                outside[name] = Answer(label, name, decision, tuple(places))
    yield from outside.values()


def _decisions(graph: Graph, principal: Principal, action: str, arn: str | None) -> list[Decision]:
    """What the principal's own side says: one decision."""
    effective = graph.effective(principal)
    context = graph.permissions.context(principal)
    return [effective.allows(action, arn or "*", context)]


def _answer(answer: Answer) -> dict[str, Any]:
    return {
        "principal": answer.label,
        "address": answer.id,
        "certain": answer.decision.is_allowed,
        "statements": [_place(place) for place in answer.places],
    }


def _places(principal: Principal, decision: Decision) -> Iterator[Span]:
    """Where the allowing statements are written; attachments for AWS-managed policies."""
    from iam_preflight.graph.model import Origin
    from iam_preflight.policy.evaluate import Layer

    managed = {
        id(attachment.policy.document): attachment.place
        for attachment in principal.held()
        if attachment.policy.origin is Origin.AWS_MANAGED
    }
    for reason in decision.allowed_by:
        if reason.layer is not Layer.SCP:
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
