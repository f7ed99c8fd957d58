"""A unit, analysed: its graph, what is wrong in it, and the places of both.

After an edit this happens in two steps. First only what the edit has changed is judged, in the
graph of the whole unit, and what was found elsewhere is carried over; then everything is. The
first answers while somebody types, the second when they pause.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct, field

from iam_preflight.comments import ignores_in
from iam_preflight.editor.carrying import Carrier, Names
from iam_preflight.editor.positions import Ranges
from iam_preflight.errors import ProblemKind
from iam_preflight.graph.build import build_graph
from iam_preflight.scan import distinct, is_wanted_by, judge, run_checks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from iam_preflight.comments import Ignore
    from iam_preflight.decisions import Decided
    from iam_preflight.editor.carrying import Name
    from iam_preflight.editor.units import Unit
    from iam_preflight.errors import Problem
    from iam_preflight.findings import Finding
    from iam_preflight.graph.model import Graph
    from iam_preflight.graph.nodes import Documents
    from iam_preflight.registry import Registry
    from iam_preflight.scan import ScanOptions, Subject
    from iam_preflight.source import SourceFile

Found = dict[tuple[str, "Name"], list["Finding"]]
"""What a rule, by its id, found at something."""


class Cancelled(Exception):
    """Somebody typed on: what is being worked out is of no use any more."""


class Memory:
    """What was read for one analysis of a unit, and need not be read again for the next."""

    def __init__(self) -> None:
        self.documents: Documents = {}
        self._ignores: dict[int, tuple[SourceFile, list[Ignore]]] = {}

    def ignores_in(self, source: SourceFile) -> list[Ignore]:
        held = self._ignores.get(id(source))
        if held is None:
            held = self._ignores[id(source)] = (source, ignores_in(source))
        return held[1]

    def keep(self, sources: Iterable[SourceFile]) -> None:
        """Forgets the ignores of what is not among the files any more."""
        for key in self._ignores.keys() - {id(source) for source in sources}:
            del self._ignores[key]


class Analysis(Struct, eq=False):
    """What is known about a unit at one moment."""

    unit: Unit
    graph: Graph
    memory: Memory
    names: Names
    found: Found
    findings: tuple[Decided, ...]
    problems: tuple[Problem, ...]
    sources: dict[str, SourceFile]
    """Every file that it was made of."""
    is_complete: bool
    """Whether every rule has looked at everything since the last edit."""
    ranges: Ranges = field(default_factory=Ranges)

    @property
    def shown(self) -> list[Finding]:
        return [decided.finding for decided in self.findings if decided.is_shown]


class Analyst(Struct, frozen=True):
    """Analyses units by the same rules. Raises `Cancelled` between two steps."""

    registry: Registry
    options: ScanOptions
    is_cancelled: Callable[[], bool] = lambda: False

    def _go_on(self) -> None:
        if self.is_cancelled():
            raise Cancelled

    def analyse(self, unit: Unit) -> Analysis:
        """Everything, from what the unit's values are now."""
        memory = Memory()
        graph = self._graph(unit, memory)
        return self._judged(unit, graph, memory, {}, lambda _subject: True, is_complete=True)

    def glance(self, earlier: Analysis, different: frozenset[str]) -> Analysis:
        """What an edit changed; the rest is carried over from the analysis before it.

        `different` are the addresses of what may have another value now.
        """
        unit = earlier.unit
        graph = self._graph(unit, earlier.memory)
        names = Names(graph)
        asked = names.different(earlier.names, different)
        carrier = Carrier(graph, {source.path: source for source in unit.workspace.sources})
        carried = {
            (rule, name): carrier.carried(findings)
            for (rule, name), findings in earlier.found.items()
            if name not in asked
        }
        return self._judged(
            unit,
            graph,
            earlier.memory,
            carried,
            lambda subject: names.of(subject) in asked,
            is_complete=False,
        )

    def complete(self, glanced: Analysis) -> Analysis:
        """Everything, in the graph of a glance."""
        return self._judged(
            glanced.unit,
            glanced.graph,
            glanced.memory,
            {},
            lambda _subject: True,
            is_complete=True,
        )

    def _graph(self, unit: Unit, memory: Memory) -> Graph:
        resources = []
        for resource in unit.resources(is_wanted_by(self.registry)):
            resources.append(resource)
            self._go_on()
        graph = build_graph(resources, self.options.settings, self.options.today, memory.documents)
        self._go_on()
        graph.missing_modules = tuple(
            problem for problem in unit.problems() if problem.kind is ProblemKind.UNRESOLVED_MODULE
        )
        return graph

    def _judged(
        self,
        unit: Unit,
        graph: Graph,
        memory: Memory,
        carried: Mapping[tuple[str, Name], list[Finding]],
        is_asked: Callable[[Subject], bool],
        *,
        is_complete: bool,
    ) -> Analysis:
        names = Names(graph)
        crashes: list[Problem] = []
        found: Found = {key: list(findings) for key, findings in carried.items() if findings}
        for rule, subject, findings in run_checks(self.registry, graph, crashes, is_asked):
            if findings:
                found.setdefault((rule.id, names.of(subject)), []).extend(findings)
            self._go_on()
        sources = list(unit.workspace.sources)
        every = [finding for findings in found.values() for finding in findings]
        memory.keep(sources)
        decided, faults = judge(
            every, sources, graph, self.registry, self.options, read_ignores=memory.ignores_in
        )
        self._go_on()
        return Analysis(
            unit,
            graph,
            memory,
            names,
            found,
            tuple(decided),
            tuple(distinct([*unit.problems(), *graph.faults, *crashes, *faults])),
            {source.path: source for source in sources},
            is_complete,
        )
