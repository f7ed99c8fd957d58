from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.findings import Confidence, Finding, Framework, Severity
from iam_preflight.graph.openness import METHOD, Moderation, moderation
from iam_preflight.knowledge.attribute_grants import cure_of
from iam_preflight.policy.document import DocumentUse
from iam_preflight.rules import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.admission import Admission
    from iam_preflight.graph.model import Graph, Policy


class ResourceOpenToEveryone(Rule):
    """A resource policy is open to everyone.

    ## What it checks
    A resource policy, or a permission, share or access list that amounts to one, which lets in
    callers that it does not name: `"Principal": "*"`, `"AWS": "*"`, `NotPrincipal` with `Allow`,
    a function URL without authorization, a snapshot shared with `all`. The policy is put before
    an anonymous caller, a caller from a foreign account and an AWS service that acts for a
    foreign account, with every condition and every `Deny`. What is not tested by any condition is
    open; what pins the organization, the account, the source, the VPC or a network is not.

    How bad it is depends on the worst action: writing and managing is critical, reading high,
    listing medium. It is milder where something else stands in the way: a public access block
    (low: the policy only waits for the block to be lifted), a domain inside a VPC or with its own
    users, a resource that only answers inside a network. A bucket that serves a website may be
    read (low). An API's policy counts only for private APIs and where a method in the code has
    callers sign (`AWS_IAM`): other APIs are public anyway. A public repository of images may be
    read by everybody, but not written to.
    Without a public access block in the code the confidence is medium: buckets made since
    April 2023 are blocked unless somebody lifts it.

    ## Why it matters
    Anybody on the internet, or anybody with an AWS account, can use what the policy allows.

    ## How to fix
    Name the principals. Where they are many, keep `*` and add `aws:PrincipalOrgID`; for a service
    that calls on your behalf, name the service and add `aws:SourceArn` or `aws:SourceAccount`.
    What is public on purpose is named under `public_ok` in `.iam-preflight.yaml`.

    ## Example
    ```hcl
    # bad
    statement {
      actions   = ["sqs:SendMessage"]
      resources = [aws_sqs_queue.orders.arn]
      principals {
        type        = "*"
        identifiers = ["*"]
      }
    }
    # good: the same, with
    condition {
      test     = "StringEquals"
      variable = "aws:PrincipalOrgID"
      values   = ["o-a1b2c3d4e5"]
    }
    ```
    """

    id = "EXT-007"
    name = "resource-open-to-everyone"
    severity = Severity.CRITICAL
    practice = 7
    reads = (METHOD,)
    compliance = {
        Framework.CIS: ("2.21", "2.1.4"),
        Framework.NIST: ("AC-3", "SC-7"),
        Framework.ISO: ("A.8.3",),
        Framework.FSBP: ("S3.2", "S3.3", "KMS.5", "Lambda.1", "SNS.4", "SQS.3"),
        Framework.WELL_ARCHITECTED: ("SEC03-BP07",),
    }
    equivalents = {
        "checkov": (
            "CKV_AWS_32",
            "CKV_AWS_33",
            "CKV_AWS_70",
            "CKV_AWS_72",
            "CKV_AWS_167",
            "CKV_AWS_168",
            "CKV_AWS_169",
            "CKV_AWS_258",
            "CKV_AWS_283",
            "CKV_AWS_301",
            "CKV_AWS_387",
            "CKV2_AWS_43",
        ),
        "kics": (
            "16c4216a-50d3-4785-bfb2-4adb5144a8ba",
            "1d6e16f1-5d8a-4379-bfb3-2dadd38ed5a7",
            "1df37f4b-7197-45ce-83f8-9994d2fcf885",
            "456b00a3-1072-4149-9740-6b8bb60251b0",
            "7af43613",
            "7ebc9038",
            "730675f9",
            "816ea8cf-d589-442d-a917-2dd0ce0e45e3",
            "abb06e5f-ef9a-4a99-98c6-376d396bfcdf",
            "ad9dabc7-7839-4bae-a957-aa9120013f39",
            "ae53ce91-42b5-46bf-a84f-9a13366a4f13",
            "b26d2b7e-60f6-413d-a3a1-a57db24aa2b3",
            "d25edb51-07fb-4a73-97d4-41cecdc53a22",
            "e08ed7eb-f3ef-494d-9d22-2e3db756a347",
            "f6049677-ec4a-43af-8779-5190b6d03cba",
            "fa00ce45-386d-4718-8392-fb485e1f3c5b",
        ),
        "trivy": ("AVD-AWS-0032", "AVD-AWS-0097"),
        "cfn_nag": ("F6", "F7", "F8", "F9", "F13", "F16", "F18", "F21", "F76"),
        "cfripper": (
            "GenericResourceWildcardPrincipalRule",
            "SNSTopicPolicyNotPrincipalRule",
            "SQSQueuePolicyNotPrincipalRule",
            "SQSQueuePolicyPublicRule",
        ),
        "regula": ("FG_R00210", "FG_R00211", "FG_R00252", "FG_R00276", "FG_R00049"),
        "terrascan": ("AC_AWS_0084", "AC_AWS_0162", "AC_AWS_0365", "AC_AWS_0385", "AC_AWS_0501"),
        "access-analyzer": ("CheckNoPublicAccess", "ALLOW_WITH_NOT_PRINCIPAL"),
    }
    references = (
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html#principal-anonymous",
        "https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html#access-control-block-public-access-policy-status",
    )

    def check_policy(self, policy: Policy, graph: Graph) -> Iterator[Finding]:
        if policy.use is not DocumentUse.RESOURCE:
            return
        for admission in graph.admissions.everyone(policy):
            found = moderation(graph, policy, admission)
            if found is not None:
                yield self._finding(admission, policy, found)

    def _finding(self, admission: Admission, policy: Policy, found: Moderation) -> Finding:
        anyone = found.who or admission.entry.route.value
        who = " ".join(filter(None, (anyone, admission.entry.need.value)))
        if admission.principal is None:
            who += " but those it names"
        cure = cure_of(policy.resource.type, admission.place.text.strip("\"' "))
        tail = f" ({found.reason})" if found.reason else ""
        return self.finding(
            f"{who} may use {admission.what} on {policy.address}{tail}",
            on=policy,
            at=admission.place,
            severity=found.severity,
            confidence=min(admission.confidence, found.confidence or Confidence.HIGH),
            related=((place, label) for place, label in found.related),
            hint=cure
            or "name who may, or add a condition StringEquals aws:PrincipalOrgID with your "
            "organization's id",
            causes=(admission.statement.span,),
            assumptions=admission.assumptions,
        )
