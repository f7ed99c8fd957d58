from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.findings import Finding, Framework, Place, Severity
from iam_preflight.graph.exposure import is_exempt
from iam_preflight.graph.handles import HANDLE_TYPES
from iam_preflight.graph.narrative import evidence_of, standing_text, start_of
from iam_preflight.rules import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.model import Graph, Principal
    from iam_preflight.graph.paths import Path


class EscalationPath(Rule):
    """A principal can become administrator, or get into production, in several steps.

    ## What it checks
    Chains of at least two hops from a role or user to an administrator: assuming roles, taking
    over principals, passing roles, hijacking workloads, in any order. Each hop must hold by
    itself. One finding for each principal, with a shortest chain; hops that need MFA, or are
    open only when and where conditions say, make it one step milder. Chains of one hop are
    ESC-002 to ESC-004.

    ## Why it matters
    Every hop looks harmless to whoever reviews it. Together they are the way an intruder goes.

    ## How to fix
    Cut one hop; the last one before the administrator helps everybody upstream as well.

    ## Example
    `role ci` may update the code of a function that runs as `role jobs`, and `role jobs` may
    assume `role admin`: take `role jobs` out of the trust policy of `role admin`.
    """

    id = "ESC-005"
    name = "escalation-path"
    severity = Severity.CRITICAL
    practice = 5
    reads = HANDLE_TYPES
    compliance = {
        Framework.NIST: ("AC-6", "AC-5", "RA-3"),
        Framework.ISO: ("A.8.2", "A.5.3"),
        Framework.WELL_ARCHITECTED: ("SEC03-BP02", "SEC03-BP07"),
    }
    references = ("https://pathfinding.cloud/",)

    def check_principal(self, principal: Principal, graph: Graph) -> Iterator[Finding]:
        if is_exempt(principal, graph.settings):
            return
        path, gain = graph.paths.to_admin(principal), "become administrator"
        severity = self.severity
        if path is None:
            path, severity = graph.paths.to_production(principal), Severity.HIGH
            if path is not None:
                gain = f"get from {principal.environment} to {_whose(path.end)}"
        if path is None or len(path.hops) < 2:
            return
        first, last = path.hops[0], path.hops[-1]
        start = start_of(first)
        assert last.target is not None
        yield self.finding(
            f"{principal.label} can {gain} in {len(path.hops)} steps, "
            f"the last one as {last.actor.label}",
            on=principal,
            at=start.span,
            label=start.label,
            severity=severity.lowered() if path.is_guarded else severity,
            confidence=path.confidence,
            steps=_steps(path, graph),
            hint=f"cut a hop: {last.actor.label} {last.describe()}",
            evidence=" ".join(hop.method.id for hop in path.hops),
            causes=first.statements,
            assumptions=tuple(a for hop in path.hops for a in hop.assumptions),
        )


def _whose(end: Principal) -> str:
    return f"{end.label} of {end.environment}"


def _steps(path: Path, graph: Graph) -> list[Place]:
    steps = [Place(start_of(hop).span, f"{hop.actor.label} {hop.describe()}") for hop in path.hops]
    evidence = evidence_of(path.end, graph)
    end = f"{path.end.label} is {standing_text(path.end, graph)}"
    steps.append(Place(path.end.resource.header, end))
    return [*steps, evidence] if evidence is not None else steps
