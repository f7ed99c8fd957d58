"""Rules in several processes: the report of one process, whatever becomes of the others."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from iam_preflight import workers
from iam_preflight.discovery import Workspace, inventory_of
from iam_preflight.findings import Severity
from iam_preflight.registry import Registry, load_rules
from iam_preflight.rules import Rule
from iam_preflight.scan import WORTH_SHARING, Report, ScanOptions, scan_inventory
from iam_preflight.testing import MemoryTree
from iam_preflight.tracing import TracedTree

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.findings import Finding
    from iam_preflight.graph.model import Graph

pytestmark = pytest.mark.skipif(
    not hasattr(os, "fork"), reason="the platform cannot copy processes"
)

ROLES = """
locals {
  names = toset([for number in range(%d) : "worker-${number}"])
}

variable "key" {
  sensitive = true
  default   = "a-text-that-nobody-sees"
}

resource "aws_iam_role" "worker" {
  for_each           = local.names
  name               = each.key
  assume_role_policy = file("trust.json")
  tags               = { Note = upper(var.key) }
}

resource "aws_iam_role_policy" "worker" {
  for_each = local.names
  role     = aws_iam_role.worker[each.key].name
  policy   = jsonencode(jsondecode(templatefile("may.json", { actions = "iam:*" })))
}

# no part of the graph: rules alone look at it
resource "aws_iam_account_password_policy" "strict" {
  minimum_password_length   = tonumber(file(fileexists("length.txt") ? "length.txt" : "none.txt"))
  password_reuse_prevention = lookup({}, "nobody")
  max_password_age          = upper(var.key) == "" ? 1 : 400
}
"""
TRUST = """{"Version": "2012-10-17", "Statement": [
  {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "*"}}
]}
"""
MAY = """{"Version": "2012-10-17", "Statement": [
  {"Effect": "Allow", "Action": "${actions}", "Resource": "*"}
]}
"""
FILES = {
    "main.tf": ROLES % WORTH_SHARING,
    "trust.json": TRUST,
    "may.json": MAY,
    "length.txt": "6",
}


def scanned(jobs: int, registry: Registry | None = None) -> tuple[Report, Workspace]:
    workspace = Workspace(TracedTree(MemoryTree(FILES)))
    inventory = inventory_of(workspace.tree, [""])
    registry = registry if registry is not None else load_rules()
    report = scan_inventory(workspace, inventory, registry, ScanOptions(jobs=jobs), "")
    return report, workspace


def told(report: Report) -> list[tuple[object, ...]]:
    """All that a report says, in its order."""
    return [
        (
            decided.outcome,
            *(str(place.span) for place in (decided.finding.primary, *decided.finding.related)),
            *(one.message for one in (decided.finding, *decided.instances, *decided.folded)),
            decided.finding.addresses,
            decided.finding.also,
        )
        for decided in report.findings
    ]


@pytest.fixture
def copies(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The processes that are made, as they are made."""
    made: list[int] = []
    fork = os.fork

    def counted() -> int:
        process = fork()
        made.append(process)
        return process

    monkeypatch.setattr(os, "fork", counted)
    return made


@pytest.mark.parametrize("jobs", [2, 3, 7])
def test_the_report_is_that_of_one_process(jobs: int, copies: list[int]) -> None:
    alone, _ = scanned(1)
    assert copies == []
    together, _ = scanned(jobs)
    assert len(copies) == jobs - 1
    assert {"ESC-001", "CRED-003"} <= {decided.finding.rule for decided in alone.findings}
    assert told(together) == told(alone)
    assert together.problems == alone.problems
    assert together.files == alone.files


def test_what_the_others_came_to_know_is_known(copies: list[int]) -> None:
    _, read_alone = scanned(1)
    _, read_together = scanned(2)
    assert copies
    assert read_together.secrets.texts == read_alone.secrets.texts
    assert "A-TEXT-THAT-NOBODY-SEES" in read_together.secrets.texts
    paths = {source.path for source in read_alone.sources}
    assert {source.path for source in read_together.sources} == paths
    traces = [workspace.tree.trace for workspace in (read_alone, read_together)]  # type: ignore[attr-defined]
    assert set(traces[0]) == set(traces[1])


def test_findings_speak_of_the_same_resources_and_files(copies: list[int]) -> None:
    report, workspace = scanned(2)
    assert copies
    resources = set(map(id, report.graph.resources))
    sources = set(map(id, workspace.sources))
    by_text: dict[tuple[str, bytes], set[int]] = {}
    for decided in report.findings:
        assert id(decided.finding.resource) in resources
        for span in (decided.finding.primary.span, *decided.finding.causes):
            by_text.setdefault((span.path, span.source.data), set()).add(id(span.source))
    assert sources & set().union(*by_text.values())
    assert all(len(same) == 1 for same in by_text.values())


class Fatal(Rule):
    """Ends every process but the first.

    ## What it checks
    Nothing.

    ## Why it matters
    It does not.

    ## How to fix
    Leave it.
    """

    id = "TEST-001"
    name = "fatal"
    severity = Severity.LOW
    practice = 1
    here = os.getpid()

    def check_graph(self, graph: Graph) -> Iterator[Finding]:
        if os.getpid() != self.here:
            os.kill(os.getpid(), 9)
        yield from ()


class Unsendable(Rule):
    """Finds something at a resource that the graph does not have.

    ## What it checks
    Nothing.

    ## Why it matters
    It does not.

    ## How to fix
    Leave it.
    """

    id = "TEST-002"
    name = "unsendable"
    severity = Severity.LOW
    practice = 1

    def check_graph(self, graph: Graph) -> Iterator[Finding]:
        stranger = replace(graph.resources[0], name="stranger")
        yield self.finding("is not there", on=stranger, at=stranger.header)


@pytest.mark.parametrize("rule", [Fatal, Unsendable])
def test_what_a_failed_process_had_taken_is_done_again(
    rule: type[Rule], copies: list[int], capfd: pytest.CaptureFixture[str]
) -> None:
    shipped = load_rules().rules
    # so many families of them that the other process gets one, too
    several = [
        type(f"Rule{i}", (rule,), {"id": f"T{i}-001", "__doc__": rule.__doc__})() for i in range(40)
    ]
    fatal = Registry((*several, *shipped))
    alone, _ = scanned(1, fatal)
    together, _ = scanned(2, fatal)
    assert copies
    assert told(together) == told(alone)
    assert together.problems == alone.problems
    assert capfd.readouterr().err == ""


def test_what_fails_before_the_rules_is_told_by_the_rules(
    copies: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("iam_preflight.graph.standing.standing_of", fail)
    alone, _ = scanned(1)
    together, _ = scanned(2)
    assert copies
    assert any("ZeroDivisionError" in problem.message for problem in alone.problems)
    assert together.problems == alone.problems
    assert told(together) == told(alone)


def test_a_process_with_threads_is_not_copied(copies: list[int]) -> None:
    end = threading.Event()
    thread = threading.Thread(target=end.wait)
    thread.start()
    try:
        scanned(2)
    finally:
        end.set()
        thread.join()
    assert copies == []


def test_little_is_not_shared(copies: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FILES, "main.tf", ROLES % (WORTH_SHARING // 4))
    scanned(2)
    assert copies == []


def test_as_many_as_processors_within_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)), raising=False)
    assert workers.workers(0) == workers.MAX_BY_DEFAULT
    assert workers.workers(9) == 9
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0}, raising=False)
    assert workers.workers(0) == 1
    monkeypatch.delattr(os, "fork")
    assert workers.workers(9) == 1
