from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.findings import Finding, Framework, Severity
from iam_preflight.graph.federation import web_identities
from iam_preflight.graph.trust import label_of, role_of
from iam_preflight.knowledge.issuers import IssuerKind
from iam_preflight.rules import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.federation import WebIdentity
    from iam_preflight.graph.model import Graph, Policy

_AUDIENCES = ("aud", "azp", "oaud", "app_id")


class WebIdentityWithoutAudience(Rule):
    """A web identity's audience is not checked.

    ## What it checks
    A trust policy for an OpenID Connect provider without a positive condition on the token's
    audience. IAM itself only lets in tokens for one of the provider's client ids, so this is low
    as long as there is one; medium where the provider in the code has several, because then
    tokens that were made for another purpose are good for this role too. Cognito is told by
    FED-006.

    ## Why it matters
    A token that somebody obtained for another service, and that was leaked or passed on there,
    can be used for the role.

    ## How to fix
    Add the condition `StringEquals` on `<issuer>:aud` with the audience that is asked for, for
    most pipelines `sts.amazonaws.com`.

    ## Example
    ```hcl
    condition {
      test     = "StringEquals"
      variable = "token.actions.githubusercontent.com:aud"
      values   = ["sts.amazonaws.com"]
    }
    ```
    """

    id = "FED-003"
    name = "web-identity-without-audience"
    severity = Severity.LOW
    practice = 11
    yields_to = ("SEG-007", "FED-001")
    compliance = {Framework.NIST: ("IA-8",), Framework.ISO: ("A.8.5",)}
    equivalents = {"access-analyzer": ("CONFIRM_AUDIENCE_CLAIM_TYPE",)}
    references = (
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_create_for-idp_oidc.html",
    )

    def check_policy(self, policy: Policy, graph: Graph) -> Iterator[Finding]:
        for identity in web_identities(policy, graph):
            is_asked = any(not _is_open(identity, claim) for claim in _AUDIENCES)
            if is_asked or identity.is_closed or identity.issuer.kind is IssuerKind.POOL:
                continue
            accepted = identity.audiences or ()
            provider = identity.provider
            usual = ", ".join(identity.issuer.audiences)
            yield self.finding(
                f"{label_of(policy)} accepts tokens of {identity.issuer.name} for any audience"
                + (f" of {' and '.join(accepted)}" * (len(accepted) > 1)),
                on=policy,
                principal=role_of(policy),
                at=identity.principal.span,
                severity=Severity.MEDIUM if len(accepted) > 1 else None,
                related=((provider.header, "the provider"),) if provider is not None else (),
                hint=f"add the condition StringEquals {identity.host or '<issuer>'}:aud"
                + (f" = {usual}" * bool(usual)),
                causes=(identity.statement.span,),
                assumptions=identity.statement.assumptions,
            )


def _is_open(identity: WebIdentity, claim: str) -> bool:
    """Whether no condition asks for a claim, or any value will do."""
    return all(
        any(not value.text.strip("*?") for value in test.condition.values)
        for test in identity.tests_of(claim)
    )
