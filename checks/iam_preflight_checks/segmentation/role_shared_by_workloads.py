from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.findings import Confidence, Finding, Framework, Persona, Severity
from iam_preflight.graph.entrypoints import TYPES
from iam_preflight.graph.exposure import is_exempt
from iam_preflight.graph.sharing import Sharings
from iam_preflight.graph.standing import Standing
from iam_preflight.rules import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.model import Graph
    from iam_preflight.graph.sharing import Sharing


class RoleSharedByWorkloads(Rule):
    """Workloads that have nothing to do with each other run as one role.

    ## What it checks
    A role that two or more workloads run as which differ. High: their tags name different
    environments, or anybody on the internet reaches one of them and not the other, and the role
    may do something sensitive. Medium: different services run them, their tags name different
    owners or applications, or only one of them is public. Low, and only for those who want to
    see hygiene: two functions (or instances, or tasks) of one service, which often are one
    application. Roles that a service takes to do its own work (to start tasks, to run jobs, to
    copy) are not meant by that.

    Copies of one block (`count`, `for_each`, several calls of one module) are one workload, as
    are services that AWS lets share a role (CodePipeline and CodeBuild, API Gateway and Lambda).
    Roles that may only write logs and traces, load an image or attach a network interface are
    left alone: there is nothing to separate.

    ## Why it matters
    Each workload gets what any of them needs, and whoever breaks into the weakest one has it
    all.

    ## How to fix
    One role for each function.

    ## Example
    ```hcl
    resource "aws_lambda_function" "report" {
      role = aws_iam_role.report.arn
    }

    resource "aws_sfn_state_machine" "order" {
      role_arn = aws_iam_role.order.arn
    }
    ```
    """

    id = "SEG-002"
    name = "role-shared-by-workloads"
    severity = Severity.MEDIUM
    practice = 3
    yields_to = ("SEG-001",)
    reads = TYPES
    compliance = {
        Framework.NIST: ("AC-5", "AC-6"),
        Framework.ISO: ("A.5.3", "A.8.31"),
        Framework.WELL_ARCHITECTED: ("SEC03-BP02",),
    }
    equivalents = {
        "kics": (
            "ae03f542-1423-402f-9cef-c834e7ee9583",
            "4ba74f01-aba5-4be2-83bc-be79ff1a3b92",
            "c53c7a89-f9d7-4c7b-8b66-8a555be99593",
        ),
    }
    references = (
        "https://docs.aws.amazon.com/lambda/latest/dg/lambda-intro-execution-role.html",
        "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-iam-roles.html",
    )

    def check_graph(self, graph: Graph) -> Iterator[Finding]:
        for sharing in Sharings(graph):
            if not is_exempt(sharing.role, graph.settings):
                yield from self._check(sharing, graph)

    def _check(self, sharing: Sharing, graph: Graph) -> Iterator[Finding]:
        role = sharing.role
        severity, why = _judge(sharing, graph.standing(role))
        is_hygiene = severity is Severity.LOW
        if is_hygiene and not sharing.runs_code:
            return
        first, *others = sharing.workloads
        is_admin = graph.standing(role) is Standing.ADMIN
        yield self.finding(
            f"{len(sharing.workloads)} workloads run as {role.label}, {why}",
            on=role,
            at=first.place,
            severity=severity,
            confidence=Confidence.MEDIUM if role.unresolved else Confidence.HIGH,
            persona=Persona.PEDANTIC if is_hygiene else None,
            related=[
                *((other.place, f"{other.resource.address} too") for other in others[:4]),
                (role.resource.header, "the role"),
            ],
            hint="give each of them a role of its own, with what it needs",
            evidence=role.label,
            causes=(role.resource.header,) if is_admin else (),
        )


def _judge(sharing: Sharing, standing: Standing) -> tuple[Severity, str]:
    """How bad the worst difference is, and what it is."""
    public = sharing.public
    if len(sharing.environments) > 1:
        return Severity.HIGH, f"of environments {' and '.join(sharing.environments[:3])}"
    if public is not None and standing.is_privileged:
        return Severity.HIGH, f"and only {public.resource.address} is open to the internet"
    if len(sharing.kinds) > 1:
        names = " and ".join("/".join(kind) for kind in sharing.kinds[:3])
        return Severity.MEDIUM, f"of different services: {names}"
    if sharing.owners:
        return Severity.MEDIUM, f"of different owners: {' and '.join(sharing.owners[:3])}"
    if public is not None:
        return Severity.MEDIUM, f"and only {public.resource.address} is open to the internet"
    return Severity.LOW, "of one service"
