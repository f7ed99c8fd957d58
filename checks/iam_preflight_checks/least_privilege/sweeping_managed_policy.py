from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.findings import Finding, Framework, Persona, Severity
from iam_preflight.graph.documents import Power, power_of
from iam_preflight.graph.exposure import is_exempt
from iam_preflight.graph.gifts import gifts_of
from iam_preflight.knowledge.managed import is_made_to_measure, managed_policies
from iam_preflight.open_actions import SEVERITIES
from iam_preflight.rules import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.gifts import Gift
    from iam_preflight.graph.model import Attachment, Graph, OutsideAttachment, Policy


class SweepingManagedPolicy(Rule):
    """An AWS-managed policy gives every resource of a service away.

    ## What it checks
    AWS-managed policies that are attached to users, groups, roles and permission sets, in any
    partition, by ARN, by name or through a data source: those that allow, on every resource, all
    that a service can do (`AmazonS3FullAccess`, `AWSLambda_FullAccess`, `SecretsManagerReadWrite`),
    to change the permissions of anything, or to make credentials of anybody. Decided from AWS's
    documents, not from a list of names. One finding for each attachment.

    High for services that hold identities, keys, secrets, data or code, and medium for the others.
    Milder where the holder's permissions boundary, control policies or denials leave nothing of
    it. Policies that make an administrator are the business of LEAST-002.

    With the persona *pedantic*: policies that only read, but data of any name (`ReadOnlyAccess`,
    `AmazonS3ReadOnlyAccess`, `AmazonSSMManagedInstanceCore`), and those that AWS cuts for one
    service or job (`service-role/…`, `job-function/…`); with *auditor*, where these only read.
    Holders listed under `admin_roles` and `break_glass_roles` or `break_glass_users` in the
    settings are left alone.

    ## Why it matters
    AWS writes these policies for every customer, so they cannot name your buckets, tables or
    functions: a function that needs one bucket may empty and publish them all. They also grow
    with each new feature of the service, without anybody here having a say.

    ## How to fix
    Attach a policy of your own that lists the actions that are called, on the resources that they
    are called for. Where reading is enough, AWS often has a `…ReadOnlyAccess` beside it, which
    still reads everything.

    ## Example
    ```yaml
    Policies:
      - PolicyName: orders
        PolicyDocument:
          Version: "2012-10-17"
          Statement:
            - Effect: Allow
              Action: [s3:GetObject, s3:PutObject]
              Resource: !Sub ${Orders.Arn}/*
    ```
    """

    id = "LEAST-017"
    name = "sweeping-managed-policy"
    severity = Severity.MEDIUM
    practice = 2
    yields_to = (
        "LEAST-001",
        "LEAST-002",
        "LEAST-007",
        "ESC-001",
        "ESC-002",
        "ESC-003",
        "ESC-004",
        "ESC-008",
    )
    compliance = {
        Framework.NIST: ("AC-6", "AC-6(1)"),
        Framework.ISO: ("A.5.18", "A.8.2"),
        Framework.WELL_ARCHITECTED: ("SEC03-BP02",),
    }
    equivalents = {
        "cloudsplaining": ("ServiceWildcard", "ResourceExposure", "DataExfiltration"),
        "config": ("IAM_POLICY_BLACKLISTED_CHECK",),
        "prowler": ("bedrock_full_access_policy_attached",),
    }
    references = (
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/best-practices.html#bp-use-aws-defined-policies",
        "https://docs.aws.amazon.com/aws-managed-policy/latest/reference/policy-list.html",
    )

    def check_graph(self, graph: Graph) -> Iterator[Finding]:
        for policy in graph.managed:
            gifts = gifts_of(policy, graph)
            if not gifts or power_of(policy.document, graph) is not Power.NONE:
                continue
            for attachment in policy.attachments:
                if not is_exempt(attachment.principal, graph.settings):
                    yield self._held(attachment, gifts, graph)
            for outside in graph.outside:
                if outside.policy is policy:
                    yield self._held_outside(outside, gifts)

    def _held(self, attachment: Attachment, gifts: list[Gift], graph: Graph) -> Finding:
        principal, policy = attachment.principal, attachment.policy
        severity, persona = _severity(policy, gifts)
        is_left = any(gift.is_left(policy, attachment, graph) for gift in gifts)
        return self.finding(
            f"{principal.label} holds {policy.name}: it may {_told(gifts)}"
            + ("" if is_left else ", limited by other policies"),
            on=principal,
            at=attachment.place,
            severity=severity if is_left else severity.lowered(2),
            persona=persona,
            related=((principal.resource.header, "the holder"),),
            hint=_hint(policy, gifts),
            evidence=policy.name,
            assumptions=attachment.assumptions,
        )

    def _held_outside(self, outside: OutsideAttachment, gifts: list[Gift]) -> Finding:
        kind, policy = outside.kind.value.replace("_", " "), outside.policy
        severity, persona = _severity(policy, gifts)
        return self.finding(
            f"a {kind} that is not in the code gets {policy.name}: it may {_told(gifts)}",
            on=outside.resource,
            at=outside.place,
            severity=severity,
            persona=persona,
            hint=_hint(policy, gifts),
            evidence=policy.name,
            assumptions=outside.assumptions,
        )


def _severity(policy: Policy, gifts: list[Gift]) -> tuple[Severity, Persona]:
    first = gifts[0]
    severity = SEVERITIES[first.worth].lowered(first.is_contextual)
    reasons = (not first.changes, is_made_to_measure(policy.name))
    return severity.lowered(any(reasons)), Persona(sum(reasons))


def _told(gifts: list[Gift]) -> str:
    first = gifts[0]
    rest = [gift.may for gift in gifts[1:] if gift.worth >= first.worth]
    return " and ".join((first.may, *rest[:1]))


def _hint(policy: Policy, gifts: list[Gift]) -> str:
    own = "a policy of your own with the actions that are called, on named resources"
    reader = managed_policies().reader_beside(policy.name)
    if reader is None or not gifts[0].changes:
        return f"replace it by {own}"
    return f"replace it by {own}, or by {reader} where reading is enough"
