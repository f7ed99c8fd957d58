"""What a method reaches where the workload is entered through something else, or is not here."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from iam_preflight.findings import Confidence, Severity
from iam_preflight.registry import load_rules
from iam_preflight.scan import ScanOptions
from iam_preflight.settings import Settings
from iam_preflight.testing import scan_files

if TYPE_CHECKING:
    from iam_preflight.findings import Finding

ADMIN = "arn:aws:iam::aws:policy/AdministratorAccess"


def allow(actions: object, resources: object = "*", **more: object) -> dict[str, object]:
    return {"Effect": "Allow", "Action": actions, "Resource": resources, **more}


def policy(*statements: dict[str, object]) -> str:
    return f"jsonencode({json.dumps({'Version': '2012-10-17', 'Statement': statements})})"


def user(*statements: dict[str, object], name: str = "dev") -> str:
    return f"""
resource "aws_iam_user" "{name}" {{
  name = "{name}"
}}
resource "aws_iam_user_policy" "{name}" {{
  user   = aws_iam_user.{name}.name
  policy = {policy(*statements)}
}}
"""


def role(
    name: str,
    *statements: dict[str, object],
    service: str = "",
    managed: str = "",
    trust: dict[str, object] | None = None,
) -> str:
    trusted = trust or {"Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    text = f"""
resource "aws_iam_role" "{name}" {{
  name               = "{name}"
  assume_role_policy = {policy({"Effect": "Allow", **trusted})}
}}
resource "aws_iam_instance_profile" "{name}" {{
  name = "{name}"
  role = aws_iam_role.{name}.name
}}
"""
    if managed:
        text += f"""
resource "aws_iam_role_policy_attachment" "{name}" {{
  role       = aws_iam_role.{name}.name
  policy_arn = "{managed}"
}}
"""
    if statements:
        text += f"""
resource "aws_iam_role_policy" "{name}" {{
  role   = aws_iam_role.{name}.name
  policy = {policy(*statements)}
}}
"""
    return text


def found(rule: str, *parts: str) -> list[Finding]:
    report = scan_files({"main.tf": "".join(parts)}, load_rules().select((rule,), ()))
    return [finding for finding in report.shown if finding.rule == rule]


def the_one(rule: str, *parts: str) -> Finding:
    (finding,) = found(rule, *parts)
    return finding


# ---- entered through something else

TASK = """
resource "aws_ecs_task_definition" "job" {
  family             = "job"
  task_role_arn      = aws_iam_role.job.arn
  execution_role_arn = aws_iam_role.agent.arn
}
resource "aws_ecs_cluster" "main" {
  name = "main"
}
resource "aws_ecs_service" "job" {
  name                   = "job"
  cluster                = aws_ecs_cluster.main.id
  task_definition        = REVISION
  enable_execute_command = ENABLED
}
"""
ECS = "ecs-tasks.amazonaws.com"


def task(enabled: str = "true", revision: str = "aws_ecs_task_definition.job.arn") -> str:
    return TASK.replace("ENABLED", enabled).replace("REVISION", revision)


EXEC = allow("ecs:ExecuteCommand", ["arn:aws:ecs:*:*:task/main/*", "arn:aws:ecs:*:*:cluster/main"])
JOB = role("job", service=ECS, managed=ADMIN)
AGENT = role("agent", service=ECS)


@pytest.mark.parametrize(
    "revision",
    [
        "aws_ecs_task_definition.job.arn",
        '"${aws_ecs_task_definition.job.family}:${aws_ecs_task_definition.job.revision}"',
    ],
)
def test_a_shell_in_a_container_is_opened_on_a_task_of_the_service(revision):
    finding = the_one("ESC-004", user(EXEC), JOB, AGENT, task(revision=revision))
    assert "role job (an administrator): ecs:ExecuteCommand" in finding.message
    assert finding.severity is Severity.CRITICAL


@pytest.mark.parametrize(
    ("statement", "service"),
    [
        (EXEC, task("false")),
        (allow("ecs:ExecuteCommand", "arn:aws:ecs:*:*:task/other/*"), task()),
    ],
    ids=["turned-off", "another-cluster"],
)
def test_no_shell(statement, service):
    assert not found("ESC-004", user(statement), JOB, AGENT, service)


def test_whoever_is_in_the_container_does_not_have_the_execution_role():
    plain = role("job", service=ECS)
    agent = role("agent", service=ECS, managed=ADMIN)
    assert not found("ESC-004", user(EXEC), plain, agent, task())


DEPLOY = allow(
    [
        "codedeploy:CreateDeployment",
        "codedeploy:RegisterApplicationRevision",
        "codedeploy:GetDeploymentConfig",
    ]
)
SERVER = role("server", service="ec2.amazonaws.com", managed=ADMIN)
MACHINES = """
resource "aws_instance" "web" {
  iam_instance_profile = aws_iam_instance_profile.server.name
  tags = {
    Fleet = "web"
  }
}
resource "aws_launch_template" "web" {
  name = "web"
  iam_instance_profile {
    arn = aws_iam_instance_profile.server.arn
  }
}
resource "aws_autoscaling_group" "web" {
  name = "web"
  launch_template {
    id = aws_launch_template.web.id
  }
}
resource "aws_codedeploy_deployment_group" "web" {
  app_name              = "web"
  deployment_group_name = "web"
FINDS
}
"""


@pytest.mark.parametrize(
    ("finds", "is_reached"),
    [
        ('ec2_tag_filter {\n key = "Fleet"\n value = "web"\n}', True),
        ('ec2_tag_set {\n ec2_tag_filter {\n key = "Fleet"\n type = "KEY_ONLY"\n }\n}', True),
        ("autoscaling_groups = [aws_autoscaling_group.web.name]", True),
        ('ec2_tag_filter {\n key = "Fleet"\n value = "db"\n}', False),
        ('autoscaling_groups = ["elsewhere"]', False),
    ],
)
def test_a_deployment_reaches_the_instances_that_its_group_finds(finds, is_reached):
    text = MACHINES.replace("FINDS", finds)
    assert bool(found("ESC-004", user(DEPLOY), SERVER, text)) is is_reached


def test_a_new_scaling_group_takes_the_role_of_a_launch_configuration_only():
    scale = user(allow("autoscaling:CreateAutoScalingGroup"))
    instance = MACHINES.replace("FINDS", "")
    assert not found("ESC-004", scale, SERVER, instance)
    old = 'resource "aws_launch_configuration" "web" {\n  iam_instance_profile = PROFILE\n}\n'
    profile = "aws_iam_instance_profile.server.name"
    assert found("ESC-004", scale, SERVER, old.replace("PROFILE", profile))


# ---- without passing a role


def test_a_launch_template_takes_any_instance_profile_without_pass_role():
    edit = user(allow(["ec2:CreateLaunchTemplateVersion", "ec2:ModifyLaunchTemplate"]))
    plain = role("plain", service="ec2.amazonaws.com")
    template = (
        'resource "aws_launch_template" "web" {\n  name = "web"\n'
        "  iam_instance_profile {\n    arn = aws_iam_instance_profile.plain.arn\n  }\n}\n"
    )
    finding = the_one("ESC-003", edit, plain, SERVER, template)
    assert "become administrator" in finding.message
    assert "iam:PassedToService" not in finding.hint


def test_nothing_is_said_of_launch_templates_where_no_role_is():
    edit = user(allow(["ec2:CreateLaunchTemplateVersion", "ec2:ModifyLaunchTemplate"]))
    assert not found("ESC-003", edit)


# ---- roles that are given to people by web identity

POOL = {
    "Principal": {"Federated": "cognito-identity.amazonaws.com"},
    "Action": "sts:AssumeRoleWithWebIdentity",
    "Condition": {"StringEquals": {"cognito-identity.amazonaws.com:aud": "eu-west-1:1"}},
}


def test_an_identity_pool_gives_a_role_that_trusts_it_by_web_identity():
    binds = user(allow(["iam:PassRole", "cognito-identity:SetIdentityPoolRoles"]))
    assert found("ESC-003", binds, role("guest", trust=POOL, managed=ADMIN))
    plain = {**POOL, "Action": "sts:AssumeRole"}
    findings = found("ESC-003", binds, role("guest", trust=plain, managed=ADMIN))
    assert all("become administrator" not in finding.message for finding in findings)


# ---- what the code does not hold

INVOKE = "bedrock-agentcore:InvokeAgentRuntimeCommand"
AGENTS = "bedrock-agentcore.amazonaws.com"
BOTH = {"Service": AGENTS, "AWS": "arn:aws:iam::111122223333:role/people"}


def test_an_administrators_role_that_only_a_service_may_assume_runs_something_elsewhere():
    finding = the_one("ESC-004", user(allow(INVOKE)), role("a", service=AGENTS, managed=ADMIN))
    assert "whatever runs as it" in finding.message
    assert (finding.severity, finding.confidence) == (Severity.HIGH, Confidence.MEDIUM)


@pytest.mark.parametrize(
    ("statement", "target"),
    [
        (allow(INVOKE, f"arn:aws:{AGENTS.split('.')[0]}:*:*:runtime/own"), {"managed": ADMIN}),
        (allow(INVOKE), {"managed": "arn:aws:iam::aws:policy/ReadOnlyAccess"}),
        (allow(INVOKE), {"managed": ADMIN, "service": "lambda.amazonaws.com"}),
        (
            allow(INVOKE),
            {"managed": ADMIN, "trust": {"Principal": BOTH, "Action": "sts:AssumeRole"}},
        ),
    ],
    ids=["one-runtime", "no-administrator", "another-service", "people-as-well"],
)
def test_nothing_is_taken_over_elsewhere(statement, target):
    assert not found("ESC-004", user(statement), role("a", **{"service": AGENTS, **target}))


def test_a_role_is_passed_to_what_the_policy_names_and_the_code_does_not_hold():
    update = user(
        allow("iam:PassRole", "arn:aws:iam::${var.account}:role/etl"),
        allow(["glue:UpdateJob", "glue:StartJobRun"], "arn:aws:glue:*:*:job/nightly"),
    )
    etl = role("etl", service="glue.amazonaws.com", managed=ADMIN)
    finding = the_one("ESC-003", 'variable "account" {}', update, etl)
    assert "become administrator" in finding.message
    assert finding.confidence is Confidence.MEDIUM


# ---- who could choose to do it

BATCH = "arn:aws:iam::aws:policy/service-role/AWSBatchServiceRole"
MANY = allow(["s3:GetObject", "dynamodb:Scan"])


def test_the_role_of_a_service_that_runs_no_code_is_used_as_it_is_configured():
    worker = role("worker", MANY, service="ec2.amazonaws.com")
    batch = role("batch", service="batch.amazonaws.com", managed=BATCH)
    assert not found("ESC-003", worker, batch)
    in_lambda = role("batch", service="lambda.amazonaws.com", managed=BATCH)
    assert found("ESC-003", worker, in_lambda)


@pytest.mark.parametrize(
    ("service", "is_told"), [("events.amazonaws.com", False), ("lambda.amazonaws.com", True)]
)
def test_a_rule_may_start_the_build_that_it_is_for(service, is_told):
    build = role("build", MANY, service="codebuild.amazonaws.com")
    project = (
        'resource "aws_codebuild_project" "x" {\n  name = "x"\n'
        "  service_role = aws_iam_role.build.arn\n}\n"
    )
    starter = role("starter", allow("codebuild:StartBuild"), service=service)
    assert bool(found("ESC-004", starter, build, project)) is is_told


@pytest.mark.parametrize(
    ("service", "is_told"), [("codepipeline.amazonaws.com", False), ("lambda.amazonaws.com", True)]
)
def test_roles_for_the_actions_of_a_pipeline_are_used_as_it_is_configured(service, is_told):
    build = role("build", MANY, service="codebuild.amazonaws.com")
    project = (
        'resource "aws_codebuild_project" "x" {\n  name = "x"\n'
        "  service_role = aws_iam_role.build.arn\n}\n"
    )
    taken_by = {"Principal": {"AWS": "${aws_iam_role.pipeline.arn}"}, "Action": "sts:AssumeRole"}
    pipeline = role("pipeline", service=service)
    action = role("action", allow("codebuild:StartBuild"), trust=taken_by)
    assert bool(found("ESC-004", pipeline, action, build, project)) is is_told


def test_what_a_parameter_names_is_hardly_everything():
    project = (
        'variable "bucket" {}\nresource "aws_codebuild_project" "x" {\n  name = "x"\n'
        "  service_role = aws_iam_role.build.arn\n}\n"
    )
    starter = user(allow("codebuild:StartBuild"))
    of_one = role(
        "build",
        allow("s3:GetObject", "arn:aws:s3:::${var.bucket}/*"),
        service="codebuild.amazonaws.com",
    )
    assert all(
        each.confidence is Confidence.LOW for each in found("ESC-004", starter, of_one, project)
    )
    of_all = role("build", MANY, service="codebuild.amazonaws.com")
    assert the_one("ESC-004", starter, of_all, project).confidence is Confidence.HIGH


def test_a_rule_that_may_become_administrator_is_told_all_the_same():
    build = role("build", service="codebuild.amazonaws.com", managed=ADMIN)
    project = (
        'resource "aws_codebuild_project" "x" {\n  name = "x"\n'
        "  service_role = aws_iam_role.build.arn\n}\n"
    )
    starter = role("starter", allow("codebuild:StartBuild"), service="events.amazonaws.com")
    assert found("ESC-004", starter, build, project)


def test_pulling_images_is_nothing_to_gain():
    pulls = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
    agent = role("agent", service=ECS, managed=pulls)
    runs = user(allow(["iam:PassRole", "ecs:RegisterTaskDefinition", "ecs:RunTask"]))
    findings = found("ESC-003", runs, agent)
    assert all("can gain" not in finding.message for finding in findings)


# ---- a little more than one's own

READER = user(allow("s3:GetObject", "arn:aws:s3:::reports/*"), name="reader")


def test_credentials_of_somebody_who_may_read_one_bucket_are_worth_something():
    finding = the_one(
        "ESC-002", user(allow("iam:CreateAccessKey", "arn:aws:iam::*:user/reader")), READER
    )
    assert finding.severity is Severity.MEDIUM


@pytest.mark.parametrize(
    "target",
    [
        user(allow("s3:ListBucket", "arn:aws:s3:::reports"), name="reader"),
        user(allow("logs:PutLogEvents"), name="reader"),
    ],
)
def test_credentials_of_somebody_who_may_do_little_are_not(target):
    arn = "arn:aws:iam::*:user/reader"
    assert not found("ESC-002", user(allow("iam:CreateAccessKey", arn)), target)


def test_whoever_may_read_it_anyway_gains_nothing():
    arn = "arn:aws:iam::*:user/reader"
    own = user(allow("iam:CreateAccessKey", arn), allow("s3:GetObject", "arn:aws:s3:::own/*"))
    assert not found("ESC-002", own, READER)


FUNCTION = """
resource "aws_lambda_function" "report" {
  function_name = "report"
  role          = aws_iam_role.report.arn
}
"""
UPDATE = allow("lambda:UpdateFunctionCode", "arn:aws:lambda:*:*:function:report")
REPORT = role(
    "report", allow("s3:GetObject", "arn:aws:s3:::reports/*"), service="lambda.amazonaws.com"
)


def test_a_user_who_changes_a_function_reads_what_it_reads():
    finding = the_one("ESC-004", user(UPDATE), REPORT, FUNCTION)
    assert finding.severity is Severity.MEDIUM


def test_whoever_delivers_code_has_what_the_code_has():
    delivers = role("ci", UPDATE, service="codebuild.amazonaws.com")
    assert not found("ESC-004", delivers, REPORT, FUNCTION)


NAMELESS = f"""
variable "who" {{
  type = string
}}
resource "aws_iam_user_policy" "run" {{
  user   = var.who
  policy = {policy(allow("lambda:*"))}
}}
resource "aws_iam_user_policy" "pass" {{
  user   = var.who
  policy = {policy(allow("iam:PassRole"))}
}}
"""


def test_who_is_not_in_the_code_has_the_sum_of_what_the_code_gives():
    boss = role("boss", service="lambda.amazonaws.com", managed=ADMIN)
    finding = the_one("ESC-003", NAMELESS, boss)
    assert finding.message.startswith("the user that aws_iam_user_policy.run is for can become")
    assert finding.severity is Severity.CRITICAL
    other = NAMELESS.replace("user   = var.who", 'user = "ann"', 1)
    assert "become administrator" not in " ".join(f.message for f in found("ESC-003", other, boss))


def test_who_is_in_the_code_is_not_counted_twice():
    finding = the_one("ESC-001", user(allow("iam:PutUserPolicy")))
    assert finding.message == "user dev can make itself administrator with iam:PutUserPolicy"


def test_what_a_scaling_group_launches_is_not_stopped_to_change_it():
    node = role("node", service="ec2.amazonaws.com", managed=ADMIN)
    template = """
resource "aws_launch_template" "node" {
  iam_instance_profile {
    name = aws_iam_instance_profile.node.name
  }
}
"""
    arn = "arn:aws:ec2:*:*:instance/*"
    change = ["ec2:ModifyInstanceAttribute", "ec2:StopInstances", "ec2:StartInstances"]
    assert not found("ESC-004", user(allow(change, arn)), node, template)
    assert found("ESC-004", user(allow("ssm:StartSession", arn)), node, template)


def test_a_group_is_as_powerful_as_its_members_can_become():
    group = """
resource "aws_iam_group" "admins" {
  name = "admins"
}
resource "aws_iam_group_policy_attachment" "admins" {
  group      = aws_iam_group.admins.name
  policy_arn = "arn:aws:iam::aws:policy/IAMFullAccess"
}
"""
    finding = the_one("LEAST-002", group)
    assert finding.message == "group admins holds IAMFullAccess: it can make itself administrator"
    assert finding.severity is Severity.HIGH


def test_a_document_whose_statement_another_one_replaces_is_nobodys():
    documents = f"""
data "aws_iam_policy_document" "base" {{
  statement {{
    sid       = "Main"
    actions   = ["*"]
    resources = ["*"]
  }}
}}
data "aws_iam_policy_document" "narrow" {{
  source_policy_documents   = [data.aws_iam_policy_document.base.json]
  override_policy_documents = [{policy(allow("s3:ListAllMyBuckets", Sid="Main"))}]
}}
"""
    assert not found("LEAST-001", documents)
    assert found("LEAST-001", documents.replace('"Main"', '"Other"', 1))


def test_a_group_without_members_here_has_some_elsewhere():
    group = f"""
resource "aws_iam_group" "leads" {{
  name = "leads"
}}
resource "aws_iam_group_policy" "leads" {{
  group  = aws_iam_group.leads.name
  policy = {policy(allow("iam:AttachUserPolicy"))}
}}
"""
    told = "whoever is in group leads can make itself administrator with iam:AttachUserPolicy"
    assert the_one("ESC-001", group).message == told
    member = (
        user(allow("s3:ListAllMyBuckets"))
        + """
resource "aws_iam_user_group_membership" "dev" {
  user   = aws_iam_user.dev.name
  groups = [aws_iam_group.leads.name]
}
"""
    )
    assert the_one("ESC-001", group, member).message.startswith("user dev can make")
    assert not found("ESC-001", group.replace("AttachUserPolicy", "AttachRolePolicy"))


@pytest.mark.parametrize(
    ("resource", "rules"),
    [
        ("arn:aws:iam::*:role/OrganizationAccountAccessRole", {"ESC-008"}),
        # one account is not the organization
        ("arn:aws:iam::111122223333:role/*", {"LEAST-011"}),
        ("arn:aws:iam::111122223333:role/OrganizationAccountAccessRole", set()),
        ("${var.account}", set()),
        ("arn:aws:iam::${var.account}:role/OrganizationAccountAccessRole", set()),
        ("*", {"ESC-008", "LEAST-011"}),
    ],
)
def test_the_administrator_of_one_account_is_not_the_organization(resource, rules):
    text = role("jobs", allow("sts:AssumeRole", resource), service="lambda.amazonaws.com")
    here = 'variable "account" {}\nresource "aws_organizations_organization" "it" {}\n'
    report = scan_files({"main.tf": here + text}, load_rules())
    found = {finding.rule for finding in report.shown}
    assert found & {"ESC-008", "LEAST-011"} == rules


def test_outside_the_management_account_any_role_is_said_once():
    text = role("jobs", allow("sts:AssumeRole"), service="lambda.amazonaws.com")
    options = ScanOptions(settings=Settings(persona="auditor"))
    report = scan_files({"main.tf": text}, load_rules(), options)
    rules = {finding.rule for finding in report.shown}
    assert "LEAST-011" in rules
    assert "ESC-008" not in rules


@pytest.mark.parametrize(
    ("admitted", "severity"),
    [
        # both sides name each other
        ("arn:aws:iam::111122223333:role/jobs", Severity.MEDIUM),
        # whoever the account's policies let
        ("arn:aws:iam::${data.aws_caller_identity.here.account_id}:root", Severity.HIGH),
    ],
)
def test_an_administrator_role_that_may_be_assumed_is_milder_where_it_names_the_actor(
    admitted, severity
):
    jobs = role(
        "jobs",
        allow("sts:AssumeRole", "arn:aws:iam::111122223333:role/admin"),
        service="lambda.amazonaws.com",
    )
    admin = role(
        "admin",
        managed=ADMIN,
        trust={"Principal": {"AWS": admitted}, "Action": "sts:AssumeRole"},
    )
    here = 'data "aws_caller_identity" "here" {}\n'
    told = the_one("ESC-002", here, jobs, admin)
    assert told.severity is severity


def tagged(text: str, environment: str) -> str:
    return text.replace(
        "assume_role_policy", f'tags = {{ Environment = "{environment}" }}\n  assume_role_policy', 1
    )


@pytest.mark.parametrize(
    ("start", "end", "action", "is_told"),
    [
        ("dev", "prod", "secretsmanager:GetSecretValue", True),
        # nothing crossed, nothing to get there, nothing said of where it is
        ("prod", "prod", "secretsmanager:GetSecretValue", False),
        ("dev", "prod", "cloudwatch:PutMetricData", False),
        ("dev", "dev", "secretsmanager:GetSecretValue", False),
    ],
)
def test_a_chain_into_production_is_told_where_something_is_to_be_had(start, end, action, is_told):
    trusts = [
        {"Principal": {"AWS": f"${{aws_iam_role.{n}.arn}}"}, "Action": "sts:AssumeRole"}
        for n in ("one", "two")
    ]
    text = (
        tagged(role("one", service="lambda.amazonaws.com"), start)
        + tagged(role("two", trust=trusts[0]), start)
        + tagged(role("three", allow(action), trust=trusts[1]), end)
    )
    told = found("ESC-005", text)
    assert bool(told) is is_told
    assert all(finding.severity is Severity.HIGH for finding in told)


@pytest.mark.parametrize("name", ["app-*", "*-app", "${var.prefix}-*"])
def test_new_role_in_the_own_account_is_certain_whatever_the_account_is(name: str) -> None:
    arn = f"arn:aws:iam::${{data.aws_caller_identity.own.account_id}}:role/{name}"
    grant = allow(["iam:CreateRole", "iam:PutRolePolicy"], arn)
    own = 'data "aws_caller_identity" "own" {}\nvariable "prefix" {}\n'
    (escalation,) = found("ESC-001", own, role("ci", grant, service="lambda.amazonaws.com"))
    assert escalation.severity is Severity.CRITICAL
    assert escalation.confidence is Confidence.HIGH


def test_new_role_under_a_name_that_nobody_knows_is_not_certain() -> None:
    grant = allow(["iam:CreateRole", "iam:PutRolePolicy"], "${var.roles}")
    parts = ('variable "roles" {}\n', role("ci", grant, service="lambda.amazonaws.com"))
    assert all(one.confidence is not Confidence.HIGH for one in found("ESC-001", *parts))


BY_LAMBDA = {"Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}


@pytest.mark.parametrize(
    ("given", "passed", "told"),
    [
        (allow("s3:GetObject"), "arn:aws:iam::*:role/worker", []),
        (allow("s3:*"), "arn:aws:iam::*:role/worker", [Severity.MEDIUM]),
        (allow("s3:GetObject"), "*", [Severity.HIGH]),
        (allow("*"), "arn:aws:iam::*:role/worker", [Severity.CRITICAL]),
    ],
)
def test_role_that_a_launcher_passes_by_name_is_meant_for_what_it_launches(
    given: dict[str, object], passed: str, told: list[Severity]
) -> None:
    passed = passed if passed == "*" else "arn:aws:iam::111122223333:role/worker"
    worker = role("worker", given, service="ec2.amazonaws.com")
    launcher = role(
        "launcher", allow("iam:PassRole", passed), allow("ec2:RunInstances"), trust=BY_LAMBDA
    )
    assert [one.severity for one in found("ESC-003", worker, launcher)] == told


@pytest.mark.parametrize(
    ("project", "is_told"), [("${aws_codebuild_project.plan.name}", False), ("another", True)]
)
def test_pipeline_is_there_to_start_the_build_that_it_names(project: str, *, is_told: bool) -> None:
    pipeline = role("pipeline", allow("codebuild:StartBuild"), service="codepipeline.amazonaws.com")
    build = role("build", service="codebuild.amazonaws.com", managed=ADMIN)
    workloads = f"""
resource "aws_codebuild_project" "plan" {{
  name         = "plan"
  service_role = aws_iam_role.build.arn
}}
resource "aws_codepipeline" "delivery" {{
  name     = "delivery"
  role_arn = aws_iam_role.pipeline.arn
  stage {{
    name = "Build"
    action {{
      name          = "Build"
      category      = "Build"
      owner         = "AWS"
      provider      = "CodeBuild"
      version       = "1"
      configuration = {{ ProjectName = "{project}" }}
    }}
  }}
}}
"""
    assert bool(found("ESC-004", pipeline, build, workloads)) is is_told


def test_pipeline_of_a_template_is_there_to_start_its_build() -> None:
    def taken_by(service: str, **more: object) -> dict[str, object]:
        allows = {
            "Effect": "Allow",
            "Principal": {"Service": service},
            "Action": "sts:AssumeRole",
        }
        trust = {"Version": "2012-10-17", "Statement": [allows]}
        return {
            "Type": "AWS::IAM::Role",
            "Properties": {"AssumeRolePolicyDocument": trust, **more},
        }

    starts = {"Version": "2012-10-17", "Statement": [allow("codebuild:StartBuild")]}
    action = {"Name": "Build", "Configuration": {"ProjectName": {"Ref": "Build"}}}
    template = {
        "Resources": {
            "Pipe": taken_by(
                "codepipeline.amazonaws.com",
                Policies=[{"PolicyName": "starts", "PolicyDocument": starts}],
            ),
            "Builder": taken_by("codebuild.amazonaws.com", ManagedPolicyArns=[ADMIN]),
            "Build": {
                "Type": "AWS::CodeBuild::Project",
                "Properties": {"ServiceRole": {"Fn::GetAtt": ["Builder", "Arn"]}},
            },
            "Delivery": {
                "Type": "AWS::CodePipeline::Pipeline",
                "Properties": {
                    "RoleArn": {"Fn::GetAtt": ["Pipe", "Arn"]},
                    "Stages": [{"Name": "Build", "Actions": [action]}],
                },
            },
        }
    }
    report = scan_files({"t.json": json.dumps(template)}, load_rules().select(("ESC-004",), ()))
    assert list(report.shown) == []


def test_a_role_that_may_perhaps_do_much_is_worth_assuming() -> None:
    unknown = 'variable "secret" {}\n' + role(
        "holder", trust={"Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    )
    unknown += """
resource "aws_iam_role_policy" "holder" {
  role   = aws_iam_role.holder.name
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [
      { Effect = "Allow", Action = "secretsmanager:GetSecretValue", Resource = var.secret }
    ]
  })
}
"""
    text = unknown + role("actor", service="lambda.amazonaws.com")
    report = scan_files({"main.tf": text}, load_rules())
    roles = {one.name.text: one for one in report.graph.roles}
    found = report.graph.escalations.of_principals(roles["actor"])
    assert [one.target for one in found if one.is_plain_assume] == [roles["holder"]]
