"""`init`: a first settings file that says what the code says, and excuses nothing by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from iam_preflight.cli import cli
from iam_preflight.errors import UsageError
from iam_preflight.settings import Settings
from iam_preflight.settings_file import load_settings, read_settings
from iam_preflight.source import SourceFile

if TYPE_CHECKING:
    from pathlib import Path

ESTATE = """\
provider "aws" {
  allowed_account_ids = ["%s"]
  default_tags {
    tags = { environment = "%s", team = "platform", Owner = "a@example.com" }
  }
}
resource "aws_iam_role" "github" {
  name               = "github"
  assume_role_policy = jsonencode({ Statement = [{
    Effect    = "Allow"
    Principal = { Federated = "arn:aws:iam::%s:oidc-provider/gitlab.example.com" }
    Action    = "sts:AssumeRoleWithWebIdentity"
    Condition = { StringLike = {
      "gitlab.example.com:sub"  = "repo:our-org/infra:*"
      "aws:PrincipalOrgID"      = "o-abcdefghij"
    } }
  }] })
}
resource "aws_iam_role" "partner" {
  name                 = "partner"
  max_session_duration = 7200
  assume_role_policy   = jsonencode({ Statement = [{
    Effect = "Allow", Principal = { AWS = "999988887777" }, Action = "sts:AssumeRole"
  }] })
}
resource "aws_iam_role" "admin" {
  name                = "admin"
  managed_policy_arns = ["arn:aws:iam::aws:policy/AdministratorAccess"]
  assume_role_policy  = jsonencode({ Statement = [{
    Effect = "Allow", Principal = { Service = "ec2.amazonaws.com" }, Action = "sts:AssumeRole"
  }] })
}
"""


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, [str(one) for one in arguments], catch_exceptions=False)


@pytest.fixture
def estate(tmp_path: Path) -> Path:
    (tmp_path / ".git").mkdir()
    for environment, account in (("dev", "111122223333"), ("prod", "444455556666")):
        folder = tmp_path / "accounts" / environment
        folder.mkdir(parents=True)
        (folder / "main.tf").write_text(ESTATE % (account, environment, account))
    return tmp_path


def written(estate: Path) -> Settings:
    assert run("init", estate).exit_code == 0
    return load_settings(estate / ".iam-preflight.yaml")


def uncommented(estate: Path) -> Settings:
    """The file with every proposal taken up."""
    text = (estate / ".iam-preflight.yaml").read_text()
    return read_settings(SourceFile("s.yaml", text.replace("#: ", "").encode()))


def test_facts_are_written_and_load(estate: Path) -> None:
    settings = written(estate)
    assert {number: account.environment for number, account in settings.accounts.items()} == {
        "111122223333": "dev",
        "444455556666": "prod",
    }
    assert settings.organization_ids == ("o-abcdefghij",)
    assert settings.oidc_issuers == ("gitlab.example.com",)


def test_tags_are_those_of_the_practices_as_the_code_spells_them(estate: Path) -> None:
    settings = written(estate)
    assert list(settings.tags) == ["environment", "Owner", "CreatedBy", "ExpirationDate"]
    assert settings.tags["environment"].values == ("dev", "prod")
    assert settings.tags["ExpirationDate"].is_date
    assert "team" in uncommented(estate).tags


def test_what_would_excuse_something_is_only_proposed(estate: Path) -> None:
    settings = written(estate)
    assert settings.trusted_accounts == {}
    assert settings.admin_roles == settings.long_session_roles == settings.oidc_subjects == ()
    taken = uncommented(estate)
    assert set(taken.trusted_accounts) == {"999988887777"}
    assert taken.admin_roles == ("admin",)
    assert taken.oidc_subjects == ("repo:our-org/*",)
    assert taken.long_session_roles == ("partner",)
    assert taken.lower_in == {"sandbox": 1}
    text = (estate / ".iam-preflight.yaml").read_text()
    assert "# partner, without an ExternalId" in text


def test_scan_finds_the_same_before_and_after(estate: Path) -> None:
    """But for what the facts decide: whose accounts they are, and which tags are in use."""
    rules = ("--select", "SEG-007", "--select", "ROLE-003", "-q")
    before = run("scan", estate, *rules).stdout.splitlines()[0]
    written(estate)
    assert run("scan", estate, *rules).stdout.splitlines()[0] == before


@pytest.mark.parametrize(
    "issuer",
    [
        "token.actions.githubusercontent.com",
        "https://token.actions.githubusercontent.com",
        "oidc.circleci.com/org/<YOUR_ORG>",
    ],
)
def test_an_issuer_that_others_use_is_not_the_own_one(tmp_path: Path, issuer: str) -> None:
    (tmp_path / ".git").mkdir()
    text = ESTATE % ("111122223333", "dev", "111122223333")
    (tmp_path / "main.tf").write_text(text.replace("gitlab.example.com", issuer))
    assert written(tmp_path).oidc_issuers == ()


def test_empty_repository_gets_the_defaults(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    settings = written(tmp_path)
    assert settings == Settings()
    assert "111122223333" in uncommented(tmp_path).accounts


def test_file_that_is_there_is_kept(estate: Path) -> None:
    file = estate / ".iam-preflight.yaml"
    file.write_text("fail_on: high\n")
    with pytest.raises(UsageError, match="is there"):
        run("init", estate)
    assert file.read_text() == "fail_on: high\n"
    assert run("init", "--force", estate).exit_code == 0
    assert "fail_on: medium" in file.read_text()


def test_standard_output_writes_nothing(estate: Path) -> None:
    result = run("init", "--output", "-", estate)
    assert "organization_ids: [o-abcdefghij]" in result.stdout
    assert not (estate / ".iam-preflight.yaml").exists()


@pytest.mark.parametrize(
    "name", ['a"b: c', "x # y", "- z", "yes", "{a}", "\u202eevil", "a\nb: c", "&a *b", "1e5", "%"]
)
def test_strange_names_do_not_break_the_file(tmp_path: Path, name: str) -> None:
    (tmp_path / ".git").mkdir()
    quoted = name.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("%", "%%")
    role = (
        'resource "aws_iam_role" "r" {\n  name = "%s"\n  max_session_duration = 7200\n'
        '  assume_role_policy = "{}"\n  tags = { "%s" = "%s" }\n}\n'
    )
    text = role % ((quoted.replace("%%", "%"),) * 3)
    (tmp_path / "main.tf").write_text(text)
    written(tmp_path)
    assert uncommented(tmp_path).long_session_roles
