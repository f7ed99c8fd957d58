"""Resources to the graph: who there is, which documents they hold, what runs as whom.

Things are joined by reference first (`aws_iam_role.ci.name` says which role it is) and by name
or ARN second, within one deployment before across several.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from iam_preflight.faults import KeptTo
from iam_preflight.graph.accounts import account_book
from iam_preflight.graph.joins import Joins
from iam_preflight.graph.model import Graph
from iam_preflight.graph.nodes import Nodes
from iam_preflight.graph.uses import judge_uses
from iam_preflight.graph.workloads import workloads_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from iam_preflight.graph.nodes import Documents
    from iam_preflight.resources import Resource
    from iam_preflight.settings import Settings


def build_graph(
    resources: Iterable[Resource],
    settings: Settings,
    today: dt.date | None = None,
    documents: Documents | None = None,
) -> Graph:
    """The graph of a scan. Resources keep the order of the scan; `today` dates conditions.

    Who builds graphs again and again of much the same values gives the `documents` that were
    read before; afterwards they are those of this graph.
    """
    listed = tuple(resources)
    nodes = Nodes(listed, settings, documents or {})
    joins = Joins(nodes)
    workloads = tuple(workloads_of(nodes))
    policies = judge_uses(nodes, settings)
    accounts = account_book((), settings)
    with KeptTo(".", nodes.faults, "not known which accounts are whose"):
        accounts = account_book(listed, settings)
    if documents is not None:
        documents.clear()
        documents.update(nodes.documents)
    return Graph(
        settings=settings,
        resources=listed,
        principals=tuple(nodes.principals),
        policies=policies,
        managed=tuple(joins.managed.values()),
        workloads=workloads,
        outside=tuple(joins.outside),
        elsewhere=tuple(joins.elsewhere.values()),
        accounts=accounts,
        lookup=nodes.lookup,
        today=today or dt.datetime.now(dt.timezone.utc).date(),
        faults=tuple(nodes.faults),
    )
