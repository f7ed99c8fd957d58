from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.findings import Finding, Framework, Severity
from iam_preflight.graph.exposure import is_exempt
from iam_preflight.graph.narrative import evidence_of
from iam_preflight.graph.segregation import Segregation
from iam_preflight.graph.standing import Standing
from iam_preflight.graph.trust import grants
from iam_preflight.knowledge.worth import changing
from iam_preflight.rules import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.model import Graph, Principal
    from iam_preflight.graph.segregation import Placement
    from iam_preflight.graph.trust import Grant


class TrustAcrossEnvironments(Rule):
    """A role trusts somebody of a less protected environment.

    ## What it checks
    Trust policies that let a principal or account of a lower environment (sandbox, dev, test,
    staging, prod, or those of the settings) assume a role of a higher one. The environment comes
    from `accounts` in the settings, a tag, the workspace or folder, or a name that mentions one
    environment only; that of a whole account also from the tags of all that the code deploys
    there; whatever is only told by a name makes the confidence medium, and where
    nothing tells, nothing is said.

    Critical: a production role that is an administrator or can make itself one. High: any other
    production role that may change something. Medium: roles that only read, and roles below
    production. Trust in a higher environment weakens nobody and is not reported.

    Accounts under `shared_accounts`, roles under `admin_roles`, `break_glass_roles` and
    `audit_roles`, and statements with the condition `aws:PrincipalTag/Environment` of the role's
    own environment are left alone.

    ## Why it matters
    Development is where credentials lie around and everybody is an administrator; this trust is
    the bridge from there into production.

    ## How to fix
    Take the lower principal out. Deploy through one CI role for each environment.

    ## Example
    ```hcl
    # in the production account
    principals {
      type        = "AWS"
      identifiers = ["arn:aws:iam::111122223333:role/prod-release"]
    }
    ```
    """

    id = "SEG-003"
    name = "trust-across-environments"
    severity = Severity.HIGH
    practice = 3
    yields_to = ("SEG-007",)
    compliance = {
        Framework.CIS: ("2.1.4",),
        Framework.NIST: ("AC-4", "AC-5", "CM-4(1)", "SC-7"),
        Framework.ISO: ("A.8.31", "A.5.3"),
        Framework.WELL_ARCHITECTED: ("SEC01-BP01", "SEC03-BP07"),
    }
    references = (
        "https://docs.aws.amazon.com/whitepapers/latest/organizing-your-aws-environment/organizing-your-aws-environment.html",
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_common-scenarios_aws-accounts.html",
    )

    def check_graph(self, graph: Graph) -> Iterator[Finding]:
        segregation = Segregation(graph)
        for role in graph.roles:
            if is_exempt(role, graph.settings) or role.is_listed(graph.settings.audit_roles):
                continue
            own = segregation.of_principal(role) if role.trust is not None else None
            if own is None:
                continue
            for grant in grants(role.trust, graph.accounts):
                if not grant.is_aws or segregation.is_kept_apart(grant.statement, own.environment):
                    continue
                other = segregation.of_caller(grant.principal.pattern, role.resource)
                if other is not None and segregation.is_below(other.environment, own.environment):
                    yield self._finding(role, grant, own, other, graph, segregation)

    def _finding(
        self,
        role: Principal,
        grant: Grant,
        own: Placement,
        other: Placement,
        graph: Graph,
        segregation: Segregation,
    ) -> Finding:
        standing = graph.standing(role)
        is_production = segregation.environments.is_most_protected(own.environment)
        evidence = evidence_of(role, graph) if standing.is_administrative else None
        return self.finding(
            f"{grant.principal} of {other.environment} may assume {role.label} "
            f"of {own.environment}"
            + (f", {standing.describe()}" if standing >= Standing.ESCALATING else ""),
            on=role,
            at=grant.principal.span,
            severity=_severity(role, is_production, graph),
            confidence=min(own.confidence, other.confidence),
            related=[
                (role.resource.header, f"the role of {own.environment}"),
                *([(evidence.span, evidence.label)] if evidence is not None else []),
            ],
            hint=f"take {grant.principal} out: deploy through a role of {own.environment}",
            causes=(grant.statement.span,),
            assumptions=(*grant.statement.assumptions, *grant.principal.pattern.assumptions),
        )


def _severity(role: Principal, is_production: bool, graph: Graph) -> Severity:
    if not is_production:
        return Severity.MEDIUM
    if graph.standing(role).is_administrative:
        return Severity.CRITICAL
    effective = graph.effective(role)
    changes = effective.possible & changing(effective.catalog)
    return Severity.HIGH if changes or role.unresolved or not role.attachments else Severity.MEDIUM
