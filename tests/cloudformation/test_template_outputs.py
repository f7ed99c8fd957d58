"""Outputs of stacks, for the rules that look where secrets go."""

from __future__ import annotations

from template_files import load_files

from iam_preflight.cloudformation.surroundings import OUTPUT
from iam_preflight.values import Assumption, Reference

TEMPLATE = """
Parameters:
  Expose: {Type: String}
Conditions:
  IsExposed: !Equals [!Ref Expose, "yes"]
Resources:
  Key:
    Type: AWS::IAM::AccessKey
    Properties: {UserName: robot}
Outputs:
  Secret:
    Condition: IsExposed
    Description: the key
    Value: !GetAtt Key.SecretAccessKey
"""


def test_an_output_says_where_its_value_comes_from_and_when_it_is_there():
    files = {"template.yaml": TEMPLATE}
    (output,), problems = load_files(files, is_wanted=lambda name: name == OUTPUT)
    assert not problems
    assert output.address == "Outputs.Secret"
    assert output.header.text == "Secret"
    assert output.get("value").reference == Reference("Key", "secret")
    assert output.text("description") == "the key"
    assert output.assumptions == (Assumption("IsExposed", True),)
