from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.findings import Finding, Framework, Severity
from iam_preflight.graph.accounts import describe
from iam_preflight.graph.credentials import CredentialKind, is_of_partner
from iam_preflight.graph.handed_out import handed_out
from iam_preflight.rules import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.model import Graph

_KINDS = (CredentialKind.ACCESS_KEY, CredentialKind.PASSWORD)


class SharedCredentialForPartner(Rule):
    """A partner has a credential where a role would do.

    ## What it checks
    Access keys and console passwords of users whose name, path or tags mark them as a partner's
    (`partner_markers` in the settings), and secrets in which the code stores such a key or
    password while the secret's policy lets an external account read it.

    ## Why it matters
    The partner keeps the credential as long as it likes, and where it likes; you will not know
    when it leaks.

    ## How to fix
    Create a role that the partner's account may assume with an ExternalId, and delete the user.

    ## Example
    ```hcl
    # bad
    resource "aws_iam_access_key" "partner" {
      user = aws_iam_user.partner_upload.name
    }
    # good: a role whose trust policy has
    condition {
      test     = "StringEquals"
      variable = "sts:ExternalId"
      values   = ["0d4f6a2e-6c1b-4c0b-9c7e-2f1a7b3d5e90"]
    }
    ```
    """

    id = "EXT-008"
    name = "shared-credential-for-partner"
    severity = Severity.HIGH
    practice = 7
    yields_to = ("ROLE-002",)
    compliance = {
        Framework.NIST: ("AC-20", "IA-5"),
        Framework.ISO: ("A.5.17", "A.5.19"),
        Framework.WELL_ARCHITECTED: ("SEC03-BP09",),
    }
    references = (
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_common-scenarios_third-party.html",
    )

    def check_graph(self, graph: Graph) -> Iterator[Finding]:
        for credential in graph.credentials.of_kind(*_KINDS):
            owner = credential.owner
            if owner is None or not credential.is_active:
                continue
            if is_of_partner(owner, graph.settings):
                yield self.finding(
                    f"{credential.kind.value} for {owner.label}, somebody outside of the company",
                    on=credential.resource,
                    at=credential.resource.header,
                    related=((owner.resource.header, "its user"),),
                    hint="let the partner's account assume a role with an ExternalId",
                    causes=(credential.resource.header, owner.resource.header),
                    principal=owner,
                )
        for flow, grant in handed_out(graph):
            who = describe(grant.principal.pattern)
            yield self.finding(
                f"{who} may read the {flow.what} in {flow.sink.address}",
                on=grant.policy,
                at=grant.principal.span,
                related=(
                    (flow.place, "where it is stored"),
                    (flow.source.header, "where it is made"),
                ),
                hint="let the other account assume a role instead",
                causes=(grant.principal.span,),
                assumptions=grant.assumptions,
            )
