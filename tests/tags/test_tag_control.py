"""Who may set the tags that access depends on: what opens a lock, and what keeps it shut."""

from __future__ import annotations

import json

import pytest

from iam_preflight.registry import load_rules
from iam_preflight.testing import scan_files

EC2 = "arn:aws:ec2:*:111122223333:instance/*"
TRUST = {
    "Effect": "Allow",
    "Action": "sts:AssumeRole",
    "Principal": {"Service": "ec2.amazonaws.com"},
}


def allow(action: str | list[str], **condition: object) -> dict[str, object]:
    statement = {"Effect": "Allow", "Action": action, "Resource": EC2}
    return statement | ({"Condition": condition} if condition else {})


def deny(action: str, resource: str = EC2, **condition: object) -> dict[str, object]:
    return {"Effect": "Deny", "Action": action, "Resource": resource, "Condition": condition}


LOCK = allow("ec2:StopInstances", StringEquals={"aws:ResourceTag/team": "shop"})
KEEPS = {"ForAnyValue:StringEquals": {"aws:TagKeys": ["team"]}}


def speaks(statements: list[dict[str, object]], trust: dict[str, object] | None = None) -> bool:
    template = {
        "Resources": {
            "Role": {
                "Type": "AWS::IAM::Role",
                "Properties": {
                    "RoleName": "operators",
                    "AssumeRolePolicyDocument": {
                        "Version": "2012-10-17",
                        "Statement": [trust or TRUST],
                    },
                    "Policies": [
                        {
                            "PolicyName": "p",
                            "PolicyDocument": {"Version": "2012-10-17", "Statement": statements},
                        }
                    ],
                },
            }
        }
    }
    report = scan_files({"stack.json": json.dumps(template)}, load_rules().select(["TAG-004"], []))
    return bool(list(report.shown))


@pytest.mark.parametrize(
    ("statements", "is_open"),
    [
        ([LOCK], False),
        ([LOCK, allow("ec2:CreateTags")], True),
        ([LOCK, allow("ec2:*")], True),
        ([LOCK, allow("ec2:CreateTags"), deny("ec2:CreateTags", **KEEPS)], False),
        ([LOCK, allow("ec2:CreateTags"), deny("ec2:DeleteTags", **KEEPS)], True),
        ([LOCK, allow("ec2:CreateTags", StringEquals={"aws:RequestTag/team": "shop"})], False),
        ([LOCK, allow("ec2:CreateTags", StringEquals={"aws:RequestTag/other": "x"})], True),
        (
            [LOCK, allow("ec2:CreateTags", **{"ForAllValues:StringEquals": {"aws:TagKeys": "t*"}})],
            False,
        ),
        (
            [LOCK, allow("ec2:CreateTags", **{"ForAllValues:StringLike": {"aws:TagKeys": "t*"}})],
            True,
        ),
        ([LOCK, allow("rds:AddTagsToResource")], False),
        ([LOCK, allow("ec2:DeleteTags")], False),
    ],
)
def test_a_lock_is_open_to_whoever_may_set_its_tag(
    statements: list[dict[str, object]], is_open: bool
) -> None:
    assert speaks(statements) is is_open


def test_removing_a_tag_is_enough_where_a_deny_asks_for_it() -> None:
    keeper = deny("ec2:StopInstances", StringEquals={"aws:ResourceTag/protected": "true"})
    assert speaks([allow("ec2:StopInstances"), allow("ec2:DeleteTags"), keeper])
    assert not speaks([allow("ec2:StopInstances"), keeper])


def test_session_tags_are_keys_to_locks_on_principal_tags() -> None:
    lock = allow("ec2:StopInstances", StringEquals={"aws:PrincipalTag/team": "shop"})
    trust = {
        "Effect": "Allow",
        "Action": ["sts:AssumeRole", "sts:TagSession"],
        "Principal": {"AWS": "arn:aws:iam::111122223333:role/ci"},
    }
    pinned = trust | {"Condition": {"StringEquals": {"aws:RequestTag/team": "shop"}}}
    assert speaks([lock], trust)
    assert not speaks([lock], pinned)
    assert not speaks([lock])
