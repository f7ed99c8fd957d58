from collections import Counter

import pytest

from iam_preflight.knowledge.catalog import catalog
from iam_preflight.knowledge.escalation import (
    Actor,
    Gain,
    Method,
    MethodKind,
    Permission,
    Target,
    escalation_methods,
)

methods = {method.id: method for method in escalation_methods()}


def permissions(method: Method) -> list[Permission]:
    return [p for item in method.needs for alternative in item for p in alternative]


def test_every_kind_of_method_is_there():
    count = Counter(method.kind for method in methods.values())
    assert sum(count.values()) == len(methods) >= 171
    assert set(count) == set(MethodKind)


def test_a_method_says_what_it_needs_on_what():
    method = methods["ESC-M110"]
    assert method.kind is MethodKind.NEW_PASS
    assert method.actor is Actor.ANY
    assert method.gain is Gain.TARGET
    assert method.trust_services == ("lambda.amazonaws.com",)
    assert [p.action for p in permissions(method)] == [
        "iam:PassRole",
        "lambda:CreateFunction",
        "lambda:InvokeFunction",
    ]
    passing = permissions(method)[0]
    assert passing.target is Target.PASSED_ROLE
    assert passing.context == (("iam:PassedToService", "lambda.amazonaws.com"),)


def test_alternatives_that_need_several_permissions_keep_them_together():
    (item,) = methods["ESC-M041"].needs
    own, other = item
    assert [p.target for p in own] == [Target.SELF]
    assert [p.action for p in other] == ["iam:DeleteRolePermissionsBoundary", "sts:AssumeRole"]


def test_attaching_is_asked_with_the_policy_that_matters():
    attach = permissions(methods["ESC-M006"])[0]
    assert dict(attach.context)["iam:PolicyARN"].endswith(":policy/AdministratorAccess")


@pytest.mark.parametrize(
    ("method", "missing"),
    [
        # wanted by other tools for convenience only, or not needed at all
        ("ESC-M227", "ecs:DescribeTasks"),
        ("ESC-M212", "ec2:DescribeInstances"),
        ("ESC-M024", "sts:AssumeRole"),
    ],
)
def test_methods_do_not_ask_for_more_than_they_need(method, missing):
    assert missing not in methods[method].actions


def test_a_target_may_be_an_arn():
    root = permissions(methods["ESC-M321"])[0]
    assert root.target is Target.ARN
    assert root.arn.endswith("role/OrganizationAccountAccessRole")


def test_actions_and_keys_are_those_of_aws():
    facts = catalog()
    for method in methods.values():
        for permission in permissions(method):
            action = facts.action(permission.action)
            if action is None:
                assert method.is_closed, permission
                continue
            assert str(action) == permission.action
            for key, _ in permission.context:
                assert facts.is_key_available(key, permission.action), (method.id, key)


def test_passing_methods_say_to_which_service():
    for method in methods.values():
        if method.kind is MethodKind.NEW_PASS:
            passed = [p for p in permissions(method) if p.action == "iam:PassRole"]
            services = {
                value for p in passed for key, value in p.context if key.endswith("Service")
            }
            assert services or not passed  # a template may name the role already
            assert method.trust_services
