"""Roots, modules, variables: what belongs together and which values reach it."""

from __future__ import annotations

import json

import pytest
from terraform_helpers import Files, everything, load

from iam_preflight.discovery import Workspace
from iam_preflight.errors import Problem, ProblemKind, UsageError
from iam_preflight.terraform.load import TerraformOptions, load_terraform
from iam_preflight.testing import MemoryTree
from iam_preflight.values import show

ROLE = 'resource "aws_iam_role" "this" {\n  name = var.name\n}\nvariable "name" {}\n'


def names(files: Files | str, options: TerraformOptions | None = None) -> dict[str, str]:
    """The name of every resource, by root and address."""
    resources, _ = load(files, options)
    return {address: show(found.get("name")) for address, found in resources.items()}


def complaints(files: Files | str, options: TerraformOptions | None = None) -> list[Problem]:
    resources, problems = load(files, options)
    for resource in resources.values():
        for name in resource.attributes.entries:
            resource.get(name)
    return problems


# ---------------------------------------------------------------- roots and modules


def test_a_called_folder_is_not_a_root() -> None:
    found = names(
        {
            "main.tf": 'module "a" {\n  source = "./a"\n  name = "x"\n}\n',
            "a/main.tf": ROLE,
        }
    )
    assert found == {"module.a.aws_iam_role.this": "x"}


def test_a_folder_called_through_a_wrapper_is_not_a_root() -> None:
    found = names(
        {
            "examples/full/main.tf": 'module "w" {\n  source = "../../wrapper"\n}\n',
            "wrapper/main.tf": 'module "r" {\n  source = "../role"\n  name = "wrapped"\n}\n',
            "role/main.tf": ROLE,
        }
    )
    assert found == {"module.w.module.r.aws_iam_role.this": "wrapped"}


def test_modules_that_call_each_other_are_named_and_survived() -> None:
    files: Files = {
        "a/main.tf": """
            module "b" {
              source = "../b"
            }
            resource "aws_iam_role" "a" {
              name = "a"
            }
        """,
        "b/main.tf": """
            module "a" {
              source = "../a"
            }
            resource "aws_iam_role" "b" {
              name = "b"
            }
        """,
    }
    assert names(files) == {"aws_iam_role.a": "a", "module.b.aws_iam_role.b": "b"}
    assert [p.message for p in complaints(files)] == ['module "a" (../a) calls itself']


def test_a_module_that_is_not_here_is_named_with_the_fix() -> None:
    text = 'module "vpc" {\n  source  = "terraform-aws-modules/vpc/aws"\n  version = "5"\n}\n'
    [problem] = complaints(text)
    assert problem.kind is ProblemKind.UNRESOLVED_MODULE
    assert "terraform-aws-modules/vpc/aws" in problem.message
    assert "terraform init" in problem.message
    assert problem.place == "main.tf:1:1"


def test_outputs_of_a_missing_module_are_holes_with_its_name() -> None:
    text = """
        module "vpc" {
          source = "vpc/aws"
        }
        resource "aws_iam_role" "this" {
          name = "x-${module.vpc.name}"
        }
    """
    assert names(text) == {"aws_iam_role.this": "x-«module.vpc.name»"}


def test_installed_modules_are_found_and_stay_inside() -> None:
    manifest = {
        "Modules": [
            {"Key": "", "Source": "", "Dir": "."},
            {"Key": "r", "Source": "x/y/aws", "Dir": ".terraform/modules/r"},
            {"Key": "r.inner", "Source": "z/q/aws", "Dir": ".terraform/modules/r.inner"},
            {"Key": "evil", "Source": "e/e/aws", "Dir": "../../etc"},
        ]
    }
    files: Files = {
        "main.tf": 'module "r" {\n  source = "x/y/aws"\n  for_each = toset(["k"])\n}\n'
        'module "evil" {\n  source = "e/e/aws"\n}\n',
        ".terraform/modules/modules.json": json.dumps(manifest),
        ".terraform/modules/r/main.tf": """
            module "inner" {
              source = "z/q/aws"
              name   = "in"
            }
        """,
        ".terraform/modules/r.inner/main.tf": ROLE,
    }
    assert names(files) == {'module.r["k"].module.inner.aws_iam_role.this': "in"}
    messages = [problem.message for problem in complaints(files)]
    assert any("lies outside" in message for message in messages)
    assert any(message.startswith('module "evil"') for message in messages)


@pytest.mark.parametrize(
    ("source", "given"),
    [
        ("git::https://host/repo.git?ref=v1", "git::https://host/repo.git?ref=v1"),
        ("git::https://host/repo.git?ref=v1", "git::https://host/repo.git"),
        ("git::https://host/repo.git//role?ref=v1", "https://host/repo.git"),
        ("company/role/aws", "company/role/aws"),
    ],
)
def test_a_module_map_says_where_sources_are(source: str, given: str) -> None:
    files: Files = {
        "live/main.tf": f'module "r" {{\n  source = "{source}"\n  name = "mapped"\n}}\n',
        "vendored/main.tf": ROLE,
        "vendored/role/main.tf": ROLE,
    }
    options = TerraformOptions(module_map={given: "vendored"})
    assert "mapped" in names(files, options).values()


def test_count_and_for_each_of_modules_are_in_addresses() -> None:
    files: Files = {
        "main.tf": """
            module "n" {
              source = "./role"
              count  = 2
              name   = "n${count.index}"
            }
            module "e" {
              source   = "./role"
              for_each = { a = "one", "b.c" = "two" }
              name     = each.value
            }
        """,
        "role/main.tf": ROLE,
    }
    assert names(files) == {
        "module.n[0].aws_iam_role.this": "n0",
        "module.n[1].aws_iam_role.this": "n1",
        'module.e["a"].aws_iam_role.this': "one",
        'module.e["b.c"].aws_iam_role.this': "two",
    }


def test_an_unknown_collection_makes_one_instance_for_all() -> None:
    text = """
        variable "roles" {}
        resource "aws_iam_role" "this" {
          for_each = var.roles
          name     = each.key
          path     = "/fixed/"
        }
    """
    resources, _ = load(text)
    [role] = resources.values()
    assert role.address == "aws_iam_role.this[*]"
    assert role.text("path") == "/fixed/"
    assert show(role.get("name")) == "«each.key of aws_iam_role.this»"


def test_a_resource_under_an_undecided_count_says_what_has_to_hold() -> None:
    text = """
        variable "create" {}
        resource "aws_iam_role" "this" {
          count = var.create ? 1 : 0
          name  = "x"
        }
    """
    resources, _ = load(text)
    [role] = resources.values()
    assert role.address == "aws_iam_role.this[0]"
    assert [str(a) for a in role.assumptions] == ["var.create"]


# ---------------------------------------------------------------- files


def test_tofu_files_stand_in_for_tf_files_of_the_same_name() -> None:
    found = names(
        {
            "role.tf": 'resource "aws_iam_role" "a" {\n  name = "terraform"\n}\n',
            "role.tofu": 'resource "aws_iam_role" "a" {\n  name = "tofu"\n}\n',
            "more.tf.json": '{"resource": {"aws_iam_role": {"b": {"name": "json"}}}}',
            "more.tofu.json": '{"resource": {"aws_iam_role": {"b": {"name": "tofu json"}}}}',
        }
    )
    assert found == {"aws_iam_role.a": "tofu", "aws_iam_role.b": "tofu json"}


def test_override_files_replace_arguments_and_blocks_of_a_type() -> None:
    resources, problems = load(
        {
            "main.tf": """
                resource "aws_iam_role" "a" {
                  name = "base"
                  path = "/kept/"
                  inline_policy {
                    name = "one"
                  }
                  inline_policy {
                    name = "two"
                  }
                }
                locals {
                  x = 1
                  y = 2
                }
            """,
            "b_override.tf": """
                resource "aws_iam_role" "a" {
                  name = "second"
                }
                locals {
                  x = 3
                }
            """,
            "a_override.tf": """
                resource "aws_iam_role" "a" {
                  name = "first"
                  inline_policy {
                    name = "only"
                  }
                }
            """,
        }
    )
    role = resources["aws_iam_role.a"]
    assert (role.text("name"), role.text("path")) == ("second", "/kept/")
    assert show(role.get("inline_policy")) == '[{"name":"only"}]'
    assert problems == []


def test_backups_and_hidden_files_are_not_read() -> None:
    broken = 'resource "aws_iam_role" "a" {'
    assert complaints({"main.tf": ROLE, ".hidden.tf": broken, "old.tf~": broken}) == []


def test_moved_import_check_and_removed_blocks_are_passed_over() -> None:
    text = """
        moved {
          from = aws_iam_role.a
          to   = aws_iam_role.b
        }
        import {
          to = aws_iam_role.b
          id = "b"
        }
        removed {
          from = aws_iam_role.c
        }
        check "health" {
          data "http" "x" {
            url = "https://example.com"
          }
          assert {
            condition     = true
            error_message = "no"
          }
        }
        resource "aws_iam_role" "b" {
          name = "b"
        }
    """
    assert names(text) == {"aws_iam_role.b": "b"}
    assert complaints(text) == []


def test_what_is_declared_twice_is_a_syntax_problem_at_the_second() -> None:
    text = 'resource "aws_iam_role" "a" {\n  name = "1"\n}\n'
    [problem] = complaints({"a.tf": text, "b.tf": "\n" + text})
    assert problem.kind is ProblemKind.SYNTAX
    assert problem.place == "b.tf:2:1"
    assert problem.message == "resource aws_iam_role a is declared twice (first in a.tf:1)"


def test_what_a_second_declaration_says_is_judged_too() -> None:
    files = {
        "a.tf": 'resource "aws_iam_role" "a" {\n  name = "1"\n}\n',
        "b.tf": 'resource "aws_iam_role" "a" {\n  count = 2\n  name  = "2-${count.index}"\n}\n',
    }
    workspace = Workspace(MemoryTree(files))
    found = load_terraform(workspace, tuple(files), TerraformOptions(), everything)
    assert [(r.address, show(r.get("name"))) for r in found] == [
        ("aws_iam_role.a", "1"),
        ("aws_iam_role.a[0]", "2-0"),
        ("aws_iam_role.a[1]", "2-1"),
    ]


# ---------------------------------------------------------------- variables

VARIABLE = """
variable "name" {
  default = "default"
}
resource "aws_iam_role" "r" {
  name = var.name
}
"""


def chosen(files: Files, options: TerraformOptions | None = None) -> str:
    return names({"main.tf": VARIABLE, **files}, options)["aws_iam_role.r"]


def test_precedence_of_variable_values_is_terraforms() -> None:
    environment = {"TF_VAR_name": "environment"}
    files: Files = {}
    assert chosen(files) == "default"
    options = TerraformOptions(environment=environment)
    assert chosen(files, options) == "environment"
    files["terraform.tfvars"] = 'name = "tfvars"\n'
    assert chosen(files, options) == "tfvars"
    files["terraform.tfvars.json"] = '{"name": "tfvars json"}'
    assert chosen(files, options) == "tfvars json"
    files["b.auto.tfvars"] = 'name = "b"\n'
    files["a.auto.tfvars.json"] = '{"name": "a"}'
    assert chosen(files, options) == "b"
    files["given.tfvars"] = 'name = "given"\n'
    after = (("var", "name=first"), ("file", "given.tfvars"))
    assert chosen(files, TerraformOptions(environment=environment, assignments=after)) == "given"
    before = (("file", "given.tfvars"), ("var", "name=last"))
    assert chosen(files, TerraformOptions(environment=environment, assignments=before)) == "last"


def test_the_environment_is_only_what_is_passed_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TF_VAR_name", "leaked")
    monkeypatch.setenv("TF_WORKSPACE", "leaked")
    assert chosen({}) == "default"


def test_values_on_the_command_line_are_text_or_expressions_by_type() -> None:
    text = """
        variable "plain" {}
        variable "list" {
          type = list(string)
        }
        variable "number" {
          type = number
        }
        resource "aws_iam_role" "r" {
          name = "${var.plain} ${join("+", var.list)} ${var.number + 1}"
        }
    """
    given = (("var", "plain=[1]"), ("var", 'list=["a", "b"]'), ("var", "number=4"))
    assert names(text, TerraformOptions(assignments=given)) == {"aws_iam_role.r": "[1] a+b 5"}


def test_an_argument_without_equals_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="NAME=VALUE"):
        names(VARIABLE, TerraformOptions(assignments=(("var", "name"),)))


def test_strings_of_json_variable_files_are_not_templates() -> None:
    assert chosen({"terraform.tfvars.json": '{"name": "a${b}"}'}) == "a${b}"


def test_an_unset_variable_is_a_hole_with_its_name() -> None:
    assert names(ROLE) == {"aws_iam_role.this": "«var.name»"}


def test_nullable_false_gives_the_default_for_null() -> None:
    module = """
        variable "a" {
          default  = "kept"
          nullable = false
        }
        variable "b" {
          default = "lost"
        }
        resource "aws_iam_role" "r" {
          name = "${var.a} ${coalesce(var.b, "null")}"
        }
    """
    root = 'module "m" {\n  source = "./m"\n  a = null\n  b = null\n}\n'
    assert names({"main.tf": root, "m/main.tf": module}) == {"module.m.aws_iam_role.r": "kept null"}


def test_the_workspace_is_a_hole_until_it_is_given() -> None:
    text = 'resource "aws_iam_role" "r" {\n  name = "x-${terraform.workspace}"\n}\n'
    assert names(text) == {"aws_iam_role.r": "x-«terraform.workspace»"}
    assert names(text, TerraformOptions(workspace="prod")) == {"aws_iam_role.r": "x-prod"}
    options = TerraformOptions(environment={"TF_WORKSPACE": "dev"})
    assert names(text, options) == {"aws_iam_role.r": "x-dev"}


# ---------------------------------------------------------------- providers


def test_providers_are_inherited_passed_and_aliased() -> None:
    resources, _ = load(
        {
            "main.tf": """
                provider "aws" {
                  region              = "eu-west-1"
                  allowed_account_ids = ["111111111111"]
                  default_tags {
                    tags = { Team = "x" }
                  }
                }
                provider "aws" {
                  alias  = "us"
                  region = "us-east-1"
                  assume_role {
                    role_arn = "arn:aws:iam::222222222222:role/deploy"
                  }
                }
                module "inherits" {
                  source = "./m"
                }
                module "passed" {
                  source    = "./m"
                  providers = { aws = aws.us, aws.other = aws }
                }
                resource "aws_iam_role" "us" {
                  provider = aws.us
                  name     = "us"
                }
            """,
            "m/main.tf": """
                terraform {
                  required_providers {
                    aws = {
                      source                = "hashicorp/aws"
                      configuration_aliases = [aws.other]
                    }
                  }
                }
                resource "aws_iam_role" "default" {
                  name = "default"
                }
                resource "aws_iam_role" "other" {
                  provider = aws.other
                  name     = "other"
                }
            """,
        }
    )
    regions = {a: show(r.provider.get("region")) for a, r in resources.items() if "role" in a}
    assert regions == {
        "aws_iam_role.us": "us-east-1",
        "module.inherits.aws_iam_role.default": "eu-west-1",
        "module.inherits.aws_iam_role.other": "",
        "module.passed.aws_iam_role.default": "us-east-1",
        "module.passed.aws_iam_role.other": "eu-west-1",
    }
    provider = resources["module.inherits.aws_iam_role.default"].provider
    assert provider.account_ids == ("111111111111",)
    assert show(provider.default_tags) == '{"Team":"x"}'


# ---------------------------------------------------------------- terragrunt


def test_a_terragrunt_unit_runs_its_module_with_its_inputs() -> None:
    files: Files = {
        "root.hcl": """
            locals {
              org = "acme"
            }
            inputs = {
              name = "from root"
              path = "/x/"
            }
        """,
        "live/prod/terragrunt.hcl": """
            include "root" {
              path   = find_in_parent_folders("root.hcl")
              expose = true
            }
            locals {
              env = basename(path_relative_to_include())
            }
            terraform {
              source = "../../modules//role"
            }
            dependency "vpc" {
              config_path = "../vpc"
            }
            inputs = {
              name = "${include.root.locals.org}-${local.env}-${dependency.vpc.outputs.id}"
            }
        """,
        "modules/role/main.tf": ROLE + 'variable "path" {}\noutput "p" {\n  value = var.path\n}\n',
    }
    resources, problems = load(files)
    role = resources["aws_iam_role.this"]
    assert show(role.get("name")) == "acme-prod-«dependency.vpc.outputs.id»"
    assert role.deployment.path == "live/prod"
    assert problems == []


def test_a_terragrunt_unit_of_a_remote_module_is_named() -> None:
    files: Files = {
        "live/terragrunt.hcl": 'terraform {\n  source = "git::https://host/m.git"\n}\n',
        "live/x/main.tf": ROLE,
    }
    _, problems = load(files)
    assert [p.kind for p in problems] == [ProblemKind.UNRESOLVED_MODULE]
