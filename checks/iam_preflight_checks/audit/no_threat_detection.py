from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.findings import Finding, Framework, Severity
from iam_preflight.graph.baseline import baseline_of, provides
from iam_preflight.graph.threat_detection import (
    ADMIN,
    DETECTOR,
    ENROLMENT,
    MEMBER,
    MEMBERS,
    enrols,
    is_off,
    leaves_out_members,
    unwatched_regions,
)
from iam_preflight.knowledge.audit import audit_facts
from iam_preflight.resources import Framework as Language
from iam_preflight.rules import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.baseline import Baseline
    from iam_preflight.graph.model import Graph
    from iam_preflight.resources import Resource


class NoThreatDetection(Rule):
    """GuardDuty is off, missing, or does not cover the organization.

    ## What it checks
    - A detector that is there and switched off, or the organization's configuration that enrols
      nobody (`auto_enable_organization_members` of `NONE`) where no member is enrolled by itself.
    - In code that sets up an audit baseline (AUDIT-001 says when): no detector at all; none in
      one of the `allowed_regions` of the settings; or the organization is managed with
      Terraform and GuardDuty neither enrols its accounts (`auto_enable_organization_members`
      of `ALL` or `NEW`, or members one by one) nor is delegated to an administrator account.

    CloudFormation has no resource for GuardDuty in an organization, so that templates are not
    asked for it. `external_controls: [guardduty]` says that another repository has it.

    ## Why it matters
    GuardDuty notices stolen role credentials that are used from outside, access keys used from
    odd places, and attempts to switch off logging. Without it somebody must read the trail.

    ## How to fix
    Switch it on in every region that is used, name an administrator account, and enrol every
    account of the organization by itself.

    ## Example
    ```hcl
    resource "aws_guardduty_detector" "this" {
      enable = true
    }

    resource "aws_guardduty_organization_configuration" "this" {
      detector_id                      = aws_guardduty_detector.this.id
      auto_enable_organization_members = "ALL"
    }
    ```
    ```yaml
    Detector:
      Type: AWS::GuardDuty::Detector
      Properties:
        Enable: true
    ```
    """

    id = "AUDIT-003"
    name = "no-threat-detection"
    severity = Severity.MEDIUM
    practice = 6
    reads = (*audit_facts().control_types, DETECTOR, MEMBERS, MEMBER, ADMIN)
    compliance = {
        Framework.NIST: ("SI-4", "IR-4", "AU-6"),
        Framework.ISO: ("A.8.16", "A.5.7"),
        Framework.FSBP: ("GuardDuty.1",),
        Framework.WELL_ARCHITECTED: ("SEC04-BP01",),
    }
    equivalents = {
        "checkov": ("CKV_AWS_238", "CKV2_AWS_3"),
        "kics": ("704dadd3", "a25cd877"),
        "terrascan": ("AC_AWS_0131",),
        "prowler": ("guardduty_is_enabled", "guardduty_centrally_managed"),
    }
    references = (
        "https://docs.aws.amazon.com/guardduty/latest/ug/guardduty_organizations.html",
        "https://docs.aws.amazon.com/guardduty/latest/ug/guardduty_finding-types-iam.html",
    )

    def check_graph(self, graph: Graph) -> Iterator[Finding]:
        detectors = graph.of_type(DETECTOR)
        off = [one for one in detectors if is_off(one)]
        for detector in off:
            yield self.finding(
                "GuardDuty is switched off",
                on=detector,
                at=detector.span_of("enable"),
                hint="switch the detector on",
                evidence="enable",
            )
        configurations = [] if graph.of_type(MEMBER) else graph.of_type(MEMBERS)
        if configurations and all(enrols(one) is False for one in configurations):
            yield self._nobody_enrolled(configurations[0], graph)
        baseline = baseline_of(graph)
        if baseline is None or provides(graph, "guardduty"):
            return
        if not detectors:
            yield from self._missing(baseline)
        elif len(off) < len(detectors):
            yield from self._regions(graph, [one for one in detectors if one not in off])
        yield from self._members(baseline, graph)

    def _missing(self, baseline: Baseline) -> Iterator[Finding]:
        yield self.finding(
            "GuardDuty does not watch this baseline's accounts",
            on=baseline.anchor,
            at=baseline.place,
            confidence=baseline.absence("guardduty"),
            hint="add a detector, or name guardduty under external_controls",
            evidence="no detector",
        )

    def _regions(self, graph: Graph, detectors: list[Resource]) -> Iterator[Finding]:
        """Regions that the settings allow and no detector watches, if theirs are all known."""
        missing = unwatched_regions(detectors, graph.settings.allowed_regions)
        if not missing:
            return
        yield self.finding(
            f"GuardDuty does not watch {', '.join(missing)}, where things may be deployed",
            on=detectors[0],
            at=detectors[0].header,
            hint=f"add a detector in {missing[0]}",
            evidence=" ".join(missing),
        )

    def _members(self, baseline: Baseline, graph: Graph) -> Iterator[Finding]:
        organization = baseline.organization
        if organization is None or organization.deployment.framework is Language.CLOUDFORMATION:
            return
        if not leaves_out_members(graph):
            return
        yield self.finding(
            "GuardDuty does not enrol the accounts of the organization",
            on=organization,
            at=organization.header,
            confidence=baseline.absence("guardduty"),
            hint=f'set {ENROLMENT} = "ALL", or name an administrator account for GuardDuty',
            evidence=ENROLMENT,
        )

    def _nobody_enrolled(self, configuration: Resource, graph: Graph) -> Finding:
        is_new = configuration.get(ENROLMENT) is not None
        organizations = graph.of_type("aws_organizations_organization")
        return self.finding(
            "GuardDuty does not enrol the accounts of the organization",
            on=configuration,
            at=configuration.span_of(ENROLMENT if is_new else "auto_enable"),
            related=[(one.header, "the organization is managed here") for one in organizations],
            hint=f'set {ENROLMENT} = "ALL"',
            evidence=ENROLMENT,
        )
