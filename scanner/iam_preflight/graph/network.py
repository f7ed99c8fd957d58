"""The exported graph as a networkx graph: for analyses of one's own, and as GraphML.

`data` is what `export.as_data` returns; `exported.GraphData` is its shape.

The scan itself searches its own graph, on demand: whether an edge exists is worked out when a
path asks for it. Here everything is laid out.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

    import networkx

_NODE = ("kind", "type", "name", "file", "line", "environment", "account")


def as_network(data: dict[str, Any]) -> networkx.MultiDiGraph:
    """Nodes by id and edges by their kind, with plain attributes; `tags` and `why` are JSON.

    ```python
    network = as_network(as_data(graph))
    networkx.shortest_path(network, "aws_iam_user.ci", "aws_iam_role.admin")
    ```
    """
    import networkx

    network = networkx.MultiDiGraph(version=data["version"])
    for node in data["nodes"]:
        given = {name: node[name] for name in _NODE if node[name] is not None}
        tags = json.dumps(node["tags"], ensure_ascii=False, sort_keys=True)
        network.add_node(node["id"], **given, tags=tags, policies=len(node["policies"]))
    for edge in data["edges"]:
        why = json.dumps(edge["why"], ensure_ascii=False)
        method = edge["method"] or ""
        network.add_edge(edge["from"], edge["to"], kind=edge["kind"], method=method, why=why)
    return network


def as_graphml(data: dict[str, Any]) -> str:
    """The graph for Gephi, yEd, Cytoscape and others."""
    import networkx

    return "\n".join(networkx.generate_graphml(as_network(data))) + "\n"
