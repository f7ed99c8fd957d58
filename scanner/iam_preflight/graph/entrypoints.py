"""Workloads that anybody on the internet can reach, and through what."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from iam_preflight.resources import Resource
from iam_preflight.values import Reference, blocks_of, bool_of, items_of, show, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.model import Graph, Principal, Workload
    from iam_preflight.source import Span
    from iam_preflight.values import Value

TYPES = (
    "aws_lambda_function",
    "aws_lambda_function_url",
    "aws_api_gateway_method",
    "aws_api_gateway_integration",
    "aws_apigatewayv2_integration",
    "aws_apigatewayv2_route",
    "aws_instance",
    "aws_security_group",
    "aws_security_group_rule",
    "aws_vpc_security_group_ingress_rule",
    "aws_lb",
    "aws_ecs_service",
    "aws_ecs_task_definition",
    "aws_apprunner_service",
    "aws_cognito_identity_pool",
    "aws_cognito_identity_pool_roles_attachment",
)
"""What has to be read to know."""

EVERYWHERE = ("0.0.0.0/0", "::/0")


class Entrypoint(Struct, frozen=True):
    """A way in: what is open, and the role that whoever is inside has."""

    resource: Resource
    role: Principal
    place: Span
    label: str


def entrypoints(graph: Graph) -> Iterator[Entrypoint]:
    """Every way in that the code leaves open, at its place."""
    finder = _Finder(graph)
    for url in graph.of_type("aws_lambda_function_url"):
        if url.text("authorization_type") == "NONE":
            place = url.span_of("authorization_type")
            yield from finder.of_function(
                url, "function_name", place, "a URL without authorization"
            )
    yield from finder.of_rest_apis()
    yield from finder.of_http_apis()
    for workload in graph.workloads:
        yield from finder.of_workload(workload)
    yield from finder.of_identity_pools()


class _Finder:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self._roles: dict[tuple[str, str], Workload] = {
            (w.resource.deployment.path, w.resource.address): w for w in graph.workloads
        }

    def _role_of(self, resource: Resource) -> Principal | None:
        workload = self._roles.get((resource.deployment.path, resource.address))
        return workload.role if workload is not None else None

    def of_function(
        self, resource: Resource, attribute: str, place: Span, label: str
    ) -> Iterator[Entrypoint]:
        """The function that an attribute refers to, opened by the resource."""
        value = resource.get(attribute)
        for function in self._functions(value, resource):
            role = self._role_of(function)
            if role is not None:
                yield Entrypoint(function, role, place, label)

    def _functions(self, value: Value | None, resource: Resource) -> Iterator[Resource]:
        for _, item in items_of(value):
            found = self.graph.lookup.find(item, Resource, resource)
            if found is None:
                found = self._mentioned(item, resource)
            if found is not None and found.type == "aws_lambda_function":
                yield found

    def _mentioned(self, item: Value, resource: Resource) -> Resource | None:
        """A function inside a longer text, such as an API's integration URI."""
        for part in getattr(item, "parts", ()):
            reference = getattr(part, "reference", None)
            if isinstance(reference, Reference):
                where = reference.deployment or resource.deployment.path
                found = self.graph.lookup.at(where, reference.address, Resource)
                if found is not None:
                    return found
        name = show(item)
        for function in self.graph.of_type("aws_lambda_function"):
            own = function.text("function_name")
            if own and f":function:{own}/" in name:
                return function
        return None

    def of_rest_apis(self) -> Iterator[Entrypoint]:
        open_methods = {
            (show(method.get("resource_id")), show(method.get("http_method"))): method
            for method in self.graph.of_type("aws_api_gateway_method")
            if method.text("authorization") == "NONE"
            and bool_of(method.get("api_key_required")) is not True
        }
        for integration in self.graph.of_type("aws_api_gateway_integration"):
            key = (show(integration.get("resource_id")), show(integration.get("http_method")))
            method = open_methods.get(key)
            if method is not None:
                place = method.span_of("authorization")
                label = "an API method without authorization"
                yield from self.of_function(integration, "uri", place, label)

    def of_http_apis(self) -> Iterator[Entrypoint]:
        for route in self.graph.of_type("aws_apigatewayv2_route"):
            if (route.text("authorization_type") or "NONE") != "NONE":
                continue
            target = route.get("target")
            for part in (target, *getattr(target, "parts", ())):
                reference = getattr(part, "reference", None)
                if not isinstance(reference, Reference):
                    continue
                where = reference.deployment or route.deployment.path
                integration = self.graph.lookup.at(where, reference.address, Resource)
                if integration is not None:
                    label = "an API route without authorization"
                    yield from self.of_function(integration, "integration_uri", route.header, label)
                    break

    def of_workload(self, workload: Workload) -> Iterator[Entrypoint]:
        resource = workload.resource
        match resource.type:
            case "aws_instance":
                if bool_of(resource.get("associate_public_ip_address")) is True:
                    place = self._open_group(resource, resource.get("vpc_security_group_ids"))
                    if place is not None:
                        yield Entrypoint(resource, workload.role, place, "open to the internet")
            case "aws_apprunner_service" if workload.attribute == "instance_role_arn":
                if not self._is_private_service(resource):
                    yield Entrypoint(
                        resource, workload.role, resource.header, "a public App Runner service"
                    )
            case "aws_ecs_task_definition" if workload.attribute == "task_role_arn":
                yield from self._of_task(workload)
            case _:
                return

    def _is_private_service(self, resource: Resource) -> bool:
        for _, network in blocks_of(resource.get("network_configuration")):
            for _, ingress in blocks_of(network.get("ingress_configuration")):
                if bool_of(ingress.get("is_publicly_accessible")) is False:
                    return True
        return False

    def _of_task(self, workload: Workload) -> Iterator[Entrypoint]:
        for service in self.graph.of_type("aws_ecs_service"):
            value = service.get("task_definition")
            found = self.graph.lookup.find(value, Resource, service) if value is not None else None
            if found is not workload.resource:
                continue
            for _, network in blocks_of(service.get("network_configuration")):
                if bool_of(network.get("assign_public_ip")) is not True:
                    continue
                place = self._open_group(service, network.get("security_groups"))
                if place is not None:
                    yield Entrypoint(service, workload.role, place, "open to the internet")

    def _open_group(self, resource: Resource, groups: Value | None) -> Span | None:
        """Where a security group of the resource lets everybody in to something to be used."""
        for _, group, _ in self.graph.lookup.find_all(groups, Resource, resource):
            for _, rule in blocks_of(group.get("ingress")):
                for name in ("cidr_blocks", "ipv6_cidr_blocks"):
                    for _, item in items_of(rule.get(name)):
                        if text_of(item) in EVERYWHERE:
                            return item.span
            for rule_resource in self.graph.of_type(
                "aws_security_group_rule", "aws_vpc_security_group_ingress_rule"
            ):
                place = self._open_rule(rule_resource, group)
                if place is not None:
                    return place
        return None

    def _open_rule(self, rule: Resource, group: Resource) -> Span | None:
        if rule.text("type") == "egress":
            return None
        owner = rule.get("security_group_id")
        if owner is None or self.graph.lookup.find(owner, Resource, rule) is not group:
            return None
        for name in ("cidr_blocks", "ipv6_cidr_blocks", "cidr_ipv4", "cidr_ipv6"):
            for _, item in items_of(rule.get(name)):
                if text_of(item) in EVERYWHERE:
                    return item.span
        return None

    def of_identity_pools(self) -> Iterator[Entrypoint]:
        """Roles for people without any identity.

        https://docs.aws.amazon.com/cognito/latest/developerguide/identity-pools.html
        """
        for attachment in self.graph.of_type("aws_cognito_identity_pool_roles_attachment"):
            for _, roles in blocks_of(attachment.get("roles")):
                value = roles.get("unauthenticated")
                if value is None:
                    continue
                from iam_preflight.graph.model import Principal

                role = self.graph.lookup.find(value, Principal, attachment)
                if role is not None:
                    label = "given to everybody without an identity"
                    yield Entrypoint(attachment, role, value.span, label)
