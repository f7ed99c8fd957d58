"""The same input gives the same bytes, whatever the hash seed, the locale and the files' order."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from iam_preflight.commands.shared.output import FORMATS

PROJECTS = Path(__file__).parents[2] / "fixtures" / "projects"
CLOCK = re.compile(rb"\d+\.\d\d s\b")


def reports(tree: Path, out: Path, seed: str, locale: str) -> dict[str, bytes]:
    """Every format of a scan of its own process, the time it took aside."""
    command = [sys.executable, "-m", "iam_preflight", "scan", ".", "--today", "2027-01-01"]
    for name in FORMATS:
        command += ["-f", name, "-o", str(out / name)]
    environment = {**os.environ, "PYTHONHASHSEED": seed, "LC_ALL": locale, "TZ": f"X{seed}"}
    subprocess.run(command, cwd=tree, env=environment, check=False, stderr=subprocess.DEVNULL)
    return {name: CLOCK.sub(b"", (out / name).read_bytes()) for name in FORMATS}


def test_every_format_has_the_same_bytes(tmp_path: Path) -> None:
    first, second = tmp_path / "1" / "tree", tmp_path / "2" / "tree"
    files = sorted(file for file in PROJECTS.rglob("*") if file.is_file())
    for top, several in ((first, files), (second, reversed(files))):
        for file in several:
            target = top / file.relative_to(PROJECTS)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)
        (top / ".git").mkdir()
    one = reports(first, first.parent, "0", "C")
    other = reports(second, second.parent, "4711", "tr_TR.UTF-8")
    for name in FORMATS:
        here = str(first).encode(), str(second).encode()
        assert one[name].replace(here[0], b"") == other[name].replace(here[1], b""), name
    assert b"LEAST" in one["text"]
