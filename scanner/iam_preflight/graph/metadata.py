"""Machines whose credentials anything that can send a plain request may fetch (IMDSv1).

https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-options.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from iam_preflight.findings import Confidence
from iam_preflight.knowledge.managed import managed_policy
from iam_preflight.knowledge.services import agent_policies
from iam_preflight.knowledge.worth import gravest
from iam_preflight.resources import Resource
from iam_preflight.values import blocks_of, text_of

if TYPE_CHECKING:
    from iam_preflight.graph.model import Graph, Principal
    from iam_preflight.knowledge.actionset import ActionSet
    from iam_preflight.knowledge.worth import Worth
    from iam_preflight.source import Span
    from iam_preflight.values import Mapping

DEFAULTS = "aws_ec2_instance_metadata_defaults"
NOTEBOOK = "aws_sagemaker_notebook_instance"
MACHINES = (
    "aws_instance",
    "aws_launch_template",
    "aws_launch_configuration",
    "aws_spot_instance_request",
    NOTEBOOK,
)


class OpenMetadata(Struct, frozen=True):
    """That a machine answers version 1, and where that is written."""

    place: Span
    confidence: Confidence
    """Medium where nothing is written: the image or the account may ask for version 2."""


def open_metadata(resource: Resource, graph: Graph) -> OpenMetadata | None:
    """How a machine answers version 1 of the metadata service; None where it does not."""
    if resource.type == NOTEBOOK:
        return _of_notebook(resource)
    options = _options(resource)
    if options is None:
        template = _template_of(resource, graph)
        if template is not None:
            # reported there
            return None
        return None if _is_required_by_default(resource, graph) else _unsaid(resource)
    if text_of(options.get("http_endpoint")) == "disabled":
        return None
    tokens = options.get("http_tokens")
    if tokens is None:
        return None if _is_required_by_default(resource, graph) else _unsaid(resource)
    said = text_of(tokens)
    if said == "required":
        return None
    return OpenMetadata(tokens.span, Confidence.HIGH if said else Confidence.LOW)


def worth_stealing(role: Principal, graph: Graph) -> tuple[Worth, ActionSet]:
    """The gravest sensitive actions that a role may use on everything, and what they are worth.

    What the agents of every machine need is left out.
    """
    catalog = graph.effective(role).catalog
    found = catalog.expand_all(tuple(sorted(graph.powers.power(role))))
    for name in agent_policies():
        document = managed_policy(name)
        if document is not None:
            found = found - graph.permissions.of_document(document).possible
    return gravest(found, catalog)


def _unsaid(resource: Resource) -> OpenMetadata:
    return OpenMetadata(resource.header, Confidence.MEDIUM)


def _options(resource: Resource) -> Mapping | None:
    for _, block in blocks_of(resource.get("metadata_options")):
        return block
    return None


def _template_of(resource: Resource, graph: Graph) -> Resource | None:
    """The launch template that an instance takes what it does not say from."""
    for _, block in blocks_of(resource.get("launch_template")):
        for name in ("id", "name"):
            value = block.get(name)
            found = graph.lookup.find(value, Resource, resource) if value is not None else None
            if found is not None and found.type == "aws_launch_template":
                return found
    return None


def _is_required_by_default(resource: Resource, graph: Graph) -> bool:
    """Whether the account asks for version 2 where a machine says nothing."""
    return any(
        defaults.text("http_tokens") == "required"
        and defaults.deployment.path == resource.deployment.path
        for defaults in graph.of_type(DEFAULTS)
    )


def _of_notebook(resource: Resource) -> OpenMetadata | None:
    name = "minimum_instance_metadata_service_version"
    for _, block in blocks_of(resource.get("instance_metadata_service_configuration")):
        value = block.get(name)
        if value is None:
            break
        said = text_of(value)
        if said == "2":
            return None
        return OpenMetadata(value.span, Confidence.HIGH if said else Confidence.LOW)
    return _unsaid(resource)
