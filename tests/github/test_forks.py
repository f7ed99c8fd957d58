"""The second workflow: reports that a fork's run has left, believed in nothing."""

from __future__ import annotations

import io
import json
import zipfile
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from github_server import BOT, REPOSITORY, TOKEN, GitHub
from markdown_reading import outside_of_code
from report_samples import CHANGED, CLEAN, FINDINGS, finding, report

from iam_preflight.github import forks
from iam_preflight.github.client import Client
from iam_preflight.github.context import context_of
from iam_preflight.github.publish import Publisher, Wanted
from iam_preflight.reporters import model
from iam_preflight.reporters.json_report import ReportError, as_data

if TYPE_CHECKING:
    from pathlib import Path

SHA = "b" * 40
ARTIFACT = "iam-preflight-report"


def archive(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, data in files.items():
            opened.writestr(name, data)
    return stream.getvalue()


def text_of(told: model.Report) -> bytes:
    return json.dumps(as_data(told)).encode()


def pull(number: int = 7, sha: str = SHA, owner: str = "mallory") -> dict[str, Any]:
    repository = {"full_name": f"{owner}/hello", "owner": {"login": owner}}
    base = {"full_name": REPOSITORY, "owner": {"login": "octocat"}}
    return {
        "number": number,
        "head": {"sha": sha, "ref": "patch-1", "repo": repository},
        "base": {"sha": "a" * 40, "ref": "main", "repo": base},
    }


def event(**fields: Any) -> dict[str, Any]:
    run = {
        "id": 55,
        "run_attempt": 1,
        "event": "pull_request",
        "head_sha": SHA,
        "head_branch": "patch-1",
        "head_repository": {"full_name": "mallory/hello", "owner": {"login": "mallory"}},
        # for forks GitHub says nothing here; what it says is not looked at
        "pull_requests": [],
        **fields,
    }
    return {"action": "completed", "workflow_run": run}


class Followed:
    """The second workflow, after run 55 of the fork."""

    def __init__(self, github: GitHub, folder: Path, payload: dict[str, Any] | None = None) -> None:
        file = folder / "event.json"
        file.write_text(json.dumps(payload or event()), "utf-8")
        environment = {
            "GITHUB_REPOSITORY": REPOSITORY,
            "GITHUB_API_URL": github.url,
            "GITHUB_RUN_ID": "56",
            "GITHUB_EVENT_NAME": "workflow_run",
            "GITHUB_EVENT_PATH": str(file),
        }
        self.log = io.StringIO()
        client = Client(github.url, TOKEN, pause=lambda _seconds: None)
        context = context_of(environment)
        Publisher(context, Wanted(), environment, self.log, client).publish_run(ARTIFACT)

    @property
    def notices(self) -> list[str]:
        return self.log.getvalue().splitlines()


@pytest.fixture
def fork(github: GitHub) -> GitHub:
    """A fork's pull request whose run has left a report."""
    github.pulls = [pull()]
    github.artifacts = {"logs": b"", ARTIFACT: archive({"report.json": text_of(CHANGED)})}
    return github


def test_report_of_a_fork_is_told_on_its_pull_request(fork: GitHub, tmp_path: Path) -> None:
    assert Followed(fork, tmp_path).notices == []
    (text,) = fork.bodies_of(BOT)
    assert "❌ IAM Preflight: failed" in text
    assert "Reported by the workflow of the pull request itself" in text
    assert f"(https://github.com/{REPOSITORY}/actions/runs/55)" in text
    assert "From `main (aaaaaaa)` to `bbbbbbb`." in text
    assert "run=55" in text


def test_storage_of_artifacts_does_not_get_the_token(fork: GitHub, tmp_path: Path) -> None:
    Followed(fork, tmp_path)
    (download,) = fork.downloads
    assert "Authorization" not in download.headers
    assert TOKEN not in str(download)


def test_comment_of_the_run_itself_is_left_alone(fork: GitHub, tmp_path: Path) -> None:
    """A pull request of the repository itself has been told already, by the same run."""
    Followed(fork, tmp_path)
    fork.requests.clear()
    Followed(fork, tmp_path)
    assert fork.methods()["PATCH"] == fork.methods()["POST"] == 0


def test_later_run_is_told_in_the_same_comment(fork: GitHub, tmp_path: Path) -> None:
    Followed(fork, tmp_path)
    fork.artifacts[ARTIFACT] = archive({"report.json": text_of(CLEAN)})
    Followed(fork, tmp_path, event(run_attempt=2))
    (text,) = fork.bodies_of(BOT)
    assert "✅" in text


@pytest.mark.parametrize(
    ("pulls", "why"),
    [
        ([], "no open pull request"),
        ([pull(sha="c" * 40)], "no open pull request"),
        ([pull(owner="eve")], "no open pull request"),
        ([pull(), pull(8)], "several pull requests"),
    ],
)
def test_pull_request_is_githubs_word(
    fork: GitHub, tmp_path: Path, pulls: list[dict[str, Any]], why: str
) -> None:
    fork.pulls = pulls
    (notice,) = Followed(fork, tmp_path).notices
    assert why in notice
    assert fork.comments == []


@pytest.mark.parametrize("name", ["push", "schedule", "workflow_dispatch", "pull_request_target"])
def test_runs_of_other_events_are_left_alone(fork: GitHub, tmp_path: Path, name: str) -> None:
    assert Followed(fork, tmp_path, event(event=name)).notices == []
    assert fork.requests == []


@pytest.mark.parametrize("gone", [{"head_repository": None}, {"head_branch": None}])
def test_fork_that_is_gone_is_a_notice(fork: GitHub, tmp_path: Path, gone: dict[str, None]) -> None:
    (notice,) = Followed(fork, tmp_path, event(**gone)).notices
    assert "the fork is gone" in notice


def test_run_without_a_report_is_a_notice(fork: GitHub, tmp_path: Path) -> None:
    del fork.artifacts[ARTIFACT]
    (notice,) = Followed(fork, tmp_path).notices
    assert f"the run has left no artifact {ARTIFACT}" in notice


BOMB = archive({"report.json": b" " * (forks.MAX_REPORT + 1)})


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "cannot be unpacked"),
        (b"not a zip", "cannot be unpacked"),
        (archive({}), "0 JSON files"),
        (archive({"a.json": b"{}", "b.json": b"{}"}), "2 JSON files"),
        (archive({"../../etc/report.json": b"{}"}), "not a report"),
        (archive({"report.json": b"[" * 100_000}), "not a report"),
        (archive({"report.json": b"\xff"}), "not a report"),
        (BOMB, "larger than 32 MB"),
    ],
    ids=["empty", "no zip", "none", "two", "path", "deep", "no text", "bomb"],
)
def test_hostile_archive_is_a_notice(fork: GitHub, tmp_path: Path, data: bytes, why: str) -> None:
    fork.artifacts[ARTIFACT] = data
    (notice,) = Followed(fork, tmp_path).notices
    assert why in notice
    assert fork.comments == []
    assert sorted(file.name for file in tmp_path.iterdir()) == ["event.json"]


@pytest.mark.parametrize("over", [-1, 0, 1])
def test_report_is_unpacked_up_to_its_limit(monkeypatch: pytest.MonkeyPatch, over: int) -> None:
    monkeypatch.setattr(forks, "MAX_REPORT", 1 << 20)
    data = archive({"report.json": b" " * ((1 << 20) + over)})
    if over <= 0:
        assert len(forks.unpacked(data)) == (1 << 20) + over
    else:
        with pytest.raises(ReportError):
            forks.unpacked(data)


def changed(told: model.Report, **fields: Any) -> model.Report:
    return msgspec.structs.replace(told, **fields)


FAILING = model.Problem(code="SCAN-901", message="m", file="f", fails=True)


@pytest.mark.parametrize(
    "told",
    [
        changed(FINDINGS, verdict="clean"),
        changed(FINDINGS, counts=model.Counts()),
        changed(CLEAN, counts=model.Counts(critical=3)),
        changed(CLEAN, problems=(FAILING,)),
        changed(CLEAN, fail_on="sometimes"),
        changed(CLEAN, files=-1),
        changed(CLEAN, files=1 << 40),
        changed(CLEAN, version=2),
    ],
    ids=["verdict", "none", "more", "problem", "fail_on", "negative", "huge", "version"],
)
def test_report_that_does_not_agree_with_itself_is_refused(told: model.Report) -> None:
    with pytest.raises(ReportError):
        forks.checked(text_of(told))


@pytest.mark.parametrize("told", [CLEAN, FINDINGS, CHANGED, changed(FINDINGS, fail_on="never")])
def test_honest_report_is_taken(told: model.Report) -> None:
    assert forks.checked(text_of(told)) == told


HOSTILE = "<img src=x>[click](https://evil.example) @everyone `\n# heading\n\u202e"


def test_every_text_of_a_forged_report_is_text(fork: GitHub, tmp_path: Path) -> None:
    forged = json.loads(text_of(CHANGED))
    ignore = forged["change"]["ignores"][0]
    ignore["until"] = ignore["reason"] = HOSTILE
    forged["problems"] = [{"code": HOSTILE, "message": HOSTILE, "file": HOSTILE}]
    forged["change"]["base"] = HOSTILE * 1_000
    fork.artifacts[ARTIFACT] = archive({"report.json": json.dumps(forged).encode()})
    assert Followed(fork, tmp_path).notices == []
    (text,) = fork.bodies_of(BOT)
    marker, _, rest = text.partition("\n")
    assert marker.startswith("<!-- iam-preflight:comment ")
    shown = outside_of_code(rest)
    assert "evil.example" in shown
    assert "<" not in shown
    assert "](https://evil" not in shown
    assert "@everyone" not in shown
    assert "\n# heading" not in shown
    assert "\u202e" not in text


def test_report_of_a_thousand_findings_is_told_within_the_limit(
    fork: GitHub, tmp_path: Path
) -> None:
    told = report(*(finding(number, hint="h" * 500) for number in range(1_000)))
    fork.artifacts[ARTIFACT] = archive({"report.json": text_of(told)})
    assert Followed(fork, tmp_path).notices == []
    assert len(fork.bodies_of(BOT)[0]) <= 60_000


def test_event_without_a_run_is_a_notice(github: GitHub, tmp_path: Path) -> None:
    (notice,) = Followed(github, tmp_path, {"action": "completed"}).notices
    assert "there is no run" in notice
