"""What trust policies ask of a token, all conditions taken together."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from iam_preflight.discovery import Workspace, inventory_of
from iam_preflight.graph.deputies import deputies
from iam_preflight.graph.federation import web_identities, whoever
from iam_preflight.graph.foreign import foreign_grants
from iam_preflight.knowledge.issuers import Level
from iam_preflight.registry import load_rules
from iam_preflight.scan import ScanOptions, load_graph
from iam_preflight.settings import Account, Settings
from iam_preflight.testing import MemoryTree

if TYPE_CHECKING:
    from iam_preflight.graph.federation import WebIdentity
    from iam_preflight.graph.model import Graph

GITHUB = "token.actions.githubusercontent.com"
MAIN = "repo:acme/shop:ref:refs/heads/main"
T, P, C = Level.TENANT, Level.PROJECT, Level.CONTEXT


def graph_of(text: str, settings: Settings | None = None) -> Graph:
    tree = MemoryTree({"main.tf": text})
    options = ScanOptions(settings=settings or Settings())
    return load_graph(Workspace(tree), inventory_of(tree, ["."]), load_rules(), options)


def identity(conditions: dict[str, Any], *more: dict[str, Any], host: str = GITHUB) -> WebIdentity:
    federated = f"arn:aws:iam::111122223333:oidc-provider/{host}"
    allow = {
        "Effect": "Allow",
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Principal": {"Federated": federated},
        "Condition": conditions,
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [allow, *more]})
    graph = graph_of(
        f'resource "aws_iam_role" "r" {{\n  assume_role_policy = <<E\n{document}\nE\n}}\n'
    )
    (role,) = graph.roles
    (found,) = web_identities(role.trust, graph)
    return found


@pytest.mark.parametrize(
    ("conditions", "pinned"),
    [
        ({}, ()),
        ({"StringEquals": {f"{GITHUB}:aud": "sts.amazonaws.com"}}, ()),
        ({"StringEquals": {f"{GITHUB}:sub": MAIN}}, (T, P, C)),
        ({"StringEqualsIgnoreCase": {f"{GITHUB.upper()}:SUB": MAIN}}, (T, P, C)),
        # the widest of several values
        ({"StringLike": {f"{GITHUB}:sub": [MAIN, "repo:acme/*"]}}, (T,)),
        # what one condition leaves open another pins
        (
            {
                "StringLike": {f"{GITHUB}:sub": "repo:acme/*"},
                "StringEquals": {f"{GITHUB}:environment": "prod"},
            },
            (T, C),
        ),
        ({"StringNotEquals": {f"{GITHUB}:sub": MAIN}}, ()),
        # every token has a subject, but not every token an environment
        ({"StringLikeIfExists": {f"{GITHUB}:sub": MAIN}}, (T, P, C)),
        ({"ForAllValues:StringEquals": {f"{GITHUB}:environment": "prod"}}, ()),
    ],
)
def test_what_conditions_pin(conditions: dict[str, Any], pinned: tuple[Level, ...]) -> None:
    assert identity(conditions).pinned == frozenset(pinned)


def test_a_deny_of_all_others_pins_too() -> None:
    deny = {
        "Effect": "Deny",
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Principal": "*",
        "Condition": {"StringNotLike": {f"{GITHUB}:sub": MAIN}},
    }
    assert identity({}, deny).pinned == {T, P, C}


@pytest.mark.parametrize(
    "conditions",
    [
        {"StringEquals": {f"{GITHUB}:sub": "repo:acme/*"}},
        {"StringEquals": {"gitlab.com:sub": "project_path:acme/shop:ref_type:branch:ref:main"}},
        {"StringEquals": {f"{GITHUB}:sub": "acme/shop"}},
    ],
)
def test_conditions_that_no_token_meets_let_nobody_in(conditions: dict[str, Any]) -> None:
    assert identity(conditions).is_closed


def test_the_value_that_is_shown_belongs_to_the_narrowest_condition() -> None:
    asked = {f"{GITHUB}:repository_owner_id": "12345", f"{GITHUB}:repository": "acme/shop"}
    widest = identity({"StringEquals": asked}).widest
    assert widest is not None
    assert widest.text == "acme/shop"


def test_an_issuer_is_known_by_the_provider_in_the_code() -> None:
    graph = graph_of(
        """
variable "id" {}

resource "aws_iam_openid_connect_provider" "cluster" {
  url            = "https://oidc.eks.eu-west-1.amazonaws.com/id/${var.id}"
  client_id_list = ["sts.amazonaws.com"]
}

resource "aws_iam_role" "pod" {
  assume_role_policy = jsonencode({
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRoleWithWebIdentity"
      Principal = { Federated = aws_iam_openid_connect_provider.cluster.arn }
      Condition = {
        StringEquals = {
          "${aws_iam_openid_connect_provider.cluster.url}:sub" = "system:serviceaccount:a:b"
        }
      }
    }]
  })
}
"""
    )
    (role,) = graph.roles
    (found,) = web_identities(role.trust, graph)
    assert found.issuer.name == "an EKS cluster"
    assert found.audiences == ("sts.amazonaws.com",)
    assert found.open_level is None


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("oidc.eks.eu-west-1.amazonaws.com/id/0123456789ABCDEF", "an EKS cluster"),
        ("container.googleapis.com/v1/projects/p/locations/l/clusters/c", "a GKE cluster"),
        ("westeurope.oic.prod-aks.azure.com/tenant/cluster", "an AKS cluster"),
        ("keys.example.com/cluster", "a Kubernetes cluster"),
    ],
)
def test_a_cluster_is_called_what_it_is(host: str, name: str) -> None:
    found = identity({"StringEquals": {f"{host}:sub": "system:serviceaccount:a:b"}}, host=host)
    assert found.issuer.name == name
    assert found.open_level is None


def resource_policy(principal: str, more: str = "", resource: str = "*") -> Graph:
    return graph_of(
        f"""
resource "aws_sqs_queue_policy" "q" {{
  queue_url = "orders"
  policy = jsonencode({{
    Statement = [{{
      Effect = "Allow", Action = "sqs:SendMessage", Resource = "{resource}"
      Principal = {principal}
      {more}
    }}]
  }})
}}
""",
        Settings(accounts={"111122223333": Account()}),
    )


def foreign(graph: Graph) -> list[str]:
    return [grant.account for policy in graph.policies for grant in foreign_grants(policy, graph)]


def test_accounts_are_foreign_unless_something_says_that_they_are_not() -> None:
    principal = '{ AWS = "arn:aws:iam::704219876103:root" }'
    assert foreign(resource_policy(principal)) == ["704219876103"]
    assert foreign(resource_policy('{ AWS = "111122223333" }')) == []
    assert foreign(resource_policy(principal, resource="arn:aws:sqs:*:704219876103:orders")) == []
    pinned = 'Condition = { StringEquals = { "aws:PrincipalOrgID" = "o-a1b2c3d4e5" } }'
    assert foreign(resource_policy(principal, pinned)) == []


def conditions(**operators: str) -> str:
    tests = (f'{name} = {{ "aws:{key}" = "{value}" }}' for name, (key, value) in operators.items())
    return f"Condition = {{\n{chr(10).join(tests)}\n}}"


@pytest.mark.parametrize(
    ("principal", "operators", "accounts"),
    [
        ("*", {"StringEquals": ("PrincipalAccount", "704219876103")}, ["704219876103"]),
        # conditions hold together, and no caller is of two accounts
        (
            "*",
            {
                "StringEquals": ("PrincipalAccount", "704219876103"),
                "StringLike": ("PrincipalAccount", "111122223333"),
            },
            [],
        ),
        (
            "*",
            {
                "StringEquals": ("PrincipalAccount", "111122223333"),
                "ArnLike": ("PrincipalArn", "arn:aws:iam::704219876103:role/x"),
            },
            [],
        ),
        (
            "arn:aws:iam::704219876103:root",
            {"StringEquals": ("PrincipalAccount", "111122223333")},
            [],
        ),
        (
            "arn:aws:iam::704219876103:root",
            {"ArnLike": ("PrincipalArn", "arn:aws:iam::704219876103:role/x")},
            ["704219876103"],
        ),
        (
            "arn:aws:iam::704219876103:root",
            {"StringNotEquals": ("PrincipalAccount", "111122223333")},
            ["704219876103"],
        ),
    ],
)
def test_nobody_gets_in_by_conditions_that_contradict_each_other(
    principal: str, operators: dict[str, Any], accounts: list[str]
) -> None:
    graph = resource_policy(f'{{ AWS = "{principal}" }}', conditions(**operators))
    assert foreign(graph) == accounts


def services(graph: Graph) -> list[str]:
    return [found.who for policy in graph.policies for found in deputies(policy, graph)]


def test_services_are_deputies_unless_they_are_asked_for_their_source() -> None:
    principal = '{ Service = "sns.amazonaws.com" }'
    assert services(resource_policy(principal)) == ["sns.amazonaws.com"]
    for key, value in (
        ("aws:SourceArn", "arn:aws:sns:*:111122223333:*"),
        ("aws:SourceAccount", "111122223333"),
        ("aws:SourceOrgID", "o-a1b2c3d4e5"),
    ):
        asked = f'Condition = {{ StringLike = {{ "{key}" = "{value}" }} }}'
        assert services(resource_policy(principal, asked)) == []
    loose = 'Condition = { StringLike = { "aws:SourceArn" = "arn:aws:sns:*:*:*" } }'
    assert services(resource_policy(principal, loose)) == ["sns.amazonaws.com"]
    assert services(resource_policy('{ Service = "ec2.amazonaws.com" }')) == []


@pytest.mark.parametrize(
    ("claim", "value", "who"),
    [
        ("job_workflow_ref", "acme/ci/.github/workflows/deploy.yml@*", "calls the workflow"),
        ("sub", "job_workflow_ref:acme/ci/.github/workflows/deploy.yml@*", "calls the workflow"),
        ("job_workflow_ref", "acme/*", "calls any workflow"),
        ("sub", "repo:acme/shop:*", "any branch"),
    ],
)
def test_a_claim_about_what_is_called_says_nothing_of_the_callers_branches(claim, value, who):
    found = identity({"StringLike": {f"{GITHUB}:{claim}": value}})
    assert found.open_level is not None
    assert who in whoever(found, found.open_level)
