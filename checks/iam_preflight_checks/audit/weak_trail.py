from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from iam_preflight.findings import Finding, Framework, Persona, Severity
from iam_preflight.graph.audit_routes import ROUTE_TYPES, caught_by, event_rules
from iam_preflight.graph.baseline import provides
from iam_preflight.graph.trails import READS, TRAIL_TYPES, trails_of
from iam_preflight.knowledge.audit import audit_facts
from iam_preflight.rules import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.model import Graph
    from iam_preflight.graph.trails import Bucket, Trail


class WeakTrail(Rule):
    """A CloudTrail trail is switched off, incomplete or unprotected.

    ## What it checks
    Every trail in the code, whatever else is there:

    - it is switched off, or its event selectors leave out management events, all of them or
      those that change something (high) or read something (medium), and no other trail records
      them;
    - it writes no digests, so that nobody can tell whether a file was changed (medium);
    - it is encrypted with AWS's key instead of one of its own (medium);
    - its bucket, where the code shows it: an access list opens it to everybody (high); neither
      versions, nor object lock, nor a denial in the bucket policy keep files from being deleted
      (medium); access to it is not logged (low, for persona pedantic);
    - nothing reads it as it is written: no log group, no event rule on calls, no topic (low).

    A bucket of another account or stack is not judged. Bucket policies that are open to
    everybody are EXT-007. A trail that selects data events and leaves out management events serves
    an application: of it only persona pedantic hears. Here we depart from other tools, which ask
    of it what they ask of the account's trail.

    ## Why it matters
    The trail is the only witness. Whoever wants to hide switches it off, thins it out or
    deletes its files first.

    ## How to fix
    Switch on logging and validation, give it a KMS key and a log group, and give the bucket
    versions or object lock and access logging.

    ## Example
    ```hcl
    resource "aws_cloudtrail" "organization" {
      name                       = "organization"
      s3_bucket_name             = aws_s3_bucket.trail.id
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
        EnableLogFileValidation: true
        KMSKeyId: !GetAtt TrailKey.Arn
        CloudWatchLogsLogGroupArn: !GetAtt TrailLogs.Arn
    ```
    """

    id = "AUDIT-002"
    name = "weak-trail"
    severity = Severity.HIGH
    practice = 6
    reads = (*TRAIL_TYPES, *ROUTE_TYPES)
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
        is_heard = provides(graph, "siem") or _hears_calls(graph)
        for trail in trails:
            persona = Persona.PEDANTIC if trail.is_for_data else Persona.REGULAR
            for finding in self._of(trail, is_complete, is_heard):
                yield replace(finding, persona=max(persona, finding.persona))

    def _of(self, trail: Trail, is_complete: bool, is_heard: bool) -> Iterator[Finding]:
        yield from self._recording(trail, is_complete or trail.is_for_data)
        yield from self._integrity(trail)
        if trail.bucket is not None:
            yield from self._bucket(trail, trail.bucket)
        if not is_heard:
            yield from self._delivery(trail)

    def _recording(self, trail: Trail, is_complete: bool) -> Iterator[Finding]:
        if trail.is_logging is False:
            yield self.finding(
                f"trail {trail.name} is switched off",
                on=trail.resource,
                at=trail.resource.span_of("enable_logging"),
                related=((trail.resource.header, "the trail"),),
                hint="switch logging on",
                evidence="enable_logging",
            )
        if is_complete:
            return
        for place, what in trail.omissions():
            yield self.finding(
                f"trail {trail.name} leaves out {what}, and no other trail records it",
                on=trail.resource,
                at=place,
                severity=Severity.MEDIUM if what == READS else None,
                related=((trail.resource.header, "the trail"),),
                hint="record all management events, both reads and writes",
                evidence=what,
            )

    def _integrity(self, trail: Trail) -> Iterator[Finding]:
        if trail.validates_files is False:
            yield self.finding(
                f"files of trail {trail.name} can be changed without trace",
                on=trail.resource,
                at=trail.resource.span_of("enable_log_file_validation"),
                severity=Severity.MEDIUM,
                hint="switch on log file validation",
                evidence="enable_log_file_validation",
            )
        if not trail.is_encrypted:
            yield self.finding(
                f"trail {trail.name} is not encrypted with a key of its own",
                on=trail.resource,
                at=trail.resource.header,
                severity=Severity.MEDIUM,
                hint="name a KMS key whose policy lets CloudTrail encrypt and auditors decrypt",
                evidence="kms_key_id",
            )

    def _bucket(self, trail: Trail, bucket: Bucket) -> Iterator[Finding]:
        here = ((trail.resource.header, f"trail {trail.name} writes here"),)
        for place in bucket.public_lists():
            yield self.finding(
                f"an access list opens bucket {bucket.name}, which holds a trail, to everybody",
                on=bucket.resource,
                at=place,
                related=here,
                hint="make the list private and block public access",
                evidence="acl",
            )
        if bucket.keeps_versions is False and not bucket.is_locked and not bucket.denies_deletion:
            yield self.finding(
                f"whoever may delete objects of bucket {bucket.name} can delete the trail",
                on=bucket.resource,
                at=bucket.resource.header,
                severity=Severity.MEDIUM,
                related=here,
                hint="keep versions or lock objects, or deny s3:DeleteObject in the bucket policy",
                evidence="deletion",
            )
        if not bucket.logs_access:
            yield self.finding(
                f"access to bucket {bucket.name}, which holds a trail, is not logged",
                on=bucket.resource,
                at=bucket.resource.header,
                severity=Severity.LOW,
                persona=Persona.PEDANTIC,
                related=here,
                hint="log access to the bucket into another one",
                evidence="logging",
            )

    def _delivery(self, trail: Trail) -> Iterator[Finding]:
        get = trail.resource.get
        if get("cloud_watch_logs_group_arn") is not None or get("sns_topic_name") is not None:
            return
        yield self.finding(
            f"nothing reads trail {trail.name} as it is written",
            on=trail.resource,
            at=trail.resource.header,
            severity=Severity.LOW,
            hint="send it to a log group, or catch calls with an event rule",
            evidence="delivery",
        )


def _hears_calls(graph: Graph) -> bool:
    """Whether an event rule catches calls that CloudTrail records."""
    topics = frozenset(audit_facts().topics)
    return any(topics.intersection(caught_by(rule)) for rule in event_rules(graph))
