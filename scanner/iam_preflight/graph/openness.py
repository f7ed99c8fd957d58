"""How bad it is that a resource policy is open: what else keeps the resource closed.

A public access block, a network around it, users of its own, or the will to be public.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from msgspec import Struct

from iam_preflight.findings import Confidence, Severity
from iam_preflight.graph.bucket_access import PublicAccess
from iam_preflight.knowledge.policy_services import is_inside_network, service_of_type
from iam_preflight.policy.outsiders import Need
from iam_preflight.resources import Resource
from iam_preflight.values import blocks_of, bool_of, items_of, show, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.admission import Admission
    from iam_preflight.graph.model import Graph, Policy
    from iam_preflight.source import Span
    from iam_preflight.values import Assumptions

_NAMES = ("name", "bucket", "function_name", "domain_name", "queue_url", "arn", "topic_arn")
METHOD = "aws_api_gateway_method"


class Moderation(Struct, frozen=True):
    """What is left of an open policy."""

    severity: Severity
    confidence: Confidence | None = None
    reason: str = ""
    who: str = ""
    """Who is left of everyone, where a network stands around the resource."""
    related: tuple[tuple[Span, str], ...] = ()


def moderation(graph: Graph, policy: Policy, admission: Admission) -> Moderation | None:
    """What is left of a policy's being open; None where it is meant to be or does not count."""
    resource = policy.resource
    severity = admission.severity
    if any(_is_named(name, graph.settings.public_ok) for name in _names(graph, resource)):
        return None
    if admission.entry.need is Need.ADDRESS:
        severity = Severity.LOW
    elif admission.entry.need is Need.SECRET or admission.entry.route.is_service:
        severity = severity.lowered()
    if policy.is_source_only:
        severity = severity.lowered()
    service = service_of_type(resource.type)
    if service == "ecr-public" and severity < Severity.CRITICAL:
        return None  # it is there to be read by everybody, but not to be written
    if service == "execute-api":
        return _of_api(graph, resource, severity)
    if service == "es":
        return _of_domain(graph, resource, severity)
    if service == "s3":
        return _of_bucket(graph, resource, severity, admission.assumptions)
    if resource.type == "aws_vpc_endpoint_service":
        accepts = bool_of(resource.get("acceptance_required"))
        return Moderation(severity if accepts is False else Severity.LOW)
    if service == "lambda" and _belongs_to_url(graph, policy):
        return None
    if is_inside_network(service):
        return Moderation(severity.lowered(), who="anyone inside its network")
    return Moderation(severity)


def _belongs_to_url(graph: Graph, policy: Policy) -> bool:
    """Whether a permission only opens a function URL that speaks for itself."""
    if policy.resource.type != "aws_lambda_permission":
        return False
    keys = {c.key_name for s in policy.document.statements for c in s.conditions}
    if not keys & {"lambda:functionurlauthtype", "lambda:invokedviafunctionurl"}:
        return False
    function = show(policy.resource.get("function_name"))
    return any(
        url.text("authorization_type") == "NONE" and show(url.get("function_name")) == function
        for url in graph.of_type("aws_lambda_function_url")
    )


def _of_bucket(
    graph: Graph, resource: Resource, severity: Severity, given: Assumptions
) -> Moderation:
    access = graph.admissions.buckets
    match access.public_access(resource, given):
        case PublicAccess.BLOCKED:
            return Moderation(Severity.LOW, None, "only the public access block keeps it closed")
        case PublicAccess.DEFAULT:
            confidence = Confidence.MEDIUM
        case _:
            confidence = Confidence.HIGH
    if Severity.MEDIUM <= severity <= Severity.HIGH and access.is_website(resource):
        return Moderation(Severity.LOW, confidence, "it serves a website")
    return Moderation(severity, confidence)


def _of_domain(graph: Graph, resource: Resource, severity: Severity) -> Moderation:
    """A search domain: inside a VPC or with users of its own, the policy is often left open.

    https://docs.aws.amazon.com/opensearch-service/latest/developerguide/fgac.html
    """
    domain = _owner(graph, resource, "domain_name")
    for _, block in blocks_of(domain.get("vpc_options")):
        if block.get("subnet_ids") is not None:
            return Moderation(Severity.LOW, who="anyone inside its VPC")
    for _, block in blocks_of(domain.get("advanced_security_options")):
        if bool_of(block.get("enabled")) is not False:
            return Moderation(Severity.LOW, None, "the domain has users of its own")
    return Moderation(severity)


def _of_api(graph: Graph, resource: Resource, severity: Severity) -> Moderation | None:
    api = _owner(graph, resource, "rest_api_id")
    severity = min(severity, Severity.MEDIUM)  # to call it is all that there is to allow
    for _, block in blocks_of(api.get("endpoint_configuration")):
        if any(text_of(item) == "PRIVATE" for _, item in items_of(block.get("types"))):
            return Moderation(severity, who="anyone with a VPC endpoint")
    for method in graph.of_type(METHOD):
        is_signed = method.text("authorization") == "AWS_IAM"
        if is_signed and _owner(graph, method, "rest_api_id") is api:
            related = ((method.header, "asks for a signature, of any account"),)
            return Moderation(severity, who="anyone with an AWS account", related=related)
    return None  # public anyway


def _owner(graph: Graph, resource: Resource, attribute: str) -> Resource:
    """The resource that a policy of its own type belongs to; itself where it is one."""
    value = resource.get(attribute)
    if value is None or getattr(value, "reference", None) is None:
        return resource
    return graph.lookup.find(value, Resource, resource) or resource


def _names(graph: Graph, resource: Resource) -> Iterator[str]:
    """What people call a resource with an open policy."""
    yield resource.address
    yield resource.name
    bucket = graph.admissions.buckets.bucket(resource) if "bucket" in resource.type else None
    for each in (resource, bucket):
        if each is not None:
            yield each.address
            yield from (text for name in _NAMES if (text := each.text(name)) is not None)


def _is_named(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
