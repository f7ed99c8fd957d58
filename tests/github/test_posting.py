"""The comment, against a server like GitHub's that fails in every way it can.

Each request is held against GitHub's own description where `@octokit/openapi` is installed
(`tests/tools`); the fixture `github` does so after every test.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from github_server import BOT, REPOSITORY, TOKEN, Fault, GitHub
from msgspec.structs import replace
from report_samples import CHANGED, CLEAN, FINDINGS, finding, report

from iam_preflight.cli import cli
from iam_preflight.errors import UsageError
from iam_preflight.github import body
from iam_preflight.github import client as client_module
from iam_preflight.github.client import ApiError, Client
from iam_preflight.github.comment import LIMIT, SHORT
from iam_preflight.github.context import Event, PullRequest, RepositoryName, Side, context_of
from iam_preflight.github.context import checked_url as checked
from iam_preflight.github.publish import Publisher, Wanted
from iam_preflight.reporters.fitting import size
from iam_preflight.reporters.json_report import write

if TYPE_CHECKING:
    from pathlib import Path

    from github_contract import Contract

    from iam_preflight.reporters import model


class Run:
    """A run of the publishing step for pull request 7."""

    def __init__(self, github: GitHub, run: int = 5, name: str = "") -> None:
        self.waits: list[float] = []
        self.log = io.StringIO()
        self.client = Client(github.url, TOKEN, pause=self.waits.append)
        environment = {
            "GITHUB_REPOSITORY": REPOSITORY,
            "GITHUB_API_URL": github.url,
            "GITHUB_RUN_ID": str(run),
            "GITHUB_EVENT_NAME": "pull_request",
        }
        context = context_of(environment)
        wanted = Wanted(annotations=False, summary=False, name=name, number=7)
        self.publisher = Publisher(context, wanted, environment, self.log, self.client)

    def tell(self, told: model.Report) -> Run:
        self.publisher.publish(told, None, "")
        return self

    @property
    def notices(self) -> list[str]:
        return self.log.getvalue().splitlines()


def ours(github: GitHub) -> list[str]:
    return github.bodies_of(BOT)


# ---------------------------------------------------------------- as it should be


def test_requests_are_as_github_describes_them(github: GitHub, contract: Contract | None) -> None:
    """The fixture holds them against the description; here at least one of each kind."""
    if contract is None:
        pytest.skip("no @octokit/openapi: npm ci --prefix tests/tools")
    Run(github).tell(CHANGED)
    Run(github, run=6).tell(CLEAN)
    assert github.methods() == {"GET": 2, "POST": 1, "PATCH": 1}
    for request in github.requests:
        contract.check(request)
        assert request.headers["Accept"] == "application/vnd.github+json"
        assert request.headers["X-Github-Api-Version"] == "2022-11-28"
    wrong = replace(github.requests[1], body={"text": "not what GitHub wants"})
    with pytest.raises(AssertionError):
        contract.check(wrong)


def test_comment_is_created_once_and_then_kept_up_to_date(github: GitHub) -> None:
    assert Run(github).tell(CHANGED).notices == []
    (first,) = ours(github)
    assert "❌" in first
    assert Run(github, run=6).tell(CLEAN).notices == []
    (second,) = ours(github)
    assert "✅" in second
    assert "run=6" in second
    assert github.methods()["POST"] == 1


def test_nothing_is_said_where_there_is_nothing_to_say(github: GitHub) -> None:
    assert Run(github).tell(CLEAN).notices == []
    assert github.comments == []


def test_names_have_comments_of_their_own(github: GitHub) -> None:
    Run(github, name="one").tell(FINDINGS)
    Run(github, name="two").tell(FINDINGS)
    Run(github, run=6, name="one").tell(CLEAN)
    assert ["✅" in text for text in ours(github)] == [True, False]


# ---------------------------------------------------------------- other comments


@pytest.mark.parametrize("before", [99, 100, 150, 200])
def test_comment_is_found_on_any_page(github: GitHub, before: int) -> None:
    for number in range(before):
        github.add_comment(f"comment {number}")
    Run(github).tell(FINDINGS)
    github.requests.clear()
    Run(github, run=6).tell(CLEAN)
    assert len(ours(github)) == 1
    assert github.methods() == {"GET": before // 100 + 1, "PATCH": 1}


def test_forged_marker_of_somebody_else_is_left_alone(github: GitHub) -> None:
    Run(github).tell(FINDINGS)
    forged = github.comments.pop()["body"]
    github.add_comment(forged, "mallory")
    Run(github, run=6).tell(FINDINGS)
    assert github.bodies_of("mallory") == [forged]
    assert len(ours(github)) == 1
    assert github.methods()["PATCH"] == 0


def test_marker_in_the_middle_of_our_own_comment_is_none(github: GitHub) -> None:
    """Another workflow of the same author may quote text of strangers."""
    Run(github).tell(FINDINGS)
    quoted = "> " + github.comments.pop()["body"]
    github.add_comment(quoted, BOT)
    Run(github, run=6).tell(FINDINGS)
    assert len(ours(github)) == 2
    assert ours(github)[0] == quoted


def test_later_run_is_not_overwritten(github: GitHub) -> None:
    Run(github, run=9).tell(CHANGED)
    (before,) = ours(github)
    (notice,) = Run(github, run=8).tell(CLEAN).notices
    assert ours(github) == [before]
    assert "a later run has commented" in notice


def test_author_that_is_not_expected_is_told(github: GitHub) -> None:
    github.bot = "my-app[bot]"
    (notice,) = Run(github).tell(FINDINGS).notices
    assert "set comment-author to it" in notice


# ---------------------------------------------------------------- sizes


@pytest.mark.parametrize("over", [-1, 0, 1])
def test_body_keeps_to_its_limit(github: GitHub, over: int) -> None:
    base = [finding(number, hint="h" * 200) for number in range(120)]
    Run(github).tell(report(*base))
    missing = LIMIT + over - size(ours(github)[0])
    assert missing > 0
    last = finding(119, hint="h" * (200 + missing))
    Run(github, run=6).tell(report(*base[:-1], last))
    (text,) = ours(github)
    if over == 1:
        assert size(text) < LIMIT
        assert "1 more left out here" in text
    else:
        assert size(text) == LIMIT + over
        assert "left out here" not in text


def test_body_that_the_server_finds_too_long_is_shortened(github: GitHub) -> None:
    github.max_body = SHORT
    told = report(*(finding(number) for number in range(400)))
    assert Run(github).tell(told).notices == []
    assert Run(github, run=6).tell(told).notices == []
    (text,) = ours(github)
    assert size(text) <= SHORT
    assert "left out here" in text


def test_body_that_stays_too_long_is_given_up(github: GitHub) -> None:
    github.max_body = 10
    (notice,) = Run(github).tell(FINDINGS).notices
    assert "422 body is too long" in notice


# ---------------------------------------------------------------- limits of rate


def test_secondary_rate_limit_is_waited_for(github: GitHub) -> None:
    text = "You have exceeded a secondary rate limit"
    github.faults = [Fault("POST", 403, headers={"Retry-After": "7"}, message=text)]
    run = Run(github).tell(FINDINGS)
    assert run.waits == [7.0]
    assert run.notices == []
    assert len(ours(github)) == 1


def test_rate_limit_without_a_time_is_waited_for_a_minute(github: GitHub) -> None:
    text = "You have exceeded a secondary rate limit. Please wait a few minutes"
    github.faults = [Fault("GET", 403, message=text)]
    run = Run(github).tell(FINDINGS)
    assert run.waits == [60.0]
    assert len(ours(github)) == 1


@pytest.mark.parametrize(
    "headers",
    [{"Retry-After": "3600"}, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "9" * 11}],
)
def test_job_does_not_hang_on_a_limit(github: GitHub, headers: dict[str, str]) -> None:
    github.faults = [Fault("POST", 429, headers=headers, message="API rate limit exceeded")]
    run = Run(github).tell(FINDINGS)
    assert run.waits == []
    (notice,) = run.notices
    assert "429 API rate limit exceeded" in notice
    assert github.comments == []


# ---------------------------------------------------------------- lost connections


@pytest.mark.parametrize("is_done", [True, False])
@pytest.mark.parametrize("status", [0, 502])
def test_there_is_one_comment_whatever_got_lost(github: GitHub, status: int, is_done: bool) -> None:
    github.faults = [Fault("POST", status, is_done=is_done)]
    assert Run(github).tell(FINDINGS).notices == []
    assert len(ours(github)) == 1
    assert github.methods()["POST"] == (1 if is_done else 2)


def test_update_is_repeated(github: GitHub) -> None:
    Run(github).tell(FINDINGS)
    github.faults = [Fault("PATCH"), Fault("PATCH", 503), Fault("GET", 500)]
    run = Run(github, run=6).tell(CLEAN)
    assert run.notices == []
    assert len(run.waits) == 3
    assert "✅" in ours(github)[0]


def test_comment_deleted_meanwhile_is_written_again(github: GitHub) -> None:
    Run(github).tell(FINDINGS)
    github.faults = [Fault("PATCH", 404, message="Not Found")]
    assert Run(github, run=6).tell(FINDINGS).notices == []
    assert len(ours(github)) == 2


def test_slow_server_is_not_waited_for_for_ever(
    github: GitHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "TIMEOUT", 0.2)
    github.faults = [Fault("GET", 200, delay=0.6) for _ in range(4)]
    (notice,) = Run(github).tell(FINDINGS).notices
    assert "timed out" in notice


def test_server_that_is_not_there_is_a_notice() -> None:
    with GitHub() as gone:
        run = Run(gone)
    (notice,) = run.tell(FINDINGS).notices
    assert "cannot be reached" in notice


# ---------------------------------------------------------------- whatever fails


FAILURES = (401, 403, 404, 410, 418, 422, 500, 502, 503)


def always(method: str, status: int) -> list[Fault]:
    return [Fault(method, status, message="no") for _ in range(12)]


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("status", FAILURES)
def test_failure_is_one_notice(github: GitHub, method: str, status: int) -> None:
    github.faults = always(method, status)
    (notice,) = Run(github).tell(FINDINGS).notices
    assert notice.startswith(f"::notice title=IAM Preflight::comment: {status} no")
    assert ("pull-requests: write" in notice) is (status in (401, 403, 404))
    assert github.comments == []


@pytest.mark.parametrize("told", [CLEAN, FINDINGS])
@pytest.mark.parametrize("status", [403, 404, 422, 500, 0])
def test_command_ends_well_whatever_fails(
    github: GitHub,
    told: model.Report,
    status: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also for a bad report: the verdict is the scan's to give."""
    monkeypatch.setattr(client_module, "MAX_TRIES", 1)
    github.faults = always("GET", status)
    file = tmp_path / "report.json"
    with file.open("w", encoding="utf-8") as stream:
        write(told, stream, body.Options())
    environment = {
        "GITHUB_REPOSITORY": REPOSITORY,
        "GITHUB_API_URL": github.url,
        "IAM_PREFLIGHT_TOKEN": TOKEN,
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
        "GITHUB_OUTPUT": str(tmp_path / "output"),
    }
    arguments = ["publish", str(file), "--pull-request", "7"]
    done = CliRunner(env=environment).invoke(cli, arguments)
    assert done.exit_code == 0
    assert done.output.count("::notice title=IAM Preflight::") == 1
    assert TOKEN not in done.output
    assert "IAM Preflight" in (tmp_path / "summary.md").read_text("utf-8")
    assert not (tmp_path / "output").exists()


def test_answer_that_is_not_understood_is_a_notice(github: GitHub) -> None:
    github.faults = [Fault("GET", 200, message="not a list")]
    (notice,) = Run(github).tell(FINDINGS).notices
    assert "not a list" in notice


def test_summary_that_cannot_be_written_does_not_stop_the_comment(
    github: GitHub, tmp_path: Path
) -> None:
    run = Run(github)
    environment = {"GITHUB_STEP_SUMMARY": str(tmp_path / "no" / "such" / "folder")}
    wanted = Wanted(annotations=False, number=7)
    publisher = Publisher(run.publisher.context, wanted, environment, run.log, run.client)
    publisher.publish(FINDINGS, None, "")
    (notice,) = run.notices
    assert notice.startswith("::notice title=IAM Preflight::job summary: FileNotFoundError")
    assert len(ours(github)) == 1


# ---------------------------------------------------------------- who may be talked to


def test_fork_is_told_once_and_nothing_is_asked(github: GitHub) -> None:
    run = Run(github)
    fork = Side("b" * 40, "patch", RepositoryName("mallory/hello"))
    pull = PullRequest(7, head=fork, base=Side("a" * 40, "main", RepositoryName(REPOSITORY)))
    context = replace(run.publisher.context, event=Event(pull_request=pull))
    wanted = Wanted(annotations=False, summary=False)
    Publisher(context, wanted, {}, run.log, run.client).publish(FINDINGS, None, "")
    (notice,) = run.notices
    assert "comes from a fork" in notice
    assert github.requests == []


def test_no_token_is_a_notice(github: GitHub) -> None:
    run = Run(github)
    context = run.publisher.context
    wanted = Wanted(annotations=False, summary=False, number=7)
    Publisher(context, wanted, {}, run.log, None).publish(FINDINGS, None, "")
    (notice,) = run.notices
    assert "there is no token" in notice


@pytest.mark.parametrize(
    "url",
    [
        *("http://example.com", "ftp://example.com", "file:///etc", "https://", "https://a@b.c"),
        *("https://a.example/?x=1", "//example.com", "http://127.0.0.1.example.com"),
    ],
)
def test_token_is_never_sent_in_the_clear(url: str) -> None:
    with pytest.raises(UsageError):
        checked(url)


@pytest.mark.parametrize("url", ["https://ghe.example/api/v3", "http://127.0.0.1:8080"])
def test_servers_may_be_elsewhere(url: str) -> None:
    assert checked(f"{url}/") == url


def test_redirect_is_not_followed_with_the_token(github: GitHub) -> None:
    elsewhere = {"Location": f"{github.url}/storage/0"}
    github.faults = [Fault("GET", 301, headers=elsewhere)]
    (notice,) = Run(github).tell(FINDINGS).notices
    assert "301" in notice
    assert github.downloads == []


def test_token_is_not_in_what_is_shown_of_a_client() -> None:
    assert TOKEN not in repr(Client("https://api.github.com", TOKEN))


def test_answer_of_any_size_is_bounded(github: GitHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "MAX_ANSWER", 100)
    github.add_comment("x" * 200)
    (notice,) = Run(github).tell(FINDINGS).notices
    assert "larger than 100 bytes" in notice


def test_endless_pages_end(github: GitHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "MAX_PAGES", 2)
    for number in range(250):
        github.add_comment(str(number))
    client = Client(github.url, TOKEN)
    with pytest.raises(ApiError, match="more than 2 pages"):
        list(client.pages(f"/repos/{REPOSITORY}/issues/7/comments"))
