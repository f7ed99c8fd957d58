"""Outputs, providers and backends, for the rules that look where secrets go."""

from __future__ import annotations

from iam_preflight.discovery import Workspace
from iam_preflight.terraform.load import TerraformOptions, load_terraform
from iam_preflight.terraform.surroundings import BACKEND, OUTPUT, PROVIDER
from iam_preflight.testing import MemoryTree
from iam_preflight.values import Reference

ROOT = """
terraform {
  backend "s3" {
    bucket = "state"
  }
}

variable "region" {
  default = "eu-west-1"
}

provider "aws" {
  region = var.region
}

module "key" {
  source = "./key"
}

output "secret" {
  value     = module.key.secret
  sensitive = true
}
"""
MODULE = """
resource "aws_iam_access_key" "this" {
  user = "robot"
}

output "secret" {
  value = aws_iam_access_key.this.secret
}
"""


def load(files, *wanted):
    workspace = Workspace(MemoryTree(files))
    paths = [path for path in files if path.endswith(".tf")]
    found = load_terraform(workspace, paths, TerraformOptions(), lambda name: name in wanted)
    return list(found)


def test_an_output_of_the_root_says_where_its_value_comes_from():
    (output,) = load({"main.tf": ROOT, "key/main.tf": MODULE}, OUTPUT)
    assert output.address == "output.secret"
    assert output.header.text == 'output "secret"'
    value = output.get("value")
    assert value.reference == Reference("module.key.aws_iam_access_key.this", "secret")


def test_a_provider_is_evaluated_in_its_module():
    (provider,) = load({"main.tf": ROOT, "key/main.tf": MODULE}, PROVIDER)
    assert (provider.address, provider.name) == ("provider.aws", "aws")
    assert provider.text("region") == "eu-west-1"


def test_a_backend_has_its_arguments():
    (backend,) = load({"main.tf": ROOT, "key/main.tf": MODULE}, BACKEND)
    assert (backend.name, backend.text("bucket")) == ("s3", "state")


def is_library(files):
    return load(files, "aws_iam_access_key")[0].deployment.is_library


def test_a_module_for_others_has_inputs_and_says_nothing_of_a_deployment():
    inputs = 'variable "user" {}\n'
    assert is_library({"main.tf": inputs + MODULE})
    assert not is_library({"main.tf": MODULE})
    assert not is_library({"main.tf": inputs + MODULE + 'provider "aws" {}'})
    assert not is_library({"main.tf": inputs + MODULE + 'terraform {\n backend "s3" {}\n}'})
    assert not is_library({"main.tf": inputs + MODULE, "terraform.tfvars": 'user = "robot"'})


def test_what_is_encoded_can_be_read_back():
    text = 'resource "aws_iam_access_key" "k" {\n  user = "robot"\n}\n'
    text += 'output "o" {\n  value = base64encode("key: ${aws_iam_access_key.k.secret}")\n}\n'
    text += 'output "h" {\n  value = sha256(aws_iam_access_key.k.secret)\n}\n'
    encoded, hashed = load({"main.tf": text}, OUTPUT)
    assert encoded.get("value").carries == (Reference("aws_iam_access_key.k", "secret"),)
    assert hashed.get("value").carries == ()
