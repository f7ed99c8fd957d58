"""The SAM transform: `AWS::Serverless::*` resources as the CloudFormation they become.

Only what matters for identity is made: functions and state machines with their roles, permissions
of events and URLs, APIs with their resource policies, queues and topics that are made on the
way, connectors. Logical ids are those of the real transform where it does not hash something
into them. Everything made stands at the SAM property that it comes from.

https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-specification.html
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from msgspec.structs import replace

from iam_preflight.cloudformation.raw import (
    Facts,
    entries_of,
    entry,
    get_att,
    is_no_value,
    items_at,
    name_in,
    raw,
    ref,
    spans_of,
    text_at,
)
from iam_preflight.cloudformation.sam_apis import graphql_api, http_api, rest_api
from iam_preflight.cloudformation.sam_connectors import connect
from iam_preflight.cloudformation.sam_events import (
    IMPLICIT_API,
    IMPLICIT_HTTP_API,
    Made,
    Needs,
    answers_everything,
    destination_policy,
    events_of,
    function_event,
    machine_event,
    trust,
)
from iam_preflight.cloudformation.sam_policies import (
    aws_policy,
    held_policies,
    policy_entries,
)
from iam_preflight.cloudformation.scope import function_of
from iam_preflight.values import (
    Assumption,
    Known,
    Listing,
    Mapping,
    Value,
    bool_of,
    text_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from iam_preflight.cloudformation.resources import Definition
    from iam_preflight.cloudformation.template import Template
    from iam_preflight.source import Span

PREFIX = "AWS::Serverless::"

_FUNCTION_ONLY = frozenset(
    {
        "AssumeRolePolicyDocument",
        "AutoPublishAlias",
        "CodeUri",
        "DeadLetterQueue",
        "DeploymentPreference",
        "EventInvokeConfig",
        "Events",
        "FunctionUrlConfig",
        "ImageUri",
        "InlineCode",
        "PermissionsBoundary",
        "Policies",
        "Role",
        "RolePath",
        "Tags",
        "Tracing",
    }
)
_MACHINE_ONLY = frozenset(
    {"Definition", "Events", "Logging", "Name", "PermissionsBoundary", "Policies", "Role"}
    | {"RolePath", "Tags", "Tracing", "Type"}
)


class Serverless:
    """The serverless resources of one template, and what they become."""

    def __init__(self, template: Template, definitions: dict[str, Definition]) -> None:
        self.globals = template.section("Globals")
        self.source = definitions
        self.made: dict[str, Definition] = {}
        self.references: dict[str, str] = {}
        """What `Function.Alias` and the like stand for, as logical ids."""
        self._stages = {
            name: text_at(definition.raw, "Properties", "StageName") or "Stage"
            for name, definition in definitions.items()
            if definition.native_type == PREFIX + "Api"
        }
        self._stages[IMPLICIT_API] = "Prod"
        self._implicit: deque[tuple[str, Definition, Span]] = deque()

    def run(self) -> dict[str, Definition]:
        """Every definition of the template, the serverless ones turned into what they become."""
        for name, definition in self.source.items():
            kind = definition.native_type
            handler = _HANDLERS.get(kind.removeprefix(PREFIX)) if kind.startswith(PREFIX) else None
            if handler is None:
                self.made[name] = definition
            else:
                handler(self, definition, self.properties(definition))
        for name, owner, place in self._implicit:
            if name not in self.made:
                self._implicit_api(name, owner, place)
        for name, definition in self.source.items():
            if definition.native_type == PREFIX + "Connector":
                properties = self.properties(definition)
                self._connect(name, definition, properties, entry(properties, "Source"))
            self._embedded_connectors(name, definition)
        return self.made

    # ---- pieces

    def properties(self, definition: Definition) -> Mapping:
        """The properties of a resource, those of `Globals` beneath its own."""
        own = definition.raw.get("Properties")
        own = own if isinstance(own, Mapping) else Mapping({}, definition.header)
        kind = definition.native_type.removeprefix(PREFIX)
        shared = self.globals.get(kind) if self.globals is not None else None
        ignored = items_at(definition.raw, "IgnoreGlobals")
        names = {text_of(item) for item in ignored}
        if not isinstance(shared, Mapping) or "*" in names:
            return own
        if names:
            kept = {key: shared.entries[key] for key in shared.entries if key not in names}
            shared = replace(shared, entries=kept)
        merged = _merge(shared, own)
        return merged if isinstance(merged, Mapping) else own

    def add(
        self,
        owner: Definition,
        logical_id: str,
        kind: str,
        properties: Facts,
        place: Span | None = None,
        key_spans: dict[str, Span] | None = None,
    ) -> Definition:
        """A resource made from a serverless one; it is there whenever its owner is."""
        span = owner.raw.span
        values = {
            name: raw(value, place or owner.header)
            for name, value in properties.items()
            if value is not None
        }
        body = Mapping(values, span, key_spans or {name: values[name].span for name in values})
        is_owner = logical_id == owner.logical_id
        attributes: dict[str, Value] = {"Properties": body}
        metadata = owner.raw.get("Metadata")
        if metadata is not None:
            attributes["Metadata"] = metadata
        definition = replace(
            owner,
            logical_id=logical_id,
            native_type=owner.native_type if is_owner else kind,
            raw=Mapping(attributes, span, owner.raw.key_spans),
            header=owner.header if is_owner or place is None else place,
            kind=kind,
        )
        self.made[logical_id] = definition
        return definition

    def _role(
        self,
        owner: Definition,
        properties: Mapping,
        trusted: object,
        managed: list[Value],
        inline: list[Value],
        sam_tag: str,
    ) -> None:
        """The role that a function or state machine runs with, unless it names one."""
        name = f"{owner.logical_id}Role"
        for index, policy in enumerate(policy_entries(properties.get("Policies"))):
            held = held_policies(policy, f"{name}Policy{index}")
            if held.managed is not None:
                managed.append(held.managed)
            if held.inline is not None:
                inline.append(held.inline)
        role: dict[str, object] = {
            "AssumeRolePolicyDocument": trusted,
            "ManagedPolicyArns": _listing(managed, owner.header),
            "Policies": _listing(inline, owner.header),
            "Path": properties.get("RolePath"),
            "PermissionsBoundary": properties.get("PermissionsBoundary"),
            "Tags": _tags(properties, sam_tag, owner.header),
        }
        spans = {
            "AssumeRolePolicyDocument": "AssumeRolePolicyDocument",
            "ManagedPolicyArns": "Policies",
            "Policies": "Policies",
            "Path": "RolePath",
            "PermissionsBoundary": "PermissionsBoundary",
            "Tags": "Tags",
        }
        key_spans = {
            ours: properties.key_span(theirs) if theirs in properties.entries else owner.header
            for ours, theirs in spans.items()
        }
        self.add(owner, name, "AWS::IAM::Role", role, key_spans=key_spans)

    # ---- functions

    def function(self, owner: Definition, properties: Mapping) -> None:
        name = owner.logical_id
        alias = text_of(properties.get("AutoPublishAlias"))
        target: dict[str, object] = {"FunctionName": ref(name)}
        if alias is not None:
            target["Qualifier"] = alias
            self._alias(owner, properties, alias)
        needs = Needs()
        events: list[Made] = []
        written = list(events_of(name, properties))
        covered = {name_in(event.get("ApiId")) for event in written if answers_everything(event)}
        for event in written:
            if (
                event.kind == "HttpApi"
                and name_in(event.get("ApiId")) in covered
                and not answers_everything(event)
            ):
                continue
            events.extend(function_event(event, name, target, self._stages, needs))
            implicit = {"Api": "RestApiId", "HttpApi": "ApiId"}.get(event.kind)
            if implicit is not None and event.get(implicit) is None:
                api = IMPLICIT_API if event.kind == "Api" else IMPLICIT_HTTP_API
                self._implicit.append((api, owner, event.place))
        role = self._function_role(owner, properties, needs)
        function: dict[str, object] = {
            key: value for key, value, _ in entries_of(properties) if key not in _FUNCTION_ONLY
        }
        function["Role"] = role
        function["Tags"] = _tags(properties, "lambda:createdBy", owner.header)
        image = properties.get("ImageUri")
        if image is not None:
            function["Code"] = raw({"ImageUri": image}, image.span)
        tracing = properties.get("Tracing")
        if tracing is not None and text_of(tracing) != "Disabled":
            function["TracingConfig"] = {"Mode": tracing}
        dead_letters = entry(properties, "DeadLetterQueue", "TargetArn")
        if dead_letters is not None:
            function["DeadLetterConfig"] = {"TargetArn": dead_letters}
        spans = dict(properties.key_spans or {})
        self.add(
            owner,
            name,
            "AWS::Lambda::Function",
            function,
            key_spans=spans_of(function, spans, owner.header),
        )
        for made in events:
            self.add(owner, made.logical_id, made.type, made.properties, made.place)
        self._url(owner, properties, target)

    def _function_role(self, owner: Definition, properties: Mapping, needs: Needs) -> object:
        """The function's role: the one it names, or the one that is made for it."""
        given = properties.get("Role")
        made = get_att(f"{owner.logical_id}Role")
        makes_role = given is None or is_no_value(given)
        role: object = made if makes_role else given
        function = function_of(given)
        roles_owner: Definition | None = owner
        if given is not None and function is not None and function[0] == "Fn::If":
            condition, *arms = items_at(given, "Fn::If")
            absent = [is_no_value(arm) for arm in arms]
            if len(arms) == 2 and any(absent):
                makes_role = True
                chosen = [made if gone else arm for arm, gone in zip(arms, absent, strict=True)]
                role = {"Fn::If": [condition, *chosen]}
                if not all(absent):
                    roles_owner = _under(owner, condition, holds=absent[0])
        if roles_owner is not None and makes_role:
            managed = list(self._basic_policies(owner, properties))
            inline = list(self._function_documents(owner, properties))
            managed += [aws_policy(path, place) for path, place in needs.managed]
            inline += needs.inline
            trusted = properties.get("AssumeRolePolicyDocument") or trust("lambda")
            self._role(roles_owner, properties, trusted, managed, inline, "lambda:createdBy")
        return role

    def _basic_policies(self, owner: Definition, properties: Mapping) -> Iterator[Value]:
        """https://docs.aws.amazon.com/lambda/latest/dg/lambda-intro-execution-role.html"""
        is_durable = properties.get("DurableConfig") is not None
        basic = (
            "AWSLambdaBasicDurableExecutionRolePolicy"
            if is_durable
            else "AWSLambdaBasicExecutionRole"
        )
        yield aws_policy(basic, owner.header)
        tracing = properties.get("Tracing")
        if tracing is not None and text_of(tracing) != "Disabled":
            yield aws_policy("AWSXrayWriteOnlyAccess", tracing.span)
        network = properties.get("VpcConfig")
        if network is not None:
            yield aws_policy("AWSLambdaVPCAccessExecutionRole", network.span)

    def _function_documents(self, owner: Definition, properties: Mapping) -> Iterator[Value]:
        dead_letters = properties.get("DeadLetterQueue")
        arn = entry(dead_letters, "TargetArn")
        if dead_letters is not None and arn is not None:
            actions = {"SQS": "sqs:SendMessage", "SNS": "sns:Publish"}
            action = actions.get(text_at(dead_letters, "Type") or "")
            statement = {"Effect": "Allow", "Action": action, "Resource": arn}
            document = {"Version": "2012-10-17", "Statement": [statement]}
            yield raw(
                {"PolicyName": "DeadLetterQueuePolicy", "PolicyDocument": document},
                properties.key_span("DeadLetterQueue"),
            )
        destinations = entry(properties, "EventInvokeConfig", "DestinationConfig")
        for outcome in ("OnSuccess", "OnFailure"):
            destination = entry(destinations, outcome)
            if destination is None:
                continue
            logical_id = f"{owner.logical_id}EventInvokeConfig{outcome}"
            kind = text_at(destination, "Type")
            place = destination.span
            arn = entry(destination, "Destination")
            if arn is None and kind in ("SQS", "SNS"):
                arn = raw(self._destination(owner, logical_id, kind, place), place)
            policy = destination_policy(kind, arn, logical_id, place) if arn is not None else None
            if policy is not None:
                yield policy

    def _destination(self, owner: Definition, logical_id: str, kind: str, place: Span) -> Facts:
        """The queue or topic that is made for what a function sends on."""
        if kind == "SQS":
            self.add(owner, f"{logical_id}Queue", "AWS::SQS::Queue", {}, place)
            self.references[f"{owner.logical_id}.DestinationQueue"] = f"{logical_id}Queue"
            return get_att(f"{logical_id}Queue")
        self.add(owner, f"{logical_id}Topic", "AWS::SNS::Topic", {}, place)
        self.references[f"{owner.logical_id}.DestinationTopic"] = f"{logical_id}Topic"
        return ref(f"{logical_id}Topic")

    def _alias(self, owner: Definition, properties: Mapping, alias: str) -> None:
        name = owner.logical_id
        place = properties.key_span("AutoPublishAlias")
        version = f"{name}Version"
        self.add(owner, version, "AWS::Lambda::Version", {"FunctionName": ref(name)}, place)
        self.add(
            owner,
            f"{name}Alias{alias}",
            "AWS::Lambda::Alias",
            {
                "FunctionName": ref(name),
                "Name": alias,
                "FunctionVersion": get_att(version, "Version"),
            },
            place,
        )
        self.references[f"{name}.Alias"] = f"{name}Alias{alias}"
        self.references[f"{name}.Version"] = version

    def _url(self, owner: Definition, properties: Mapping, target: Facts) -> None:
        url = properties.get("FunctionUrlConfig")
        if not isinstance(url, Mapping) or function_of(url) is not None:
            return
        name = owner.logical_id
        place = properties.key_span("FunctionUrlConfig")
        settings: dict[str, object] = {key: value for key, value, _ in entries_of(url)}
        settings["TargetFunctionArn"] = target["FunctionName"]
        if "Qualifier" in target:
            settings["Qualifier"] = target["Qualifier"]
        key_spans = {**dict(url.key_spans or {}), "TargetFunctionArn": place}
        self.add(owner, f"{name}Url", "AWS::Lambda::Url", settings, place, key_spans)
        auth = url.get("AuthType")
        if auth is None or text_of(auth) != "NONE":
            return
        public = {**target, "Principal": "*"}
        invoke_url = {"Action": "lambda:InvokeFunctionUrl", "FunctionUrlAuthType": auth}
        permission = "AWS::Lambda::Permission"
        self.add(
            owner, f"{name}UrlPublicPermissions", permission, {**public, **invoke_url}, auth.span
        )
        invoke = {"Action": "lambda:InvokeFunction", "InvokedViaFunctionUrl": True}
        self.add(
            owner, f"{name}URLInvokeAllowPublicAccess", permission, {**public, **invoke}, auth.span
        )

    # ---- state machines

    def state_machine(self, owner: Definition, properties: Mapping) -> None:
        name = owner.logical_id
        boundary = entry(properties, "PermissionsBoundary")
        for event in events_of(name, properties):
            for made in machine_event(event, name, boundary):
                self.add(owner, made.logical_id, made.type, made.properties, made.place)
            if event.kind == "Api" and event.get("RestApiId") is None:
                self._implicit.append((IMPLICIT_API, owner, event.place))
        role: object = properties.get("Role")
        if role is None:
            managed: list[Value] = []
            tracing = entry(properties, "Tracing", "Enabled")
            if tracing is not None and bool_of(tracing) is True:
                managed.append(aws_policy("AWSXrayWriteOnlyAccess", tracing.span))
            tag = "stateMachine:createdBy"
            self._role(owner, properties, trust("states"), managed, [], tag)
            role = get_att(f"{name}Role")
        machine: dict[str, object] = {
            key: value for key, value, _ in entries_of(properties) if key not in _MACHINE_ONLY
        }
        machine["RoleArn"] = role
        for theirs, ours in (
            ("Name", "StateMachineName"),
            ("Type", "StateMachineType"),
            ("Logging", "LoggingConfiguration"),
            ("Tracing", "TracingConfiguration"),
            ("Definition", "DefinitionString"),
        ):
            machine[ours] = properties.get(theirs)
        machine["Tags"] = _tags(properties, "stateMachine:createdBy", owner.header)
        spans = dict(properties.key_spans or {})
        spans["RoleArn"] = spans.get("Role", owner.header)
        self.add(
            owner,
            name,
            "AWS::StepFunctions::StateMachine",
            machine,
            key_spans=spans_of(machine, spans, owner.header),
        )

    # ---- APIs

    def api(self, owner: Definition, properties: Mapping) -> None:
        rest_api(self, owner, properties, self._stages.get(owner.logical_id, "Stage"))

    def http_api(self, owner: Definition, properties: Mapping) -> None:
        http_api(self, owner, properties)

    def graphql_api(self, owner: Definition, properties: Mapping) -> None:
        graphql_api(self, owner, properties)

    def _implicit_api(self, name: str, owner: Definition, place: Span) -> None:
        """The API that events without one of their own share."""
        is_rest = name == IMPLICIT_API
        kind = PREFIX + ("Api" if is_rest else "HttpApi")
        stage: dict[str, Value] = {"StageName": Known("Prod", place)} if is_rest else {}
        body = Mapping({"Properties": Mapping(stage, place)}, place)
        definition = replace(
            owner, logical_id=name, native_type=kind, kind=kind, raw=body, header=place
        )
        handler = self.api if is_rest else self.http_api
        handler(definition, self.properties(definition))

    # ---- the rest

    def simple_table(self, owner: Definition, properties: Mapping) -> None:
        table: dict[str, object] = {
            key: properties.get(key) for key in ("TableName", "SSESpecification", "Tags")
        }
        spans = dict(properties.key_spans or {})
        self.add(
            owner,
            owner.logical_id,
            "AWS::DynamoDB::Table",
            table,
            key_spans=spans_of(table, spans, owner.header),
        )

    def layer(self, owner: Definition, properties: Mapping) -> None:
        layer: dict[str, object] = {
            key: properties.get(key) for key in ("LayerName", "Description", "LicenseInfo")
        }
        self.add(owner, owner.logical_id, "AWS::Lambda::LayerVersion", layer)

    def application(self, owner: Definition, _: Mapping) -> None:
        self.made[owner.logical_id] = replace(owner, kind="AWS::CloudFormation::Stack")

    def connector(self, owner: Definition, _: Mapping) -> None:
        """Connectors come last: they need the roles of what they connect."""

    def capacity_provider(self, owner: Definition, properties: Mapping) -> None:
        policy = "AWSLambdaManagedEC2ResourceOperator"
        self._operated(owner, properties, "AWS::Lambda::CapacityProvider", policy)

    def network_connector(self, owner: Definition, properties: Mapping) -> None:
        policy = "AWSLambdaNetworkConnectorOperatorPolicy"
        self._operated(owner, properties, "AWS::Lambda::NetworkConnector", policy)

    def _operated(self, owner: Definition, properties: Mapping, kind: str, policy: str) -> None:
        role: object = properties.get("OperatorRole")
        if role is None:
            name = f"{owner.logical_id}OperatorRole"
            made: dict[str, object] = {
                "AssumeRolePolicyDocument": trust("lambda"),
                "ManagedPolicyArns": [aws_policy(policy, owner.header)],
                "Tags": raw({"lambda:createdBy": "SAM"}, owner.header),
            }
            self.add(owner, name, "AWS::IAM::Role", made)
            role = get_att(name)
        settings = {key: value for key, value, _ in entries_of(properties) if key != "OperatorRole"}
        more: dict[str, object] = {**settings, "OperatorRole": role}
        self.add(owner, owner.logical_id, kind, more)

    # ---- connectors

    def _embedded_connectors(self, name: str, definition: Definition) -> None:
        for key, connector, place in entries_of(definition.raw.get("Connectors")):
            properties = entry(connector, "Properties")
            if isinstance(properties, Mapping):
                source = raw({"Id": name}, place)
                own = entry(connector, "SourceReference")
                if isinstance(own, Mapping):
                    entries = {**dict(own.entries), "Id": Known(name, place)}
                    source = replace(own, entries=entries)
                owner = replace(definition, header=place, native_type=PREFIX + "Connector")
                self._connect(f"{name}{key}", owner, properties, source)

    def _connect(
        self, name: str, owner: Definition, properties: Mapping, source: Value | None
    ) -> None:
        if source is None:
            return
        destinations = items_at(properties, "Destination")
        for index, destination in enumerate(destinations):
            number = f"Destination{index}" if len(destinations) > 1 else ""
            permissions = items_at(properties, "Permissions")
            for made in connect(name, number, source, destination, permissions, self.made):
                self.add(owner, made.logical_id, made.type, made.properties, made.place)


_HANDLERS: dict[str, Callable[[Serverless, Definition, Mapping], None]] = {
    "Api": Serverless.api,
    "Application": Serverless.application,
    "CapacityProvider": Serverless.capacity_provider,
    "Connector": Serverless.connector,
    "Function": Serverless.function,
    "GraphQLApi": Serverless.graphql_api,
    "HttpApi": Serverless.http_api,
    "LayerVersion": Serverless.layer,
    "NetworkConnector": Serverless.network_connector,
    "SimpleTable": Serverless.simple_table,
    "StateMachine": Serverless.state_machine,
}


def _merge(shared: Value, own: Value) -> Value:
    """`Globals` beneath a resource's own: objects are merged, lists joined, the rest replaced.

    https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-specification-template-anatomy-globals.html
    """
    match shared, own:
        case Mapping(), Mapping() if function_of(shared) is None and function_of(own) is None:
            entries = {key: shared.entries[key] for key in shared.entries}
            spans = {key: shared.key_span(key) for key in shared.entries}
            for key in own.entries:
                value = own.entries[key]
                entries[key] = _merge(entries[key], value) if key in entries else value
                spans[key] = own.key_span(key)
            return replace(own, entries=entries, key_spans=spans)
        case Listing(items=first), Listing(items=second):
            return replace(own, items=(*first, *second))
        case _:
            return own


def _listing(items: list[Value], place: Span) -> Value | None:
    return Listing(tuple(items), items[0].span if items else place) if items else None


def _tags(properties: Mapping, sam_tag: str, place: Span) -> Value:
    """The tags of what SAM makes: its own and those written."""
    own = properties.get("Tags")
    if own is not None and (not isinstance(own, Mapping) or function_of(own) is not None):
        return own
    entries: dict[str, Value] = {sam_tag: Known("SAM", place)}
    spans = {sam_tag: place}
    for key, value, span in entries_of(own):
        entries[key] = value
        spans[key] = span
    return Mapping(entries, own.span if own is not None else place, spans)


def _under(owner: Definition, condition: Value, *, holds: bool) -> Definition | None:
    """A definition that is there only on one side of a condition; None when it never is."""
    name = text_of(condition)
    if name is None:
        return owner
    outcome = owner.scope.frame.outcome(name, condition.span)
    if isinstance(outcome, bool):
        return owner if outcome is holds else None
    assumption = outcome if holds else Assumption(outcome.subject, not outcome.holds)
    return replace(
        owner,
        scope=owner.scope.assume(assumption),
        assumptions=(*owner.assumptions, assumption),
    )
