"""Events of SAM functions and state machines: who may invoke them, and what their role needs.

A source that pushes gets an `AWS::Lambda::Permission`; one that is polled gives the function's
role what polling takes; a schedule, rule or API that starts a state machine gets a role.

https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-property-function-eventsource.html
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct, field

from iam_preflight.cloudformation.raw import (
    Facts,
    entries_of,
    entry,
    get_att,
    items_at,
    name_in,
    raw,
    ref,
    sub,
    text_at,
)
from iam_preflight.knowledge.reading import read_data
from iam_preflight.values import Mapping, Value, bool_of, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.source import Span

IMPLICIT_API = "ServerlessRestApi"
IMPLICIT_HTTP_API = "ServerlessHttpApi"

RULE_EVENTS = ("Schedule", "CloudWatchEvent", "EventBridgeRule")
_REGISTRY = re.compile(r"arn:[^:]*:glue:[^:]*:[^:]*:registry/(.+)")


class Polled(msgspec.Struct, frozen=True):
    """A kind of event that Lambda polls with the function's role."""

    source: str = ""
    managed: str = ""
    inline: str = ""


class _Facts(msgspec.Struct):
    polled: dict[str, Polled]
    secret_types: list[str]
    network_actions: list[str]


@functools.cache
def _facts() -> _Facts:
    return read_data("sam_events.json", _Facts)


class Made(Struct, frozen=True):
    """A resource that an event makes: its logical id, CloudFormation type and properties."""

    logical_id: str
    type: str
    properties: Facts
    place: Span


class Needs(Struct):
    """What a function's role needs for its events: managed policy paths and inline policies."""

    managed: list[tuple[str, Span]] = field(default_factory=list)
    inline: list[Value] = field(default_factory=list)


class Event(Struct, frozen=True):
    """One entry of `Events`."""

    logical_id: str
    """Of the function or state machine and of the event, run together."""
    kind: str
    properties: Value
    place: Span

    def get(self, *path: str) -> Value | None:
        return entry(self.properties, *path)


def answers_everything(event: Event) -> bool:
    """Whether an event is the route of an HTTP API for whatever no other route takes.

    The permission for it covers all others of the same function.
    """
    path, method = text_at(event.properties, "Path"), text_at(event.properties, "Method")
    is_default = path == "$default" or (path is None and method is None)
    return event.kind == "HttpApi" and is_default and (method or "any").lower() == "any"


def events_of(logical_id: str, properties: Value) -> Iterator[Event]:
    for name, event, place in entries_of(entry(properties, "Events")):
        kind = text_at(event, "Type")
        if kind is not None:
            inner = entry(event, "Properties")
            yield Event(logical_id + name, kind, inner or Mapping({}, event.span), place)


# ---------------------------------------------------------------- functions


def function_event(
    event: Event, function: str, target: Facts, stages: dict[str, str], needs: Needs
) -> Iterator[Made]:
    """What an event of a function makes; what its role needs is added to `needs`.

    `target` are the properties that name the function in a permission.
    """
    place = event.place
    polled = _facts().polled.get(event.kind)
    if polled is not None:
        yield from _polled(event, polled, target, needs)
    elif event.kind in RULE_EVENTS:
        yield from _rule(event, raw(get_att(function), place), None)
        yield _permission(
            event, target, "events.amazonaws.com", SourceArn=get_att(event.logical_id)
        )
    elif event.kind == "ScheduleV2":
        arn = get_att(function)
        yield from _schedule(event, arn, "LambdaPolicy", "lambda:InvokeFunction")
    elif event.kind == "S3":
        yield _permission(event, target, "s3.amazonaws.com", SourceAccount=ref("AWS::AccountId"))
    elif event.kind == "SNS":
        yield from _topic(event, function, target, needs)
    elif event.kind == "Api":
        api = event.get("RestApiId") or raw(ref(IMPLICIT_API), place)
        yield _api_permission(event, target, api, _stage(api, stages))
    elif event.kind == "HttpApi":
        api = event.get("ApiId") or raw(ref(IMPLICIT_HTTP_API), place)
        yield _api_permission(event, target, api, "")
    elif event.kind == "AlexaSkill":
        token = event.get("SkillId")
        yield _permission(event, target, "alexa-appkit.amazon.com", EventSourceToken=token)
    elif event.kind == "IoTRule":
        source = sub(
            "arn:${AWS::Partition}:iot:${AWS::Region}:${AWS::AccountId}:rule/${RuleName}",
            RuleName=ref(event.logical_id),
        )
        account = sub("${AWS::AccountId}")
        yield _permission(
            event, target, "iot.amazonaws.com", SourceArn=source, SourceAccount=account
        )
        yield Made(event.logical_id, "AWS::IoT::TopicRule", {}, place)
    elif event.kind == "Cognito":
        pool = name_in(event.get("UserPool"))
        pool_arn = get_att(pool) if pool is not None else None
        prefix = function + "Cognito"
        yield _permission(
            event, target, "cognito-idp.amazonaws.com", prefix=prefix, SourceArn=pool_arn
        )
    elif event.kind == "CloudWatchLogs":
        group = event.get("LogGroupName")
        source = sub(
            "arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:log-group:${Group}:*",
            Group=group,
        )
        yield _permission(event, target, "logs.amazonaws.com", SourceArn=source)
        logs = {"LogGroupName": group, "DestinationArn": get_att(function)}
        yield Made(event.logical_id, "AWS::Logs::SubscriptionFilter", logs, place)


def _permission(
    event: Event,
    target: Facts,
    principal: str,
    suffix: str = "",
    prefix: str = "",
    **more: object,
) -> Made:
    properties = {"Action": "lambda:InvokeFunction", "Principal": principal, **target, **more}
    logical_id = f"{prefix or event.logical_id}Permission{suffix}"
    return Made(logical_id, "AWS::Lambda::Permission", properties, event.place)


def _api_permission(event: Event, target: Facts, api: Value, suffix: str) -> Made:
    path = text_at(event.properties, "Path") or ""
    method = (text_at(event.properties, "Method") or "any").upper()
    method = "*" if method in ("ANY", "X-AMAZON-APIGATEWAY-ANY-METHOD") else method
    path = "" if path == "$default" else re.sub(r"\{[^}]*\}", "*", path)
    path = path.rstrip("/") if len(path) > 1 else path
    source = sub(
        f"arn:${{AWS::Partition}}:execute-api:${{AWS::Region}}:${{AWS::AccountId}}:${{Api}}/*/{method}{path}",
        Api=api,
    )
    return _permission(event, target, "apigateway.amazonaws.com", suffix, SourceArn=source)


def _stage(api: Value, stages: dict[str, str]) -> str:
    """The suffix that SAM gives a permission for the stage of an API."""
    name = name_in(api) or text_of(api)
    return stages.get(name, "AllStages") if name is not None else "AllStages"


def _rule(event: Event, arn: Value, role: object) -> Iterator[Made]:
    """The EventBridge rule of a schedule or pattern."""
    dead_letters = event.get("DeadLetterConfig")
    if dead_letters is not None and entry(dead_letters, "Arn") is None:
        queue = text_at(dead_letters, "QueueLogicalId") or f"{event.logical_id}Queue"
        yield Made(queue, "AWS::SQS::Queue", {}, event.place)
        yield _queue_policy(
            f"{event.logical_id}QueuePolicy",
            {
                "Effect": "Allow",
                "Principal": {"Service": "events.amazonaws.com"},
                "Action": "sqs:SendMessage",
                "Resource": get_att(queue),
                "Condition": {"ArnEquals": {"aws:SourceArn": get_att(event.logical_id)}},
            },
            ref(queue),
            event.place,
        )
    target: dict[str, object] = {"Arn": arn, "Id": f"{event.logical_id}Target"}
    target.update(_given(event, "Input", "InputPath"))
    if role is not None:
        target["RoleArn"] = role
    properties: dict[str, object] = {"Targets": [target]}
    for theirs, ours in (
        ("Schedule", "ScheduleExpression"),
        ("Pattern", "EventPattern"),
        ("EventBusName", "EventBusName"),
        ("Name", "Name"),
        ("RuleName", "Name"),
        ("State", "State"),
    ):
        value = event.get(theirs)
        if value is not None and (theirs != "RuleName" or event.kind != "Schedule"):
            properties[ours] = value
    yield Made(event.logical_id, "AWS::Events::Rule", properties, event.place)


def _given(event: Event, *names: str) -> dict[str, object]:
    """Those of an event's properties that are there."""
    return {name: value for name in names if (value := event.get(name)) is not None}


def _queue_policy(logical_id: str, statement: Facts, queue: object, place: Span) -> Made:
    document = {"Version": "2012-10-17", "Statement": [statement]}
    properties = {"Queues": [queue], "PolicyDocument": document}
    return Made(logical_id, "AWS::SQS::QueuePolicy", properties, place)


def _schedule(event: Event, target: object, policy: str, action: str) -> Iterator[Made]:
    """An EventBridge Scheduler schedule, with the role that it invokes its target with."""
    role: object = event.get("RoleArn")
    dead_letters = event.get("DeadLetterConfig")
    queue: object = None
    if dead_letters is not None:
        queue = entry(dead_letters, "Arn")
        if queue is None:
            name = text_at(dead_letters, "QueueLogicalId") or f"{event.logical_id}Queue"
            yield Made(name, "AWS::SQS::Queue", {}, event.place)
            queue = get_att(name)
    if role is None:
        policies = [_inline(event.logical_id + policy, action, target)]
        if queue is not None:
            policies.append(_inline(f"{event.logical_id}SQSPolicy", "sqs:SendMessage", queue))
        properties: dict[str, object] = {
            "AssumeRolePolicyDocument": trust("scheduler"),
            "Policies": policies,
            "PermissionsBoundary": event.get("PermissionsBoundary"),
        }
        yield Made(f"{event.logical_id}Role", "AWS::IAM::Role", properties, event.place)
        role = get_att(f"{event.logical_id}Role")
    schedule: dict[str, object] = {
        name: event.get(name) for name in ("ScheduleExpression", "State", "GroupName")
    }
    schedule["Target"] = {"Arn": target, "RoleArn": role, **_given(event, "Input")}
    schedule["Name"] = event.get("Name") or event.logical_id
    yield Made(event.logical_id, "AWS::Scheduler::Schedule", schedule, event.place)


def _topic(event: Event, function: str, target: Facts, needs: Needs) -> Iterator[Made]:
    topic = event.get("Topic")
    through_queue = event.get("SqsSubscription")
    endpoint: object = get_att(function)
    protocol = "lambda"
    if through_queue is None or bool_of(through_queue) is False:
        yield _permission(event, target, "sns.amazonaws.com", SourceArn=topic)
    else:
        protocol = "sqs"
        endpoint = entry(through_queue, "QueueArn")
        url: object = entry(through_queue, "QueueUrl")
        if endpoint is None:
            queue = f"{event.logical_id}Queue"
            yield Made(queue, "AWS::SQS::Queue", {}, event.place)
            endpoint, url = get_att(queue), ref(queue)
        policy = text_at(through_queue, "QueuePolicyLogicalId")
        statement = {
            "Effect": "Allow",
            "Principal": "*",
            "Action": "sqs:SendMessage",
            "Resource": endpoint,
            "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
        }
        name = policy or f"{event.logical_id}QueuePolicy"
        yield _queue_policy(name, statement, url, event.place)
        needs.managed.append((_facts().polled["SQS"].managed, event.place))
    properties = {"TopicArn": topic, "Protocol": protocol, "Endpoint": endpoint}
    yield Made(event.logical_id, "AWS::SNS::Subscription", properties, event.place)


def _polled(event: Event, polled: Polled, target: Facts, needs: Needs) -> Iterator[Made]:
    """A stream or queue that Lambda polls with the function's role."""
    if polled.managed:
        needs.managed.append((polled.managed, event.place))
    statements = list(_polling_statements(event))
    if statements:
        document: dict[str, object] = {"Statement": statements}
        if event.kind == "SelfManagedKafka":
            document["Version"] = "2012-10-17"
        policy = {"PolicyName": polled.inline, "PolicyDocument": document}
        needs.inline.append(raw(policy, event.place))
    failure = event.get("DestinationConfig", "OnFailure")
    destination = entry(failure, "Destination")
    if destination is not None:
        kind = text_at(failure, "Type")
        sending = destination_policy(kind, destination, event.logical_id, event.place)
        if sending is not None:
            needs.inline.append(sending)
    properties: dict[str, object] = {"FunctionName": target["FunctionName"]}
    source = event.get(polled.source) if polled.source else None
    if source is not None:
        properties["EventSourceArn"] = source
    yield Made(event.logical_id, "AWS::Lambda::EventSourceMapping", properties, event.place)


def _polling_statements(event: Event) -> Iterator[Facts]:
    kind = event.kind
    types = set()
    if kind in ("MQ", "MSK", "DocumentDB", "SelfManagedKafka"):
        for access in items_at(event.properties, "SourceAccessConfigurations"):
            access_type = text_at(access, "Type") or ""
            types.add(access_type)
            uri = entry(access, "URI")
            wanted = ["CLIENT_CERTIFICATE_TLS_AUTH"] if kind == "MSK" else _facts().secret_types
            if uri is not None and access_type in wanted:
                yield _allow(["secretsmanager:GetSecretValue"], uri)
    if kind == "MQ":
        yield _allow(["mq:DescribeBroker"], event.get("Broker"))
    if kind == "DocumentDB":
        for action, resource in (
            ("rds:DescribeDBClusterParameters", "cluster-pg:*"),
            ("rds:DescribeDBSubnetGroups", "subgrp:*"),
        ):
            arn = "arn:${AWS::Partition}:rds:${AWS::Region}:${AWS::AccountId}:" + resource
            yield _allow([action], sub(arn))
        yield _allow(["rds:DescribeDBClusters"], event.get("Cluster"))
    if kind == "DocumentDB" or {"VPC_SUBNET", "VPC_SECURITY_GROUP"} <= types:
        yield _allow(_facts().network_actions, "*")
    key = text_at(event.properties, "SecretsManagerKmsKeyId")
    if key is not None and kind in ("MQ", "DocumentDB", "SelfManagedKafka"):
        arn = "arn:${AWS::Partition}:kms:${AWS::Region}:${AWS::AccountId}:key/" + key
        yield _allow("kms:Decrypt" if kind == "MQ" else ["kms:Decrypt"], sub(arn))
    if kind in ("MSK", "SelfManagedKafka"):
        yield from _registry_statements(event)


def _registry_statements(event: Event) -> Iterator[Facts]:
    """https://docs.aws.amazon.com/lambda/latest/dg/services-consume-kafka-events.html"""
    for access in items_at(event.properties, "SchemaRegistryConfig", "AccessConfigs"):
        uri = entry(access, "URI")
        if uri is not None:
            yield _allow(["secretsmanager:GetSecretValue"], uri)
    registry = event.get("SchemaRegistryConfig", "SchemaRegistryURI")
    text = text_of(registry) or text_at(registry, "Fn::Sub")
    found = _REGISTRY.fullmatch(text) if text is not None else None
    if registry is not None and found:
        yield _allow(["glue:GetRegistry"], registry)
        arn = "arn:${AWS::Partition}:glue:${AWS::Region}:${AWS::AccountId}:schema/"
        yield _allow(["glue:GetSchemaVersion"], [sub(f"{arn}{found[1]}/*")])


def _allow(actions: object, resource: object) -> Facts:
    return {"Effect": "Allow", "Action": actions, "Resource": resource}


def _inline(name: str, action: str, resource: object) -> Facts:
    return {"PolicyName": name, "PolicyDocument": {"Statement": [_allow(action, resource)]}}


def _document(name: str, statements: list[Facts], place: Span) -> Value:
    return raw({"PolicyName": name, "PolicyDocument": {"Statement": statements}}, place)


def destination_policy(
    kind: str | None, arn: Value | Facts, logical_id: str, place: Span
) -> Value | None:
    """What a role needs to send an event on: to a queue, a topic, a bus, a function, a bucket."""
    match kind:
        case "SQS":
            return _document(f"{logical_id}SQSPolicy", [_allow("sqs:SendMessage", arn)], place)
        case "SNS":
            return _document(f"{logical_id}SNSPolicy", [_allow("sns:publish", arn)], place)
        case "EventBridge":
            name = f"{logical_id}EventBridgePolicy"
            return _document(name, [_allow("events:PutEvents", arn)], place)
        case "Lambda":
            name = f"{logical_id}LambdaPolicy"
            return _document(name, [_allow("lambda:InvokeFunction", arn)], place)
        case "S3" | "S3Bucket":
            objects = {"Fn::Join": ["/", [arn, "*"]]}
            statements = [_allow("s3:PutObject", objects), _allow("s3:ListBucket", arn)]
            return _document(f"{logical_id}S3Policy", statements, place)
        case _:
            return None


def trust(service: str) -> Facts:
    """The trust policy that SAM gives the roles it makes."""
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Action": ["sts:AssumeRole"],
                "Effect": "Allow",
                "Principal": {"Service": [f"{service}.amazonaws.com"]},
            }
        ],
    }


# ---------------------------------------------------------------- state machines


def machine_event(event: Event, machine: str, boundary: Value | None) -> Iterator[Made]:
    """What an event of a state machine makes: a rule or schedule, and the role to start it."""
    if event.kind == "ScheduleV2":
        policy = "StartExecutionPolicy"
        yield from _schedule(event, ref(machine), policy, "states:StartExecution")
        return
    if event.kind not in (*RULE_EVENTS, "Api"):
        return
    role: object = event.get("RoleArn") if event.kind == "Schedule" else None
    if role is None:
        name = f"{event.logical_id}Role"
        service = "apigateway" if event.kind == "Api" else "events"
        properties: dict[str, object] = {
            "AssumeRolePolicyDocument": trust(service),
            "Policies": [
                _inline(f"{name}StartExecutionPolicy", "states:StartExecution", ref(machine))
            ],
        }
        properties["PermissionsBoundary"] = boundary
        yield Made(name, "AWS::IAM::Role", properties, event.place)
        role = get_att(name)
    if event.kind != "Api":
        yield from _rule(event, raw(ref(machine), event.place), role)
