import pytest
from policy_helpers import allow, deny, document, policy

from iam_preflight.policy.callers import Caller
from iam_preflight.policy.context import Context, Presence
from iam_preflight.policy.evaluate import Evaluator, Layer, PolicySet, Request
from iam_preflight.policy.truth import Doubt, Truth

OWN, OTHER = "111122223333", "444455556666"
ROLE = f"arn:aws:iam::{OWN}:role/app"
USER = f"arn:aws:iam::{OWN}:user/alice"
OBJECT = "arn:aws:s3:::data/a.txt"
ALL = policy(allow("*"))
NOTHING = policy(allow("s3:NoSuchAction"))

evaluator = Evaluator()


def decide(action="s3:GetObject", arn=OBJECT, caller=None, context=None, account=None, **policies):
    """The decision before `PolicySet(**policies)`; with a context, nothing else is in it."""
    rest = Presence.ABSENT if context is not None else Presence.UNKNOWN
    request = Request(action, arn, caller, Context(context, rest), account)
    return evaluator.decide(PolicySet(**policies), request)


def verdict(*args, **kwargs):
    return decide(*args, **kwargs).truth


# ---- one policy


def test_nothing_is_allowed_unless_something_allows_it():
    decision = decide()
    assert decision.truth is Truth.NO
    assert decision.missing == (Layer.IDENTITY,)
    assert not decision.is_explicitly_denied


def test_a_decision_names_the_statements_behind_it():
    own = policy(allow("s3:Put*"), allow("s3:Get*", Sid="Read"), deny("s3:GetObject", "arn:x"))
    decision = decide(identity=(own,))
    (reason,) = decision.allowed_by
    assert decision.is_allowed
    assert reason.statement.sid == "Read"
    assert reason.document is own
    assert reason.layer is Layer.IDENTITY
    assert decision.denied_by == ()


@pytest.mark.parametrize(
    ("actions", "allowed"),
    [
        ("s3:GetObject", True),
        ("S3:GETOBJECT", True),
        ("s3:Get*", True),
        ("s3:?etObject", True),
        ("*", True),
        ("*:*", True),
        ("s*:GetObject", True),
        ("s3:PutObject", False),
        ("s3", False),
        ([], False),
    ],
)
def test_actions_ignore_case_and_know_wildcards(actions, allowed):
    assert verdict(identity=(policy(allow(actions)),)) is Truth.of(allowed)


@pytest.mark.parametrize(
    ("resource", "allowed"),
    [
        (OBJECT, True),
        ("arn:aws:s3:::data/*", True),
        ("arn:aws:s3:::DATA/*", False),
        ("arn:aws:s3:::*", True),
        ("arn:*", True),
        ("*", True),
        ("arn:aws:s3:::data", False),
    ],
)
def test_resources_heed_case(resource, allowed):
    assert verdict(identity=(policy(allow("*", resource)),)) is Truth.of(allowed)


def without(element, value):
    return {"Effect": "Allow", "Action": "*", "Resource": "*", f"Not{element}": value}


@pytest.mark.parametrize(
    ("element", "value", "allowed"),
    [
        ("Action", "iam:*", True),
        ("Action", ["iam:*", "S3:Get*"], False),
        ("Resource", "arn:aws:s3:::logs/*", True),
        ("Resource", ["arn:aws:s3:::data/*"], False),
    ],
)
def test_everything_but(element, value, allowed):
    statement = without(element, value)
    del statement[element]
    assert verdict(identity=(policy(statement),)) is Truth.of(allowed)


def test_a_deny_beats_every_allow():
    decision = decide(identity=(ALL, policy(deny("s3:*"))))
    assert decision.truth is Truth.NO
    assert decision.is_explicitly_denied


def test_an_action_without_resource_is_granted_only_on_star():
    assert verdict("s3:ListAllMyBuckets", None, identity=(ALL,)) is Truth.YES
    scoped = policy(allow("s3:*", "arn:aws:s3:::*"))
    assert verdict("s3:ListAllMyBuckets", None, identity=(scoped,)) is Truth.NO


def test_asking_about_many_resources_at_once():
    scoped = policy(allow("iam:PassRole", "arn:aws:iam::*:role/app-*"))
    every = decide("iam:PassRole", "arn:aws:iam::*:role/*", identity=(scoped,))
    assert (every.truth, every.doubt) == (Truth.MAYBE, Doubt.PART)
    some = decide("iam:PassRole", f"arn:aws:iam::{OWN}:role/app-*", identity=(scoped,))
    assert some.truth is Truth.YES
    assert verdict("iam:PassRole", "arn:aws:iam::*:role/x-*", identity=(scoped,)) is Truth.NO


# ---- what nobody knows


def test_a_hole_in_a_resource_is_a_maybe():
    held = policy(allow("s3:*", "arn:aws:s3:::«var.bucket»/*"))
    decision = decide(identity=(held,))
    assert (decision.truth, decision.doubt) == (Truth.MAYBE, Doubt.HOLE)
    assert verdict(arn="arn:aws:s3:::data", identity=(held,)) is Truth.NO


@pytest.mark.parametrize(
    ("resource", "doubt"),
    [
        ("arn:aws:sqs:eu-west-1:«var.account»:orders", Doubt.PLACE),
        ("arn:aws:sqs:«var.region»:«var.account»:orders", Doubt.PLACE),
        ("arn:aws:sqs:eu-west-1:«var.account»:ord*", Doubt.PLACE),
        ("arn:aws:sqs:eu-west-1:«var.account»:«var.queue»", Doubt.HOLE),
        ("arn:aws:sqs:eu-west-1:«var.account»x:orders", None),
    ],
)
def test_an_unknown_account_is_less_of_a_doubt_than_an_unknown_name(resource, doubt):
    held = policy(allow("sqs:*", resource))
    decision = decide("sqs:SendMessage", f"arn:aws:sqs:eu-west-1:{OWN}:orders", identity=(held,))
    expected = (Truth.NO, Doubt.NONE) if doubt is None else (Truth.MAYBE, doubt)
    assert (decision.truth, decision.doubt) == expected


def test_an_unknown_account_keeps_names_apart():
    held = policy(allow("sqs:*", "arn:aws:sqs:eu-west-1:«var.account»:orders"))
    arn = f"arn:aws:sqs:eu-west-1:{OWN}:invoices"
    assert verdict("sqs:SendMessage", arn, identity=(held,)) is Truth.NO


@pytest.mark.parametrize(
    ("named", "doubt"),
    [
        ("arn:aws:iam::«var.account»:role/app", Doubt.PLACE),
        ("arn:aws:iam::«var.account»:role/«var.name»", Doubt.HOLE),
        ("arn:aws:iam::«var.account»:root", Doubt.HOLE),
    ],
)
def test_whoever_is_named_in_an_unknown_account(named, doubt):
    decision = decide(
        caller=Caller.role(ROLE), account=OTHER, identity=(ALL,), resource=trusting(named)
    )
    assert (decision.truth, decision.doubt) == (Truth.MAYBE, doubt)


def trusting(principal):
    return policy(allow("*", Principal={"AWS": principal}))


def test_the_same_hole_is_the_same_text():
    arn = policy(allow("*", "arn:aws:iam::«account»:role/app")).statements[0].resources[0]
    own = policy(allow("iam:GetRole", "arn:aws:iam::«account»:role/*"))
    every = policy(allow("iam:GetRole", "arn:aws:iam::*:role/app"))
    other = policy(allow("iam:GetRole", f"arn:aws:iam::{OTHER}:role/app"))
    assert verdict("iam:GetRole", arn, identity=(own,)) is Truth.YES
    assert verdict("iam:GetRole", arn, identity=(every,)) is Truth.YES
    assert verdict("iam:GetRole", arn, identity=(other,)) is Truth.MAYBE


def test_a_condition_is_a_maybe_before_anybody_asks():
    held = policy(allow("*", Condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}))
    decision = decide(identity=(held,))
    assert (decision.truth, decision.doubt) == (Truth.MAYBE, Doubt.CONDITION)


def test_a_conditional_deny_does_not_hide_what_it_may_not_deny():
    held = policy(allow("*"), deny("*", Condition={"Bool": {"aws:SecureTransport": "false"}}))
    decision = decide(identity=(held,))
    assert decision.truth is Truth.MAYBE
    assert decision.doubt is Doubt.CONDITION
    assert verdict(identity=(held,), context={"aws:SecureTransport": "false"}) is Truth.NO
    assert verdict(identity=(held,), context={"aws:SecureTransport": "true"}) is Truth.YES


def test_a_key_of_another_service_is_never_there():
    only_passing = policy(
        allow("iam:*", Condition={"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}})
    )
    assert verdict("iam:PassRole", ROLE, identity=(only_passing,)) is Truth.MAYBE
    assert verdict("iam:CreateUser", USER, identity=(only_passing,)) is Truth.NO
    lax = policy(
        allow("*", Condition={"StringEqualsIfExists": {"iam:PassedToService": "x.amazonaws.com"}})
    )
    assert verdict("iam:CreateUser", USER, identity=(lax,)) is Truth.YES


def in_region(operator, *regions):
    return {"Condition": {operator: {"aws:RequestedRegion": list(regions)}}}


@pytest.mark.parametrize(
    ("operator", "regions", "action", "expected"),
    [
        ("StringEquals", ("eu-west-1",), "iam:PutRolePolicy", Truth.NO),
        ("StringLike", ("eu-*",), "iam:PutRolePolicy", Truth.NO),
        ("StringEqualsIfExists", ("eu-west-1",), "organizations:LeaveOrganization", Truth.NO),
        ("StringNotEquals", ("eu-west-1",), "iam:PutRolePolicy", Truth.YES),
        # which partition it is decides
        ("StringEquals", ("eu-west-1", "us-east-1"), "iam:PutRolePolicy", Truth.MAYBE),
        ("StringEquals", ("«var.region»",), "iam:PutRolePolicy", Truth.MAYBE),
        # passing a role is a part of requests to other services
        ("StringEquals", ("eu-west-1",), "iam:PassRole", Truth.MAYBE),
        ("StringEquals", ("eu-west-1",), "sts:AssumeRole", Truth.MAYBE),
    ],
)
def test_requests_to_global_services_go_to_one_region(operator, regions, action, expected):
    held = policy(allow("*", **in_region(operator, *regions)))
    assert verdict(action, ROLE, identity=(held,)) is expected


def test_a_deny_outside_some_regions_takes_global_services_in():
    fenced = deny("*", **in_region("StringNotEquals", "eu-west-1"))
    spared = deny(None, NotAction="iam:*", **in_region("StringNotEquals", "eu-west-1"))
    del spared["Action"]
    assert verdict("iam:GetRole", ROLE, identity=(policy(allow("*"), fenced),)) is Truth.NO
    assert verdict("iam:GetRole", ROLE, identity=(policy(allow("*"), spared),)) is Truth.YES


def test_statements_that_hang_on_a_choice_are_maybes():
    held = policy(allow("*", "arn:aws:s3:::data/${aws:username}/*"))
    assert verdict(arn="arn:aws:s3:::data/bob/x", identity=(held,)) is Truth.MAYBE


# ---- several policies


def test_the_boundary_has_to_allow_too():
    decision = decide(identity=(ALL,), boundary=NOTHING)
    assert decision.truth is Truth.NO
    assert decision.missing == (Layer.BOUNDARY,)
    assert verdict(identity=(ALL,), boundary=ALL) is Truth.YES
    assert verdict(identity=(NOTHING,), boundary=ALL) is Truth.NO


def test_every_level_of_control_policies_has_to_allow():
    assert verdict(identity=(ALL,), scps=((ALL,), (NOTHING, ALL))) is Truth.YES
    decision = decide(identity=(ALL,), scps=((ALL,), (NOTHING,)))
    assert decision.truth is Truth.NO
    assert Layer.SCP in decision.missing


def test_a_session_policy_limits_the_session():
    assert verdict(identity=(ALL,), session=(NOTHING,)) is Truth.NO
    assert verdict(identity=(ALL,), session=(NOTHING, ALL)) is Truth.YES


def test_resource_control_policies_only_deny_and_only_for_some_services():
    guard = policy(deny("*", Principal="*"))
    assert verdict(identity=(ALL,), rcps=((guard,),)) is Truth.NO
    assert verdict("ec2:RunInstances", "*", identity=(ALL,), rcps=((guard,),)) is Truth.YES


def test_service_linked_roles_are_not_under_scps():
    linked = Caller.role(f"arn:aws:iam::{OWN}:role/aws-service-role/x.amazonaws.com/AWSRole")
    assert verdict(caller=linked, identity=(ALL,), scps=((NOTHING,),)) is Truth.YES
    assert verdict(caller=Caller.role(ROLE), identity=(ALL,), scps=((NOTHING,),)) is Truth.NO


def test_root_needs_no_identity_policy_and_is_under_scps():
    assert verdict(caller=Caller.root(OWN)) is Truth.YES
    assert verdict(caller=Caller.root(OWN), scps=((NOTHING,),)) is Truth.NO


# ---- the resource's side


def granted_to(principal, effect=allow):
    return policy(effect("s3:*", Principal=principal))


@pytest.mark.parametrize(
    ("principal", "identity", "allowed"),
    [
        ({"AWS": USER}, (), True),
        ({"AWS": OWN}, (), False),
        ({"AWS": f"arn:aws:iam::{OWN}:root"}, (ALL,), True),
        ({"AWS": OTHER}, (), False),
        ({"AWS": OTHER}, (ALL,), True),
        ("*", (), True),
        ({"AWS": "*"}, (), True),
        ({"Service": "lambda.amazonaws.com"}, (), False),
    ],
)
def test_inside_an_account_either_side_may_allow(principal, identity, allowed):
    found = verdict(
        caller=Caller.user(USER), account=OWN, identity=identity, resource=granted_to(principal)
    )
    assert found is Truth.of(allowed)


@pytest.mark.parametrize(
    ("principal", "identity", "allowed"),
    [
        ({"AWS": USER}, (), False),
        ({"AWS": USER}, (ALL,), True),
        ({"AWS": OWN}, (ALL,), True),
        ({"AWS": OTHER}, (ALL,), False),
        (None, (ALL,), False),
    ],
)
def test_across_accounts_both_sides_must_allow(principal, identity, allowed):
    resource = None if principal is None else granted_to(principal)
    found = verdict(caller=Caller.user(USER), account=OTHER, identity=identity, resource=resource)
    assert found is Truth.of(allowed)


def test_without_the_resources_account_only_the_callers_side_is_judged():
    assert verdict(caller=Caller.user(USER), identity=(ALL,)) is Truth.YES


def test_an_unknown_account_is_a_maybe_where_it_decides():
    trusted = {"caller": Caller.user(USER), "resource": granted_to({"AWS": USER})}
    assert verdict(**trusted) is Truth.MAYBE
    assert verdict(**trusted, identity=(ALL,)) is Truth.YES


@pytest.mark.parametrize(
    ("caller", "principal", "is_limited"),
    [
        (Caller.user(USER), {"AWS": USER}, False),
        (Caller.role(ROLE), {"AWS": ROLE}, True),
        (
            Caller.role(ROLE, "me"),
            {"AWS": f"arn:aws:sts::{OWN}:assumed-role/app/me"},
            False,
        ),
        (Caller.role(ROLE), "*", False),
    ],
)
def test_a_boundary_limits_a_grant_to_the_role_and_not_to_the_session(
    caller, principal, is_limited
):
    found = verdict(caller=caller, account=OWN, boundary=NOTHING, resource=granted_to(principal))
    assert found is Truth.of(not is_limited)


def test_a_deny_of_the_resource_counts():
    found = decide(
        caller=Caller.user(USER), identity=(ALL,), resource=granted_to({"AWS": OWN}, deny)
    )
    assert found.truth is Truth.NO
    assert found.denied_by[0].layer is Layer.RESOURCE


def test_keys_need_their_own_policys_word():
    key = f"arn:aws:kms:eu-west-1:{OWN}:key/1"
    ask = {"action": "kms:Decrypt", "arn": key, "caller": Caller.user(USER), "account": OWN}
    delegating = policy(allow("kms:*", Principal={"AWS": f"arn:aws:iam::{OWN}:root"}))
    assert verdict(**ask, identity=(ALL,)) is Truth.NO
    assert verdict(**ask, identity=(ALL,), resource=delegating) is Truth.YES
    assert verdict(**ask, resource=delegating) is Truth.NO


# ---- trust policies


def trust(principal, action="sts:AssumeRole", **more):
    return document(
        {"Statement": {"Effect": "Allow", "Action": action, "Principal": principal, **more}}
    )


TARGET = f"arn:aws:iam::{OWN}:role/target"
FAR_TARGET = f"arn:aws:iam::{OTHER}:role/target"


@pytest.mark.parametrize(
    ("target", "principal", "identity", "allowed"),
    [
        (TARGET, {"AWS": ROLE}, (), True),
        (TARGET, {"AWS": OWN}, (), False),
        (TARGET, {"AWS": OWN}, (ALL,), True),
        (TARGET, {"AWS": OTHER}, (ALL,), False),
        (FAR_TARGET, {"AWS": ROLE}, (), False),
        (FAR_TARGET, {"AWS": ROLE}, (ALL,), True),
        (FAR_TARGET, {"AWS": OWN}, (ALL,), True),
    ],
)
def test_who_may_assume_a_role(target, principal, identity, allowed):
    found = verdict(
        "sts:AssumeRole",
        target,
        Caller.role(ROLE),
        identity=identity,
        resource=trust(principal),
    )
    assert found is Truth.of(allowed)


@pytest.mark.parametrize(
    ("caller", "principal", "named"),
    [
        (Caller.service("lambda.amazonaws.com"), {"Service": "lambda.amazonaws.com"}, Truth.YES),
        (Caller.service("ec2.amazonaws.com"), {"Service": "ec2.amazonaws.com.cn"}, Truth.YES),
        (
            Caller.service("states.amazonaws.com"),
            {"Service": "states.eu-west-1.amazonaws.com"},
            Truth.YES,
        ),
        (Caller.service("ec2.amazonaws.com"), {"Service": "lambda.amazonaws.com"}, Truth.NO),
        (Caller.service("ec2.amazonaws.com"), {"Service": "«var.service»"}, Truth.MAYBE),
        (Caller.service("ec2.amazonaws.com"), {"AWS": OWN}, Truth.NO),
        (Caller.provider("arn:aws:iam::1:oidc-provider/x"), "*", Truth.YES),
        (
            Caller.provider("arn:aws:iam::1:saml-provider/x"),
            {"Federated": "arn:aws:iam::1:saml-provider/x"},
            Truth.YES,
        ),
        (Caller.anonymous(), {"AWS": "*"}, Truth.YES),
        (Caller.anyone_in(OTHER), {"AWS": f"arn:aws:iam::{OTHER}:role/ci"}, Truth.MAYBE),
    ],
)
def test_services_and_providers_are_let_in_by_the_trust_alone(caller, principal, named):
    assert verdict("sts:AssumeRole", TARGET, caller, resource=trust(principal)) in (
        named,
        # somebody of another account needs that account's word too
        Truth.NO if caller.is_aws else named,
    )


def test_what_a_trust_asks_for():
    held = trust({"AWS": OWN}, Condition={"StringEquals": {"sts:ExternalId": "x"}})
    ask = {"identity": (ALL,), "resource": held, "caller": Caller.role(ROLE)}
    assert verdict("sts:AssumeRole", TARGET, **ask) is Truth.MAYBE
    assert verdict("sts:AssumeRole", TARGET, context={"sts:ExternalId": "x"}, **ask) is Truth.YES
    assert verdict("sts:AssumeRole", TARGET, context={}, **ask) is Truth.NO


def test_the_caller_is_part_of_the_context():
    held = policy(
        allow("s3:*", Principal="*", Condition={"ArnLike": {"aws:PrincipalArn": f"{ROLE}*"}})
    )
    assert verdict(caller=Caller.role(ROLE), account=OWN, resource=held) is Truth.YES
    assert verdict(caller=Caller.user(USER), account=OWN, resource=held) is Truth.NO


def test_everybody_but_the_named():
    held = document(
        {
            "Version": "2012-10-17",
            "Statement": [
                allow("s3:*", Principal="*"),
                {
                    "Effect": "Deny",
                    "Action": "s3:*",
                    "Resource": "*",
                    "NotPrincipal": {"AWS": [USER, f"arn:aws:iam::{OWN}:root"]},
                },
            ],
        }
    )
    assert verdict(caller=Caller.user(USER), account=OWN, resource=held) is Truth.YES
    assert verdict(caller=Caller.user(USER + "2"), account=OWN, resource=held) is Truth.NO
    # AWS always denies those who have a boundary
    bounded = verdict(caller=Caller.user(USER), account=OWN, boundary=ALL, resource=held)
    assert bounded is Truth.NO


def test_who_is_named_without_its_account_may_still_be_denied():
    held = document(
        {
            "Version": "2012-10-17",
            "Statement": [
                allow("s3:*", Principal="*"),
                {**deny("*"), "NotPrincipal": {"AWS": USER}},
            ],
        }
    )
    assert verdict(caller=Caller.user(USER), account=OWN, resource=held) is Truth.MAYBE


def test_callers_are_read_from_arns():
    session = Caller.of(f"arn:aws:sts::{OWN}:assumed-role/app/me")
    assert "".join(session.name) == ROLE
    assert "".join(session.session) == f"arn:aws:sts::{OWN}:assumed-role/app/me"
    assert Caller.of(USER) == Caller.user(USER)
    assert Caller.of(f"arn:aws:iam::{OWN}:root") == Caller.root(OWN)
    with pytest.raises(ValueError, match="not the ARN"):
        Caller.of("arn:aws:s3:::bucket")
