"""Every escalation method works where all its needs are met, and stops when one is taken away.

The configurations are made from the method's own record: an actor with exactly the actions it
asks for, and a target that is an administrator.
"""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING

import pytest

from iam_preflight.knowledge.escalation import (
    Actor,
    Gain,
    Method,
    MethodKind,
    Target,
    escalation_methods,
)
from iam_preflight.registry import load_rules
from iam_preflight.testing import scan_files

if TYPE_CHECKING:
    from iam_preflight.graph.model import Graph, Principal

ADMIN = "arn:aws:iam::aws:policy/AdministratorAccess"

WORKLOADS = {
    "lambda:": 'resource "aws_lambda_function" "x" {\n  function_name = "x"\n  role = ROLE\n}',
    "ec2:CreateLaunchTemplateVersion": 'resource "aws_launch_template" "x" {\n'
    "  iam_instance_profile {\n    name = PROFILE\n  }\n}",
    "ec2:": 'resource "aws_instance" "x" {\n  iam_instance_profile = PROFILE\n}',
    "ec2-instance-connect:": 'resource "aws_instance" "x" {\n  iam_instance_profile = PROFILE\n}',
    "ssm:": 'resource "aws_instance" "x" {\n  iam_instance_profile = PROFILE\n}',
    "cloudformation:UpdateStackSet": 'resource "aws_cloudformation_stack_set" "x" {\n'
    '  name = "x"\n  administration_role_arn = ROLE\n}',
    "cloudformation:": 'resource "aws_cloudformation_stack" "x" {\n  name = "x"\n'
    "  iam_role_arn = ROLE\n}",
    "codebuild:": 'resource "aws_codebuild_project" "x" {\n  name = "x"\n  service_role = ROLE\n}',
    "glue:UpdateDevEndpoint": 'resource "aws_glue_dev_endpoint" "x" {\n  name = "x"\n'
    "  role_arn = ROLE\n}",
    "glue:": 'resource "aws_glue_job" "x" {\n  name = "x"\n  role_arn = ROLE\n}',
    "apprunner:": 'resource "aws_apprunner_service" "x" {\n  service_name = "x"\n'
    "  instance_configuration {\n    instance_role_arn = ROLE\n  }\n}",
    "batch:": 'resource "aws_batch_job_definition" "x" {\n  name = "x"\n  type = "container"\n'
    "  container_properties = jsonencode({ jobRoleArn = ROLE })\n}",
    "sagemaker:CreatePresignedDomainUrl": 'resource "aws_sagemaker_user_profile" "x" {\n'
    '  domain_id = "d-1"\n  user_profile_name = "x"\n'
    "  user_settings {\n    execution_role = ROLE\n  }\n}",
    "sagemaker:": 'resource "aws_sagemaker_notebook_instance" "x" {\n  name = "x"\n'
    "  role_arn = ROLE\n}",
    "states:": 'resource "aws_sfn_state_machine" "x" {\n  name = "x"\n  role_arn = ROLE\n}',
    "amplify:": 'resource "aws_amplify_app" "x" {\n  name = "x"\n  iam_service_role_arn = ROLE\n}',
    "airflow:": 'resource "aws_mwaa_environment" "x" {\n  name = "x"\n'
    "  execution_role_arn = ROLE\n}",
    "bedrock-agentcore:InvokeAgentRuntimeCommand": 'resource "aws_bedrockagentcore_agent_runtime"'
    ' "x" {\n  agent_runtime_name = "x"\n  role_arn = ROLE\n}',
    "bedrock-agentcore:StartBrowserSession": 'resource "aws_bedrockagentcore_browser" "x" {\n'
    '  name = "x"\n  execution_role_arn = ROLE\n}',
    "bedrock-agentcore:": 'resource "aws_bedrockagentcore_code_interpreter" "x" {\n  name = "x"\n'
    "  execution_role_arn = ROLE\n}",
    "codedeploy:": 'resource "aws_instance" "x" {\n  iam_instance_profile = PROFILE\n'
    '  tags = { App = "x" }\n}\n'
    'resource "aws_codedeploy_deployment_group" "x" {\n  app_name = "x"\n'
    '  deployment_group_name = "x"\n'
    '  ec2_tag_filter {\n    key = "App"\n    value = "x"\n    type = "KEY_AND_VALUE"\n  }\n}',
    "ecs:ExecuteCommand": 'resource "aws_ecs_task_definition" "x" {\n  family = "x"\n'
    "  task_role_arn = ROLE\n}\n"
    'resource "aws_ecs_service" "x" {\n  name = "x"\n  cluster = "main"\n'
    "  task_definition = aws_ecs_task_definition.x.arn\n  enable_execute_command = true\n}",
    "elasticmapreduce:": 'resource "aws_emr_cluster" "x" {\n  name = "x"\n'
    "  ec2_attributes {\n    instance_profile = PROFILE\n  }\n}",
    "kinesisanalytics:": 'resource "aws_kinesisanalyticsv2_application" "x" {\n  name = "x"\n'
    "  service_execution_role = ROLE\n}",
}
"""A resource that runs as the target role, by how an action on it begins."""


def workload_for(method: Method) -> str | None:
    actions = [p.action for item in method.needs for p in item[0] if p.target is Target.EXISTING]
    found = (text for start, text in WORKLOADS.items() if actions[0].startswith(start))
    return next(found, None) if actions else None


GROUP = """
resource "aws_iam_group" "g" { name = "g" }
resource "aws_iam_user_group_membership" "actor" {
  user   = aws_iam_user.actor.name
  groups = [aws_iam_group.g.name]
}
"""
STRONG_GROUP = f"""
resource "aws_iam_group" "strong" {{ name = "strong" }}
resource "aws_iam_group_policy_attachment" "strong" {{
  group      = aws_iam_group.strong.name
  policy_arn = "{ADMIN}"
}}
"""


def trust(*principals: str) -> str:
    statements = ", ".join(
        f'{{ Effect = "Allow", Action = "sts:AssumeRole", Principal = {principal} }}'
        for principal in principals
    )
    return f'jsonencode({{ Version = "2012-10-17", Statement = [{statements}] }})'


ELSEWHERE = [
    "arn:aws:iam::*:role/target",
    "arn:aws:iam::*:user/target",
    "arn:aws:iam::*:policy/held",
]


def actor_of(method: Method, actions: list[str], *, is_managed: bool) -> str:
    kind = "user" if method.actor is Actor.USER else "role"
    body = '  name = "actor"\n'
    if kind == "role":
        trusted = trust('{ Service = "actor.amazonaws.com" }')
        body += f"  assume_role_policy = {trusted}\n"
    resource = json.dumps(ELSEWHERE if method.kind is MethodKind.PRINCIPAL else "*")
    policy = (
        f'jsonencode({{ Version = "2012-10-17", Statement = [{{ Effect = "Allow", '
        f"Resource = {resource}, Action = {json.dumps(actions)} }}] }})"
    )
    text = f'resource "aws_iam_{kind}" "actor" {{\n{body}}}\n'
    if is_managed:
        return text + (
            f'resource "aws_iam_policy" "actor" {{\n  name = "own"\n  policy = {policy}\n}}\n'
            f'resource "aws_iam_{kind}_policy_attachment" "actor" {{\n'
            f"  {kind} = aws_iam_{kind}.actor.name\n  policy_arn = aws_iam_policy.actor.arn\n}}\n"
        )
    return text + (
        f'resource "aws_iam_{kind}_policy" "actor" {{\n'
        f"  {kind} = aws_iam_{kind}.actor.name\n  policy = {policy}\n}}\n"
    )


def target_role(*principals: str) -> str:
    trusted = trust(*principals)
    if "Federated" in trusted:
        trusted = trusted.replace("sts:AssumeRole", "sts:AssumeRoleWithWebIdentity")
    return f"""
resource "aws_iam_role" "target" {{
  name               = "target"
  assume_role_policy = {trusted}
}}
resource "aws_iam_role_policy_attachment" "target" {{
  role       = aws_iam_role.target.name
  policy_arn = "{ADMIN}"
}}
resource "aws_iam_instance_profile" "target" {{
  name = "target"
  role = aws_iam_role.target.name
}}
"""


TARGET_USER = f"""
resource "aws_iam_user" "target" {{ name = "target" }}
resource "aws_iam_user_policy_attachment" "target" {{
  user       = aws_iam_user.target.name
  policy_arn = "{ADMIN}"
}}
"""
PASSWORD = (
    'resource "aws_iam_user_login_profile" "target" {\n  user = aws_iam_user.target.name\n}\n'
)


def first_alternatives(method: Method) -> list[str]:
    """The actions of the first way to meet each need, each once."""
    found = [p.action for item in method.needs for p in item[0]]
    return list(dict.fromkeys(found))


def targets_of(method: Method) -> set[Target]:
    return {p.target for item in method.needs for p in item[0]}


def kind_of(service: str) -> str:
    """An identity pool is a provider of web identities, not a service that assumes roles."""
    return "Federated" if service == "cognito-identity.amazonaws.com" else "Service"


def configuration(method: Method, actions: list[str]) -> str:
    targets = targets_of(method)
    parts = [actor_of(method, actions, is_managed=Target.OWN_POLICY in targets)]
    services = [f'{{ {kind_of(name)} = "{name}" }}' for name in method.trust_services[:1]]
    admits = '{ AWS = "arn:aws:iam::123456789012:root" }'
    if "sts:AssumeRole" in first_alternatives(method):
        services = ["{ AWS = aws_iam_role.actor.arn }"]
    if targets & {Target.ROLE, Target.PASSED_ROLE, Target.EXISTING, Target.ROLE_POLICY}:
        role = target_role(*(services or [admits]))
        if Target.ROLE_POLICY in targets:
            role += (
                'resource "aws_iam_policy" "held" {\n  name = "held"\n'
                '  policy = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow",'
                ' Action = "s3:ListAllMyBuckets", Resource = "*" }] })\n}\n'
                'resource "aws_iam_role_policy_attachment" "held" {\n'
                "  role = aws_iam_role.target.name\n  policy_arn = aws_iam_policy.held.arn\n}\n"
            )
        parts.append(role)
    if Target.USER in targets:
        parts.append(TARGET_USER)
        if "iam:UpdateLoginProfile" in actions:
            parts.append(PASSWORD)
    if Target.GROUP in targets:
        parts.append(STRONG_GROUP if "iam:AddUserToGroup" in first_alternatives(method) else GROUP)
    if Target.EXISTING in targets:
        workload = (workload_for(method) or "").replace("ROLE", "aws_iam_role.target.arn")
        parts.append(workload.replace("PROFILE", "aws_iam_instance_profile.target.name"))
    return "\n".join(parts)


@cache
def graph_of(text: str) -> Graph:
    return scan_files({"main.tf": text}, load_rules().select(("ESC-004",), ())).graph


def found_methods(text: str) -> set[str]:
    graph = graph_of(text)
    actor: Principal = next(p for p in graph.principals if p.address.endswith(".actor"))
    escalations = graph.escalations
    return {
        escalation.method.id
        for found in (
            graph.powers.of_self(actor),
            escalations.of_principals(actor),
            escalations.of_passing(actor),
            escalations.of_workloads(actor),
        )
        for escalation in found
    }


TRIED = [
    method
    for method in escalation_methods()
    if method.kind in (MethodKind.SELF, MethodKind.PRINCIPAL, MethodKind.NEW_PASS, MethodKind.EXIST)
    and method.gain is not Gain.LIMITED
    and Target.CODE not in targets_of(method)
    and (method.kind is not MethodKind.EXIST or workload_for(method) is not None)
    and (Target.EXISTING not in targets_of(method) or workload_for(method) is not None)
    and not method.is_closed
]


@pytest.mark.parametrize("method", TRIED, ids=lambda method: method.id)
def test_method_is_found_when_all_its_needs_are_met(method: Method) -> None:
    assert method.id in found_methods(configuration(method, first_alternatives(method)))


@pytest.mark.parametrize("method", TRIED, ids=lambda method: method.id)
def test_method_is_gone_when_one_permission_is(method: Method) -> None:
    actions = first_alternatives(method)
    for action in actions:
        if action == "sts:AssumeRole":
            continue  # the trust policy that names the actor is enough in one account
        rest = [other for other in actions if other != action]
        if rest:
            assert method.id not in found_methods(configuration(method, rest)), action


@pytest.mark.parametrize(
    "method", [m for m in TRIED if m.kind is MethodKind.NEW_PASS], ids=lambda method: method.id
)
def test_passing_needs_the_service_in_the_trust_policy(method: Method) -> None:
    text = configuration(method, first_alternatives(method))
    elsewhere = text.replace(method.trust_services[0], "elsewhere.amazonaws.com")
    assert method.id not in found_methods(elsewhere)


@pytest.mark.parametrize(
    "method",
    [m for m in TRIED if m.kind in (MethodKind.NEW_PASS, MethodKind.EXIST)],
    ids=lambda method: method.id,
)
def test_nothing_is_gained_by_a_role_that_may_do_little(method: Method) -> None:
    text = configuration(method, first_alternatives(method))
    harmless = text.replace(ADMIN, "arn:aws:iam::aws:policy/IAMUserSSHKeys")
    harmless = harmless.replace("IAMUserSSHKeys", "AWSSupportAccess")
    assert method.id not in found_methods(harmless)
