import pytest
from policy_helpers import allow, deny, document, policy

from iam_preflight.knowledge.managed import managed_policy
from iam_preflight.policy.document import DocumentUse
from iam_preflight.policy.grammar import grammar_problems, size_limits, size_of


def problems(given, use=DocumentUse.IDENTITY):
    found = given if not isinstance(given, dict) else document(given)
    return [problem.message for problem in grammar_problems(found, use)]


def statement(**elements):
    base = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
    return policy({k: v for k, v in {**base, **elements}.items() if v is not None})


DENIAL = '[{"Effect": "Deny", "Action": "*", "Resource": "*"}]'
EVERY_ROLE = "arn:aws:iam::111122223333:role/*"
NO_WILDCARD = (
    f'principal "{EVERY_ROLE}" cannot have a wildcard: name it, or use "*" with a condition '
    "aws:PrincipalArn"
)
TRUST = {"Resource": None, "Action": "sts:AssumeRole", "Principal": {"AWS": "111122223333"}}


@pytest.mark.parametrize(
    ("elements", "use"),
    [
        ({}, DocumentUse.IDENTITY),
        ({"Action": ["s3:Get*", "*:Describe*", "*"]}, DocumentUse.BOUNDARY),
        ({"Resource": ["arn:aws:s3:::a", "*"]}, DocumentUse.IDENTITY),
        ({"Resource": "«var.arn»"}, DocumentUse.IDENTITY),
        ({"Action": "«var.action»"}, DocumentUse.IDENTITY),
        ({"Sid": "Read1"}, DocumentUse.IDENTITY),
        ({"Sid": "with some spaces", "Principal": "*"}, DocumentUse.RESOURCE),
        ({"Sid": ""}, DocumentUse.IDENTITY),
        ({"Condition": {"ForAllValues:StringLikeIfExists": {"aws:TagKeys": "a"}}}, DocumentUse.SCP),
        ({"Condition": {"bool": {"aws:SecureTransport": True}}}, DocumentUse.IDENTITY),
        (TRUST, DocumentUse.TRUST),
        ({**TRUST, "Principal": {"AWS": "arn:aws:iam::111122223333:role/a"}}, DocumentUse.TRUST),
        ({"Resource": None, "Principal": "*"}, DocumentUse.RESOURCE),
        ({"Effect": "Deny", "Principal": "*"}, DocumentUse.RCP),
    ],
)
def test_legal_statements_have_no_problem(elements, use):
    assert problems(statement(**elements), use) == []


@pytest.mark.parametrize(
    ("elements", "use", "message"),
    [
        ({"Effect": None}, DocumentUse.IDENTITY, "a statement needs an Effect"),
        ({"Effect": "allow"}, DocumentUse.IDENTITY, 'Effect must be written "Allow" or "Deny"'),
        ({"Action": None}, DocumentUse.IDENTITY, "a statement needs Action or NotAction"),
        (
            {"NotAction": "iam:*"},
            DocumentUse.IDENTITY,
            "a statement cannot have both Action and NotAction",
        ),
        (
            {"NotResource": "*"},
            DocumentUse.IDENTITY,
            "a statement cannot have both Resource and NotResource",
        ),
        ({"Action": []}, DocumentUse.IDENTITY, "Action is empty"),
        ({"Resource": []}, DocumentUse.IDENTITY, "Resource is empty"),
        ({"Resource": None}, DocumentUse.IDENTITY, "a statement needs Resource or NotResource"),
        ({"Resources": "*"}, DocumentUse.IDENTITY, '"Resources" is not an element of a statement'),
        (
            {"Action": "GetObject"},
            DocumentUse.IDENTITY,
            'Action "GetObject" lacks the service: "service:GetObject"',
        ),
        ({"Action": ""}, DocumentUse.IDENTITY, 'Action "" lacks the service: "service:"'),
        (
            {"Action": "s3:a:b"},
            DocumentUse.IDENTITY,
            'Action "s3:a:b" has more than one colon',
        ),
        ({"Action": "s*:Get"}, DocumentUse.SCP, 'Action "s*:Get": "s*" cannot be a service'),
        ({"Resource": "bucket"}, DocumentUse.IDENTITY, 'resource "bucket" must be an ARN or "*"'),
        (
            {"Resource": "arn:foo:s3:::x"},
            DocumentUse.IDENTITY,
            'resource "arn:foo:s3:::x": "foo" is not a partition',
        ),
        ({"Resource": "arn:*"}, DocumentUse.SCP, 'resource "arn:*" does not name a service'),
        ({"Action": None, "NotAction": []}, DocumentUse.IDENTITY, "NotAction is empty"),
        ({"Principal": {}}, DocumentUse.RESOURCE, "Principal names nobody"),
        (
            {"Condition": {"DateLessThan": {"aws:CurrentTime": "tomorrow"}}},
            DocumentUse.IDENTITY,
            '"tomorrow" is not a date',
        ),
        (
            {"Sid": "no spaces"},
            DocumentUse.IDENTITY,
            'Sid "no spaces" may only have letters and digits',
        ),
        (
            {"Principal": "*"},
            DocumentUse.IDENTITY,
            "Principal has no place in a policy that is attached",
        ),
        (
            {"NotPrincipal": "*"},
            DocumentUse.SCP,
            "NotPrincipal has no place in a policy that is attached",
        ),
        (
            {"Condition": {"StringEqual": {"aws:x": "y"}}},
            DocumentUse.IDENTITY,
            "StringEqual is not a condition operator, did you mean StringEquals?",
        ),
        (
            {"Condition": {"ForSomeValue:StringEquals": {"aws:x": "y"}}},
            DocumentUse.IDENTITY,
            "ForSomeValue:StringEquals is not a condition operator, did you mean StringEquals?",
        ),
        (
            {"Condition": {"NullIfExists": {"aws:x": "true"}}},
            DocumentUse.IDENTITY,
            "NullIfExists is not a condition operator",
        ),
        (
            {"Condition": {"StringEquals": {"SourceIp": "y"}}},
            DocumentUse.IDENTITY,
            'condition key "SourceIp" lacks its prefix',
        ),
        (
            {**TRUST, "Resource": "*"},
            DocumentUse.TRUST,
            "Resource has no place in a trust policy",
        ),
        ({**TRUST, "Principal": None}, DocumentUse.TRUST, "a statement here needs a Principal"),
        (
            {**TRUST, "Action": "s3:GetObject"},
            DocumentUse.TRUST,
            '"s3:GetObject" has no place in a trust policy, only ways to assume a role have',
        ),
        ({**TRUST, "Principal": {"AWS": EVERY_ROLE}}, DocumentUse.TRUST, NO_WILDCARD),
        ({"Principal": "*"}, DocumentUse.RCP, "a resource control policy can only deny"),
        (
            {"Effect": "Deny", "Action": "*", "Principal": "*"},
            DocumentUse.RCP,
            'Action "*" is not allowed here, name the services',
        ),
    ],
)
def test_what_aws_refuses(elements, use, message):
    assert problems(statement(**elements), use) == [message]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("", "the policy is empty"),
        ("[]", "a policy must be a JSON object"),
        ("{}", "the policy has no Statement"),
        ('{"Statement": []}', "the policy has no Statement"),
        ('{"Statement": null}', "the policy has no Statement"),
        (
            '{"Version": "2013-10-17", "Statement": ' + DENIAL + "}",
            '"2013-10-17" is not a policy version',
        ),
        (
            '{"version": "2012-10-17", "Statement": ' + DENIAL + "}",
            '"version" must be written "Version"',
        ),
        ('{"Statement": ["x"]}', "a statement must be an object"),
        ('{"Statement": [{]}', "the policy is not JSON: expected a key in double quotes"),
    ],
)
def test_what_is_wrong_with_a_whole_document(given, message):
    (found,) = problems(document(given))
    assert found.partition(":")[0] == message.partition(":")[0]


def test_sids_are_used_once():
    found = policy(allow("s3:*", Sid="A"), deny("iam:*", Sid="A"), allow("sqs:*", Sid="B"))
    assert problems(found) == ['Sid "A" is used more than once']


def test_problems_have_their_places():
    found = statement(Action=["s3:GetObject", "PutObject"])
    (problem,) = grammar_problems(found, DocumentUse.IDENTITY)
    assert problem.span.text == '"PutObject"'


def test_aws_policies_have_no_problem():
    for name in ("AdministratorAccess", "ReadOnlyAccess", "AWSSupportServiceRolePolicy"):
        assert problems(managed_policy(name)) == []


def test_sizes_do_not_count_white_space_nor_holes():
    spaced = document('{ "Statement" : [ { "Effect" : "Allow" } ] }')
    assert size_of(spaced) == len('{"Statement":[{"Effect":"Allow"}]}')
    held = document('{"Statement":[{"Resource":"arn:«var.long»"}]}')
    assert size_of(held) == len('{"Statement":[{"Resource":"arn:"}]}')
    assert size_of(document("")) == 0
    assert size_limits()["managed"].characters == 6144


@pytest.mark.parametrize(
    ("principal", "count"),
    [
        ({"AWS": "AIDAEXAMPLEEXAMPLE123"}, 1),
        ({"AWS": ["111122223333", "AROAEXAMPLEEXAMPLE123"]}, 1),
        ({"AWS": "111122223333"}, 0),
        ({"Federated": "AIDAEXAMPLEEXAMPLE123"}, 0),
        ({"Service": "codebuild.amazon.com"}, 1),
        ({"Service": ["ec2.amazonaws.com", "«var.service»"]}, 0),
    ],
)
def test_principals_that_nobody_can_be(principal, count):
    trust = statement(**{**TRUST, "Principal": principal})
    assert len(problems(trust, DocumentUse.TRUST)) == count
