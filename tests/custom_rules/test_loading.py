"""Where rules come from: installed distributions and the command line, never the repository."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from iam_preflight.cli import cli
from iam_preflight.errors import UsageError
from iam_preflight.registry import load_rules

EXAMPLES = Path(__file__).parents[2] / "fixtures" / "custom-rules"

PYTHON = '''
from iam_preflight.findings import Severity
from iam_preflight.rules import Rule


class EveryRole(Rule):
    """Every role.

    ## What it checks
    That there is a role.

    ## Why it matters
    It does not.

    ## How to fix
    Nothing.
    """

    id = "{id}"
    name = "every-role"
    severity = Severity.LOW
    practice = 1

    def check_principal(self, principal, graph):
        if principal.is_role:
            yield self.finding("a role", on=principal, at=principal.resource.header)
'''


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, [str(one) for one in arguments])


def test_python_file_is_loaded_and_its_rule_runs(tmp_path: Path) -> None:
    rules = tmp_path / "acme.py"
    rules.write_text(PYTHON.format(id="ACME-009"))
    code = tmp_path / "code"
    code.mkdir()
    (code / "main.tf").write_text('resource "aws_iam_role" "r" {\n  assume_role_policy = "{}"\n}\n')
    result = run("scan", "--rules", rules, "--select", "ACME", "--fail-on", "low", code)
    assert result.exit_code == 1
    assert "ACME-009  a role" in result.output


def test_folder_is_searched_but_not_its_fixtures_and_tests(tmp_path: Path) -> None:
    for name, number in (
        ("a.py", "1"),
        ("sub/b.py", "2"),
        ("fixtures/c.py", "3"),
        ("tests/d.py", "4"),
    ):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(PYTHON.format(id=f"ACME-00{number}"))
    found = {rule.id for rule in load_rules([tmp_path]) if rule.id.startswith("ACME")}
    assert found == {"ACME-001", "ACME-002"}


def test_id_that_is_taken_is_an_error(tmp_path: Path) -> None:
    ours, twice = tmp_path / "ours.py", tmp_path / "twice.py"
    ours.write_text(PYTHON.format(id="SEG-007"))
    twice.write_text(PYTHON.format(id="ACME-001"))
    with pytest.raises(UsageError, match="SEG-007 is taken twice"):
        load_rules([ours])
    with pytest.raises(UsageError, match="ACME-001 is taken twice"):
        load_rules([twice, EXAMPLES / "company.yaml"])


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("bad.py", "import nothing_like_this", "cannot be loaded: ModuleNotFoundError"),
        ("bad.py", "def (", "cannot be loaded: SyntaxError"),
        ("bad.py", PYTHON.format(id="acme"), "RuleDefinitionError"),
        ("bad.yaml", "rules: {}", "bad.yaml:1:8: rules: expected a list"),
        ("bad.yaml", "rule: []", "unknown key (did you mean 'rules'?)"),
        ("empty/x.txt", "", "no rules: a .yaml or .py file is expected"),
    ],
)
def test_file_that_cannot_be_loaded_is_a_usage_error(
    tmp_path: Path, name: str, text: str, message: str
) -> None:
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)
    with pytest.raises(UsageError) as caught:
        load_rules([file if file.suffix != ".txt" else file.parent])
    assert message in str(caught.value)


def install(folder: Path, name: str, code: str, points: str) -> None:
    """A distribution as pip would leave it."""
    (folder / f"{name}.py").write_text(code)
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[iam_preflight.rules]\n{points}\n")


def listed(cwd: Path, *path: Path) -> list[str]:
    """Ids of the rules in a process of its own, with folders added to its search path."""
    script = (
        "import sys\nsys.path += sys.argv[1:]\nfrom iam_preflight.registry import load_rules\n"
        "print(*[rule.id for rule in load_rules()])\n"
    )
    command = [sys.executable, "-c", script, *map(str, path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=cwd)
    return done.stdout.split()


@pytest.mark.parametrize("points", ["acme = acme_rules", "one = acme_rules:EveryRole"])
def test_installed_distribution_adds_its_rules(tmp_path: Path, points: str) -> None:
    site = tmp_path / "site"
    site.mkdir()
    install(site, "acme_rules", PYTHON.format(id="ACME-001"), points)
    assert "ACME-001" in listed(tmp_path, site)


def test_scanned_folder_adds_none_although_it_is_the_current_one(tmp_path: Path) -> None:
    install(tmp_path, "acme_rules", "raise SystemExit('run')", "acme = acme_rules")
    (tmp_path / "iam_preflight_checks").mkdir()
    (tmp_path / "iam_preflight_checks" / "evil").mkdir()
    (tmp_path / "iam_preflight_checks" / "evil" / "rule.py").write_text("raise SystemExit('run')")
    assert "ACME-001" not in listed(tmp_path, tmp_path)


# ---------------------------------------------------------------- rules list, test, lint


def test_list_shows_ours_and_theirs() -> None:
    lines = run("rules", "list", "--rules", EXAMPLES).output.splitlines()
    assert any(line.startswith("ACME-001   high      pass-role-outside-apps") for line in lines)
    assert any(line.startswith("SEG-007 ") for line in lines)
    data = json.loads(run("rules", "list", "-f", "json").output)
    assert {"id", "severity", "compliance"} <= data[0].keys()
    assert run("rules", "list", "-f", "markdown").output.startswith("| id |")


def test_explain_knows_their_pages() -> None:
    page = run("explain", "ACME-001", "--rules", EXAMPLES / "company.yaml").output
    assert page.startswith("# ACME-001: A role outside of /apps/ may be passed\n")


def test_examples_pass_their_fixtures_and_have_no_faults() -> None:
    result = run("rules", "test", EXAMPLES)
    assert result.exit_code == 0, result.output
    assert result.output.count("ok ") == 6
    assert run("rules", "lint", EXAMPLES).exit_code == 0


def test_fixture_that_disagrees_fails_with_the_line(tmp_path: Path) -> None:
    text = (EXAMPLES / "company.yaml").read_text()
    (tmp_path / "company.yaml").write_text(text.replace("iam:PassRole]", "iam:GetRole]"))
    folder = tmp_path / "fixtures" / "ACME-001" / "terraform"
    folder.mkdir(parents=True)
    bad = EXAMPLES / "fixtures" / "ACME-001" / "terraform" / "bad_any_role.tf"
    (folder / bad.name).write_text(bad.read_text())
    (folder / "good_x.tf").write_text(
        bad.read_text().replace("expect[ACME-001]", "").replace("iam:Pass*", "iam:Get*")
    )
    result = run("rules", "test", tmp_path)
    assert result.exit_code == 1
    assert "bad_any_role.tf:9: ACME-001 is expected and does not speak" in result.output
    assert "should be silent" in result.output


@pytest.mark.parametrize(
    ("before", "after", "fault"),
    [
        ("iam:PassRole]", "iam:PassRoles]", "AWS has no action iam:PassRoles"),
        ("may pass {resource}", "may pass {role}", "the message asks for {role}"),
        ("may pass {resource}", "may pass {resource}.", "ends with a full stop"),
        ("    hint: name", "    yields_to: [LEAST-999]\n    hint: name", "which there is not"),
    ],
)
def test_lint_tells_faults(tmp_path: Path, before: str, after: str, fault: str) -> None:
    text = (EXAMPLES / "company.yaml").read_text()
    assert before in text
    (tmp_path / "company.yaml").write_text(text.replace(before, after))
    result = run("rules", "lint", tmp_path)
    assert result.exit_code == 1
    assert fault in result.output


def test_lint_asks_for_fixtures(tmp_path: Path) -> None:
    (tmp_path / "company.yaml").write_text((EXAMPLES / "company.yaml").read_text())
    (tmp_path / "fixtures").mkdir()
    assert "ACME-001: there is no bad_… fixture" in run("rules", "lint", tmp_path).output
