"""The ARN that a resource will have is the ARN that a reference to it gives."""

from __future__ import annotations

import pytest

from iam_preflight.graph.arns import arn_of
from iam_preflight.registry import load_rules
from iam_preflight.testing import scan_files

TERRAFORM = """
variable "name" {}
resource "random_pet" "pet" {}

module "label" {
  source = "example/label/null"
}

resource "TYPE" "it" {
  BODY
}

resource "aws_iam_policy" "p" {
  policy = jsonencode({
    Statement = [{ Effect = "Allow", Action = "*", Resource = TYPE.it.ATTRIBUTE }]
  })
}
"""
TEMPLATE = """
Parameters:
  Name: {Type: String}
  Names: {Type: CommaDelimitedList}
Conditions:
  IsLive: !Equals [!Ref Name, live]
Resources:
  It:
    Type: TYPE
    Properties: {BODY}
  Policy:
    Type: AWS::IAM::ManagedPolicy
    Properties:
      PolicyDocument:
        Statement:
          - {Effect: Allow, Action: "*", Resource: REFERENCE}
"""


def arns(path: str, text: str) -> tuple[str, str]:
    """The ARN by the graph and the one in the policy, each hole as its symbol."""
    graph = scan_files({path: text}, load_rules().select(("ESC-004",), ())).graph
    (resource,) = (found for found in graph.resources if found.name in ("it", "It"))
    (policy,) = graph.policies
    (written,) = policy.document.statements[0].resources
    own = arn_of(resource)
    assert own is not None
    return "".join(map(str, own.arn_tokens)), "".join(map(str, written.arn_tokens))


@pytest.mark.parametrize(
    ("resource_type", "body", "attribute", "ends"),
    [
        ("aws_cloudformation_stack", 'name = "net"', "id", ":stack/net/«*.id»"),
        ("aws_autoscaling_group", "name_prefix = var.name", "arn", "Name/«var.name»«*.name»"),
        ("aws_lambda_function", "function_name = var.name", "arn", ":function:«var.name»"),
        ("aws_lambda_function", "function_name = random_pet.pet.id", "arn", ":«random_pet.pet.id»"),
        ("aws_lambda_function", "function_name = module.label.id", "arn", ":«module.label.id»"),
        ("aws_lambda_function", "function_name = 1 + var.name", "arn", ":«*.function_name»"),
        ("aws_s3_bucket", 'bucket_prefix = "logs-"', "arn", ":::logs-«*.bucket»"),
        ("aws_s3_bucket", "", "arn", ":::«*.bucket»"),
        ("aws_iam_instance_profile", 'name = "web"', "arn", ":instance-profile/web"),
        ("aws_iam_instance_profile", 'name = "web"\npath = "/x/"', "arn", "-profile/x/web"),
        ("aws_scheduler_schedule", 'name = "daily"', "arn", ":schedule/default/daily"),
        ("aws_cloudwatch_event_rule", 'name = "daily"', "arn", ":rule/daily"),
        (
            "aws_cloudwatch_event_rule",
            'name = "daily"\nevent_bus_name = "orders"',
            "arn",
            ":rule/orders/daily",
        ),
        (
            "aws_iam_openid_connect_provider",
            'url = "https://token.example.com"',
            "arn",
            ":oidc-provider/token.example.com",
        ),
    ],
)
def test_terraform(resource_type: str, body: str, attribute: str, ends: str) -> None:
    text = TERRAFORM.replace("TYPE", resource_type).replace("BODY", body)
    own, written = arns("main.tf", text.replace("ATTRIBUTE", attribute))
    assert own == written
    assert own.endswith(ends.replace("*", f"{resource_type}.it"))


@pytest.mark.parametrize(
    ("resource_type", "body", "reference", "ends"),
    [
        ("AWS::CloudFormation::Stack", "StackName: net", "!Ref It", ":stack/«It.name»/«It.id»"),
        ("AWS::S3::Bucket", "", "!GetAtt It.Arn", ":::«It.bucket»"),
        ("AWS::IAM::InstanceProfile", "Path: /x/", "!GetAtt It.Arn", "-profile/x/«It.name»"),
        ("AWS::Lambda::Function", "FunctionName: !Ref Name", "!GetAtt It.Arn", ":«Name»"),
        (
            "AWS::Lambda::Function",
            "FunctionName: !If [IsLive, a, b]",
            "!GetAtt It.Arn",
            ":«It.function_name»",
        ),
        (
            "AWS::Lambda::Function",
            "FunctionName: !Select [0, !Ref Names]",
            "!GetAtt It.Arn",
            ":«It.function_name»",
        ),
        ("AWS::Events::Rule", "Name: daily", "!GetAtt It.Arn", ":rule/daily"),
        (
            "AWS::Events::Rule",
            "Name: daily, EventBusName: !Ref Name",
            "!GetAtt It.Arn",
            ":rule/«Name»/daily",
        ),
        (
            "AWS::IAM::OIDCProvider",
            'Url: "https://token.example.com"',
            "!Ref It",
            ":oidc-provider/token.example.com",
        ),
    ],
)
def test_cloudformation(resource_type: str, body: str, reference: str, ends: str) -> None:
    text = TEMPLATE.replace("TYPE", resource_type).replace("BODY", body)
    own, written = arns("template.yaml", text.replace("REFERENCE", reference))
    assert own == written
    assert own.endswith(ends)


ROLES = """
variable "name" {}
variable "path" {}
variable "names" { type = set(string) }

locals {
  trust = jsonencode({ Statement = [{
    Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "ec2.amazonaws.com" }
  }] })
}

resource "aws_iam_role" "it" {
  for_each           = var.names
  name               = NAME
  path               = var.path
  assume_role_policy = local.trust
}

resource "aws_iam_role" "other" {
  for_each           = var.names
  name               = NAME
  assume_role_policy = local.trust
}

resource "aws_iam_policy" "p" {
  policy = jsonencode({
    Statement = [{ Effect = "Allow", Action = "*", Resource = [for r in aws_iam_role.it : r.arn] }]
  })
}
"""


@pytest.mark.parametrize("name", ["each.value", "each.key", '"${each.value}-${var.name}"'])
def test_of_roles(name: str) -> None:
    text = ROLES.replace("NAME", name)
    graph = scan_files({"main.tf": text}, load_rules().select(("ESC-004",), ())).graph
    (policy,) = (found for found in graph.policies if found.resource.name == "p")
    (written,) = policy.document.statements[0].resources
    own, other = sorted(graph.principals, key=lambda found: found.resource.name)
    assert own.arn.arn_tokens == written.arn_tokens
    assert other.arn.arn_tokens != written.arn_tokens


def shown(name: str, reference: str) -> bool:
    """Whether the default persona sees what a user can do to the function with the power."""
    text = f"""
        variable "name" {{}}
        variable "other" {{}}
        resource "aws_iam_role" "strong" {{
          name = "strong"
          assume_role_policy = jsonencode({{ Statement = [{{
            Effect = "Allow", Action = "sts:AssumeRole",
            Principal = {{ Service = "lambda.amazonaws.com" }}
          }}] }})
        }}
        resource "aws_iam_role_policy_attachment" "strong" {{
          role       = aws_iam_role.strong.name
          policy_arn = "arn:aws:iam::aws:policy/AdministratorAccess"
        }}
        resource "aws_lambda_function" "it" {{
          function_name = {name}
          role          = aws_iam_role.strong.arn
        }}
        resource "aws_lambda_function" "idle" {{
          function_name = var.other
        }}
        resource "aws_iam_user" "u" {{ name = "u" }}
        resource "aws_iam_user_policy" "u" {{
          user   = aws_iam_user.u.name
          policy = jsonencode({{ Statement = [{{
            Effect = "Allow", Action = "lambda:*", Resource = {reference}
          }}] }})
        }}
    """
    report = scan_files({"main.tf": text}, load_rules().select(("ESC-004",), ()))
    return any(decided.is_shown for decided in report.findings)


@pytest.mark.parametrize("name", ['"fixed"', "var.name", "lower(var.name)", '"${var.name}-x"'])
@pytest.mark.parametrize(
    "reference",
    [
        "aws_lambda_function.it.arn",
        '"arn:aws:lambda:*:*:function:${aws_lambda_function.it.function_name}"',
    ],
)
def test_what_a_reference_reaches_is_shown(name: str, reference: str) -> None:
    assert shown(name, reference)


def test_a_reference_to_another_reaches_nothing() -> None:
    assert not shown("var.name", "aws_lambda_function.idle.arn")
    assert not shown('"${var.name}-x"', "aws_lambda_function.idle.arn")
