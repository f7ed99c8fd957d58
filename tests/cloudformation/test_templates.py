"""Which files are templates, and what is said about those that are broken."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from template_files import load, load_files

from iam_preflight.errors import ProblemKind

SILENT = {
    "kubernetes": """
        apiVersion: v1
        kind: ConfigMap
        metadata: {name: x}
        data:
          template: |
            AWSTemplateFormatVersion: "2010-09-09"
            Resources: {R: {Type: "AWS::IAM::Role"}}
        """,
    "helm": """
        {{- if .Values.enabled }}
        apiVersion: v1
        kind: ServiceAccount
        metadata:
          annotations:
            eks.amazonaws.com/role-arn: arn:aws:iam::111122223333:role/x
        {{- end }}
        Resources:
          a: b
        """,
    "workflow": """
        on: push
        jobs:
          build:
            steps:
              - run: aws cloudformation deploy --template-file x.yaml # AWS::IAM::Role
        """,
    "openapi": """
        openapi: 3.0.1
        paths: {/: {get: {x-amazon-apigateway-integration: {uri: "arn:aws:apigateway::x"}}}}
        components: {schemas: {Resources: {Type: "AWS::Thing::Else"}}}
        """,
    "compose": "services: {a: {image: b}}\n",
    "list": "- Resources: {R: {Type: 'AWS::IAM::Role'}}\n",
    "resources of something else": "Resources: {R: {kind: 'x::y'}}\n",
    "tabs": "\tResources:\n\t\tx: ::\n",
    "empty": "",
}


@pytest.mark.parametrize("name", SILENT)
def test_other_files_are_passed_over(name):
    assert load(SILENT[name]) == ([], [])


@pytest.mark.parametrize(
    "text",
    [
        'Resources: {R: {Type: "AWS::IAM::Role"}}\n',
        '{"Resources":{"R":{"Type":"AWS::IAM::Role"}}}',
        '{"AWSTemplateFormatVersion":"2010-09-09","Resources":\n{"R" : {"Type":"AWS::IAM::Role"}}}',
        '{"Resources": {"R": {"Type": "AWS::IAM::Role",},},}',
        "\ufeffResources:\r\n  R:\r\n    Type: AWS::IAM::Role\r\n",
        "---\nResources:\n  R:\n    Type: 'AWS::IAM::Role'\n...\n",
    ],
)
def test_templates_are_found_however_they_are_written(text):
    resources, problems = load(text)
    assert [resource.type for resource in resources] == ["aws_iam_role"]
    assert not problems


def test_templates_in_another_encoding_are_found():
    text = "Resources:\n  R:\n    Type: AWS::IAM::Role\n"
    for encoding in ("utf-16", "utf-16-le"):
        data = text.encode(encoding)
        resources, problems = load(data if encoding == "utf-16" else b"\xff\xfe" + data)
        assert [resource.address for resource in resources] == ["R"]
        assert not problems


def test_every_document_of_a_file_is_a_stack():
    document = 'Resources: {%s: {Type: "AWS::IAM::Role"}}'
    resources, _ = load(f"{document % 'A'}\n---\nkind: other\n---\n{document % 'B'}\n")
    assert [(r.address, r.deployment.path) for r in resources] == [
        ("A", "template.yaml"),
        ("B", "template.yaml#2"),
    ]


@pytest.mark.parametrize(
    ("text", "place", "kind"),
    [
        (
            "AWSTemplateFormatVersion: '2010-09-09'\nResources:\n  R: {Type: AWS::IAM::Role\n",
            "template.yaml:3:6",
            ProblemKind.SYNTAX,
        ),
        (
            "Resources:\n  R:\n    Type: AWS::IAM::Role\n   Properties: {}\n",
            "template.yaml:4:4",
            ProblemKind.SYNTAX,
        ),
        (
            '{"Resources": {"R": {"Type": "AWS::IAM::Role"}}',
            "template.yaml:1:1",
            ProblemKind.SYNTAX,
        ),
        (
            "AWSTemplateFormatVersion: x\nResources: *nowhere\nA: AWS::IAM::Role",
            "template.yaml:2:12",
            ProblemKind.SYNTAX,
        ),
        (
            "AWSTemplateFormatVersion: x\nResources: " + "[" * 300 + "\n  A: AWS::IAM::Role",
            "template.yaml:2:211",
            ProblemKind.LIMIT,
        ),
    ],
)
def test_a_broken_template_is_named_with_its_place(text, place, kind):
    resources, problems = load(text)
    assert not resources
    assert [(str(p.span), p.kind) for p in problems] == [(place, kind)]
    assert problems[0].fails_the_scan


def test_a_key_that_is_there_twice_is_a_warning():
    resources, problems = load("""
        Resources:
          R: {Type: "AWS::IAM::Role", Properties: {RoleName: a, RoleName: b}}
        """)
    assert resources[0].text("name") == "b"
    assert [(p.kind, p.fails_the_scan) for p in problems] == [(ProblemKind.EVALUATION, False)]


def test_only_what_is_wanted_is_made():
    text = 'Resources: {R: {Type: "AWS::IAM::Role"}, U: {Type: "AWS::IAM::User"}}'
    asked = []

    def is_wanted(name):
        asked.append(name)
        return name == "aws_iam_user"

    resources, _ = load_files({"t.yaml": text}, is_wanted=is_wanted)
    assert [resource.address for resource in resources] == ["U"]
    assert "aws_iam_role" in asked


@pytest.mark.parametrize(
    "resources",
    [
        "R: x",
        "R: [a]",
        "R:",
        "R: {Type: 5}",
        'R: {Type: "AWS::IAM::Role", Properties: [a]}',
        'R: {Type: "AWS::IAM::Role", Properties: x, Condition: [a], Metadata: y}',
        'R: {Type: "AWS::IAM::Role", Properties: {Policies: x, Tags: y}}',
        'R: {Type: "AWS::IAM::Policy", Properties: {Roles: x, PolicyDocument: [y]}}',
        'R: {Type: "AWS::IAM::User", Properties: {Groups: {a: b}, LoginProfile: x, Policies: 3}}',
        'R: {Type: "AWS::Serverless::Function", Properties: {Events: x, Policies: {a: b, c: d}}}',
        'R: {Type: "AWS::Serverless::Function", Properties: {Events: {E: {Type: Api}, F: 5}}}',
        'R: {Type: "AWS::Serverless::Connector", Properties: {Source: x}}',
        'R: {Type: "AWS::CloudFormation::Stack", Properties: {TemplateURL: [a]}}',
        '"Fn::ForEach::L": x',
        '"Fn::ForEach::L": [a, b, c]',
        '"Fn::Transform": {Name: Mine}',
    ],
)
def test_nonsense_is_survived(resources):
    text = "AWSTemplateFormatVersion: x\nParameters: y\nMappings: [z]\nConditions: 1\nOutputs: q\n"
    found, _ = load(f'{text}Resources:\n  {resources}\n  Z: {{Type: "AWS::IAM::Role"}}\n')
    assert "Z" in {resource.address for resource in found}
    for resource in found:
        for name in resource.attributes.entries:
            assert resource.attributes.entries[name] is not None


WORDS = """
a Ref Fn::If Fn::ForEach::L Type Properties Condition Policies Roles PolicyDocument Statement
Events Source Destination Tags Key Id
"""
TYPES = """
AWS::IAM::Role AWS::IAM::User AWS::IAM::Policy AWS::S3::Bucket AWS::X::Y
AWS::Serverless::Function AWS::Serverless::StateMachine AWS::Serverless::Api
AWS::Serverless::Connector AWS::Serverless::GraphQLApi AWS::CloudFormation::StackSet
"""
words = st.sampled_from(WORDS.split())
types = st.sampled_from(TYPES.split())
nonsense = st.recursive(
    st.none() | st.booleans() | st.integers(0, 3) | words | st.just("AWS::NoValue"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=10,
)


@settings(max_examples=300, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["A", "B", "C"]),
        st.builds(lambda kind, rest: {"Type": kind, "Properties": rest}, types, nonsense),
        max_size=3,
    ),
    st.dictionaries(
        st.sampled_from(
            ["Parameters", "Conditions", "Mappings", "Outputs", "Globals", "Transform"]
        ),
        nonsense,
        max_size=3,
    ),
)
def test_no_template_crashes_the_front_end(resources, sections):
    text = json.dumps({"AWSTemplateFormatVersion": "x", **sections, "Resources": resources})
    found, _ = load(text)
    for resource in found:
        for name in resource.attributes.entries:
            assert resource.attributes.entries[name] is not None
