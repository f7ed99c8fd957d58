"""`iam-preflight graph`: who there is and who can become whom, as a picture or as data."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from iam_preflight.commands.shared.command import ManualCommand
from iam_preflight.commands.shared.inputs import input_options
from iam_preflight.commands.shared.reading import read, tell_problems
from iam_preflight.reporters.escape import json_text
from iam_preflight.writing import open_output

if TYPE_CHECKING:
    from iam_preflight.commands.shared.inputs import Inputs


@click.command(
    "graph",
    cls=ManualCommand,
    short_help="Export the graph of principals, policies and escalations.",
    examples=(
        ("iam-preflight graph infra > iam.html", "A picture to explore in a browser:"),
        ("iam-preflight graph --format json infra", "For other programs (docs/graph.schema.json):"),
        ("iam-preflight graph --format dot infra | dot -Tsvg", "For Graphviz:"),
        ("iam-preflight graph --format graphml infra", "For Gephi, yEd, Cytoscape, networkx:"),
    ),
)
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@input_options
@click.option(
    "--format",
    "-f",
    "format_name",
    type=click.Choice(("html", "json", "dot", "graphml")),
    default="html",
    show_default=True,
    help="A page with the picture, data, or input for Graphviz and graph tools.",
)
@click.option(
    "--output", "-o", type=click.Path(path_type=Path, dir_okay=False), help="File to write to."
)
def command(paths: tuple[Path, ...], inputs: Inputs, format_name: str, output: Path | None) -> None:
    """Export the graph of the Terraform and CloudFormation in PATHS.

    Nodes are principals, policies and what runs as a role; edges say who holds what, who can
    assume, pass or take over whom, each with the places that make it so.
    """
    from iam_preflight.graph.export import as_data

    graph, problems = read(inputs.prepare(paths))
    data = as_data(graph)
    text = io.StringIO()
    match format_name:
        case "json":
            text.write(json_text(json.dumps(data, indent=2, ensure_ascii=False)))
            text.write("\n")
        case "dot":
            from iam_preflight.graph.dot import as_dot

            text.write(as_dot(data))
        case "graphml":
            from iam_preflight.graph.network import as_graphml

            text.write(as_graphml(data))
        case _:
            from iam_preflight.reporters.html_report import write_graph

            write_graph(data, text)
    if output is None:
        click.echo(text.getvalue(), nl=False)
    else:
        with open_output(output) as stream:
            stream.write(text.getvalue())
    sys.exit(tell_problems(problems))
