"""Which service a resource with a policy belongs to, and how open its resources can be."""

from __future__ import annotations

import functools

import msgspec

from iam_preflight.knowledge.reading import read_data


class _File(msgspec.Struct):
    services: dict[str, str]
    anonymous: frozenset[str]
    network: frozenset[str]
    severities: dict[str, str]


@functools.cache
def _facts() -> _File:
    return read_data("policy_services.json", _File)


@functools.cache
def service_of_type(resource_type: str) -> str:
    """The service prefix of a resource type: `s3` for `aws_s3_bucket_policy`."""
    services = _facts().services
    starts = [start for start in services if resource_type.startswith(start)]
    if starts:
        return services[max(starts, key=len)]
    if "::" in resource_type:
        return resource_type.split("::")[1].lower()
    return resource_type.removeprefix("aws_").split("_", 1)[0]


def answers_anonymous(service: str) -> bool:
    """Whether the service answers requests that nobody has signed."""
    return service in _facts().anonymous


def is_inside_network(service: str) -> bool:
    """Whether its resources answer only inside a network, whatever their policy says."""
    return service in _facts().network


def open_severity(action: str) -> str | None:
    """How bad it is that everyone may use an action, where its level does not tell."""
    return _facts().severities.get(action)
