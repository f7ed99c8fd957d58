"""CloudFormation's resources in Terraform's names, one test for each way they differ."""

from __future__ import annotations

import pytest
from template_files import load, resources_of, shown

from iam_preflight.cloudformation.names import names_of, snake_case
from iam_preflight.knowledge.resource_types import resource_types
from iam_preflight.policy.read import read_policy
from iam_preflight.values import Reference, items_of, show, text_of


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("RoleName", "role_name"),
        ("KMSKeyId", "kms_key_id"),
        ("IAMRoleARN", "iam_role_arn"),
        ("S3BucketName", "s3_bucket_name"),
        ("DBInstanceClass", "db_instance_class"),
        ("aws:username", "aws:username"),
        ("already_snake", "already_snake"),
        ("X", "x"),
    ],
)
def test_names_are_spelled_as_terraform_does(name, expected):
    assert snake_case(name) == expected


def test_no_type_loses_its_policy_by_getting_terraforms_name():
    types = resource_types()
    for native in types.policy:
        names = names_of(native)
        carriers = {names.type, *(rule.type for rule in names.derived)}
        # the provider has no attribute for the session policy of a pod identity yet
        assert carriers & types.policy.keys() or native == "AWS::EKS::PodIdentityAssociation"


def test_no_type_loses_its_role_by_getting_terraforms_name():
    types = resource_types()
    for native in types.role:
        names = names_of(native)
        carriers = {names.type, *(rule.type for rule in names.derived)}
        is_iam = native.startswith("AWS::IAM::")
        assert is_iam or carriers & types.role.keys() or native in WITHOUT_ROLE


WITHOUT_ROLE = {
    "AWS::CloudTrail::EventDataStore",
    "AWS::Cognito::IdentityPool",
    "AWS::EFS::FileSystem",
    "AWS::SecretsManager::RotationSchedule",
}
"""Types that rules read for other reasons; their role attributes are CloudFormation's alone."""


# ---------------------------------------------------------------- IAM


def test_a_policy_is_one_inline_policy_for_each_holder():
    found, _ = load("""
        Resources:
          R: {Type: "AWS::IAM::Role"}
          P:
            Type: AWS::IAM::Policy
            Properties:
              PolicyName: p
              Roles: [!Ref R, other]
              Users: [u]
              Groups: [g]
              PolicyDocument: {Statement: {Effect: Allow, Action: "s3:*", Resource: "*"}}
        """)
    made = [r for r in found if r.address == "P"]
    holders = {"aws_iam_role_policy": "role", "aws_iam_user_policy": "user"}
    holders["aws_iam_group_policy"] = "group"
    assert [(r.type, show(r.get(holders[r.type]))) for r in made] == [
        ("aws_iam_role_policy", "«R»"),
        ("aws_iam_role_policy", "other"),
        ("aws_iam_user_policy", "u"),
        ("aws_iam_group_policy", "g"),
    ]
    for resource in made:
        assert resource.native_type == "AWS::IAM::Policy"
        assert resource.text("name") == "p"
        assert len(read_policy(resource.get("policy")).statements) == 1
        assert str(resource.header) == "template.yaml:4:3"


def test_a_policy_whose_holders_are_not_known_is_still_a_policy():
    found, _ = load("""
        Parameters: {Roles: {Type: CommaDelimitedList}}
        Resources:
          P:
            Type: AWS::IAM::Policy
            Properties: {Roles: !Ref Roles, PolicyDocument: {Statement: []}}
          Q:
            Type: AWS::IAM::Policy
            Properties: {PolicyDocument: {Statement: []}}
        """)
    assert [(r.address, r.type, show(r.get("role"))) for r in found] == [
        ("P", "aws_iam_role_policy", "«Roles»"),
        ("Q", "aws_iam_role_policy", ""),
    ]


def test_a_managed_policy_is_attached_to_whom_it_names():
    found = resources_of("""
        Resources:
          P:
            Type: AWS::IAM::ManagedPolicy
            Properties:
              ManagedPolicyName: p
              Roles: [ci]
              PolicyDocument: {Statement: []}
        """)
    assert found["aws_iam_policy P"].text("name") == "p"
    attachment = found["aws_iam_role_policy_attachment P"]
    assert attachment.text("role") == "ci"
    assert attachment.get("policy_arn").reference == Reference("P", "arn")


def test_a_user_is_its_policies_groups_and_login():
    found = resources_of("""
        Resources:
          G: {Type: "AWS::IAM::Group", Properties: {GroupName: g, ManagedPolicyArns: [arn]}}
          U:
            Type: AWS::IAM::User
            Properties:
              UserName: u
              Groups: [!Ref G]
              ManagedPolicyArns: ["arn:aws:iam::aws:policy/ReadOnlyAccess"]
              Policies: [{PolicyName: i, PolicyDocument: {Statement: []}}]
              LoginProfile: {Password: "{{resolve:secretsmanager:x}}"}
              PermissionsBoundary: b
          K: {Type: "AWS::IAM::AccessKey", Properties: {UserName: !Ref U}}
          A: {Type: "AWS::IAM::UserToGroupAddition", Properties: {GroupName: g, Users: [u, v]}}
        """)
    assert found["aws_iam_user U"].text("permissions_boundary") == "b"
    assert found["aws_iam_user_policy U"].text("user") == "u"
    assert found["aws_iam_user_policy_attachment U"].text("policy_arn").endswith("ReadOnlyAccess")
    assert found["aws_iam_user_login_profile U"].get("user").reference == Reference("U", "name")
    membership = found["aws_iam_user_group_membership U"]
    (group,) = [item for _, item in items_of(membership.get("groups"))]
    assert group.reference == Reference("G", "name")
    assert found["aws_iam_group_policy_attachment G"].text("group") == "g"
    assert found["K"].get("user").reference == Reference("U", "name")
    assert [text_of(item) for _, item in items_of(found["A"].get("users"))] == ["u", "v"]
    assert found["A"].type == "aws_iam_group_membership"


def test_parts_stand_at_their_property():
    found = resources_of("""
        Resources:
          U:
            Type: AWS::IAM::User
            Properties:
              LoginProfile:
                Password: x
        """)
    login = found["aws_iam_user_login_profile U"]
    assert login.header.text == "LoginProfile"
    assert login.span.text == "Password: x"


def test_an_attachment_that_may_be_is_assumed():
    found, _ = load("""
        Parameters: {Env: {Type: String}}
        Conditions: {IsDev: !Equals [!Ref Env, dev]}
        Resources:
          U:
            Type: AWS::IAM::User
            Condition: IsDev
            Properties:
              ManagedPolicyArns:
                - a
                - !If [IsDev, b, c]
          V:
            Type: AWS::IAM::User
            Properties:
              ManagedPolicyArns: [!If [IsDev, b, !Ref "AWS::NoValue"]]
        """)
    attached = [
        (r.address, r.text("policy_arn"), [str(a) for a in r.assumptions])
        for r in found
        if r.type == "aws_iam_user_policy_attachment"
    ]
    assert attached == [("U", "a", ["IsDev"]), ("U", "b", ["IsDev"]), ("V", "b", ["IsDev"])]


def test_a_profile_names_its_role():
    found = resources_of("""
        Resources:
          R: {Type: "AWS::IAM::Role"}
          P: {Type: "AWS::IAM::InstanceProfile", Properties: {Roles: [!Ref R]}}
          I: {Type: "AWS::EC2::Instance", Properties: {IamInstanceProfile: !Ref P}}
        """)
    assert found["I"].type == "aws_instance"
    assert found["I"].get("iam_instance_profile").reference == Reference("P", "name")
    (role,) = [item for _, item in items_of(found["P"].get("role"))]
    assert role.reference == Reference("R", "name")


def test_names_that_have_alternatives_are_one_name_with_a_hole():
    found = resources_of("""
        Parameters: {Env: {Type: String, AllowedValues: [dev, prod]}}
        Resources:
          R: {Type: "AWS::IAM::Role", Properties: {RoleName: !Sub "${Env}-ci"}}
          S: {Type: "AWS::IAM::Role", Properties: {Description: !GetAtt R.Arn}}
        """)
    assert show(found["R"].get("name")) == "«Env»-ci"
    assert show(found["S"].get("description")).endswith(":role/«Env»-ci")


# ---------------------------------------------------------------- Identity Center, Organizations


def test_a_permission_set_is_its_policies():
    found = resources_of("""
        Resources:
          S:
            Type: AWS::SSO::PermissionSet
            Properties:
              InstanceArn: i
              Name: Admin
              SessionDuration: PT8H
              ManagedPolicies: ["arn:aws:iam::aws:policy/AdministratorAccess"]
              InlinePolicy: '{"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}'
              CustomerManagedPolicyReferences: [{Name: mine, Path: /}]
              PermissionsBoundary: {ManagedPolicyArn: b}
          A:
            Type: AWS::SSO::Assignment
            Properties: {PermissionSetArn: !GetAtt S.PermissionSetArn, TargetId: "111122223333"}
        """)
    own = Reference("S", "arn")
    assert found["aws_ssoadmin_permission_set S"].text("session_duration") == "PT8H"
    inline = found["aws_ssoadmin_permission_set_inline_policy S"]
    assert inline.get("permission_set_arn").reference == own
    assert inline.text("instance_arn") == "i"
    assert read_policy(inline.get("inline_policy")).statements[0].actions[0].text == "*"
    managed = found["aws_ssoadmin_managed_policy_attachment S"]
    assert managed.text("managed_policy_arn").endswith("AdministratorAccess")
    customer = found["aws_ssoadmin_customer_managed_policy_attachment S"]
    assert show(customer.get("customer_managed_policy_reference")) == '{"name":"mine","path":"/"}'
    boundary = found["aws_ssoadmin_permissions_boundary_attachment S"]
    assert show(boundary.get("permissions_boundary")) == '{"managed_policy_arn":"b"}'
    assert found["A"].type == "aws_ssoadmin_account_assignment"
    assert found["A"].get("permission_set_arn").reference == own


def test_a_control_policy_is_attached_to_its_targets():
    found, _ = load("""
        Resources:
          U: {Type: "AWS::Organizations::OrganizationalUnit", Properties: {Name: u, ParentId: r}}
          P:
            Type: AWS::Organizations::Policy
            Properties:
              Name: p
              Type: SERVICE_CONTROL_POLICY
              Content: {Statement: [{Effect: Deny, Action: "iam:*", Resource: "*"}]}
              TargetIds: [!Ref U, ou-1]
        """)
    policy = next(r for r in found if r.type == "aws_organizations_policy")
    assert read_policy(policy.get("content")).statements[0].actions[0].text == "iam:*"
    attached = [r for r in found if r.type == "aws_organizations_policy_attachment"]
    assert attached[0].get("target_id").reference == Reference("U", "id")
    assert attached[1].text("target_id") == "ou-1"
    assert attached[0].get("policy_id").reference == Reference("P", "id")


# ---------------------------------------------------------------- resource policies and the rest


@pytest.mark.parametrize(
    ("native", "properties", "resource_type", "attribute"),
    [
        ("S3::BucketPolicy", "Bucket: b, PolicyDocument: D", "aws_s3_bucket_policy", "policy"),
        ("SQS::QueuePolicy", "Queues: [q], PolicyDocument: D", "aws_sqs_queue_policy", "policy"),
        ("SNS::TopicPolicy", "Topics: [t], PolicyDocument: D", "aws_sns_topic_policy", "policy"),
        ("KMS::Key", "KeyPolicy: D", "aws_kms_key", "policy"),
        ("ECR::Repository", "RepositoryPolicyText: D", "aws_ecr_repository_policy", "policy"),
        (
            "DynamoDB::Table",
            "ResourcePolicy: {PolicyDocument: D}",
            "aws_dynamodb_resource_policy",
            "policy",
        ),
        (
            "DynamoDB::GlobalTable",
            "Replicas: [{ResourcePolicy: {PolicyDocument: D}}, {Region: x}]",
            "aws_dynamodb_resource_policy",
            "policy",
        ),
        (
            "SecretsManager::ResourcePolicy",
            "SecretId: s, ResourcePolicy: D",
            "aws_secretsmanager_secret_policy",
            "policy",
        ),
        ("Backup::BackupVault", "AccessPolicy: D", "aws_backup_vault_policy", "policy"),
        ("EFS::FileSystem", "FileSystemPolicy: D", "aws_efs_file_system_policy", "policy"),
        ("EC2::VPCEndpoint", "PolicyDocument: D", "aws_vpc_endpoint", "policy"),
        ("ApiGateway::RestApi", "Policy: D", "aws_api_gateway_rest_api", "policy"),
        (
            "ApiGateway::RestApi",
            "Body: {x-amazon-apigateway-policy: D}",
            "aws_api_gateway_rest_api",
            "policy",
        ),
        ("Events::EventBus", "Name: b, Policy: D", "aws_cloudwatch_event_bus_policy", "policy"),
        (
            "Logs::ResourcePolicy",
            "PolicyName: p, PolicyDocument: '{\"Statement\": [S]}'",
            "aws_cloudwatch_log_resource_policy",
            "policy_document",
        ),
        (
            "Lambda::ResourcePolicy",
            "PolicyDocument: D",
            "AWS::Lambda::ResourcePolicy",
            "policy_document",
        ),
        ("Transfer::User", "Policy: D", "aws_transfer_user", "policy"),
        (
            "Redshift::Cluster",
            "NamespaceResourcePolicy: D",
            "aws_redshift_resource_policy",
            "policy",
        ),
    ],
)
def test_documents_are_found_where_the_graph_looks(native, properties, resource_type, attribute):
    statement = '{"Effect": "Allow", "Principal": "*", "Action": "x:y", "Resource": "*"}'
    document = f'{{"Statement": [{statement}]}}'
    body = properties.replace("[S]", f"[{statement}]").replace(": D", f": {document}")
    found = resources_of(f'Resources: {{X: {{Type: "AWS::{native}", Properties: {{{body}}}}}}}')
    resource = found[f"{resource_type} X"]
    uses = resource_types().policy.get(resource_type, {})
    assert attribute in uses
    (read,) = read_policy(resource.get(attribute)).statements
    assert read.actions[0].text == "x:y"


def test_an_event_bus_policy_is_a_statement_or_a_permission():
    found = resources_of("""
        Resources:
          S:
            Type: AWS::Events::EventBusPolicy
            Properties:
              StatementId: s
              Statement: {Effect: Allow, Principal: "*", Action: "events:PutEvents", Resource: "*"}
          P:
            Type: AWS::Events::EventBusPolicy
            Properties: {StatementId: p, Principal: "111122223333", Action: "events:PutEvents"}
        """)
    policy = found["aws_cloudwatch_event_bus_policy S"].get("policy")
    assert read_policy(policy).statements[0].principals[0].kind == "*"
    assert found["aws_cloudwatch_event_permission P"].text("principal") == "111122223333"
    assert "aws_cloudwatch_event_bus_policy P" not in found


def test_a_bucket_is_its_settings():
    found = resources_of("""
        Resources:
          B:
            Type: AWS::S3::Bucket
            Properties:
              BucketName: logs
              AccessControl: PublicRead
              PublicAccessBlockConfiguration: {BlockPublicAcls: true, RestrictPublicBuckets: false}
              VersioningConfiguration: {Status: Enabled}
              BucketEncryption:
                ServerSideEncryptionConfiguration:
                  - ServerSideEncryptionByDefault: {SSEAlgorithm: "aws:kms"}
        """)
    assert found["aws_s3_bucket B"].text("bucket") == "logs"
    assert found["aws_s3_bucket B"].text("acl") == "PublicRead"
    block = found["aws_s3_bucket_public_access_block B"]
    assert (block.text("bucket"), block.text("block_public_acls")) == ("logs", "true")
    assert block.text("restrict_public_buckets") == "false"
    versioning = found["aws_s3_bucket_versioning B"].get("versioning_configuration")
    assert show(versioning) == '{"status":"Enabled"}'
    rule = found["aws_s3_bucket_server_side_encryption_configuration B"].get("rule")
    assert show(rule) == '[{"apply_server_side_encryption_by_default":{"sse_algorithm":"aws:kms"}}]'


def test_nested_objects_are_renamed_and_the_users_own_keys_are_not():
    found = resources_of("""
        Resources:
          F:
            Type: AWS::Lambda::Function
            Properties:
              Code: {ImageUri: i}
              VpcConfig: {SubnetIds: [a]}
              Environment: {Variables: {MyKey: v, other: w}}
          T:
            Type: AWS::EC2::LaunchTemplate
            Properties:
              LaunchTemplateName: t
              LaunchTemplateData:
                IamInstanceProfile: {Arn: p}
                MetadataOptions: {HttpTokens: required}
                UserData: !Base64 "echo hi"
        """)
    assert found["F"].text("image_uri") == "i"
    assert show(found["F"].get("vpc_config")) == '{"subnet_ids":["a"]}'
    assert show(found["F"].get("environment")) == '{"variables":{"MyKey":"v","other":"w"}}'
    assert found["T"].text("name") == "t"
    assert show(found["T"].get("iam_instance_profile")) == '{"arn":"p"}'
    assert show(found["T"].get("metadata_options")) == '{"http_tokens":"required"}'
    assert found["T"].text("user_data") == "echo hi"


def test_tags_are_a_map_with_places():
    (role,), _ = load("""
        Parameters: {Env: {Type: String}, Key: {Type: String}}
        Conditions: {IsDev: !Equals [!Ref Env, dev]}
        Resources:
          R:
            Type: AWS::IAM::Role
            Properties:
              Tags:
                - {Key: Owner, Value: me}
                - {Key: !Ref Key, Value: v}
                - !If [IsDev, {Key: Temp, Value: x}, !Ref "AWS::NoValue"]
        """)
    tags = role.get("tags")
    assert list(tags.entries) == ["Owner", "«Key»", "Temp"]
    assert shown(tags.entries["Temp"]) == [(["IsDev"], "x"), (["not (IsDev)"], "null")]
    assert tags.key_span("Owner").text == "Owner"


def test_types_without_a_counterpart_keep_their_name():
    found = resources_of("""
        Resources:
          C: {Type: "Custom::Thing", Properties: {ServiceToken: t, RoleArn: r}}
          D: {Type: "AWS::DataBrew::Job", Properties: {RoleArn: r}}
        """)
    assert (found["C"].type, found["C"].text("role_arn")) == ("Custom::Thing", "r")
    assert (found["D"].type, found["D"].text("role_arn")) == ("AWS::DataBrew::Job", "r")


def test_metadata_comes_along():
    found = resources_of("""
        Resources:
          R:
            Type: AWS::IAM::Role
            Metadata: {"aws:cdk:path": Stack/Role/Resource, cfn_nag: {rules_to_suppress: []}}
        """)
    assert show(found["R"].get("metadata").get("cfn_nag")) == '{"rules_to_suppress":[]}'
    assert found["R"].text("construct_path") == "Stack/Role/Resource"


def test_loops_in_resources_properties_and_outputs_are_written_out():
    found, problems = load("""
        Transform: AWS::LanguageExtensions
        Parameters: {Envs: {Type: CommaDelimitedList, Default: "dev,pre-prod"}}
        Resources:
          Fn::ForEach::Envs:
            - Env
            - !Ref Envs
            - Fn::ForEach::Kinds:
                - Kind
                - [Read, Write]
                - Role&{Env}${Kind}:
                    Type: AWS::IAM::Role
                    Properties:
                      RoleName: !Sub "${Env}-${Kind}"
                      Description: "for ${Env}"
                      Tags: [{Key: Env, Value: !Ref Env}]
          Other:
            Type: AWS::IAM::Role
            Properties: {Description: !GetAtt [!Sub "Roledev${X}", Arn]}
        """)
    assert not problems
    roles = {r.address: r for r in found}
    assert list(roles) == [
        "RoledevRead",
        "RoledevWrite",
        "RolepreprodRead",
        "RolepreprodWrite",
        "Other",
    ]
    write = roles["RolepreprodWrite"]
    assert write.text("name") == "pre-prod-Write"
    assert write.text("description") == "for pre-prod"
    assert show(write.get("tags")) == '{"Env":"pre-prod"}'


def test_a_loop_over_what_is_not_known_is_one_instance():
    (role,), _ = load("""
        Parameters: {Envs: {Type: CommaDelimitedList}}
        Resources:
          Fn::ForEach::Envs:
            - Env
            - !Ref Envs
            - Role${Env}: {Type: "AWS::IAM::Role", Properties: {RoleName: !Sub "${Env}-ci"}}
        """)
    assert role.address == "Role«Env of Envs»"
    assert show(role.get("name")) == "«Env of Envs»-ci"


@pytest.mark.parametrize("over", ["!Ref Other", "!GetAtt Other.Arn", "!Ref Rolea", "!Ref Nobody"])
def test_a_loop_over_a_resource_is_over_nothing_known(over):
    found, _ = load(f"""
        Resources:
          Fn::ForEach::Envs:
            - Env
            - {over}
            - Role${{Env}}: {{Type: "AWS::IAM::Role"}}
          Other: {{Type: "AWS::IAM::User"}}
        """)
    assert [resource.address for resource in found][1:] == ["Other"]
    assert found[0].address.startswith("Role«Env of ")


def test_a_type_that_refers_to_a_resource_is_none():
    (other,), _ = load("""
        Resources:
          Role: {Type: !Ref Other}
          Other: {Type: "AWS::IAM::User"}
        """)
    assert other.address == "Other"


def test_policies_as_text_have_places_in_the_file():
    (role,), _ = load("""
        Parameters: {Account: {Type: String}}
        Resources:
          R:
            Type: AWS::IAM::Role
            Properties:
              AssumeRolePolicyDocument: !Sub |
                {
                  "Statement": [{
                    "Effect": "Allow",
                    "Action": "sts:AssumeRole",
                    "Principal": {"AWS": "arn:aws:iam::${Account}:root"}
                  }]
                }
        """)
    (statement,) = read_policy(role.get("assume_role_policy")).statements
    assert (str(statement.actions[0].span), statement.actions[0].span.text) == (
        "template.yaml:11:23",
        '"sts:AssumeRole"',
    )
    principal = statement.principals[0]
    assert principal.pattern.text == "arn:aws:iam::«Account»:root"
    assert principal.span.line == 12
    assert statement.span_of("Effect").line == 10


@pytest.mark.parametrize(
    ("collection", "parameters", "names"),
    [
        ("!Ref Names", (), ["«User of Names»"]),
        ("!Ref Names", ("Names=",), []),
        ("!Ref Names", ("Names=a,b",), ["a", "b"]),
        ("[]", (), []),
    ],
)
def test_a_loop_over_a_parameter_that_is_empty_by_default_stands_for_any_number(
    collection, parameters, names
):
    text = f"""
        Transform: AWS::LanguageExtensions
        Parameters: {{Names: {{Type: CommaDelimitedList, Default: ""}}}}
        Resources:
          Fn::ForEach::Users:
            - User
            - {collection}
            - "U${{User}}": {{Type: AWS::IAM::User, Properties: {{UserName: !Ref User}}}}
        """
    found, _ = load(text, *parameters)
    assert [show(user.get("name")) for user in found] == names
