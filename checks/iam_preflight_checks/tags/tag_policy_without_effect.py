from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.findings import Confidence, Finding, Framework, Severity
from iam_preflight.graph.baseline import provides
from iam_preflight.graph.organization import ROOT_TYPE
from iam_preflight.graph.tag_policies import tag_policies
from iam_preflight.rules import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.model import Graph
    from iam_preflight.graph.tag_policies import TagPolicy
    from iam_preflight.resources import Resource
    from iam_preflight.source import Span

CONTROL = "tag-policy"


class TagPolicyWithoutEffect(Rule):
    """The organization's tag policy is missing, unattached or silent on required tags.

    ## What it checks
    Where the code manages the organization itself, or a tag policy of it:

    - that there is a tag policy;
    - that each one is attached to something;
    - that they know the tags which the settings require, and write them in the same way;
    - that they are enforced for some type of resource (a note): else AWS only reports.

    A tag policy that another repository has is declared with
    `external_controls: [tag-policy]`.

    ## Why it matters
    Scanners see what goes through the code; a tag policy sees the rest. `costcenter` and
    `CostCenter` are two tags to billing, and to most services.

    ## How to fix
    Attach a tag policy with the required keys to the root of the organization.

    ## Example
    ```hcl
    resource "aws_organizations_policy" "tags" {
      name = "tags"
      type = "TAG_POLICY"

      content = jsonencode({
        tags = {
          Environment = {
            tag_key      = { "@@assign" = "Environment" }
            tag_value    = { "@@assign" = ["dev", "test", "prod"] }
            enforced_for = { "@@assign" = ["iam:policy", "secretsmanager:secret"] }
          }
        }
      })
    }
    ```
    ```yaml
    Tags:
      Type: AWS::Organizations::Policy
      Properties:
        Name: tags
        Type: TAG_POLICY
        TargetIds: [r-a1b2]
        Content:
          tags:
            Environment:
              tag_key: { "@@assign": Environment }
    ```
    """

    id = "TAG-005"
    name = "tag-policy-without-effect"
    severity = Severity.LOW
    practice = 9
    compliance = {
        Framework.NIST: ("AC-16", "CM-6"),
        Framework.ISO: ("A.5.13",),
        Framework.WELL_ARCHITECTED: ("SEC01-BP01",),
    }
    equivalents = {"prowler": ("organizations_tags_policies_enabled_and_attached",)}
    references = (
        "https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_tag-policies.html",
        "https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_supported-resources-enforcement.html",
    )

    def check_graph(self, graph: Graph) -> Iterator[Finding]:
        if provides(graph, CONTROL):
            return
        policies = tag_policies(graph)
        if not policies:
            yield from self._missing(graph)
            return
        for policy in policies:
            yield from self._of_policy(policy, graph)
        if all(policy.is_read for policy in policies):
            yield from self._silent_on(policies, graph)

    def _missing(self, graph: Graph) -> Iterator[Finding]:
        for organization in graph.of_type(ROOT_TYPE)[:1]:
            yield self.finding(
                "the organization has no tag policy",
                on=organization,
                at=organization.header,
                confidence=_absence(graph),
                hint="attach one with the required tags to the root",
                evidence="no tag policy",
            )

    def _of_policy(self, policy: TagPolicy, graph: Graph) -> Iterator[Finding]:
        resource = policy.resource
        if not policy.is_attached:
            yield self.finding(
                f"tag policy {resource.address} is attached to nothing",
                on=resource,
                at=resource.header,
                confidence=_absence(graph),
                hint="attach it to the root, or to the units that it is for",
                evidence="unattached",
            )
        if policy.rules and not any(rule.enforced_for for rule in policy.rules):
            yield self.finding(
                f"tag policy {resource.address} is enforced for no type of resource",
                on=resource,
                at=_content(resource),
                severity=Severity.INFO,
                hint="add enforced_for once the reports are clean",
                evidence="not enforced",
            )
        wanted = {key.lower(): key for key in graph.settings.tags}
        for rule in policy.rules:
            asked = wanted.get(rule.key.lower(), rule.key)
            if asked != rule.key:
                yield self.finding(
                    f"tag policy {resource.address} writes {rule.key} for the tag {asked}",
                    on=resource,
                    at=rule.place,
                    hint=f"write {asked}, or change the settings",
                    evidence=rule.key,
                )

    def _silent_on(self, policies: tuple[TagPolicy, ...], graph: Graph) -> Iterator[Finding]:
        known = {rule.key.lower() for policy in policies for rule in policy.rules}
        missing = [
            key
            for key, requirement in graph.settings.tags.items()
            if key.lower() not in known and not requirement.only_for
        ]
        if missing:
            first = policies[0].resource
            listed = ", ".join(missing)
            yield self.finding(
                f"no tag policy speaks of {listed}",
                on=first,
                at=_content(first),
                hint=f"add {listed}",
                evidence=listed,
            )


def _content(resource: Resource) -> Span:
    return resource.attributes.key_span("content")


def _absence(graph: Graph) -> Confidence:
    """How sure it is that what is not here is nowhere."""
    return Confidence.LOW if graph.missing_modules else Confidence.MEDIUM
