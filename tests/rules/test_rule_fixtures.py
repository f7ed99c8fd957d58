"""Every rule against its fixtures; see `iam_preflight.testing` for their layout."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from iam_preflight.registry import load_rules
from iam_preflight.testing import FORMATS, Case, Harness, describe, expectations, find_cases

FIXTURES = Path(__file__).parents[2] / "fixtures" / "rules"

NO_CLOUDFORMATION = {"CRED-003": "it has no resource for the password policy of an account"}
"""Rules about things that CloudFormation cannot express, with the reason."""


@cache
def harness() -> Harness:
    return Harness(load_rules())


ALL = find_cases(FIXTURES)
BAD = [case for case in ALL if case.is_bad]
GOOD = [case for case in ALL if not case.is_bad]


@pytest.mark.parametrize("case", BAD, ids=str)
def test_bad_is_found_where_it_is_marked(case: Case) -> None:
    marked = expectations(case)
    rules = {case.rule} | {rule for rule, _, _ in marked}
    assert case.rule in {rule for rule, _, _ in marked}, "a bad fixture marks its own rule"
    assert harness().found(case, rules) == marked


@pytest.mark.parametrize("case", GOOD, ids=str)
def test_good_is_silent_for_all_rules(case: Case) -> None:
    assert [describe(finding) for finding in harness().report(case).shown] == []


@pytest.mark.parametrize("case", ALL, ids=str)
def test_fixture_is_read_without_problem(case: Case) -> None:
    assert [f"{p.place} {p.message}" for p in harness().report(case).problems] == []


@pytest.mark.parametrize("rule", [rule.id for rule in load_rules()])
def test_rule_has_good_and_bad_fixtures_for_both_formats(rule: str) -> None:
    for name in FORMATS:
        if name == "cloudformation" and rule in NO_CLOUDFORMATION:
            continue
        kinds = {case.is_bad for case in ALL if case.rule == rule and case.format == name}
        assert kinds == {True, False}, f"{rule} needs a good_ and a bad_ fixture for {name}"


@pytest.mark.parametrize(
    "case",
    [case for case in BAD if case.format == "terraform" and case.rule not in NO_CLOUDFORMATION],
    ids=str,
)
def test_formats_that_say_the_same_give_the_same_findings(case: Case) -> None:
    folder = case.path.parents[1] / "cloudformation"
    twins = [
        path
        for path in folder.iterdir()
        if path.name.split(".", 1)[0] == case.stem and path.suffix != ".expect"
    ]
    if not twins:
        excuses = case.path.parents[1] / "terraform_only.txt"
        assert excuses.is_file(), f"{case.stem} has no twin, and no terraform_only.txt says why"
        assert case.stem in excuses.read_text()
        return
    for twin in twins:
        other = Case(case.rule, "cloudformation", twin)
        assert harness().verdicts(other) == harness().verdicts(case)
