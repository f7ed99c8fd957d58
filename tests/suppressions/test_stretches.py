"""Which stretches lie around another, in few steps; and ignores, which are found by them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from iam_preflight.stretches import Stretches

STRETCH = st.tuples(st.integers(0, 30), st.integers(0, 30)).map(sorted)


@given(st.lists(STRETCH, max_size=40), STRETCH)
def test_finds_those_that_hold_all_of_it(every: list[list[int]], asked: list[int]) -> None:
    stretches = Stretches((start, end, number) for number, (start, end) in enumerate(every))
    expected = {n for n, (start, end) in enumerate(every) if start <= asked[0] and asked[1] <= end}
    found = list(stretches.around(*asked))
    assert sorted(found) == sorted(expected)
    assert [every[number][0] for number in found] == sorted(every[n][0] for n in expected)


class Counted(int):
    """A number that counts how often it is compared."""

    compared = 0

    def __lt__(self, other: int) -> bool:
        Counted.compared += 1
        return int(self) < int(other)

    def __gt__(self, other: int) -> bool:
        Counted.compared += 1
        return int(self) > int(other)


def test_asks_few_of_many_stretches_side_by_side() -> None:
    count = 4096
    stretches = Stretches((10 * n, 10 * n + 8, n) for n in range(count))
    for number in range(count):
        at = 10 * number + 3
        assert list(stretches.around(Counted(at), Counted(at + 1))) == [number]
    # down the tree once, with a look at the other half at each level
    assert Counted.compared <= count * 4 * count.bit_length()
