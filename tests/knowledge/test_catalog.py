import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iam_preflight.errors import ProblemKind
from iam_preflight.knowledge.age import MAX_AGE_DAYS, age_problem, data_date
from iam_preflight.knowledge.catalog import (
    AccessLevel,
    ActionClass,
    Presence,
    Restriction,
    catalog,
)

facts = catalog()


def test_actions_are_found_whatever_their_case_and_named_as_aws_names_them():
    action = facts.action("IAM:passrole")
    assert action is not None
    assert str(action) == "iam:PassRole"
    assert action.arn_globs == ("arn:*:iam::*:role/*",)
    assert [use.is_required for use in action.resources] == [True]
    assert "iam:PassedToService" in action.condition_keys


@pytest.mark.parametrize("name", ["iam:NoSuch", "nosuch:GetObject", "iam", "", "s3:", "../s3:Get"])
def test_what_aws_does_not_have_is_not_found(name):
    assert facts.action(name) is None


def test_an_action_without_resource_types_can_only_be_granted_on_star():
    action = facts.action("s3:ListAllMyBuckets")
    assert action is not None
    assert action.is_only_star
    assert action.arn_globs == ("*",)


@pytest.mark.parametrize(
    ("name", "level"),
    [
        ("s3:GetObject", AccessLevel.READ),
        ("s3:ListBucket", AccessLevel.LIST),
        ("s3:PutBucketPolicy", AccessLevel.PERMISSIONS_MANAGEMENT),
        ("ec2:CreateTags", AccessLevel.TAGGING),
        # plain "Write" for AWS, and worth an account
        ("iam:PassRole", AccessLevel.PERMISSIONS_MANAGEMENT),
        ("iam:CreateAccessKey", AccessLevel.PERMISSIONS_MANAGEMENT),
        ("sts:AssumeRole", AccessLevel.PERMISSIONS_MANAGEMENT),
        ("kinesis:PutResourcePolicy", AccessLevel.PERMISSIONS_MANAGEMENT),
        # "Permissions management" for AWS, and harmless
        ("glue:GetQuery", AccessLevel.READ),
        ("secretsmanager:GetResourcePolicy", AccessLevel.READ),
    ],
)
def test_levels_are_those_that_matter(name, level):
    action = facts.action(name)
    assert action is not None
    assert action.level is level
    assert name in facts.everything.at_level(level)


@pytest.mark.parametrize("pattern", ["*", "*:*", "**", "*:**"])
def test_everything_can_be_written_in_many_ways(pattern):
    assert facts.expand(pattern).is_everything


@pytest.mark.parametrize("pattern", ["", ":", "s3", "s3:", "nosuch:Get*", "s3:NoSuch", ":*"])
def test_a_pattern_that_names_nothing_expands_to_nothing(pattern):
    assert not facts.expand(pattern)
    assert list(facts.expand(pattern)) == []


def test_wildcards_are_expanded_in_the_service_too():
    found = facts.expand("s?:listallmybucket*")
    assert list(found) == ["s3:ListAllMyBuckets"]
    assert "kms:GetKeyPolicy" in facts.expand("*:GetKeyPolicy")


def test_a_whole_service_holds_its_future_actions_and_a_list_of_todays_does_not():
    whole = facts.expand("s3:*")
    listed = facts.expand_all(tuple(whole))
    assert whole == listed
    assert listed.has_all_of("s3")
    assert whole.has_all_of("s3")
    assert "s3:InventedTomorrow" in whole
    assert "s3:InventedTomorrow" not in listed


def test_the_complement_of_a_service_covers_every_other_one():
    rest = ~facts.expand("iam:*")
    assert "iam:PassRole" not in rest
    assert "s3:GetObject" in rest
    assert rest.covers(facts.expand("s3:*"))
    assert not rest.covers(facts.expand("iam:Get*"))
    assert len(rest) == len(facts.everything) - len(facts.expand("iam:*"))


PATTERNS = st.sampled_from(
    ["*", "s3:*", "s3:Get*", "s3:*Object", "iam:*Role", "iam:PassRole", "*:List*", "kms:?ecrypt"]
)


@given(PATTERNS, PATTERNS, PATTERNS)
def test_sets_obey_the_laws_of_sets(a, b, c):
    x, y, z = facts.expand(a), facts.expand(b), facts.expand(c)
    for name in ("s3", "iam", "kms"):
        left = set((x - y | z & x).of_service(name))
        right = (set(x.of_service(name)) - set(y.of_service(name))) | (
            set(z.of_service(name)) & set(x.of_service(name))
        )
        assert left == right
    assert (x | y).covers(x)
    assert ~~x == x
    assert ~(x | y) == ~x & ~y


def test_classes_name_only_actions_that_exist():
    for name in ActionClass:
        assert facts.classes[name], name
    assert "iam:CreateAccessKey" in facts.classes[ActionClass.CREDENTIALS]
    assert "cloudtrail:StopLogging" in facts.sensitive
    assert "s3:PutBucketPolicy" in facts.sensitive
    assert "s3:ListBucket" not in facts.sensitive
    assert "cognito-idp:AdminSetUserPassword" in facts.sensitive
    assert "cognito-idp:AdminInitiateAuth" not in facts.sensitive


def test_global_keys_know_when_they_are_there_and_what_they_tell():
    key = facts.condition_key("AWS:requesttag/Environment")
    assert key is not None
    assert key.name == "aws:RequestTag/${TagKey}"
    assert key.presence is Presence.LISTED
    address = facts.condition_key("aws:SourceIp")
    assert address is not None
    assert address.restriction is Restriction.CONTEXT
    assert facts.condition_key("aws:SecureTransport").usual == ("true",)


@pytest.mark.parametrize(
    "name",
    [
        "s3:prefix",
        "kms:EncryptionContext:app",
        "saml:aud",
        "token.actions.githubusercontent.com:sub",
        "oidc.eks.eu-west-1.amazonaws.com/id/4C5D:sub",
        "iam:PolicyARN",
    ],
)
def test_keys_of_services_and_identity_providers_are_known(name):
    assert facts.condition_key(name) is not None


@pytest.mark.parametrize("name", ["aws:PolicyArn", "s3:Prefixx", "", ":", "nosuch:key", "a" * 9999])
def test_keys_that_nobody_has_are_not_known(name):
    assert facts.condition_key(name) is None


@pytest.mark.parametrize(
    ("key", "action", "available"),
    [
        ("aws:SourceIp", "iam:PassRole", True),
        ("iam:PassedToService", "iam:PassRole", True),
        ("iam:PassedToService", "s3:GetObject", False),
        ("aws:RequestTag/env", "ec2:RunInstances", True),
        ("aws:RequestTag/env", "s3:GetObject", False),
        ("aws:ResourceTag/env", "ec2:StopInstances", True),
        ("token.actions.githubusercontent.com:sub", "sts:AssumeRoleWithWebIdentity", True),
        ("idp.example.org/realm:aud", "sts:AssumeRoleWithWebIdentity", True),
        ("idp.example.org/realm:aud", "s3:GetObject", False),
        ("aws:SourceIp", "iam:NoSuch", False),
    ],
)
def test_a_key_helps_only_where_requests_carry_it(key, action, available):
    assert facts.is_key_available(key, action) is available


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("s3:GetObjcet", "s3:GetObject"),
        ("lamda:InvokeFunction", "lambda:InvokeFunction"),
        ("zzzzzz:Get", None),
        ("s3:" + "x" * 10_000, None),
    ],
)
def test_typing_errors_get_a_suggestion(wrong, right):
    assert facts.nearest_action(wrong) == right


def test_a_wrong_key_gets_a_suggestion():
    assert facts.nearest_key("aws:PrincipalOrgIds") == "aws:PrincipalOrgID"


def test_old_data_is_worth_a_warning():
    assert age_problem(data_date() + dt.timedelta(days=MAX_AGE_DAYS)) is None
    problem = age_problem(data_date() + dt.timedelta(days=MAX_AGE_DAYS + 1))
    assert problem is not None
    assert problem.kind is ProblemKind.STALE_DATA
    assert str(data_date()) in problem.message


def test_every_override_and_class_still_names_an_action():
    """Facts of ours that AWS has dropped or renamed must not go unnoticed."""
    from iam_preflight.knowledge.catalog import _ClassFile, _LevelFile
    from iam_preflight.knowledge.reading import read_data

    levels = read_data("action_levels.json", _LevelFile).levels
    classes = read_data("action_classes.json", _ClassFile).classes
    patterns = [p for group in levels.values() for p in group]
    patterns += [p for record in classes.values() for p in record.actions]
    assert [pattern for pattern in patterns if not facts.expand(pattern)] == []
