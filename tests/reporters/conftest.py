"""Reports of a small project, and files of approved output.

`UPDATE_APPROVED=1 pytest tests/reporters` writes them anew; the diff is for reading.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest
from small_rules import ForeignTrust, LongSession, OpenTrust

from iam_preflight.registry import Registry
from iam_preflight.reporters import model
from iam_preflight.reporters.present import present
from iam_preflight.scan import ScanOptions, scan
from iam_preflight.settings_file import load_settings

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = Path(__file__).parent
PROJECT = HERE.parents[1] / "fixtures" / "projects" / "two-roles"
RULES = Registry((ForeignTrust(), LongSession(), OpenTrust()))


@pytest.fixture(scope="session")
def report() -> model.Report:
    options = ScanOptions(settings=load_settings(PROJECT / ".iam-preflight.yaml"))
    found = present(scan([PROJECT], RULES, options, PROJECT), "medium", with_graph=True)
    tool = model.Tool(version="0.0.0")
    return msgspec.structs.replace(found, root="", seconds=0, tool=tool)


@pytest.fixture
def options() -> model.Options:
    return model.Options(show_suppressed=True, width=0)


@pytest.fixture
def approve() -> Callable[[str, str], None]:
    def check(name: str, text: str) -> None:
        file = HERE / "approved" / name
        if os.environ.get("UPDATE_APPROVED"):
            file.write_text(text, encoding="utf-8", newline="\n")
        assert text == file.read_text(encoding="utf-8"), f"{name} is not as approved"

    return check
