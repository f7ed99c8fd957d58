"""Reports in the hands of the tools that read them; each test is skipped where its tool is absent.

- A SARIF validator with the rules of GitHub's code scanning: npm `@microsoft/sarif-multitool`,
  found through `IAM_PREFLIGHT_SARIF_MULTITOOL` or on the path.
- A browser: `chromium` on the path, and npm `playwright-core` where node finds it (`NODE_PATH`).
"""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from test_formats import many, render

from iam_preflight.reporters import html_report, model

if TYPE_CHECKING:
    from iam_preflight.reporters.model import Report

OPTIONS = model.Options(show_suppressed=True)
MULTITOOL = os.environ.get("IAM_PREFLIGHT_SARIF_MULTITOOL") or shutil.which("sarif-multitool")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
NODE = shutil.which("node")


def has_playwright() -> bool:
    if NODE is None or CHROMIUM is None:
        return False
    command = [NODE, "-e", "require('playwright-core')"]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


@pytest.mark.skipif(MULTITOOL is None, reason="no sarif-multitool")
@pytest.mark.parametrize("count", [0, 1, 5_001])
def test_sarif_is_accepted_by_the_validator(report: Report, tmp_path: Path, count: int) -> None:
    told = many(report, count) if count else report
    file, out = tmp_path / "in.sarif", tmp_path / "out.sarif"
    file.write_text(render("sarif", told, OPTIONS), encoding="utf-8")
    command = [str(MULTITOOL), "validate", str(file), "--output", str(out)]
    command += ["--rule-kind", "Sarif;Ghas", "--log", "ForceOverwrite"]
    environment = {**os.environ, "DOTNET_SYSTEM_GLOBALIZATION_INVARIANT": "1"}
    subprocess.run(command, check=False, capture_output=True, env=environment)
    results = json.loads(out.read_text("utf-8-sig"))["runs"][0]["results"]
    # SARIF2005 wants a home page of the tool
    assert [one for one in results if one["ruleId"] != "SARIF2005"] == []


# ---------------------------------------------------------------- the page

needs_browser = pytest.mark.skipif(not has_playwright(), reason="no chromium or playwright-core")


def visit(page: str, tmp_path: Path, *steps: str) -> dict[str, Any]:
    """What a browser sees after the steps of a script; see browser.cjs."""
    file = tmp_path / "page.html"
    file.write_text(page, encoding="utf-8", errors="replace")
    script = Path(__file__).with_name("browser.cjs")
    command = [str(NODE), str(script), str(CHROMIUM), file.as_uri(), *steps]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
    seen: dict[str, Any] = json.loads(done.stdout)
    assert seen["errors"] == []
    assert seen["requests"] == []
    return seen


@needs_browser
def test_page_shows_findings_and_filters_them(report: Report, tmp_path: Path) -> None:
    page = render("html", report, OPTIONS)
    seen = visit(page, tmp_path, "fill:#find:222233334444", "text:#find-count", "visible:.finding")
    assert seen["results"] == ["1 of 4", 1]
    seen = visit(page, tmp_path, "uncheck:[data-filter][value=medium]", "visible:.finding")
    assert seen["results"] == [2]
    seen = visit(page, tmp_path, "click:[data-show-practice='7']", "visible:.finding")
    assert seen["results"] == [1]


@needs_browser
def test_page_finds_a_node_and_tells_about_it(report: Report, tmp_path: Path) -> None:
    page = render("html", report, OPTIONS)
    steps = ["check:#graph-alone", "fill:#graph-find:anyone", "press:#graph-find:Enter"]
    seen = visit(page, tmp_path, *steps, "text:#graph-side")
    (text,) = seen["results"]
    assert text.startswith("anyone")
    assert "aws_iam_role.anyone" in text
    assert "OPEN-001" in text
    assert "trust" in text


@needs_browser
def test_page_opens_the_finding_that_a_node_leads_to(report: Report, tmp_path: Path) -> None:
    page = render("html", report, OPTIONS)
    steps = ["check:#graph-alone", "fill:#graph-find:anyone", "press:#graph-find:Enter"]
    steps += ["click:#graph-side a", "text:#finding-0 summary", "hash"]
    results = visit(page, tmp_path, *steps)["results"]
    assert "OPEN-001" in results[0]
    assert results[1] == "#finding-0"


@needs_browser
def test_page_selects_the_node_that_is_clicked_in_the_picture(
    report: Report, tmp_path: Path
) -> None:
    page = render("html", report, OPTIONS)
    steps = ["check:#graph-alone", "node:aws_iam_role.partner", "text:#graph-side h3"]
    assert visit(page, tmp_path, *steps)["results"] == ["partner-support"]


HOSTILE = '</script><img src=x onerror="window.owned=1"><script>window.owned=1</script>'


@needs_browser
def test_page_runs_nothing_from_a_hostile_name(report: Report, tmp_path: Path) -> None:
    graph = {
        "version": 1,
        "nodes": [
            {
                "id": HOSTILE,
                "kind": HOSTILE,
                "type": HOSTILE,
                "name": HOSTILE,
                "file": HOSTILE,
                "line": 1,
                "environment": HOSTILE,
                "account": HOSTILE,
                "tags": {HOSTILE: HOSTILE},
                "policies": [],
            }
        ],
        "edges": [],
    }
    finding = msgspec.structs.replace(
        report.shown[0], message=HOSTILE, address=HOSTILE, addresses=(HOSTILE,), hint=HOSTILE
    )
    hostile = msgspec.structs.replace(report, findings=(finding,), graph=graph)
    page = render("html", hostile, OPTIONS)
    steps = ["fill:#graph-find:onerror", "press:#graph-find:Enter", "owned", "text:#graph-side h3"]
    assert visit(page, tmp_path, *steps)["results"] == [False, HOSTILE]


def big_graph(count: int) -> dict[str, Any]:
    """A made-up estate: chains of roles and policies, some joined, with a few paths."""
    kinds = ("role", "policy", "user", "compute")
    nodes = [
        {
            "id": f"n{index}",
            "kind": kinds[index % 4],
            "type": "made up",
            "name": f"name {index}",
            "file": "main.tf",
            "line": index + 1,
            "environment": ("dev", "prod", None)[index % 3],
            "account": None,
            "tags": {},
            "policies": [],
        }
        for index in range(count)
    ]

    def edge(source: int, target: int, kind: str, method: str | None = None) -> dict[str, Any]:
        why = [{"file": "main.tf", "line": source + 1, "text": "here"}]
        return {
            "from": f"n{source}",
            "to": f"n{target}",
            "kind": kind,
            "method": method,
            "why": why,
        }

    edges = [edge(index, index - 1 - index * 7 % 20, "holds") for index in range(20, count, 1)]
    edges += [edge(index, index // 2, "escalates to", "M1") for index in range(50, count, 50)]
    return {"version": 1, "nodes": nodes, "edges": edges}


@needs_browser
def test_picture_of_two_thousand_nodes_is_there_soon_and_can_be_used(tmp_path: Path) -> None:
    stream = io.StringIO()
    html_report.write_graph(big_graph(2_000), stream)
    steps = ["count", "check:#graph-paths", "text:#graph-state"]
    steps += ["uncheck:#graph-paths", "fill:#graph-find:name 1999", "press:#graph-find:Enter"]
    steps += ["text:#graph-side h3"]
    seen = visit(stream.getvalue(), tmp_path, *steps)
    assert seen["results"][0] == {"nodes": 2_000, "edges": 2_019, "paths": 39}
    assert seen["results"][1] == "59 of 2000 nodes"
    assert seen["results"][2] == "name 1999"
    assert seen["ready"] < 30_000


@needs_browser
def test_nodes_of_one_environment_are_all_there(tmp_path: Path) -> None:
    graph = big_graph(40)
    nodes = [{**node, "environment": None} for node in graph["nodes"]]
    stream = io.StringIO()
    html_report.write_graph({**graph, "nodes": nodes}, stream)
    assert visit(stream.getvalue(), tmp_path, "text:#graph-state")["results"] == ["40 of 40 nodes"]
