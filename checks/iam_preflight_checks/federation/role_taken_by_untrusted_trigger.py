from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.findings import Confidence, Finding, Framework, Persona, Severity
from iam_preflight.graph.pipelines import Starter, keys_beside_roles, takeovers, unapproved
from iam_preflight.graph.standing import Standing
from iam_preflight.rules import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.model import Graph, Principal
    from iam_preflight.graph.pipelines import Takeover
    from iam_preflight.resources import Resource

_SEVERITIES = {
    Starter.ANYBODY: (Severity.CRITICAL, Severity.HIGH, Severity.MEDIUM),
    Starter.BYSTANDER: (Severity.MEDIUM, Severity.LOW, None),
    Starter.COLLABORATOR: (Severity.HIGH, Severity.MEDIUM, None),
}
"""For roles that are (or can become) administrators, may do something sensitive, and others."""


class RoleTakenByUntrustedTrigger(Rule):
    """A pipeline takes a role on a trigger that cannot be trusted.

    ## What it checks
    Workflows of GitHub Actions and jobs of GitLab CI/CD in the same repository that take a role
    which the code makes (`role-to-assume` with `id-token: write`, `AWS_ROLE_ARN` with `id_tokens`),
    joined with what the role may do and with whom its trust policy lets in:

    - `pull_request_target`, `workflow_run`, `issue_comment` and the like are started by anybody
      and run with the rights of the repository. Critical where the job also checks out what was
      proposed and the role is or can become an administrator, high and medium for lesser roles;
      medium where only accepted code runs;
    - `pull_request` gets no token from forks, but everybody who may push a branch can change the
      workflow in the same breath. Where the trust policy lets pull requests in, high for roles
      that are or can become an administrator; jobs with an `if` or an environment are left to
      FED-002;
    - a job that signs in with a long-lived key although a role trusts its platform: medium.

    With the persona *pedantic*: a job in no environment that takes a privileged role of the most
    protected environment, whose trust policy asks for a branch only: nobody has to approve what
    is deployed. Low.

    A workflow that others call has their triggers. An environment may have reviewers and an `if`
    may keep strangers out, which cannot be seen here: the confidence is then medium.

    ## Why it matters
    Whoever opens a pull request runs commands in your account, before anybody has read it.

    ## How to fix
    Plan with a role that can only read, and apply with another on pushes to a protected branch.
    Pin the subject of the second to that branch, or better to an environment with reviewers.

    ## Example
    ```yaml
    # bad
    on: pull_request_target
    jobs:
      plan:
        permissions: { id-token: write }
        steps:
          - uses: actions/checkout@v5
            with: { ref: "${{ github.event.pull_request.head.sha }}" }
          - uses: aws-actions/configure-aws-credentials@v5
            with: { role-to-assume: "arn:aws:iam::111122223333:role/deploy" }
    # good
    on:
      push: { branches: [main] }
    ```
    """

    id = "FED-007"
    name = "role-taken-by-untrusted-trigger"
    severity = Severity.CRITICAL
    practice = 11
    reads = ("pipeline_job",)
    compliance = {
        Framework.NIST: ("SA-12", "IA-8", "CM-5"),
        Framework.ISO: ("A.8.31", "A.5.19", "A.8.28"),
        Framework.WELL_ARCHITECTED: ("SEC11-BP07",),
    }
    references = (
        "https://docs.github.com/en/actions/reference/security/secure-use",
        "https://securitylab.github.com/resources/github-actions-preventing-pwn-requests/",
    )

    def check_graph(self, graph: Graph) -> Iterator[Finding]:
        told = set()
        for takeover in takeovers(graph):
            standing = graph.standing(takeover.role)
            severity = _severity(takeover, standing)
            if severity is not None:
                told.add(id(takeover.job))
                yield self._finding(takeover, standing, severity)
        for job, role in unapproved(graph):
            if id(job) not in told and graph.standing(role).is_privileged:
                yield self._unapproved(job, role, graph)
        for job, role in keys_beside_roles(graph):
            yield self.finding(
                f"job {job.name} signs in with a long-lived key, although {role.label} trusts "
                f"{job.text('platform')}",
                on=job,
                at=job.span_of("access_key"),
                severity=Severity.MEDIUM,
                related=((role.resource.header, "the role"),),
                hint="use role-to-assume with the permission id-token: write",
            )

    def _unapproved(self, job: Resource, role: Principal, graph: Graph) -> Finding:
        return self.finding(
            f"job {job.name} takes {role.label} of {role.environment}, "
            f"{graph.standing(role).describe()}, and nobody has to approve it",
            on=job,
            at=job.span_of("role"),
            severity=Severity.LOW,
            confidence=Confidence.MEDIUM,
            persona=Persona.PEDANTIC,
            related=((role.resource.header, "the role"),),
            hint="give the job an environment with reviewers, and pin the role's subject to it",
            principal=role,
        )

    def _finding(self, takeover: Takeover, standing: Standing, severity: Severity) -> Finding:
        job, role = takeover.job, takeover.role
        what = f", {standing.describe()}" if standing.is_privileged else ""
        code = job.get("code_of")
        return self.finding(
            f"{takeover.starter.value} gets {role.label}{what}, by {takeover.trigger}",
            on=job,
            at=job.span_of("role"),
            severity=severity,
            confidence=Confidence.MEDIUM if takeover.is_guarded else Confidence.HIGH,
            related=(
                (takeover.place, "what starts it"),
                *(((code.span, "their code"),) if code is not None else ()),
                (role.resource.header, "the role"),
            ),
            hint="take the role only on pushes to a protected branch, and pin its subject to that",
            principal=role,
        )


def _severity(takeover: Takeover, standing: Standing) -> Severity | None:
    admin, sensitive, other = _SEVERITIES[takeover.starter]
    if standing.is_administrative:
        return admin
    return sensitive if standing is Standing.SENSITIVE else other
