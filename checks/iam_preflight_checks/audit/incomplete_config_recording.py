from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.findings import Finding, Framework, Persona, Severity
from iam_preflight.graph.baseline import baseline_of, provides
from iam_preflight.graph.config_recorders import (
    AGGREGATOR,
    RECORDER,
    STATUS,
    is_aggregated,
    omission_of,
    own_role,
    stop_of,
)
from iam_preflight.knowledge.audit import audit_facts
from iam_preflight.rules import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.model import Graph
    from iam_preflight.resources import Resource
    from iam_preflight.source import Span


class IncompleteConfigRecording(Rule):
    """AWS Config is missing, stopped, or does not record IAM.

    ## What it checks
    - A recorder that leaves out IAM: it lists resource types without `AWS::IAM::…`, or lists
      them among the exclusions; or no recorder in the code includes global types
      (`include_global_resource_types`), which IAM's are.
    - A recorder that is never started: a `recorder_status` of false, or none in Terraform.
    - In code that sets up an audit baseline (AUDIT-001 says when): no recorder; for persona
      pedantic also an organization without an aggregator and a recorder with a role of its own
      instead of the service-linked one.

    Only one region need record global types. `external_controls: [config]` says that another
    repository has AWS Config; with AWS Control Tower nothing is asked for.

    ## Why it matters
    AWS Config knows what a role or policy looked like last week and who changed it since; and
    its rules find keys that nobody rotates. It can do neither for what it does not record.

    ## How to fix
    Record all supported types, and the global ones in the home region.

    ## Example
    ```hcl
    resource "aws_config_configuration_recorder" "this" {
      role_arn = aws_iam_service_linked_role.config.arn
      recording_group {
        all_supported                 = true
        include_global_resource_types = true
      }
    }
    ```
    ```yaml
    Recorder:
      Type: AWS::Config::ConfigurationRecorder
      Properties:
        RecordingGroup:
          AllSupported: true
          IncludeGlobalResourceTypes: true
    ```
    """

    id = "AUDIT-004"
    name = "incomplete-config-recording"
    severity = Severity.MEDIUM
    practice = 6
    reads = (*audit_facts().control_types, RECORDER, STATUS, AGGREGATOR)
    compliance = {
        Framework.CIS: ("3.3", "4.3"),
        Framework.NIST: ("CM-8", "CM-6", "AU-12"),
        Framework.ISO: ("A.8.9", "A.8.16"),
        Framework.FSBP: ("Config.1",),
        Framework.WELL_ARCHITECTED: ("SEC04-BP01",),
    }
    equivalents = {
        "checkov": ("CKV_AWS_121", "CKV2_AWS_45", "CKV2_AWS_48"),
        "trivy": ("AWS-0019",),
        "kics": ("ac5a0bc0", "9f3cf08e"),
        "terrascan": ("AC_AWS_0049",),
        "prowler": ("config_recorder_all_regions_enabled",),
    }
    references = (
        "https://docs.aws.amazon.com/config/latest/developerguide/select-resources.html",
        "https://docs.aws.amazon.com/config/latest/developerguide/using-service-linked-roles.html",
    )

    def check_graph(self, graph: Graph) -> Iterator[Finding]:
        recorders = graph.of_type(RECORDER)
        missing = {id(one): omission_of(one) for one in recorders}
        if recorders and all(missing.values()):
            for recorder in recorders:
                yield from self._without_iam(recorder, missing[id(recorder)])
        for recorder in recorders:
            yield from self._stopped(recorder, graph)
        baseline = baseline_of(graph)
        if baseline is None or provides(graph, "config"):
            return
        if not recorders:
            yield self.finding(
                "AWS Config does not record this baseline's accounts",
                on=baseline.anchor,
                at=baseline.place,
                confidence=baseline.absence("config"),
                hint="add a recorder of all types, or name config under external_controls",
                evidence="no recorder",
            )
            return
        if baseline.organization is not None:
            yield from self._not_aggregated(baseline.organization, graph)
        for recorder in recorders:
            yield from self._own_role(recorder)

    def _without_iam(self, recorder: Resource, found: tuple[Span, str] | None) -> Iterator[Finding]:
        if found is None:
            return
        place, why = found
        yield self.finding(
            f"AWS Config does not record IAM: {why}",
            on=recorder,
            at=place,
            related=((recorder.header, "the recorder"),),
            hint="record all supported types and the global ones",
            evidence=why,
        )

    def _stopped(self, recorder: Resource, graph: Graph) -> Iterator[Finding]:
        subject = stop_of(recorder, graph)
        if subject is None:
            return
        is_itself = subject is recorder
        yield self.finding(
            "the AWS Config recorder is never started",
            on=subject,
            at=subject.header if is_itself else subject.span_of("is_enabled"),
            related=() if is_itself else ((recorder.header, "the recorder"),),
            hint="add an aws_config_configuration_recorder_status with is_enabled = true",
            evidence="is_enabled",
        )

    def _not_aggregated(self, organization: Resource, graph: Graph) -> Iterator[Finding]:
        if is_aggregated(graph):
            return
        yield self.finding(
            "no aggregator shows AWS Config of the whole organization",
            on=organization,
            at=organization.header,
            severity=Severity.LOW,
            persona=Persona.PEDANTIC,
            hint="add an aggregator with the organization as its source",
            evidence="no aggregator",
        )

    def _own_role(self, recorder: Resource) -> Iterator[Finding]:
        value = own_role(recorder)
        if value is None:
            return
        yield self.finding(
            "AWS Config records with a role of its own, whose policy may lag behind new types",
            on=recorder,
            at=value.span,
            severity=Severity.LOW,
            persona=Persona.PEDANTIC,
            hint="use the service-linked role AWSServiceRoleForConfig",
            evidence="role_arn",
        )
