"""Ways on which somebody hears of what the audit services notice.

A detection that nobody reads is none. A route is an aggregator (Security Hub, Security Lake), an
event rule that catches detections and has a target, an export of the trail (subscription,
topic), or a chain of metric filter, alarm and action on the trail's log group.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from iam_preflight.graph.baseline import flag
from iam_preflight.graph.event_patterns import catches
from iam_preflight.graph.filter_patterns import counts
from iam_preflight.graph.targets import resource_of
from iam_preflight.graph.trails import TRAIL, trails_of
from iam_preflight.jsontext import JsonError, parse_json
from iam_preflight.knowledge.audit import audit_facts
from iam_preflight.values import Json, Mapping, arms_of, blocks_of, items_of, plain, show, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.model import Graph
    from iam_preflight.resources import Resource
    from iam_preflight.values import Value

AGGREGATORS = (
    "aws_securityhub_account",
    "aws_securityhub_organization_configuration",
    "AWS::SecurityHub::HubV2",
    "aws_guardduty_publishing_destination",
    "AWS::GuardDuty::PublishingDestination",
    "aws_securitylake_data_lake",
)
EVENT_RULE = "aws_cloudwatch_event_rule"
EVENT_TARGET = "aws_cloudwatch_event_target"
METRIC_FILTER = "aws_cloudwatch_log_metric_filter"
ALARM = "aws_cloudwatch_metric_alarm"
COMPOSITE_ALARM = "aws_cloudwatch_composite_alarm"
SUBSCRIPTION = "aws_cloudwatch_log_subscription_filter"
NOTIFICATION = "aws_s3_bucket_notification"
ROUTE_TYPES = (
    *AGGREGATORS,
    EVENT_RULE,
    EVENT_TARGET,
    METRIC_FILTER,
    ALARM,
    COMPOSITE_ALARM,
    SUBSCRIPTION,
    NOTIFICATION,
)
"""Types that a rule about routes reads, beside those of trails."""


class Chain(Struct, frozen=True):
    """A metric filter, what it counts, and the alarms on its metric."""

    filter: Resource
    topics: frozenset[str]
    """What it notices; empty where the pattern is not known or is about something else."""
    alarms: tuple[Resource, ...]
    acting: tuple[Resource, ...]
    """Those of the alarms that tell somebody."""

    @property
    def is_complete(self) -> bool:
        return bool(self.acting)


def routes(graph: Graph) -> Iterator[Resource]:
    """The resources that pass on what is detected or recorded."""
    yield from graph.of_type(*AGGREGATORS)
    yield from (rule for rule in event_rules(graph) if catches_something(rule))
    yield from _exports(graph)
    yield from (chain.filter for chain in chains(graph) if chain.topics and chain.is_complete)


# ---------------------------------------------------------------- event rules


def event_rules(graph: Graph) -> Iterator[Resource]:
    """Rules that are switched on and have a target."""
    targeted = {
        id(rule)
        for target in graph.of_type(EVENT_TARGET)
        if (rule := resource_of(target.get("rule"), target, graph, EVENT_RULE)) is not None
    }
    for rule in graph.of_type(EVENT_RULE):
        is_on = flag(rule, "is_enabled", default=True) is not False
        state = rule.text("state") or ""
        if is_on and state.upper() != "DISABLED" and id(rule) in targeted:
            yield rule


def catches_something(rule: Resource) -> bool:
    """Whether a rule catches findings of a detection service or calls that matter."""
    return any(True for _ in caught_by(rule))


def caught_by(rule: Resource) -> Iterator[str]:
    """What a rule catches: detection services, and topics of calls that CloudTrail records."""
    facts = audit_facts()
    for pattern in _event_patterns(rule.get("event_pattern")):
        for detection in facts.detections:
            if catches(pattern, detection.event):
                yield detection.service
        for sample in facts.events:
            if sample.topic and catches(pattern, _on_the_bus(sample.event)):
                yield sample.topic


def hears_calls(graph: Graph) -> bool:
    """Whether an event rule catches calls that CloudTrail records, whatever the trail does."""
    topics = frozenset(audit_facts().topics)
    return any(topics.intersection(caught_by(rule)) for rule in event_rules(graph))


def _event_patterns(value: Value | None) -> Iterator[object]:
    for _, arm in arms_of(value) if value is not None else ():
        match arm:
            case Mapping():
                yield plain(arm)
            case Json(value=inner):
                yield plain(inner)
            case _:
                try:
                    yield plain(parse_json(arm))
                except JsonError:
                    continue


def _on_the_bus(record: dict[str, object]) -> dict[str, object]:
    """A CloudTrail record as EventBridge delivers it."""
    service = str(record["eventSource"]).partition(".")[0]
    is_sign_in = record["eventType"] == "AwsConsoleSignIn"
    kind = "AWS Console Sign In via CloudTrail" if is_sign_in else "AWS API Call via CloudTrail"
    return {"source": f"aws.{service}", "detail-type": kind, "detail": record}


# ---------------------------------------------------------------- exports of the trail


def _exports(graph: Graph) -> Iterator[Resource]:
    trails = trails_of(graph)
    groups = {id(trail.log_group) for trail in trails if trail.log_group is not None}
    buckets = {id(trail.bucket.resource) for trail in trails if trail.bucket is not None}
    for subscription in graph.of_type(SUBSCRIPTION):
        value = subscription.get("log_group_name")
        group = resource_of(value, subscription, graph, "aws_cloudwatch_log_group")
        if id(group) in groups:
            yield subscription
    for notification in graph.of_type(NOTIFICATION):
        bucket = resource_of(notification.get("bucket"), notification, graph, "aws_s3_bucket")
        if id(bucket) in buckets:
            yield notification
    for resource in graph.of_type(TRAIL):
        if resource.get("sns_topic_name") is not None:
            yield resource


# ---------------------------------------------------------------- filters and alarms


def chains(graph: Graph) -> list[Chain]:
    """The metric filters of the scan, each with the alarms on its metric."""
    alarms = graph.of_type(ALARM)
    by_metric: dict[object, list[int]] = {}
    for index, alarm in enumerate(alarms):
        source = resource_of(alarm.get("metric_name"), alarm, graph, METRIC_FILTER)
        for key in (id(source), *_metrics_of(alarm)):
            by_metric.setdefault(key, []).append(index)
    composed = _composed_of(graph)
    found: list[Chain] = []
    for resource in graph.of_type(METRIC_FILTER):
        keys = (id(resource), *_counted_by(resource))
        places = {index for key in keys for index in by_metric.get(key, ())}
        on_it = tuple(alarms[index] for index in sorted(places))
        acting = tuple(alarm for alarm in on_it if _acts(alarm) or _is_composed(alarm, composed))
        found.append(Chain(resource, frozenset(topics_of(resource)), on_it, acting))
    return found


def topics_of(metric_filter: Resource) -> Iterator[str]:
    """What a metric filter notices: topics of which it counts a record, and nothing ordinary."""
    events = audit_facts().events
    for _, arm in metric_filter.arms("pattern"):
        pattern = text_of(arm)
        if pattern is None or any(counts(pattern, one.event) for one in events if not one.topic):
            continue
        for topic in audit_facts().topics:
            if any(counts(pattern, one.event) for one in events if one.topic == topic):
                yield topic


def _counted_by(resource: Resource) -> Iterator[tuple[str, str]]:
    """Namespace and name of the metrics that a filter writes."""
    for _, block in blocks_of(resource.get("metric_transformation")):
        yield show(block.get("namespace")), show(block.get("name"))


def _metrics_of(alarm: Resource) -> Iterator[tuple[str, str]]:
    if alarm.get("metric_name") is not None:
        yield show(alarm.get("namespace")), show(alarm.get("metric_name"))
    for _, query in blocks_of(alarm.get("metric_query")):
        for name in ("metric", "metric_stat"):
            for _, block in blocks_of(query.get(name)):
                inner = [block, *(found for _, found in blocks_of(block.get("metric")))]
                for one in inner:
                    if one.get("metric_name") is not None:
                        yield show(one.get("namespace")), show(one.get("metric_name"))


def _acts(alarm: Resource) -> bool:
    """Whether an alarm tells somebody."""
    if flag(alarm, "actions_enabled", default=True) is False:
        return False
    return any(True for _ in items_of(alarm.get("alarm_actions")))


def _composed_of(graph: Graph) -> list[str]:
    """The expressions of composite alarms that tell somebody."""
    return [
        show(alarm.get("alarm_rule")) for alarm in graph.of_type(COMPOSITE_ALARM) if _acts(alarm)
    ]


def _is_composed(alarm: Resource, expressions: list[str]) -> bool:
    name = alarm.text("alarm_name") or alarm.address
    return any(name in expression for expression in expressions)
