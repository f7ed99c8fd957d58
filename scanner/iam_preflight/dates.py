"""Dates as AWS writes them in its answers and reports."""

from __future__ import annotations

import datetime as dt
import re

_FRACTION = re.compile(r"\.\d+")


def moment(text: str | None) -> dt.datetime | None:
    """A date as AWS writes it, in UTC; None for everything else (`N/A`, `no_information`)."""
    if not text or not text[:1].isdigit():
        return None
    try:
        found = dt.datetime.fromisoformat(_FRACTION.sub("", text).replace("Z", "+00:00"))
    except ValueError:
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=dt.timezone.utc)
