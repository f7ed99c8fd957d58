"""How rules are shared out among processes: each is in one task, with those that need the same."""

from __future__ import annotations

from iam_preflight.registry import load_rules
from iam_preflight.scan import TOGETHER, _tasks


def test_every_rule_is_in_one_task() -> None:
    rules = load_rules().rules
    numbers = [number for task in _tasks(rules) for number in task]
    assert sorted(numbers) == list(range(len(rules)))


def test_families_that_belong_together_are_one_task() -> None:
    rules = load_rules().rules
    tasks = [{rules[number].family() for number in task} for task in _tasks(rules)]
    assert tasks[: len(TOGETHER)] == [set(group) for group in TOGETHER]
    assert all(len(task) == 1 for task in tasks[len(TOGETHER) :])


def test_a_selection_makes_no_empty_task() -> None:
    rules = load_rules().select(("ESC", "TAG"), ()).rules
    tasks = _tasks(rules)
    assert [{rules[number].family() for number in task} for task in tasks] == [{"ESC"}, {"TAG"}]
