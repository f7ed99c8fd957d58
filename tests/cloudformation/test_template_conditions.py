"""Which conditions can hold together, checked against trying every value."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from template_files import load, shown

from iam_preflight.cloudformation.conditions import (
    FALSE,
    TRUE,
    Constant,
    Equal,
    Every,
    Negation,
    Same,
    Some,
    every,
    is_possible,
    negate,
    some,
)

SUBJECTS = ("P", "Q", "R")
VALUES = ("a", "b")
ALLOWED = {"Q": ("a", "b")}
DOMAINS = {
    "P": ("a", "b", "other p", "other"),
    "Q": ("a", "b"),
    "R": ("a", "b", "other r", "other"),
}

formulas = st.recursive(
    st.sampled_from([TRUE, FALSE])
    | st.builds(Equal, st.sampled_from(SUBJECTS), st.sampled_from(VALUES))
    | st.builds(Same, st.sampled_from(SUBJECTS), st.sampled_from(SUBJECTS)),
    lambda inner: st.one_of(
        st.builds(negate, inner),
        st.builds(every, st.lists(inner, max_size=3)),
        st.builds(some, st.lists(inner, max_size=3)),
    ),
    max_leaves=8,
)


def truth(formula, chosen):
    match formula:
        case Constant(value=value):
            return value
        case Equal(subject=subject, value=value):
            return chosen[subject] == value
        case Same(left=left, right=right):
            return chosen[left] == chosen[right]
        case Negation(part=part):
            return not truth(part, chosen)
        case Every(parts=parts):
            return all(truth(part, chosen) for part in parts)
        case Some(parts=parts):
            return any(truth(part, chosen) for part in parts)


@settings(max_examples=400, deadline=None)
@given(formulas)
def test_possible_is_what_some_values_make_true(formula):
    by_trying = any(
        truth(formula, dict(zip(SUBJECTS, values, strict=True)))
        for values in product(*(DOMAINS[subject] for subject in SUBJECTS))
    )
    assert is_possible(formula, ALLOWED) is by_trying


@settings(max_examples=200, deadline=None)
@given(formulas)
def test_a_formula_or_its_opposite_is_possible(formula):
    assert is_possible(formula, ALLOWED) or is_possible(negate(formula), ALLOWED)


TEMPLATE = """
Parameters:
  Env: {Type: String, AllowedValues: [dev, test, prod]}
  Free: {Type: String}
Conditions:
  IsProd: !Equals [!Ref Env, prod]
  IsTest: !Equals [test, !Ref Env]
  IsDev: !Not [!Or [!Condition IsProd, !Condition IsTest]]
  IsAny: !Or [!Condition IsDev, !Condition IsProd, !Condition IsTest]
  IsNone: !And [!Condition IsDev, !Condition IsProd]
  InIreland: !Equals [!Ref AWS::Region, eu-west-1]
  InChina: !Equals [!Ref AWS::Partition, aws-cn]
  HasFree: !Not [!Equals [!Join ["", [!Ref Free]], ""]]
  IsWeird: !Equals [!Ref Free, !Ref Env]
  IsNeverland: !Equals [!Ref Env, neverland]
Resources:
"""


def roles(*lines, parameters=()):
    text = TEMPLATE + "".join(f"  {line}\n" for line in lines)
    found, problems = load(text, *parameters)
    return {resource.address: resource for resource in found}, problems


def role(condition="", description="x"):
    extra = f"Condition: {condition}, " if condition else ""
    return f'{{Type: "AWS::IAM::Role", {extra}Properties: {{Description: {description}}}}}'


@pytest.mark.parametrize(
    ("condition", "outcome"),
    [
        ("IsProd", ["IsProd"]),
        ("IsDev", ["IsDev"]),
        ("IsAny", []),
        ("IsNone", None),
        ("IsNeverland", None),
        ("InIreland", ["InIreland"]),
        ("HasFree", ["HasFree"]),
        ("IsWeird", ["IsWeird"]),
    ],
)
def test_a_resource_is_there_under_what_its_condition_says(condition, outcome):
    found, problems = roles(f"R: {role(condition)}")
    assert not problems
    assert [str(a) for a in found["R"].assumptions] == outcome if outcome is not None else not found


@pytest.mark.parametrize(
    ("description", "outcome"),
    [
        (
            "!If [IsProd, !If [IsTest, never, prod], !If [IsDev, dev, test]]",
            ["prod", "dev", "test"],
        ),
        ("!If [IsAny, always, never]", "always"),
        ("!If [IsDev, !If [IsProd, never, !If [IsTest, never, dev]], other]", ["dev", "other"]),
    ],
)
def test_arms_that_contradict_each_other_are_pruned(description, outcome):
    found, _ = roles(f"R: {role('', description)}")
    value = shown(found["R"].get("description"))
    assert (value if isinstance(value, str) else [text for _, text in value]) == outcome


def test_the_condition_of_a_resource_prunes_what_is_in_it():
    found, _ = roles(f"R: {role('IsProd', '!If [IsTest, never, !Ref Env]')}")
    assert shown(found["R"].get("description")) == "prod"


def test_given_parameters_decide_conditions():
    lines = [f"R{name}: {role(name)}" for name in ("IsProd", "IsTest", "IsDev", "InIreland")]
    found, _ = roles(*lines, parameters=("Env=test", "AWS::Region=eu-west-1"))
    assert list(found) == ["RIsTest", "RInIreland"]
    assert all(not resource.assumptions for resource in found.values())


def test_a_region_says_the_partition():
    found, _ = roles(f"R: {role('InChina')}", parameters=("AWS::Region=cn-north-1",))
    assert not found["R"].assumptions


def test_what_does_not_exist_is_said_and_may_be_either():
    found, problems = roles(f"R: {role('Nowhere', '!If [Nowhere, a, b]')}")
    assert shown(found["R"].get("description")) == "a"
    assert any("no condition Nowhere" in problem.message for problem in problems)


def test_conditions_that_go_in_circles_or_grow_end():
    lines = ["Conditions:", "  A: !Not [!Condition B]", "  B: !Not [!Condition A]"]
    lines += ["  C0: !Equals [!Ref P, x]"]
    lines += [
        f"  C{i}: !And [!Condition C{i - 1}, !Or [!Condition C{i - 1}, !Equals [!Ref P, y{i}]]]"
        for i in range(1, 60)
    ]
    text = "\n".join(["Parameters: {P: {Type: String}}", *lines, "Resources:"])
    text += f"\n  R: {role('C59', '!If [A, a, b]')}\n  S: {role('B')}\n"
    found, problems = load(text)
    assert {resource.address for resource in found} >= {"R"}
    assert any("refers to itself" in problem.message for problem in problems)
