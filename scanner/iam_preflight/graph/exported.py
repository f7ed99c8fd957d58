"""The shape of the exported graph, for its JSON Schema (docs/graph.schema.json)."""

from __future__ import annotations

from typing import Any, Literal, TypedDict

UseName = Literal["identity", "trust", "boundary", "resource", "scp", "session"]
ResolvedName = Literal["full", "partly", "none"]


class PolicyData(TypedDict):
    """A policy document in its use."""

    use: UseName
    attribute: str
    """The attribute of the resource that holds it."""
    file: str
    line: int
    resolved: ResolvedName
    """How much of it is known before deploy."""
    why: list[str]
    """What the rest waits for."""
    document: Any
    """The policy as JSON, each hole written as `«reason»` inside its string; null if unread."""


class NodeData(TypedDict):
    """A principal, policy, resource, account, or somebody outside who is named."""

    id: str
    """The address; its root stands before it where several roots share the address."""
    kind: str
    type: str
    """The type as Terraform or CloudFormation names it."""
    name: str
    file: str | None
    line: int | None
    environment: str | None
    account: str | None
    tags: dict[str, str]
    policies: list[PolicyData]


class ReasonData(TypedDict):
    """A place that makes an edge true."""

    file: str
    line: int
    text: str


EdgeData = TypedDict(
    "EdgeData",
    {"from": str, "to": str, "kind": str, "method": "str | None", "why": "list[ReasonData]"},
)
"""Ids of two nodes, how they are joined, and the escalation method where it is one."""


class GraphData(TypedDict):
    """Everything: `version` changes when a field changes its meaning."""

    version: int
    nodes: list[NodeData]
    edges: list[EdgeData]
