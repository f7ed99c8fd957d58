"""What the user gives for the parameters of templates."""

from __future__ import annotations

import pytest
from template_files import load, shown

from iam_preflight.cloudformation.parameters import read_parameters
from iam_preflight.errors import UsageError

TEMPLATE = """
Parameters:
  Name: {Type: String, Default: app}
  Names: {Type: CommaDelimitedList}
  Other: {Type: String, AllowedValues: [a, b]}
Resources:
  R:
    Type: AWS::IAM::Role
    Properties:
      RoleName: !Ref Name
      Description: !Join ["-", !Ref Names]
      Path: !Ref Other
"""


def values(*options):
    ((role,), problems) = load(TEMPLATE, *options)
    assert not problems
    return [shown(role.get(name)) for name in ("name", "description", "path")]


def test_key_and_value():
    assert values("Name=x=y", "Names=a,b", "Other=b") == ["x=y", "a-b", "b"]


def test_what_is_not_given_stays_open():
    assert values() == ["app", "«Join(Names)»", "«Other»"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("cli.json", '[{"ParameterKey": "Name", "ParameterValue": "x"}, "Names=a,b"]'),
        ("codepipeline.json", '{"Parameters": {"Name": "x", "Names": "a,b"}, "Tags": {"a": "b"}}'),
        ("plain.json", '{"Name": "x", "Names": ["a", "b"]}'),
        ("plain.yaml", "Name: x\nNames: [a, b]\n"),
        ("list.yaml", "- ParameterKey: Name\n  ParameterValue: x\n- Names=a,b\n"),
    ],
)
def test_parameter_files_in_every_form(tmp_path, name, text):
    path = tmp_path / name
    path.write_text(text)
    assert values(str(path))[:2] == ["x", "a-b"]
    assert values(f"file://{path}", "Name=z")[:2] == ["z", "a-b"]


def test_a_parameter_file_may_tell_the_environment(tmp_path):
    path = tmp_path / "prod.json"
    path.write_text('{"Name": "x"}')
    ((role,), _) = load(TEMPLATE.replace("Name", "Environment"), str(path), "Environment=live")
    assert role.deployment.hints == ("prod", "live")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1, 2]", "KEY=VALUE"),
        ("just text", "expected a list or an object"),
        ("a: {b: c}", "a parameter must be text"),
        ("a: [", "not YAML"),
        ("- ParameterKey: a\n", "no ParameterValue"),
        ("a: b\n---\nc: d\n", "expected one"),
    ],
)
def test_a_parameter_file_in_no_form_is_a_usage_error(tmp_path, text, message):
    path = tmp_path / "p.yaml"
    path.write_text(text)
    with pytest.raises(UsageError, match=message):
        read_parameters([str(path)])


@pytest.mark.parametrize("option", ["nowhere.json", "=value"])
def test_what_is_neither_file_nor_value_is_a_usage_error(option):
    with pytest.raises(UsageError):
        read_parameters([option])


def test_the_region_and_account_of_the_stack_may_be_given():
    text = """
        Resources:
          R:
            Type: AWS::IAM::Role
            Properties:
              Description: !Sub "${AWS::Partition} ${AWS::AccountId} ${AWS::URLSuffix}"
        """
    ((role,), _) = load(text, "AWS::Region=cn-north-1", "AWS::AccountId=111122223333")
    assert shown(role.get("description")) == "aws-cn 111122223333 amazonaws.com.cn"
    assert role.provider.account_ids == ("111122223333",)


def test_parameters_of_aws_keep_their_kind():
    text = """
        Parameters:
          Stored: {Type: "AWS::SSM::Parameter::Value<List<String>>", Default: /names}
          Named: {Type: "AWS::SSM::Parameter::Name", Default: /names}
          Key: {Type: "AWS::EC2::KeyPair::KeyName"}
          Zones: {Type: "List<AWS::EC2::AvailabilityZone::Name>", Default: "a,b"}
          Number: {Type: Number, Default: 5}
        Resources:
          R:
            Type: AWS::IAM::Role
            Properties:
              Description:
                [!Ref Stored, !Ref Named, !Ref Key, !Ref Zones, !Ref Number]
        """
    ((role,), _) = load(text, "Stored=/other")
    assert shown(role.get("description")) == '["«Stored»","/names","«Key»",["a","b"],"5"]'
