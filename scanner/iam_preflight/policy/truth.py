"""Yes, maybe, no; and what a maybe hangs on."""

from __future__ import annotations

from enum import Flag, IntEnum, auto
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class Truth(IntEnum):
    NO = 0
    MAYBE = 1
    YES = 2

    @staticmethod
    def of(value: bool) -> Truth:
        return Truth.YES if value else Truth.NO

    def negated(self) -> Truth:
        return _NEGATED[self]


_NEGATED = (Truth.YES, Truth.MAYBE, Truth.NO)


class Doubt(Flag):
    """Why an answer is only a maybe."""

    NONE = 0
    PLACE = auto()
    """Only which account, region or partition is meant is not known before deploy."""
    HOLE = auto()
    """A value that is not known before deploy decides."""
    CONDITION = auto()
    """The request's context decides: a condition holds for some requests."""
    PART = auto()
    """It is so for some of the resources that were asked about."""
    ASSUMPTION = auto()
    """An undecided choice in the code decides (`var.env == "prod"`)."""
    UNKNOWN = PLACE | HOLE

    def __or__(self, other: Doubt) -> Doubt:
        return _JOINED[self.value | other.value]  # `Flag` looks its members up slowly


_JOINED = tuple(map(Doubt, range(2 * Doubt.ASSUMPTION.value)))


def any_of(truths: Iterable[Truth]) -> Truth:
    best = Truth.NO
    for truth in truths:
        if truth is Truth.YES:
            return truth
        best = max(best, truth)
    return best


def all_of(truths: Iterable[Truth]) -> Truth:
    worst = Truth.YES
    for truth in truths:
        if truth is Truth.NO:
            return truth
        worst = min(worst, truth)
    return worst
