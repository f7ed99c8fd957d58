"""EventBridge event patterns: which events a rule catches.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
"""

from __future__ import annotations

from typing import Any

from iam_preflight.graph.filter_patterns import fits

MAX_DEPTH = 60


def catches(pattern: object, event: object, depth: int = 0) -> bool:
    """Whether an event has all the fields of a pattern, with values that it allows.

    A hole in the pattern (any string in `«»`) allows everything.
    """
    if not isinstance(pattern, dict) or depth > MAX_DEPTH:
        return False
    fields = event if isinstance(event, dict) else {}
    for name, wanted in pattern.items():
        if name == "$or" and isinstance(wanted, list):
            if not any(catches(one, event, depth + 1) for one in wanted):
                return False
        elif not _field_fits(wanted, fields.get(name, _ABSENT), depth):
            return False
    return True


_ABSENT = object()


def _field_fits(wanted: object, found: object, depth: int) -> bool:
    if isinstance(wanted, dict):
        if isinstance(found, list):
            return any(catches(wanted, item, depth + 1) for item in found)
        return catches(wanted, None if found is _ABSENT else found, depth + 1)
    if not isinstance(wanted, list):
        return False
    values = found if isinstance(found, list) else [found]
    return any(_fits(one, value) for one in wanted for value in values)


def _fits(wanted: object, found: object) -> bool:
    if isinstance(wanted, dict):
        return all(_operator(name, value, found) for name, value in wanted.items())
    if isinstance(wanted, str) and wanted.startswith("«") and wanted.endswith("»"):
        return True
    if isinstance(wanted, bool) or isinstance(found, bool):
        return wanted is found
    return wanted == found


def _operator(name: str, value: Any, found: object) -> bool:
    if name == "exists":
        return (found is not _ABSENT) is value
    if found is _ABSENT:
        return False
    match name, value:
        case "anything-but", list():
            return not any(_fits(one, found) for one in value)
        case "anything-but", _:
            return not _fits(value, found)
        case "numeric", list():
            return _numeric(value, found)
        case "cidr", str():
            return _cidr(value, found)
        case (("prefix" | "suffix" | "equals-ignore-case" | "wildcard"), str()):
            return isinstance(found, str) and _text(name, value, found)
        case (("prefix" | "suffix"), {"equals-ignore-case": str(text)}):
            return isinstance(found, str) and _text(name, text.lower(), found.lower())
        case "wildcard", list():
            return any(_operator(name, one, found) for one in value)
        case _:
            return False


def _text(name: str, value: str, found: str) -> bool:
    match name:
        case "prefix":
            return found.startswith(value)
        case "suffix":
            return found.endswith(value)
        case "equals-ignore-case":
            return found.lower() == value.lower()
        case _:
            return fits(found, value.split("*"))


def _numeric(value: list[Any], found: object) -> bool:
    if not isinstance(found, int | float) or isinstance(found, bool):
        return False
    for operator, limit in zip(value[::2], value[1::2], strict=False):
        if not isinstance(limit, int | float):
            return False
        holds = {
            "=": found == limit,
            "<": found < limit,
            "<=": found <= limit,
            ">": found > limit,
            ">=": found >= limit,
        }
        if not holds.get(str(operator), False):
            return False
    return True


def _cidr(value: str, found: object) -> bool:
    import ipaddress

    try:
        return ipaddress.ip_address(str(found)) in ipaddress.ip_network(value, strict=False)
    except ValueError:
        return False
