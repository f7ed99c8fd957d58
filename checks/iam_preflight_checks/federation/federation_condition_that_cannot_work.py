from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.findings import Finding, Framework, Severity
from iam_preflight.graph.federation_faults import faults
from iam_preflight.graph.trust import as_shown, role_of
from iam_preflight.rules import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.model import Graph, Policy


class FederationConditionThatCannotWork(Rule):
    """A condition on a federated identity cannot work.

    ## What it checks
    Trust policies for OpenID Connect and SAML providers with a condition that no token meets, or
    that does not ask what it seems to ask:

    - `StringEquals` with a `*` in the value, which is a character there;
    - a key of another issuer: a wrong host, a missing path, a left-over `https://` or `/`;
    - a subject that cannot be one of the issuer's (`my-org/my-repo` without `repo:`);
    - an audience that the provider in the code does not accept, or for SAML one that is not
      AWS's sign-in endpoint;
    - `ForAllValues` and `…IfExists` on `sub` or `aud`, which pass without the claim. They only
      hold because every token has these two;
    - an action for another kind of provider than the one that is trusted.

    ## Why it matters
    A role that nobody can assume is soon "repaired" with a wildcard, and a condition that passes
    when its key is missing protects until somebody copies it to a key that may be.

    ## How to fix
    Write the condition as the hint has it.

    ## Example
    ```hcl
    # bad
    test     = "StringEquals"
    variable = "token.actions.githubusercontent.com:sub"
    values   = ["repo:my-org/my-repo:*"]
    # good
    values   = ["repo:my-org/my-repo:ref:refs/heads/main"]
    ```
    """

    id = "FED-004"
    name = "federation-condition-that-cannot-work"
    severity = Severity.MEDIUM
    practice = 11
    compliance = {Framework.NIST: ("IA-8",), Framework.ISO: ("A.8.9",)}
    equivalents = {
        "checkov": ("CKV_AWS_358",),
        "access-analyzer": ("MISMATCHED_ACTION_FOR_PRINCIPAL",),
    }
    references = (
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_iam-condition-keys.html#condition-keys-wif",
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html",
    )

    def check_policy(self, policy: Policy, graph: Graph) -> Iterator[Finding]:
        seen: set[tuple[int, str]] = set()
        for fault in faults(policy, graph):
            key = (fault.span.start, fault.message)
            if key in seen:
                continue
            seen.add(key)
            yield self.finding(
                fault.message,
                on=policy,
                principal=role_of(policy),
                at=fault.span,
                severity=as_shown(self.severity, policy),
                related=((policy.resource.header, "the role"),),
                hint=fault.hint,
                causes=(fault.span,),
                assumptions=fault.statement.assumptions,
            )
