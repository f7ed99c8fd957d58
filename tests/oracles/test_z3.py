"""The difference against z3: never "no new access" where z3 finds a request.

z3 gets the question as formulas over strings (`policy/solver.py`), the search as automata: they
share the statements and nothing else. IAM_PREFLIGHT_PAIRS sets how many pairs are tried.
"""

from __future__ import annotations

import os
from typing import Any

import pytest
from policy_cases import FEDERATED, ROLE, SESSION, USER, Cases
from policy_helpers import document

from iam_preflight.policy import difference as difference_module
from iam_preflight.policy.callers import Caller
from iam_preflight.policy.difference import NewAccess, NoNewAccess, difference
from iam_preflight.policy.pair import Pair
from iam_preflight.policy.solver import Solution, solve

pytest.importorskip("z3", reason="z3-solver is not installed")

PAIRS = int(os.environ.get("IAM_PREFLIGHT_PAIRS", "100"))

CALLERS = (
    *map(Caller.of, (ROLE, SESSION, USER, FEDERATED)),
    *(
        Caller.of(f"arn:{partition}:iam::{account}:{name}")
        for partition, account in (("aws", "444455556666"), ("aws-cn", "111122223333"))
        for name in ("role/team/admin", "role/app", "user/bob", "user/team/alice-2", "root")
    ),
    *map(Caller.service, ("lambda.amazonaws.com", "config.amazonaws.com")),
)
"""Callers that z3 is asked about beside those that the search came up with."""

WHO = (
    {"StringEquals": {"aws:username": ["bob", "alice"]}},
    {"StringLike": {"aws:username": "al*"}},
    {"StringNotLike": {"aws:username": "alice*"}},
    {"StringEquals": {"aws:PrincipalServiceName": "config.amazonaws.com"}},
    {"Bool": {"aws:PrincipalIsAWSService": "true"}},
    {"StringNotEquals": {"aws:PrincipalType": ["AssumedRole", "User"]}},
    {"StringEquals": {"aws:PrincipalAccount": "${aws:PrincipalTag/name}"}},
    {"ArnLike": {"aws:PrincipalArn": "arn:*:iam::*:*/team/${aws:PrincipalTag/name}*"}},
    {"ArnLike": {"aws:PrincipalArn": ["arn:aws-cn:iam::*:user/*", "arn:aws:sts::*:*/carol"]}},
)
"""Conditions on what only a caller brings along."""

SETS = (
    {"StringEquals": {"aws:TagKeys": "b"}},
    {"StringNotLike": {"aws:TagKeys": ["a*", "c"]}},
    {"StringEquals": {"aws:TagKeys": ["a", "b"]}, "ForAnyValue:StringEquals": {"aws:TagKeys": "b"}},
    {"ForAllValues:StringLike": {"aws:TagKeys": ["a*", "b"]}},
    {"ForAnyValue:StringNotEquals": {"aws:TagKeys": "a"}},
    {"ForAllValues:StringNotEquals": {"aws:TagKeys": "c"}, "Null": {"aws:TagKeys": "false"}},
)
"""Conditions with and without set operators on the values of one key."""


class Pairs(Cases):
    """A policy, and what somebody made of it."""

    def pair(self, kind: str | None) -> tuple[dict[str, Any], dict[str, Any]]:
        request = self.request()
        old = self.policy(request, kind)
        if self.some(0.4):
            return old, self.policy(request, kind)
        statements = [dict(statement) for statement in old["Statement"]]
        match self.one(("add", "drop condition", "replace", "drop denials")):
            case "add":
                statements.append(self.statement(request, kind))
            case "drop condition":
                self.one(statements).pop("Condition", None)
            case "replace":
                statements[self.random.randrange(len(statements))] = self.statement(request, kind)
            case _:
                statements = [s for s in statements if s["Effect"] == "Allow"] or statements
        return old, {**old, "Statement": statements}

    def statement(self, request: dict[str, Any], principal: str | None) -> dict[str, Any]:
        statement = super().statement(request, principal)
        if principal == "resource" and self.some(0.3):
            statement["Condition"] = self.one(WHO)
        elif self.some(0.2):
            statement["Condition"] = self.one(SETS)
        return statement


@pytest.mark.parametrize("kind", [None, "resource"])
def test_no_new_access_is_never_said_wrongly(kind, monkeypatch):
    # the search has to stand on its own
    monkeypatch.setattr(difference_module, "solve", lambda _: Solution(None))
    pairs = Pairs(len(kind or ""))
    settled = 0
    for _ in range(PAIRS // 2):
        old, new = pairs.pair(kind)
        found = difference(document(old), document(new))
        asked = Pair(((document(old),),), ((document(new),),))
        if asked.callers is not None:
            asked.callers = (*asked.callers, *CALLERS)
        expected = solve(asked)
        if expected.is_new is None:
            continue
        settled += 1
        if expected.is_new:
            assert not isinstance(found, NoNewAccess), (old, new)
        else:
            assert not isinstance(found, NewAccess), (old, new)
    assert settled > PAIRS // 4


def test_what_the_search_leaves_open_is_settled_where_it_can_be():
    def policy(*statements):
        return document({"Version": "2012-10-17", "Statement": list(statements)})

    home = "arn:aws:s3:::b/${aws:username}"
    allow = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    keep_out = {"Effect": "Deny", "Action": "s3:*", "NotResource": [home]}
    narrower = {**keep_out, "NotResource": [home, "arn:aws:s3:::b/x"]}
    assert difference(policy(allow, narrower), policy(allow, keep_out)) == NoNewAccess()
