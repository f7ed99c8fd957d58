"""SAM's APIs: REST APIs with their resource policies, HTTP APIs, GraphQL APIs with their roles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from iam_preflight.cloudformation.raw import (
    Facts,
    entries_of,
    entry,
    get_att,
    items_at,
    raw,
    ref,
    spans_of,
    sub,
)
from iam_preflight.cloudformation.sam_connectors import connect
from iam_preflight.cloudformation.sam_events import trust
from iam_preflight.cloudformation.sam_policies import aws_policy
from iam_preflight.values import Mapping, Value, bool_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.cloudformation.resources import Definition
    from iam_preflight.source import Span

PERMISSION = "AWS::Lambda::Permission"


class Workbench(Protocol):
    """Where made resources go."""

    references: dict[str, str]

    def add(
        self,
        owner: Definition,
        logical_id: str,
        kind: str,
        properties: Facts,
        place: Span | None = None,
        key_spans: dict[str, Span] | None = None,
    ) -> Definition: ...


def rest_api(bench: Workbench, owner: Definition, properties: Mapping, stage: str) -> None:
    name = owner.logical_id
    api: dict[str, object] = {
        key: properties.get(key)
        for key in ("Name", "Description", "EndpointConfiguration", "DisableExecuteApiEndpoint")
    }
    api["Body"] = properties.get("DefinitionBody")
    api["Policy"] = _api_policy(entry(properties, "Auth", "ResourcePolicy"))
    spans = spans_of(api, properties.key_spans, owner.header)
    bench.add(owner, name, "AWS::ApiGateway::RestApi", api, key_spans=spans)
    settings: dict[str, object] = {"RestApiId": ref(name)}
    for key in ("StageName", "TracingEnabled", "AccessLogSetting", "Variables"):
        settings[key] = properties.get(key)
    stage_id = f"{name}{stage if stage.isalnum() else ''}Stage"
    bench.add(owner, stage_id, "AWS::ApiGateway::Stage", settings)
    bench.references[f"{name}.Stage"] = stage_id
    for key, authorizer, place in entries_of(entry(properties, "Auth", "Authorizers")):
        function = entry(authorizer, "FunctionArn")
        is_off = bool_of(entry(authorizer, "DisableFunctionDefaultPermissions"))
        if function is not None and is_off is not True:
            _authorizer(bench, owner, key, function, place)


def http_api(bench: Workbench, owner: Definition, properties: Mapping) -> None:
    name = owner.logical_id
    api: dict[str, object] = {
        "Name": properties.get("Name"),
        "ProtocolType": "HTTP",
        "Body": properties.get("DefinitionBody"),
        "Tags": properties.get("Tags"),
        "CorsConfiguration": properties.get("CorsConfiguration"),
    }
    spans = spans_of(api, properties.key_spans, owner.header)
    bench.add(owner, name, "AWS::ApiGatewayV2::Api", api, key_spans=spans)
    for key, authorizer, place in entries_of(entry(properties, "Auth", "Authorizers")):
        function = entry(authorizer, "FunctionArn")
        is_on = bool_of(entry(authorizer, "EnableFunctionDefaultPermissions"))
        if function is not None and is_on is True:
            _authorizer(bench, owner, key, function, place)


def _authorizer(
    bench: Workbench, owner: Definition, key: str, function: Value, place: Span
) -> None:
    arn = "arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}"
    properties: dict[str, object] = {
        "Action": "lambda:InvokeFunction",
        "FunctionName": function,
        "Principal": "apigateway.amazonaws.com",
        "SourceArn": sub(arn + ":${Api}/authorizers/*", Api=ref(owner.logical_id)),
    }
    logical_id = f"{owner.logical_id}{key}AuthorizerPermission"
    bench.add(owner, logical_id, PERMISSION, properties, place)


def _api_policy(policy: Value | None) -> Value | None:
    """The resource policy of an API, from SAM's lists of who may call it.

    https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-property-api-resourcepolicystatement.html
    """
    if not isinstance(policy, Mapping):
        return None
    statements: list[object] = list(items_at(policy, "CustomStatements"))

    def state(effect: str, principal: object, condition: object = None) -> None:
        statement: dict[str, object] = {
            "Effect": effect,
            "Action": "execute-api:Invoke",
            "Resource": "execute-api:/*",
            "Principal": principal,
        }
        if condition is not None:
            statement["Condition"] = condition
        statements.append(raw(statement, policy.span))

    for key, effect in (("AwsAccountWhitelist", "Allow"), ("AwsAccountBlacklist", "Deny")):
        accounts = policy.get(key)
        if accounts is not None:
            state(effect, {"AWS": accounts})
    for key, operator, condition_key in (
        ("IpRangeWhitelist", "NotIpAddress", "aws:SourceIp"),
        ("IpRangeBlacklist", "IpAddress", "aws:SourceIp"),
        ("SourceVpcWhitelist", "StringNotEquals", "aws:SourceVpc"),
        ("SourceVpcBlacklist", "StringEquals", "aws:SourceVpc"),
        ("IntrinsicVpcWhitelist", "StringNotEquals", "aws:SourceVpc"),
        ("IntrinsicVpcBlacklist", "StringEquals", "aws:SourceVpc"),
        ("IntrinsicVpceWhitelist", "StringNotEquals", "aws:SourceVpce"),
        ("IntrinsicVpceBlacklist", "StringEquals", "aws:SourceVpce"),
    ):
        values = policy.get(key)
        if values is not None:
            state("Allow", "*")
            state("Deny", "*", {operator: {condition_key: values}})
    if not statements:
        return None
    return raw({"Version": "2012-10-17", "Statement": statements}, policy.span)


# ---------------------------------------------------------------- GraphQL


def graphql_api(bench: Workbench, owner: Definition, properties: Mapping) -> None:
    """https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-resource-graphqlapi.html"""
    name = owner.logical_id
    logging = properties.get("Logging")
    api: dict[str, object] = {
        "Name": properties.get("Name"),
        "Visibility": properties.get("Visibility"),
        "XrayEnabled": properties.get("XrayEnabled"),
    }
    if bool_of(logging) is not False:
        role: object = entry(logging, "CloudWatchLogsRoleArn")
        if role is None:
            made = f"{name}CloudWatchRole"
            policy = aws_policy("AWSAppSyncPushToCloudWatchLogs", owner.header)
            settings = {"ManagedPolicyArns": [policy], "AssumeRolePolicyDocument": trust("appsync")}
            bench.add(owner, made, "AWS::IAM::Role", settings)
            role = get_att(made)
        api["LogConfig"] = {"CloudWatchLogsRoleArn": role}
    bench.add(owner, name, "AWS::AppSync::GraphQLApi", api)
    for number, function in enumerate(_authorizing_functions(properties), 1):
        source = {"Type": "AWS::AppSync::GraphQLApi", "Arn": ref(name)}
        source["ResourceId"] = get_att(name, "ApiId")
        target = {"Type": "AWS::Lambda::Function", "Arn": function}
        _connect(bench, owner, f"{name}ToLambdaAuthConnector{number}", source, target, ("Write",))
    for kind in ("DynamoDb", "Lambda"):
        for key, data_source, place in entries_of(entry(properties, "DataSources", kind)):
            _data_source(bench, owner, kind, key, data_source, place)


def _authorizing_functions(properties: Mapping) -> Iterator[Value]:
    auth = properties.get("Auth")
    providers = (auth, *items_at(auth, "Additional"))
    for provider in providers:
        function = entry(provider, "LambdaAuthorizer", "AuthorizerUri")
        if function is not None:
            yield function


def _data_source(
    bench: Workbench, owner: Definition, kind: str, key: str, data_source: Value, place: Span
) -> None:
    is_table = kind == "DynamoDb"
    type_name = "DynamoDB" if is_table else "Lambda"
    name = f"{owner.logical_id}{key}{type_name}DataSource"
    role: object = entry(data_source, "ServiceRoleArn")
    if role is None:
        settings = {"AssumeRolePolicyDocument": trust("appsync")}
        bench.add(owner, f"{name}Role", "AWS::IAM::Role", settings, place)
        role = get_att(f"{name}Role")
        source = {"Type": "AWS::AppSync::DataSource", "Arn": get_att(name, "DataSourceArn")}
        source["RoleName"] = ref(f"{name}Role")
        if is_table:
            target = {"Type": "AWS::DynamoDB::Table", "Arn": _table_arn(data_source)}
            permissions = items_at(data_source, "Permissions") or ("Read", "Write")
            _connect(bench, owner, f"{name}ToTableConnector", source, target, permissions, place)
        else:
            function = entry(data_source, "FunctionArn")
            target = {"Type": "AWS::Lambda::Function", "Arn": function}
            _connect(bench, owner, f"{name}ToLambdaConnector", source, target, ("Write",), place)
    made: dict[str, object] = {"ServiceRoleArn": role, "Type": type_name}
    made["Name"] = entry(data_source, "Name")
    bench.add(owner, name, "AWS::AppSync::DataSource", made, place)


def _table_arn(data_source: Value) -> object:
    arn = entry(data_source, "TableArn")
    if arn is not None:
        return arn
    region = entry(data_source, "Region")
    return sub(
        "arn:${AWS::Partition}:dynamodb:${Region}:${AWS::AccountId}:table/${Table}",
        Region=region if region is not None else ref("AWS::Region"),
        Table=entry(data_source, "TableName"),
    )


def _connect(
    bench: Workbench,
    owner: Definition,
    name: str,
    source: Facts,
    target: Facts,
    permissions: tuple[object, ...],
    place: Span | None = None,
) -> None:
    at = place or owner.header
    wanted = tuple(raw(permission, at) for permission in permissions)
    for made in connect(name, "", raw(source, at), raw(target, at), wanted, {}):
        bench.add(owner, made.logical_id, made.type, made.properties, made.place)
