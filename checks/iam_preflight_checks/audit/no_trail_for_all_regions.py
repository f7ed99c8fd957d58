from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.findings import Confidence, Finding, Framework, Severity
from iam_preflight.graph.baseline import baseline_of, flag, provides
from iam_preflight.graph.trails import TRAIL_TYPES, event_stores, trails_of
from iam_preflight.knowledge.audit import audit_facts
from iam_preflight.resources import Framework as Language
from iam_preflight.rules import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.baseline import Baseline
    from iam_preflight.graph.model import Graph
    from iam_preflight.graph.trails import Trail

DELEGATION = "aws_cloudtrail_organization_delegated_admin_account"


class NoTrailForAllRegions(Rule):
    """No CloudTrail trail records every region, or the whole organization.

    ## What it checks
    Code that sets up the audit baseline of an account or an organization (see below) and has
    neither a trail that is switched on and records every region, nor a CloudTrail Lake store
    that does. Where the organization itself is managed, the trail must be the organization's,
    unless CloudTrail is delegated to another account.

    It speaks only where a baseline belongs: the setting `baseline` is true, or the code manages
    the organization and an audit service, or it sets up two audit services (a multi-region
    trail, GuardDuty, an AWS Config recorder, Security Hub, IAM Access Analyzer, the password
    policy) in one root module or stack. It keeps silent where AWS Control Tower sets up a
    landing zone and where `external_controls` names `cloudtrail`. A module that is not
    installed and may bring the trail makes the confidence low.

    ## Why it matters
    An attacker uses the region that nobody looks at. IAM, STS and CloudFront record in
    us-east-1 only, so that a trail of another single region misses every change of identity.

    ## How to fix
    One trail of the organization in its management account, or a delegated one, with
    `is_multi_region_trail = true` and `is_organization_trail = true`. If another repository has
    it, put `cloudtrail` into `external_controls`.

    ## Example
    ```hcl
    resource "aws_cloudtrail" "organization" {
      name                       = "organization"
      s3_bucket_name             = aws_s3_bucket.trail.id
      is_organization_trail      = true
      is_multi_region_trail      = true
      enable_log_file_validation = true
    }
    ```
    ```yaml
    Trail:
      Type: AWS::CloudTrail::Trail
      Properties:
        IsLogging: true
        IsMultiRegionTrail: true
        IsOrganizationTrail: true
    ```
    """

    id = "AUDIT-001"
    name = "no-trail-for-all-regions"
    severity = Severity.MEDIUM
    practice = 6
    reads = (*audit_facts().control_types, *TRAIL_TYPES)
    compliance = {
        Framework.CIS: ("3.1", "4.1"),
        Framework.NIST: ("AU-2", "AU-3", "AU-12"),
        Framework.ISO: ("A.8.15",),
        Framework.FSBP: ("CloudTrail.1", "CloudTrail.3"),
        Framework.WELL_ARCHITECTED: ("SEC04-BP01",),
    }
    equivalents = {
        "checkov": ("CKV_AWS_67",),
        "trivy": ("AWS-0014",),
        "kics": (
            "8173d5eb-96b5-4aa6-a71b-ecfa153c123d",
            "058ac855-989f-4378-ba4d-52d004020da7",
        ),
        "terrascan": ("AC_AWS_0034", "AC_AWS_0448"),
        "cfn-guard": ("MULTI_REGION_CLOUD_TRAIL_ENABLED",),
        "prowler": ("cloudtrail_multi_region_enabled",),
    }
    references = (
        "https://docs.aws.amazon.com/awscloudtrail/latest/userguide/creating-trail-organization.html",
        "https://docs.aws.amazon.com/awscloudtrail/latest/userguide/receive-cloudtrail-log-files-from-multiple-regions.html",
    )

    def check_graph(self, graph: Graph) -> Iterator[Finding]:
        baseline = baseline_of(graph)
        if baseline is None or provides(graph, "cloudtrail") or graph.of_type(DELEGATION):
            return
        stores = list(event_stores(graph))
        trails = [trail for trail in trails_of(graph) if not trail.is_for_data]
        recording = [t for t in trails if t.is_multi_region is not False and _is_on(t)]
        if not recording and not stores:
            yield from self._none(baseline, trails)
        elif baseline.organization is not None and not (
            any(trail.is_organization is not False for trail in recording)
            or any(flag(one, "organization_enabled", default=False) is not False for one in stores)
        ):
            yield from self._of_one_account(baseline, recording)

    def _none(self, baseline: Baseline, trails: list[Trail]) -> Iterator[Finding]:
        if not trails:
            yield self.finding(
                "no CloudTrail trail records this baseline's accounts",
                on=baseline.anchor,
                at=baseline.place,
                confidence=baseline.absence("cloudtrail"),
                hint="add a trail of every region, or name cloudtrail under external_controls",
                evidence="no trail",
            )
            return
        trail = trails[0]
        why = "is switched off" if not _is_on(trail) else "records one region only"
        name = "is_multi_region_trail" if _is_on(trail) else "enable_logging"
        yield self.finding(
            f"trail {trail.name} {why}, and no other trail records every region",
            on=trail.resource,
            at=trail.resource.span_of(name),
            confidence=Confidence.HIGH,
            related=((baseline.place, "the baseline is set up here"),),
            hint=f"set {name} = true",
            evidence=name,
        )

    def _of_one_account(self, baseline: Baseline, recording: list[Trail]) -> Iterator[Finding]:
        organization = baseline.organization
        assert organization is not None
        if not recording:
            return
        trail = recording[0]
        is_template = trail.resource.deployment.framework is Language.CLOUDFORMATION
        name = "IsOrganizationTrail" if is_template else "is_organization_trail"
        yield self.finding(
            f"trail {trail.name} records its own account, not the organization",
            on=trail.resource,
            at=trail.resource.span_of("is_organization_trail"),
            confidence=min(Confidence.HIGH, baseline.absence("cloudtrail")),
            related=((organization.header, "the organization is managed here"),),
            hint=f"set {name} to true, in the management account or a delegated one",
            evidence="is_organization_trail",
        )


def _is_on(trail: Trail) -> bool:
    return trail.is_logging is not False
