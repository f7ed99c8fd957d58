"""Sets of actions joined and cut in one go give what one by one gives."""

from __future__ import annotations

import itertools

import pytest

from iam_preflight.knowledge.actionset import ActionSet
from iam_preflight.knowledge.catalog import AccessLevel, ActionClass, Catalog, catalog
from iam_preflight.knowledge.reading import service_reference

PATTERNS = ("s3:Get*", "iam:*", "*", "ec2:Describe*", "s3:*Object", "nothing:*", "ia*:Pass*")
CLASSES = (ActionClass.KEY_ADMINISTRATION, ActionClass.RESOURCE_EXPOSURE)
SETS = 2 * (len(PATTERNS) + len(CLASSES) + 1)


def _sets() -> list[ActionSet]:
    known = catalog()
    managing = known.everything.at_level(AccessLevel.PERMISSIONS_MANAGEMENT)
    classes = [known.classes[name] for name in CLASSES]
    plain = [*(known.expand(pattern) for pattern in PATTERNS), *classes, managing]
    return [*plain, *(~one for one in plain)]


def _members(actions: ActionSet) -> set[str]:
    return set(actions)


@pytest.mark.parametrize(("left", "right"), [*itertools.product(range(SETS), repeat=2)])
def test_operators_are_those_of_sets(left: int, right: int) -> None:
    sets = _sets()
    a, b = sets[left], sets[right]
    assert _members(a | b) == _members(a) | _members(b)
    assert _members(a & b) == _members(a) & _members(b)
    assert _members(a - b) == _members(a) - _members(b)
    assert a.meets(b) == bool(_members(a) & _members(b))
    assert a.covers(b) == (_members(a) >= _members(b))
    assert (~a).services == tuple(sorted({name.partition(":")[0] for name in _members(~a)}))
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


def test_services_that_nobody_asks_about_are_not_read() -> None:
    known = Catalog(service_reference())
    asked = known.expand("s3:*") | known.expand("sqs:SendMessage")
    writing = known.everything.at_level(AccessLevel.WRITE, AccessLevel.PERMISSIONS_MANAGEMENT)
    assert "s3:PutObject" in (asked & writing)
    assert "s3:GetObject" not in (asked & writing)
    assert (asked - writing).services == ("s3",)
    assert not asked.meets(known.expand("ec*:Describe*"))
    assert set(known._services) == {"s3", "sqs"}
