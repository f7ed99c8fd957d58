"""Our reading of a SAM template beside what the real transform makes of it.

aws-sam-translator turns a template into plain CloudFormation; both go through this front end, so
that what differs is the transform alone.
"""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from template_files import load_files

from iam_preflight.values import Known, Listing, Mapping, Value, arms_of, show

if TYPE_CHECKING:
    from iam_preflight.resources import Resource

ATTRIBUTES = {
    "aws_iam_policy": ("policy",),
    "aws_iam_role": (
        "assume_role_policy",
        "inline_policy",
        "managed_policy_arns",
        "path",
        "permissions_boundary",
        "tags",
    ),
    "aws_iam_role_policy_attachment": ("role", "policy_arn"),
    "aws_lambda_function": ("role",),
    "aws_lambda_function_url": ("authorization_type",),
    "aws_lambda_permission": (
        "principal",
        "action",
        "source_arn",
        "source_account",
        "event_source_token",
        "function_url_auth_type",
    ),
    "aws_scheduler_schedule": ("target",),
    "aws_sfn_state_machine": ("role_arn",),
    "aws_sns_topic_policy": ("policy", "arn"),
    "aws_sqs_queue_policy": ("policy", "queue_url"),
}
UNORDERED = ("managed_policy_arns", "inline_policy")
HASHED = ("aws_lambda_permission",)
"""Types whose logical ids the transform puts hashes into."""


def compare(template: dict[str, Any]) -> list[str]:
    """What differs between our reading and the real transform's; empty when nothing does."""
    from samtranslator.translator.transform import transform

    parameters = template.get("Parameters") or {}
    defaults = {name: value["Default"] for name, value in parameters.items() if "Default" in value}
    text = json.dumps(template)
    made = transform(json.loads(text), defaults, _NoPolicies())
    ours, theirs = _facts(text), _facts(json.dumps(made))
    return [
        f"{key}\n  ours   {json.dumps(ours.get(key))}\n  theirs {json.dumps(theirs.get(key))}"
        for key in sorted({*ours, *theirs})
        if ours.get(key) != theirs.get(key)
    ]


class _NoPolicies:
    def load(self) -> dict[str, str]:
        return {}


def _facts(text: str) -> dict[str, list[dict[str, Any]]]:
    found, _ = load_files({"t.json": text}, is_wanted=ATTRIBUTES.__contains__)
    facts: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for resource in found:
        if not resource.calls:
            name = "" if resource.type in HASHED else resource.address
            facts[f"{resource.type} {name}"].append(_fact(resource))
    for listed in facts.values():
        listed.sort(key=json.dumps)
    return dict(facts)


def _fact(resource: Resource) -> dict[str, Any]:
    fact: dict[str, Any] = {"assumed": sorted(map(str, resource.assumptions))}
    for name in ATTRIBUTES[resource.type]:
        value = resource.get(name)
        plain = _plain(value) if value is not None else []
        if name in UNORDERED and isinstance(plain, list):
            plain = sorted({json.dumps(item) for item in plain})
        if plain != []:
            fact[name] = plain
    return fact


def _plain(value: Value) -> Any:
    arms = list(arms_of(value))
    if len(arms) > 1:
        return sorted([str(list(map(str, given))), _plain(arm)] for given, arm in arms)
    match value:
        case Mapping(entries=entries):
            return {name: _plain(entries[name]) for name in sorted(entries)}
        case Listing(items=items):
            return [_plain(item) for item in items]
        case Known(value=int() | None):
            return value.value
        case _:
            # the transform writes the partition of the region that it runs in
            return show(value).replace("arn:aws:", "arn:«AWS::Partition»:")


def packaged(template: Any) -> Any:
    """A template as `sam package` leaves it: code is in a bucket, as the transform wants it."""
    if isinstance(template, list):
        return [packaged(item) for item in template]
    if not isinstance(template, dict):
        return template
    template = {key: packaged(value) for key, value in template.items()}
    properties = template.get("Properties")
    if isinstance(properties, dict):
        for key in ("CodeUri", "ContentUri", "DefinitionUri"):
            if isinstance(properties.get(key), str):
                properties[key] = "s3://bucket/key"
        match template.get("Type"):
            case "AWS::Serverless::Function":
                is_image = properties.get("PackageType") == "Image"
                code = "ImageUri" if is_image else "CodeUri"
                if not properties.keys() & {"CodeUri", "InlineCode", "ImageUri"}:
                    properties[code] = "1.dkr.ecr.x/y:z" if is_image else "s3://bucket/key"
            case "AWS::Serverless::Application" if isinstance(properties.get("Location"), str):
                properties["Location"] = "https://s3.amazonaws.com/bucket/key"
            case _:
                pass
    shared = (template.get("Globals") or {}).get("Function")
    if isinstance(shared, dict) and "CodeUri" in shared:
        shared["CodeUri"] = "s3://bucket/key"
    return template
