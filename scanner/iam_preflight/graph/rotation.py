"""What renews an access key: Terraform, a stack's serial number, a rotated secret, a function.

https://docs.aws.amazon.com/IAM/latest/UserGuide/id-credentials-access-keys-update.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from iam_preflight.graph.config_rules import CONFIG_RULE_TYPES, config_rules
from iam_preflight.graph.secrets import SinkKind, references_in
from iam_preflight.policy.truth import Truth
from iam_preflight.resources import Resource
from iam_preflight.values import blocks_of, number_of, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.credentials import Credential
    from iam_preflight.graph.model import Graph
    from iam_preflight.source import Span

CLOCK, ROTATED_SECRET = "time_rotating", "aws_secretsmanager_secret_rotation"
SECRET, FUNCTION = "aws_secretsmanager_secret", "aws_lambda_function"
ROTATION_TYPES = (CLOCK, ROTATED_SECRET, SECRET, FUNCTION, *CONFIG_RULE_TYPES)
"""Types that a rule about rotation reads."""
WATCHED = "ACCESS_KEYS_ROTATED"
_DAYS = {
    "rotation_minutes": 1 / 1440,
    "rotation_hours": 1 / 24,
    "rotation_days": 1.0,
    "rotation_months": 30.0,
    "rotation_years": 365.0,
}
_ROTATING = ("iam:CreateAccessKey", "iam:DeleteAccessKey")


class Renewal(Struct, frozen=True):
    """Something that replaces a key, and how often."""

    place: Span
    days: float | None
    """None where nobody can say before deploy."""


def renewals_of(key: Credential, graph: Graph) -> Iterator[Renewal]:
    """What renews an access key."""
    yield from _by_clock(key, graph)
    serial = key.resource.get("serial")
    if serial is not None and serial.span.text.strip("\"'") != text_of(serial):
        # not a number but a parameter: whoever deploys the stack counts it up
        yield Renewal(serial.span, None)
    yield from _with_its_secret(key, graph)


def _by_clock(key: Credential, graph: Graph) -> Iterator[Renewal]:
    value = key.resource.get("replace_triggered_by")
    if value is None:
        return
    for _, reference, place in references_in(value):
        clock = graph.lookup.at(key.resource.deployment.path, reference.address, Resource)
        days = _period(clock) if clock is not None and clock.type == CLOCK else None
        yield Renewal(place, days)


def _period(clock: Resource) -> float | None:
    periods = [
        number * days
        for name, days in _DAYS.items()
        if (number := number_of(clock.get(name))) is not None
    ]
    return min(periods, default=None)


def _with_its_secret(key: Credential, graph: Graph) -> Iterator[Renewal]:
    """The rotation of the secret that the key is kept in."""
    kept: set[int] = set()
    for flow in graph.credentials.secrets.of(key.resource):
        if flow.kind is SinkKind.VAULT:
            kept.add(id(flow.sink))
            secret = flow.sink.get("secret_id")
            kept.update(id(one) for _, one, _ in graph.lookup.find_all(secret, Resource, flow.sink))
    for rotation in graph.of_type(ROTATED_SECRET) if kept else ():
        secret = rotation.get("secret_id")
        if any(id(one) in kept for _, one, _ in graph.lookup.find_all(secret, Resource, rotation)):
            days = [
                number_of(block.get("automatically_after_days"))
                for _, block in blocks_of(rotation.get("rotation_rules"))
            ]
            yield Renewal(rotation.header, days[0] if days else None)


def has_rotating_function(key: Credential, graph: Graph) -> bool:
    """Whether a function beside the key may make and delete keys: what else would it do?

    One that may do everything is there for something else.
    """
    for workload in graph.workloads:
        resource = workload.resource
        if resource.type != FUNCTION or resource.deployment != key.resource.deployment:
            continue
        effective = graph.effective(workload.role)
        if effective.is_admin is Truth.YES:
            continue
        if all(any(True for _ in effective.grants(action)) for action in _ROTATING):
            return True
    return False


def is_age_watched(graph: Graph) -> bool:
    """Whether AWS Config finds keys that are older than they may be."""
    for rule in config_rules(graph).with_identifier(WATCHED):
        days = number_of(rule.parameter("maxAccessKeyAge"))
        if days is None or days <= graph.settings.max_key_age_days:
            return True
    return False
