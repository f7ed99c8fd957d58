"""The settings file: what it may say, and how precisely it is told what is wrong."""

# ruff: noqa: E501
from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iam_preflight.errors import UsageError
from iam_preflight.registry import load_rules
from iam_preflight.settings import FILE_NAME, Settings, find_settings
from iam_preflight.settings_file import load_settings, read_settings
from iam_preflight.source import SourceFile

if TYPE_CHECKING:
    from pathlib import Path


def read(text: str) -> Settings:
    return read_settings(SourceFile("s.yaml", text.encode()), load_rules())


def faults(text: str) -> list[str]:
    with pytest.raises(UsageError) as caught:
        read(text)
    return str(caught.value).splitlines()


@pytest.mark.parametrize("text", ["", "# only a comment\n", "---\n", "{}"])
def test_empty_file_means_the_defaults(text: str) -> None:
    assert read(text) == Settings()


def test_values_arrive_typed() -> None:
    settings = read(
        "fail_on: high\n"
        "accounts:\n  012345678901: {name: main, environment: prod}\n"
        "tags:\n  Owner: {pattern: '[a-z]+@example[.]com', only_for: [users]}\n"
        "baseline: true\n"
        "max_session_seconds: 7200\n"
        "lower_in: {sandbox: 2}\n"
    )
    assert settings.fail_on == "high"
    assert settings.accounts["012345678901"].environment == "prod"
    assert settings.tags["Owner"].matches_pattern("team@example.com")
    assert not settings.tags["Owner"].matches_pattern("team@example.com.evil.net")
    assert (settings.baseline, settings.max_session_seconds) == (True, 7200)
    assert settings.lower_in == {"sandbox": 2}


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("fail_onn: high", "s.yaml:1:1: fail_onn: unknown key (did you mean 'fail_on'?)"),
        ("persona: regulr", "s.yaml:1:10: persona: 'regulr' is not one of auditor, pedantic, regular (did you mean 'regular'?)"),
        ("fail_on:", "s.yaml:1:9: fail_on: expected one of critical, high, info, low, medium, not nothing"),
        ("max_session_seconds: 10", "s.yaml:1:22: max_session_seconds: expected a number from 900 to 43200, not 10"),
        ("baseline: maybe", "s.yaml:1:11: baseline: expected true or false, not 'maybe'"),
        ("exclude: vendor", "s.yaml:1:10: exclude: expected a list, not 'vendor'"),
        ("tags: [a]", "s.yaml:1:7: tags: expected a mapping, not a list"),
        ("exclude: [a, [b]]", "s.yaml:1:14: exclude[1]: expected a text, not a list"),
        ("accounts:\n  '12': {}", "s.yaml:2:3: accounts: '12' does not have the form ^\\d{12}$"),
        ("accounts:\n  '111122223333': {nam: x}", "s.yaml:2:20: accounts.111122223333.nam: unknown key (did you mean 'name'?)"),
        ("fail_on: low\nfail_on: high", "s.yaml:2:1: fail_on: written twice"),
        ("- a", "s.yaml:1:1: expected a mapping, not a list"),
        ("a: [", "s.yaml:1:5: not YAML: did not find expected node content"),
        ("tags: {Owner: {pattern: '(a'}}", "s.yaml:1:25: tags.Owner.pattern: not a pattern that can be used: a group is not closed"),
        ("lower_in: {sandbx: 1}", "s.yaml:1:20: lower_in.sandbx: there is no environment 'sandbx' (did you mean 'sandbox'?)"),
        ("accounts: {'111122223333': {environment: prd2}}", "s.yaml:1:42: accounts.111122223333.environment: there is no environment 'prd2' (did you mean 'prod'?)"),
        ("locked: [ROLE-01]", "s.yaml:1:9: locked: there is no rule 'ROLE-01' (did you mean 'ROLE-001'?)"),
    ],
)  # fmt: skip
def test_fault_names_file_line_column_key_and_the_nearest_name(text: str, fault: str) -> None:
    assert faults(text) == [fault]


def test_all_faults_are_told_at_once() -> None:
    assert len(faults("fail_onn: high\npersona: nobody\nexclude: a\n")) == 3


def test_aliases_that_multiply_or_never_end_are_refused() -> None:
    bomb = "a: &a [x]\n" + "".join(
        f"{chr(98 + i)}: &{chr(98 + i)} [" + ", ".join([f"*{chr(97 + i)}"] * 9) + "]\n"
        for i in range(8)
    )
    assert "too many values" in faults(bomb)[0]
    assert "nested too deeply" in faults("a: &a [*a]")[0]


@given(st.binary(max_size=200))
def test_any_bytes_are_settings_or_a_usage_error(data: bytes) -> None:
    with contextlib.suppress(UsageError):
        read_settings(SourceFile("s.yaml", data))


def test_found_upwards_but_not_above_the_root(tmp_path: Path) -> None:
    deep = tmp_path / "repo" / "infra" / "prod"
    deep.mkdir(parents=True)
    (tmp_path / FILE_NAME).touch()
    assert find_settings(deep, tmp_path / "repo") is None
    (tmp_path / "repo" / FILE_NAME).touch()
    assert find_settings(deep, tmp_path / "repo") == tmp_path / "repo" / FILE_NAME
    (deep / FILE_NAME).touch()
    assert find_settings(deep, tmp_path / "repo") == deep / FILE_NAME


def test_unreadable_file_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        load_settings(tmp_path / "absent.yaml")
