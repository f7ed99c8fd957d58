"""Every intrinsic function: what is known, what stays open, and where it was written."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from template_files import load, shown, value_of

from iam_preflight.errors import ProblemKind
from iam_preflight.values import Choice, Json, Known, Listing, Reason, Reference, Unknown, plain

PARAMETERS = """
Parameters:
  Name: {Type: String, Default: app}
  Open: {Type: String}
  Env: {Type: String, AllowedValues: [dev, prod], Default: dev}
  Names: {Type: CommaDelimitedList, Default: "a, b"}
  Subnets: {Type: "List<AWS::EC2::Subnet::Id>"}
  Password: {Type: String, NoEcho: true, Default: hunter2}
  Stored: {Type: "AWS::SSM::Parameter::Value<String>", Default: /a/b}
  Empty: {Type: String, Default: ""}
Conditions:
  IsProd: !Equals [!Ref Env, prod]
  NotProd: !Not [!Condition IsProd]
  HasEmpty: !Not [!Equals [!Ref Empty, ""]]
  Always: !Equals [a, a]
Mappings:
  Accounts:
    eu-west-1: {Id: "111111111111", Same: x}
    us-east-1: {Id: "222222222222", Same: x}
"""


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        # parameters and pseudo-parameters
        ("!Ref Name", "app"),
        ("!Ref Open", "«Open»"),
        ("!Ref Names", '["a","b"]'),
        ("!Ref Subnets", "«Subnets»"),
        ("!Ref Stored", "«Stored»"),
        ("!Ref AWS::AccountId", "«AWS::AccountId»"),
        ("!Ref AWS::URLSuffix", "amazonaws.com"),
        ("!Ref Nowhere", "«Nowhere»"),
        # resources
        ("!Ref Role", "ci"),
        ("!Ref Unnamed", "«Unnamed»"),
        ("!GetAtt Role.Arn", "arn:«AWS::Partition»:iam::«AWS::AccountId»:role/x/ci"),
        ("!GetAtt Role.RoleId", "«Role.RoleId»"),
        ('{"Fn::GetAtt": "Bucket.Arn"}', "arn:«AWS::Partition»:s3:::logs"),
        # CloudFormation's ARN of a log group takes in its streams, Terraform's does not
        (
            "!GetAtt Log.Arn",
            "arn:«AWS::Partition»:logs:«AWS::Region»:«AWS::AccountId»:log-group:app:*",
        ),
        ("!GetAtt Nowhere.Arn", "«Nowhere.Arn»"),
        # Sub
        ('!Sub "${Name}-${AWS::Region}"', "app-«AWS::Region»"),
        ('!Sub "${Bucket.Arn}/*"', "arn:«AWS::Partition»:s3:::logs/*"),
        ('!Sub "${!Literal} ${Name}"', "${Literal} app"),
        ('!Sub ["${x}/${Name}", {x: !Ref Open}]', "«Open»/app"),
        ('!Sub "${aws:username} stays"', "${aws:username} stays"),
        ('!Sub "no variables"', "no variables"),
        ('!Sub "${Names}"', "a,b"),
        # Join, Split, Select
        ('!Join ["-", [a, !Ref Name, !Ref Open]]', "a-app-«Open»"),
        ('!Join [",", !Ref Names]', "a,b"),
        ('!Join ["", []]', ""),
        ('!Split [",", "a,b"]', '["a","b"]'),
        ('!Select [1, !Split ["/", !Sub "x/${Open}/y"]]', "«Open»"),
        ('!Select ["2", !Split ["/", !Sub "x/${Open}y/z"]]', "z"),
        ("!Select [0, !Ref Names]", "a"),
        ("!Select [0, !Ref Subnets]", "«Subnets[0]»"),
        ("!Select [5, [a]]", "«item 5 of 1»"),
        # the rest
        ('!Base64 "plain"', "plain"),
        ("!GetAZs ''", '["«availability zone»"]'),
        ('!Cidr ["10.0.0.0/16", 2, 8]', '["10.0.0.0/24","10.0.1.0/24"]'),
        ("!Cidr [!Ref Open, 2, 8]", '["«Cidr»"]'),
        ("!ImportValue shared", "«export shared»"),
        ('{"Fn::Length": !Ref Names}', "2"),
        ('{"Fn::Length": !Ref Subnets}', "«Length(«Subnets»)»"),
        ("!FindInMap [Accounts, eu-west-1, Id]", "111111111111"),
        ("!FindInMap [Accounts, !Ref AWS::Region, Same]", "x"),
        ("!FindInMap [Accounts, mars, Id]", "«key mars of a map»"),
        ("!FindInMap [Accounts, mars, Id, {DefaultValue: none}]", "none"),
        ("!FindInMap [Nowhere, a, b]", "«map Nowhere»"),
        ("!If [Always, yes please, no]", "yes please"),
        ('"{{resolve:ssm:/a/b}}"', "«ssm:/a/b»"),
        (
            '"x-{{resolve:secretsmanager:s:SecretString:p}}-y"',
            "x-«secretsmanager:s:SecretString:p»-y",
        ),
        ('{"Fn::NotInvented": x}', "«Fn::NotInvented»"),
    ],
)
def test_what_a_function_gives(expression, expected):
    assert shown(value_of(expression, PARAMETERS)) == expected


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (
            "!Ref Env",
            [(['Env = "dev"'], "dev"), (['Env = "prod"'], "prod")],
        ),
        (
            "!If [IsProd, a, b]",
            [(["IsProd"], "a"), (["not (IsProd)"], "b")],
        ),
        (
            "!If [NotProd, a, b]",
            [(["not (IsProd)"], "a"), (["IsProd"], "b")],
        ),
        (
            '!Sub ["${x}-${Name}", {x: !If [IsProd, a, b]}]',
            [(["IsProd"], "a-app"), (["not (IsProd)"], "b-app")],
        ),
        (
            "!FindInMap [Accounts, !Ref AWS::Region, Id]",
            [
                (['AWS::Region = "eu-west-1"'], "111111111111"),
                (['AWS::Region = "us-east-1"'], "222222222222"),
            ],
        ),
        (
            '!Join ["-", [!If [IsProd, a, !Ref "AWS::NoValue"], b]]',
            [(["IsProd"], "a-b"), (["not (IsProd)"], "b")],
        ),
        (
            "!If [IsProd, !If [NotProd, never, a], !If [IsProd, never, b]]",
            [(["IsProd"], "a"), (["not (IsProd)"], "b")],
        ),
        (
            "!If [IsProd, !Ref Env, !Ref Env]",
            [(["IsProd"], "prod"), (["not (IsProd)"], "dev")],
        ),
    ],
)
def test_what_nobody_can_decide_keeps_every_alternative(expression, expected):
    assert shown(value_of(expression, PARAMETERS)) == expected


def test_a_default_is_not_taken_where_the_condition_excludes_it():
    value = value_of('!If [HasEmpty, !Sub "key ${Empty}", none]', PARAMETERS)
    assert shown(value) == [(["HasEmpty"], "key «Empty»"), (["not (HasEmpty)"], "none")]


@pytest.mark.parametrize(
    "comparison",
    [
        '[!Join ["", !Ref Nets], ""]',
        '["", !Join [",", !Ref Nets]]',
        '[!Select [0, !Ref Nets], ""]',
    ],
)
def test_nor_is_that_of_a_list_whose_items_the_condition_wants(comparison):
    rest = f"""
    Parameters: {{Nets: {{Type: CommaDelimitedList, Default: ""}}}}
    Conditions: {{HasNets: !Not [!Equals {comparison}]}}
    """
    value = value_of('!If [HasNets, !Join ["-", !Ref Nets], none]', rest)
    assert [given for given, _ in shown(value)] == [["HasNets"], ["not (HasNets)"]]
    assert shown(value)[0][1] != ""


def test_a_list_may_be_empty_although_its_second_item_is_asked_for():
    rest = """
    Parameters: {Nets: {Type: CommaDelimitedList, Default: ""}}
    Conditions: {HasTwo: !Not [!Equals [!Select [1, !Ref Nets], ""]]}
    """
    value = value_of('!If [HasTwo, !Join ["-", !Ref Nets], none]', rest)
    assert shown(value)[0] == (["HasTwo"], "")


def test_a_reference_remembers_what_it_refers_to():
    assert value_of("!Ref Role").reference == Reference("Role", "name")
    assert value_of("!GetAtt Role.Arn").reference == Reference("Role", "arn")
    assert value_of("!Ref Unnamed").reference == Reference("Unnamed", "name")
    assert value_of('!Sub "${Role.Arn}"').parts[0].text == "arn:"
    hole = next(part for part in value_of('!Sub "x${Unnamed}"').parts if isinstance(part, Unknown))
    assert hole.reference == Reference("Unnamed", "name")


def test_hidden_parameters_stay_hidden():
    value = value_of("!Ref Password", PARAMETERS)
    assert value.sensitive
    assert plain(value) == "«sensitive»"
    assert "hunter2" not in shown(value_of('!Sub "p=${Password}"', PARAMETERS))


def test_secrets_are_holes_that_say_so():
    value = value_of('"{{resolve:secretsmanager:s}}"')
    assert isinstance(value, Unknown)
    assert (value.reason, value.sensitive) == (Reason.SECRET, True)
    assert value_of('"{{resolve:ssm:x}}"').reason is Reason.DATA


def test_no_value_takes_items_and_entries_away():
    value = value_of('[a, !Ref "AWS::NoValue", {k: !Ref "AWS::NoValue", l: 1}]')
    assert plain(value) == ["a", {"l": 1}]


def test_an_item_that_may_be_gone_is_there_under_an_assumption():
    value = value_of('[a, !If [IsProd, b, !Ref "AWS::NoValue"]]', PARAMETERS)
    assert isinstance(value, Listing)
    assert isinstance(value.items[1], Choice)


def test_to_json_string_keeps_the_structure():
    value = value_of('{"Fn::ToJsonString": {a: !Ref Role}}')
    assert isinstance(value, Json)
    assert shown(value) == '{"a":"ci"}'


def test_text_knows_where_its_pieces_are_written():
    value = value_of('!Sub "${Role.Arn}/${Open}"', PARAMETERS)
    places = [part.span.text for part in value.parts]
    assert places[0] == "${Role.Arn}"
    assert places[-1] == "${Open}"


@pytest.mark.parametrize(
    "expression",
    [
        "!Sub []",
        "!Join [a]",
        "!Join x",
        "!Select [0]",
        "!If [IsProd, a]",
        "!FindInMap [a]",
        "!Split x",
        "!Ref {a: b}",
        "!GetAtt Role",
        "!Cidr x",
    ],
)
def test_malformed_functions_are_holes_and_said(expression):
    text = "Resources:\n  R:\n    Type: AWS::IAM::Role\n    Properties: {Description: %s}\n"
    (role,), problems = load(text % expression)
    value = role.attributes.entries["description"]
    assert isinstance(value, Unknown)
    assert value.reason is Reason.ERROR
    assert [(p.kind.name, p.span.line) for p in problems] == [("EVALUATION", 4)]


def test_things_that_refer_to_each_other_end():
    text = """
Resources:
  A: {Type: "AWS::IAM::Role", Properties: {RoleName: !Ref B}}
  B: {Type: "AWS::IAM::Role", Properties: {RoleName: !Ref A}}
  C: {Type: "AWS::IAM::Role", Properties: {RoleName: !Sub "${C}x"}}
"""
    resources, _ = load(text)
    for resource in resources:
        name = resource.get("name")
        assert not isinstance(name, Known)


def test_long_chains_and_growing_text_are_bounded():
    lines = ["Resources:"]
    for i in range(400):
        name = f'!Sub "${{R{i - 1}}}${{R{i - 1}}}x"' if i else "x"
        lines.append(f'  R{i}: {{Type: "AWS::IAM::Role", Properties: {{RoleName: {name}}}}}')
    resources, problems = load("\n".join(lines))
    assert len(resources) == 400
    for resource in reversed(resources):
        assert resource.attributes.entries["name"] is not None
    assert {problem.kind for problem in problems} == {ProblemKind.LIMIT}


def test_alternatives_are_bounded():
    many = ", ".join(f"c{i}" for i in range(16))
    parameters = "Parameters:\n" + "".join(
        f"  P{i}: {{Type: String, AllowedValues: [{many}]}}\n" for i in range(6)
    )
    value = value_of('!Sub "' + "".join(f"${{P{i}}}" for i in range(6)) + '"', parameters)
    arms = value.arms if isinstance(value, Choice) else [value]
    assert len(arms) <= 64


# ---------------------------------------------------------------- properties

names = st.sampled_from(["Name", "Open", "Env", "Names", "Role", "Role.Arn", "AWS::Region", "x"])
leaves = (
    st.sampled_from(["a", "", "x-y", "${Name}", "${Env}/${Open}", "{{resolve:ssm:a}}", "${"])
    | names.map(lambda name: {"Ref": name})
    | names.map(lambda name: {"Fn::GetAtt": name})
    | st.integers(0, 3)
)
expressions = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds(lambda a, b: {"Fn::If": ["IsProd", a, b]}, inner, inner),
        st.builds(lambda a, b: {"Fn::Join": ["-", [a, b]]}, inner, inner),
        st.builds(lambda a: {"Fn::Sub": a}, inner),
        st.builds(lambda a, b: {"Fn::Sub": ["${x}" + "y", {"x": a, "z": b}]}, inner, inner),
        st.builds(lambda a, b: {"Fn::Select": [a, [b, "c"]]}, inner, inner),
        st.builds(lambda a: {"Fn::Split": ["-", a]}, inner),
        st.builds(lambda a: {"Fn::ToJsonString": a}, inner),
        st.builds(lambda a, b: {"Fn::FindInMap": ["Accounts", a, b]}, inner, inner),
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["a", "Ref", "Fn::Sub", "Fn::If"]), inner, max_size=2),
    ),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(expressions)
def test_no_expression_crashes_the_evaluator(expression):
    import json

    shown(value_of(json.dumps(expression), PARAMETERS))


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.text(alphabet="ab-/${}é", max_size=6), max_size=4),
    st.sampled_from(["-", "/", "ab"]),
)
def test_split_takes_apart_what_join_put_together(pieces, delimiter):
    import json

    expression = {"Fn::Split": [delimiter, {"Fn::Join": [delimiter, pieces]}]}
    expected = delimiter.join(pieces).split(delimiter)
    assert plain(value_of(json.dumps(expression))) == expected
