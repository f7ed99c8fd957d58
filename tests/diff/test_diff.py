"""What a change adds, from two versions in git: exactly what was planted."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from iam_preflight.cli import cli

if TYPE_CHECKING:
    from conftest import Repo

ROLES = """\
resource "aws_iam_role" "app" {
  name                 = "app"
  max_session_duration = var.session
  assume_role_policy   = jsonencode({
    Statement = [{
      Effect    = "Allow"
      Principal = { AWS = var.partner }
      Action    = "sts:AssumeRole"
      Condition = { StringEquals = { "sts:ExternalId" = ["one", "two"] } }
    }]
  })
}

# iam-preflight: ignore[ROLE-003] a long export
resource "aws_iam_role" "export" {
  max_session_duration = 20000
  assume_role_policy   = jsonencode({
    Statement = [{
      Effect = "Allow", Principal = { AWS = "111122223333" }, Action = "sts:AssumeRole"
    }]
  })
}
"""
VARIABLES = """\
variable "session" {
  default = 3600
}
variable "partner" {
  default = "222233334444"
}
"""
SETTINGS = "accounts: {'111122223333': {}}\nignore: [TAG, EXT]\n"
FILES: dict[str, str | None] = {
    "roles.tf": ROLES,
    "variables.tf": VARIABLES,
    ".iam-preflight.yaml": SETTINGS,
}


def diff(repo: Repo, *arguments: str, code: int | None = None) -> dict[str, Any]:
    command = ["diff", *(arguments or ("main",)), "-p", str(repo.path), "-f", "json"]
    result = CliRunner().invoke(cli, command, catch_exceptions=False)
    assert code is None or result.exit_code == code, result.output
    report: dict[str, Any] = json.loads(result.stdout)
    return report


def new(report: dict[str, Any]) -> list[tuple[str, str]]:
    return [
        (one["rule"], one["address"]) for one in report["findings"] if one["outcome"] == "shown"
    ]


def fixed(report: dict[str, Any]) -> list[tuple[str, str]]:
    return [(one["rule"], one["address"]) for one in report["change"]["fixed"]]


def trust(report: dict[str, Any]) -> list[str]:
    return [one["message"] for one in report["change"]["trust"]]


@pytest.fixture
def estate(repo: Repo) -> Repo:
    repo.commit(FILES, "base")
    return repo


def test_nothing_new_without_a_change(estate: Repo) -> None:
    report = diff(estate, code=0)
    assert new(report) == fixed(report) == trust(report) == []


def test_moving_and_formatting_is_no_change(estate: Repo) -> None:
    estate.write({"roles.tf": None, "infra.tf": "\n\n# moved\n" + ROLES.replace("  ", "    ")})
    report = diff(estate, code=0)
    assert new(report) == fixed(report) == trust(report) == []


def test_cause_in_a_variable_of_another_file_is_found(estate: Repo) -> None:
    estate.write({"variables.tf": VARIABLES.replace("3600", "7200")})
    report = diff(estate, code=1)
    assert new(report) == [("ROLE-003", "aws_iam_role.app")]
    (finding,) = [one for one in report["findings"] if one["outcome"] == "shown"]
    assert (finding["place"]["file"], finding["place"]["line"]) == ("variables.tf", 2)


def test_removed_ignore_is_found(estate: Repo) -> None:
    estate.write(
        {"roles.tf": ROLES.replace("# iam-preflight: ignore[ROLE-003] a long export\n", "")}
    )
    assert new(diff(estate, code=1)) == [("ROLE-003", "aws_iam_role.export")]


def test_fixed_finding_is_told_and_the_rest_is_unchanged(repo: Repo) -> None:
    other = ROLES.replace('"app"', '"other"').split("# iam")[0].replace("var.session", "7200")
    repo.commit({**FILES, "roles.tf": ROLES.replace("var.session", "7200"), "other.tf": other})
    repo.write({"roles.tf": ROLES})
    report = diff(repo, code=0)
    assert fixed(report) == [("ROLE-003", "aws_iam_role.app")]
    assert report["counts"]["unchanged"] == 1
    assert new(report) == []


def test_ignoring_is_not_fixing(repo: Repo) -> None:
    long = ROLES.replace("var.session", "7200")
    repo.commit({**FILES, "roles.tf": long})
    repo.write({"roles.tf": f"# iam-preflight: ignore[ROLE-003] please\n{long}"})
    report = diff(repo, code=0)
    assert fixed(report) == []
    assert [one["reason"] for one in report["change"]["ignores"]] == ["please"]


def test_new_instance_of_a_module_is_new_and_only_it(repo: Repo) -> None:
    call = 'module "%s" {\n  source = "./role"\n}\n'
    role = (
        ROLES.split("# iam")[0]
        .replace("var.session", "7200")
        .replace("var.partner", '"111122223333"')
    )
    repo.commit({"role/main.tf": role, "main.tf": call % "a", ".iam-preflight.yaml": SETTINGS})
    repo.write({"main.tf": call % "a" + call % "b"})
    report = diff(repo, code=1)
    assert new(report) == [("ROLE-003", "module.b.aws_iam_role.app")]


# ---------------------------------------------------------------- trust


@pytest.mark.parametrize(
    ("before", "after", "messages"),
    [
        ("222233334444", "333344445555", ["role app can now be assumed by 333344445555"]),
        ('["one", "two"]', '["one"]', []),
        (
            '["one", "two"]',
            '["one", "three"]',
            ["role app asks 222233334444 for less in StringEquals sts:ExternalId"],
        ),
        (
            'Condition = { StringEquals = { "sts:ExternalId" = ["one", "two"] } }',
            "",
            ["role app no longer asks 222233334444 for StringEquals sts:ExternalId"],
        ),
    ],
)
def test_new_trust_is_told(estate: Repo, before: str, after: str, messages: list[str]) -> None:
    estate.write(
        {
            name: text.replace(before, after)
            for name, text in (("roles.tf", ROLES), ("variables.tf", VARIABLES))
        }
    )
    assert trust(diff(estate)) == messages


# ---------------------------------------------------------------- a change cannot judge itself


def test_settings_of_the_base_judge_when_asked(estate: Repo) -> None:
    estate.write(
        {
            "variables.tf": VARIABLES.replace("3600", "7200"),
            ".iam-preflight.yaml": SETTINGS + "max_session_seconds: 43200\n",
        }
    )
    own = diff(estate, code=0)
    assert new(own) == []
    assert own["change"]["other_settings"]
    judged = diff(estate, "main", "--settings-from", "base", code=1)
    assert new(judged) == [("ROLE-003", "aws_iam_role.app")]
    assert not judged["change"]["other_settings"]


def test_ignores_of_the_base_count_when_asked(estate: Repo) -> None:
    estate.write(
        {
            "variables.tf": VARIABLES.replace(
                "3600", "7200 # iam-preflight: ignore[ROLE-003] mine"
            ),
        }
    )
    own = diff(estate, code=0)
    assert [one["reason"] for one in own["change"]["ignores"]] == ["mine"]
    judged = diff(estate, "main", "--suppressions-from", "base", code=1)
    assert new(judged) == [("ROLE-003", "aws_iam_role.app")]
    assert any("not in the base" in one["message"] for one in judged["problems"])


# ---------------------------------------------------------------- versions


def test_what_others_did_meanwhile_is_not_taken_for_this_change(estate: Repo) -> None:
    estate.git("switch", "--quiet", "-c", "topic")
    estate.commit({"other.tf": 'variable "x" {}\n'})
    estate.git("switch", "--quiet", "main")
    estate.commit({"variables.tf": VARIABLES.replace("3600", "7200")})
    estate.commit({"variables.tf": VARIABLES.replace('"222233334444"', '"333344445555"')})
    assert trust(diff(estate, "main", "topic")) == []
    assert trust(diff(estate, "main", "topic", "--exact")) != []


def test_two_revisions_are_compared_without_the_working_tree(estate: Repo) -> None:
    estate.commit({"variables.tf": VARIABLES.replace("3600", "7200")})
    estate.write({"roles.tf": "broken {"})
    assert new(diff(estate, "HEAD~1", "HEAD", code=1)) == [("ROLE-003", "aws_iam_role.app")]


def test_file_that_the_base_has_not_is_all_new(repo: Repo) -> None:
    repo.commit({".iam-preflight.yaml": SETTINGS})
    repo.write({name: text for name, text in FILES.items() if text is not None})
    repo.write({"variables.tf": VARIABLES.replace("3600", "7200")})
    assert new(diff(repo, code=1)) == [("ROLE-003", "aws_iam_role.app")]


def test_what_the_base_could_not_be_analysed_for_does_not_fail_the_head(repo: Repo) -> None:
    repo.commit({**FILES, "broken.tf": 'resource "x" {'})
    repo.write({"broken.tf": None})
    assert diff(repo, code=0)["verdict"] == "clean"


def test_unknown_revision_is_a_usage_error(estate: Repo) -> None:
    result = CliRunner().invoke(cli, ["diff", "nothing", "-p", str(estate.path)])
    assert result.exit_code != 0
    assert "there is no revision 'nothing'" in str(result.exception)
