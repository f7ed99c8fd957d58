"""What principals have used, as far as the account context tells.

IAM knows when a service was last used with any permission, and for some actions when they were;
CloudTrail knows the actions that it records. What neither of them knows is unknown, not unused.
https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_last-accessed.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct, field

from iam_preflight.dates import moment
from iam_preflight.values import Mapping, blocks_of, items_of, text_of

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator

    from iam_preflight.graph.model import Graph, Principal
    from iam_preflight.source import Span

LAST_ACCESSED = "iam_service_last_accessed"
ACTION_USAGE = "iam_action_usage"
TYPES = (LAST_ACCESSED, ACTION_USAGE)
WATCHED_DAYS = 90
"""So long nothing must be used to count as unused: what runs once in a quarter has run."""


class Usage(Struct):
    """The use that one principal makes of its permissions."""

    place: Span
    date: dt.datetime | None = None
    services: dict[str, dt.datetime | None] = field(default_factory=dict)
    """When each service that it could use was last used; None: not in the tracking period."""
    actions: dict[str, dt.datetime | None] = field(default_factory=dict)
    """The same for the actions that IAM tracks, in lower case: `s3:getobject`."""
    seen: dict[str, None] = field(default_factory=dict)
    """Actions that were used, as CloudTrail or IAM write them, in their order."""

    def is_service_unused(self, service: str) -> bool:
        return service in self.services and self._is_idle(self.services[service])

    def is_unused(self, pattern: str) -> bool:
        """Whether nothing that an action pattern covers has been used."""
        service, _, name = pattern.lower().partition(":")
        if any(used.lower().startswith(f"{service}:") for used in self.seen):
            is_service_unused = False
        else:
            is_service_unused = self.is_service_unused(service)
        if is_service_unused:
            return True
        is_one = "*" not in name and "?" not in name
        key = f"{service}:{name}"
        return is_one and key in self.actions and self._is_idle(self.actions[key])

    def _is_idle(self, used: dt.datetime | None) -> bool:
        return used is None or (self.date is not None and (self.date - used).days > WATCHED_DAYS)


def usage_of(principal: Principal, graph: Graph) -> Usage | None:
    """The recorded use of a principal; None where there is no record."""
    arn = (principal.recorded or principal).arn.text
    found: Usage | None = None
    for resource in graph.named(LAST_ACCESSED, arn):
        found = found or Usage(resource.header)
        found.date = moment(resource.text("report_date"))
        services = resource.get("services")
        for name, entry in services.entries.items() if isinstance(services, Mapping) else ():
            for _, block in blocks_of(entry):
                found.services[name] = moment(text_of(block.get("last_used")))
                for action, used in _tracked(block):
                    found.actions[f"{name}:{action.lower()}"] = used
                    if used is not None:
                        found.seen[f"{name}:{action}"] = None
    for resource in graph.named(ACTION_USAGE, arn):
        found = found or Usage(resource.header)
        found.date = found.date or moment(resource.text("report_date"))
        for _, item in items_of(resource.get("actions")):
            text = text_of(item)
            if text is not None:
                found.seen[text] = None
    return found


def _tracked(block: Mapping) -> Iterator[tuple[str, dt.datetime | None]]:
    actions = block.get("actions")
    if isinstance(actions, Mapping):
        for name, used in actions.entries.items():
            yield name, moment(text_of(used))


def watched_days(principal: Principal, date: dt.datetime | None) -> int | None:
    """For how long before a date a principal has been in the account; None where unknown."""
    recorded = principal.recorded
    created = moment(recorded.resource.text("create_date")) if recorded is not None else None
    return (date - created).days if date is not None and created is not None else None
