from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.findings import Finding, Framework, Severity
from iam_preflight.rules import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.model import Graph, Principal
    from iam_preflight.resources import Resource

CREDENTIALS = {
    "aws_iam_access_key": "an access key",
    "aws_iam_user_login_profile": "a console password",
    "aws_iam_user_ssh_key": "an SSH key",
    "aws_iam_service_specific_credential": "a service-specific credential",
}


class IamUser(Rule):
    """An IAM user is defined where a role or federation should be used.

    ## What it checks
    Every IAM user. Medium by itself; high when the code also gives it an access key, a console
    password, an SSH key or another long-lived credential. Users listed under
    `break_glass_users` in the settings are left alone.

    ## Why it matters
    A user's credentials live until somebody removes them, and they leak: into repositories,
    laptops and build logs. Sessions of a role end by themselves.

    ## How to fix
    People: IAM Identity Center. Pipelines: a role with an OIDC trust policy. Workloads: the
    role of the service they run on. Then delete the user.

    ## Example
    ```hcl
    resource "aws_iam_role" "ci" {
      assume_role_policy   = data.aws_iam_policy_document.github.json
      max_session_duration = 3600
    }
    ```
    """

    id = "ROLE-001"
    name = "iam-user"
    severity = Severity.MEDIUM
    practice = 1
    reads = tuple(CREDENTIALS)
    compliance = {
        Framework.CIS: ("1.21", "1.20", "2.19"),
        Framework.NIST: ("AC-2", "IA-2", "IA-8"),
        Framework.ISO: ("A.5.16", "A.5.17"),
        Framework.WELL_ARCHITECTED: ("SEC02-BP02", "SEC02-BP04"),
    }
    equivalents = {"checkov": ("CKV_AWS_273",)}
    references = (
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/best-practices.html#lock-away-credentials",
    )

    def check_principal(self, principal: Principal, graph: Graph) -> Iterator[Finding]:
        if not principal.is_user:
            return
        name = principal.name.text
        if principal.is_listed(graph.settings.break_glass_users):
            return
        credentials = list(_credentials(principal, graph))
        suffix = f" with {CREDENTIALS[credentials[0].type]}" if credentials else ""
        yield self.finding(
            f"IAM user {name}{suffix}",
            on=principal,
            at=principal.resource.header,
            severity=Severity.HIGH if credentials else None,
            related=[(found.header, CREDENTIALS[found.type]) for found in credentials],
            hint="use a role that is assumed with short sessions, or IAM Identity Center",
            evidence=name,
        )


def _credentials(principal: Principal, graph: Graph) -> Iterator[Resource]:
    for resource in graph.of_type(*CREDENTIALS):
        owner = graph.principal_named(resource, "user") or graph.principal_named(
            resource, "user_name"
        )
        if owner is principal:
            yield resource
