"""The examples of the practices: the bad ones are found where they are marked, the good ones are
silent for whoever reads, and both languages say the same.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Literal

import pytest
from msgspec import structs

from iam_preflight.registry import Registry, load_rules
from iam_preflight.scan import Report, ScanOptions, scan
from iam_preflight.settings import FILE_NAME, Settings
from iam_preflight.settings_file import load_settings
from iam_preflight.testing import FORMATS, Case, describe, expectations, scan_files

MISSION = Path(__file__).parents[2] / "fixtures" / "mission"

EXAMPLES = {
    "bad_admin_user_with_stored_key",
    "bad_everything_allowed",
    "bad_god_mode_role",
    "good_devops_deployer",
    "good_four_tags",
    "good_identity_center",
    "good_oidc_pipeline",
    "good_partner_with_external_id",
    "good_pipeline_creates_bounded_roles",
    "good_reads_reports",
    "good_role_with_mfa_for_one_hour",
    "good_rules_for_old_and_unused_keys",
    "good_saml_sign_in",
    "good_trail_feeds_a_siem",
    "good_wildcard_in_one_region",
}

Persona = Literal["regular", "pedantic"]
PERSONAS: tuple[Persona, ...] = ("regular", "pedantic")


@cache
def registry() -> Registry:
    return load_rules()


@cache
def report(case: Case, persona: Persona) -> Report:
    own = case.path / FILE_NAME
    settings = load_settings(own) if own.is_file() else Settings()
    options = ScanOptions(settings=structs.replace(settings, persona=persona))
    if case.path.is_dir():
        return scan([case.path], registry(), options)
    # by itself, with what it reads: Terraform would take the other examples with it
    beside = [p for p in case.path.parent.iterdir() if p.suffix == ".xml"]
    files = {p.name: p.read_bytes() for p in (case.path, *beside)}
    return scan_files(files, registry(), options)


def cases(kind: str) -> list[Case]:
    return [
        Case("mission", language, path)
        for language in FORMATS
        for path in sorted((MISSION / language).iterdir())
        if path.name.startswith(kind)
    ]


def found(case: Case, rules: set[str]) -> set[tuple[str, str, int]]:
    return {
        (rule, Path(finding.primary.span.path).name, finding.primary.span.line)
        for finding in report(case, "regular").shown
        for rule in (finding.rule, *finding.also)
        if rule in rules
    }


@pytest.mark.parametrize("language", FORMATS)
def test_every_example_is_written_in_both_languages(language: str) -> None:
    written = {case.stem for case in cases("") if case.format == language}
    assert {name for name in written if name.startswith(("bad_", "good_"))} == EXAMPLES


@pytest.mark.parametrize("case", cases("bad_"), ids=str)
def test_bad_example_is_found_where_it_is_marked(case: Case) -> None:
    marked = expectations(case)
    assert marked
    assert found(case, {rule for rule, _, _ in marked}) == marked


@pytest.mark.parametrize("persona", PERSONAS)
@pytest.mark.parametrize("case", cases("good_"), ids=str)
def test_good_example_is_silent(case: Case, persona: Persona) -> None:
    read = report(case, persona)
    assert [f"{p.place} {p.message}" for p in read.problems] == []
    assert [describe(finding) for finding in read.shown] == []


@pytest.mark.parametrize("stem", sorted(name for name in EXAMPLES if name.startswith("bad_")))
def test_both_languages_give_the_same_findings(stem: str) -> None:
    terraform, cloudformation = (case for case in cases("bad_") if case.stem == stem)
    assert said(terraform) == said(cloudformation)


def said(case: Case) -> set[str]:
    """The rules that speak; Terraform's state is one place more in which a secret ends up."""
    return {
        rule for finding in report(case, "regular").shown for rule in (finding.rule, *finding.also)
    }
