"""The graph in the hands of networkx."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import networkx
import pytest
from click.testing import CliRunner

from iam_preflight.cli import cli
from iam_preflight.graph.network import as_network

PROJECT = Path(__file__).parents[2] / "fixtures" / "projects" / "broken-estate"


def exported(name: str) -> str:
    arguments = ["graph", "--format", name, str(PROJECT)]
    return CliRunner().invoke(cli, arguments, catch_exceptions=False).stdout


@pytest.fixture(scope="module")
def network() -> networkx.MultiDiGraph:
    return as_network(json.loads(exported("json")))


def test_path_of_the_scan_is_a_path_of_the_network(network: networkx.MultiDiGraph) -> None:
    """Deploy takes over the orders function, whose role takes over the administrator."""
    start = "module.pipeline.aws_iam_role.deploy"
    end = "module.identity.aws_iam_role.platform_admin"
    ways = networkx.all_simple_paths(network, start, end, cutoff=2)
    assert [start, "module.workloads.aws_iam_role.orders", end] in list(ways)


def test_edges_of_one_pair_are_kept_apart(network: networkx.MultiDiGraph) -> None:
    assert network.number_of_edges() == len(json.loads(exported("json"))["edges"])


def test_graphml_is_read_back(network: networkx.MultiDiGraph) -> None:
    text = exported("graphml")
    ElementTree.fromstring(text)
    again = networkx.parse_graphml(text)
    assert set(again) == set(network)
    assert again.number_of_edges() == network.number_of_edges()
