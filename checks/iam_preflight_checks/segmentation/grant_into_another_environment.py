from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.findings import Confidence, Finding, Framework, Persona, Severity
from iam_preflight.graph.exposure import is_exempt
from iam_preflight.graph.segregation import Segregation
from iam_preflight.knowledge.catalog import ActionClass
from iam_preflight.knowledge.worth import changing
from iam_preflight.policy.document import DocumentUse
from iam_preflight.policy.effective import statement_actions
from iam_preflight.rules import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.model import Graph, Policy, Principal
    from iam_preflight.graph.segregation import Placement
    from iam_preflight.policy.document import Pattern, Statement

TARGETS = (
    "aws_dynamodb_table",
    "aws_kinesis_stream",
    "aws_rds_cluster",
    "aws_db_instance",
    "aws_ssm_parameter",
    "aws_cloudwatch_log_group",
)
"""Types with data and no policy of their own that grants name."""


class GrantIntoAnotherEnvironment(Rule):
    """A policy reaches resources of another environment than its holder's.

    ## What it checks
    Identity policies whose holder is in one environment and that let it change, or read the data
    of, a resource of another one. The resource's environment comes from the account in its ARN
    (`accounts` in the settings), from the tag of the resource it refers to, or from a name (of the
    resource, or of the variable that it is given by) that mentions one environment only; names
    make the confidence medium. Reaching into a more
    protected environment is high; reaching down is low, and for those who want to see hygiene.

    Accounts under `shared_accounts`, statements with the condition
    `aws:ResourceTag/Environment` of the own environment, the stages of APIs and what AWS hosts
    for everybody (image layers, patches) are left alone. Wildcards that reach everything belong
    to WILD-001 and WILD-002.

    ## Why it matters
    An environment is only as separate as the grants between them: what breaks in test then
    breaks production's data.

    ## How to fix
    Name the resources of the own environment, or add the condition
    `aws:ResourceTag/Environment`.

    ## Example
    ```hcl
    statement {
      actions   = ["s3:PutObject"]
      resources = ["arn:aws:s3:::example-${var.environment}-reports/*"]
    }
    ```
    """

    id = "SEG-004"
    name = "grant-into-another-environment"
    severity = Severity.HIGH
    practice = 3
    reads = TARGETS
    compliance = {
        Framework.NIST: ("AC-4", "AC-6"),
        Framework.ISO: ("A.8.31",),
        Framework.WELL_ARCHITECTED: ("SEC01-BP01", "SEC03-BP02"),
    }
    references = (
        "https://docs.aws.amazon.com/whitepapers/latest/organizing-your-aws-environment/organizing-your-aws-environment.html",
    )

    def check_graph(self, graph: Graph) -> Iterator[Finding]:
        segregation = Segregation(graph)
        placed = {id(p): segregation.of_principal(p) for p in graph.principals}
        for statement, policy in graph.statements(DocumentUse.IDENTITY):
            holders = [
                (holder, own)
                for holder in policy.holders
                if (own := placed[id(holder)]) is not None and not is_exempt(holder, graph.settings)
            ]
            if not holders or not statement.is_allow or statement.is_not_resource:
                continue
            yield from self._check(statement, policy, holders, graph, segregation)

    def _check(
        self,
        statement: Statement,
        policy: Policy,
        holders: list[tuple[Principal, Placement]],
        graph: Graph,
        segregation: Segregation,
    ) -> Iterator[Finding]:
        told: set[str] = set()
        for pattern in statement.resources:
            other = segregation.of_target(pattern, policy.resource)
            if other is None or other.environment in told:
                continue
            for holder, own in holders:
                if own.environment == other.environment:
                    continue
                if segregation.is_kept_apart(statement, own.environment):
                    continue
                action = _worst(statement, graph)
                if action is not None:
                    told.add(other.environment)
                    is_up = segregation.is_below(own.environment, other.environment)
                    yield self._finding(
                        statement, pattern, policy, (holder, own), other, action, is_up=is_up
                    )
                    break

    def _finding(
        self,
        statement: Statement,
        pattern: Pattern,
        policy: Policy,
        held: tuple[Principal, Placement],
        other: Placement,
        action: str,
        *,
        is_up: bool,
    ) -> Finding:
        holder, own = held
        return self.finding(
            f"{holder.label} of {own.environment} is allowed {action} on {pattern} "
            f"of {other.environment}",
            on=policy,
            at=pattern.span,
            severity=Severity.HIGH if is_up else Severity.LOW,
            confidence=min(own.confidence, other.confidence, Confidence.HIGH),
            persona=None if is_up else Persona.PEDANTIC,
            related=((holder.resource.header, f"held by {holder.label} of {own.environment}"),),
            hint=f"name resources of {own.environment}, "
            f"or add the condition aws:ResourceTag/Environment = {own.environment}",
            causes=(statement.span,),
            assumptions=(*statement.assumptions, *pattern.assumptions),
            principal=holder,
        )


def _worst(statement: Statement, graph: Graph) -> str | None:
    """What a statement lets somebody change, or what it gives away, as it is written."""
    evaluator = graph.permissions.evaluator
    catalog = evaluator.catalog
    about = evaluator.reachable(statement, statement_actions(statement, catalog))
    grave = about & changing(catalog) or about & catalog.classes[ActionClass.SECRETS_AND_DATA]
    if not grave:
        return None
    for pattern in () if statement.is_not_action else statement.actions:
        if pattern.is_known and grave & catalog.expand(pattern.text):
            return pattern.text
    return next(iter(grave))
