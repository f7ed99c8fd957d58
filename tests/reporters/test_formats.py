"""Every format on a small project, byte for byte, and what its readers demand of it."""

from __future__ import annotations

import html
import importlib
import io
import json
import re
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

import msgspec
import pytest

from iam_preflight.commands.shared.output import FORMATS
from iam_preflight.reporters import json_report, model, sarif_report

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from iam_preflight.reporters.model import Finding, Options, Report

SUFFIX = {
    "text": "txt",
    "json": "json",
    "sarif": "sarif",
    "junit": "xml",
    "markdown": "md",
    "github": "github.txt",
    "gitlab": "gitlab.json",
    "gitlab-sast": "gitlab-sast.json",
}


def render(name: str, report: Report, options: Options) -> str:
    module = importlib.import_module(f"iam_preflight.reporters.{FORMATS[name]}")
    stream = io.StringIO()
    module.write(report, stream, options)
    return stream.getvalue()


@pytest.mark.parametrize("name", SUFFIX)
def test_output_is_as_approved(
    name: str, report: Report, options: Options, approve: Callable[[str, str], None]
) -> None:
    approve(f"two-roles.{SUFFIX[name]}", render(name, report, options))


@pytest.mark.parametrize("name", FORMATS)
def test_same_report_gives_the_same_bytes(name: str, report: Report, options: Options) -> None:
    assert render(name, report, options) == render(name, report, options)


@pytest.mark.parametrize("name", FORMATS)
def test_neither_machine_nor_clock_is_in_a_report(
    name: str, report: Report, options: Options
) -> None:
    elsewhere = msgspec.structs.replace(report, root="/some/where", seconds=12.34)
    assert render(name, report, options) == render(name, elsewhere, options)


# ---------------------------------------------------------------- text


def test_text_tells_the_time_to_whoever_waits_for_it(report: Report) -> None:
    took = msgspec.structs.replace(report, seconds=12.34)
    assert "12.34 s" in render("text", took, model.Options(shows_time=True))
    assert "12.34 s" not in render("text", took, model.Options())


def test_text_has_colour_only_when_asked(report: Report) -> None:
    assert "\x1b" not in render("text", report, model.Options(color=False))
    assert "\x1b[1;97;41mCRITICAL\x1b[0m" in render("text", report, model.Options(color=True))


@pytest.mark.parametrize("width", [60, 80, 132])
def test_text_keeps_to_the_width_where_it_can(report: Report, width: int) -> None:
    text = render("text", report, model.Options(width=width))
    source = [line for line in text.splitlines() if re.match(r"\s+\d+ │", line)]
    assert source
    assert all(len(line) <= width for line in source)


def test_text_marks_the_element_under_its_column(report: Report, options: Options) -> None:
    lines = render("text", report, options).splitlines()
    at = next(i for i, line in enumerate(lines) if 'Principal = "*"' in line)
    start = lines[at].index('"*"')
    assert lines[at + 1][start:].startswith("^^^")
    assert lines[at + 1][:start].strip(" │") == ""


def test_text_paths_are_as_seen_from_the_current_folder(report: Report, tmp_path: Path) -> None:
    here = tmp_path / "sub"
    moved = msgspec.structs.replace(report, root=str(tmp_path))
    text = render("text", moved, model.Options(here=str(here)))
    assert "../main.tf:" in text


def test_text_tells_a_cause_once(report: Report, options: Options) -> None:
    """Two findings with one cause share one excerpt."""
    one = report.shown[0]
    other = msgspec.structs.replace(
        one, rule="OTHER-001", fingerprint="x", message="the same place"
    )
    both = msgspec.structs.replace(report, findings=(one, other))
    text = render("text", both, options)
    assert text.count("the same place") == 1
    assert text.count('Principal = "*"') == 1
    assert "OTHER-001: " in text


# ---------------------------------------------------------------- JSON


def test_json_reads_back_as_the_same_report(report: Report, options: Options) -> None:
    text = render("json", report, options)
    kept = msgspec.structs.replace(report, graph=None)
    assert json_report.read(text.encode()) == kept


@pytest.mark.parametrize("name", [name for name in FORMATS if name != "html"])
def test_report_that_was_read_back_renders_the_same(
    name: str, report: Report, options: Options
) -> None:
    read = json_report.read(render("json", report, options).encode())
    assert render(name, read, options) == render(name, report, options)


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"\xff", b'{"version": 1}', b"[" * 100_000])
def test_json_that_is_no_report_is_refused(data: bytes) -> None:
    with pytest.raises(json_report.ReportError):
        json_report.read(data)


def test_json_of_another_version_is_refused(report: Report) -> None:
    data = json_report.as_data(report) | {"version": 2}
    with pytest.raises(json_report.ReportError, match="version 2"):
        json_report.read(json.dumps(data).encode())


# ---------------------------------------------------------------- SARIF


def many(report: Report, count: int) -> Report:
    one = report.shown[0]
    findings = tuple(
        msgspec.structs.replace(one, fingerprint=f"{index}:1") for index in range(count)
    )
    return msgspec.structs.replace(report, findings=findings)


def with_finding(report: Report, finding: Finding) -> Report:
    return msgspec.structs.replace(report, findings=(finding,))


def sarif(report: Report, options: Options) -> dict[str, object]:
    data: dict[str, object] = json.loads(render("sarif", report, options))
    return data["runs"][0]  # type: ignore[index,no-any-return]


def test_sarif_keeps_to_the_caps_of_code_scanning(report: Report, options: Options) -> None:
    """docs.github.com: SARIF support for code scanning, validating your SARIF file."""
    place = report.shown[0].place
    huge = msgspec.structs.replace(
        report.shown[0],
        steps=(place,) * 2000,
        related=(place,) * 2000,
        addresses=tuple(f"a[{i}]" for i in range(2000)),
    )
    run = sarif(with_finding(report, huge), options)
    (result,) = run["results"]  # type: ignore[misc]
    assert len(result["relatedLocations"]) <= 100
    assert len(result["locations"]) == 1
    flows = result["codeFlows"][0]["threadFlows"][0]["locations"]
    assert len(flows) <= 1000
    for rule in run["tool"]["driver"]["rules"]:  # type: ignore[index]
        assert len(rule["properties"]["tags"]) <= 10
        assert len(rule["shortDescription"]["text"]) <= 1024
        assert len(rule["fullDescription"]["text"]) <= 1024
        assert len(rule["name"]) <= 255


@pytest.mark.parametrize(("count", "told"), [(4_999, 4_999), (5_000, 5_000), (5_001, 5_000)])
def test_sarif_leaves_out_the_least_severe_past_the_cap(
    report: Report, options: Options, count: int, told: int
) -> None:
    run = sarif(many(report, count), options)
    assert len(run["results"]) == told  # type: ignore[arg-type]
    notes = str(run["invocations"])
    assert ("1 less severe findings are left out" in notes) is (count > told)


def test_sarif_suppressed_results_only_when_asked(report: Report) -> None:
    with_them = sarif(report, model.Options(show_suppressed=True))
    without = sarif(report, model.Options())
    suppressed = [one for one in with_them["results"] if "suppressions" in one]  # type: ignore[attr-defined]
    assert [one["suppressions"][0]["kind"] for one in suppressed] == ["inSource"]
    assert not any("suppressions" in one for one in without["results"])  # type: ignore[attr-defined]


def test_sarif_uris_are_relative_and_escaped(report: Report, options: Options) -> None:
    place = msgspec.structs.replace(report.shown[0].place, file="a b/ü#?%:x.tf")
    finding = msgspec.structs.replace(report.shown[0], place=place)
    (result,) = sarif(with_finding(report, finding), options)["results"]  # type: ignore[misc]
    location = result["locations"][0]["physicalLocation"]["artifactLocation"]
    assert location == {"uri": "a%20b/%C3%BC%23%3F%25%3Ax.tf", "uriBaseId": "%SRCROOT%"}


def test_sarif_fingerprints_are_unique(report: Report, options: Options) -> None:
    results = sarif(report, options)["results"]
    prints = [one["partialFingerprints"]["primaryLocationLineHash"] for one in results]  # type: ignore[attr-defined]
    assert len(prints) == len(set(prints))


def test_sarif_of_a_change_says_what_is_new(report: Report, options: Options) -> None:
    old = msgspec.structs.replace(report.shown[0], outcome="unchanged")
    changed = msgspec.structs.replace(
        report,
        findings=(report.shown[1], old),
        change=model.Change(base="main", head="topic"),
    )
    states = [one["baselineState"] for one in sarif(changed, options)["results"]]  # type: ignore[attr-defined]
    assert states == ["new", "unchanged"]


def test_sarif_levels_cover_every_severity() -> None:
    assert set(sarif_report._LEVELS) == set(model.SEVERITIES)
    assert set(sarif_report._SECURITY_SEVERITY) == set(model.SEVERITIES)


# ---------------------------------------------------------------- JUnit, GitLab, GitHub


def test_junit_counts_add_up(report: Report, options: Options) -> None:
    root = ET.fromstring(render("junit", report, options))
    assert int(root.attrib["failures"]) == len(root.findall(".//failure")) == report.counts.shown
    assert int(root.attrib["skipped"]) == len(root.findall(".//skipped"))
    assert int(root.attrib["tests"]) == len(root.findall(".//testcase"))


def test_junit_shows_what_could_not_be_analysed_as_an_error(
    report: Report, options: Options
) -> None:
    problem = model.Problem(code="SCAN-901", message="broken", file="x.tf", fails=True, line=3)
    failed = msgspec.structs.replace(report, problems=(problem,))
    root = ET.fromstring(render("junit", failed, options))
    assert root.attrib["errors"] == "1"
    assert root.findall(".//error")[0].attrib["message"] == "broken"


def test_gitlab_fingerprints_are_unique(report: Report, options: Options) -> None:
    entries = json.loads(render("gitlab", report, options))
    assert len({entry["fingerprint"] for entry in entries}) == len(entries)
    assert {entry["severity"] for entry in entries} <= {
        *("info", "minor", "major", "critical", "blocker")
    }


def test_github_says_how_many_annotations_are_left_out(report: Report, options: Options) -> None:
    lines = render("github", many(report, 25), options).splitlines()
    assert len([line for line in lines if line.startswith("::error ")]) == 10
    assert lines[-1] == "::notice title=IAM Preflight::15 more findings: see the report"


# ---------------------------------------------------------------- grouping


def test_markdown_by_framework_puts_a_finding_under_each_of_its_controls(report: Report) -> None:
    text = render("markdown", report, model.Options(group_by="framework"))
    headings = [line for line in text.splitlines() if line.startswith("## ")]
    assert "## ISO/IEC 27001 A.5.15" in headings
    controls = {
        control for rule in report.rules for ids in rule.compliance.values() for control in ids
    }
    assert controls <= {html.unescape(heading).rsplit(" ", 1)[1] for heading in headings}


def test_markdown_by_practice_follows_the_practices(report: Report) -> None:
    text = render("markdown", report, model.Options(group_by="practice"))
    headings = [line for line in text.splitlines() if re.match(r"## \d", line)]
    assert headings == [
        "## 1. Roles instead of users and keys",
        "## 3. Segmentation",
        "## 7. External access",
    ]
