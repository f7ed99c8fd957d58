from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.findings import Finding, Framework, Persona, Severity
from iam_preflight.graph.audit_routes import ROUTE_TYPES, chains, routes
from iam_preflight.graph.baseline import baseline_of, provides
from iam_preflight.graph.trails import TRAIL_TYPES
from iam_preflight.knowledge.audit import audit_facts
from iam_preflight.rules import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.audit_routes import Chain
    from iam_preflight.graph.model import Graph
    from iam_preflight.resources import Resource


class UnheardDetections(Rule):
    """What audit services notice reaches nobody.

    ## What it checks
    In code that sets up an audit baseline (AUDIT-001 says when), whether there is any way to a
    SIEM or a person: Security Hub or Security Lake; an EventBridge rule, switched on and with a
    target, that catches findings of GuardDuty, Security Hub or IAM Access Analyzer or calls
    that matter; GuardDuty's export; a subscription of the trail's log group, a notification of
    its bucket or its own topic; or a metric filter on what matters with an alarm that tells
    somebody. Patterns are read as AWS reads them: they are tried on sample records, so that a
    filter with a misspelt event name is none.

    A metric filter on what matters is also judged by itself: without an alarm on its metric, or
    with alarms that have no action, it is reported. Where such filters are the only route,
    persona pedantic is told which of the usual ones are missing.

    `external_controls: [siem]` says that another repository has the route.

    ## Why it matters
    A detection that nobody reads is none. Most break-ins were in the logs long before anybody
    looked.

    ## How to fix
    Switch on Security Hub, or send findings by an event rule to a queue, topic or function of
    the SIEM.

    ## Example
    ```hcl
    resource "aws_cloudwatch_event_rule" "findings" {
      event_pattern = jsonencode({ source = ["aws.guardduty", "aws.access-analyzer"] })
    }

    resource "aws_cloudwatch_event_target" "siem" {
      rule = aws_cloudwatch_event_rule.findings.name
      arn  = aws_sqs_queue.siem.arn
    }
    ```
    ```yaml
    Findings:
      Type: AWS::Events::Rule
      Properties:
        EventPattern:
          source: [aws.guardduty, aws.access-analyzer]
        Targets:
          - Id: siem
            Arn: !GetAtt SiemQueue.Arn
    ```
    """

    id = "AUDIT-006"
    name = "unheard-detections"
    severity = Severity.LOW
    practice = 6
    reads = (*audit_facts().control_types, *TRAIL_TYPES, *ROUTE_TYPES)
    compliance = {
        Framework.CIS: (*(f"4.{n}" for n in range(1, 17)), *(f"5.{n}" for n in range(1, 17))),
        Framework.NIST: ("AU-6", "SI-4(5)", "IR-6"),
        Framework.ISO: ("A.8.16", "A.5.25"),
        Framework.FSBP: ("SecurityHub.1",),
        Framework.WELL_ARCHITECTED: ("SEC04-BP03", "SEC04-BP04"),
    }
    equivalents = {
        "kics": ("eaaba502", "44ceb4fa", "8b1b1e67", "0f6cbf69", "38b85c45"),
        "prowler": (
            "cloudwatch_log_metric_filter_policy_changes",
            "cloudwatch_log_metric_filter_root_usage",
            "cloudwatch_log_metric_filter_sign_in_without_mfa",
        ),
    }
    references = (
        "https://docs.aws.amazon.com/guardduty/latest/ug/guardduty_findings_eventbridge.html",
        "https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudwatch-alarms-for-cloudtrail.html",
        "https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html",
    )

    def check_graph(self, graph: Graph) -> Iterator[Finding]:
        if provides(graph, "siem") or provides(graph, "security-hub"):
            return
        found = chains(graph)
        for chain in found:
            yield from self._broken(chain)
        baseline = baseline_of(graph)
        if baseline is None:
            return
        ways = list(routes(graph))
        if not ways:
            yield self.finding(
                "nobody hears of what is detected in this baseline's accounts",
                on=baseline.anchor,
                at=baseline.place,
                confidence=baseline.absence("siem"),
                hint="switch on Security Hub, or send findings to a SIEM with an event rule",
                evidence="no route",
            )
        else:
            yield from self._missing_alarms(ways, found)

    def _broken(self, chain: Chain) -> Iterator[Finding]:
        if not chain.topics or chain.is_complete:
            return
        what = " and ".join(sorted(chain.topics))
        why = "its alarm tells nobody" if chain.alarms else "no alarm is on its metric"
        subject = chain.alarms[0] if chain.alarms else chain.filter
        yield self.finding(
            f"a metric filter counts {what}, but {why}",
            on=subject,
            at=subject.span_of("alarm_actions") if chain.alarms else subject.header,
            related=((chain.filter.span_of("pattern"), "what it counts"),),
            hint="add an alarm on the metric with an action such as a topic",
            evidence=what,
        )

    def _missing_alarms(self, ways: list[Resource], found: list[Chain]) -> Iterator[Finding]:
        """What the alarms leave out, where alarms are all there is."""
        complete = [chain for chain in found if chain.topics and chain.is_complete]
        if len(complete) < len(ways):
            return
        noticed = {topic for chain in complete for topic in chain.topics}
        missing = [topic for topic in audit_facts().topics if topic not in noticed]
        if missing:
            yield self.finding(
                f"no alarm tells of {', '.join(missing)}",
                on=complete[0].filter,
                at=complete[0].filter.header,
                persona=Persona.PEDANTIC,
                hint="add a metric filter and an alarm for each, or switch on Security Hub",
                evidence=" ".join(missing),
            )
