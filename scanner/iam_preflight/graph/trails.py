"""CloudTrail trails: what each records, where it delivers, and how well that is protected.

https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-concepts.html

An answer of None means that the code leaves it open.
"""

from __future__ import annotations

import functools
from collections import Counter
from typing import TYPE_CHECKING

from msgspec import Struct

from iam_preflight.graph.baseline import flag
from iam_preflight.graph.targets import resource_of
from iam_preflight.policy.document import DocumentUse
from iam_preflight.policy.match import Truth, action_matches, any_of
from iam_preflight.values import arms_of, blocks_of, bool_of, is_null, items_of, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.model import Graph
    from iam_preflight.resources import Resource
    from iam_preflight.source import Span
    from iam_preflight.values import Mapping

TRAIL = "aws_cloudtrail"
EVERYTHING = "management events"
READS = "what is read"
EVENT_STORE = "aws_cloudtrail_event_data_store"
BUCKET_TYPES = (
    "aws_s3_bucket",
    "aws_s3_bucket_acl",
    "aws_s3_bucket_logging",
    "aws_s3_bucket_object_lock_configuration",
    "aws_s3_bucket_policy",
    "aws_s3_bucket_public_access_block",
    "aws_s3_bucket_versioning",
)
TRAIL_TYPES = (TRAIL, EVENT_STORE, "aws_cloudwatch_log_group", "aws_kms_key", *BUCKET_TYPES)
"""Types that a rule about trails reads."""


class Trail:
    """One trail, with what it refers to in the code."""

    def __init__(self, resource: Resource, graph: Graph) -> None:
        self.resource = resource
        self._graph = graph

    @property
    def name(self) -> str:
        return self.resource.text("name") or self.resource.address

    @property
    def is_multi_region(self) -> bool | None:
        """Whether it records every region, and so the global services; IAM is one of them.

        AWS refuses a trail of all regions without global services.
        """
        return flag(self.resource, "is_multi_region_trail", default=False)

    @property
    def is_organization(self) -> bool | None:
        return flag(self.resource, "is_organization_trail", default=False)

    @property
    def is_logging(self) -> bool | None:
        return flag(self.resource, "enable_logging", default=True)

    @property
    def validates_files(self) -> bool | None:
        return flag(self.resource, "enable_log_file_validation", default=False)

    @property
    def is_encrypted(self) -> bool:
        """With a key of one's own, as far as the code says; an unknown key is one."""
        return self.resource.get("kms_key_id") is not None

    @functools.cached_property
    def log_group(self) -> Resource | None:
        return self._refers_to("cloud_watch_logs_group_arn", "aws_cloudwatch_log_group")

    @property
    def is_delivered(self) -> bool:
        """Whether it goes to a log group or a topic, where it can be read as it is written."""
        names = ("cloud_watch_logs_group_arn", "sns_topic_name")
        return any(self.resource.get(name) is not None for name in names)

    @functools.cached_property
    def bucket(self) -> Bucket | None:
        found = self._refers_to("s3_bucket_name", "aws_s3_bucket")
        return None if found is None else Bucket(found, self._graph)

    @functools.cached_property
    def key(self) -> Resource | None:
        return self._refers_to("kms_key_id", "aws_kms_key")

    def _refers_to(self, attribute: str, resource_type: str) -> Resource | None:
        value = self.resource.get(attribute)
        return resource_of(value, self.resource, self._graph, resource_type)

    @property
    def is_for_data(self) -> bool:
        """Whether it is there for the objects or functions of an application.

        Such a trail selects data events and leaves out management events; one of a single region
        may still record some of them.
        """
        if self.is_organization is not False or not self.selects_data:
            return False
        left_out = [what for _, what in self.omissions()]
        return EVERYTHING in left_out or (bool(left_out) and self.is_multi_region is False)

    @property
    def selects_data(self) -> bool:
        """Whether it asks for what happens to single objects, functions or items."""
        basic = [block for _, block in blocks_of(self.resource.get("event_selector"))]
        if any(True for block in basic for _ in blocks_of(block.get("data_resource"))):
            return True
        return self.resource.get("advanced_event_selector") is not None

    # ---- what it leaves out

    def omissions(self) -> Iterator[tuple[Span, str]]:
        """Management events that it does not record: where that is written, and which."""
        yield from self._basic_omissions()
        yield from self._advanced_omissions()

    def _basic_omissions(self) -> Iterator[tuple[Span, str]]:
        blocks = [block for _, block in blocks_of(self.resource.get("event_selector"))]
        if not blocks:
            return
        recorded: set[str] = set()
        for block in blocks:
            includes = block.get("include_management_events")
            if includes is not None and bool_of(includes) is False:
                continue
            kind = block.get("read_write_type")
            known = "All" if is_null(kind) else text_of(kind)
            recorded.add(known or "All")
        if "All" in recorded or {"ReadOnly", "WriteOnly"} <= recorded:
            return
        yield _place(blocks[0], recorded), _missing(recorded)

    def _advanced_omissions(self) -> Iterator[tuple[Span, str]]:
        blocks = [block for _, block in blocks_of(self.resource.get("advanced_event_selector"))]
        if not blocks:
            return
        recorded: set[str] = set()
        for block in blocks:
            recorded |= _recorded_by(block)
        if "All" in recorded or {"ReadOnly", "WriteOnly"} <= recorded:
            return
        yield blocks[0].span, _missing(recorded)


def _place(block: Mapping, recorded: set[str]) -> Span:
    name = "read_write_type" if recorded else "include_management_events"
    value = block.get(name)
    return block.span if value is None else value.span


def _missing(recorded: set[str]) -> str:
    if not recorded:
        return EVERYTHING
    return READS if recorded == {"WriteOnly"} else "what is changed"


def _recorded_by(selector: Mapping) -> set[str]:
    """`All`, `ReadOnly`, `WriteOnly` of the management events; nothing for data events."""
    found = "All"
    for _, condition in blocks_of(selector.get("field_selector")):
        field = text_of(condition.get("field"))
        equals = [text_of(item) for _, item in items_of(condition.get("equals"))]
        if field is None or any(text is None for text in equals):
            return {"All"}
        if field == "eventCategory" and equals and "Management" not in equals:
            return set()
        if field == "readOnly" and len(equals) == 1:
            found = "ReadOnly" if str(equals[0]).lower() == "true" else "WriteOnly"
    return {found}


class Bucket(Struct, frozen=True):
    """A bucket that holds log files."""

    resource: Resource
    graph: Graph

    @property
    def name(self) -> str:
        return self.resource.text("bucket") or self.resource.address

    def _own(self, resource_type: str) -> Iterator[Resource]:
        """The resources of a type that configure this bucket."""
        for other in self.graph.of_type(resource_type):
            target = resource_of(other.get("bucket"), other, self.graph, "aws_s3_bucket")
            if target is self.resource:
                yield other

    @property
    def keeps_versions(self) -> bool | None:
        """Whether overwritten and deleted files can be had back."""
        blocks = list(blocks_of(self.resource.get("versioning")))
        for other in self._own("aws_s3_bucket_versioning"):
            blocks.extend(blocks_of(other.get("versioning_configuration")))
        answers = {_is_versioned(block) for _, block in blocks}
        if True in answers:
            return True
        return None if None in answers else False

    @property
    def is_locked(self) -> bool:
        """Whether object lock keeps files from being deleted."""
        if flag(self.resource, "object_lock_enabled", default=False) is not False:
            return True
        if self.resource.get("object_lock_configuration") is not None:
            return True
        return any(True for _ in self._own("aws_s3_bucket_object_lock_configuration"))

    @property
    def loses_deleted_files(self) -> bool:
        """Whether files are gone for good once somebody who may do so deletes them."""
        return self.keeps_versions is False and not self.is_locked and not self.denies_deletion

    @property
    def denies_deletion(self) -> bool:
        """Whether the bucket policy denies that files are deleted."""
        return any(
            not statement.is_allow
            and any_of(action_matches(pattern, "s3:DeleteObject") for pattern in statement.actions)
            is (Truth.NO if statement.is_not_action else Truth.YES)
            for statement, policy in self.graph.statements(DocumentUse.RESOURCE)
            if self._is_policy_of(policy.resource)
        )

    def _is_policy_of(self, resource: Resource) -> bool:
        if resource is self.resource:
            return True
        if resource.type != "aws_s3_bucket_policy":
            return False
        return resource_of(resource.get("bucket"), resource, self.graph, "aws_s3_bucket") is (
            self.resource
        )

    @property
    def logs_access(self) -> bool:
        if self.resource.get("logging") is not None:
            return True
        return any(True for _ in self._own("aws_s3_bucket_logging"))

    def public_lists(self) -> Iterator[Span]:
        """Access lists that open it to everybody, unless public lists are ignored."""
        blocks = list(self._own("aws_s3_bucket_public_access_block"))
        if any(flag(one, "ignore_public_acls", default=False) is not False for one in blocks):
            return
        for owner in (self.resource, *self._own("aws_s3_bucket_acl")):
            value = owner.get("acl")
            for _, arm in arms_of(value) if value is not None else ():
                name = text_of(arm) or ""
                if name.lower().replace("-", "").startswith(("public", "authenticatedread")):
                    yield arm.span


def _is_versioned(block: Mapping) -> bool | None:
    for name in ("status", "enabled"):
        value = block.get(name)
        if value is not None:
            text = text_of(value)
            return None if text is None else text.lower() in ("enabled", "true")
    return False


def trails_of(graph: Graph) -> list[Trail]:
    return [Trail(resource, graph) for resource in graph.of_type(TRAIL)]


def lone_regional_trails(graph: Graph) -> Iterator[Trail]:
    """Trails of all management events in one region, where no other trail or store helps out.

    One that leaves some of them out may be there to start an application's work, and several
    of them in one deployment for a region each.
    """
    trails = [trail for trail in trails_of(graph) if not trail.selects_data]
    if any(trail.is_multi_region is not False for trail in trails) or any(event_stores(graph)):
        return
    places = Counter(trail.resource.deployment.path for trail in trails)
    for trail in trails:
        is_lone = places[trail.resource.deployment.path] == 1
        if is_lone and trail.is_logging is not False and not list(trail.omissions()):
            yield trail


def event_stores(graph: Graph) -> Iterator[Resource]:
    """CloudTrail Lake stores that take in the events of every region."""
    for store in graph.of_type(EVENT_STORE):
        if flag(store, "multi_region_enabled", default=True) is not False:
            yield store
