"""The values that a condition key can have, as far as some conditions can tell them apart.

Every condition on a key cuts its values into those that meet it and those that do not. One value
for each way of meeting them all stands for the rest.
"""

from __future__ import annotations

import ipaddress
import itertools
from typing import TYPE_CHECKING, TypeAlias

from msgspec import Struct

from iam_preflight.policy.automaton import Automaton
from iam_preflight.policy.conditions import compare, date_of, network_of, number_of
from iam_preflight.policy.globs import has_symbols, is_concrete

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from decimal import Decimal

    from iam_preflight.policy.automaton import Tokens
    from iam_preflight.policy.clauses import Atom

Value: TypeAlias = "tuple[Tokens, ...] | None"
"""The values of a key in one request: one for most keys; None for a request without the key."""

MAX_VALUES = 4_000
"""More ways to fill one key than this are not tried one by one."""


class NotModelled(Exception):
    """The values of a key cannot be told apart exactly: why, for people."""


class Use(Struct, frozen=True, eq=False):
    """A condition as one clause has it."""

    atom: Atom
    is_loose: bool
    """Whether the clause may match too much, where nobody can tell."""
    is_literal: bool = True
    """Whether its symbols are only themselves, neither too much nor too little."""

    @property
    def pattern_is_loose(self) -> bool:
        """Whether a symbol in its values may be anything: less of them meets a negated operator."""
        return not self.is_literal and self.is_loose != self.atom.condition.operator.is_negated


class Domain:
    """The values of one key that `uses` can tell apart, and what each use says of each."""

    def __init__(self, key: str, uses: Sequence[Use], limit: int) -> None:
        self.key = key
        text = [use for use in uses if use.atom.is_text]
        self._patterns = sorted(
            {(v, use.pattern_is_loose) for use in text for v in use.atom.values}
        )
        self._automaton = Automaton(
            [pattern for pattern, _ in self._patterns],
            loose=[loose for _, loose in self._patterns],
        )
        self._matched: dict[Tokens, frozenset[tuple[Tokens, bool]]] = {}
        singles = list(dict.fromkeys(self._singles(uses, text, limit)))
        self.values: tuple[Value, ...] = (None, *self._filled(singles, uses))

    # ---- representatives

    def _singles(self, uses: Sequence[Use], text: Sequence[Use], limit: int) -> Iterator[Tokens]:
        ordered = [use for use in uses if _is_ordered(use)]
        networks = [use for use in uses if use.atom.condition.operator.base == "ipaddress"]
        kinds = [bool(text), bool(ordered), bool(networks)]
        if sum(kinds) > 1 and any(not is_concrete(pattern) for pattern, _ in self._patterns):
            raise NotModelled(f"{self.key} is compared as text and as something else")
        if text:
            if all(use.atom.condition.operator.base == "bool" for use in text):
                yield from (tuple("true"), tuple("false"))  # a Boolean key has no third value
            else:
                yield from (found for _, found in self._automaton.classes(limit))
        if ordered:
            yield from _numbers(ordered)
        if networks:
            yield from _addresses(networks)
        if not any(kinds):
            yield ("x",)

    def _filled(self, singles: list[Tokens], uses: Sequence[Use]) -> Iterator[Value]:
        """One value each; several together where a set operator asks for them."""
        if not any(use.atom.condition.operator.quantifier for use in uses):
            yield from ((single,) for single in singles)
            return
        # each condition, with a set operator or without, is met or not because of one value at most
        largest = min(len({use.atom.said for use in uses}), len(singles))
        count = 0
        for size in range(1, largest + 1):
            for together in itertools.combinations(singles, size):
                count += 1
                if count > MAX_VALUES:
                    raise NotModelled(f"{self.key} can have too many values at once")
                yield together

    # ---- answers

    def holds(self, use: Use, value: Value) -> bool:
        """Whether a condition is met; where nobody can tell, as its looseness has it."""
        how = use.atom.condition.operator
        if use.atom.condition.assumptions and use.is_loose:
            return True
        if not value or how.base == "null":
            return self._null_or_absent(use, value)
        met = [self._meets(use, single) != how.is_negated for single in value]
        return any(met) if how.quantifier == "foranyvalue" else all(met)

    def _null_or_absent(self, use: Use, value: Value) -> bool:
        how = use.atom.condition.operator
        if how.base == "null":
            wanted = "false" if value else "true"
            return any(
                v.text.lower() == wanted if v.is_known else use.is_loose
                for v in use.atom.condition.values
            )
        if how.is_if_exists or how.quantifier == "forallvalues":
            return True
        return how.is_negated and not how.quantifier

    def _meets(self, use: Use, single: Tokens) -> bool:
        """Whether a value is among the condition's values."""
        is_loose = use.is_loose != use.atom.condition.operator.is_negated
        matched = self._patterns_of(single) if use.atom.is_text else frozenset()
        for pattern, written in zip(use.atom.values, use.atom.condition.values, strict=True):
            if written.assumptions and not is_loose:
                continue
            if use.atom.is_text:
                if (pattern, use.pattern_is_loose) in matched:
                    return True
            elif not written.is_known or has_symbols(single):
                if is_loose:
                    return True
            elif compare(use.atom.condition.operator.base, written.text, "".join(single)):
                return True
        return False

    def _patterns_of(self, single: Tokens) -> frozenset[tuple[Tokens, bool]]:
        """The patterns that match a value."""
        found = self._matched.get(single)
        if found is None:
            signature = self._automaton.run(single)
            found = self._matched[single] = frozenset(
                pattern for i, pattern in enumerate(self._patterns) if signature >> i & 1
            )
        return found


def _is_ordered(use: Use) -> bool:
    return use.atom.condition.operator.base.startswith(("numeric", "date"))


def _numbers(uses: Iterable[Use]) -> Iterator[Tokens]:
    points: set[Decimal] = set()
    for use in uses:
        read = date_of if use.atom.condition.operator.base.startswith("date") else number_of
        for value in use.atom.condition.values:
            number = read(value.text) if value.is_known else None
            if number is not None:
                points.add(number)
    ordered = sorted(points)
    if not ordered:
        yield ("1",)
        return
    yield tuple(_number(ordered[0] - 1))
    for number, following in itertools.zip_longest(ordered, ordered[1:]):
        yield tuple(_number(number))
        after = number + 1 if following is None else (number + following) / 2
        yield tuple(_number(after))


def _number(number: Decimal) -> str:
    return format(number.normalize(), "f")


def _addresses(uses: Iterable[Use]) -> Iterator[Tokens]:
    """The first address of every stretch between the bounds of the networks."""
    starts = {(4, 0), (6, 0)}
    for use in uses:
        for value in use.atom.condition.values:
            network = network_of(value.text) if value.is_known else None
            if network is not None:
                starts.add((network.version, int(network.network_address)))
                starts.add((network.version, int(network.broadcast_address) + 1))
    for version, start in sorted(starts):
        if version == 4 and start < 2**32:
            yield tuple(str(ipaddress.IPv4Address(start)))
        elif version == 6 and start < 2**128:
            yield tuple(str(ipaddress.IPv6Address(start)))
