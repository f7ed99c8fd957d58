"""A unit, analysed: its graph, what is wrong in it, and the places of both."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from iam_preflight.editor.positions import Ranges
from iam_preflight.registry import Registry
from iam_preflight.scan import distinct, is_wanted_by, judge, run_rules

if TYPE_CHECKING:
    from collections.abc import Callable

    from iam_preflight.decisions import Decided
    from iam_preflight.editor.units import Unit
    from iam_preflight.errors import Problem
    from iam_preflight.findings import Finding
    from iam_preflight.graph.model import Graph
    from iam_preflight.scan import ScanOptions
    from iam_preflight.source import SourceFile


class Cancelled(Exception):
    """Somebody typed on: what is being worked out is of no use any more."""


@dataclass(slots=True, eq=False)
class Analysis:
    """What is known about a unit at one moment."""

    unit: Unit
    graph: Graph
    findings: tuple[Decided, ...]
    problems: tuple[Problem, ...]
    sources: dict[str, SourceFile]
    """Every file that it was made of."""
    ranges: Ranges = field(default_factory=Ranges)

    @property
    def shown(self) -> list[Finding]:
        return [decided.finding for decided in self.findings if decided.is_shown]


def analyse(
    unit: Unit,
    registry: Registry,
    options: ScanOptions,
    is_cancelled: Callable[[], bool] = lambda: False,
) -> Analysis:
    """Works a unit out. Raises `Cancelled` between two steps; what was evaluated is kept."""
    from iam_preflight.errors import ProblemKind
    from iam_preflight.graph.build import build_graph

    def go_on() -> None:
        if is_cancelled():
            raise Cancelled

    resources = []
    for resource in unit.resources(is_wanted_by(registry)):
        resources.append(resource)
        go_on()
    graph = build_graph(resources, options.settings, options.today)
    go_on()
    graph.missing_modules = tuple(
        problem for problem in unit.problems() if problem.kind is ProblemKind.UNRESOLVED_MODULE
    )
    crashes: list[Problem] = []
    findings: list[Finding] = []
    for rule in registry:
        findings.extend(run_rules(Registry((rule,), registry.installed), graph, crashes))
        go_on()
    sources = list(unit.workspace.sources)
    decided, faults = judge(findings, sources, graph, registry, options)
    problems = distinct([*unit.problems(), *crashes, *faults])
    return Analysis(
        unit, graph, tuple(decided), tuple(problems), {source.path: source for source in sources}
    )
