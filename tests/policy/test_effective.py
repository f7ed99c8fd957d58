import pytest
from policy_helpers import allow, deny, policy

from iam_preflight.knowledge.catalog import AccessLevel
from iam_preflight.knowledge.managed import managed_policy
from iam_preflight.policy.callers import Caller
from iam_preflight.policy.context import Context
from iam_preflight.policy.effective import Effective, admin_probes, statement_actions
from iam_preflight.policy.evaluate import Evaluator, PolicySet
from iam_preflight.policy.truth import Doubt, Truth

evaluator = Evaluator()
ALL = policy(allow("*"))


def effective(*identity, **policies):
    return Effective(evaluator, PolicySet(identity=identity, **policies))


def managed(name):
    document = managed_policy(name)
    assert document is not None
    return document


# ---- one action


def test_asking_whether_something_is_allowed_anywhere():
    own = effective(policy(allow("iam:PassRole", "arn:aws:iam::*:role/app-*")))
    assert own.allows("iam:PassRole", "arn:aws:iam::*:role/*").is_possible
    assert own.allows("iam:PassRole", "arn:aws:iam::1:role/app-x").is_allowed
    assert not own.allows("iam:PassRole", "arn:aws:iam::1:role/db").is_possible
    assert not own.allows("iam:CreateUser").is_possible


def test_an_action_without_resource_is_allowed_by_star_only():
    assert effective(ALL).allows("s3:ListAllMyBuckets").is_allowed
    scoped = effective(policy(allow("s3:*", "arn:aws:s3:::*")))
    assert not scoped.allows("s3:ListAllMyBuckets").is_possible


def test_a_context_settles_conditions():
    own = effective(
        policy(allow("iam:PassRole", Condition={"StringEquals": {"iam:PassedToService": "a.b"}}))
    )
    assert own.allows("iam:PassRole").truth is Truth.MAYBE
    assert own.allows("iam:PassRole", context=Context({"iam:PassedToService": "a.b"})).is_allowed
    assert not own.allows("iam:PassRole", context=Context({"iam:PassedToService": "c"})).is_possible


# ---- grants


def test_a_grant_has_its_places():
    held = policy(allow(["s3:Get*", "iam:Pass*"], ["arn:aws:s3:::x", "arn:aws:iam::1:role/*"]))
    (grant,) = effective(held).grants("iam:passrole")
    assert grant.action == "iam:PassRole"
    assert grant.action_place.text == '"iam:Pass*"'
    assert grant.resource_place.text == '"arn:aws:iam::1:role/*"'
    assert grant.is_broad
    assert grant.is_sure


def test_a_grant_by_exclusion_has_the_place_of_the_exclusion():
    held = policy({"Effect": "Allow", "NotAction": "s3:*", "NotResource": "arn:aws:s3:::x"})
    (grant,) = effective(held).grants("iam:PassRole")
    assert grant.pattern is None
    assert grant.action_place.text == '"NotAction"'
    assert grant.resource_place.text == '"NotResource"'
    assert grant.is_broad


@pytest.mark.parametrize(("caller", "is_given"), [("user/ann", True), ("role/ann", False)])
def test_a_grant_on_what_a_policy_variable_stands_for(caller, is_given):
    held = policy(allow("iam:TagUser", "arn:aws:iam::*:user/${aws:username}"))
    arn = f"arn:aws:iam::111122223333:{caller}"
    who = Caller.user(arn) if caller.startswith("user") else Caller.role(arn)
    own = Effective(evaluator, PolicySet(identity=(held,)), who)
    assert bool(list(own.grants("iam:TagUser"))) is is_given


@pytest.mark.parametrize(
    "other",
    [
        {"identity": (policy(allow("iam:*"), deny("iam:PassRole")),)},
        {"identity": (ALL,), "boundary": policy(allow("s3:*"))},
        {"identity": (ALL,), "scps": ((ALL,), (policy(deny("iam:*")), ALL))},
        {"identity": (policy(allow("iam:PassRole", "arn:aws:s3:::bucket")),)},
    ],
)
def test_what_other_policies_take_away_is_no_grant(other):
    identity = other.pop("identity")
    assert effective(*identity, **other).broad("iam:PassRole") is None


def test_a_conditional_deny_leaves_a_grant_that_is_not_sure():
    held = policy(allow("iam:*"), deny("iam:*", Condition={"Bool": {"aws:ViaAWSService": "false"}}))
    grant = effective(held).broad("iam:PassRole")
    assert grant is not None
    assert not grant.is_sure
    assert grant.decision.doubt is Doubt.CONDITION


def test_a_boundary_that_is_narrow_makes_a_broad_grant_narrow():
    narrow = policy(allow("s3:*", "arn:aws:s3:::data/*"))
    assert effective(ALL, boundary=narrow).broad("s3:PutObject") is None
    assert effective(ALL, boundary=ALL).broad("s3:PutObject") is not None


# ---- all actions


def test_possible_and_certain_actions():
    held = policy(
        allow(["s3:GetObject", "s3:PutObject"], "arn:aws:s3:::data/*"),
        allow("sqs:SendMessage", Condition={"Bool": {"aws:SecureTransport": "true"}}),
        deny("s3:PutObject", "arn:aws:s3:::data/locked/*"),
    )
    own = effective(held)
    assert list(own.possible) == ["s3:GetObject", "s3:PutObject", "sqs:SendMessage"]
    assert list(own.certain) == ["s3:GetObject"]


def test_actions_that_the_resources_cannot_mean_are_left_out():
    own = effective(policy(allow("*", "arn:aws:sqs:eu-west-1:111122223333:jobs")))
    assert own.possible.services == ("sqs",)
    assert "sqs:ListQueues" not in own.possible
    assert "sqs:SendMessage" in own.certain


def test_actions_by_service_and_level():
    own = effective(managed("AmazonS3ReadOnlyAccess"))
    assert own.possible.services == ("s3", "s3-object-lambda")
    assert not own.possible.at_level(AccessLevel.WRITE, AccessLevel.PERMISSIONS_MANAGEMENT)
    assert "s3:ListBucket" in own.possible.at_level(AccessLevel.LIST)


def test_the_boundary_bounds_all_actions():
    own = effective(ALL, boundary=policy(allow("s3:*"), deny("s3:Delete*")))
    assert own.possible.services == ("s3",)
    assert "s3:DeleteBucket" not in own.possible


def test_holes_widen_what_is_possible_and_not_what_is_certain():
    held = policy(
        allow("«var.service»:*"),
        {"Effect": "Allow", "Resource": "*", "NotAction": ["iam:*", "«var.other»"]},
    )
    sure = statement_actions(held.statements[1], evaluator.catalog, is_sure=True)
    most = statement_actions(held.statements[1], evaluator.catalog)
    assert not sure
    assert "s3:GetObject" in most
    assert "iam:PassRole" not in most
    assert "iam:PassRole" in statement_actions(held.statements[0], evaluator.catalog)


# ---- administration


@pytest.mark.parametrize(
    ("identity", "truth"),
    [
        ((ALL,), Truth.YES),
        ((managed("AdministratorAccess"),), Truth.YES),
        ((policy(allow("*:*")),), Truth.YES),
        ((policy(allow([probe.split(":")[0] + ":*" for probe in admin_probes()])),), Truth.YES),
        ((policy(allow("*"), deny("*", "arn:aws:iam::*:role/guard")),), Truth.YES),
        ((policy(allow("*", Condition={"Bool": {"aws:SecureTransport": "true"}})),), Truth.MAYBE),
        ((policy(allow("«var.actions»")),), Truth.MAYBE),
        ((managed("PowerUserAccess"),), Truth.NO),
        ((managed("ReadOnlyAccess"),), Truth.NO),
        ((policy(allow("*"), deny("iam:*")),), Truth.NO),
        ((policy(allow("*", "arn:aws:s3:::*")),), Truth.NO),
        ((policy(allow("*", Condition={"StringEquals": {"aws:ResourceTag/a": "b"}})),), Truth.NO),
    ],
)
def test_who_is_an_administrator(identity, truth):
    assert effective(*identity).is_admin is truth


def test_administration_may_be_put_together_from_parts():
    probes = admin_probes()
    parts = policy(allow(list(probes[::2]))), policy(allow(list(probes[1::2])))
    own = effective(*parts)
    assert own.is_admin is Truth.YES
    assert set(own.administration.statements) == {p.statements[0] for p in parts}
    assert effective(parts[0]).administration.missing == probes[1::2]


def test_a_boundary_makes_no_administrator():
    assert effective(ALL, boundary=managed("PowerUserAccess")).is_admin is Truth.NO
