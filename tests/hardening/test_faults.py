"""A crash costs the file, the root or the stack that it happens in, and never the scan."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from iam_preflight.cloudformation import scan as cloudformation
from iam_preflight.cloudformation.stack import Stack
from iam_preflight.errors import ProblemKind
from iam_preflight.registry import load_rules
from iam_preflight.terraform import load as terraform
from iam_preflight.terraform.configuration import Configuration
from iam_preflight.testing import scan_files

if TYPE_CHECKING:
    from collections.abc import Callable

USER = 'resource "aws_iam_user" "%s" {\n  name = "someone"\n}\n'
ROLE = "Resources:\n  Role:\n    Type: AWS::IAM::User\n"
FILES = {
    "bad/main.tf": USER % "bad",
    "good/main.tf": USER % "good",
    "bad.yaml": ROLE,
    "good.yaml": ROLE,
}


def failing_on_bad(function: Callable[..., Any], place: Callable[..., str]) -> Callable[..., Any]:
    def failing(*given: Any, **named: Any) -> Any:
        if place(*given).startswith("bad"):
            raise IndexError("a secret")
        return function(*given, **named)

    return failing


@pytest.mark.parametrize(
    ("owner", "name", "place", "where"),
    [
        (Configuration, "parse", lambda _, source: source.path, "bad/main.tf"),
        (terraform, "load_root", lambda _, directory, *__: directory, "bad"),
        (cloudformation, "read_templates", lambda source, *_: source.path, "bad.yaml"),
        (Stack, "resources", lambda stack, _: stack.template.path, "bad.yaml"),
    ],
)
def test_a_crash_costs_what_it_happens_in(
    owner: object,
    name: str,
    place: Callable[..., str],
    where: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(owner, name, failing_on_bad(getattr(owner, name), place))
    report = scan_files(FILES, load_rules().select(["ROLE-001"], ()))
    (problem,) = report.problems
    assert problem.kind is ProblemKind.FAULT
    assert problem.path == where
    assert "IndexError in test_faults, line" in problem.message
    assert "secret" not in problem.message
    found = {decided.finding.primary.span.path for decided in report.findings}
    assert found == set(FILES) - {where, f"{where}/main.tf"}
