"""The graph of templates: the same edges that Terraform's resources give."""

from __future__ import annotations

from pathlib import Path

from template_files import load, load_files

from iam_preflight.graph.build import build_graph
from iam_preflight.settings import Settings

FIXTURES = Path(__file__).parents[2] / "fixtures" / "cloudformation"


def graph_of(text):
    resources, _ = load(text)
    return build_graph(resources, Settings())


def principals(graph):
    return {principal.resource.address: principal for principal in graph.principals}


def held(principal):
    return [
        (attachment.policy.name, [str(a) for a in attachment.assumptions])
        for attachment in principal.attachments
    ]


def test_the_identity_fixture_is_joined():
    found = principals(graph_of((FIXTURES / "plain" / "identity.yaml").read_text()))
    role, group, user = found["Deployer"], found["Developers"], found["Developer"]
    assert sorted(held(role)) == [
        ("AdministratorAccess", ["not (IsProd)"]),
        ("ReadOnlyAccess", []),
        ("artifacts", []),
        ("logs", []),
    ]
    assert role.trust is not None
    assert role.boundary.policy.resource.address == "Boundary"
    assert sorted(held(group)) == [("assume-deployer", []), ("logs", [])]
    assert [membership.group for membership in user.memberships] == [group]
    assert role.tags.text("Owner") == "platform"


def test_a_sam_function_runs_as_its_role():
    graph = graph_of((FIXTURES / "sam" / "functions.yaml").read_text())
    role = principals(graph)["MixedRole"]
    assert [workload.resource.address for workload in role.workloads] == ["Mixed"]
    names = {name for name, _ in held(role)}
    assert {"AmazonS3ReadOnlyAccess", "MixedRolePolicy3"} <= names


def test_an_instance_runs_as_the_role_of_its_profile():
    graph = graph_of("""
        Resources:
          Role: {Type: "AWS::IAM::Role"}
          Profile: {Type: "AWS::IAM::InstanceProfile", Properties: {Roles: [!Ref Role]}}
          Server: {Type: "AWS::EC2::Instance", Properties: {IamInstanceProfile: !Ref Profile}}
        """)
    assert [w.resource.address for w in principals(graph)["Role"].workloads] == ["Server"]


def test_a_permission_set_holds_its_policies():
    graph = graph_of("""
        Resources:
          Set:
            Type: AWS::SSO::PermissionSet
            Properties:
              Name: Admin
              InstanceArn: i
              ManagedPolicies: ["arn:aws:iam::aws:policy/AdministratorAccess"]
              InlinePolicy: {Statement: [{Effect: Allow, Action: "s3:*", Resource: "*"}]}
        """)
    assert len(principals(graph)["Set"].attachments) == 2


def test_a_policy_of_another_stack_is_attached_through_its_export():
    resources, _ = load_files(
        {
            "policies.yaml": """
                Resources:
                  Policy:
                    Type: AWS::IAM::ManagedPolicy
                    Properties: {PolicyDocument: {Statement: []}}
                Outputs:
                  Arn: {Value: !Ref Policy, Export: {Name: shared-policy}}
                """,
            "roles.yaml": """
                Resources:
                  Role:
                    Type: AWS::IAM::Role
                    Properties: {ManagedPolicyArns: [!ImportValue shared-policy]}
                """,
        }
    )
    graph = build_graph(resources, Settings())
    (attachment,) = principals(graph)["Role"].attachments
    assert attachment.policy.resource.deployment.path == "policies.yaml"
