"""Every rule against its fixtures.

`fixtures/rules/<RULE-ID>/{terraform,cloudformation}/` holds one file or folder a case:

- `bad_…`: what the rule must find, with `# iam-preflight: expect[RULE-ID]` on the line above
  each expected place (a JSON template has its expectations in `<name>.expect`, `RULE-ID line`);
- `good_…`: what no rule may say anything about.

A folder is scanned as a whole and may carry its own `.iam-preflight.yaml`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from iam_preflight.registry import Registry, load_rules
from iam_preflight.scan import Report, ScanOptions, scan
from iam_preflight.settings import FILE_NAME, Settings, load_settings

if TYPE_CHECKING:
    from iam_preflight.findings import Finding

FIXTURES = Path(__file__).parents[2] / "fixtures" / "rules"
FORMATS = ("terraform", "cloudformation")
MARKER = re.compile(r"#\s*iam-preflight:\s*expect\[([A-Z0-9, -]+)\]")

NO_CLOUDFORMATION: dict[str, str] = {}
"""Rules about things that CloudFormation cannot express, with the reason."""


@dataclass(frozen=True)
class Case:
    rule: str
    format: str
    path: Path

    @property
    def is_bad(self) -> bool:
        return self.path.name.startswith("bad_")

    def __str__(self) -> str:
        return f"{self.rule}-{self.format}-{self.path.name}"


@cache
def registry() -> Registry:
    return load_rules()


def cases() -> list[Case]:
    return [
        Case(folder.name, name, path)
        for folder in sorted(FIXTURES.iterdir())
        for name in FORMATS
        if (folder / name).is_dir()
        for path in sorted((folder / name).iterdir())
        if path.suffix != ".expect" and path.name.startswith(("bad_", "good_"))
    ]


@cache
def scanned(path: Path) -> Report:
    own = path / FILE_NAME
    settings = load_settings(own) if own.is_file() else Settings()
    return scan([path], registry(), ScanOptions(settings=settings))


def found(case: Case, rules: set[str]) -> set[tuple[str, str, int]]:
    """(rule, file, line) of the findings, those named under `also` included."""
    places: set[tuple[str, str, int]] = set()
    for finding in scanned(case.path).shown:
        for rule in (finding.rule, *finding.also):
            if rule in rules:
                span = finding.primary.span
                places.add((rule, Path(span.path).name, span.line))
    return places


def expected(case: Case) -> set[tuple[str, str, int]]:
    files = sorted(case.path.rglob("*")) if case.path.is_dir() else [case.path]
    places: set[tuple[str, str, int]] = set()
    for file in files:
        if not file.is_file() or file.suffix == ".expect":
            continue
        sidecar = file.with_name(f"{file.name}.expect")
        if sidecar.is_file():
            for line in sidecar.read_text().splitlines():
                rule, _, number = line.partition(" ")
                places.add((rule, file.name, int(number)))
            continue
        lines = file.read_text(encoding="utf-8").splitlines()
        for index, line in enumerate(lines):
            for marker in MARKER.findall(line):
                target = index + 1
                while MARKER.search(lines[target]):
                    target += 1
                places.update((rule.strip(), file.name, target + 1) for rule in marker.split(","))
    return places


ALL = cases()
BAD = [case for case in ALL if case.is_bad]
GOOD = [case for case in ALL if not case.is_bad]


@pytest.mark.parametrize("case", BAD, ids=str)
def test_bad_is_found_where_it_is_marked(case: Case) -> None:
    marked = expected(case)
    rules = {case.rule} | {rule for rule, _, _ in marked}
    assert case.rule in {rule for rule, _, _ in marked}, "a bad fixture marks its own rule"
    assert found(case, rules) == marked


@pytest.mark.parametrize("case", GOOD, ids=str)
def test_good_is_silent_for_all_rules(case: Case) -> None:
    assert [describe(finding) for finding in scanned(case.path).shown] == []


@pytest.mark.parametrize("case", ALL, ids=str)
def test_fixture_is_read_without_problem(case: Case) -> None:
    assert [f"{p.place} {p.message}" for p in scanned(case.path).problems] == []


@pytest.mark.parametrize("rule", [rule.id for rule in load_rules()])
def test_rule_has_good_and_bad_fixtures_for_both_formats(rule: str) -> None:
    for name in FORMATS:
        if name == "cloudformation" and rule in NO_CLOUDFORMATION:
            continue
        kinds = {case.is_bad for case in ALL if case.rule == rule and case.format == name}
        assert kinds == {True, False}, f"{rule} needs a good_ and a bad_ fixture for {name}"


@pytest.mark.parametrize(
    "case",
    [case for case in BAD if case.format == "terraform" and case.rule not in NO_CLOUDFORMATION],
    ids=str,
)
def test_formats_that_say_the_same_give_the_same_findings(case: Case) -> None:
    stem = case.path.name.split(".", 1)[0]
    folder = case.path.parents[1] / "cloudformation"
    twins = [path for path in folder.iterdir() if path.name.split(".", 1)[0] == stem]
    twins = [path for path in twins if path.suffix != ".expect"]
    if not twins:
        assert (case.path.parents[1] / "terraform_only.txt").is_file(), (
            f"{stem} has no CloudFormation twin, and no terraform_only.txt says why"
        )
        assert stem in (case.path.parents[1] / "terraform_only.txt").read_text()
        return
    for twin in twins:
        other = Case(case.rule, "cloudformation", twin)
        assert count(other) == count(case)


def count(case: Case) -> list[tuple[str, str, str]]:
    return sorted(
        (case.rule, str(finding.severity), str(finding.confidence))
        for finding in scanned(case.path).shown
        if case.rule in (finding.rule, *finding.also)
    )


def describe(finding: Finding) -> str:
    return f"{finding.primary.span} {finding.rule} {finding.message}"
