"""What audit services are made of, what they should notice, and what undoes them, as typed data."""

from __future__ import annotations

import functools
from typing import Any

import msgspec

from iam_preflight.knowledge.reading import read_data


class SampleEvent(msgspec.Struct, frozen=True):
    """A CloudTrail record of something that matters; the topic of an ordinary one is empty."""

    topic: str
    event: dict[str, Any]


class Detection(msgspec.Struct, frozen=True):
    """What a detection service puts on the event bus when it finds something."""

    service: str
    event: dict[str, Any]


class Undoing(msgspec.Struct, frozen=True):
    """Actions each of which makes one part of the audit trail useless."""

    what: str
    resources: tuple[str, ...]
    """Types of the resources it is done to; empty where there is no such resource to name."""
    everywhere: bool
    """Every account has one, whether the code shows it or not."""
    actions: tuple[str, ...]
    suffix: str = ""
    """What follows the resource's ARN in the ARN that the actions take."""
    is_copy: bool = False
    """It is a copy of what stands elsewhere."""


class HygieneRule(msgspec.Struct, frozen=True):
    """A managed Config rule about IAM."""

    identifier: str
    flaw: str
    """What it finds."""
    parameter: str = ""
    setting: str = ""
    """Name of the setting that the parameter must not exceed."""
    aws_default: int = 0


class AuditFacts(msgspec.Struct, frozen=True):
    controls: dict[str, tuple[str, ...]]
    """Types by the name that `external_controls` has for them."""
    module_words: dict[str, tuple[str, ...]]
    """What the name or source of a module is likely to hold if it brings a control."""
    landing_zones: tuple[str, ...]
    events: tuple[SampleEvent, ...]
    detections: tuple[Detection, ...]
    undoing: tuple[Undoing, ...]
    config_rules: tuple[HygieneRule, ...]
    hygiene_standards: tuple[str, ...]
    """Parts of the ARNs of Security Hub standards that check the same."""

    @property
    def topics(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(one.topic for one in self.events if one.topic))

    @property
    def control_types(self) -> tuple[str, ...]:
        """Every type that sets up an audit service."""
        own = (name for types in self.controls.values() for name in types)
        return (*own, *self.landing_zones)


@functools.cache
def audit_facts() -> AuditFacts:
    return read_data("audit.json", AuditFacts)
