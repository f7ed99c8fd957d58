"""GuardDuty's detectors: which of them watch, which regions, and whose accounts.

https://docs.aws.amazon.com/guardduty/latest/ug/guardduty_organizations.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.graph.baseline import flag
from iam_preflight.values import arms_of, text_of

if TYPE_CHECKING:
    from iam_preflight.graph.model import Graph
    from iam_preflight.resources import Resource

DETECTOR = "aws_guardduty_detector"
MEMBERS = "aws_guardduty_organization_configuration"
MEMBER = "aws_guardduty_member"
ADMIN = "aws_guardduty_organization_admin_account"
ENROLMENT = "auto_enable_organization_members"
_DELEGATION = "aws_organizations_delegated_administrator"


def is_off(detector: Resource) -> bool:
    return flag(detector, "enable", default=True) is False


def enrols(configuration: Resource) -> bool | None:
    """Whether an organization's configuration enrols accounts by itself; None if unknown."""
    value = configuration.get(ENROLMENT)
    if value is None:
        return flag(configuration, "auto_enable", default=False)
    texts = {text_of(arm) for _, arm in arms_of(value)}
    return None if None in texts else not texts <= {"NONE"}


def leaves_out_members(graph: Graph) -> bool:
    """Whether nothing in the code enrols accounts, or hands that over to one of them."""
    return not graph.of_type(ADMIN, MEMBER, MEMBERS) and not any(
        (delegation.text("service_principal") or "guardduty").startswith("guardduty")
        for delegation in graph.of_type(_DELEGATION)
    )


def unwatched_regions(detectors: list[Resource], regions: tuple[str, ...]) -> list[str]:
    """Those of some regions that no detector watches; none where one's own is not known."""
    watched = {text_of(one.provider.get("region")) for one in detectors}
    return [] if None in watched else [region for region in regions if region not in watched]
