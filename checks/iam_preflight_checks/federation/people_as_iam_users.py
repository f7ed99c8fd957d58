from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.findings import Confidence, Finding, Framework, Severity
from iam_preflight.graph.credentials import CredentialKind
from iam_preflight.policy.document import DocumentUse
from iam_preflight.policy.match import action_matches, any_of
from iam_preflight.policy.truth import Truth
from iam_preflight.rules import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.model import Graph
    from iam_preflight.policy.document import Statement
    from iam_preflight.resources import Resource

_FEDERATION = (
    "aws_iam_saml_provider",
    "aws_ssoadmin_permission_set",
    "aws_ssoadmin_account_assignment",
    "aws_identitystore_user",
    "aws_identitystore_group",
)
_OUTBOUND = "aws_iam_outbound_web_identity_federation"
_TOKEN = "sts:GetWebIdentityToken"  # noqa: S105


class PeopleAsIamUsers(Rule):
    """People are IAM users.

    ## What it checks
    IAM users with a console password, who are therefore people. Medium where the code also
    federates people (IAM Identity Center, a SAML provider): then some leave with their account in
    the directory and some stay. Low where there is no federation at all. Users listed under
    `break_glass_users` in the settings are left alone. That there is an IAM user is ROLE-001,
    that the password has no second factor MFA-003; this rule is mentioned with them.

    It also looks the other way: where outbound federation is switched on in the code, an Allow
    of `sts:GetWebIdentityToken` without a condition on `sts:IdentityTokenAudience` lets a workload
    prove its identity to any service outside of AWS. Medium.

    ## Why it matters
    A person who leaves keeps their IAM user until somebody remembers it.

    ## How to fix
    Give people access through IAM Identity Center or a SAML provider, and delete their users.

    ## Example
    ```hcl
    # bad
    resource "aws_iam_user_login_profile" "alice" {
      user = aws_iam_user.alice.name
    }
    # good
    resource "aws_ssoadmin_account_assignment" "developers" {
      instance_arn       = local.instance_arn
      permission_set_arn = aws_ssoadmin_permission_set.developer.arn
      principal_id       = aws_identitystore_group.developers.group_id
      principal_type     = "GROUP"
      target_id          = "111122223333"
      target_type        = "AWS_ACCOUNT"
    }
    ```
    """

    id = "FED-008"
    name = "people-as-iam-users"
    severity = Severity.LOW
    practice = 11
    reads = (_OUTBOUND,)
    yields_to = ("ROLE-001", "MFA-003")
    compliance = {
        Framework.CIS: ("1.21", "1.20", "2.19"),
        Framework.NIST: ("IA-2", "IA-8"),
        Framework.ISO: ("A.5.16",),
        Framework.WELL_ARCHITECTED: ("SEC02-BP04",),
    }
    equivalents = {
        "checkov": ("CKV_AWS_273",),
        "kics": ("9ec311bf",),
        "prowler": ("iam_check_saml_providers_sts",),
    }
    references = (
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/best-practices.html#bp-users-federation-idp",
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_outbound.html",
    )

    def check_graph(self, graph: Graph) -> Iterator[Finding]:
        federated = next(iter(graph.of_type(*_FEDERATION)), None)
        for password in graph.credentials.of_kind(CredentialKind.PASSWORD):
            owner = password.owner
            if owner is not None and owner.is_listed(graph.settings.break_glass_users):
                continue
            places = [] if owner is None else [owner.resource.header]
            yield self.finding(
                f"{password.user_label} is a person who signs in with a password of IAM"
                + (", while others are federated" * (federated is not None)),
                on=password.resource,
                at=password.resource.header,
                severity=Severity.MEDIUM if federated is not None else Severity.LOW,
                related=() if federated is None else ((federated.header, "the others"),),
                hint="give them access through IAM Identity Center and delete the user",
                causes=(password.resource.header, *places),
                principal=owner,
            )
        outbound = next(iter(graph.of_type(_OUTBOUND)), None)
        if outbound is not None:
            yield from self._tokens(outbound, graph)

    def _tokens(self, outbound: Resource, graph: Graph) -> Iterator[Finding]:
        for statement, policy in graph.statements(DocumentUse.IDENTITY):
            if _gives_tokens(statement):
                yield self.finding(
                    f"tokens for any service outside of AWS to whoever holds {policy.address}",
                    on=policy,
                    at=statement.actions[0].span,
                    severity=Severity.MEDIUM,
                    confidence=Confidence.HIGH,
                    related=((outbound.header, "outbound federation is switched on"),),
                    hint="add the condition ForAllValues:StringEquals sts:IdentityTokenAudience",
                    causes=(statement.span,),
                    assumptions=statement.assumptions,
                )


def _gives_tokens(statement: Statement) -> bool:
    """Whether a statement names the action, and asks for no audience."""
    if not statement.is_allow or statement.is_not_action:
        return False
    named = any_of(action_matches(p, _TOKEN) for p in statement.actions if p.text != "*")
    return named is Truth.YES and not any(
        condition.key_name == "sts:identitytokenaudience" for condition in statement.conditions
    )
