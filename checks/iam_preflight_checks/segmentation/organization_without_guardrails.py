from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.findings import Confidence, Finding, Framework, Persona, Severity
from iam_preflight.graph.baseline import provides
from iam_preflight.graph.guardrails import Guardrails
from iam_preflight.knowledge.audit import audit_facts
from iam_preflight.policy.document import DocumentUse
from iam_preflight.rules import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.model import Graph
    from iam_preflight.graph.organization import Target
    from iam_preflight.knowledge.guardrails import Guardrail
    from iam_preflight.resources import Resource

CONTROL = "aws_controltower_control"


class OrganizationWithoutGuardrails(Rule):
    """An organization does not keep its member accounts from what they should never do.

    ## What it checks
    Code that manages an AWS organization. For every account, and every unit without accounts,
    that the code shows, an administrator of a member account is put before the service control
    policies from the root down: may it leave the organization, stop CloudTrail, act as the root
    user? Then the finding is high. If only AWS Config, GuardDuty, Security Hub or IAM Access
    Analyzer can be switched off, it is low. With `allowed_regions`, `no_users` or `boundaries` in
    the settings it also asks for guards of these. Accounts that lack the same guards are one
    finding.

    The organization itself is looked at as well: only consolidated billing (medium), service
    control policies not switched on (high), resource control policies not switched on (low,
    for those who want to see hygiene).

    It is silent where the organization is only read, where `external_controls` names `scp`, and
    for units called suspended, sandbox and the like. Where AWS Control Tower is used, or a
    module that is not installed may bring policies, guards that are not in the code are of low
    confidence. Central management of root credentials counts as a guard for the root user. The
    management account is bound by no control policy.

    ## Why it matters
    Without a guard from above, whoever becomes administrator of one account can blind the
    security team before going on.

    ## How to fix
    Attach a service control policy with the denials to the root or to the units.

    ## Example
    ```json
    {
      "Effect": "Deny",
      "Action": ["organizations:LeaveOrganization", "cloudtrail:*Trail", "cloudtrail:StopLogging"],
      "Resource": "*"
    }
    ```
    """

    id = "SEG-009"
    name = "organization-without-guardrails"
    severity = Severity.HIGH
    practice = 3
    reads = (CONTROL, *audit_facts().landing_zones)
    compliance = {
        Framework.CIS: ("2.1.2",),
        Framework.NIST: ("AC-3(3)", "AC-6", "CM-5", "AU-9"),
        Framework.ISO: ("A.5.15", "A.5.23", "A.8.9"),
        Framework.WELL_ARCHITECTED: ("SEC01-BP01", "SEC03-BP05"),
    }
    equivalents = {
        "kics": ("5ba6229c-8057-433e-91d0-21cf13569ca9",),
        "prowler": (
            "organizations_scp_check_deny_regions",
            "iam_root_credentials_management_enabled",
        ),
    }
    references = (
        "https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_scps_examples.html",
        "https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_org_support-all-features.html",
    )

    def check_graph(self, graph: Graph) -> Iterator[Finding]:
        guardrails = Guardrails(graph)
        organization = guardrails.management
        if organization is not None:
            features = organization.text("feature_set") or "ALL"
            if features != "ALL":
                yield self._billing_only(organization)
                return
        if provides(graph, "scp"):
            return
        if organization is not None and guardrails.is_enabled(DocumentUse.SCP) is False:
            if not guardrails.policies:
                yield self._switched_off(organization, guardrails)
            return
        confidence = Confidence.HIGH
        if graph.of_type(*self.reads) or guardrails.may_come_from_modules():
            confidence = Confidence.LOW
        elif organization is None:
            confidence = Confidence.MEDIUM
        for missing, targets in guardrails.unguarded():
            shown = [target.resource for target in targets if target.resource is not None]
            yield self._unguarded(missing, targets, shown, confidence)
        if organization is not None and guardrails.is_enabled(DocumentUse.RCP) is False:
            yield self._without_resource_policies(organization)

    def _billing_only(self, organization: Resource) -> Finding:
        return self.finding(
            "the organization only has consolidated billing: no control policy can bind its "
            "accounts, as not all features are on",
            on=organization,
            at=organization.span_of("feature_set"),
            severity=Severity.MEDIUM,
            hint='set feature_set = "ALL"',
            evidence="feature_set",
        )

    def _switched_off(self, organization: Resource, guardrails: Guardrails) -> Finding:
        is_unsure = guardrails.may_come_from_modules()
        return self.finding(
            "service control policies are not switched on: nothing binds the member accounts",
            on=organization,
            at=organization.span_of("enabled_policy_types"),
            confidence=Confidence.LOW if is_unsure else Confidence.MEDIUM,
            hint='add "SERVICE_CONTROL_POLICY" to enabled_policy_types, and attach guardrails',
            evidence="enabled_policy_types",
        )

    def _unguarded(
        self,
        missing: tuple[Guardrail, ...],
        targets: list[Target],
        shown: list[Resource],
        confidence: Confidence,
    ) -> Finding:
        is_core = any(guardrail.core for guardrail in missing)
        whats = [guardrail.what for guardrail in missing]
        listed = ", ".join(whats[:-1]) + (" or " if len(whats) > 1 else "") + whats[-1]
        who = "the accounts" if len(targets) > 1 else _label(targets[0])
        return self.finding(
            f"no control policy keeps {who} from this: {listed}",
            on=shown[0],
            at=shown[0].header,
            severity=Severity.HIGH if is_core else Severity.LOW,
            confidence=confidence,
            related=[(resource.header, "nor this one") for resource in shown[1:5]],
            hint="attach a service control policy that denies it to the root or the units",
            evidence=listed,
        )

    def _without_resource_policies(self, organization: Resource) -> Finding:
        return self.finding(
            "resource control policies are not switched on: nothing keeps data in the organization",
            on=organization,
            at=organization.span_of("enabled_policy_types"),
            severity=Severity.LOW,
            persona=Persona.PEDANTIC,
            hint='add "RESOURCE_CONTROL_POLICY" to enabled_policy_types',
            evidence="RESOURCE_CONTROL_POLICY",
        )


def _label(target: Target) -> str:
    resource = target.resource
    if resource is None or target.is_root:
        return "the member accounts"
    return f"{resource.text('name') or resource.address}"
