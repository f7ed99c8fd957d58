"""The project's own templates: legal for CloudFormation, and read as a whole."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from iam_preflight.cloudformation.load import TemplateOptions, load_templates
from iam_preflight.discovery import FolderTree, Workspace, take_inventory
from iam_preflight.errors import ProblemKind
from iam_preflight.knowledge.resource_types import resource_types
from iam_preflight.policy.document import Resolution
from iam_preflight.policy.read import read_policy
from iam_preflight.values import blocks_of, show

FIXTURES = Path(__file__).parents[2] / "fixtures"
TEMPLATES = FIXTURES / "cloudformation"
LEGAL = sorted(
    path for folder in ("plain", "nested", "sam") for path in (TEMPLATES / folder).iterdir()
)
ESTATES = sorted(
    path
    for path in (FIXTURES / "projects").glob("*-estate/**/*.yaml")
    if b"AWSTemplateFormatVersion" in path.read_bytes()
)
CORPORA = os.environ.get("IAM_PREFLIGHT_CORPORA")


def read(folder):
    workspace = Workspace(FolderTree(folder))
    inventory = take_inventory(workspace, folder.resolve(), [folder])
    is_wanted = resource_types().is_relevant
    options = TemplateOptions()
    resources = list(load_templates(workspace, inventory.templates, options, is_wanted))
    return resources, workspace.problems


@pytest.mark.skipif(shutil.which("cfn-lint") is None, reason="cfn-lint is not installed")
@pytest.mark.parametrize(
    "path", [*LEGAL, *ESTATES], ids=lambda path: f"{path.parent.name}/{path.name}"
)
def test_cfn_lint_accepts_the_fixtures(path):
    done = subprocess.run(["cfn-lint", path], capture_output=True, text=True, check=False)
    errors = [line for line in done.stdout.splitlines() if line.startswith("E")]
    assert not errors, done.stdout


def test_the_identity_fixture_is_read_as_a_whole():
    resources, problems = read(TEMPLATES / "plain")
    assert not problems
    by_key = {(r.deployment.path, r.type, r.address): r for r in resources}
    role = by_key["identity.yaml", "aws_iam_role", "Deployer"]
    assert show(role.get("name")) == "«Environment»-deployer"
    trust = read_policy(role.get("assume_role_policy"))
    principals = {p.pattern.text for s in trust.statements for p in s.principals}
    assert {text.partition(":iam::")[2].removesuffix(":root") for text in principals} == {
        "111111111111",
        "222222222222",
        "«TrustedAccount»",
    }
    assert [a.subject for a in trust.statements[1].assumptions] == ["HasTrustedAccount"]
    (inline,) = [block for _, block in blocks_of(role.get("inline_policy"))]
    (statement,) = read_policy(inline.get("policy")).statements
    assert [r.reference.address for r in statement.resources if r.reference] == ["Artifacts"]
    types = sorted(r.type for r in resources if r.address == "Developer")
    assert types == ["aws_iam_user", "aws_iam_user_group_membership", "aws_iam_user_login_profile"]
    login = by_key["identity.yaml", "aws_iam_user_login_profile", "Developer"]
    assert login.get("password").sensitive
    loops = [r.address for r in resources if r.deployment.path == "identity.json"]
    assert "Publishinvoices" in loops


def test_the_nested_fixture_is_one_deployment():
    resources, _ = read(TEMPLATES / "nested")
    assert {r.deployment.path for r in resources} == {"parent.yaml"}
    caller = next(r for r in resources if r.address == "Caller")
    (statement,) = read_policy(caller.get("policy")).statements
    assert statement.resources[0].reference.address == "Service.Role"


def test_broken_templates_are_named():
    _, problems = read(TEMPLATES / "broken")
    assert {(p.kind, p.path, p.span.line) for p in problems} == {
        (ProblemKind.SYNTAX, "indented.yaml", 5),
        (ProblemKind.SYNTAX, "unclosed.yaml", 7),
    }


# ---------------------------------------------------------------- real input


@pytest.mark.skipif(CORPORA is None, reason="IAM_PREFLIGHT_CORPORA is not set")
@pytest.mark.parametrize(
    ("folder", "broken", "least_policies"),
    [
        ("aws-cloudformation-templates", 0, 400),
        ("widdix", 0, 150),
        ("serverless-patterns", 2, 1_600),
        ("labelled", 0, 150),
    ],
)
def test_real_templates_are_read(folder, broken, least_policies):
    resources, problems = read(Path(CORPORA, folder))
    assert sum(problem.fails_the_scan for problem in problems) == broken
    documents = [read_policy(value) for r in resources for value in policies_of(r)]
    assert len(documents) >= least_policies
    assert not [d for d in documents if d.resolution is Resolution.NONE and not d.problems]


def policies_of(resource):
    for attribute in resource_types().policy.get(resource.type, {}):
        value = resource.get(attribute)
        if attribute == "inline_policy":
            inner = (block.get("policy") for _, block in blocks_of(value))
            yield from (policy for policy in inner if policy is not None)
        elif value is not None:
            yield value
