from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.findings import Confidence, Finding, Framework, Persona, Severity
from iam_preflight.graph.deputies import Deputy, deputies
from iam_preflight.knowledge.attribute_grants import condition_attributes
from iam_preflight.resources import Framework as Language
from iam_preflight.rules import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.model import Graph, Policy


class ServiceWithoutSource(Rule):
    """A service may use a resource on anybody's behalf.

    ## What it checks
    An Allow for a service principal in a resource policy, or a permission that amounts to one
    (`aws_lambda_permission`), without a condition that says for whose resource the service acts:
    `aws:SourceArn`, `aws:SourceAccount`, `aws:SourceOrgID`, or a key of the service's own
    such as `kms:EncryptionContext`. The policy is put before the service acting for a stranger's
    account, with every condition and `Deny`; a wildcard in the ARN is fine as long as it leaves
    the account, or the name of a bucket, fixed.

    Medium for invoking, publishing, sending, reading and writing; low for logs and images, where
    the stranger can add or spend but not read; a matter of hygiene for keys, with which a service
    only ever handles what is its customer's, for looking a resource up, and for logs under a
    path with the account's number. Services that do not say for whom they act are left alone,
    and where nobody knows it the confidence is low.

    Trust policies of roles are a matter of hygiene: a service can only be handed a role by who
    may pass it, so that strangers cannot. IAM Roles Anywhere, for which this does not hold, is
    FED-006.

    ## Why it matters
    Anybody can point their own topic, bucket or rule at your function, and the service will call
    it for them: the confused deputy.

    ## How to fix
    Name the source with `aws:SourceArn`, and with `aws:SourceAccount` where its ARN has no
    account, as a bucket's.

    ## Example
    ```hcl
    resource "aws_lambda_permission" "topic" {
      action        = "lambda:InvokeFunction"
      function_name = aws_lambda_function.resize.function_name
      principal     = "sns.amazonaws.com"
      source_arn    = aws_sns_topic.uploads.arn
    }
    ```
    """

    id = "EXT-009"
    name = "service-without-source"
    severity = Severity.MEDIUM
    practice = 7
    yields_to = ("EXT-007", "FED-006")
    compliance = {
        Framework.NIST: ("AC-3", "AC-4"),
        Framework.ISO: ("A.8.3",),
        Framework.WELL_ARCHITECTED: ("SEC03-BP07",),
    }
    equivalents = {
        "checkov": ("CKV_AWS_364",),
        "trivy": ("AVD-AWS-0067",),
        "regula": ("FG_R00499",),
        "prowler": ("iam_role_cross_service_confused_deputy_prevention",),
        "access-analyzer": ("RESTRICT_ACCESS_TO_SERVICE_PRINCIPAL",),
    }
    references = (
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html#cross-service-confused-deputy-prevention",
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-sourcearn",
    )

    def check_policy(self, policy: Policy, graph: Graph) -> Iterator[Finding]:
        for deputy in deputies(policy, graph):
            yield self._finding(deputy, policy)

    def _finding(self, deputy: Deputy, policy: Policy) -> Finding:
        is_hygiene = deputy.is_trust or deputy.is_of_key or deputy.severity is Severity.INFO
        verb = "assume" if deputy.is_trust else f"use {deputy.what} on"
        return self.finding(
            f"{deputy.who} may {verb} {policy.address} for anybody's resources",
            on=policy,
            at=deputy.place,
            severity=deputy.severity,
            confidence=deputy.confidence if deputy.is_known else Confidence.LOW,
            persona=Persona.PEDANTIC if is_hygiene else None,
            hint=_hint(deputy, policy),
            causes=(deputy.statement.span,),
            assumptions=deputy.assumptions,
        )


def _hint(deputy: Deputy, policy: Policy) -> str:
    """The conditions to add, or the attributes that stand for them.

    The ARN of a bucket does not say whose it is.
    """
    resource = policy.resource
    keys = ("aws:SourceArn", "aws:SourceAccount") if "s3." in deputy.who else ("aws:SourceArn",)
    found = condition_attributes(resource.type, *keys)
    if not found:
        return "add conditions on aws:SourceArn and aws:SourceAccount"
    if resource.deployment.framework is Language.CLOUDFORMATION:
        found = tuple(name.title().replace("_", "") for name in found)
    return f"set {' and '.join(found)}"
