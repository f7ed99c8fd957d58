"""Where a finding is: its environment, and the environment that a path of it leads to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.decisions import Environments
from iam_preflight.graph.environments import Environments as Known
from iam_preflight.graph.tags import tags_of

if TYPE_CHECKING:
    from iam_preflight.findings import Finding
    from iam_preflight.graph.model import Graph, Principal
    from iam_preflight.resources import Resource
    from iam_preflight.source import Span


class Locator:
    """Answers for the findings of one graph."""

    def __init__(self, graph: Graph) -> None:
        self._known = Known(graph.settings)
        self._principals: dict[tuple[str, str], Principal] = {}
        self._by_file: dict[str, list[Principal]] = {}
        for principal in graph.principals:
            resource = principal.resource
            self._principals[resource.deployment.path, resource.address] = principal
            self._by_file.setdefault(resource.span.path, []).append(principal)
        self._own: dict[int, tuple[Resource, str | None]] = {}

    def __call__(self, finding: Finding) -> Environments:
        reached = [self._at(step.span) for step in finding.steps]
        known = [name for name in reached if name is not None]
        worst = max(known, key=self._known.rank, default=None)
        return Environments(self.environment(finding), worst)

    def environment(self, finding: Finding) -> str | None:
        """The environment of the principal that a finding is about, or of its resource."""
        root = finding.resource.deployment.path
        for address in (finding.principal, finding.address):
            principal = self._principals.get((root, address))
            if principal is not None:
                return principal.environment
        held = self._own.get(id(finding.resource))
        if held is None:
            held = (finding.resource, self._of_resource(finding.resource))
            self._own[id(finding.resource)] = held
        return held[1]

    def _of_resource(self, resource: Resource) -> str | None:
        account = resource.provider.account_id
        name = resource.text("name") or resource.name
        return self._known.of_resource(resource, tags_of(resource), account, name)

    def _at(self, span: Span) -> str | None:
        """The environment of the principal whose block holds a place."""
        for principal in self._by_file.get(span.path, ()):
            if principal.resource.span.contains(span):
                return principal.environment
        return None
