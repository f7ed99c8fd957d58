"""Two whole repositories: one breaks every practice where it is marked, one keeps them all."""

from __future__ import annotations

import shutil
from functools import cache
from pathlib import Path
from typing import Literal

import pytest
from msgspec import structs

from iam_preflight.findings import Finding, Severity
from iam_preflight.registry import Registry, load_rules
from iam_preflight.scan import Report, ScanOptions, scan
from iam_preflight.settings import FILE_NAME
from iam_preflight.settings_file import load_settings
from iam_preflight.testing import Case, describe, expectations

PROJECTS = Path(__file__).parents[2] / "fixtures" / "projects"
BROKEN = PROJECTS / "broken-estate"
COMPLIANT = PROJECTS / "compliant-estate"

PRACTICES = range(1, 12)
"""The ten practices, and federation."""

Persona = Literal["regular", "pedantic", "auditor"]
PERSONAS: tuple[Persona, ...] = ("regular", "pedantic", "auditor")
BLUEPRINTS = ("terraform",)

AN_HOURS_READING = 40
"""More findings than this and nobody reads a report to its end."""


@cache
def registry() -> Registry:
    return load_rules()


def scanned(folder: Path, persona: Persona = "regular") -> Report:
    settings = structs.replace(load_settings(folder / FILE_NAME), persona=persona)
    return scan([folder], registry(), ScanOptions(settings=settings))


@cache
def broken() -> Report:
    return scanned(BROKEN)


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


# ---------------------------------------------------------------- the mirror


@pytest.mark.parametrize("language", BLUEPRINTS)
@pytest.mark.parametrize("persona", PERSONAS)
def test_compliant_estate_is_silent(language: str, persona: Persona) -> None:
    report = scanned(COMPLIANT / language, persona)
    assert [f"{p.place} {p.message}" for p in report.problems] == []
    assert [describe(finding) for finding in report.shown] == []


MFA = """{
        Bool            = { "aws:MultiFactorAuthPresent" = "true" }
        NumericLessThan = { "aws:MultiFactorAuthAge" = "3600" }
      }"""
SUBJECT = """    condition {
      test     = "StringEquals"
      variable = "token.actions.githubusercontent.com:sub"
      values   = ["repo:example-org/shop:environment:production"]
    }
"""
ANYWAY = '{ StringEquals = { "aws:RequestedRegion" = "eu-west-1" } }'

UNDONE = [
    ("ROLE-003", "production/access.tf", "session_duration = 3600", "session_duration = 7200"),
    ("LEAST-008", "production/shop.tf", '"arn:aws:s3:::mybucket/reports/*"', '"*"'),
    ("SEG-004", "development/main.tf", "${local.account}:shop-*", "333344445555:shop-*"),
    ("MFA-001", "production/access.tf", MFA, ANYWAY),
    ("BOUND-004", "production/shop.tf", "aws_iam_policy.application_boundary.arn", "null"),
    ("AUDIT-001", "management/trail.tf", "is_multi_region_trail      = true", ""),
    ("EXT-001", "production/access.tf", '"sts:ExternalId"', '"aws:UserAgent"'),
    ("WILD-001", "production/shop.tf", "table/orders", "table/*"),
    ("TAG-001", "production/access.tf", ', ExpirationDate = "2027-06-30"', ""),
    ("CRED-003", "baseline/main.tf", "password_length        = 14", "password_length = 8"),
    ("FED-001", "production/pipeline.tf", SUBJECT, ""),
]
"""One practice undone, the rule that notices, and where."""


@pytest.mark.parametrize(("rule", "file", "kept", "undone"), UNDONE, ids=[u[0] for u in UNDONE])
def test_silence_is_no_blindness(
    rule: str, file: str, kept: str, undone: str, tmp_path: Path
) -> None:
    shutil.copytree(COMPLIANT / "terraform", tmp_path, dirs_exist_ok=True)
    text = (tmp_path / file).read_text("utf-8")
    assert kept in text
    (tmp_path / file).write_text(text.replace(kept, undone), "utf-8")
    told = {each for finding in scanned(tmp_path).shown for each in (finding.rule, *finding.also)}
    assert rule in told
