"""The scanning step as action.yml runs it: events, bases, inputs, outputs, and what it prints."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from sample_repository import (
    ADMIN,
    OPEN_ROLE,
    QUIET_ROLE,
    RULES,
    Sample,
    pull_request_event,
    write_event,
)

from iam_preflight.errors import UsageError
from iam_preflight.github import changed
from iam_preflight.github.inputs import MAX_LENGTH, Inputs, read_inputs
from iam_preflight.gittree import Repository
from iam_preflight.reporters import model

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(frozen=True)
class Done:
    outputs: dict[str, str]
    log: str
    commands: list[str]
    """The lines that the runner would act on."""

    @property
    def report(self) -> dict[str, Any]:
        with open(self.outputs["json-file"], encoding="utf-8") as file:  # noqa: PTH123
            report: dict[str, Any] = json.load(file)
        return report

    def found(self, outcome: str = "shown") -> set[str]:
        return {one["rule"] for one in self.report["findings"] if one["outcome"] == outcome}


def acted_on(log: str) -> list[str]:
    """The commands in a log, as the runner sees them: none between stop and resume.

    It looks for `::` at the start of a line, and for the old `##[` anywhere in it.
    """
    told: list[str] = []
    word = ""
    for line in log.splitlines():
        if word:
            word = "" if line == f"::{word}::" else word
        elif line.startswith("::stop-commands::"):
            word = line.removeprefix("::stop-commands::")
        elif line.lstrip().startswith("::") or "##[" in line:
            told.append(line)
    assert not word, "the commands are never taken up again"
    return told


def step(
    sample: Sample, event: str = "push", payload: dict[str, Any] | None = None, **inputs: str
) -> Done:
    folder = sample.path.parent / "runner"
    folder.mkdir(exist_ok=True)
    output = folder / "output"
    output.write_text("")
    environment = {
        "PATH": os.environ["PATH"],
        "GITHUB_WORKSPACE": str(sample.path),
        "GITHUB_OUTPUT": str(output),
        "GITHUB_EVENT_NAME": event,
        "GITHUB_EVENT_PATH": str(write_event(folder / "event.json", payload or {})),
        "GITHUB_REPOSITORY": "octocat/hello",
        "GITHUB_SERVER_URL": inputs.pop("server", "https://127.0.0.1:9"),
        "RUNNER_TEMP": str(folder),
        "IAM_PREFLIGHT_TOKEN": "ghs_of_the_tests",
        "INPUT_ARGS": RULES,
    } | {f"INPUT_{name.upper()}": value for name, value in inputs.items()}
    command = [sys.executable, "-I", "-m", "iam_preflight.github.action"]
    done = subprocess.run(
        command, check=False, capture_output=True, env=environment, cwd=sample.path
    )
    log = done.stdout.decode()
    assert done.returncode == 0, done.stderr.decode()
    assert "Traceback" not in log + done.stderr.decode()
    assert "ghs_of_the_tests" not in log
    outputs = dict(line.split("=", 1) for line in output.read_text("utf-8").splitlines())
    return Done(outputs, log, acted_on(log))


@pytest.fixture
def sample(tmp_path: Path) -> Sample:
    sample = Sample.made(tmp_path / "repository")
    sample.commit({"infra/open.tf": OPEN_ROLE})
    return sample


# ---------------------------------------------------------------- events


@pytest.mark.parametrize("event", ["push", "schedule", "workflow_dispatch"])
def test_all_of_the_code_is_judged_where_there_is_no_pull_request(
    sample: Sample, event: str
) -> None:
    done = step(sample, event)
    assert done.found() == {"SEG-007"}
    assert done.outputs["verdict"] == "findings"
    assert done.outputs["exit-code"] == "1"
    assert {"base", "new", "fixed"} & done.outputs.keys() == set()
    counts = {name: int(done.outputs[name]) for name in model.SEVERITIES}
    assert sum(counts.values()) == 1
    sarif = json.loads((sample.path / done.outputs["sarif-file"]).read_text("utf-8"))
    assert [one["ruleId"] for one in sarif["runs"][0]["results"]] == ["SEG-007"]
    assert done.commands == []


def test_clean_code_is_clean(tmp_path: Path) -> None:
    sample = Sample.made(tmp_path / "repository")
    sample.commit({"infra/quiet.tf": QUIET_ROLE})
    done = step(sample)
    assert (done.outputs["verdict"], done.outputs["exit-code"]) == ("clean", "0")


def test_nothing_to_scan_is_not_clean(tmp_path: Path) -> None:
    sample = Sample.made(tmp_path / "repository")
    sample.commit({"README.md": "nothing"})
    done = step(sample)
    assert (done.outputs["verdict"], done.outputs["exit-code"]) == ("nothing-to-scan", "3")


def test_broken_code_is_not_clean(sample: Sample) -> None:
    sample.commit({"infra/broken.tf": "resource {"})
    done = step(sample)
    assert (done.outputs["verdict"], done.outputs["exit-code"]) == ("not-analysed", "4")


def test_pull_request_is_judged_by_what_it_adds(sample: Sample) -> None:
    """What the target branch did meanwhile is not its doing."""
    later = {"infra/other.tf": ADMIN.replace('"admin"', '"other"')}
    event = sample.open_pull_request({"infra/admin.tf": ADMIN}, later)
    done = step(sample, "pull_request", event)
    assert done.outputs["base"] == event["pull_request"]["base"]["sha"]
    assert done.found("unchanged") == {"SEG-007", "LEAST-001"}
    (new,) = [one for one in done.report["findings"] if one["outcome"] == "shown"]
    assert new["place"]["file"] == "infra/admin.tf"
    assert (done.outputs["new"], done.outputs["fixed"]) == ("1", "0")
    assert done.commands == []


def test_pull_request_that_cures_is_clean(sample: Sample) -> None:
    event = sample.open_pull_request({"infra/open.tf": QUIET_ROLE}, {})
    done = step(sample, "pull_request", event)
    assert (done.outputs["verdict"], done.outputs["new"], done.outputs["fixed"]) == (
        *("clean", "0", "1"),
    )


def test_head_of_a_pull_request_is_compared_with_where_it_began(sample: Sample) -> None:
    later = {"infra/open.tf": QUIET_ROLE}
    event = sample.open_pull_request({"infra/admin.tf": ADMIN}, later)
    sample.git("switch", "--quiet", "--detach", "change")
    done = step(sample, "pull_request", event)
    assert done.found() == {"LEAST-001"}
    assert done.found("unchanged") == {"SEG-007"}


def test_merge_group_is_compared_with_its_base(sample: Sample) -> None:
    base = sample.git("rev-parse", "HEAD")
    head = sample.commit({"infra/admin.tf": ADMIN})
    event = {"merge_group": {"base_sha": base, "head_sha": head, "base_ref": "refs/heads/main"}}
    done = step(sample, "merge_group", event)
    assert done.found() == {"LEAST-001"}
    assert done.outputs["base"] == base


def test_comparison_can_be_off(sample: Sample) -> None:
    event = sample.open_pull_request({"infra/admin.tf": ADMIN}, {})
    done = step(sample, "pull_request", event, compare="off")
    assert done.found() == {"LEAST-001", "SEG-007"}
    assert "new" not in done.outputs


IGNORED = ADMIN.replace(
    "    Statement = [", "    # iam-preflight: ignore[LEAST-001] trust me\n    Statement = ["
)
SOFT = "fail_on: critical\nignore: [LEAST-001]\nseverities: {LEAST-001: low}\n"


@pytest.mark.parametrize("compare", ["auto", "off"])
def test_change_cannot_soften_its_own_judgement(sample: Sample, compare: str) -> None:
    files = {"infra/admin.tf": IGNORED, ".iam-preflight.yaml": SOFT}
    event = sample.open_pull_request(files, {})
    done = step(sample, "pull_request", event, compare=compare)
    assert done.outputs["verdict"] == "findings"
    assert "LEAST-001" in done.found()


def test_change_cannot_move_the_root(sample: Sample) -> None:
    """Marks of other version controls are files like any others."""
    files = {f"infra/{name}/x": "" for name in (".hg", ".svn", ".jj")}
    event = sample.open_pull_request({"infra/admin.tf": ADMIN, **files}, {})
    done = step(sample, "pull_request", event, paths="infra")
    (new,) = [one for one in done.report["findings"] if one["outcome"] == "shown"]
    assert new["place"]["file"] == "infra/admin.tf"


def test_change_cannot_add_to_the_baseline(sample: Sample) -> None:
    baseline = [sys.executable, "-I", "-m", "iam_preflight", "baseline"]
    write = ["-o", "known.json", "--select", "LEAST-001", "--select", "SEG-007"]
    subprocess.run([*baseline, "write", *write], check=True, cwd=sample.path, capture_output=True)
    sample.commit({})
    assert step(sample, baseline="known.json").outputs["verdict"] == "clean"
    event = sample.open_pull_request({"infra/admin.tf": ADMIN}, {})
    subprocess.run(
        [*baseline, "update", *write, "--accept-new"],
        check=True,
        cwd=sample.path,
        capture_output=True,
    )
    inputs = {"compare": "off", "baseline": "known.json"}
    done = step(sample, "pull_request", event, **inputs)
    assert done.found() == {"LEAST-001"}
    assert done.found("baseline") == {"SEG-007"}
    missing = step(sample, "pull_request", event, compare="off", baseline="none.json")
    assert "the base has no none.json" in missing.commands[0]
    assert missing.found() == {"LEAST-001", "SEG-007"}


# ---------------------------------------------------------------- getting the base


def test_base_that_cannot_be_had_is_no_verdict(sample: Sample) -> None:
    """A change would be judged by its own settings and ignores."""
    done = step(sample, "pull_request", pull_request_event("a" * 40, "b" * 40))
    assert (done.outputs["verdict"], done.outputs["exit-code"]) == ("not-analysed", "4")
    (error,) = done.commands
    assert error.startswith("::error title=IAM Preflight::the base of the change is not there")
    assert "fetch-depth: 2" in error


@pytest.mark.parametrize("sha", ["--upload-pack=touch /tmp/x", "main", "", "a" * 39])
def test_base_is_nothing_but_a_commit(sample: Sample, sha: str) -> None:
    done = step(sample, "pull_request", pull_request_event(sha, "b" * 40))
    (error,) = done.commands
    assert "is not the id of a commit" in error
    assert done.outputs["verdict"] == "not-analysed"


def test_missing_history_is_told(sample: Sample, tmp_path: Path) -> None:
    later = {"infra/more.tf": QUIET_ROLE.replace('"open"', '"more"')}
    event = sample.open_pull_request({"infra/admin.tf": ADMIN}, later)
    clone = Sample(tmp_path / "clone")
    sample.git(
        *("clone", "--quiet", "--depth=1", "--no-single-branch"),
        *(f"file://{sample.path}", str(clone.path)),
    )
    clone.git("switch", "--quiet", "--detach", event["pull_request"]["head"]["sha"])
    done = step(clone, "pull_request", event)
    (notice,) = done.commands
    assert "fetch-depth: 0" in notice
    assert done.found() == {"LEAST-001"}


class GitServer(BaseHTTPRequestHandler):
    """git's own `http-backend`."""

    root: str
    seen: list[str]

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass

    def _serve(self) -> None:
        path, _, query = self.path.partition("?")
        self.seen.append(self.headers.get("Authorization", ""))
        length = int(self.headers.get("Content-Length", 0))
        environment = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": self.root,
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_CONFIG_COUNT": "2",
            "GIT_CONFIG_KEY_0": "uploadpack.allowAnySHA1InWant",
            "GIT_CONFIG_VALUE_0": "true",
            "GIT_CONFIG_KEY_1": "safe.directory",
            "GIT_CONFIG_VALUE_1": "*",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(length),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
        }
        done = subprocess.run(
            ["git", "http-backend"],
            check=False,
            capture_output=True,
            input=self.rfile.read(length),
            env=environment,
        )
        head, _, body = done.stdout.partition(b"\r\n\r\n")
        self.send_response(200)
        for line in head.decode().splitlines():
            name, _, value = line.partition(": ")
            if name != "Status":
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = _serve  # noqa: N815


@pytest.fixture
def git_server(tmp_path: Path) -> Iterator[tuple[str, list[str]]]:
    seen: list[str] = []
    handler = type("Handler", (GitServer,), {"root": str(tmp_path / "served"), "seen": seen})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", seen
    server.shutdown()
    server.server_close()


def test_base_that_a_shallow_clone_lacks_is_fetched(
    sample: Sample, git_server: tuple[str, list[str]], tmp_path: Path
) -> None:
    event = sample.open_pull_request({"infra/admin.tf": ADMIN}, {"infra/more.tf": QUIET_ROLE})
    served = tmp_path / "served" / "octocat" / "hello"
    served.parent.mkdir(parents=True)
    sample.git("clone", "--quiet", "--bare", ".", str(served))
    clone = Sample(tmp_path / "clone")
    sample.git("clone", "--quiet", "--depth=1", f"file://{sample.path}", str(clone.path))
    base = event["pull_request"]["base"]["sha"]
    address, seen = git_server
    done = step(clone, "pull_request", event, server=address)
    assert done.commands == []
    assert done.outputs["base"] == base
    assert done.found() == {"LEAST-001"}
    assert all(header.startswith("basic ") for header in seen)
    assert seen


# ---------------------------------------------------------------- inputs


def test_paths_are_what_is_scanned(sample: Sample) -> None:
    sample.commit({"other dir/admin.tf": ADMIN})
    done = step(sample, paths="other dir\n")
    assert done.found() == {"LEAST-001"}


def test_plan_is_judged_as_a_whole(sample: Sample) -> None:
    """No commit holds it, so there is nothing to compare with."""
    event = sample.open_pull_request({"infra/admin.tf": ADMIN}, {})
    (sample.path / "plan.json").write_text("{}", "utf-8")
    done = step(sample, "pull_request", event, paths="infra", plan="plan.json")
    assert done.found() == {"LEAST-001", "SEG-007"}
    assert "new" not in done.outputs
    assert step(sample, plan="no-such-plan.json").outputs["verdict"] == "usage"


def test_repository_may_be_below_the_workspace(tmp_path: Path) -> None:
    """`path` of actions/checkout."""
    workspace = Sample(tmp_path / "workspace")
    workspace.path.mkdir()
    inner = Sample.made(workspace.path / "source")
    inner.commit({"infra/open.tf": OPEN_ROLE})
    event = inner.open_pull_request({"infra/admin.tf": ADMIN}, {})
    done = step(workspace, "pull_request", event, paths="source/infra")
    assert done.commands == []
    assert done.found() == {"LEAST-001"}


def test_further_reports_are_written(sample: Sample) -> None:
    done = step(sample, format="html, junit", args=RULES, fail_on="never")
    assert done.outputs["verdict"] == "clean"
    names = {file.name for file in (sample.path / done.outputs["reports"]).iterdir()}
    assert names == {"report.json", "report.sarif", "report.html", "report.junit.xml"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("fail_on", "sometimes"),
        ("compare", "main"),
        ("format", "pdf"),
        ("comment", "perhaps"),
        ("annotations", "1"),
        ("config", "a\nb"),
        ("sarif_file", "a\x1bb"),
        ("paths", "a\u202eb"),
        ("args", "--format json"),
        ("args", "--output=x"),
        ("args", "-ox"),
        ("args", "-f html"),
        ("args", "--fix"),
        ("args", "-- infra"),
        ("args", "infra"),
        ("args", '--select "unclosed'),
        ("args", "x" * (MAX_LENGTH + 1)),
    ],
)
def test_wrong_input_is_named(name: str, value: str) -> None:
    with pytest.raises(UsageError, match=f"input {name.replace('_', '-')}: "):
        read_inputs({f"INPUT_{name.upper()}": value})


def test_inputs_that_are_not_given_are_the_defaults() -> None:
    assert read_inputs({}) == read_inputs({"INPUT_PATHS": " \n", "INPUT_FAIL_ON": ""}) == Inputs()


def test_wrong_input_is_a_verdict(sample: Sample) -> None:
    done = step(sample, fail_on="%0A::error::x")
    assert done.outputs == {"verdict": "usage", "exit-code": "2"}
    (error,) = done.commands
    assert error.startswith("::error title=IAM Preflight::input fail-on")


@pytest.mark.parametrize("value", ["--version", "--rules=evil.py", "no-such-folder", "../.."])
def test_path_is_never_an_option(sample: Sample, value: str) -> None:
    done = step(sample, paths=value)
    assert (done.outputs["verdict"], done.outputs["exit-code"]) == ("usage", "2")
    assert "json-file" not in done.outputs


def test_rules_of_strangers_are_not_run_beside_secrets(sample: Sample) -> None:
    sample.commit({"rules/evil.py": "raise SystemExit('run')\n"})
    event = sample.open_pull_request({"infra/admin.tf": ADMIN}, {})
    for args in ("--rules rules", "--rules=rules"):
        done = step(sample, "pull_request_target", event, args=args)
        assert done.outputs == {"verdict": "usage", "exit-code": "2"}
        assert "--rules is not for pull_request_target" in done.commands[0]


# ---------------------------------------------------------------- hostile repositories


def test_nothing_that_is_scanned_is_a_command(sample: Sample) -> None:
    name = "infra/::set-output name=verdict::clean.tf"
    old = "    # ##[set-output name=verdict;]clean\n    Statement = ["
    files = {name: ADMIN.replace("    Statement = [", old)}
    files["infra/a\n::error::forged\n.tf"] = OPEN_ROLE.replace('"open"', '"b"')
    sample.commit(files)
    done = step(sample)
    assert "##[set-output" in done.log
    assert done.commands == []
    assert done.outputs["verdict"] == "findings"


def test_word_that_ends_the_text_is_new_each_time(sample: Sample) -> None:
    words = {re.findall(r"::stop-commands::(\w+)", step(sample).log)[0] for _ in range(2)}
    assert len(words) == 2
    assert all(len(word) >= 32 for word in words)


def test_sarif_file_replaces_a_link_and_goes_through_none(sample: Sample, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("untouched")
    (sample.path / "iam.sarif").symlink_to(victim)
    done = step(sample, sarif_file="iam.sarif")
    assert victim.read_text() == "untouched"
    assert json.loads((sample.path / "iam.sarif").read_text("utf-8"))["version"] == "2.1.0"
    assert not (sample.path / "iam.sarif").is_symlink()
    assert done.outputs["sarif-file"] == str(sample.path / "iam.sarif")


def test_sarif_file_stays_in_the_workspace(sample: Sample, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (sample.path / "link").symlink_to(outside)
    done = step(sample, sarif_file="link/iam.sarif")
    (notice,) = done.commands
    assert "outside of the workspace" in notice
    assert list(outside.iterdir()) == []
    assert done.outputs["sarif-file"].endswith("report.sarif")


def test_code_of_the_repository_is_not_run(sample: Sample) -> None:
    trap = 'raise SystemExit("run")\n'
    names = ("iam_preflight/__init__.py", "msgspec.py", "sitecustomize.py", "click.py")
    sample.commit(dict.fromkeys(names, trap))
    assert step(sample).found() == {"SEG-007"}


# ---------------------------------------------------------------- which annotations come first


def test_lines_of_the_change_are_known(sample: Sample) -> None:
    base = sample.git("rev-parse", "HEAD")
    odd = "infra/[a] b\n.tf"
    sample.commit({"infra/open.tf": f"# one\n{OPEN_ROLE}# two\n", odd: ADMIN})
    lines = changed.changed_lines(
        Repository(sample.path), base, ["infra/open.tf", odd, "not there.tf", "--output=x"]
    )
    assert lines["infra/open.tf"] == (range(1, 2), range(9, 10))
    assert lines[odd] == (range(1, 8),)
    is_changed = changed.on_lines(lines)

    def place(file: str, line: int, end: int) -> model.Place:
        return model.Place(file=file, line=line, column=1, end_line=end, end_column=2)

    assert is_changed(place("infra/open.tf", 1, 1))
    assert is_changed(place("infra/open.tf", 5, 12))
    assert not is_changed(place("infra/open.tf", 2, 8))
    assert not is_changed(place("elsewhere.tf", 1, 1))


def test_worst_and_changed_come_first() -> None:
    from report_samples import finding, report

    told = report(
        *(finding(1, "medium"), finding(2, "high"), finding(3, "high"), finding(4, "critical"))
    )
    ordered = changed.ordered(told, lambda place: place.line == 3)
    assert [one.place.line for one in ordered.findings] == [4, 3, 2, 1]
