"""A crash costs what it happens in (file, root, stack, resource, finding), never the scan."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from iam_preflight import comments, decisions
from iam_preflight.cloudformation import scan as cloudformation
from iam_preflight.cloudformation.stack import Stack
from iam_preflight.commands.shared.output import ExitCode, Output, Target
from iam_preflight.errors import ProblemKind
from iam_preflight.graph import uses, workloads
from iam_preflight.graph.joins import Joins
from iam_preflight.graph.nodes import Nodes
from iam_preflight.registry import load_rules
from iam_preflight.reporters import present as present_module
from iam_preflight.reporters import sarif_report
from iam_preflight.reporters.present import present
from iam_preflight.terraform import load as terraform
from iam_preflight.terraform.configuration import Configuration
from iam_preflight.testing import scan_files

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from iam_preflight.scan import Report

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


POLICY = """
resource "aws_iam_role" "%(name)s" {
  name                 = "%(name)s"
  assume_role_policy   = jsonencode({ Version = "2012-10-17", Statement = [%(trust)s] })
  permissions_boundary = "arn:aws:iam::111122223333:policy/limit"
}
resource "aws_iam_role_policy" "%(name)s" {
  role = aws_iam_role.%(name)s.id
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "*", Resource = "*" }]
  })
}
resource "aws_lambda_function" "%(name)s" {
  function_name = "%(name)s"
  role          = aws_iam_role.%(name)s.arn
}
"""
TRUST = (
    '{ Effect = "Allow", Action = "sts:AssumeRole",'
    ' Principal = { Service = "lambda.amazonaws.com" } }'
)
ROLES = {f"{name}/main.tf": POLICY % {"name": name, "trust": TRUST} for name in ("bad", "good")}


def path_of(thing: Any) -> str:
    """The file of a resource, of what is made of one, or of a value."""
    resource = getattr(thing, "resource", thing)
    span = getattr(resource, "header", None) or getattr(thing, "span", None)
    return span.path if span is not None else ""


def lines_in(report: Report, path: str) -> list[tuple[str, int]]:
    spans = ((one.rule, one.primary.span) for one in report.shown)
    return sorted((rule, span.line) for rule, span in spans if span.path == path)


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (Nodes, "_principal"),
        (Nodes, "_policies_in"),
        (Joins, "_join"),
        (Joins, "_bound"),
        (workloads, "named_in"),
        (uses, "mark_boundaries"),
    ],
)
def test_a_crash_while_things_are_joined_costs_the_resource(
    owner: object, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = scan_files(ROLES, load_rules())
    function = getattr(owner, name)

    def failing(*given: Any) -> Any:
        if any(path_of(one).startswith("bad") for one in given):
            raise IndexError("a secret")
        return function(*given)

    monkeypatch.setattr(owner, name, failing)
    report = scan_files(ROLES, load_rules())
    faults = [one for one in report.problems if one.kind is ProblemKind.FAULT]
    assert {one.path for one in faults} == {"bad/main.tf"}
    assert all(one.span is not None and "a secret" not in one.message for one in faults)
    assert lines_in(report, "good/main.tf") == lines_in(whole, "good/main.tf") != []
    assert present(report, "never").verdict == "not-analysed"


def crash(*_given: Any, **_named: Any) -> Any:
    raise IndexError("a secret")


def faults_of(report: Report) -> list[str]:
    return [one.message for one in report.problems if one.kind is ProblemKind.FAULT]


def test_where_nothing_can_be_joined_the_scan_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    real = Nodes.__init__
    monkeypatch.setattr(
        Nodes, "__init__", lambda self, listed, *more: crash() if listed else real(self, (), *more)
    )
    report = scan_files(ROLES, load_rules())
    assert [one.partition(",")[0] for one in faults_of(report)] == ["not joined"]
    assert present(report, "never").verdict == "not-analysed"


def test_a_rule_that_crashes_at_one_thing_goes_on_with_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rules = load_rules().select(["LEAST-001"], ())
    (rule,) = rules
    check = type(rule).check_policy

    def failing(self: Any, policy: Any, graph: Any) -> Any:
        if path_of(policy).startswith("bad"):
            raise IndexError("at one")
        yield from check(self, policy, graph)

    monkeypatch.setattr(type(rule), "check_policy", failing)
    report = scan_files(ROLES, rules)
    assert [one.kind for one in report.problems].count(ProblemKind.RULE_CRASH) == 1
    assert lines_in(report, "good/main.tf")
    assert not lines_in(report, "bad/main.tf")


@pytest.mark.parametrize("name", ["_with_severity", "_decide"])
def test_a_finding_that_cannot_be_decided_about_is_shown(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ignored = {
        path: text.replace(
            "    Statement = [{", "    # iam-preflight: ignore[LEAST-001] known\n    Statement = [{"
        )
        for path, text in ROLES.items()
    }
    rules = load_rules().select(["LEAST-001"], ())
    assert not list(scan_files(ignored, rules).shown)
    function = getattr(decisions, name)

    def failing(finding: Any, grounds: Any) -> Any:
        return (
            crash() if finding.primary.span.path.startswith("bad") else function(finding, grounds)
        )

    monkeypatch.setattr(decisions, name, failing)
    report = scan_files(ignored, rules)
    assert faults_of(report)[0].startswith("LEAST-001 is shown and not decided about, by a fault")
    shown = {one.primary.span.path for one in report.shown}
    assert shown == ({"bad/main.tf"} if name == "_decide" else set())


@pytest.mark.parametrize("name", ["_fold", "_merge_instances"])
def test_findings_that_cannot_be_merged_are_all_shown(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decisions, name, crash)
    report = scan_files(ROLES, load_rules())
    assert faults_of(report)[0].startswith("nothing was ignored, merged or taken for known")
    assert len(lines_in(report, "bad/main.tf")) == len(lines_in(report, "good/main.tf")) > 0


def test_ignores_that_cannot_be_read_hide_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    read = comments.ignores_in
    monkeypatch.setattr(
        comments, "ignores_in", lambda source: crash() if "bad" in source.path else read(source)
    )
    files = {
        path: f"# iam-preflight: ignore-file[LEAST-001] known\n{text}"
        for path, text in ROLES.items()
    }
    report = scan_files(files, load_rules())
    assert faults_of(report)[0].startswith("ignores are not read, and hide nothing")
    assert "LEAST-001" in {rule for rule, _ in lines_in(report, "bad/main.tf")}


def test_a_finding_that_cannot_be_told_costs_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    excerpts = present_module.excerpts_of
    monkeypatch.setattr(
        present_module,
        "excerpts_of",
        lambda places: crash() if places[0][0].path.startswith("bad") else excerpts(places),
    )
    monkeypatch.setattr("iam_preflight.graph.export.as_data", crash)
    report = scan_files(ROLES, load_rules())
    data = present(report, "never", with_graph=True)
    assert data.verdict == "not-analysed"
    assert data.graph is None
    assert {one.place.file for one in data.findings if one.outcome == "shown"} == {"good/main.tf"}
    messages = [one.message for one in data.problems]
    assert any(one.startswith("a finding of LEAST-001 is not told") for one in messages)
    assert any(one.startswith("the graph is not drawn") for one in messages)


def test_a_report_that_cannot_be_written_does_not_keep_the_others_from_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sarif_report, "write", crash)
    targets = (Target("sarif", tmp_path / "a.sarif"), Target("json", tmp_path / "a.json"))
    output = Output(targets, "never", False, "cause", "never", False, True)
    assert output.deliver(scan_files(ROLES, load_rules())) is ExitCode.NOT_ANALYSED
    assert "LEAST-001" in (tmp_path / "a.json").read_text()
    said = capsys.readouterr().err
    assert "the sarif report is not written, or not wholly, by a fault of iam-preflight" in said
    assert "secret" not in said
