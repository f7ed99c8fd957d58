"""SAM templates: what they become, and that it stands where it was written."""

from __future__ import annotations

from pathlib import Path

import pytest
from template_files import load, load_files, shown

from iam_preflight.cloudformation.sam_policies import policy_templates
from iam_preflight.policy.read import read_policy
from iam_preflight.values import Reference, blocks_of, items_of, show, text_of

FIXTURES = Path(__file__).parents[2] / "fixtures" / "cloudformation" / "sam"


def sam(name):
    found, problems = load((FIXTURES / f"{name}.yaml").read_text())
    assert not problems
    return {f"{r.type} {r.address}": r for r in found}


def managed(role):
    return [show(item).rpartition("/")[2] for _, item in items_of(role.get("managed_policy_arns"))]


def inline(role):
    """Name of each inline policy of a role with its actions."""
    policies = {}
    for _, block in blocks_of(role.get("inline_policy")):
        document = read_policy(block.get("policy"))
        actions = [action.text for s in document.statements for action in s.actions]
        policies[text_of(block.get("name"))] = actions
    return policies


def services(role):
    (statement,) = read_policy(role.get("assume_role_policy")).statements
    return [str(principal) for principal in statement.principals]


# ---------------------------------------------------------------- functions


def test_a_function_runs_with_a_role_of_its_own():
    made = sam("functions")
    function, role = made["aws_lambda_function Plain"], made["aws_iam_role PlainRole"]
    assert function.get("role").reference == Reference("PlainRole", "arn")
    assert services(role) == ["lambda.amazonaws.com"]
    assert managed(role) == ["AWSLambdaBasicExecutionRole"]
    assert show(role.get("permissions_boundary")).endswith(":policy/boundary")
    assert show(role.get("tags")) == '{"lambda:createdBy":"SAM","Owner":"platform"}'
    assert function.native_type == role.native_type.replace("IAM::Role", "Serverless::Function")
    assert show(function.get("environment")).startswith('{"variables":{"STAGE":')


def test_policies_may_be_names_documents_templates_and_conditional():
    role = sam("functions")["aws_iam_role MixedRole"]
    assert managed(role)[:4] == [
        "AWSLambdaBasicExecutionRole",
        "AWSXrayWriteOnlyAccess",
        "AWSLambdaVPCAccessExecutionRole",
        "AWSLambdaBasicExecutionRole",
    ]
    arms = role.get("managed_policy_arns").items[-1]
    assert [given for given, _ in shown(arms)] == [["IsProd"], ["not (IsProd)"]]
    policies = inline(role)
    assert "s3:GetObject" in policies["MixedRolePolicy3"]
    assert "dynamodb:PutItem" in policies["MixedRolePolicy4"]
    assert policies["MixedRolePolicy6"] == ["sqs:SendMessage"]
    assert policies["MixedRolePolicy8"] == ["s3:*"]


def test_each_policy_stands_where_it_is_written():
    role = sam("functions")["aws_iam_role MixedRole"]
    places = {}
    for _, block in blocks_of(role.get("inline_policy")):
        (statement, *_) = read_policy(block.get("policy")).statements
        places[text_of(block.get("name"))] = statement.actions[0].span.text
    assert places["MixedRolePolicy3"] == "S3ReadPolicy"
    assert places["MixedRolePolicy6"] == "sqs:SendMessage"
    (document,) = [b for _, b in blocks_of(role.get("inline_policy"))][:1]
    (statement, *_) = read_policy(document.get("policy")).statements
    assert "uploads-" in statement.resources[0].text
    assert role.header.text == "Mixed"


def test_trust_and_path_of_the_role_may_be_given():
    role = sam("functions")["aws_iam_role OwnTrustRole"]
    assert services(role) == ["lambda.amazonaws.com", "edgelambda.amazonaws.com"]
    assert role.text("path") == "/apps/"
    assert [str(a) for a in role.assumptions] == ["IsProd"]


def test_a_function_with_a_role_gets_none():
    made = sam("functions")
    assert "aws_iam_role OwnRoleRole" not in made
    assert made["aws_lambda_function OwnRole"].get("role").reference == Reference("Role", "arn")


def test_a_role_that_may_be_missing_is_made_for_that_case():
    made = sam("functions")
    assert [str(a) for a in made["aws_iam_role MaybeOwnRoleRole"].assumptions] == ["not (IsProd)"]
    role = made["aws_lambda_function MaybeOwnRole"].get("role")
    assert [text.rpartition("/")[2] for _, text in shown(role)] == [
        "«Role.name»",
        "«MaybeOwnRoleRole.name»",
    ]


def test_where_a_function_sends_what_it_may_send():
    made = sam("functions")
    assert inline(made["aws_iam_role SendingRole"]) == {
        "DeadLetterQueuePolicy": ["sqs:SendMessage"],
        "SendingEventInvokeConfigOnSuccessSNSPolicy": ["sns:publish"],
        "SendingEventInvokeConfigOnFailureS3Policy": ["s3:PutObject", "s3:ListBucket"],
    }
    assert "aws_sns_topic SendingEventInvokeConfigOnSuccessTopic" in made
    assert made["AWS::Lambda::Version SendingVersion"]


def test_a_url_without_authorization_is_a_public_permission():
    made = sam("functions")
    permission = made["aws_lambda_permission PublicUrlUrlPublicPermissions"]
    assert (permission.text("principal"), permission.text("function_url_auth_type")) == (
        "*",
        "NONE",
    )
    assert permission.get("function_name").reference == Reference("PublicUrl", "function_name")
    assert permission.header.text == "NONE"
    assert made["aws_lambda_function_url SignedUrlUrl"].text("authorization_type") == "AWS_IAM"
    assert "aws_lambda_permission SignedUrlUrlPublicPermissions" not in made


# ---------------------------------------------------------------- events


@pytest.mark.parametrize(
    ("address", "principal"),
    [
        ("PushedDailyPermission", "events.amazonaws.com"),
        ("PushedChangedPermission", "events.amazonaws.com"),
        ("PushedUploadedPermission", "s3.amazonaws.com"),
        ("PushedPublishedPermission", "sns.amazonaws.com"),
        ("PushedSkillPermission", "alexa-appkit.amazon.com"),
        ("PushedDevicePermission", "iot.amazonaws.com"),
        ("PushedCognitoPermission", "cognito-idp.amazonaws.com"),
        ("PushedLoggedPermission", "logs.amazonaws.com"),
        ("PushedGetPermissionProd", "apigateway.amazonaws.com"),
        ("PushedAnyPermissionlive", "apigateway.amazonaws.com"),
        ("PushedDefaultPermission", "apigateway.amazonaws.com"),
    ],
)
def test_who_pushes_may_invoke(address, principal):
    permission = sam("events")[f"aws_lambda_permission {address}"]
    assert permission.text("principal") == principal
    assert permission.text("action") == "lambda:InvokeFunction"
    assert permission.get("function_name").reference == Reference("Pushed", "function_name")


def test_a_default_route_needs_no_permission_beside_it():
    assert "aws_lambda_permission PushedHttpPermission" not in sam("events")


def test_what_is_polled_is_on_the_role():
    made = sam("events")
    assert managed(made["aws_iam_role PollingRole"]) == [
        "AWSLambdaBasicExecutionRole",
        "AWSLambdaKinesisExecutionRole",
        "AWSLambdaDynamoDBExecutionRole",
        "AWSLambdaSQSQueueExecutionRole",
        "AWSLambdaMSKExecutionRole",
    ]
    assert inline(made["aws_iam_role PollingRole"]) == {
        "PollingTableSQSPolicy": ["sqs:SendMessage"],
        "MSKExecutionRolePolicy": ["secretsmanager:GetSecretValue"],
    }
    assert inline(made["aws_iam_role BrokerRole"]) == {
        "SamAutoGeneratedAMQPolicy": [
            "secretsmanager:GetSecretValue",
            "mq:DescribeBroker",
            "kms:Decrypt",
        ]
    }
    assert (
        "ec2:CreateNetworkInterface"
        in inline(made["aws_iam_role OwnKafkaRole"])["SelfManagedKafkaExecutionRolePolicy"]
    )


def test_a_scheduler_has_a_role():
    made = sam("events")
    role = made["aws_iam_role PushedHourlyRole"]
    assert services(role) == ["scheduler.amazonaws.com"]
    assert inline(role) == {"PushedHourlyLambdaPolicy": ["lambda:InvokeFunction"]}
    assert role.text("permissions_boundary") == "arn:aws:iam::111122223333:policy/boundary"
    assert role.header.text == "Hourly"
    schedule = made["aws_scheduler_schedule PushedHourly"]
    (target,) = [block for _, block in blocks_of(schedule.get("target"))]
    assert target.get("role_arn").reference == Reference("PushedHourlyRole", "arn")


def test_a_state_machine_and_what_starts_it():
    made = sam("machines")
    role = made["aws_iam_role MachineRole"]
    assert services(role) == ["states.amazonaws.com"]
    assert managed(role) == ["AWSXrayWriteOnlyAccess"]
    assert role.text("path") == "/machines/"
    assert inline(role)["MachineRolePolicy0"] == ["lambda:InvokeFunction"]
    for event, service in (("Nightly", "events"), ("Hourly", "scheduler"), ("Post", "apigateway")):
        starter = made[f"aws_iam_role Machine{event}Role"]
        assert services(starter) == [f"{service}.amazonaws.com"]
        assert ["states:StartExecution"] in inline(starter).values()
    assert made["aws_sfn_state_machine Machine"].text("name") == "orders"
    assert "aws_iam_role OwnRoleRole" not in made
    own = made["aws_sfn_state_machine OwnRole"]
    assert own.get("role_arn").reference == Reference("Role", "arn")


# ---------------------------------------------------------------- connectors and APIs


def test_connectors_give_what_the_connection_takes():
    made = sam("connectors")
    policy = made["aws_iam_policy WriterToTablePolicy"]
    actions = {a.text for s in read_policy(policy.get("policy")).statements for a in s.actions}
    assert {"dynamodb:GetItem", "dynamodb:PutItem"} <= actions
    attachment = made["aws_iam_role_policy_attachment WriterToTablePolicy"]
    assert attachment.get("role").reference == Reference("WriterRole", "name")
    assert policy.header.text == "Table" or "Table" in policy.header.text
    assert made["aws_sqs_queue_policy TopicToQueueQueuePolicy"]
    assert made["aws_sns_topic_policy RuleToTopicTopicPolicy"]
    machine = made["aws_iam_role_policy_attachment RuleToMachinePolicy"]
    assert machine.get("role").reference == Reference("RuleRole", "name")
    permission = made["aws_lambda_permission BucketToReaderWriteLambdaPermission"]
    assert permission.text("principal") == "s3.amazonaws.com"


def test_authorizers_may_be_invoked():
    made = sam("apis")
    assert made["aws_lambda_permission RestOwnAuthorizerPermission"]
    assert made["aws_lambda_permission HttpOwnAuthorizerPermission"]
    assert "aws_lambda_permission RestQuietAuthorizerPermission" not in made


def test_a_graphql_api_reads_its_sources_with_roles():
    made = sam("apis")
    assert services(made["aws_iam_role GraphCloudWatchRole"]) == ["appsync.amazonaws.com"]
    attachment = made[
        "aws_iam_role_policy_attachment GraphItemsDynamoDBDataSourceToTableConnectorPolicy"
    ]
    assert attachment.get("role").reference == Reference("GraphItemsDynamoDBDataSourceRole", "name")


def test_the_resource_policy_of_an_api_is_its_policy():
    found, _ = load("""
        Transform: AWS::Serverless-2016-10-31
        Resources:
          Api:
            Type: AWS::Serverless::Api
            Properties:
              StageName: x
              Auth:
                ResourcePolicy:
                  CustomStatements:
                    - {Effect: Allow, Principal: "*", Action: "execute-api:Invoke", Resource: "*"}
                  AwsAccountWhitelist: ["111122223333"]
                  IpRangeBlacklist: [10.0.0.0/8]
                  SourceVpcWhitelist: [vpc-1]
        """)
    (api,) = [resource for resource in found if resource.type == "aws_api_gateway_rest_api"]
    statements = read_policy(api.get("policy")).statements
    shape = [
        (s.effect.value, [str(p) for p in s.principals], len(s.conditions)) for s in statements
    ]
    assert shape == [
        ("Allow", ["*"], 0),
        ("Allow", ["111122223333"], 0),
        ("Allow", ["*"], 0),
        ("Deny", ["*"], 1),
        ("Allow", ["*"], 0),
        ("Deny", ["*"], 1),
    ]


# ---------------------------------------------------------------- globals, templates, oddities


def test_globals_lie_beneath_what_a_resource_says():
    found, _ = load("""
        Transform: AWS::Serverless-2016-10-31
        Globals:
          Function:
            Environment: {Variables: {A: 1, B: 2}}
            Layers: [one]
            PermissionsBoundary: everywhere
            RolePath: /g/
        Resources:
          F:
            Type: AWS::Serverless::Function
            Properties: {Environment: {Variables: {B: 3}}, Layers: [two], RolePath: /f/}
          G: {Type: "AWS::Serverless::Function", IgnoreGlobals: [PermissionsBoundary]}
          H: {Type: "AWS::Serverless::Function", IgnoreGlobals: "*"}
        """)
    made = {f"{r.type} {r.address}": r for r in found}
    function = made["aws_lambda_function F"]
    assert show(function.get("environment")) == '{"variables":{"A":1,"B":3}}'
    assert show(function.get("layers")) == '["one","two"]'
    roles = [made[f"aws_iam_role {name}Role"] for name in "FGH"]
    assert [role.text("path") for role in roles] == ["/f/", "/g/", None]
    assert [role.text("permissions_boundary") for role in roles] == ["everywhere", None, None]


@pytest.mark.parametrize("name", sorted(policy_templates()))
def test_every_policy_template_makes_statements(name):
    parameters = ", ".join(f"{p}: value" for p in policy_templates()[name].parameters)
    found, problems = load(f"""
        Transform: AWS::Serverless-2016-10-31
        Resources:
          F:
            Type: AWS::Serverless::Function
            Properties: {{Policies: [{{{name}: {{{parameters}}}}}]}}
        """)
    assert not problems
    (role,) = [resource for resource in found if resource.type == "aws_iam_role"]
    (block,) = [block for _, block in blocks_of(role.get("inline_policy"))]
    document = read_policy(block.get("policy"))
    assert document.statements
    assert not document.problems
    assert {hole.label for hole in document.holes} <= {
        "AWS::Partition",
        "AWS::Region",
        "AWS::AccountId",
    }


def test_a_policy_template_that_nobody_knows_is_a_hole():
    found, _ = load("""
        Resources:
          F:
            Type: AWS::Serverless::Function
            Properties: {Policies: [{NewPolicy: {A: b}}, S3ReadPolicy: {}]}
        """)
    (role,) = [resource for resource in found if resource.type == "aws_iam_role"]
    first, second = (block.get("policy") for _, block in blocks_of(role.get("inline_policy")))
    assert "SAM policy" in show(first)
    assert "BucketName of a policy template" in show(second)


def test_generated_names_can_be_referred_to():
    found, _ = load("""
        Resources:
          F: {Type: "AWS::Serverless::Function", Properties: {AutoPublishAlias: live}}
          R:
            Type: AWS::IAM::Role
            Properties:
              Description: !Sub "${FRole.Arn} ${F.Alias} ${F.Version}"
              RoleName: !Ref F.Alias
        """)
    role = next(resource for resource in found if resource.address == "R")
    assert "«FRole.name»" in show(role.get("description"))
    assert role.get("name").reference.address == "FAliaslive"


def test_serverless_resources_in_loops_and_nested_stacks():
    found, _ = load_files(
        {
            "parent.yaml": """
                Resources:
                  App: {Type: "AWS::Serverless::Application", Properties: {Location: app.yaml}}
                """,
            "app.yaml": """
                Resources:
                  Fn::ForEach::All:
                    - Name
                    - [A, B]
                    - Function${Name}:
                        Type: AWS::Serverless::Function
                        Properties: {Policies: [S3ReadPolicy: {BucketName: !Sub "x-${Name}"}]}
                """,
        }
    )
    roles = {r.address: r for r in found if r.type == "aws_iam_role"}
    assert list(roles) == ["App.FunctionARole", "App.FunctionBRole"]
    assert "x-B" in show(roles["App.FunctionBRole"].get("inline_policy"))
