"""The exported graph in Graphviz's language.

https://graphviz.org/doc/info/lang.html
"""

from __future__ import annotations

from typing import Any

_SHAPES = {
    "role": "box",
    "user": "ellipse",
    "group": "folder",
    "permission_set": "component",
    "policy": "note",
    "compute": "cds",
    "service": "hexagon",
    "provider": "house",
    "external": "doubleoctagon",
}
_QUIET = ("holds", "bounded by", "member of", "runs as", "can assume", "can pass")


def as_dot(data: dict[str, Any]) -> str:
    """`digraph` with one line a node and one an edge; escalations are drawn in red."""
    lines = ["digraph iam {", "  rankdir=LR;", '  node [fontname="Helvetica"];']
    for node in data["nodes"]:
        shape = _SHAPES.get(node["kind"], "box")
        lines.append(f"  {_quote(node['id'])} [label={_quote(node['name'])}, shape={shape}];")
    for edge in data["edges"]:
        label = edge["kind"] if edge["method"] is None else f"{edge['kind']} {edge['method']}"
        colour = "" if edge["kind"] in _QUIET else ', color="#c0392b"'
        ends = f"{_quote(edge['from'])} -> {_quote(edge['to'])}"
        lines.append(f"  {ends} [label={_quote(label)}{colour}];")
    return "\n".join([*lines, "}", ""])


def _quote(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")
    return f'"{escaped}"'
