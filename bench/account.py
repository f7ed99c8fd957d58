"""Made-up authorization details of a large account, to measure how they load and join.

    python -m bench.account 20000 details.json

A generated file, not an export: names are numbered, the mix (three roles for each user, most
with one managed policy and a small inline one) is that of a company with many workloads.
"""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path
from typing import Any

ACCOUNT = "111122223333"
CREATED = "2026-05-04T10:00:00+00:00"


def details(principals: int) -> dict[str, Any]:
    """As `aws iam get-account-authorization-details` writes them."""
    chance = random.Random(principals)
    users = principals * 24 // 100
    groups = principals // 100
    roles = principals - users - groups
    policies = principals // 10
    return {
        "UserDetailList": [_user(i, groups, chance) for i in range(users)],
        "GroupDetailList": [_group(i, policies) for i in range(groups)],
        "RoleDetailList": [_role(i, policies, chance) for i in range(roles)],
        "Policies": [_policy(i) for i in range(policies)],
    }


def _arn(kind: str, name: str) -> str:
    return f"arn:aws:iam::{ACCOUNT}:{kind}/{name}"


def _entry(kind: str, name: str) -> dict[str, Any]:
    return {
        "Path": "/",
        f"{kind.title()}Name": name,
        f"{kind.title()}Id": f"AIDA{name.upper():0>17}"[:21],
        "Arn": _arn(kind, name),
        "CreateDate": CREATED,
    }


def _user(number: int, groups: int, chance: random.Random) -> dict[str, Any]:
    listed = [f"team-{chance.randrange(groups)}"] if groups else []
    return {
        **_entry("user", f"person-{number}"),
        "GroupList": listed,
        "AttachedManagedPolicies": [],
        "Tags": [{"Key": "Team", "Value": listed[0] if listed else ""}],
    }


def _group(number: int, policies: int) -> dict[str, Any]:
    return {
        **_entry("group", f"team-{number}"),
        "GroupPolicyList": [],
        "AttachedManagedPolicies": [_attached(number % policies)] if policies else [],
    }


def _attached(number: int) -> dict[str, str]:
    return {"PolicyName": f"access-{number}", "PolicyArn": _arn("policy", f"access-{number}")}


def _role(number: int, policies: int, chance: random.Random) -> dict[str, Any]:
    service = chance.choice(("ecs-tasks", "lambda", "ec2", "codebuild"))
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": f"{service}.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    inline = {
        "Effect": "Allow",
        "Action": ["s3:GetObject", "s3:PutObject"],
        "Resource": f"arn:aws:s3:::acme-app-{number}/*",
    }
    is_admin = number % 2000 == 0
    attached = [_attached(number % policies)] if policies else []
    if is_admin:
        attached.append(
            {
                "PolicyName": "AdministratorAccess",
                "PolicyArn": "arn:aws:iam::aws:policy/AdministratorAccess",
            }
        )
    return {
        **_entry("role", f"app-{number}"),
        "AssumeRolePolicyDocument": _document(statement),
        "InstanceProfileList": [],
        "RolePolicyList": [{"PolicyName": "own", "PolicyDocument": _document(inline)}]
        if number % 2
        else [],
        "AttachedManagedPolicies": attached,
        "Tags": [{"Key": "App", "Value": f"app-{number}"}],
        "RoleLastUsed": {"LastUsedDate": CREATED, "Region": "eu-west-1"},
    }


def _policy(number: int) -> dict[str, Any]:
    statement = {
        "Effect": "Allow",
        "Action": ["dynamodb:GetItem", "dynamodb:Query", "sqs:SendMessage"],
        "Resource": [
            f"arn:aws:dynamodb:eu-west-1:{ACCOUNT}:table/app-{number}",
            f"arn:aws:sqs:eu-west-1:{ACCOUNT}:app-{number}",
        ],
    }
    return {
        "PolicyName": f"access-{number}",
        "PolicyId": f"ANPA{number:0>17}",
        "Arn": _arn("policy", f"access-{number}"),
        "Path": "/",
        "DefaultVersionId": "v1",
        "PolicyVersionList": [
            {
                "Document": _document(statement),
                "VersionId": "v1",
                "IsDefaultVersion": True,
                "CreateDate": CREATED,
            }
        ],
        "CreateDate": CREATED,
    }


def _document(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": [*statements]}


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(json.dumps(details(int(sys.argv[1])), indent=4))
