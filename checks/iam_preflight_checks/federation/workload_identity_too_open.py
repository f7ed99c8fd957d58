from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.findings import Confidence, Finding, Framework, Severity
from iam_preflight.graph.trust import as_shown, label_of, role_of
from iam_preflight.graph.workload_identity import (
    Weakness,
    cluster_identities,
    guest_role,
    identity_pools,
    may_change,
    weaknesses,
)
from iam_preflight.rules import Rule
from iam_preflight.values import bool_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.model import Graph, Policy
    from iam_preflight.resources import Resource


class WorkloadIdentityTooOpen(Rule):
    """A role for pods, servers or app users lets too many of them in.

    ## What it checks
    - A role for service accounts of an EKS cluster whose `sub` is not one service account: any
      namespace is high, any service account of a namespace medium.
    - A role for EKS Pod Identity that may do something sensitive on everything, without a
      condition on the cluster, namespace or service account (`aws:RequestTag/kubernetes-…`) or on
      `aws:SourceArn` or `aws:SourceAccount`: whoever may pass it can give it to any pod. Medium.
    - A role for IAM Roles Anywhere without `aws:SourceArn`, so that any trust anchor of the
      account will do: high. Without a condition on the certificate (`aws:PrincipalTag/x509…`)
      every certificate of that authority will: medium for roles that may do something sensitive
      on everything, low for others.
    - A role for a Cognito identity pool without `…:aud`, which every identity pool of every account
      gets into: critical. Without `…:amr` people who have not signed in may get it too: medium.
      With `…:amr` for the unauthenticated it is high if the role may do something sensitive on
      everything.
    - An identity pool that lets in people who have not signed in: high where the role it gives
      them may do something sensitive on everything, medium where it may change anything or is not
      in the code, low otherwise.

    ## Why it matters
    A single compromised pod, certificate or web page is then enough for the role.

    ## How to fix
    Pin the service account (`system:serviceaccount:<namespace>:<name>`), the trust anchor and a
    field of the certificate, or the identity pool and `authenticated`.

    ## Example
    ```hcl
    # bad
    test     = "StringLike"
    variable = "oidc.eks.eu-west-1.amazonaws.com/id/EXAMPLE:sub"
    values   = ["system:serviceaccount:*:external-dns"]
    # good
    test     = "StringEquals"
    values   = ["system:serviceaccount:kube-system:external-dns"]
    ```
    """

    id = "FED-006"
    name = "workload-identity-too-open"
    severity = Severity.HIGH
    practice = 11
    reads = ("aws_cognito_identity_pool", "aws_cognito_identity_pool_roles_attachment")
    yields_to = ("SEG-007",)
    compliance = {
        Framework.NIST: ("IA-9", "AC-6"),
        Framework.ISO: ("A.8.5",),
        Framework.WELL_ARCHITECTED: ("SEC02-BP02", "SEC03-BP02"),
    }
    equivalents = {
        "checkov": ("CKV_AWS_366",),
        "cfn_nag": ("W57",),
        "prowler": ("rolesanywhere_profile_restricts_session_permissions",),
    }
    references = (
        "https://docs.aws.amazon.com/eks/latest/userguide/associate-service-account-role.html",
        "https://docs.aws.amazon.com/eks/latest/userguide/pod-id-abac.html",
        "https://docs.aws.amazon.com/rolesanywhere/latest/userguide/trust-model.html",
        "https://docs.aws.amazon.com/cognito/latest/developerguide/role-trust-and-permissions.html",
    )

    def check_policy(self, policy: Policy, graph: Graph) -> Iterator[Finding]:
        found = (
            *cluster_identities(policy, graph),
            *identity_pools(policy, graph),
            *weaknesses(policy, graph),
        )
        for weakness in found:
            yield self._finding(policy, weakness)

    def check_resource(self, resource: Resource, graph: Graph) -> Iterator[Finding]:
        if bool_of(resource.get("allow_unauthenticated_identities")) is not True:
            return
        role = guest_role(resource, graph)
        severity, what = Severity.MEDIUM, "a role"
        if role is not None:
            what = role.label
            if graph.standing(role).is_privileged:
                severity = Severity.HIGH
            elif not may_change(role, graph):
                severity = Severity.LOW
        yield self.finding(
            f"anybody, without signing in, gets {what} from {resource.address}",
            on=resource,
            at=resource.span_of("allow_unauthenticated_identities"),
            severity=severity,
            related=((role.resource.header, "the role"),) if role is not None else (),
            hint="set it to false, and let people sign in",
            causes=(resource.span_of("allow_unauthenticated_identities"),),
        )

    def _finding(self, policy: Policy, weakness: Weakness) -> Finding:
        return self.finding(
            f"{weakness.who} may assume {label_of(policy)}",
            on=policy,
            principal=role_of(policy),
            at=weakness.place,
            severity=as_shown(weakness.severity, policy),
            confidence=Confidence.HIGH if weakness.is_sure else Confidence.MEDIUM,
            related=((policy.resource.header, "the role"),),
            hint=weakness.hint,
            causes=(weakness.statement.span,),
            assumptions=weakness.statement.assumptions,
        )
