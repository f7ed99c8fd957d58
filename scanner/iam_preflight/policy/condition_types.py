"""Conditions that cannot mean what they say: operator, values and the type of the key disagree.

Only what is sure: a text of a service's own may hold nearly anything, `"true"` and numbers
included, and so is only judged by its values. The keys of `condition_keys.json`, which are read one
by one, are judged by their type as well.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
"""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING

from msgspec import Struct

from iam_preflight.policy.conditions import KNOWN_OPERATORS, TEXT_OPERATORS, network_of, number_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from iam_preflight.knowledge.catalog import Catalog, ConditionKey
    from iam_preflight.policy.document import Condition, Pattern, Statement

_KINDS = {
    "ARN": "an ARN",
    "Bool": "true or false",
    "Date": "a moment",
    "IPAddress": "an address",
    "Numeric": "a number",
}
"""What the types of keys hold, those of text left out."""

_NEVER_MEET = {
    "bool": ("ARN", "Date", "IPAddress", "Numeric"),
    "numeric": ("ARN", "Bool", "IPAddress"),
    "date": ("ARN", "Bool", "IPAddress"),
    "ipaddress": ("ARN", "Bool", "Date", "Numeric"),
    "arn": ("Bool", "Date", "IPAddress", "Numeric"),
}
"""Types of keys whose values no value of an operator's family can be equal to."""

_BOTH = {"true", "false"}

_FREE_TEXT = ("aws:referer", "aws:useragent")
"""Whatever the caller likes, a `*` included."""

_PRIVATE = tuple(
    ipaddress.ip_network(text)
    for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")
)
"""https://www.rfc-editor.org/rfc/rfc1918 and https://www.rfc-editor.org/rfc/rfc4193"""


class TypeFault(Struct, frozen=True):
    """Why a condition, or one of its values, never matches."""

    condition: Condition
    value: Pattern | None
    """The value that cannot match; None where it is not about a value."""
    why: str
    cure: str
    is_whole: bool = True
    """Whether no other value of the condition matches either."""
    passes: bool = False
    """Whether it is about what passes, instead of what never matches."""

    @property
    def is_open(self) -> bool:
        """Whether everything passes, as nothing can be equal to what must not be."""
        return self.passes or (self.is_whole and self.condition.operator.is_negated)


def type_fault(condition: Condition, statement: Statement, catalog: Catalog) -> TypeFault | None:
    """What is wrong with a condition for sure; None for nothing, or where something is unknown."""
    key = catalog.condition_key(condition.key_name) if condition.key.is_known else None
    how = condition.operator
    if key is None or condition.assumptions or how.base not in KNOWN_OPERATORS:
        return None
    if key.needs_quantifier and not how.quantifier and how.base != "null":
        return TypeFault(
            condition,
            None,
            f"{key.name} has several values at once, which {how.name} cannot look through",
            f"use ForAnyValue:{how.name} or ForAllValues:{how.name}",
            is_whole=False,
        )
    if _asks_all_of_one(condition, key, statement):
        return TypeFault(
            condition,
            None,
            f"{key.name} has one value, and requests without it pass {how.name}",
            f"use {how.name.partition(':')[2]}",
            passes=True,
        )
    if how.base == "bool" and {value.text.lower() for value in condition.values} == _BOTH:
        return TypeFault(
            condition,
            None,
            "true and false are all that there is",
            "say which is meant",
            passes=True,
        )
    for value in condition.values:
        why = _why_of_type(value.text, condition, key)
        if why is not None:
            return TypeFault(condition, None, *why)
    if not all(_is_plain(value) for value in condition.values):
        return None
    judged = [(value, _why_of_text(value.text, how.base, key)) for value in condition.values]
    is_whole = all(why is not None for _, why in judged)
    faults = [TypeFault(condition, value, *why, is_whole) for value, why in judged if why]
    if not is_whole and all(network_of(value.text) for value, _ in judged):
        return None  # who lists all networks there are may list private ones, too
    return faults[0] if faults else None


def _asks_all_of_one(condition: Condition, key: ConditionKey, statement: Statement) -> bool:
    """Whether an Allow has `ForAllValues` on a key of one value, and does not ask for the key.

    `ForAllValues` holds of requests without the key. In a Deny that only denies more.
    """
    if condition.operator.quantifier != "forallvalues" or not statement.is_allow:
        return False
    is_single = key.is_global and not key.is_multivalued and not key.is_always_there
    return is_single and not any(
        other.key_name == condition.key_name and other.asks_for_key
        for other in statement.conditions
    )


def _is_plain(value: Pattern) -> bool:
    return value.is_known and not (value.is_sensitive or value.assumptions or "${" in value.text)


def _why_of_type(text: str, condition: Condition, key: ConditionKey) -> tuple[str, str] | None:
    """Why no value matches, and what to do about it."""
    how = condition.operator
    family = _family(how.base)
    if key.type in _NEVER_MEET.get(family, ()) and not _is_any(text):
        return f"{key.name} is {_KINDS[key.type]}, which {how.name} never matches", _use(key.type)
    is_own_text = key.is_global and key.type == "String" and "${" not in key.name
    if family in ("bool", "ipaddress") and is_own_text:
        return f"{key.name} is text, which {how.name} never matches", "use a String operator"
    return None


def _why_of_text(text: str, base: str, key: ConditionKey) -> tuple[str, str] | None:
    family = _family(base)
    reads = _FORMS.get(family)
    if reads is not None and not reads[0](text):
        return f'"{text}" is not {reads[1]}', f"write {reads[1]}"
    if key.name == "aws:SourceIp" and family == "ipaddress" and _is_private(text):
        return (
            f"{text} is private, and aws:SourceIp is where a request comes from on the internet",
            "use aws:VpcSourceIp for what comes through a VPC endpoint",
        )
    if family != "string":
        return None
    if key.type == "IPAddress" and "/" in text:
        return f'"{text}" is a network, which no address is equal to', _use(key.type)
    if TEXT_OPERATORS[base].name == "NONE" and "*" in text and _holds_no_star(key):
        return f'"{text}" is taken as it is, star and all', _use_like(key.type)
    if "*" not in text and "?" not in text:
        if key.form and not re.fullmatch(key.form, text):
            return f'"{text}" is not what {key.name} looks like', f"write {key.example}"
        if key.type == "Bool" and text.lower() not in ("true", "false"):
            return f'"{text}" is neither true nor false', _use(key.type)
        if key.type == "Numeric" and number_of(text) is None:
            return f'"{text}" is not a number', _use(key.type)
    return None


def _family(base: str) -> str:
    """`numericlessthan` to `numeric`."""
    names = ("string", "arn", "numeric", "date", "bool", "ipaddress", "null")
    return next((name for name in names if base.startswith(name)), base)


_FORMS: dict[str, tuple[Callable[[str], bool], str]] = {
    "bool": (lambda text: text.lower() in ("true", "false"), "true or false"),
    "null": (lambda text: text.lower() in ("true", "false"), "true or false"),
    "numeric": (lambda text: number_of(text) is not None, "a number"),
    "ipaddress": (lambda text: network_of(text) is not None, "an address or a network"),
    "arn": (lambda text: text.startswith("arn:") or _is_open(text), "an ARN"),
}
"""What the values of an operator's family look like; dates are a matter of grammar."""


def _is_any(text: str) -> bool:
    return not text.strip("*?")


def _is_open(text: str) -> bool:
    """Whether a pattern has a wildcard where an ARN has its `arn:`."""
    return any(sign in text.partition(":")[0] for sign in "*?")


def _is_private(text: str) -> bool:
    network = network_of(text)
    return network is not None and any(
        # mypy does not see that both are of one version
        network.version == private.version and network.subnet_of(private)  # type: ignore[arg-type]
        for private in _PRIVATE
    )


def _holds_no_star(key: ConditionKey) -> bool:
    """Whether AWS keeps stars out of what a key holds: ids, ARNs of its own, and tags."""
    return key.is_global and key.type in ("ARN", "String") and key.name.lower() not in _FREE_TEXT


def _use(kind: str) -> str:
    name = {"ARN": "ArnLike", "IPAddress": "IpAddress"}.get(kind, kind)
    return f"use {name}" if name in ("ArnLike", "IpAddress", "Bool") else f"use a {name} operator"


def _use_like(kind: str) -> str:
    return f"use {'ArnLike' if kind == 'ARN' else 'StringLike'}, which knows wildcards"
