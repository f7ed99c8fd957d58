"""What the process returns when its reader leaves, its disk is full, or somebody stops it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

SCAN = [sys.executable, "-m", "iam_preflight", "scan"]
BAD = 'resource "aws_iam_user" "a" {\n  name = "x"\n}\n'
pytestmark = pytest.mark.skipif(os.name == "nt", reason="needs POSIX pipes and signals")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / ".git").mkdir()
    (tmp_path / "main.tf").write_text(BAD)
    return tmp_path


@pytest.mark.parametrize(("fail_on", "code"), [("medium", 1), ("never", 0)])
def test_the_verdict_stands_when_the_reader_leaves(tree: Path, fail_on: str, code: int) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [*SCAN, "-f", "html", "--fail-on", fail_on, str(tree)]
    ended = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert (ended.returncode, ended.stderr) == (code, b"")


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_the_verdict_stands_without_streams(tree: Path, closed: str) -> None:
    command = f'exec "$0" -m iam_preflight scan . {closed}'
    ended = subprocess.run(["sh", "-c", command, sys.executable], cwd=tree, check=False)
    assert ended.returncode == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("arguments", [["scan"], ["graph"], ["scan", "-f", "sarif"]])
def test_a_full_disk_is_said_in_one_line(tree: Path, arguments: list[str]) -> None:
    command = [sys.executable, "-m", "iam_preflight", *arguments, str(tree)]
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, check=False)
    assert ended.returncode == 2
    assert ended.stderr == b"Error: cannot write <stdout>: No space left on device\n"


def test_an_interrupted_scan_has_no_verdict(tree: Path) -> None:
    numbers = 'join("", [for y in range(1000) : [for z in range(1000) : z]])'
    slow = f"locals {{\n  a = [for x in range(1000) : {numbers}]\n}}\n"
    (tree / "slow.tf").write_text(slow + BAD.replace('"a"', '"b"').replace('"x"', "local.a[9]"))
    running = subprocess.Popen(
        [*SCAN, str(tree)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=tree,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )
    time.sleep(3)
    running.send_signal(signal.SIGINT)
    output, errors = running.communicate(timeout=60)
    assert (running.returncode, output) == (4, b"")
    assert errors.strip() == b"Error: interrupted"


def test_time_for_a_root_is_limited_and_the_rest_goes_on(tree: Path) -> None:
    (tree / "slow").mkdir()
    rows = "[for y in range(1000) : [for z in range(1000) : z]]"
    slow = f"locals {{\n  a = [for x in range(1000) : length({rows})]\n}}\n"
    text = slow + BAD.replace('"x"', "local.a[9]")
    (tree / "slow" / "main.tf").write_text(text)
    command = [*SCAN, "--timeout", "3", str(tree)]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=tree, check=False)
    assert ended.returncode == 4
    assert "SCAN-906  too large to evaluate: it takes longer than 3 seconds" in ended.stdout
    assert "slow/main.tf:2:" in ended.stdout
    assert "main.tf:1:1  MEDIUM  ROLE-001  IAM user x" in ended.stdout
