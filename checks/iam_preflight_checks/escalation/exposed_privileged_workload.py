from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.findings import Confidence, Finding, Framework, Severity
from iam_preflight.graph.entrypoints import TYPES, Entrypoint, entrypoints
from iam_preflight.graph.narrative import evidence_of
from iam_preflight.knowledge.catalog import ActionClass
from iam_preflight.rules import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.model import Graph, Principal


class ExposedPrivilegedWorkload(Rule):
    """An internet-facing workload starts an escalation path.

    ## What it checks
    Workloads that anybody can reach (a Lambda URL or API without authorization, a public
    instance or container, a public App Runner service, a role for unauthenticated Cognito
    users) whose role is an administrator, can become one, or may read secrets and data
    everywhere (then high).

    ## Why it matters
    A flaw in the exposed code is a flaw in the account: whoever takes over the process has its
    role.

    ## How to fix
    Reduce the role first, then ask for authorization.

    ## Example
    ```hcl
    resource "aws_lambda_function_url" "api" {
      function_name      = aws_lambda_function.api.function_name
      authorization_type = "AWS_IAM"
    }
    ```
    """

    id = "ESC-006"
    name = "exposed-privileged-workload"
    severity = Severity.CRITICAL
    practice = 5
    reads = TYPES
    compliance = {
        Framework.NIST: ("AC-6", "SC-7"),
        Framework.ISO: ("A.8.2", "A.8.20"),
        Framework.WELL_ARCHITECTED: ("SEC03-BP02", "SEC03-BP07"),
    }
    references = (
        "https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html",
        "https://pathfinding.cloud/",
    )

    def check_graph(self, graph: Graph) -> Iterator[Finding]:
        for entry in entrypoints(graph):
            yield from self._check(entry, graph)

    def _check(self, entry: Entrypoint, graph: Graph) -> Iterator[Finding]:
        role = entry.role
        path = graph.paths.to_admin(role)
        severity = Severity.CRITICAL
        if graph.standing(role).is_administrative:
            what = graph.standing(role).describe()
        elif path is not None and path.confidence is not Confidence.LOW:
            what = f"able to become {path.end.label}"
        elif reads := _broad_reads(role, graph):
            what = f"allowed {reads[0]} on everything"
            severity = Severity.HIGH
        else:
            return
        evidence = evidence_of(role, graph)
        yield self.finding(
            f"{entry.resource.address} is {entry.label}, and its {role.label} is {what}",
            on=entry.resource,
            at=entry.place,
            label=entry.label,
            severity=severity,
            related=[
                (role.resource.header, "the role"),
                *([(evidence.span, evidence.label)] if evidence is not None else []),
            ],
            principal=role,
            hint=f"reduce {role.label}, then ask for authorization",
        )


def _broad_reads(role: Principal, graph: Graph) -> list[str]:
    """Actions that return secrets or data and that the role may do everywhere."""
    effective = graph.effective(role)
    wanted = effective.possible & effective.catalog.classes[ActionClass.SECRETS_AND_DATA]
    return [action for action in wanted if effective.broad(action) is not None]
