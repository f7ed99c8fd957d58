"""Durations as ISO 8601 writes them: `PT8H`, `PT90M`, `P1DT30M`."""

from __future__ import annotations

from iam_preflight.late_patterns import late

_DURATION = late(
    r"P(?:(?P<days>\d+(?:\.\d+)?)D)?"
    r"(?:T(?:(?P<hours>\d+(?:\.\d+)?)H)?(?:(?P<minutes>\d+(?:\.\d+)?)M)?"
    r"(?:(?P<seconds>\d+(?:\.\d+)?)S)?)?"
)
_HOURS = {"days": 24.0, "hours": 1.0, "minutes": 1 / 60, "seconds": 1 / 3600}


def hours_in(text: str) -> float | None:
    """How many hours a duration has; None where the text is none."""
    found = _DURATION.fullmatch(text.strip().upper())
    if found is None or not any(found.groupdict().values()):
        return None
    parts = found.groupdict(default="0")
    return round(sum(float(parts[name]) * hours for name, hours in _HOURS.items()), 4)
