"""Nested stacks, stack sets, exports, included files and CDK assemblies."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from template_files import load, load_files, shown

from iam_preflight.cloudformation.scan import fits
from iam_preflight.errors import ProblemKind
from iam_preflight.policy.read import read_policy
from iam_preflight.source import SourceFile
from iam_preflight.values import Fragment, Reason, Reference, Unknown, show

CHILD = """
    Parameters:
      Name: {Type: String}
      Env: {Type: String, Default: dev}
      Names: {Type: CommaDelimitedList, Default: ""}
    Conditions:
      IsProd: !Equals [!Ref Env, prod]
    Resources:
      Role:
        Type: AWS::IAM::Role
        Properties:
          RoleName: !Ref Name
          Description: !If [IsProd, production, other]
          Path: !Sub ["/${Path}/", {Path: !Join ["-", !Ref Names]}]
    Outputs:
      Arn: {Value: !GetAtt Role.Arn}
    """


def parent(location, more=""):
    return f"""
    Resources:
      Child:
        Type: AWS::CloudFormation::Stack
        Properties:
          TemplateURL: {location}
          Parameters: {{Name: ci, Env: prod, Names: "a,b"{more}}}
      User:
        Type: AWS::IAM::Role
        Properties: {{Description: !GetAtt Child.Outputs.Arn}}
    """


@pytest.mark.parametrize(
    "location",
    [
        "child.yaml",
        "./child.yaml",
        "https://s3.amazonaws.com/bucket/prefix/child.yaml",
        "https://bucket.s3.eu-west-1.amazonaws.com/nested/child.yaml?versionId=1",
        '!Sub "https://${AWS::AccountId}.s3.amazonaws.com/x/child.yaml"',
        '!Join ["/", [!Ref "AWS::Region", child.yaml]]',
    ],
)
def test_a_nested_stack_is_part_of_its_parent(location):
    files = {"a/parent.yaml": parent(location), "a/child.yaml": CHILD}
    found, problems = load_files(files)
    assert not problems
    by_address = {resource.address: resource for resource in found}
    assert list(by_address) == ["Child", "Child.Role", "User"]
    role = by_address["Child.Role"]
    assert role.name == "Role"
    assert role.deployment.path == "a/parent.yaml"
    assert role.header.path == "a/child.yaml"
    assert [call.path for call in role.calls] == ["a/parent.yaml"]
    assert (role.text("name"), role.text("description"), role.text("path")) == (
        "ci",
        "production",
        "/a-b/",
    )
    output = by_address["User"].get("description")
    assert show(output).endswith(":role/a-b/ci")
    assert output.reference == Reference("Child.Role", "arn")


def test_a_template_elsewhere_is_named():
    found, problems = load_files({"parent.yaml": parent("https://example.com/other.yaml")})
    assert [resource.address for resource in found] == ["Child", "User"]
    assert [(p.kind, str(p.span)) for p in problems] == [
        (ProblemKind.UNRESOLVED_MODULE, "parent.yaml:3:3")
    ]
    assert show(found[1].get("description")) == "«Child.Outputs.Arn»"


@pytest.mark.parametrize(
    "location", ["../secret.yaml", "/etc/passwd", "..\\x.yaml", "a/../../x.yaml"]
)
def test_nothing_outside_the_tree_is_read(location):
    found, problems = load_files({"parent.yaml": parent(location), "x.yaml": "a: b"})
    assert [resource.address for resource in found] == ["Child", "User"]
    assert problems[0].kind is ProblemKind.UNRESOLVED_MODULE


def test_the_condition_of_a_nested_stack_holds_for_all_that_is_in_it():
    text = """
        Parameters: {Env: {Type: String}}
        Conditions: {IsProd: !Equals [!Ref Env, prod]}
        Resources:
          Child:
            Type: AWS::CloudFormation::Stack
            Condition: IsProd
            Properties:
              TemplateURL: child.yaml
              Parameters: {Name: !If [IsProd, p, d], Env: !Ref Env}
        """
    found, _ = load_files({"parent.yaml": text, "child.yaml": CHILD})
    role = found[1]
    assert [str(a) for a in role.assumptions] == ["IsProd"]
    assert role.text("name") == "p"
    assert shown(role.get("description")) == [
        (["Child.IsProd"], "production"),
        (["not (Child.IsProd)"], "other"),
    ]


OPTIONAL_USER = """
    Parameters: {Wanted: {Type: String, Default: "no"}}
    Conditions: {HasUser: !Equals [!Ref Wanted, "yes"]}
    Resources:
      User: {Type: AWS::IAM::User, Condition: HasUser, Properties: {UserName: !Ref Wanted}}
    """


@pytest.mark.parametrize(
    ("passed", "assumed"), [("!Ref Create", [["Child.HasUser"]]), ('"no"', []), ('"yes"', [[]])]
)
def test_what_a_parent_has_by_default_decides_nothing_in_a_nested_stack(passed, assumed):
    text = f"""
        Parameters: {{Create: {{Type: String, Default: "no"}}}}
        Resources:
          Child:
            Type: AWS::CloudFormation::Stack
            Properties: {{TemplateURL: c.yaml, Parameters: {{Wanted: {passed}}}}}
        """
    found, _ = load_files({"c.yaml": OPTIONAL_USER, "p.yaml": text})
    users = [resource for resource in found if resource.type == "aws_iam_user"]
    assert [[str(a) for a in user.assumptions] for user in users] == assumed
    # where the user is there, the default is not what was passed
    assert [show(user.get("name")) for user in users] in ([], ["yes"], ["«Wanted»"])


def test_a_parameter_that_the_user_gives_decides_in_nested_stacks_too():
    text = """
        Parameters: {Create: {Type: String, Default: "yes"}}
        Resources:
          Child:
            Type: AWS::CloudFormation::Stack
            Properties: {TemplateURL: c.yaml, Parameters: {Wanted: !Ref Create}}
        """
    files = {"c.yaml": OPTIONAL_USER, "p.yaml": text}
    assert [one.address for one in load_files(files)[0]] == ["Child", "Child.User"]
    assert [one.address for one in load_files(files, "Create=no")[0]] == ["Child"]


def test_the_same_template_nested_twice_is_there_twice():
    text = """
        Resources:
          A:
            Type: AWS::CloudFormation::Stack
            Properties: {TemplateURL: c.yaml, Parameters: {Name: a}}
          B:
            Type: AWS::CloudFormation::Stack
            Properties: {TemplateURL: c.yaml, Parameters: {Name: b}}
        """
    found, _ = load_files({"c.yaml": CHILD, "p.yaml": text})
    roles = [resource for resource in found if resource.type == "aws_iam_role"]
    assert [(role.address, role.text("name")) for role in roles] == [
        ("A.Role", "a"),
        ("B.Role", "b"),
    ]


def test_templates_that_nest_each_other_end():
    nest = 'Resources: {S: {Type: "AWS::CloudFormation::Stack", Properties: {TemplateURL: %s}}}\n'
    found, problems = load_files({"a.yaml": nest % "b.yaml", "b.yaml": nest % "a.yaml"})
    assert [resource.address for resource in found] == ["S", "S.S"]
    assert any("nests itself" in problem.message for problem in problems)


def test_many_nested_stacks_are_bounded():
    files = {}
    for i in range(8):
        lines = "".join(
            f"  S{j}:\n    Type: AWS::CloudFormation::Stack\n"
            f"    Properties: {{TemplateURL: t{i + 1}.yaml}}\n"
            for j in range(6)
        )
        files[f"t{i}.yaml"] = f"Resources:\n{lines}"
    files["t8.yaml"] = 'Resources: {R: {Type: "AWS::IAM::Role"}}'
    found, problems = load_files(files, is_wanted=lambda name: name == "aws_iam_role")
    assert len(found) < 2_000
    assert any(problem.kind is ProblemKind.LIMIT for problem in problems)


def test_serverless_applications_are_nested_stacks():
    text = """
        Transform: AWS::Serverless-2016-10-31
        Resources:
          App:
            Type: AWS::Serverless::Application
            Properties: {Location: app/child.yaml, Parameters: {Name: x}}
          Remote:
            Type: AWS::Serverless::Application
            Properties: {Location: {ApplicationId: a, SemanticVersion: 1.0.0}}
        """
    found, problems = load_files({"t.yaml": text, "app/child.yaml": CHILD})
    assert "App.Role" in {resource.address for resource in found}
    assert "application repository" in problems[0].message


def test_the_template_in_a_stack_set_has_places_in_the_file():
    found, _ = load("""
        Resources:
          Everywhere:
            Type: AWS::CloudFormation::StackSet
            Properties:
              Parameters: [{ParameterKey: Name, ParameterValue: audit}]
              TemplateBody: |
                Parameters: {Name: {Type: String}}
                Resources:
                  # é
                  Role:
                    Type: AWS::IAM::Role
                    Properties:
                      RoleName: !Ref Name
                      AssumeRolePolicyDocument: '{"Statement": [{"Action": "sts:*"}]}'
        """)
    role = next(resource for resource in found if resource.type == "aws_iam_role")
    assert (role.address, role.text("name")) == ("Everywhere.Role", "audit")
    assert (str(role.header), role.header.text) == ("template.yaml:11:11", "Role")
    action = read_policy(role.get("assume_role_policy")).statements[0].actions[0]
    assert action.span.line == 15


def test_a_template_in_json_text_is_read():
    body = json.dumps({"Resources": {"R": {"Type": "AWS::IAM::Role"}}}, indent=1)
    outer = {"Type": "AWS::CloudFormation::StackSet", "Properties": {"TemplateBody": body}}
    found, _ = load(json.dumps({"Resources": {"S": outer}}))
    assert [resource.address for resource in found] == ["S", "S.R"]


# ---------------------------------------------------------------- exports

NETWORK = """
    Resources:
      Role: {Type: "AWS::IAM::Role", Properties: {RoleName: shared}}
    Outputs:
      Arn: {Value: !GetAtt Role.Arn, Export: {Name: %s}}
      Name: {Value: !Ref Role, Export: {Name: !Sub "${AWS::StackName}-Name"}}
    """
USER = """
    Parameters: {Network: {Type: String}}
    Resources:
      User: {Type: "AWS::IAM::Role", Properties: {Description: !ImportValue %s}}
    """


@pytest.mark.parametrize(
    ("exported", "imported"),
    [
        ("shared-arn", "shared-arn"),
        ('!Sub "${AWS::StackName}-RoleArn"', '{"Fn::Sub": "${Network}-RoleArn"}'),
        ('!Sub "${AWS::StackName}-RoleArn"', "net-RoleArn"),
        ("prod-RoleArn", '{"Fn::Sub": "${Network}-RoleArn"}'),
        ('!Sub "${AWS::Region}-arn"', '{"Fn::Sub": "${AWS::Region}-arn"}'),
    ],
)
def test_an_import_is_what_another_stack_exports(exported, imported):
    files = {"network.yaml": NETWORK % exported, "user.yaml": USER % imported}
    found, problems = load_files(files)
    assert not problems
    value = next(r for r in found if r.address == "User").get("description")
    assert show(value).endswith(":role/shared")
    assert value.reference == Reference("Role", "arn", "network.yaml")
    assert value.span.path == "user.yaml"


def test_a_default_that_no_stack_is_called_does_not_hide_the_export():
    user = USER.replace("{Type: String}", "{Type: String, Default: network}")
    imported = '{"Fn::Sub": "${Network}-RoleArn"}'
    files = {"network.yaml": NETWORK % "prod-RoleArn", "user.yaml": user % imported}
    found, _ = load_files(files)
    value = next(r for r in found if r.address == "User").get("description")
    assert value.reference == Reference("Role", "arn", "network.yaml")


@pytest.mark.parametrize(
    ("exported", "imported"),
    [
        ("a", "b"),
        ('!Sub "${AWS::StackName}"', '{"Fn::Sub": "${Network}"}'),
        ("shared-arn", '{"Fn::Sub": "${Network}-RoleArn"}'),
    ],
)
def test_an_import_of_what_nobody_exports_is_a_hole(exported, imported):
    files = {"network.yaml": NETWORK % exported, "user.yaml": USER % imported}
    found, _ = load_files(files)
    value = next(r for r in found if r.address == "User").get("description")
    assert show(value).startswith("«export ")


def test_of_several_exports_the_nearest_is_taken_and_none_where_two_are_as_near():
    files = {
        "a/network.yaml": NETWORK % "shared",
        "a/user.yaml": USER % "shared",
        "b/network.yaml": NETWORK % "shared",
        "c.yaml": USER % "shared",
    }
    found, _ = load_files(files)
    values = {r.deployment.path: r.get("description") for r in found if r.address == "User"}
    assert values["a/user.yaml"].reference.deployment == "a/network.yaml"
    assert show(values["c.yaml"]) == "«export shared»"


def test_exports_that_need_each_other_end():
    text = """
        Resources: {R: {Type: "AWS::IAM::Role", Properties: {Description: !ImportValue %s}}}
        Outputs:
          O: {Value: !ImportValue %s, Export: {Name: %s}}
        """
    found, _ = load_files({"a.yaml": text % ("b", "b", "a"), "b.yaml": text % ("a", "a", "b")})
    for resource in found:
        assert resource.attributes.entries["description"] is not None


# ---------------------------------------------------------------- includes


def test_included_files_are_part_of_the_template():
    files = {
        "t.yaml": """
            Resources:
              Fn::Transform: {Name: "AWS::Include", Parameters: {Location: parts/roles.yaml}}
              R:
                Type: AWS::IAM::Role
                Properties:
                  RoleName: r
                  Fn::Transform:
                    Name: AWS::Include
                    Parameters: {Location: "s3://bucket/parts/props.json"}
            """,
        "parts/roles.yaml": 'A: {Type: "AWS::IAM::Role", Properties: {RoleName: !Ref R}}',
        "parts/props.json": '{"Description": {"Ref": "A"}}',
    }
    found, problems = load_files(files)
    assert not problems
    roles = {resource.address: resource for resource in found}
    assert (roles["A"].text("name"), roles["R"].text("description")) == ("r", "r")
    assert roles["A"].header.path == "parts/roles.yaml"


def test_an_included_file_may_add_to_sections():
    files = {
        "t.yaml": """
            Transform:
              - Name: AWS::Include
                Parameters: {Location: more.yaml}
              - AWS::LanguageExtensions
            Resources: {R: {Type: "AWS::IAM::Role", Properties: {Description: !Ref P}}}
            """,
        "more.yaml": "Parameters: {P: {Type: String, Default: d}}\n",
    }
    ((role,), problems) = load_files(files)
    assert not problems
    assert role.text("description") == "d"


def test_what_macros_and_missing_files_would_add_is_said():
    text = """
        Transform: [Mine]
        Resources:
          Fn::Transform: {Name: "AWS::Include", Parameters: {Location: "s3://b/nowhere.yaml"}}
          R:
            Type: AWS::IAM::Role
            Properties:
              RoleName: {"Fn::Transform": {Name: Other, Parameters: {}}}
        """
    ((role,), problems) = load(text)
    assert [problem.kind for problem in problems] == [ProblemKind.UNRESOLVED_MODULE] * 2
    assert "macro Mine" in problems[0].message
    assert show(role.get("name")) == "«macro Other»"


# ---------------------------------------------------------------- CDK

MANIFEST = {
    "version": "36.0.0",
    "artifacts": {
        "App": {
            "type": "aws:cloudformation:stack",
            "environment": "aws://111122223333/eu-west-1",
            "properties": {"templateFile": "App.template.json"},
            "displayName": "prod-app",
            "metadata": {
                "/App/Role/Resource": [{"type": "aws:cdk:logicalId", "data": "Role1A2B"}],
                "/App/Other": [{"type": "aws:cdk:warning", "data": "x"}],
            },
        },
        "Broken": {"type": "aws:cloudformation:stack"},
        "Tree": {"type": "cdk:tree", "properties": {"file": "tree.json"}},
    },
}
APP = {
    "Resources": {
        "Role1A2B": {
            "Type": "AWS::IAM::Role",
            "Properties": {"Description": {"Ref": "AWS::AccountId"}},
        },
        "Nested": {
            "Type": "AWS::CloudFormation::Stack",
            "Properties": {
                "TemplateURL": {"Fn::Sub": "https://s3.${AWS::URLSuffix}/cdk-assets/0a1b2c.json"}
            },
            "Metadata": {
                "aws:cdk:path": "App/Nested",
                "aws:asset:path": "AppNested.nested.template.json",
                "aws:asset:property": "TemplateURL",
            },
        },
    }
}


def test_an_assembly_says_account_construct_and_nested_templates():
    found, problems = load_files(
        {
            "cdk.out/manifest.json": json.dumps(MANIFEST),
            "cdk.out/App.template.json": json.dumps(APP),
            "cdk.out/AppNested.nested.template.json": json.dumps(
                {"Resources": {"Inner": {"Type": "AWS::IAM::Role"}}}
            ),
        }
    )
    assert not problems
    roles = {resource.address: resource for resource in found}
    assert set(roles) == {"Role1A2B", "Nested", "Nested.Inner"}
    role = roles["Role1A2B"]
    assert role.text("construct_path") == "App/Role/Resource"
    assert roles["Nested"].text("construct_path") == "App/Nested"
    assert role.text("description") == "111122223333"
    assert role.provider.account_ids == ("111122223333",)
    assert "prod-app" in role.deployment.hints


@pytest.mark.parametrize(
    "manifest", ["", "[1]", "{", '{"artifacts": {"a": 1, "b": {"type": "x"}}}']
)
def test_a_manifest_that_is_none_does_no_harm(manifest):
    files = {"m/manifest.json": manifest, "m/t.template.json": json.dumps(APP)}
    found, _ = load_files(files)
    assert "Role1A2B" in {resource.address for resource in found}


@given(
    st.lists(st.sampled_from(["a", "b", "ab", None]), max_size=5),
    st.text(alphabet="ab", max_size=8),
)
def test_a_name_with_holes_fits_what_a_pattern_fits(pieces, text):
    span = SourceFile("t", b"").whole()
    parts = [
        Fragment(piece, span) if piece is not None else Unknown(Reason.PARAMETER, "x", span)
        for piece in pieces
    ]
    pattern = "".join(".+" if piece is None else piece for piece in pieces)
    assert fits(parts, text) is (re.fullmatch(pattern, text) is not None)
