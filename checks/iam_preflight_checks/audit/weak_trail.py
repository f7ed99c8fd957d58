from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from iam_preflight.findings import Finding, Framework, Persona, Severity
from iam_preflight.graph.audit_routes import ROUTE_TYPES, hears_calls
from iam_preflight.graph.baseline import baseline_of, provides
from iam_preflight.graph.trails import READS, TRAIL_TYPES, lone_regional_trails, trails_of
from iam_preflight.knowledge.audit import audit_facts
from iam_preflight.rules import Rule

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from iam_preflight.graph.model import Graph
    from iam_preflight.graph.trails import Bucket, Trail
    from iam_preflight.source import Span


class WeakTrail(Rule):
    """A CloudTrail trail is switched off, incomplete or unprotected.

    ## What it checks
    Every trail in the code, whatever else is there:

    - it is switched off, or its event selectors leave out management events, all of them or
      those that change something (high) or read something (medium), and no other trail records
      them;
    - it records all management events of one region only, it selects no data events, it is the
      only such trail of its deployment, and nothing in the code records every region (medium;
      of an audit baseline, AUDIT-001 says so);
    - it writes no digests, so that nobody can tell whether a file was changed (medium);
    - it is encrypted with AWS's key instead of one of its own (medium);
    - its bucket, where the code shows it: an access list opens it to everybody (high); neither
      versions, nor object lock, nor a denial in the bucket policy keep files from being deleted
      (medium); access to it is not logged (low, for persona pedantic);
    - nothing reads it as it is written: no log group, no event rule on calls, no topic (low).

    Regions are not asked for where `external_controls` names `cloudtrail`. A bucket of another
    account or stack is not judged. Bucket policies that are open to
    everybody are EXT-007. A trail that selects data events and leaves out management events serves
    an application: of it only persona pedantic hears. Here we depart from other tools, which ask
    of it what they ask of the account's trail.

    ## Why it matters
    The trail is the only witness. Whoever wants to hide switches it off, thins it out or
    deletes its files first, or works in a region that it does not see: the calls of IAM are
    recorded in us-east-1, wherever they come from.

    ## How to fix
    Switch on logging in every region and validation, give it a KMS key and a log group, and give
    the bucket versions or object lock and access logging.

    ## Example
    ```hcl
    resource "aws_cloudtrail" "organization" {
      name                       = "organization"
      s3_bucket_name             = aws_s3_bucket.trail.id
      is_multi_region_trail      = true
      enable_log_file_validation = true
      kms_key_id                 = aws_kms_key.trail.arn
      cloud_watch_logs_group_arn = "${aws_cloudwatch_log_group.trail.arn}:*"
      cloud_watch_logs_role_arn  = aws_iam_role.trail.arn
    }
    ```
    ```yaml
    Trail:
      Type: AWS::CloudTrail::Trail
      Properties:
        IsLogging: true
        IsMultiRegionTrail: true
        EnableLogFileValidation: true
        KMSKeyId: !GetAtt TrailKey.Arn
        CloudWatchLogsLogGroupArn: !GetAtt TrailLogs.Arn
    ```
    """

    id = "AUDIT-002"
    name = "weak-trail"
    severity = Severity.HIGH
    practice = 6
    reads = (*audit_facts().control_types, *TRAIL_TYPES, *ROUTE_TYPES)
    compliance = {
        Framework.CIS: ("3.2", "3.4", "3.5", "4.2", "4.4", "4.5"),
        Framework.NIST: ("AU-9", "AU-9(2)", "AU-10", "AU-12"),
        Framework.ISO: ("A.8.15", "A.8.24"),
        Framework.FSBP: (
            "CloudTrail.2",
            "CloudTrail.4",
            "CloudTrail.5",
            "CloudTrail.6",
            "CloudTrail.7",
        ),
        Framework.WELL_ARCHITECTED: ("SEC04-BP01", "SEC04-BP02"),
    }
    equivalents = {
        "checkov": ("CKV_AWS_35", "CKV_AWS_36", "CKV_AWS_251", "CKV_AWS_252", "CKV2_AWS_10"),
        "trivy": ("AWS-0015", "AWS-0016", "AWS-0161", "AWS-0162", "AWS-0163"),
        "kics": ("4bb76f17", "52ffcfa6", "5d9e3164", "17b30f8f", "bd0088a5", "ee9e50e8"),
        "regula": ("FG_R00027", "FG_R00028", "FG_R00029", "FG_R00031", "FG_R00035", "FG_R00237"),
        "terrascan": ("AC_AWS_0033", "AC_AWS_0446"),
        "prowler": ("cloudtrail_log_file_validation_enabled", "cloudtrail_kms_encryption_enabled"),
    }
    references = (
        "https://docs.aws.amazon.com/awscloudtrail/latest/userguide/best-practices-security.html",
        "https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-log-file-validation-intro.html",
    )

    def check_graph(self, graph: Graph) -> Iterator[Finding]:
        trails = trails_of(graph)
        if not trails:
            return
        is_complete = any(not list(trail.omissions()) for trail in trails)
        is_heard = provides(graph, "siem") or hears_calls(graph)
        yield from self._regions(graph)
        for trail in trails:
            persona = Persona.PEDANTIC if trail.is_for_data else Persona.REGULAR
            for finding in self._of(trail, is_complete, is_heard):
                yield replace(finding, persona=max(persona, finding.persona))

    def _regions(self, graph: Graph) -> Iterator[Finding]:
        if baseline_of(graph) is not None or provides(graph, "cloudtrail"):
            return  # AUDIT-001 says so
        for trail in lone_regional_trails(graph):
            what = f"trail {trail.name} records one region only, and nothing records the others"
            place = trail.resource.span_of("is_multi_region_trail")
            hint = "record every region, or name cloudtrail under external_controls"
            yield self._weak(trail, what, Severity.MEDIUM, hint, "is_multi_region_trail", place)

    def _of(self, trail: Trail, is_complete: bool, is_heard: bool) -> Iterator[Finding]:
        yield from self._recording(trail, is_complete or trail.is_for_data)
        yield from self._integrity(trail)
        if trail.bucket is not None:
            yield from self._bucket(trail, trail.bucket)
        if not is_heard and not trail.is_delivered:
            what = f"nothing reads trail {trail.name} as it is written"
            hint = "send it to a log group, or catch calls with an event rule"
            yield self._weak(trail, what, Severity.LOW, hint, "delivery")

    def _recording(self, trail: Trail, is_complete: bool) -> Iterator[Finding]:
        related = ((trail.resource.header, "the trail"),)
        if trail.is_logging is False:
            what = f"trail {trail.name} is switched off"
            place = trail.resource.span_of("enable_logging")
            yield self._weak(
                trail, what, Severity.HIGH, "switch logging on", "enable_logging", place, related
            )
        for place, missing in () if is_complete else trail.omissions():
            what = f"trail {trail.name} leaves out {missing}, and no other trail records it"
            severity = Severity.MEDIUM if missing == READS else Severity.HIGH
            hint = "record all management events, both reads and writes"
            yield self._weak(trail, what, severity, hint, missing, place, related)

    def _integrity(self, trail: Trail) -> Iterator[Finding]:
        if trail.validates_files is False:
            what = f"files of trail {trail.name} can be changed without trace"
            place = trail.resource.span_of("enable_log_file_validation")
            hint, evidence = "switch on log file validation", "enable_log_file_validation"
            yield self._weak(trail, what, Severity.MEDIUM, hint, evidence, place)
        if not trail.is_encrypted:
            what = f"trail {trail.name} is not encrypted with a key of its own"
            hint = "name a KMS key whose policy lets CloudTrail encrypt and auditors decrypt"
            yield self._weak(trail, what, Severity.MEDIUM, hint, "kms_key_id")

    def _bucket(self, trail: Trail, bucket: Bucket) -> Iterator[Finding]:
        related = ((trail.resource.header, f"trail {trail.name} writes here"),)
        for place in bucket.public_lists():
            what = f"an access list opens bucket {bucket.name}, which holds a trail, to everybody"
            hint = "make the list private and block public access"
            yield self._weak(bucket, what, Severity.HIGH, hint, "acl", place, related)
        if bucket.loses_deleted_files:
            what = f"whoever may delete objects of bucket {bucket.name} can delete the trail"
            hint = "keep versions or lock objects, or deny s3:DeleteObject in the bucket policy"
            yield self._weak(bucket, what, Severity.MEDIUM, hint, "deletion", related=related)
        if not bucket.logs_access:
            what = f"access to bucket {bucket.name}, which holds a trail, is not logged"
            hint = "log access to the bucket into another one"
            found = self._weak(bucket, what, Severity.LOW, hint, "logging", related=related)
            yield replace(found, persona=Persona.PEDANTIC)

    def _weak(
        self,
        subject: Trail | Bucket,
        what: str,
        severity: Severity,
        hint: str,
        evidence: str,
        place: Span | None = None,
        related: Iterable[tuple[Span, str]] = (),
    ) -> Finding:
        return self.finding(
            what,
            on=subject.resource,
            at=subject.resource.header if place is None else place,
            severity=severity,
            related=related,
            hint=hint,
            evidence=evidence,
        )
