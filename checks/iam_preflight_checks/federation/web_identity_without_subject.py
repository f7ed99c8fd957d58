from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.findings import Confidence, Finding, Framework, Severity
from iam_preflight.graph.federation import web_identities, whoever
from iam_preflight.graph.trust import as_shown, label_of, role_of
from iam_preflight.knowledge.issuers import IssuerKind, Level
from iam_preflight.rules import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.federation import WebIdentity
    from iam_preflight.graph.model import Graph, Policy

_ELSEWHERE = (IssuerKind.CLUSTER, IssuerKind.POOL)


class WebIdentityWithoutSubject(Rule):
    """A role trusts every token of an identity provider.

    ## What it checks
    A trust policy for an OpenID Connect provider in which no condition asks who holds the token:
    no positive test of `sub`, nor of another claim that says it and that AWS passes on for the
    issuer (`repository_id` or `job_workflow_ref` of GitHub, the client of Google). A condition on
    `aud` says for whom a token is meant, not whose it is; a negated one lets in everybody else.
    A `Deny` for all other subjects counts as a test.

    Critical where customers who have nothing to do with each other get tokens from the same issuer
    (GitHub Actions, GitLab.com, HCP Terraform, Buildkite, Google); high where the issuer's URL is
    one company's; medium for issuers named under `oidc_issuers` in the settings and for
    applications that at least check their audience. EKS clusters and Cognito are told by FED-006.

    ## Why it matters
    Anybody can have a pipeline at GitHub, ask for a token for `sts.amazonaws.com`, and take the
    role. AWS refuses new policies of this kind for the best known issuers, not for all, and lets
    existing ones be.

    ## How to fix
    Add a condition `StringEquals` on `<issuer>:sub` with the repository and the branch or
    environment that needs the role.

    ## Example
    ```hcl
    condition {
      test     = "StringEquals"
      variable = "token.actions.githubusercontent.com:sub"
      values   = ["repo:my-org/my-repo:environment:prod"]
    }
    ```
    ```yaml
    Condition:
      StringEquals:
        token.actions.githubusercontent.com:sub: repo:my-org/my-repo:environment:prod
    ```
    """

    id = "FED-001"
    name = "web-identity-without-subject"
    severity = Severity.CRITICAL
    practice = 11
    yields_to = ("SEG-007",)
    compliance = {
        Framework.NIST: ("IA-8", "IA-9", "AC-3"),
        Framework.ISO: ("A.5.16", "A.8.5", "A.5.19"),
        Framework.WELL_ARCHITECTED: ("SEC02-BP04",),
    }
    equivalents = {
        "checkov": ("CKV_AWS_358", "CKV_AWS_393"),
        "semgrep": ("unrestricted-github-oidc-policy",),
        "access-analyzer": ("MISSING_CONDITION_KEY_FOR_OIDC_PRINCIPAL",),
    }
    references = (
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_oidc_secure-by-default.html",
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_create_for-idp_oidc.html#idp_oidc_Create_GitHub",
    )

    def check_policy(self, policy: Policy, graph: Graph) -> Iterator[Finding]:
        for identity in web_identities(policy, graph):
            if identity.issuer.kind in _ELSEWHERE or identity.is_closed or identity.identifying:
                continue
            example = identity.issuer.example
            key = f"{identity.host or '<issuer>'}:sub"
            yield self.finding(
                f"{whoever(identity, Level.TENANT)} may assume {label_of(policy)}",
                on=policy,
                principal=role_of(policy),
                at=identity.principal.span,
                severity=as_shown(_severity(identity, graph), policy),
                confidence=Confidence.HIGH if identity.host else Confidence.MEDIUM,
                related=((policy.resource.header, "the role"),),
                hint=f"add the condition StringEquals {key}" + (f" = {example}" * bool(example)),
                causes=(identity.statement.span,),
                assumptions=(
                    *identity.statement.assumptions,
                    *identity.principal.pattern.assumptions,
                ),
            )


def _severity(identity: WebIdentity, graph: Graph) -> Severity:
    if identity.issuer.is_shared:
        return Severity.CRITICAL
    is_of_people = identity.issuer.kind in (IssuerKind.APP, IssuerKind.SERVICE)
    if identity.is_own(graph) or (is_of_people and identity.tests_of("aud")):
        return Severity.MEDIUM
    return Severity.HIGH
