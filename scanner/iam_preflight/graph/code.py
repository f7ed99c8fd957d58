"""Where workloads load their code from: whoever may write there runs code as their role."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.late_patterns import late
from iam_preflight.policy.document import Pattern, pattern_from
from iam_preflight.values import blocks_of, show

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.resources import Resource
    from iam_preflight.values import Value

_S3_URL = late(r"(?:s3://|https://s3[^/]*/)(?P<bucket>[^/]+)/(?P<key>.+)")
_ECR_IMAGE = late(
    r"(?P<account>\d{12}|«[^»]*»)\.dkr\.ecr\.(?P<region>[^.]+)\.[^/]+/(?P<name>[^:@]+)"
)


def code_sources(resource: Resource, action: str) -> Iterator[Pattern | str]:
    """The ARNs that an action would have to write to, to change what a workload runs."""
    match action:
        case "s3:PutObject":
            yield from _objects(resource)
        case "ecr:PutImage":
            for image in _images(resource):
                found = _ECR_IMAGE.match(image)
                if found:
                    yield f"arn:aws:ecr:*:*:repository/{found['name']}"
        case _:
            return


def _objects(resource: Resource) -> Iterator[Pattern]:
    bucket, key = resource.get("s3_bucket"), resource.get("s3_key")
    if bucket is not None:
        yield _object(bucket, key)
    for _, block in blocks_of(resource.get("command")):
        location = block.get("script_location")
        found = _S3_URL.match(show(location)) if location is not None else None
        if found and location is not None:
            arn = f"arn:aws:s3:::{found['bucket']}/{found['key']}"
            yield Pattern((arn,), location.span)
    template = resource.get("template_url")
    found = _S3_URL.match(show(template)) if template is not None else None
    if found and template is not None:
        yield Pattern((f"arn:aws:s3:::{found['bucket']}/{found['key']}",), template.span)


def _object(bucket: Value, key: Value | None) -> Pattern:
    name = pattern_from(bucket)
    path = pattern_from(key) if key is not None else None
    parts = ("arn:aws:s3:::", *(name.parts if name is not None else ("*",)), "/")
    return Pattern((*parts, *(path.parts if path is not None else ("*",))), bucket.span)


def _images(resource: Resource) -> Iterator[str]:
    image = resource.get("image_uri")
    if image is not None:
        yield show(image)
