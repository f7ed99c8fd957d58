"""Stretches of a text, however many: which of them lie around another."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

T = TypeVar("T")


class Stretches(Generic[T]):
    """What belongs to stretches of one text, each from its start up to, not including, its end.

    Those around a place are found in the logarithm of the number of all, and one step for each
    that is found: sorted by their starts, with a tree over them of how far each half reaches.
    """

    def __init__(self, items: Iterable[tuple[int, int, T]]) -> None:
        ordered = sorted(items, key=lambda item: item[0])
        self._starts = [start for start, _, _ in ordered]
        self._items = [item for _, _, item in ordered]
        self._leaves = 1 << max(len(ordered) - 1, 0).bit_length()
        self._reach = [-1] * (2 * self._leaves)
        """Node n has the halves 2n and 2n + 1; the leaves come last."""
        for index, (_, end, _) in enumerate(ordered):
            self._reach[self._leaves + index] = end
        for node in range(self._leaves - 1, 0, -1):
            self._reach[node] = max(self._reach[2 * node], self._reach[2 * node + 1])

    def around(self, start: int, end: int) -> Iterator[T]:
        """What belongs to the stretches that hold all of this one, in the order of their starts."""
        begun = bisect_right(self._starts, start)
        waiting = [(1, 0, self._leaves)]
        while waiting:
            node, first, size = waiting.pop()
            if first >= begun or self._reach[node] < end:
                continue
            if size == 1:
                yield self._items[first]
                continue
            half = size // 2
            waiting.append((2 * node + 1, first + half, half))
            waiting.append((2 * node, first, half))
