"""Jobs that take a role of production without anybody having to approve it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from iam_preflight.registry import load_rules
from iam_preflight.scan import ScanOptions
from iam_preflight.settings import Settings
from iam_preflight.testing import scan_files

if TYPE_CHECKING:
    from iam_preflight.findings import Finding

ROLE = """
resource "aws_iam_role" "deploy" {
  name = "deploy"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRoleWithWebIdentity"
      Principal = {
        Federated = "arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com"
      }
      Condition = {
        StringEquals = {
          "token.actions.githubusercontent.com:aud" = "sts.amazonaws.com"
          "token.actions.githubusercontent.com:sub" = "repo:acme/infra:%s"
        }
      }
    }]
  })
  managed_policy_arns = ["arn:aws:iam::aws:policy/%s"]
  tags                = { Environment = "%s" }
}
"""

WORKFLOW = """
on: { push: { branches: [main] } }
jobs:
  deploy:
    runs-on: ubuntu-latest
    permissions: { id-token: write }
    %s
    steps:
      - uses: aws-actions/configure-aws-credentials@v5
        with:
          role-to-assume: arn:aws:iam::111122223333:role/deploy
"""

BRANCH = "ref:refs/heads/main"


def found(
    subject: str = BRANCH,
    policy: str = "AdministratorAccess",
    stage: str = "prod",
    more: str = "",
    persona: str = "pedantic",
) -> list[Finding]:
    files = {
        "main.tf": ROLE % (subject, policy, stage),
        ".github/workflows/deploy.yml": WORKFLOW % more,
    }
    options = ScanOptions(settings=Settings(persona=persona))
    report = scan_files(files, load_rules(), options)
    return [finding for finding in report.shown if finding.rule == "FED-007"]


def test_a_job_that_deploys_from_a_branch_without_an_environment():
    (finding,) = found()
    assert finding.message == (
        "job deploy takes role deploy of prod, an administrator, and nobody has to approve it"
    )
    assert finding.primary.span.text.endswith("role/deploy")


@pytest.mark.parametrize(
    "given",
    [
        {"more": "environment: prod"},
        {"persona": "regular"},
        {"stage": "dev"},
        {"policy": "job-function/ViewOnlyAccess"},
        # without the environment there is no token
        {"subject": "environment:prod"},
        # FED-002 tells that the branch is open
        {"subject": "*"},
    ],
    ids=str,
)
def test_is_silent(given):
    assert found(**given) == []
