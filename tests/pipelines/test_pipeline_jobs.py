"""Pipeline files to jobs: roles, triggers, and what keeps a job from a token."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.discovery import Workspace
from iam_preflight.pipelines.load import load_pipelines
from iam_preflight.testing import MemoryTree
from iam_preflight.values import items_of, show, text_of

if TYPE_CHECKING:
    from iam_preflight.resources import Resource

STEP = """
      - uses: aws-actions/configure-aws-credentials@v5
        with:
          role-to-assume: {role}
"""


def jobs(**files: str) -> list[Resource]:
    paths = {name.replace("__", "/").replace("_yml", ".yml"): text for name, text in files.items()}
    tree = MemoryTree({f".github/workflows/{path}": text for path, text in paths.items()})
    return list(load_pipelines(Workspace(tree), list(tree.files("."))))


def triggers(job: Resource) -> list[str | None]:
    return [text_of(item) for _, item in items_of(job.get("triggers"))]


def workflow(on: str, role: str, head: str = "", permissions: str = "id-token: write") -> str:
    return (
        f"on: {on}\n{head}jobs:\n  deploy:\n    permissions:\n      {permissions}\n    steps:"
        + STEP.format(role=role)
    )


def test_triggers_may_be_one_name_a_list_or_a_mapping() -> None:
    for on in ("push", "[push, pull_request]", "{push: {branches: [main]}, issues: }"):
        (job,) = jobs(a_yml=workflow(on, "deploy"))
        assert triggers(job)[0] == "push"
    assert triggers(job) == ["push", "issues"]


def test_a_called_workflow_has_the_triggers_of_its_callers() -> None:
    caller = "on: issue_comment\njobs:\n  call:\n    uses: ./.github/workflows/b.yml\n"
    (job,) = jobs(a_yml=caller, b_yml=workflow("workflow_call", "deploy"))
    assert triggers(job) == ["workflow_call", "issue_comment"]


def test_expressions_are_filled_in_from_the_environment_or_left_as_holes() -> None:
    env = "env:\n  ROLE: arn:aws:iam::111122223333:role/deploy\n"
    (job,) = jobs(a_yml=workflow("push", "${{ env.ROLE }}", env))
    assert job.text("role") == "arn:aws:iam::111122223333:role/deploy"
    (job,) = jobs(a_yml=workflow("push", "arn:aws:iam::${{ vars.ACCOUNT }}:role/deploy"))
    assert show(job.get("role")) == "arn:aws:iam::«vars.ACCOUNT»:role/deploy"


def test_without_the_permission_there_is_no_token() -> None:
    assert jobs(a_yml=workflow("push", "deploy", permissions="contents: read")) == []
    without = workflow("push", "deploy").replace("    permissions:\n      id-token: write\n", "")
    assert jobs(a_yml=without) == []
    assert len(jobs(a_yml=f"permissions: write-all\n{without}")) == 1


def test_what_is_not_yaml_is_passed_over() -> None:
    assert jobs(a_yml="on: [push\nrole-to-assume: x", b_yml=workflow("push", "deploy"))[0].name


def test_gitlab_jobs_say_their_role_and_whether_merge_requests_start_them() -> None:
    text = """
variables:
  ROLE: arn:aws:iam::111122223333:role/deploy
plan:
  id_tokens:
    AWS_TOKEN:
      aud: https://gitlab.com
  rules:
    - if: $CI_PIPELINE_SOURCE == "merge_request_event"
  script:
    - aws sts assume-role-with-web-identity --role-arn $ROLE --web-identity-token $AWS_TOKEN
lint:
  script: [make lint]
"""
    tree = MemoryTree({".gitlab-ci.yml": text})
    (job,) = load_pipelines(Workspace(tree), [])
    assert job.text("role") == "arn:aws:iam::111122223333:role/deploy"
    assert triggers(job) == ["merge_request_event"]
    assert job.text("platform") == "GitLab"
