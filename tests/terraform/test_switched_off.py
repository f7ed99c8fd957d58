"""Blocks that make nothing because a variable of the root is left at its default."""

from __future__ import annotations

import pytest

from iam_preflight.discovery import TERRAFORM_SUFFIXES, Workspace
from iam_preflight.registry import Registry, load_rules
from iam_preflight.reporters import html_report, json_report, markdown_report, text_report
from iam_preflight.reporters.model import Options
from iam_preflight.reporters.present import present
from iam_preflight.terraform.load import TerraformOptions, load_terraform
from iam_preflight.testing import MemoryTree, scan_files

USERS = """
variable "create" { default = true }
variable "create_user" { default = false }
variable "names" { default = [] }
locals { wanted = var.create && var.create_user }
resource "aws_iam_user" "one" {
  count = local.wanted ? 1 : 0
  name  = "one"
}
resource "aws_iam_access_key" "one" {
  count = length(aws_iam_user.one)
  user  = aws_iam_user.one[0].name
}
resource "aws_iam_user" "each" {
  for_each = toset(var.names)
  name     = each.key
}
resource "null_resource" "one" { count = var.create_user ? 1 : 0 }
"""


def off(files: dict[str, str], *variables: str) -> tuple[list[tuple[str, str]], list[str]]:
    workspace = Workspace(MemoryTree(files))
    paths = [path for path in workspace.tree.files(".") if path.endswith(TERRAFORM_SUFFIXES)]
    options = TerraformOptions(variables=variables)
    list(load_terraform(workspace, paths, options, lambda name: name.startswith("aws_iam_")))
    found = [(one.switch, one.path) for one in workspace.switched_off]
    return found, [problem.message for problem in workspace.problems]


def test_a_block_is_off_by_the_default_that_it_hangs_on_through_locals_and_other_blocks():
    found, _ = off({"main.tf": USERS})
    assert found == [("var.create_user", "."), ("var.create_user", "."), ("var.names", ".")]


def test_what_somebody_gives_is_no_default():
    assert off({"main.tf": USERS}, "create_user=false", "names=[]") == ([], [])
    given = {"main.tf": USERS, "terraform.tfvars": "create_user = false\nnames = []\n"}
    assert off(given) == ([], [])


def test_two_defaults_that_switch_off_together_are_named_together():
    text = """
    variable "a" { default = false }
    variable "b" { default = false }
    resource "aws_iam_user" "u" { count = var.a && var.b ? 1 : 0 }
    """
    assert off({"main.tf": text})[0] == [("var.a and var.b", ".")]


@pytest.mark.parametrize(
    "count", ["0", "local.none", "false && var.on ? 1 : 0", "length([for x in [] : x if var.on])"]
)
def test_what_the_code_decides_is_not_told(count):
    text = f"""
    variable "on" {{ default = false }}
    locals {{ none = 0 }}
    resource "aws_iam_user" "u" {{ count = {count} }}
    """
    assert off({"main.tf": text}) == ([], [])


CALLED = {"users/main.tf": USERS}


def test_a_module_that_is_called_without_something_is_the_choice_of_its_caller():
    call = 'module "users" {\n  source = "./users"\n  create = false\n}\n'
    assert off({**CALLED, "main.tf": call}) == ([], [])
    assert off({**CALLED, "main.tf": call.replace("  create = false\n", "")}) == ([], [])


def test_a_default_of_the_root_reaches_into_modules():
    call = """
    variable "with_user" { default = false }
    module "all" { source = "./all", on = var.with_user }
    """
    middle = """
    variable "on" { default = true }
    module "users" {
      source      = "../users"
      for_each    = toset(var.on ? ["a"] : [])
      create_user = true
    }
    module "more" {
      source      = "../more"
      create_user = var.on
    }
    """
    files = {
        **CALLED,
        "main.tf": call.replace(", on", "\n on"),
        "all/main.tf": middle,
        "more/main.tf": USERS,
    }
    # two blocks of `users`, which is not called at all, and two of `more`, which is
    assert off(files)[0] == [("var.with_user", ".")] * 4


def test_a_block_that_some_root_makes_is_judged():
    call = 'module "users" {\n  source = "../users"\n  create_user = %s\n}\n'
    maybe = 'variable "on" { default = false }\n' + call % "var.on"
    files = {**CALLED, "a/main.tf": call % "true", "b/main.tf": maybe}
    assert off(files) == ([], [])
    assert off({**files, "a/main.tf": call % "false"})[0] == [("var.on", "b")] * 2


def test_asking_again_tells_of_no_problems():
    call = """
    variable "on" { default = false }
    module "gone" {
      source = "./users"
      count  = var.on ? 1 : 0
    }
    """
    inner = 'module "deeper" { source = "./nowhere" }\n' + USERS
    found, problems = off({"main.tf": call, "users/main.tf": inner})
    # nothing of `users` is there by the root's default alone
    assert (found, problems) == ([], [])
    inner = inner.replace('"create_user" { default = false }', '"create_user" { default = true }')
    found, problems = off({"main.tf": call, "users/main.tf": inner})
    assert (found, problems) == ([("var.on", ".")] * 2, [])


def test_reports_tell_of_it_and_the_verdict_stays():
    report = present(scan_files({"modules/x/main.tf": USERS}, Registry(())), "medium")
    assert report.verdict == "clean"
    assert report.coverage.switched_off == 3
    sentence = (
        "3 blocks are switched off by default values (count or for_each is empty, "
        "most: var.create_user in modules/x): give --var to judge them"
    )
    for reporter in (text_report, markdown_report, html_report):
        assert sentence in "".join(written(reporter, report)).replace("\\_", "_")
    again = json_report.read(written(json_report, report).encode())
    assert again.coverage.switches == report.coverage.switches


def test_reports_say_nothing_where_nothing_is_off():
    report = present(
        scan_files({"main.tf": 'resource "aws_iam_user" "u" {}'}, Registry(())), "medium"
    )
    assert "switched off" not in written(text_report, report)


def written(reporter, report) -> str:
    import io

    stream = io.StringIO()
    reporter.write(report, stream, Options(width=0))
    return stream.getvalue()


EMPTY = """
variable "statements" { default = [] }
data "aws_iam_policy_document" "d" {
  dynamic "statement" {
    for_each = var.statements
    content { actions = statement.value }
  }
}
output "json" { value = data.aws_iam_policy_document.d.json }
resource "aws_iam_policy" "p" {
  name   = "p"
  policy = data.aws_iam_policy_document.d.json
}
"""


@pytest.mark.parametrize(
    ("files", "is_told"),
    [
        ({"main.tf": EMPTY}, False),
        # what somebody gives, or nobody can, is empty for good
        ({"main.tf": EMPTY, "terraform.tfvars": "statements = []"}, True),
        ({"main.tf": EMPTY.replace("var.statements", "[]")}, True),
        ({"m/main.tf": EMPTY, "main.tf": 'module "m" { source = "./m" }'}, True),
        (
            {
                "m/main.tf": EMPTY,
                "main.tf": 'variable "given" { default = [] }\n'
                'module "m" {\n  source = "./m"\n  statements = var.given\n}\n',
            },
            False,
        ),
        (
            {
                "m/main.tf": EMPTY,
                "main.tf": 'variable "given" { default = [] }\n'
                'module "m" {\n  source = "./m"\n  statements = var.given\n}\n'
                'resource "aws_iam_policy" "q" {\n  policy = module.m.json\n}\n',
            },
            False,
        ),
    ],
)
def test_a_policy_that_variables_are_to_fill_is_not_empty(
    files: dict[str, str], is_told: bool
) -> None:
    report = scan_files(files, load_rules().select(["LEAST-014"], ()))
    assert [one.message for one in report.shown] == ["the policy has no Statement"] * is_told
