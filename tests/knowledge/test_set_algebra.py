"""Sets of actions joined and cut in one go give what one by one gives."""

from __future__ import annotations

import itertools

import pytest

from iam_preflight.knowledge.actionset import ActionSet
from iam_preflight.knowledge.catalog import catalog

PATTERNS = ("s3:Get*", "iam:*", "*", "ec2:Describe*", "s3:*Object", "nothing:*")


def _sets() -> list[ActionSet]:
    known = catalog()
    plain = [known.expand(pattern) for pattern in PATTERNS]
    return [*plain, *(~one for one in plain)]


def _members(actions: ActionSet) -> set[str]:
    return set(actions)


@pytest.mark.parametrize(("left", "right"), [*itertools.combinations(range(12), 2)])
def test_operators_are_those_of_sets(left: int, right: int) -> None:
    sets = _sets()
    a, b = sets[left], sets[right]
    assert _members(a | b) == _members(a) | _members(b)
    assert _members(a & b) == _members(a) & _members(b)
    assert _members(a - b) == _members(a) - _members(b)
    assert ("future:Action" in (a - b)) == ("future:Action" in a and "future:Action" not in b)


def test_union_takes_in_boundless_sets() -> None:
    known = catalog()
    everything_but = ~known.expand("s3:*")
    joined = ActionSet.union(known, (known.expand("s3:GetObject"), everything_but))
    assert "s3:GetObject" in joined
    assert "s3:PutObject" not in joined
    assert "future:Action" in joined


def test_union_of_nothing_is_nothing() -> None:
    assert not ActionSet.union(catalog(), ())
