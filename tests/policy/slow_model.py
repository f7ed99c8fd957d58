"""IAM's decision, obviously right and slow: every element spelled out, nothing shared."""

from __future__ import annotations

import functools
from typing import Any

Policy = dict[str, Any]


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


@functools.cache
def glob(pattern: str, text: str) -> bool:
    if not pattern:
        return not text
    if pattern[0] == "*":
        return glob(pattern[1:], text) or (bool(text) and glob(pattern, text[1:]))
    return bool(text) and pattern[0] in ("?", text[0]) and glob(pattern[1:], text[1:])


@functools.cache
def arn_glob(pattern: str, arn: str) -> bool:
    """Wildcards stay inside the first five segments; a pattern that ends early covers the rest."""
    have, want = arn.split(":", 5), pattern.split(":", 5)
    if len(want) < 6:
        if not want[-1].endswith("*"):
            return pattern == arn
        rest = ":".join(have[len(want) - 1 :])
        return (
            len(have) >= len(want) and all(map(glob, want[:-1], have)) and glob(want[-1], rest)
        ) or glob(want[-1], arn) * (len(want) == 1)
    return len(have) == 6 and all(map(glob, want, have))


def meets(operator: str, wanted: list[str], actual: list[str] | None) -> bool:
    quantifier, _, name = operator.rpartition(":")
    is_optional = name.endswith("IfExists")
    name = name.removesuffix("IfExists")
    actual = actual or None  # no values are as good as no key
    if name == "Null":
        return (actual is None) == (wanted[0] == "true")
    is_negated = "Not" in name
    if actual is None:
        return is_optional or quantifier == "ForAllValues" or (is_negated and not quantifier)
    match_one = glob if name.endswith("Like") else str.__eq__
    each = [any(match_one(w, a) for w in wanted) != is_negated for a in actual]
    return any(each) if quantifier == "ForAnyValue" else all(each)


def applies(statement: Policy, action: str, resource: str, context: dict[str, list[str]]) -> bool:
    for element, text, match_one in (
        ("Action", action.lower(), lambda p, t: glob(p.lower(), t)),
        ("Resource", resource, arn_glob),
    ):
        if element in statement:
            if not any(match_one(p, text) for p in listed(statement[element])):
                return False
        elif any(match_one(p, text) for p in listed(statement[f"Not{element}"])):
            return False
    return all(
        meets(operator, listed(values), context.get(key))
        for operator, keys in statement.get("Condition", {}).items()
        for key, values in keys.items()
    )


def allows(policy: Policy, action: str, resource: str, context: dict[str, list[str]]) -> bool:
    effects = {
        statement["Effect"]
        for statement in policy["Statement"]
        if applies(statement, action, resource, context)
    }
    return effects == {"Allow"}
