"""checkov in an environment of its own, made once and kept between runs."""

from __future__ import annotations

import configparser
import os
import subprocess
import sys
from pathlib import Path

import pytest
from checkov_process import ROOT, Checkov

VERSION = "checkov==3.3.30"


@pytest.fixture(scope="session")
def checkov() -> Checkov:
    """The real checkov. `IAM_PREFLIGHT_CHECKOV_ENV` names the folder that it is kept in."""
    named = os.environ.get("IAM_PREFLIGHT_CHECKOV_ENV")
    folder = Path(named) if named else ROOT / ".test-tools" / "checkov"
    fcntl = pytest.importorskip("fcntl", reason="the environment is made under a lock of Unix")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _make(folder)
    return Checkov(folder / "bin" / "python")


def _make(folder: Path) -> None:
    """Makes the environment, unless it is there with what is wanted now."""
    wanted = [VERSION, *_own_requirements()]
    label = folder / "holds.txt"
    python = folder / "bin" / "python"
    if python.exists() and label.is_file() and label.read_text() == "\n".join(wanted):
        return
    pip = [str(python), "-m", "pip", "--retries", "1", "--timeout", "20", "install", "--quiet"]
    for command in ([sys.executable, "-m", "venv", "--clear", str(folder)], [*pip, *wanted]):
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode != 0:
            reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
            pytest.skip(f"checkov cannot be installed: {reason}")
    label.write_text("\n".join(wanted))


def _own_requirements() -> list[str]:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    return setup["options"]["install_requires"].split("\n")[1:]
