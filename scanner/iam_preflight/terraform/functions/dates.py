"""Dates and durations, on known input. `timestamp` and `plantimestamp` are holes.

https://developer.hashicorp.com/terraform/language/functions (date and time functions)
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from fractions import Fraction
from typing import TYPE_CHECKING

from iam_preflight.terraform.functions.arguments import Function, Invocation, WrongArguments

if TYPE_CHECKING:
    from collections.abc import Callable

    from iam_preflight.values import Value

_TIMESTAMP = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:[.,](\d+))?(?:(Z)|([+-])(\d\d):(\d\d))\Z"
)
_DURATION = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)")
_SECONDS = {
    "ns": Fraction(1, 10**9),
    "us": Fraction(1, 10**6),
    "µs": Fraction(1, 10**6),
    "μs": Fraction(1, 10**6),
    "ms": Fraction(1, 1000),
    "s": Fraction(1),
    "m": Fraction(60),
    "h": Fraction(3600),
}
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_TOKEN = re.compile(r"'((?:[^']|'')*)'|(([A-Za-z])\3*)|([^A-Za-z']+)")


def _parse(text: str) -> datetime:
    found = _TIMESTAMP.match(text)
    if found is None:
        raise WrongArguments
    offset = timedelta(0)
    if found[9]:
        offset = timedelta(hours=int(found[10]), minutes=int(found[11]))
        offset = -offset if found[9] == "-" else offset
    micro = int((found[7] or "0")[:6].ljust(6, "0"))
    try:
        year, month, day, hour, minute, second = (int(found[i]) for i in range(1, 7))
        return datetime(year, month, day, hour, minute, second, micro, timezone(offset))
    except ValueError:
        raise WrongArguments from None


def _zone(moment: datetime, colon: str) -> str:
    offset = moment.utcoffset() or timedelta(0)
    minutes = int(offset.total_seconds()) // 60
    sign = "-" if minutes < 0 else "+"
    return f"{sign}{abs(minutes) // 60:02d}{colon}{abs(minutes) % 60:02d}"


def _timeadd(call: Invocation, arguments: tuple[Value, ...]) -> Value:
    moment, text = _parse(call.text(arguments[0])), call.text(arguments[1])
    body = text[1:] if text[:1] in "+-" and text else text
    pieces = list(_DURATION.finditer(body))
    if body != "0" and (not body or "".join(piece.group() for piece in pieces) != body):
        raise WrongArguments
    seconds = sum((Fraction(piece[1]) * _SECONDS[piece[2]] for piece in pieces), Fraction(0))
    if text.startswith("-"):
        seconds = -seconds
    try:
        moved = moment + timedelta(microseconds=round(seconds * 10**6))
    except OverflowError:
        raise WrongArguments from None
    zone = _zone(moved, ":")
    return call.known(moved.strftime("%Y-%m-%dT%H:%M:%S") + ("Z" if zone == "+00:00" else zone))


def _timecmp(call: Invocation, arguments: tuple[Value, ...]) -> Value:
    first, second = (_parse(call.text(argument)) for argument in arguments)
    return call.known((first > second) - (first < second))


_VERBS: dict[str, Callable[[datetime], str]] = {
    "YY": lambda t: f"{t.year % 100:02d}",
    "YYYY": lambda t: f"{t.year:04d}",
    "M": lambda t: str(t.month),
    "MM": lambda t: f"{t.month:02d}",
    "MMM": lambda t: _MONTHS[t.month - 1][:3],
    "MMMM": lambda t: _MONTHS[t.month - 1],
    "D": lambda t: str(t.day),
    "DD": lambda t: f"{t.day:02d}",
    "EEE": lambda t: _DAYS[t.weekday()][:3],
    "EEEE": lambda t: _DAYS[t.weekday()],
    "h": lambda t: str(t.hour),
    "hh": lambda t: f"{t.hour:02d}",
    "H": lambda t: str(t.hour % 12 or 12),
    "HH": lambda t: f"{t.hour % 12 or 12:02d}",
    "AA": lambda t: "PM" if t.hour >= 12 else "AM",
    "aa": lambda t: "pm" if t.hour >= 12 else "am",
    "m": lambda t: str(t.minute),
    "mm": lambda t: f"{t.minute:02d}",
    "s": lambda t: str(t.second),
    "ss": lambda t: f"{t.second:02d}",
    "Z": lambda t: "Z" if _zone(t, ":") == "+00:00" else _zone(t, ":"),
    "ZZZ": lambda t: "UTC" if _zone(t, "") == "+0000" else _zone(t, ""),
    "ZZZZ": lambda t: _zone(t, ""),
    "ZZZZZ": lambda t: _zone(t, ":"),
}


def _formatdate(call: Invocation, arguments: tuple[Value, ...]) -> Value:
    template, moment = call.text(arguments[0]), _parse(call.text(arguments[1]))
    out: list[str] = []
    at = 0
    while at < len(template):
        found = _TOKEN.match(template, at)
        if found is None:
            raise WrongArguments
        at = found.end()
        if found[1] is not None:
            out.append(found[1].replace("''", "'") or "'")
        elif found[2] is not None:
            verb = _VERBS.get(found[2])
            if verb is None:
                raise WrongArguments
            out.append(verb(moment))
        else:
            out.append(found[4])
    return call.known("".join(out))


FUNCTIONS: dict[str, Function] = {
    "formatdate": _formatdate,
    "timeadd": _timeadd,
    "timecmp": _timecmp,
}
