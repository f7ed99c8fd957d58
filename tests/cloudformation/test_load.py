"""Templates in, resources out: the contract with the graph."""

from __future__ import annotations

from template_files import load

from iam_preflight.values import Choice, Reference, arms_of, show


def test_a_role_speaks_terraforms_names():
    (role,), problems = load("""
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      RoleName: ci
      MaxSessionDuration: 7200
      AssumeRolePolicyDocument: {Statement: []}
      Policies:
        - PolicyName: inline
          PolicyDocument: {Statement: {Effect: Allow, Action: "s3:*", Resource: "*"}}
      Tags:
        - {Key: Owner, Value: me}
""")
    assert not problems
    assert (role.address, role.type, role.native_type) == ("Role", "aws_iam_role", "AWS::IAM::Role")
    assert role.text("name") == "ci"
    assert role.text("max_session_duration") == "7200"
    assert show(role.get("inline_policy")) == (
        '[{"name":"inline","policy":{"Statement":'
        '{"Effect":"Allow","Action":"s3:*","Resource":"*"}}}]'
    )
    assert show(role.get("tags")) == '{"Owner":"me"}'
    assert role.attributes.get("tags").key_span("Owner").line == 13
    assert str(role.header) == "template.yaml:3:3"


def test_an_undecided_condition_keeps_both_arms_and_prunes_what_contradicts_it():
    resources, _ = load("""
Parameters:
  Env: {Type: String, Default: dev}
Conditions:
  IsProd: !Equals [!Ref Env, prod]
  IsDev: !Equals [!Ref Env, dev]
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      Description: !If [IsProd, !If [IsDev, never, production], other]
""")
    value = resources[0].get("description")
    assert isinstance(value, Choice)
    assert [([str(a) for a in given], show(arm)) for given, arm in arms_of(value)] == [
        (["IsProd"], "production"),
        (["not (IsProd)"], "other"),
    ]


def test_a_given_parameter_decides():
    resources, _ = load(
        """
Parameters:
  Env: {Type: String, Default: dev}
Conditions:
  IsProd: !Equals [!Ref Env, prod]
Resources:
  Role: {Type: "AWS::IAM::Role", Condition: IsProd}
  Other:
    Type: AWS::IAM::Role
    Properties: {Description: !If [IsProd, a, b]}
""",
        "Env=dev",
    )
    assert [resource.address for resource in resources] == ["Other"]
    assert resources[0].text("description") == "b"


def test_references_say_what_they_refer_to():
    resources, _ = load("""
Resources:
  Role: {Type: "AWS::IAM::Role"}
  Policy:
    Type: AWS::IAM::Policy
    Properties:
      PolicyName: p
      Roles: [!Ref Role]
      PolicyDocument:
        Statement: [{Effect: Allow, Action: "sts:AssumeRole", Resource: !GetAtt Role.Arn}]
""")
    policy = next(resource for resource in resources if resource.type == "aws_iam_role_policy")
    assert policy.address == "Policy"
    assert policy.get("role").reference == Reference("Role", "name")
    statement = policy.get("policy").get("Statement").items[0]
    assert statement.get("Resource").reference == Reference("Role", "arn")
    assert show(statement.get("Resource")) == (
        "arn:«AWS::Partition»:iam::«AWS::AccountId»:role/«Role.name»"
    )
