"""The evaluator against @cloud-copilot/iam-simulate, an independent implementation.

It runs as a process of its own (AGPL-3.0); nothing of it is here. Install it and say where:

    npm install --prefix DIR @cloud-copilot/iam-simulate
    IAM_PREFLIGHT_NODE_MODULES=DIR pytest tests/oracles/test_iam_simulate.py

IAM_PREFLIGHT_CASES sets how many cases are generated; they are the same for the same number.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from policy_cases import Cases
from policy_helpers import document

from iam_preflight.policy.callers import Caller
from iam_preflight.policy.context import Context, Presence
from iam_preflight.policy.evaluate import Evaluator, PolicySet, Request
from iam_preflight.policy.matchers import ResourceArn
from iam_preflight.policy.truth import Truth

HERE = Path(__file__).parent
MODULES = os.environ.get("IAM_PREFLIGHT_NODE_MODULES", "")
BATCH = 1500
CASES = int(os.environ.get("IAM_PREFLIGHT_CASES", str(BATCH)))

PAGES = "https://docs.aws.amazon.com/IAM/latest/UserGuide/"


def statements(policy: dict[str, Any] | None) -> list[dict[str, Any]]:
    return [] if policy is None else policy["Statement"]


def everything(case: dict[str, Any]) -> str:
    return json.dumps(case)


def is_limited(case: dict[str, Any]) -> bool:
    return "boundary" in case or "session" in case


def has_epoch_date(case):
    return '"1798761600"' in everything(case)


def asks_for_a_star(case):
    return "${*}" in everything(case) and "*" in (case["resource"] or "")


def is_granted_to_anyone(case):
    return is_limited(case) and any(
        s["Effect"] == "Allow" and s.get("Principal") in ("*", {"AWS": "*"})
        for s in statements(case.get("resource_policy"))
    )


def is_granted_to_the_session(case):
    return is_limited(case) and any(
        s["Effect"] == "Allow" and ":assumed-role/" in json.dumps(s.get("Principal"))
        for s in statements(case.get("resource_policy"))
    )


def has_not_principal(case):
    return any("NotPrincipal" in s for s in statements(case.get("resource_policy")))


def excludes_by_an_empty_variable(case):
    return any(
        "${aws:username}" in json.dumps(s.get("NotResource", ""))
        for kind in ("identity", "scps", "rcps", "boundary", "session", "resource_policy")
        if kind in case
        for s in all_statements(case[kind])
    )


def all_statements(policies: Any) -> list[dict[str, Any]]:
    if isinstance(policies, list):
        return [s for policy in policies for s in all_statements(policy)]
    return statements(policies)


KNOWN_DIFFERENCES = {
    has_epoch_date: (
        "a date may be given in seconds since 1970",
        PAGES + "reference_policies_elements_condition_operators.html#Conditions_Date",
    ),
    asks_for_a_star: (
        "${*} is the character *",
        PAGES + "reference_policies_variables.html#policy-vars-specialchars",
    ),
    is_granted_to_anyone: (
        "boundaries and session policies do not limit what a wildcard principal is granted",
        PAGES + "reference_policies_elements_principal.html#principal-roles",
    ),
    is_granted_to_the_session: (
        "what is granted to a role session is limited by no implicit deny, not of a key either",
        PAGES + "reference_policies_evaluation-logic_policy-eval-denyallow.html",
    ),
    has_not_principal: (
        "with NotPrincipal and Deny the account has to be named as well as the principal",
        PAGES + "reference_policies_elements_notprincipal.html",
    ),
    excludes_by_an_empty_variable: (
        "a variable without a value is like nothing: NotResource then leaves everything in",
        PAGES + "reference_policies_variables.html#policy-vars-no-value",
    ),
}
"""Where we follow AWS's page and the other implementation does not; none is common."""


def with_caller(case: dict[str, Any]) -> dict[str, Any]:
    """The case with what the caller itself puts into the context."""
    for key, value in Caller.of(case["principal"]).keys().items():
        if not isinstance(value, Presence):
            case["context"][key] = value if isinstance(value, str) else "".join(*value)
    return case


def ours(evaluator: Evaluator, case: dict[str, Any]) -> Truth:
    def documents(policies):
        return tuple(map(document, policies))

    def one(name):
        return document(case[name]) if name in case else None

    policies = PolicySet(
        identity=documents(case["identity"]),
        boundary=one("boundary"),
        session=documents([case["session"]] if "session" in case else []),
        scps=tuple(map(documents, case.get("scps", []))),
        rcps=tuple(map(documents, case.get("rcps", []))),
        resource=one("resource_policy"),
    )
    request = Request(
        case["action"],
        ResourceArn.exactly(case["resource"]) if case["resource"] else None,
        Caller.of(case["principal"]),
        Context(case["context"], Presence.ABSENT),
        case["account"],
    )
    return evaluator.decide(policies, request).truth


def theirs(cases: list[dict[str, Any]]) -> list[str]:
    answer = subprocess.run(
        ["node", str(HERE / "iam_simulate.mjs"), MODULES],
        input=json.dumps(cases),
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(answer.stdout)


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
@pytest.mark.skipif(
    not (Path(MODULES) / "node_modules" / "@cloud-copilot" / "iam-simulate").is_dir(),
    reason="IAM_PREFLIGHT_NODE_MODULES does not say where @cloud-copilot/iam-simulate is",
)
@pytest.mark.parametrize("seed", range((CASES + BATCH - 1) // BATCH))
def test_random_requests_are_decided_alike(seed):
    generator = Cases(seed)
    cases = [with_caller(generator.case()) for _ in range(BATCH)]
    evaluator = Evaluator()
    explained = 0
    for case, verdict in zip(cases, theirs(cases), strict=True):
        assert not verdict.startswith("error"), verdict
        decision = ours(evaluator, case)
        if decision is Truth.of(verdict == "Allowed"):
            continue
        assert any(applies(case) for applies in KNOWN_DIFFERENCES), (verdict, decision, case)
        explained += 1
    assert explained < BATCH // 100
