"""The same input gives the same bytes, whatever the hash seed, the locale, the files' order and
the number of processes."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from iam_preflight.commands.shared.output import FORMATS

PROJECTS = Path(__file__).parents[2] / "fixtures" / "projects"
ACCOUNT = Path(__file__).parents[2] / "fixtures" / "account" / "workload"


def reports(here: Path, out: Path, seed: str, locale: str, *given: str | Path) -> dict[str, bytes]:
    """Every format of a scan of its own process."""
    command = [sys.executable, "-m", "iam_preflight", "scan", "--today", "2027-01-01"]
    command += ["--no-cache", *map(str, given or (".",))]
    for name in FORMATS:
        command += ["-f", name, "-o", str(out / name)]
    environment = {**os.environ, "PYTHONHASHSEED": seed, "LC_ALL": locale, "TZ": f"X{seed}"}
    subprocess.run(command, cwd=here, env=environment, check=False, stderr=subprocess.DEVNULL)
    return {name: (out / name).read_bytes() for name in FORMATS}


def test_every_format_has_the_same_bytes(tmp_path: Path) -> None:
    first, second = tmp_path / "1" / "tree", tmp_path / "2" / "tree"
    files = sorted(file for file in PROJECTS.rglob("*") if file.is_file())
    for top, several in ((first, files), (second, reversed(files))):
        for file in several:
            target = top / file.relative_to(PROJECTS)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)
        (top / ".git").mkdir()
    one = reports(first, first.parent, "0", "C", ".", "--jobs", "1")
    other = reports(second, second.parent, "4711", "tr_TR.UTF-8", ".", "--jobs", "3")
    for name in FORMATS:
        here = str(first).encode(), str(second).encode()
        assert one[name].replace(here[0], b"") == other[name].replace(here[1], b""), name
    assert b"LEAST" in one["text"]


def test_neither_order_nor_place_of_what_is_given_matters(tmp_path: Path) -> None:
    tree, out = tmp_path / "tree", tmp_path / "out"
    shutil.copytree(PROJECTS, tree)
    (tree / ".git").mkdir()
    out.mkdir()
    context = sorted(ACCOUNT.glob("*.json"))
    assert len(context) > 2

    def given(paths: list[Path], exports: list[Path]) -> list[str]:
        return [*map(str, paths), *(word for one in exports for word in ("--account-context", one))]

    paths = sorted(tree / project.name for project in PROJECTS.iterdir())
    one = reports(tree, out, "1", "C", *given(paths, context))
    other = reports(tree, out, "2", "C.UTF-8", *given(paths[::-1], context[::-1]))
    assert one == other
    away = reports(out, out, "3", "C", *given(paths[::-1], context))
    assert {name for name in FORMATS if one[name] != away[name]} == {"text"}
    assert sorted(shown(away["text"], tree, out)) == sorted(shown(one["text"], tree, tree))


def shown(text: bytes, tree: Path, here: Path) -> list[str]:
    """The places that a report in text names, from the top of the tree."""
    found = re.findall(r"(\S+\.(?:tf|yml|json|yaml)):\d+:\d+", text.decode())
    return [os.path.relpath(here / path, tree) for path in found]
