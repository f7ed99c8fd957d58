"""What every rule says of itself: its page, where it belongs, its controls, its peers."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from iam_preflight.findings import Framework
from iam_preflight.registry import load_rules
from iam_preflight.rules import PRACTICES, Rule

RULES = {rule.id: rule for rule in load_rules()}

FAMILIES = {
    "audit": ("AUDIT", 6),
    "boundaries": ("BOUND", 5),
    "credentials": ("CRED", 10),
    "escalation": ("ESC", 5),
    "external_access": ("EXT", 7),
    "federation": ("FED", 11),
    "least_privilege": ("LEAST", 2),
    "mfa": ("MFA", 4),
    "roles": ("ROLE", 1),
    "segmentation": ("SEG", 3),
    "tags": ("TAG", 9),
    "wildcards": ("WILD", 8),
}
"""Folders, with the prefix of their ids and their practice."""

SHAPES = {
    Framework.CIS: r"\d{1,2}\.\d{1,2}(\.\d{1,2})?",
    Framework.NIST: r"[A-Z]{2}-\d{1,2}(\(\d{1,2}\))?",
    Framework.ISO: r"A\.[5-8]\.\d{1,2}",
    Framework.FSBP: r"[A-Z][A-Za-z0-9]+\.\d{1,3}",
    Framework.WELL_ARCHITECTED: r"SEC\d{2}-BP\d{2}",
}
FOR_EVERY_RULE = (Framework.NIST, Framework.ISO, Framework.WELL_ARCHITECTED)

PEERS = {
    "access-analyzer": r"[A-Z_]+|Check[A-Za-z]+",
    "aws-config": r"[A-Z][A-Z_]+",
    "cfn-guard": r"[A-Z][A-Z_]+",
    "cfn-lint": r"[EWI]\d{4}",
    "cfn_nag": r"[FW]\d{1,4}",
    "cfripper": r"\w+Rule",
    "checkov": r"CKV2?_AWS_\d+",
    "cloudsplaining": r"[A-Z]\w+",
    "kics": r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{8}",
    "parliament": r"[A-Z_]+",
    "pmapper": r"[a-z_]+",
    "prowler": r"[a-z0-9_]+",
    "regula": r"FG_R\d{5}",
    "semgrep": r"[a-z0-9-]+",
    "terrascan": r"AC_AWS_\d{4}",
    "trivy": r"AWS-\d{4}",
}

WITHOUT_PEER = {
    "BOUND-001",
    "BOUND-002",
    "BOUND-003",
    "BOUND-004",
    "BOUND-005",
    "ESC-004",
    "ESC-005",
    "ESC-006",
    "ESC-007",
    "ESC-008",
    "EXT-002",
    "EXT-008",
    "FED-005",
    "FED-007",
    "LEAST-007",
    "MFA-005",
    "ROLE-003",
    "SEG-003",
    "SEG-004",
    "SEG-005",
    "SEG-008",
    "SEG-010",
    "TAG-002",
    "TAG-003",
    "TAG-004",
    "TAG-006",
    "WILD-005",
}
"""Rules that no other tool has; a rule that is in neither list was forgotten."""

each_rule = pytest.mark.parametrize("rule", RULES.values(), ids=lambda rule: rule.id)


@each_rule
def test_id_and_practice_are_those_of_the_folder(rule: Rule) -> None:
    folder = type(rule).__module__.split(".")[1]
    prefix, practice = FAMILIES[folder]
    assert rule.id.startswith(f"{prefix}-")
    assert rule.practice == practice
    assert practice in PRACTICES


@each_rule
def test_page_has_every_section_and_an_example_in_code(rule: Rule) -> None:
    page = type(rule).__doc__ or ""
    titles = re.findall(r"^ *## (.+)$", page, re.MULTILINE)
    assert titles == ["What it checks", "Why it matters", "How to fix", "Example"]
    assert page.partition("## Example")[2].count("```") >= 2


@each_rule
def test_references_are_addresses(rule: Rule) -> None:
    assert rule.references
    assert [one for one in rule.references if not one.startswith("https://")] == []
    assert [one for one, times in Counter(rule.references).items() if times > 1] == []


@each_rule
def test_controls_have_the_form_of_their_framework(rule: Rule) -> None:
    assert [name for name in FOR_EVERY_RULE if not rule.compliance.get(name)] == []
    odd = [
        (framework, control)
        for framework, controls in rule.compliance.items()
        for control in controls
        if not re.fullmatch(SHAPES[framework], control)
    ]
    assert odd == []


@each_rule
def test_peers_are_known_tools_and_ids_have_their_form(rule: Rule) -> None:
    odd = [
        (tool, check)
        for tool, checks in rule.equivalents.items()
        for check in checks
        if not re.fullmatch(PEERS[tool], check)
    ]
    assert odd == []


def test_rules_without_peer_are_those_that_have_none() -> None:
    assert {rule.id for rule in RULES.values() if not rule.equivalents} == WITHOUT_PEER


@each_rule
def test_rules_that_say_it_all_exist(rule: Rule) -> None:
    assert set(rule.yields_to) <= RULES.keys() - {rule.id}


def test_ids_and_names_are_used_once() -> None:
    said = Counter(name for rule in RULES.values() for name in (rule.id, rule.name, *rule.aliases))
    assert [name for name, times in said.items() if times > 1] == []
