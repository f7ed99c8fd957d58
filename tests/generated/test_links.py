"""Every relative link of our pages leads somewhere, and every module that they name is there."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULE = re.compile(r"`((?:\w+/)*\w+\.py)`")
LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)\s#]+)(?:#[^)]*)?\)")


def pages() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "*.md"], check=False, capture_output=True, text=True, cwd=ROOT
    )
    return [ROOT / name for name in listed.stdout.split() if not name.startswith("tests/")]


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL)
    missing = [link for link in LINK.findall(text) if not (page.parent / link).exists()]
    assert missing == []


@pytest.mark.parametrize("page", ["docs/architecture.md", "CONTRIBUTING.md"])
def test_named_modules_are_there(page: str) -> None:
    named = MODULE.findall((ROOT / page).read_text("utf-8"))
    tops = (ROOT, ROOT / "scanner" / "iam_preflight")
    assert named
    assert [name for name in named if not any((top / name).is_file() for top in tops)] == []
