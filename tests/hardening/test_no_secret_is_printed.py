"""Secrets planted wherever one may stand: none of them is in anything that any command prints."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from iam_preflight.cli import cli
from iam_preflight.commands.shared.output import FORMATS

if TYPE_CHECKING:
    from pathlib import Path

ACCOUNT = "640051118342"
"""A sensitive number that looks like any other."""
KEY_ID = "AKIAQZ7CANARYXKEYID7"
KEY = "cAnaryQ9zX/secretKey+literal0123456789AB"

EVERYWHERE = """
resource "aws_iam_user" "@" {
  name = "user-${@@}"
  path = "/${@@}/"
  tags = { Owner = @@, (@@) = "x" }
}
resource "aws_iam_user_login_profile" "@" {
  user = aws_iam_user.@.name
}
resource "aws_iam_access_key" "@" {
  user = aws_iam_user.@.name
}
resource "aws_iam_role" "@" {
  name        = "role-${@@}"
  description = @@
  assume_role_policy = jsonencode({
    Statement = [
      {
        Sid       = @@
        Effect    = "Allow"
        Principal = { AWS = ["arn:aws:iam::${@@}:root", @@], Service = "${@@}.amazonaws.com" }
        Action    = "sts:AssumeRole"
        Condition = { StringEquals = { "sts:ExternalId" = @@, (@@) = "x" } }
      },
      {
        Effect    = "Allow"
        Principal = { Federated = "arn:aws:iam::111122223333:oidc-provider/${@@}" }
        Action    = "sts:AssumeRoleWithWebIdentity"
        Condition = { StringLike = { "${@@}:sub" = "repo:${@@}/*" } }
      },
    ]
  })
}
resource "aws_iam_role_policy" "@" {
  name = @@
  role = aws_iam_role.@.id
  policy = jsonencode({
    Statement = [
      { Effect = "Allow", Action = ["iam:*", @@, "${@@}:*"], Resource = ["*", "arn:x:${@@}"] },
      { Effect = @@, NotAction = @@, NotResource = @@, Principal = @@ },
      { Effect = "Allow", Action = "sts:AssumeRole", Resource = "arn:aws:iam::${@@}:role/x" },
    ]
  })
}
resource "aws_s3_bucket_policy" "@" {
  bucket = @@
  policy = <<-EOT
    {"Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::${@@}/*",
      "Principal": {"AWS": "arn:aws:iam::${@@}:root"}}]}
  EOT
}
resource "aws_iam_policy" "@" {
  name   = "p"
  policy = @@
}
resource "aws_iam_role_policy_attachment" "@" {
  role       = aws_iam_role.@.name
  policy_arn = "arn:aws:iam::${@@}:policy/${@@}"
}
resource "aws_lambda_function" "@" {
  function_name = @@
  role          = aws_iam_role.@.arn
  environment { variables = { TOKEN = @@ } }
}
resource "aws_instance" "@" {
  user_data = "export TOKEN=${@@}"
  tags      = { Environment = @@ }
}
resource "aws_db_instance" "@" {
  username = @@
  password = @@
}
resource "aws_ssm_parameter" "@" {
  name  = "/${@@}"
  type  = "String"
  value = @@
}
output "@" {
  value = @@
}
module "@" {
  source = "${@@}/module"
}
locals {
  broken_@ = jsondecode(@@)
  file_@   = file(@@)
}
"""


def everywhere(name: str, expression: str) -> str:
    """A value in every kind of place that a policy, role or credential has."""
    return EVERYWHERE.replace("@@", expression).replace("@", name)


TERRAFORM = f"""
variable "default" {{
  type      = string
  default   = "canary-default"
  sensitive = true
}}
variable "number" {{
  default   = "{ACCOUNT}"
  sensitive = true
}}
variable "from_file" {{
  sensitive = true
}}
variable "from_option" {{
  sensitive = true
}}
variable "from_environment" {{
  sensitive = true
}}
variable "nested" {{
  sensitive = true
  default   = {{ inner = ["canary-nested"] }}
}}
provider "aws" {{
  access_key = "{KEY_ID}"
  secret_key = "{KEY}"
}}
resource "aws_db_instance" "literal" {{
  password = "canaryLiteralPassw0rd"
}}
resource "aws_secretsmanager_secret_version" "literal" {{
  secret_string = "canaryLiteralSecretString"
}}
resource "aws_ssm_parameter" "literal" {{
  name  = "/db/password"
  type  = "SecureString"
  value = "canaryLiteralParameter"
}}
resource "aws_iam_user_login_profile" "literal" {{
  user     = "x"
  password = "canaryLiteralLogin1"
}}
resource "aws_lambda_function" "literal" {{
  function_name = "f"
  role          = "arn:aws:iam::111122223333:role/x"
  environment {{
    variables = {{ DB_PASSWORD = "canaryLiteralEnvironment", AWS_SECRET_ACCESS_KEY = "{KEY}" }}
  }}
}}
resource "aws_instance" "literal" {{
  user_data = "export AWS_ACCESS_KEY_ID={KEY_ID} DB_PASSWORD='canaryLiteralUserData'"
}}
"""
SOURCES = {
    "default": "var.default",
    "number": "var.number",
    "file": "var.from_file",
    "option": "var.from_option",
    "environment": "var.from_environment",
    "nested": "var.nested.inner[0]",
    "function": 'sensitive("canary-function")',
    "encoded": 'format("%s-", var.default)',
}

TEMPLATE = f"""
Parameters:
  Default: {{Type: String, NoEcho: true, Default: canary-noecho}}
  Given: {{Type: String, NoEcho: true}}
  Number: {{Type: String, NoEcho: true, Default: "{ACCOUNT}"}}
Resources:
  Literal:
    Type: AWS::RDS::DBInstance
    Properties: {{MasterUserPassword: canaryLiteralPassw0rd}}
  Login:
    Type: AWS::IAM::User
    Properties:
      LoginProfile:
        Password: canaryLiteralLogin1
  Secret:
    Type: AWS::SecretsManager::Secret
    Properties:
      SecretString: canaryLiteralSecretString
  LiteralFunction:
    Type: AWS::Lambda::Function
    Properties:
      Role: arn:aws:iam::111122223333:role/x
      Environment:
        Variables:
          AWS_ACCESS_KEY_ID: {KEY_ID}
          AWS_SECRET_ACCESS_KEY: {KEY}
          DB_PASSWORD: canaryLiteralEnvironment
"""
IN_TEMPLATE = """
  User@:
    Type: AWS::IAM::User
    Properties:
      UserName: !Sub "user-${@}"
      Path: !Sub "/${@}/"
      LoginProfile: {Password: !Ref @}
      Tags: [{Key: !Ref @, Value: !Ref @}]
  Role@:
    Type: AWS::IAM::Role
    Properties:
      RoleName: !Sub "role-${@}"
      AssumeRolePolicyDocument:
        Statement:
          - Sid: !Ref @
            Effect: Allow
            Principal: {AWS: [!Sub "arn:aws:iam::${@}:root", !Ref @]}
            Action: sts:AssumeRole
            Condition: {StringEquals: {"sts:ExternalId": !Ref @}}
      ManagedPolicyArns: [!Sub "arn:aws:iam::${@}:policy/${@}"]
      Policies:
        - PolicyName: !Ref @
          PolicyDocument:
            Statement:
              - {Effect: Allow, Action: ["iam:*", !Ref @], Resource: ["*", !Sub "arn:x:${@}"]}
  Policy@:
    Type: AWS::S3::BucketPolicy
    Properties:
      Bucket: !Ref @
      PolicyDocument: !Sub '{"Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "${@}",
        "Principal": {"AWS": "arn:aws:iam::${@}:root"}}]}'
  Function@:
    Type: AWS::Lambda::Function
    Properties:
      FunctionName: !Ref @
      Role: !GetAtt Role@.Arn
      Environment: {Variables: {TOKEN: !Ref @}}
"""


def sensitive(value: object, marks: object) -> dict[str, object]:
    """A change of a plan with a value that Terraform has marked."""
    return {"actions": ["create"], "before": None, "after": value, "after_sensitive": marks}


def plan() -> str:
    trust = json.dumps(
        {
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
                    "Action": "sts:AssumeRole",
                }
            ]
        }
    )
    policy = json.dumps(
        {"Statement": [{"Effect": "Allow", "Action": "iam:*", "Resource": ["*", "canary-plan"]}]}
    )
    changes = [
        (
            "aws_iam_role",
            {"name": "canary-plan", "assume_role_policy": trust, "tags": {"Owner": "canary-plan"}},
            {"name": True, "assume_role_policy": True, "tags": {"Owner": True}},
        ),
        ("aws_iam_role_policy", {"role": "canary-plan", "policy": policy}, True),
        ("aws_iam_user", {"name": "canary-plan"}, {"name": True}),
        ("aws_db_instance", {"password": "canary-plan"}, {"password": True}),
    ]
    return json.dumps(
        {
            "format_version": "1.2",
            "terraform_version": "1.11.4",
            "variables": {"x": {"value": "canary-plan"}},
            "configuration": {"root_module": {"variables": {"x": {"sensitive": True}}}},
            "planned_values": {"root_module": {}},
            "resource_changes": [
                {
                    "address": f"{kind}.p",
                    "mode": "managed",
                    "type": kind,
                    "name": "p",
                    "change": sensitive(value, marks),
                }
                for kind, value, marks in changes
            ],
        }
    )


WORKFLOW = f"""
on: pull_request_target
env:
  AWS_ACCESS_KEY_ID: {KEY_ID}
  AWS_SECRET_ACCESS_KEY: {KEY}
jobs:
  deploy:
    runs-on: ubuntu-latest
    steps:
      - uses: aws-actions/configure-aws-credentials@v4
        with:
          aws-access-key-id: {KEY_ID}
          aws-secret-access-key: {KEY}
"""
CANARIES = ("canary", "Canary", "CANARY", ACCOUNT)
GIVEN = ("--var", "from_option=canary-option", "--parameters", "Given=canary-given")


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    top = tmp_path_factory.mktemp("tree")
    (top / ".git").mkdir()
    for folder in ("tf", "cfn", "plan", ".github/workflows"):
        (top / folder).mkdir(parents=True)
    places = (everywhere(name, expression) for name, expression in SOURCES.items())
    (top / "tf" / "main.tf").write_text(TERRAFORM + "".join(places))
    (top / "tf" / "terraform.tfvars").write_text('from_file = "canary-tfvars"\n')
    names = ("Default", "Given", "Number")
    places = (IN_TEMPLATE.replace("@", name) for name in names)
    (top / "cfn" / "t.yaml").write_text(TEMPLATE + "".join(places))
    (top / "plan" / "plan.json").write_text(plan())
    (top / ".github" / "workflows" / "a.yml").write_text(WORKFLOW)
    return top


def output(*arguments: object, code: tuple[int, ...] = (0, 1)) -> str:
    environment = {"TF_VAR_from_environment": "canary-environment"}
    ended = CliRunner().invoke(cli, [str(one) for one in arguments], env=environment)
    assert ended.exit_code in (*code, 4), ended.output
    return ended.output


def check(text: str) -> None:
    found = [line for line in text.splitlines() if any(canary in line for canary in CANARIES)]
    shown = [line if len(line) < 300 else _around(line) for line in found]
    assert shown == []


def _around(line: str) -> str:
    at = min(line.find(canary) for canary in CANARIES if canary in line)
    return line[max(0, at - 150) : at + 100]


@pytest.mark.parametrize("folder", ["tf", "cfn", "plan"])
def test_no_format_of_a_scan_shows_a_secret(tree: Path, folder: str, tmp_path: Path) -> None:
    targets = [part for name in FORMATS for part in ("-f", name, "-o", tmp_path / f"{name}.out")]
    arguments = ("--persona", "auditor", "--show-suppressed", "--today", "2027-01-01")
    output("scan", tree / folder, *GIVEN, *arguments, *targets)
    for name in FORMATS:
        report = (tmp_path / f"{name}.out").read_text(encoding="utf-8")
        assert len(report) > 100
        check(report)


@pytest.mark.parametrize("folder", ["tf", "cfn", "plan"])
@pytest.mark.parametrize(
    "command",
    [
        ("graph", "-f", "html"),
        ("graph", "-f", "json"),
        ("graph", "-f", "dot"),
        ("who-can", "iam:PassRole"),
        ("who-can", "s3:GetObject", "arn:aws:s3:::x/y"),
        ("who-can", "s3:GetObject", "-f", "json"),
        ("what-can", "NAME"),
        ("paths", "NAME"),
    ],
    ids=" ".join,
)
def test_no_question_is_answered_with_a_secret(
    tree: Path, folder: str, command: tuple[str, ...]
) -> None:
    name, *rest = command
    where = ("--in", tree / folder) if name in ("who-can", "what-can", "paths") else ()
    paths = () if where else (tree / folder,)
    principals = {"tf": "aws_iam_role.default", "cfn": "RoleDefault", "plan": "aws_iam_role.p"}
    asked = [principals[folder] if word == "NAME" else word for word in rest]
    text = output(name, *asked, *paths, *where, *GIVEN)
    assert text.strip()
    check(text)


def test_neither_baseline_nor_settings_hold_a_secret(tree: Path, tmp_path: Path) -> None:
    baseline = tmp_path / "baseline.json"
    output("baseline", "write", tree, *GIVEN, "--file", baseline)
    written = baseline.read_text(encoding="utf-8")
    assert '"rule"' in written
    check(written)
    check(output("init", tree, "--output", "-"))


def test_a_type_of_principals_that_is_none_is_no_way_out(tmp_path: Path) -> None:
    (tmp_path / "main.tf").write_text("""
variable "x" {
  sensitive = true
  default   = "canary-key"
}
resource "aws_iam_role" "a" {
  name = "a"
  assume_role_policy = jsonencode({
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { (var.x) = "b" } }]
  })
}
""")
    for name in FORMATS:
        check(output("scan", tmp_path, "-f", name, "--persona", "auditor"))
    for name in ("html", "json", "dot"):
        check(output("graph", tmp_path, "-f", name))


@pytest.mark.parametrize(
    "word",
    [
        "upper(var.x)",
        "upper(var.y)",
        'split("/", var.y)[0]',
        'replace(var.y, "/", ":")',
        "var.x",
        "var.z",
    ],
)
def test_what_is_made_of_a_secret_is_one(tmp_path: Path, word: str) -> None:
    """Actions are taken for AWS's own words, which are nobody's secret."""
    (tmp_path / "main.tf").write_text(f"""
variable "x" {{
  sensitive = true
  default   = "canary-key"
}}
variable "y" {{
  sensitive = true
  default   = "s3:canary/more"
}}
variable "z" {{
  sensitive = true
  default   = "canary:more"
}}
resource "aws_iam_user_policy" "a" {{
  user   = "somebody"
  policy = jsonencode({{
    Statement = [{{ Effect = "Allow", Action = [{word}, "s3:GetObject"], Resource = "*" }}]
  }})
}}
""")
    for name in FORMATS:
        check(output("scan", tmp_path, "-f", name, "--persona", "auditor"))


def test_words_of_the_report_itself_are_no_secrets(tmp_path: Path) -> None:
    words = ("critical", "findings", "medium", "main.tf", "aws_iam_user", "primary")
    variables = [
        f'variable "v{index}" {{\n  default = "{word}"\n  sensitive = true\n}}\n'
        f'resource "aws_iam_user" "u{index}" {{\n  name = var.v{index}\n}}\n'
        for index, word in enumerate(words)
    ]
    (tmp_path / "main.tf").write_text("".join(variables))
    for name in FORMATS:
        assert "main.tf" in output("scan", tmp_path, "-f", name)


def test_no_difference_shows_a_secret(tree: Path, tmp_path: Path) -> None:
    top = tmp_path / "repository"
    git = ["git", "-C", str(top), "-c", "user.name=a", "-c", "user.email=a@example.com"]
    subprocess.run(["git", "init", "-q", str(top)], check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "empty"], check=True)
    for file in sorted(tree.rglob("*.*")):
        if file.is_file():
            target = top / file.relative_to(tree)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file.read_bytes())
    subprocess.run([*git, "add", "-A"], check=True)
    subprocess.run([*git, "commit", "-q", "-m", "all"], check=True)
    for name in ("text", "json", "markdown"):
        text = output("diff", "HEAD~1", "HEAD", "--root", top, *GIVEN, "-f", name)
        check(text)
