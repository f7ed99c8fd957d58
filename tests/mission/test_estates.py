"""Two whole repositories: one breaks every practice where it is marked, one keeps them all."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from iam_preflight.findings import Finding, Severity
from iam_preflight.registry import Registry, load_rules
from iam_preflight.scan import Report, ScanOptions, scan
from iam_preflight.settings import FILE_NAME, load_settings
from iam_preflight.testing import Case, expectations

PROJECTS = Path(__file__).parents[2] / "fixtures" / "projects"
BROKEN = PROJECTS / "broken-estate"

PRACTICES = range(1, 12)
"""The ten practices, and federation."""

AN_HOURS_READING = 40
"""More findings than this and nobody reads a report to its end."""


@cache
def registry() -> Registry:
    return load_rules()


@cache
def broken() -> Report:
    return scan([BROKEN], registry(), ScanOptions(settings=load_settings(BROKEN / FILE_NAME)))


def grave() -> list[Finding]:
    return [finding for finding in broken().shown if finding.severity >= Severity.MEDIUM]


def test_broken_estate_is_read_without_problem() -> None:
    assert [f"{p.place} {p.message}" for p in broken().problems] == []


def test_broken_estate_is_found_where_it_is_marked() -> None:
    found = {
        (finding.rule, Path(finding.primary.span.path).name, finding.primary.span.line)
        for finding in grave()
    }
    assert found == expectations(Case("projects", "terraform", BROKEN))


@pytest.mark.parametrize("practice", PRACTICES)
def test_every_practice_is_broken(practice: int) -> None:
    of_practice = {rule.id for rule in registry() if rule.practice == practice}
    assert of_practice & {finding.rule for finding in grave()}


def test_report_on_broken_estate_can_be_read_to_its_end() -> None:
    assert len(list(broken().shown)) <= AN_HOURS_READING


def test_broken_estate_has_a_path_to_administrator_over_several_files() -> None:
    (path,) = (finding for finding in grave() if finding.rule == "ESC-005")
    files = {Path(step.span.path).parent.name for step in path.steps}
    assert files >= {"pipeline", "workloads", "identity"}
