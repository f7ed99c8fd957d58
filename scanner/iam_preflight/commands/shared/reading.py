"""Reading the graph for the commands that ask it something."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from iam_preflight.errors import UsageError
from iam_preflight.reporters.escape import visible

if TYPE_CHECKING:
    from iam_preflight.commands.shared.inputs import Prepared
    from iam_preflight.errors import Problem
    from iam_preflight.graph.model import Graph, Principal

NOT_ANALYSED = 4


def read(prepared: Prepared) -> tuple[Graph, list[Problem]]:
    from iam_preflight.scan import read_graph

    return read_graph(prepared.paths, prepared.registry, prepared.options, prepared.top)


def tell_problems(problems: list[Problem]) -> int:
    """Names on standard error what could not be analysed; the exit code that follows from it."""
    failing = [problem for problem in problems if problem.fails_the_scan]
    for problem in failing:
        click.echo(visible(f"{problem.place}: {problem.message}"), err=True)
    return NOT_ANALYSED if failing else 0


def find_principals(graph: Graph, name: str) -> list[Principal]:
    """The principals that a name, an address or an ARN means; an error where it means none."""
    exact = [p for p in graph.principals if name in (p.address, p.name.text, p.arn.text)]
    found = exact or [
        p for p in graph.principals if p.address.endswith(f".{name}") or name in p.label
    ]
    if not found:
        raise UsageError(f"there is no principal {name!r} in the code{_others(graph, name)}")
    return found


def _others(graph: Graph, name: str) -> str:
    """What was meant instead, or else what there is."""
    from iam_preflight.graph.exposure import listed
    from iam_preflight.typed import nearest

    labels = [principal.label for principal in graph.principals]
    names = {text: None for p in graph.principals for text in (p.label, p.name.text)}
    near = nearest(name, names)
    if near or not labels:
        return near or ": it has none"
    return f": it has {listed(labels)}"
