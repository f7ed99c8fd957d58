"""Recorders of AWS Config: which resources each of them records.

https://docs.aws.amazon.com/config/latest/developerguide/select-resources.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.graph.baseline import flag
from iam_preflight.graph.targets import resource_of
from iam_preflight.resources import Framework
from iam_preflight.values import blocks_of, bool_of, items_of, show, text_of

if TYPE_CHECKING:
    from iam_preflight.graph.model import Graph
    from iam_preflight.resources import Resource
    from iam_preflight.source import Span
    from iam_preflight.values import Mapping, Value

RECORDER = "aws_config_configuration_recorder"
STATUS = "aws_config_configuration_recorder_status"
AGGREGATOR = "aws_config_configuration_aggregator"


def omission_of(recorder: Resource) -> tuple[Span, str] | None:
    """Where and why a recorder does not record IAM; None where it does, or may do so."""
    groups = [block for _, block in blocks_of(recorder.get("recording_group"))]
    if not groups:
        return recorder.header, "global types are left out unless they are asked for"
    group = groups[0]
    for _, exclusion in blocks_of(group.get("exclusion_by_resource_types")):
        for _, item in items_of(exclusion.get("resource_types")):
            if (text_of(item) or "").startswith("AWS::IAM::"):
                return item.span, "it excludes IAM's types"
    if _uses_exclusion(group):
        return None
    listed = list(items_of(group.get("resource_types")))
    everything = group.get("all_supported")
    if listed or (everything is not None and bool_of(everything) is False):
        if any((text_of(item) or "AWS::IAM::").startswith("AWS::IAM::") for _, item in listed):
            return None
        first = listed[0][1].span if listed else group.span
        return first, "IAM's types are not among those it lists"
    global_types = group.get("include_global_resource_types")
    if global_types is not None and bool_of(global_types) is not False:
        return None
    place = group.span if global_types is None else global_types.span
    return place, "global types are left out"


def stop_of(recorder: Resource, graph: Graph) -> Resource | None:
    """What leaves a recorder stopped: its status, or itself without one; None where it runs.

    One of CloudFormation starts by itself as soon as there is a delivery channel.
    """
    if recorder.deployment.framework is Framework.CLOUDFORMATION:
        return None
    own = [
        status
        for status in graph.of_type(STATUS)
        if resource_of(status.get("name"), status, graph, RECORDER) in (recorder, None)
    ]
    if any(flag(status, "is_enabled", default=False) is not False for status in own):
        return None
    return own[0] if own else recorder


def is_aggregated(graph: Graph) -> bool:
    """Whether an aggregator shows the whole organization."""
    return any(
        aggregator.get("organization_aggregation_source") is not None
        for aggregator in graph.of_type(AGGREGATOR)
    )


def own_role(recorder: Resource) -> Value | None:
    """The role of a recorder that is not the service-linked one, as it is written."""
    value = recorder.get("role_arn")
    shown = show(value)
    is_linked = "aws-service-role" in shown or "service_linked" in shown
    return None if not shown or is_linked else value


def _uses_exclusion(group: Mapping) -> bool:
    """Recording everything but some types takes in the global ones too."""
    return any(
        text_of(block.get("use_only")) == "EXCLUSION_BY_RESOURCE_TYPES"
        for _, block in blocks_of(group.get("recording_strategy"))
    )
