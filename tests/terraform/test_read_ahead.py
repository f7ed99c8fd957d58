"""HCL parsed by another process: the trees are those that are made here, whatever becomes of it."""

from __future__ import annotations

import gc
import json
import os
import signal
import time
import weakref
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from iam_preflight.cli import cli
from iam_preflight.discovery import FolderTree, Workspace
from iam_preflight.registry import load_rules
from iam_preflight.scan import ScanOptions, scan
from iam_preflight.settings import Settings
from iam_preflight.source import SourceFile
from iam_preflight.terraform import read_ahead
from iam_preflight.terraform.read_ahead import WORTH_IT, ReadAhead, read_below, read_files
from iam_preflight.terraform.syntax import parse_file
from iam_preflight.testing import MemoryTree
from iam_preflight.tracing import TracedTree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from iam_preflight.errors import Problem
    from iam_preflight.scan import Report
    from iam_preflight.terraform.tree import Body, File

pytestmark = pytest.mark.skipif(
    not hasattr(os, "fork"), reason="the platform cannot copy processes"
)

ROLE = """
locals {
  name%d = "worker-%d"
}

resource "aws_iam_role" "worker%d" {
  name               = local.name%d
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { AWS = "*" } }]
  })

  inline_policy {
    name   = "all"
    policy = <<-EOT
      {"Statement": [{"Effect": "Allow", "Action": "iam:*", "Resource": "*"}]}
    EOT
  }
}
"""
ODD = {
    "broken.tf": 'resource "aws_iam_role" "broken" {\n  name = \n}\n',
    "twice.tf": 'resource "aws_iam_user" "twice" {\n  name = "a"\n  name = "b"\n}\n',
    "escape.tf": 'resource "aws_iam_user" "escape" {\n  name = "a\\q"\n}\n',
    "deep.tf": "locals {\n  deep = " + "[" * 300 + "]" * 300 + "\n}\n",
    "deeper.tf": "locals {\n  deeper = " + "(" * 5000 + "1" + ")" * 5000 + "\n}\n",
    "empty.tf": "",
    "mark.tf": "\ufeff" + 'resource "aws_iam_user" "marked" {\n  name = "ü"\n}\n',
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in range(2 * WORTH_IT):
        (tmp_path / f"role{number:03}.tf").write_text(ROLE.replace("%d", str(number)))
    for name, text in ODD.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "latin.tf").write_bytes(b'resource "aws_iam_user" "l" {\n  name = "\xfc"\n}\n')
    return tmp_path


@pytest.fixture
def started() -> Iterator[Callable[[Path], ReadAhead]]:
    """Begins with the files of a folder; ended with the test."""
    begun: list[ReadAhead] = []

    def start(folder: Path) -> ReadAhead:
        ahead = read_below(FolderTree(folder), ["."], 2)
        assert ahead is not None
        begun.append(ahead)
        return ahead

    yield start
    for ahead in begun:
        ahead.close()


def has_come(ahead: ReadAhead, name: str) -> None:
    """Waits until the other process has sent a file, as a scan does that is busy with others."""
    until = time.monotonic() + 20
    while name not in ahead._sent:
        assert time.monotonic() < until
        if ahead._poll.poll(20):
            assert ahead._receive()


def outline(file: File) -> object:
    return [
        (block.type, block.labels, str(block.span), _outline_of(block.body))
        for block in file.blocks
    ]


def _outline_of(body: Body) -> object:
    attributes = {
        name: (str(one.span), str(one.name_span), repr(one.expression))
        for name, one in body.attributes.items()
    }
    inner = [(one.type, str(one.header), _outline_of(one.body)) for one in body.blocks]
    return attributes, inner


def judged(folder: Path, jobs: int) -> Report:
    return scan([folder], load_rules(), ScanOptions(jobs=jobs), folder)


def said(report: Report) -> list[tuple[str, str]]:
    problems = [(problem.place, problem.message) for problem in report.problems]
    findings = [(one.finding.primary.span, one.finding.message) for one in report.findings]
    return [*problems, *((str(span), message) for span, message in findings)]


def test_the_tree_is_the_one_that_is_made_here(
    folder: Path, started: Callable[[Path], ReadAhead]
) -> None:
    ahead = started(folder)
    for number in range(2 * WORTH_IT):
        name = f"role{number:03}.tf"
        has_come(ahead, name)
        source = SourceFile(name, (folder / name).read_bytes())
        problems: list[Problem] = []
        file = ahead.file(source, problems)
        assert file is not None
        assert file.source is source
        assert outline(file) == outline(parse_file(source, []))
        assert problems == []


def test_what_is_wrong_later_joins_the_problems(
    folder: Path, started: Callable[[Path], ReadAhead], monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "later.tf").write_text('data "nothing" "x" {\n  a = 1\n  a = 2\n}\n')
    ahead = started(folder)
    has_come(ahead, "later.tf")
    problems: list[Problem] = []
    file = ahead.file(SourceFile("later.tf", (folder / "later.tf").read_bytes()), problems)
    assert file is not None
    assert problems == []
    assert file.blocks[0].body is not None
    assert [problem.message for problem in problems] == ['"a" is set twice']


@pytest.mark.parametrize("name", ["broken.tf", "twice.tf", "escape.tf", "latin.tf"])
def test_a_file_with_something_wrong_is_left_to_us(
    folder: Path, started: Callable[[Path], ReadAhead], name: str
) -> None:
    ahead = started(folder)
    has_come(ahead, name)
    assert ahead.file(SourceFile(name, (folder / name).read_bytes()), []) is None


def test_a_file_that_has_changed_is_left_to_us(
    folder: Path, started: Callable[[Path], ReadAhead]
) -> None:
    ahead = started(folder)
    has_come(ahead, "role000.tf")
    assert ahead.file(SourceFile("role000.tf", b"locals {}\n"), []) is None


def test_nobody_waits_for_what_nobody_has_begun(folder: Path) -> None:
    def slowly() -> tuple[str, ...]:
        time.sleep(5)
        return ()

    ahead = ReadAhead(FolderTree(folder), slowly)
    try:
        began = time.monotonic()
        assert ahead.file(SourceFile("role000.tf", b""), []) is None
        assert time.monotonic() - began < 4
    finally:
        ahead.close()


def test_a_process_that_dies_leaves_the_rest_to_us(
    folder: Path, started: Callable[[Path], ReadAhead]
) -> None:
    ahead = started(folder)
    os.kill(ahead._process, signal.SIGKILL)
    for number in range(2 * WORTH_IT):
        name = f"role{number:03}.tf"
        source = SourceFile(name, (folder / name).read_bytes())
        file = ahead.file(source, [])
        assert file is None or outline(file) == outline(parse_file(source, []))


def test_a_closed_one_has_nothing_and_leaves_no_process(folder: Path) -> None:
    ahead = read_below(FolderTree(folder), ["."], 2)
    assert ahead is not None
    ahead.close()
    ahead.close()
    assert ahead.file(SourceFile("role000.tf", b""), []) is None
    with pytest.raises(ChildProcessError):
        os.waitpid(ahead._process, os.WNOHANG)


def test_what_one_has_begun_the_other_leaves_alone() -> None:
    begun = read_ahead._Begun()
    assert not begun.is_caught_up
    assert begun.begin("a.tf")
    assert not begun.begin("a.tf")
    assert begun.begin("b.tf")
    assert not begun.is_caught_up
    begun.is_caught_up = True
    assert begun.is_caught_up
    assert begun.taken == 0
    begun.taken += 1
    assert begun.taken == 1
    assert not begun.begin("a.tf")


def test_expressions_are_sent_where_there_is_time(
    folder: Path, started: Callable[[Path], ReadAhead], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read_ahead, "AT_ONCE", 0)
    for far, is_sent in ((10_000, False), (-1, True)):
        monkeypatch.setattr(read_ahead, "FAR_AHEAD", far)
        ahead = started(folder)
        has_come(ahead, "role003.tf")
        source = SourceFile("role003.tf", (folder / "role003.tf").read_bytes())
        file = ahead.file(source, [])
        assert file is not None
        values, role = (block.lowered for block in file.blocks)
        assert values is not None
        assert role is not None
        assert (values.attributes["name3"]._expression is not None) is is_sent
        assert (role.attributes["name"]._expression is not None) is is_sent
        assert outline(file) == outline(parse_file(source, []))


def test_some_are_left_to_whoever_has_caught_up(folder: Path) -> None:
    names = [f"role{number:03}.tf" for number in range(2 * WORTH_IT)]
    begun = read_ahead._Begun()
    begun.is_caught_up = True
    sent: list[str] = []

    class Stream:
        def write(self, data: memoryview) -> int:
            (size, _, _) = read_ahead._HEAD.unpack_from(data)
            start = read_ahead._HEAD.size
            sent.append(bytes(data[start : start + size]).decode())
            return len(data)

    read_ahead._parse_all(FolderTree(folder), names, begun, Stream())
    assert sent == [*names[read_ahead.AHEAD :], *names[: read_ahead.AHEAD]]
    assert not begun.is_caught_up


def test_what_is_evaluated_first_is_parsed_first(tmp_path: Path) -> None:
    for name, text in {
        "a/main.tf": "locals {}",
        "b/main.tf": 'module "m" {\n  source = "../m/one"\n}',
        "c/main.tf": 'module "m" {\n  source = "../m/two"\n}',
        "c/more.tf": 'module "n" {\n  source = "../m/one"\n}',
        "m/one/main.tf": "locals {}",
        "m/two/main.tf": "locals {}",
        "m/two/values.tfvars": "a = 1",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    tree = FolderTree(tmp_path)
    order = list(read_ahead._in_order_of_use(Workspace(tree), list(tree.files("."))))
    assert order == [
        *("b/main.tf", "a/main.tf", "c/main.tf", "c/more.tf"),
        *("m/one/main.tf", "m/two/main.tf"),
    ]


def test_the_report_is_that_of_one_process(folder: Path) -> None:
    alone, together = judged(folder, 1), judged(folder, 2)
    assert len({problem.path for problem in alone.problems}) >= 4
    assert said(together) == said(alone)


def test_the_command_begins_early_and_tells_the_same(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[int] = []
    fork = os.fork
    monkeypatch.setattr(os, "fork", lambda: begun.append(1) or fork())
    told = []
    for jobs in ("1", "2"):
        options = ["--no-cache", "-f", "json", "--jobs", jobs]
        told.append(CliRunner().invoke(cli, ["scan", str(folder), *options]).stdout)
    assert begun
    assert json.loads(told[0])["findings"]
    assert told[0] == told[1]


@pytest.mark.parametrize("jobs", [1, 2])
def test_few_files_are_read_here(tmp_path: Path, jobs: int) -> None:
    for number in range(WORTH_IT - (jobs > 1)):
        (tmp_path / f"{number}.tf").write_text("locals {}\n")
    assert read_below(FolderTree(tmp_path), ["."], jobs) is None
    names = [path.name for path in tmp_path.iterdir()]
    assert read_files(FolderTree(tmp_path), names, jobs) is None


def test_other_trees_are_read_here() -> None:
    tree = MemoryTree({f"{number}.tf": "locals {}" for number in range(2 * WORTH_IT)})
    assert read_below(tree, [""], 2) is None
    assert read_below(TracedTree(tree), [""], 2) is None


def test_a_tree_that_is_traced_is_read_ahead(folder: Path) -> None:
    tree = TracedTree(FolderTree(folder))
    ahead = read_files(tree, [path.name for path in folder.iterdir()], 2)
    assert ahead is not None
    ahead.close()


def test_nothing_is_kept_of_what_was_received(
    folder: Path, started: Callable[[Path], ReadAhead]
) -> None:
    ahead = started(folder)
    has_come(ahead, "role000.tf")
    source = SourceFile("role000.tf", (folder / "role000.tf").read_bytes())
    opener = read_ahead._Opener(ahead._sent["role000.tf"][1], source, [])
    alive = weakref.ref(opener)
    gc.disable()  # as in a scan, where a circle is never found
    try:
        file = opener.file()
        del opener
        assert alive() is None
        assert file.source is source
    finally:
        gc.enable()


def test_one_that_nobody_has_asked_ends_with_the_scan(folder: Path) -> None:
    ahead = read_below(FolderTree(folder), ["."], 2)
    assert ahead is not None
    options = ScanOptions(jobs=2, ahead=ahead, settings=Settings(exclude=("*.tf",)))
    assert scan([folder], load_rules(), options, folder).files == 0
    with pytest.raises(ChildProcessError):
        os.waitpid(ahead._process, os.WNOHANG)
