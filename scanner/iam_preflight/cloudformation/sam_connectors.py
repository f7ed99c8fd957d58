"""SAM connectors: the permissions that let one resource use another.

https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/managing-permissions-connectors.html
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct, field

from iam_preflight.cloudformation.raw import Facts, entry, items_at, name_in, raw, ref, text_at
from iam_preflight.cloudformation.sam_events import Made
from iam_preflight.knowledge.reading import read_data
from iam_preflight.values import Value, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.cloudformation.resources import Definition
    from iam_preflight.source import Span

_VARIABLE = re.compile(r"%\{([\w.]+)\}")
_SERVERLESS = {
    "AWS::Serverless::Api": "AWS::ApiGateway::RestApi",
    "AWS::Serverless::Function": "AWS::Lambda::Function",
    "AWS::Serverless::HttpApi": "AWS::ApiGatewayV2::Api",
    "AWS::Serverless::SimpleTable": "AWS::DynamoDB::Table",
    "AWS::Serverless::StateMachine": "AWS::StepFunctions::StateMachine",
}


class Connection(msgspec.Struct, frozen=True):
    """What connecting one type to another takes."""

    kind: str
    is_held_by_source: bool
    access: dict[str, Any]
    """Statements, or properties of a Lambda permission, by `Read` and `Write`."""


class Connectable(msgspec.Struct, frozen=True):
    role: str | dict[str, str]
    """The property that names the role; an object where it has to be looked for."""
    returns: dict[str, Any]


class _Facts(msgspec.Struct):
    connectors: dict[str, Connection]
    resources: dict[str, Connectable]


@functools.cache
def _facts() -> _Facts:
    return read_data("sam_connectors.json", _Facts)


class End(Struct, frozen=True):
    """One end of a connector: a resource of the template, or what is said about another one."""

    type: str
    values: Facts = field(default_factory=dict)
    """`Arn`, `Name`, `ResourceId`, `Qualifier`, `QueueUrl`, `RoleName`."""


def connect(
    name: str,
    number: str,
    source: Value,
    destination: Value,
    permissions: tuple[Value, ...],
    definitions: dict[str, Definition],
) -> Iterator[Made]:
    """The policy or permission that a connector makes; nothing for types that do not connect."""
    first, second = (
        _end(one, other, definitions)
        for one, other in ((source, destination), (destination, source))
    )
    if first is None or second is None:
        return
    connection = _facts().connectors.get(f"{first.type} {second.type}")
    if connection is None:
        return
    place = destination.span
    values = {f"Source.{key}": value for key, value in first.values.items()}
    values |= {f"Destination.{key}": value for key, value in second.values.items()}
    wanted = [text_of(permission) for permission in permissions]
    access = {key: _filled(connection.access[key], values) for key in connection.access}
    chosen = {key: facts for key, facts in access.items() if key in wanted}
    holder = first if connection.is_held_by_source else second
    if connection.kind == "AWS_LAMBDA_PERMISSION":
        for key, facts in chosen.items():
            properties = {**facts, "FunctionName": holder.values.get("Arn")}
            yield Made(
                f"{name}{key}LambdaPermission{number}", "AWS::Lambda::Permission", properties, place
            )
        return
    statements = [statement for facts in chosen.values() for statement in facts["Statement"]]
    document = {"Version": "2012-10-17", "Statement": statements}
    yield from _policy(connection.kind, name, number, holder, document, place)


def _policy(
    kind: str, name: str, number: str, holder: End, document: Facts, place: Span
) -> Iterator[Made]:
    properties: dict[str, object] = {"PolicyDocument": document}
    match kind:
        case "AWS_IAM_ROLE_MANAGED_POLICY":
            role = holder.values.get("RoleName")
            properties["Roles"] = [role] if role is not None else None
            yield Made(f"{name}Policy{number}", "AWS::IAM::ManagedPolicy", properties, place)
        case "AWS_SQS_QUEUE_POLICY":
            properties["Queues"] = [holder.values.get("Url", holder.values.get("QueueUrl"))]
            yield Made(f"{name}QueuePolicy{number}", "AWS::SQS::QueuePolicy", properties, place)
        case "AWS_SNS_TOPIC_POLICY":
            properties["Topics"] = [holder.values.get("Arn")]
            yield Made(f"{name}TopicPolicy{number}", "AWS::SNS::TopicPolicy", properties, place)


def _end(value: Value, other: Value, definitions: dict[str, Definition]) -> End | None:
    name = text_at(value, "Id")
    if name is None:
        kind = text_at(value, "Type") or ""
        given = {
            key: found
            for key in ("Arn", "Name", "ResourceId", "Qualifier", "QueueUrl", "RoleName")
            if (found := entry(value, key)) is not None
        }
        return End(_SERVERLESS.get(kind, kind), given)
    definition = definitions.get(name)
    if definition is None:
        return None
    facts = _facts().resources.get(definition.kind)
    if facts is None:
        return End(definition.kind)
    values: dict[str, object] = {}
    for key, returned in facts.returns.items():
        values["ResourceId" if key == "Id" else key] = _filled(returned, {"logicalId": name})
    qualifier = entry(value, "Qualifier")
    if qualifier is not None:
        values["Qualifier"] = qualifier
    role = _role(facts, definition, other)
    if role is not None:
        values["RoleName"] = raw(ref(role), value.span)
    return End(definition.kind, values)


def _role(facts: Connectable, definition: Definition, other: Value) -> str | None:
    """The logical id of the role that a resource acts with."""
    if isinstance(facts.role, str):
        return name_in(entry(definition.raw, "Properties", facts.role)) if facts.role else None
    wanted = text_at(other, "Id")
    for target in items_at(definition.raw, "Properties", "Targets"):
        if name_in(entry(target, "Arn")) == wanted and wanted is not None:
            return name_in(entry(target, "RoleArn"))
    return None


def _filled(data: Any, values: dict[str, Any]) -> Any:
    """A profile with `%{Source.Arn}` and the like filled in."""
    match data:
        case dict():
            return {key: _filled(item, values) for key, item in data.items()}
        case list():
            return [_filled(item, values) for item in data]
        case str():
            return _filled_text(data, values)
        case _:
            return data


def _filled_text(text: str, values: dict[str, Any]) -> Any:
    names = _VARIABLE.findall(text)
    if not names:
        return {"Fn::Sub": text} if "${" in text else text
    if text == "%{" + names[0] + "}":
        return values.get(names[0])
    if all(isinstance(values.get(name), str) for name in names):
        return _VARIABLE.sub(lambda found: str(values[found[1]]), text)
    plain = {name: name.replace(".", "") for name in names}
    with_names = _VARIABLE.sub(lambda found: "${" + plain[found[1]] + "}", text)
    return {"Fn::Sub": [with_names, {plain[name]: values.get(name) for name in names}]}
