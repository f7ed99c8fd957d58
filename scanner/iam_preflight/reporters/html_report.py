"""One self-contained page: what was found by practice, each finding with its source, the graph.

Nothing is loaded from anywhere, and a content security policy says so: the page's own style and
scripts are named by their hashes, so that no name in the repository can become a script.
Everything but the graph and the filters works without scripts.
"""

from __future__ import annotations

import base64
import hashlib
import json
from importlib import resources
from typing import TYPE_CHECKING, Any, TextIO

from iam_preflight.reporters import html_findings
from iam_preflight.reporters.escape import html, json_text, visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from iam_preflight.reporters.model import Finding, Options, Report

ESCALATION = "escalation"
_VERDICTS = {
    "clean": "passed",
    "findings": "failed",
    "nothing-to-scan": "nothing to scan",
    "not-analysed": "not everything was analysed",
}


def write(report: Report, stream: TextIO, options: Options) -> None:
    scripts = [_asset("findings.js")]
    if report.graph is not None:
        scripts += [_asset("layout.js") + _asset("graph.js")]
    body = [*_top(report), "<main>", *html_findings.overview(report)]
    if report.graph is not None:
        body += graph_section(report.graph, report.shown)
    body += html_findings.findings(report, options)
    body += html_findings.suppressed(report, options)
    body += html_findings.problems(report)
    body += ["</main>"]
    stream.writelines(_page("IAM Preflight", body, scripts))


def write_graph(graph: Mapping[str, Any], stream: TextIO, title: str = "IAM graph") -> None:
    """The picture alone, for a graph as `graph.export.as_data` gives it."""
    body = [f'<main><h1 class="alone">{html(title)}</h1>', *graph_section(graph, ()), "</main>"]
    stream.writelines(_page(title, body, [_asset("layout.js") + _asset("graph.js")]))


def _asset(name: str) -> str:
    return (resources.files("iam_preflight.reporters") / "assets" / name).read_text("utf-8")


def _page(title: str, body: Sequence[str], scripts: Sequence[str]) -> Iterator[str]:
    style = _asset("report.css")
    policy = "; ".join(
        (
            "default-src 'none'",
            f"style-src {_hash(style)}",
            f"script-src {' '.join(map(_hash, scripts))}",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )
    yield "<!doctype html>\n"
    yield '<html lang="en">\n<head>\n<meta charset="utf-8">\n'
    yield f'<meta http-equiv="Content-Security-Policy" content="{html(policy)}">\n'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
    yield '<meta name="referrer" content="no-referrer">\n'
    yield f"<title>{html(title)}</title>\n<style>{style}</style>\n</head>\n<body>\n"
    yield from (json_text(f"{line}\n") for line in body)
    yield from (f"<script>{script}</script>\n" for script in scripts)
    yield "</body>\n</html>\n"


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"


def _top(report: Report) -> Iterator[str]:
    coverage = report.coverage
    data = f", AWS data of {html(report.tool.data)}" if report.tool.data else ""
    yield '<header class="top"><div><h1>IAM Preflight</h1>'
    yield f'<span class="verdict {report.verdict}">{_VERDICTS[report.verdict]}</span>'
    yield (
        f'<span class="soft">{coverage.principals} principals, {coverage.policies} policies: '
        f"{coverage.full} resolved, {coverage.partly} partly, {coverage.none} not · "
        f"{report.files} files · version {html(report.tool.version)}{data}</span>"
    )
    yield "</div></header>"
    yield '<nav aria-label="Sections"><div>'
    yield '<a href="#overview">Overview</a>'
    if report.graph is not None:
        yield '<a href="#graph">Graph</a>'
    yield f'<a href="#findings">Findings ({report.counts.shown})</a>'
    if report.problems:
        yield f'<a href="#problems">Not analysed ({len(report.problems)})</a>'
    yield "</div></nav>"


# ---------------------------------------------------------------- the graph


def graph_section(graph: Mapping[str, Any], findings: Sequence[Finding]) -> Iterator[str]:
    """The canvas, its tools, and its data as JSON that no HTML parser can misread."""
    nodes = graph["nodes"]
    kinds = sorted({str(node["kind"]) for node in nodes})
    environments = sorted({node["environment"] or "" for node in nodes})
    yield '<section id="graph"><h2>Graph</h2>'
    yield "<noscript><p>The graph needs scripts; the findings do not.</p></noscript>"
    yield '<div class="tools">'
    yield '<input type="search" id="graph-find" placeholder="Name, ARN, account…"'
    yield ' aria-label="Search the graph">'
    yield _box("graph-paths", "escalation paths only")
    yield _box("graph-found", "with findings only")
    yield _box("graph-alone", "also unconnected", is_on=len(nodes) <= 60)
    yield "</div>"
    yield '<div class="tools small" role="group" aria-label="Kinds">'
    yield from (_filter("kind", kind, kind.replace("_", " ")) for kind in kinds)
    yield "</div>"
    yield '<div class="tools small" role="group" aria-label="Lines">'
    yield from (_line_filter(kind) for kind in _lines(graph))
    yield "</div>"
    if len(environments) > 1:
        yield '<div class="tools small" role="group" aria-label="Environments">'
        yield from (_filter("environment", name, name or "no environment") for name in environments)
        yield "</div>"
    yield '<div class="graph"><div class="stage">'
    yield '<canvas id="graph-canvas" role="img" aria-label="Principals and what they reach">'
    yield "</canvas>"
    yield '<div class="state" id="graph-state" aria-live="polite"></div>'
    yield '<div class="zoom"><button type="button" id="graph-in" aria-label="Zoom in">+</button>'
    yield '<button type="button" id="graph-out" aria-label="Zoom out">−</button>'
    yield '<button type="button" id="graph-fit">Fit</button></div>'
    yield '<div class="legend">'
    yield from (
        f'<span><svg viewBox="0 0 8 8"><circle cx="4" cy="4" r="4" data-colour="{html(name)}"/>'
        f"</svg>{html(name or 'no environment')}</span>"
        for name in environments
    )
    yield "</div></div>"
    yield '<div class="side" id="graph-side" aria-live="polite"></div></div>'
    data = _harmless({**graph, "found": _found(graph, findings)})
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    for char in "<>&\u2028\u2029":
        text = text.replace(char, f"\\u{ord(char):04x}")
    yield f'<script type="application/json" id="graph-data">{text}</script></section>'


def _harmless(data: Any) -> Any:
    """The data with every text as `visible` has it."""
    match data:
        case str():
            return visible(data)
        case dict():
            return {visible(str(key)): _harmless(value) for key, value in data.items()}
        case list() | tuple():
            return [_harmless(item) for item in data]
        case _:
            return data


def _found(
    graph: Mapping[str, Any], findings: Sequence[Finding]
) -> dict[str, list[dict[str, Any]]]:
    """The findings of each node, by the node's id."""
    ids = {str(node["id"]) for node in graph["nodes"]}
    found: dict[str, list[dict[str, Any]]] = {}
    for index, finding in enumerate(findings):
        told = {
            "index": index,
            "rule": finding.rule,
            "severity": finding.severity,
            "message": finding.message,
        }
        for address in dict.fromkeys((*finding.addresses, finding.principal)):
            node_id = next(
                (one for one in (f"{finding.root}:{address}", address) if one in ids), None
            )
            if node_id is not None:
                found.setdefault(node_id, []).append(told)
    return found


def _lines(graph: Mapping[str, Any]) -> list[str]:
    """The kinds of edges there are; all ways to gain privileges are one."""
    kinds = {
        ESCALATION if edge["method"] and edge["kind"] != "can assume" else str(edge["kind"])
        for edge in graph["edges"]
    }
    return sorted(kinds)


def _line_filter(kind: str) -> str:
    # who may pass which role is much, and seldom what is looked for
    checked = "" if kind == "can pass" else " checked"
    return (
        f'<label><input type="checkbox"{checked} data-graph="line" value="{html(kind)}">'
        '<svg class="line" viewBox="0 0 16 4"><path d="M0 2h16" stroke-width="3" '
        f'data-line-colour="{html(kind)}"/></svg>{html(kind)}</label>'
    )


def _box(identifier: str, label: str, *, is_on: bool = False) -> str:
    checked = " checked" if is_on else ""
    return f'<label><input type="checkbox" id="{identifier}"{checked}> {html(label)}</label>'


def _filter(group: str, value: str, label: str) -> str:
    return (
        f'<label><input type="checkbox" checked data-graph="{group}" value="{html(value)}"> '
        f"{html(label)}</label>"
    )
