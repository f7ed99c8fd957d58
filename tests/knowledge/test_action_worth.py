from __future__ import annotations

import pytest

from iam_preflight.knowledge.catalog import catalog
from iam_preflight.knowledge.legacy import legacy_names
from iam_preflight.knowledge.worth import Worth, changing, gravest, managing_permissions

facts = catalog()


@pytest.mark.parametrize(
    ("actions", "worth", "worst"),
    [
        (("s3:PutBucketPolicy", "s3:PutObjectAcl"), Worth.MOST, ["s3:PutBucketPolicy"]),
        (("kms:Decrypt", "ecr:BatchGetImage"), Worth.SOME, ["kms:Decrypt"]),
        (("sqs:AddPermission",), Worth.SOME, ["sqs:AddPermission"]),
        (("ram:DeleteResourceShare",), Worth.SOME, ["ram:DeleteResourceShare"]),
        (("ecr:BatchGetImage",), Worth.LITTLE, ["ecr:BatchGetImage"]),
    ],
)
def test_the_most_that_any_of_some_actions_is_worth(
    actions: tuple[str, ...], worth: Worth, worst: list[str]
) -> None:
    found, those = gravest(facts.expand_all(actions), facts)
    assert (found, list(those)) == (worth, worst)


def test_every_name_in_the_data_is_an_action() -> None:
    from iam_preflight.knowledge.worth import _worth_file

    held = _worth_file()
    names = (*held.most, *held.some, *held.little)
    assert [name for name in names if not facts.expand(name)] == []


def test_legacy_names_are_those_that_the_reference_lacks() -> None:
    assert [
        name for name in legacy_names() if facts.action(name) or facts.condition_key(name)
    ] == []


def test_levels() -> None:
    assert "iam:PutRolePolicy" in managing_permissions(facts)
    assert "s3:GetObject" not in changing(facts)
