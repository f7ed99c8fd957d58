"""Condition operators, with three answers.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html
"""

from __future__ import annotations

import binascii
import datetime as dt
import functools
import operator
import re
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, TypeAlias

from iam_preflight.policy.context import Presence, texts_of
from iam_preflight.policy.globs import (
    Symbol,
    Wildcards,
    has_symbols,
    is_anything,
    tokenize,
)
from iam_preflight.policy.match import text_matches
from iam_preflight.policy.truth import Doubt, Truth, all_of, any_of

if TYPE_CHECKING:
    import ipaddress
    from collections.abc import Callable, Iterable

    from iam_preflight.policy.automaton import Tokens
    from iam_preflight.policy.context import Context, Values
    from iam_preflight.policy.document import Condition, Pattern

TEXT_OPERATORS = {
    "stringequals": Wildcards.NONE,
    "stringequalsignorecase": Wildcards.NONE,
    "stringlike": Wildcards.TEXT,
    "arnequals": Wildcards.ARN,
    "arnlike": Wildcards.ARN,
}
"""Operators that compare text, in which policy variables count, and what wildcards mean."""

ORDERS: dict[str, Callable[[Decimal, Decimal], bool]] = {
    "equals": operator.eq,
    "lessthan": operator.lt,
    "lessthanequals": operator.le,
    "greaterthan": operator.gt,
    "greaterthanequals": operator.ge,
}

KNOWN_OPERATORS = frozenset(
    {*TEXT_OPERATORS, "bool", "null", "binaryequals", "ipaddress"}
    | {kind + order for kind in ("numeric", "date") for order in ORDERS}
)
"""Without `Not`, `IfExists` and quantifier, in lower case."""

_ADDRESS = "aws:sourceip"
"""In every request but those that come by an endpoint of a VPC."""

REGION = "aws:requestedregion"
"""The region whose endpoint a request goes to; in every request."""

TIMES = {"aws:currenttime": True, "aws:epochtime": True, "aws:tokenissuetime": False}
"""Keys that hold a moment no earlier than now, and whether every request carries them."""

Network: TypeAlias = "ipaddress.IPv4Network | ipaddress.IPv6Network"

_DATE = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d)(?:\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?)?)?"
)


class UnresolvedVariableError(Exception):
    """A policy variable whose key the request does not carry, and that has no default."""


def variables_from(context: Context) -> Callable[[str], Tokens]:
    """What stands for `${name}` in a request; raises `UnresolvedVariableError`.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
    """

    def variable(text: str) -> Tokens:
        if text in ("*", "?", "$"):
            return (text,)
        name, comma, default = text.partition(",")
        key = name.strip().lower()
        value = context.get(key)
        if not isinstance(value, Presence):
            if len(value) == 1:
                return value[0]
        elif value is not Presence.ABSENT:
            return (Symbol(f"${{{key}}}"),)
        if comma and value is Presence.ABSENT:
            return tuple(default.strip().strip("'"))
        raise UnresolvedVariableError(text)

    return variable


class ConditionMatcher:
    """One condition of a statement, ready to be asked about many requests."""

    __slots__ = ("_known", "_tokens", "condition", "key", "uses_variables")

    def __init__(self, condition: Condition, has_policy_variables: bool) -> None:
        self.condition = condition
        self.key = condition.key_name if condition.key.is_known else None
        self._known = condition.operator.base in KNOWN_OPERATORS
        self.uses_variables = (
            has_policy_variables
            and condition.operator.base in TEXT_OPERATORS
            and any("${" in part for value in condition.values for part in texts_of(value.parts))
        )
        self._tokens: list[Tokens] | None = None

    def holds(self, context: Context, since: Decimal | None = None) -> tuple[Truth, Doubt]:
        """Whether the condition is met, and what that hangs on when it is a maybe.

        No request is made before `since` (seconds since 1970), where that is given.
        """
        truth, doubt = self._holds(context)
        if since is not None and truth is Truth.MAYBE and self.key in TIMES:
            truth = self._in_time(since, is_always_there=TIMES[self.key])
        if self.condition.assumptions and truth is not Truth.YES:
            return Truth.MAYBE, doubt | Doubt.ASSUMPTION
        return truth, doubt if truth is Truth.MAYBE else Doubt.NONE

    def holds_in(self, regions: Iterable[str], context: Context) -> tuple[Truth, Doubt]:
        """Whether it is met where requests go to the region named for their partition."""
        answers = [self.holds(context.with_keys({REGION: region})) for region in regions]
        if len({truth for truth, _ in answers}) == 1:
            return answers[0]
        return Truth.MAYBE, Doubt.CONDITION

    def _holds(self, context: Context) -> tuple[Truth, Doubt]:
        if self.key is None or not self._known:
            return Truth.MAYBE, Doubt.HOLE
        values = context.get(self.key)
        match values:
            case Presence.ABSENT | ():  # a key without values is as good as none
                return self.when_absent(), Doubt.HOLE
            case Presence.PRESENT:
                return self._when_present(), Doubt.CONDITION
            case Presence.UNKNOWN:
                absent, present = self.when_absent(), self._when_present()
                if self.key == _ADDRESS and present is not Truth.MAYBE:
                    absent = present  # whoever has the choice does not come by an endpoint
                return (absent if absent is present else Truth.MAYBE), Doubt.CONDITION
            case _:
                return self._with_values(values, context)

    def _in_time(self, since: Decimal, *, is_always_there: bool) -> Truth:
        """The answer for every moment from `since` on."""
        how = self.condition.operator
        order = how.base.removeprefix("date").removeprefix("numeric")
        if how.quantifier or order not in ORDERS or not self.condition.values:
            return Truth.MAYBE
        best = Truth.NO
        for value in self.condition.values:
            moment = date_of(value.text) if value.is_known else None
            if moment is None or value.assumptions or moment >= since:
                best = max(best, Truth.MAYBE)
            elif order.startswith("greaterthan"):
                best = Truth.YES
        truth = best.negated() if how.is_negated else best
        if is_always_there or truth is self.when_absent():
            return truth
        return Truth.MAYBE

    def when_absent(self) -> Truth:
        """The answer for a request without the key."""
        how = self.condition.operator
        if how.base == "null":
            return self._null(is_absent=True)
        is_met = how.is_if_exists or how.quantifier == "forallvalues"
        return Truth.of(is_met or (how.is_negated and not how.quantifier))

    def _null(self, *, is_absent: bool) -> Truth:
        wanted = "true" if is_absent else "false"
        return any_of(
            Truth.of(value.text.lower() == wanted) if value.is_known else Truth.MAYBE
            for value in self.condition.values
        )

    def _when_present(self) -> Truth:
        """The answer for a request with the key, whatever its value."""
        how = self.condition.operator
        if how.base == "null":
            return self._null(is_absent=False)
        known = (v for v in self.condition.values if v.is_known and not v.assumptions)
        if any(_is_everything(value, how.base) for value in known):
            return Truth.of(not how.is_negated)
        return Truth.MAYBE if self.condition.values else Truth.of(how.is_negated)

    def _with_values(self, values: Values, context: Context) -> tuple[Truth, Doubt]:
        how = self.condition.operator
        if how.base == "null":
            return self._null(is_absent=False), Doubt.HOLE
        each = [self._matches_any(value, context) for value in values]
        if how.is_negated:
            each = [truth.negated() for truth in each]
        if how.quantifier == "foranyvalue":
            truth = any_of(each)
        else:
            truth = all_of(each)
        return truth, Doubt.CONDITION if self._asks_the_request(context) else Doubt.HOLE

    def _asks_the_request(self, context: Context) -> bool:
        """Whether the values that it asks for are the request's own, and not known."""
        return self.uses_variables and any(
            sign.startswith("${")
            for index in range(len(self.condition.values))
            for sign in self._signs(index, context)
        )

    def _signs(self, index: int, context: Context) -> Tokens:
        try:
            return self.value_tokens(index, context)
        except UnresolvedVariableError:
            return ()

    def _matches_any(self, actual: Tokens, context: Context) -> Truth:
        base = self.condition.operator.base
        best = Truth.NO
        for index, value in enumerate(self.condition.values):
            if base in TEXT_OPERATORS:
                truth = self._text_matches(index, actual, context)
            elif not value.is_known or has_symbols(actual):
                truth = Truth.MAYBE
            else:
                truth = Truth.of(compare(base, value.text, "".join(actual)))
            if value.assumptions:
                truth = min(truth, Truth.MAYBE)
            if truth is Truth.YES:
                return truth
            best = max(best, truth)
        return best

    def _text_matches(self, index: int, actual: Tokens, context: Context) -> Truth:
        try:
            wanted = self.value_tokens(index, context)
        except UnresolvedVariableError:
            return Truth.NO
        if self.condition.operator.base == "stringequalsignorecase":
            wanted, actual = folded(wanted), folded(actual)
        return text_matches(wanted, actual)

    def value_tokens(self, index: int, context: Context) -> Tokens:
        """A value of a text operator as tokens; raises `UnresolvedVariableError`."""
        wildcards = TEXT_OPERATORS[self.condition.operator.base]
        if self.uses_variables:
            value = self.condition.values[index]
            return tokenize(texts_of(value.parts), wildcards, variables_from(context))
        if self._tokens is None:
            self._tokens = [tokenize(texts_of(v.parts), wildcards) for v in self.condition.values]
        return self._tokens[index]


def _is_everything(value: Pattern, base: str) -> bool:
    """Whether a value of an operator matches whatever the key may say."""
    if base in TEXT_OPERATORS:
        return is_anything(tokenize(texts_of(value.parts), TEXT_OPERATORS[base]))
    network = network_of(value.text) if base == "ipaddress" else None
    return network is not None and network.prefixlen == 0


def folded(pattern: Tokens) -> Tokens:
    return tuple(sign.lower() if len(sign) == 1 else sign for sign in pattern)


def compare(base: str, wanted: str, actual: str) -> bool:
    """Whether a known value meets an operator that does not compare plain text."""
    match base:
        case "bool":
            return wanted.lower() == actual.lower()
        case "ipaddress":
            return _is_within(network_of(actual), network_of(wanted))
        case "binaryequals":
            return binary_of(wanted) == binary_of(actual)
        case _:
            read = date_of if base.startswith("date") else number_of
            left, right = read(actual), read(wanted)
            if left is None or right is None:
                return False
            return ORDERS[base.removeprefix("date").removeprefix("numeric")](left, right)


def _is_within(inner: Network | None, outer: Network | None) -> bool:
    if inner is None or outer is None:
        return False
    import ipaddress

    match inner, outer:
        case ipaddress.IPv4Network(), ipaddress.IPv4Network():
            return inner.subnet_of(outer)
        case ipaddress.IPv6Network(), ipaddress.IPv6Network():
            return inner.subnet_of(outer)
        case _:
            return False


@functools.lru_cache(maxsize=4096)
def network_of(text: str) -> Network | None:
    """An address or a CIDR block; None when it is neither."""
    import ipaddress

    try:
        return ipaddress.ip_network(text.strip(), strict=False)
    except ValueError:
        return None


@functools.lru_cache(maxsize=4096)
def number_of(text: str) -> Decimal | None:
    try:
        number = Decimal(text.strip())
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


@functools.lru_cache(maxsize=4096)
def date_of(text: str) -> Decimal | None:
    """Seconds since 1970, from ISO 8601 in any of the W3C's forms or from the seconds."""
    found = _DATE.fullmatch(text.strip())
    if found is None or (len(text.strip()) == 4 and not text.strip().startswith(("19", "20"))):
        return number_of(text)
    year, month, day, hour, minute, second, zone = found.groups()
    try:
        moment = dt.datetime(
            int(year),
            int(month or 1),
            int(day or 1),
            int(hour or 0),
            int(minute or 0),
            int(second or 0),
            tzinfo=dt.timezone.utc,
        )
    except ValueError:
        return None
    offset = 0
    if zone and zone != "Z":
        offset = int(zone[1:3]) * 3600 + int(zone[-2:]) * 60
        offset = -offset if zone[0] == "-" else offset
    return Decimal(int(moment.timestamp()) - offset)


def binary_of(text: str) -> bytes | str:
    import base64

    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return text
