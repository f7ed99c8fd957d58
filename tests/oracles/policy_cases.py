"""Random requests with random stacks of policies, the same for the same seed."""

from __future__ import annotations

import random
from typing import Any

ACCOUNTS = ("111122223333", "444455556666")
ROLE = "arn:aws:iam::111122223333:role/app"
SESSION = "arn:aws:sts::111122223333:assumed-role/app/alice"
USER = "arn:aws:iam::111122223333:user/alice"
FEDERATED = "arn:aws:sts::111122223333:federated-user/carol"

ACTIONS: dict[str, tuple[str | None, ...]] = {
    "s3:GetObject": (
        "arn:aws:s3:::data/home/alice/a.txt",
        "arn:aws:s3:::data/home/bob/b.txt",
        "arn:aws:s3:::logs/x*y",
    ),
    "s3:PutObject": ("arn:aws:s3:::data/home/alice/a.txt", "arn:aws:s3:::logs/2026/x"),
    "s3:ListBucket": ("arn:aws:s3:::data", "arn:aws:s3:::logs"),
    "s3:ListAllMyBuckets": (None,),
    "iam:GetRole": (ROLE, "arn:aws:iam::111122223333:role/team/admin"),
    "iam:PassRole": (ROLE, "arn:aws:iam::111122223333:role/team/admin"),
    "sqs:SendMessage": (
        "arn:aws:sqs:eu-west-1:111122223333:jobs",
        "arn:aws:sqs:eu-west-1:444455556666:jobs",
    ),
    "kms:Decrypt": (
        "arn:aws:kms:eu-west-1:111122223333:key/1",
        "arn:aws:kms:eu-west-1:444455556666:key/2",
    ),
    "secretsmanager:GetSecretValue": (
        "arn:aws:secretsmanager:eu-west-1:111122223333:secret:db-AbCdEf",
    ),
    "ec2:StopInstances": ("arn:aws:ec2:eu-west-1:111122223333:instance/i-1",),
    "sts:AssumeRole": (
        "arn:aws:iam::111122223333:role/target",
        "arn:aws:iam::444455556666:role/target",
    ),
}

ACTION_PATTERNS = (
    "*",
    "s3:*",
    "s3:Get*",
    "S3:getobject",
    "s3:*Object",
    "s3:List*",
    "iam:*",
    "iam:PassRole",
    "iam:Get?ole",
    "sqs:*",
    "kms:Decrypt",
    "sts:*",
    "ec2:*",
    "secretsmanager:*",
)

RESOURCE_PATTERNS = (
    "*",
    "arn:aws:s3:::*",
    "arn:aws:s3:::data/*",
    "arn:aws:s3:::data",
    "arn:aws:s3:::data/home/${aws:username}/*",
    "arn:aws:s3:::data/home/${aws:PrincipalTag/name, 'alice'}/*",
    "arn:aws:s3:::data/home/al?ce/*",
    "arn:aws:s3:::DATA/*",
    "arn:aws:s3:::logs/x${*}y",
    "arn:aws:iam::*:role/*",
    "arn:aws:iam::111122223333:role/app",
    "arn:aws:iam::*:role/team/*",
    "arn:aws:sqs:*:*:jobs",
    "arn:aws:sqs:eu-west-1:111122223333:*",
    "arn:aws:kms:*:111122223333:key/*",
    "arn:aws:ec2:*:*:instance/*",
    "arn:aws:secretsmanager:*:*:secret:db-??????",
    "arn:*:iam::444455556666:role/*",
)

CONTEXTS: dict[str, tuple[str | list[str] | None, ...]] = {
    "aws:SourceIp": ("10.1.2.3", "192.0.2.7", "2001:db8::1", None),
    "aws:RequestedRegion": ("eu-west-1", "us-east-1", None),
    "aws:SecureTransport": ("true", "false", None),
    "aws:MultiFactorAuthPresent": ("true", "false", None),
    "aws:MultiFactorAuthAge": ("100", "5000", None),
    "aws:PrincipalOrgID": ("o-1234567890", "o-other", None),
    "aws:PrincipalTag/name": ("alice", "bob", None),
    "aws:PrincipalTag/team": ("Red", "blue", None),
    "aws:CurrentTime": ("2026-06-01T00:00:00Z", "2027-01-01T12:00:00Z"),
    "aws:CalledVia": (
        ["cloudformation.amazonaws.com"],
        ["athena.amazonaws.com", "cloudformation.amazonaws.com"],
        None,
    ),
    "aws:SourceArn": ("arn:aws:sns:eu-west-1:111122223333:topic", None),
    "aws:PrincipalOrgPaths": (["o-1/r-1/ou-1/"], ["o-1/r-1/ou-2/", "o-1/r-1/"], None),
}

CONDITIONS: tuple[dict[str, dict[str, Any]], ...] = (
    {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}},
    {"NotIpAddress": {"aws:SourceIp": ["10.0.0.0/8", "2001:db8::/32"]}},
    {"IpAddressIfExists": {"aws:SourceIp": "192.0.2.0/24"}},
    {"StringEquals": {"aws:RequestedRegion": ["eu-west-1", "eu-central-1"]}},
    {"StringNotEquals": {"aws:RequestedRegion": "eu-west-1"}},
    {"StringNotEqualsIfExists": {"aws:RequestedRegion": "eu-west-1"}},
    {"StringLike": {"aws:RequestedRegion": "eu-*"}},
    {"StringNotLike": {"aws:RequestedRegion": ["us-*", "ap-*"]}},
    {"Bool": {"aws:SecureTransport": "false"}},
    {"Bool": {"aws:MultiFactorAuthPresent": "true"}},
    {"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}},
    {"NumericLessThan": {"aws:MultiFactorAuthAge": "3600"}},
    {"NumericGreaterThanEqualsIfExists": {"aws:MultiFactorAuthAge": "100"}},
    {"NumericNotEquals": {"aws:MultiFactorAuthAge": "100"}},
    {"Null": {"aws:MultiFactorAuthAge": "true"}},
    {"Null": {"aws:PrincipalTag/team": "false"}},
    {"StringEquals": {"aws:PrincipalOrgID": "o-1234567890"}},
    {"StringNotEquals": {"aws:PrincipalOrgID": "o-1234567890"}},
    {"StringEqualsIgnoreCase": {"aws:PrincipalTag/team": "RED"}},
    {"StringNotEqualsIgnoreCase": {"aws:PrincipalTag/team": "BLUE"}},
    {"StringEquals": {"aws:PrincipalTag/name": "${aws:username}"}},
    {"StringLike": {"aws:username": "${aws:PrincipalTag/name}*"}},
    {"DateLessThan": {"aws:CurrentTime": "2026-12-31T00:00:00Z"}},
    {"DateGreaterThan": {"aws:CurrentTime": "1798761600"}},
    {"ForAnyValue:StringEquals": {"aws:CalledVia": "cloudformation.amazonaws.com"}},
    {"ForAllValues:StringEquals": {"aws:CalledVia": ["cloudformation.amazonaws.com"]}},
    {"ForAnyValue:StringNotEquals": {"aws:CalledVia": "cloudformation.amazonaws.com"}},
    {"ForAllValues:StringNotLike": {"aws:CalledVia": "athena*"}},
    {"ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": "o-1/*/ou-2/*"}},
    {"ArnLike": {"aws:SourceArn": "arn:aws:sns:*:111122223333:*"}},
    {"ArnNotLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/*"}},
    {"ArnEquals": {"aws:PrincipalArn": ROLE}},
    {"StringEquals": {"aws:PrincipalAccount": "111122223333"}},
    {
        "StringEquals": {"aws:RequestedRegion": "eu-west-1"},
        "Bool": {"aws:SecureTransport": "true"},
    },
)

PRINCIPALS: tuple[Any, ...] = (
    "*",
    {"AWS": "*"},
    {"AWS": "111122223333"},
    {"AWS": "arn:aws:iam::111122223333:root"},
    {"AWS": "arn:aws:iam::444455556666:root"},
    {"AWS": ROLE},
    {"AWS": USER},
    {"AWS": SESSION},
    {"AWS": [USER, "444455556666"]},
    {"Service": "lambda.amazonaws.com"},
)


class Cases:
    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def some(self, chance: float) -> bool:
        return self.random.random() < chance

    def one(self, options: Any) -> Any:
        return self.random.choice(options)

    def several(self, options: Any) -> Any:
        found = self.random.sample(options, self.one((1, 1, 2, 3)))
        return found[0] if len(found) == 1 and self.some(0.5) else found

    def statement(self, request: dict[str, Any], principal: str | None) -> dict[str, Any]:
        statement: dict[str, Any] = {"Effect": "Allow" if self.some(0.75) else "Deny"}
        actions = [request["action"], *ACTION_PATTERNS]
        element = "NotAction" if self.some(0.12) else "Action"
        statement[element] = self.several(actions) if self.some(0.6) else "*"
        if principal == "rcp":
            return self.rcp_statement(request)
        if principal != "trust":
            element = "NotResource" if self.some(0.12) else "Resource"
            resources = [*RESOURCE_PATTERNS, request["resource"] or "*"]
            statement[element] = self.several(resources) if self.some(0.6) else "*"
        if principal is not None:
            if principal == "resource" and statement["Effect"] == "Deny" and self.some(0.15):
                statement["NotPrincipal"] = {"AWS": [USER, "arn:aws:iam::111122223333:root"]}
            else:
                statement["Principal"] = self.one(PRINCIPALS)
        if self.some(0.45):
            statement["Condition"] = self.condition()
        return statement

    def condition(self) -> dict[str, dict[str, Any]]:
        condition: dict[str, dict[str, Any]] = {}
        for _ in range(self.one((1, 1, 1, 2))):
            condition.update(self.one(CONDITIONS))
        return condition

    def rcp_statement(self, request: dict[str, Any]) -> dict[str, Any]:
        """Only what the grammar of resource control policies lets through."""
        action = request["action"]
        if action.partition(":")[0] not in ("s3", "sqs", "kms", "sts", "secretsmanager"):
            action = "s3:*"
        return {
            "Effect": "Deny",
            "Principal": "*",
            "Action": self.several([action, "s3:*", "sqs:*", "kms:Decrypt", "sts:*"]),
            "Resource": self.several(["*", *RESOURCE_PATTERNS]),
            "Condition": self.condition(),
        }

    def policy(self, request: dict[str, Any], principal: str | None = None) -> dict[str, Any]:
        version = "2012-10-17"
        statements = [
            self.statement(request, principal) for _ in range(self.one((1, 1, 2, 2, 3, 4)))
        ]
        return {"Version": version, "Statement": statements}

    def request(self) -> dict[str, Any]:
        action = self.one(list(ACTIONS))
        resource = self.one(ACTIONS[action])
        principal = self.one((USER, SESSION, SESSION, USER, FEDERATED))
        account = resource.split(":")[4] if resource else ""
        context = {key: self.one(values) for key, values in CONTEXTS.items() if self.some(0.6)}
        return {
            "action": action,
            "resource": resource,
            "principal": principal,
            "account": account or self.one((*ACCOUNTS, ACCOUNTS[0], ACCOUNTS[0])),
            "context": {key: value for key, value in context.items() if value is not None},
        }

    def case(self) -> dict[str, Any]:
        case = self.request()
        case["identity"] = [self.policy(case) for _ in range(self.one((0, 1, 1, 1, 2)))]
        if self.some(0.25):
            case["boundary"] = self.policy(case)
        if self.some(0.2) and case["principal"] != USER:
            case["session"] = self.policy(case)
        if self.some(0.25):
            case["scps"] = [
                [self.policy(case) for _ in range(self.one((1, 2)))]
                for _ in range(self.one((1, 2)))
            ]
        if self.some(0.2):
            case["rcps"] = [[self.policy(case, "rcp")]]
        trusting = case["action"] == "sts:AssumeRole"
        without = ("iam:GetRole", "iam:PassRole", "ec2:StopInstances", "s3:ListAllMyBuckets")
        if trusting or case["action"].startswith("kms:") or self.some(0.4):
            if case["action"] not in without:
                case["resource_policy"] = self.policy(case, "trust" if trusting else "resource")
        return case
