from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.findings import Finding, Framework, Persona, Severity
from iam_preflight.graph.federation import SAML
from iam_preflight.graph.trust import (
    as_shown,
    grants,
    is_positive,
    label_of,
    lets_assume,
    role_of,
    standing_behind,
)
from iam_preflight.rules import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.model import Graph, Policy
    from iam_preflight.policy.document import Statement

_AUDIENCE = frozenset({"saml:aud", "saml:recipient"})
_LIMITS = ("saml:", "aws:principaltag/", "aws:requesttag/", "aws:sourceidentity")


class SamlWithoutAudience(Rule):
    """A role accepts SAML assertions for any audience.

    ## What it checks
    A trust policy that allows `sts:AssumeRoleWithSAML` without a positive condition on `SAML:aud`.
    For a role that is or can become an administrator it also asks, as a matter of hygiene, for a
    second condition on the assertion: its issuer, a group, a session tag. Roles of IAM Identity
    Center are left alone. A condition on `SAML:aud` with a value that is not AWS's is FED-004.

    ## Why it matters
    An assertion that was made for another service provider can be replayed to AWS.

    ## How to fix
    Add the condition `StringEquals: {"SAML:aud": "https://signin.aws.amazon.com/saml"}`, with the
    regional endpoints where you sign in to these.

    ## Example
    ```hcl
    condition {
      test     = "StringEquals"
      variable = "SAML:aud"
      values   = ["https://signin.aws.amazon.com/saml"]
    }
    ```
    """

    id = "FED-005"
    name = "saml-without-audience"
    severity = Severity.MEDIUM
    practice = 11
    yields_to = ("SEG-007",)
    compliance = {
        Framework.NIST: ("IA-8",),
        Framework.ISO: ("A.8.5", "A.5.16"),
        Framework.WELL_ARCHITECTED: ("SEC02-BP04",),
    }
    references = (
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_create_for-idp_saml.html",
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_iam-condition-keys.html#condition-keys-saml",
    )

    def check_policy(self, policy: Policy, graph: Graph) -> Iterator[Finding]:
        role = role_of(policy)
        if role is not None and role.is_from_identity_center:
            return
        seen: set[int] = set()
        for grant in grants(policy, graph.accounts):
            statement = grant.statement
            if not grant.is_federated or ":oidc-provider/" in grant.principal.pattern.text:
                continue
            if statement.index in seen or not lets_assume(statement, (SAML,)):
                continue
            seen.add(statement.index)
            keys = {c.key_name for c in statement.conditions if is_positive(c)}
            if not keys & _AUDIENCE:
                message = f"{label_of(policy)} accepts SAML assertions for any audience"
                severity, persona = Severity.MEDIUM, Persona.REGULAR
                hint = (
                    "add the condition StringEquals SAML:aud = https://signin.aws.amazon.com/saml"
                )
            elif standing_behind(policy, graph).is_administrative and not _has_limits(statement):
                standing = standing_behind(policy, graph).describe()
                message = f"whoever the provider sends may assume {label_of(policy)}, {standing}"
                severity, persona = Severity.LOW, Persona.PEDANTIC
                hint = "ask for a group or a session tag of the assertion too"
            else:
                continue
            yield self.finding(
                message,
                on=policy,
                principal=role,
                at=grant.principal.span,
                severity=as_shown(severity, policy),
                persona=persona,
                related=((policy.resource.header, "the role"),),
                hint=hint,
                causes=(statement.span,),
                assumptions=(*statement.assumptions, *grant.principal.pattern.assumptions),
            )


def _has_limits(statement: Statement) -> bool:
    """Whether something else than the audience is asked of the assertion."""
    return any(
        condition.key_name.startswith(_LIMITS) and condition.key_name not in _AUDIENCE
        for condition in statement.conditions
    )
