"""Reports of a small project, and files of approved output.

`UPDATE_APPROVED=1 pytest tests/reporters` writes them anew; the diff is for reading.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from iam_preflight.registry import load_rules
from iam_preflight.reporters import model
from iam_preflight.reporters.present import present
from iam_preflight.scan import ScanOptions, scan
from iam_preflight.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = Path(__file__).parent
PROJECT = HERE.parents[1] / "fixtures" / "projects" / "two-roles"
RULES = ("SEG-007", "ROLE-003", "EXT-001")


@pytest.fixture(scope="session")
def report() -> model.Report:
    registry = load_rules().select(RULES, ())
    options = ScanOptions(settings=load_settings(PROJECT / ".iam-preflight.yaml"))
    found = present(scan([PROJECT], registry, options, PROJECT), "medium", with_graph=True)
    # pages are the rules' own business, and so is our version
    rules = tuple(
        msgspec.structs.replace(rule, page=f"The page of {rule.id}." if rule.page else "")
        for rule in found.rules
    )
    tool = model.Tool(version="0.0.0")
    return msgspec.structs.replace(found, root="", seconds=0, tool=tool, rules=rules)


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
