"""Recorders of AWS Config: which resources each of them records.

https://docs.aws.amazon.com/config/latest/developerguide/select-resources.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.values import blocks_of, bool_of, items_of, text_of

if TYPE_CHECKING:
    from iam_preflight.resources import Resource
    from iam_preflight.source import Span
    from iam_preflight.values import Mapping

RECORDER = "aws_config_configuration_recorder"


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


def _uses_exclusion(group: Mapping) -> bool:
    """Recording everything but some types takes in the global ones too."""
    return any(
        text_of(block.get("use_only")) == "EXCLUSION_BY_RESOURCE_TYPES"
        for _, block in blocks_of(group.get("recording_strategy"))
    )
