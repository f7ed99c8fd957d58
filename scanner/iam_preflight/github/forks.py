"""Reports that the runs of forks leave behind: fetched as data, believed in nothing.

A run for a fork's pull request has a token that can only read. A second workflow, `workflow_run`,
has one that can write, and must therefore touch nothing of the fork's: it takes the JSON out of
the run's artifact, checks it, and renders the comment itself. Which pull request it is about is
GitHub's word, never the artifact's.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from iam_preflight.github.client import ApiError
from iam_preflight.github.context import Data, PullRequest
from iam_preflight.reporters.json_report import ReportError, read
from iam_preflight.reporters.model import SEVERITIES

if TYPE_CHECKING:
    from iam_preflight.github.client import Client
    from iam_preflight.github.context import WorkflowRun
    from iam_preflight.reporters.model import Report

MAX_ARCHIVE = 8 << 20
MAX_REPORT = 32 << 20
MAX_NUMBER = 1 << 31
NEVER = "never"

Kind = TypeVar("Kind")


class Artifact(Data, frozen=True):
    """Files that a run has left."""

    id: int
    name: str
    expired: bool = False


class Artifacts(Data, frozen=True):
    """A page of them."""

    artifacts: tuple[Artifact, ...] = ()


def pull_of_run(client: Client, repository: str, run: WorkflowRun) -> PullRequest:
    """The open pull request whose newest commit the run was for. Raises `ApiError`.

    The event names none for forks, so it is looked for by the fork's owner and branch.
    """
    source = run.head_repository
    if source is None or not source.owner.login or not run.head_branch:
        raise ApiError("the fork is gone")
    head = f"{source.owner.login}:{run.head_branch}"
    path = f"/repos/{repository}/pulls"
    found = [
        pull
        for pull in (_as(PullRequest, one) for one in client.pages(path, state="open", head=head))
        if pull.head.sha == run.head_sha
        and pull.head.repo is not None
        and pull.head.repo.full_name == source.full_name
    ]
    if not found:
        raise ApiError("no open pull request stands at the commit of the run")
    if len(found) > 1:
        raise ApiError("several pull requests stand at the commit of the run")
    return found[0]


def report_of_run(client: Client, repository: str, run: WorkflowRun, name: str) -> Report:
    """The report in the newest artifact of that name. Raises `ApiError` and `ReportError`."""
    runs = f"/repos/{repository}/actions/runs/{run.id}/artifacts"
    listed = _as(Artifacts, client.get(runs, name=name, per_page=100).data())
    fitting = [one for one in listed.artifacts if one.name == name and not one.expired]
    if not fitting:
        raise ApiError(f"the run has left no artifact {name}")
    newest = max(fitting, key=lambda one: one.id)
    url = client.location(f"/repos/{repository}/actions/artifacts/{newest.id}/zip")
    return checked(unpacked(client.download(url, MAX_ARCHIVE)))


def unpacked(archive: bytes) -> bytes:
    """The one JSON file of an archive; nothing is written anywhere. Raises `ReportError`."""
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as opened:
            files = [one for one in opened.infolist() if one.filename.endswith(".json")]
            if len(files) != 1:
                raise ReportError(f"the artifact holds {len(files)} JSON files instead of one")
            with opened.open(files[0]) as file:
                data = file.read(MAX_REPORT + 1)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as fault:
        raise ReportError(f"the artifact cannot be unpacked: {fault}") from None
    if len(data) > MAX_REPORT:
        raise ReportError(f"the report is larger than {MAX_REPORT >> 20} MB")
    return data


def checked(data: bytes) -> Report:
    """A report that agrees with itself. Raises `ReportError`."""
    report = read(data)
    if report.fail_on not in (*SEVERITIES, NEVER):
        raise ReportError("the report's fail_on is not a severity")
    if any(not 0 <= number < MAX_NUMBER for number in _numbers(msgspec.to_builtins(report))):
        raise ReportError("the report holds a number that cannot be")
    for severity in SEVERITIES:
        counted = sum(one.severity == severity for one in report.shown)
        if counted != getattr(report.counts, severity):
            raise ReportError(f"the report counts its {severity} findings wrongly")
    if report.verdict == "clean" and (_is_failing(report) or any(_failures(report))):
        raise ReportError("the report says clean and is not")
    return report


def _is_failing(report: Report) -> bool:
    if report.fail_on == NEVER:
        return False
    failing = SEVERITIES[: list[str](SEVERITIES).index(report.fail_on) + 1]
    return any(one.severity in failing for one in report.shown)


def _failures(report: Report) -> list[bool]:
    return [problem.fails for problem in report.problems]


def _numbers(value: Any) -> list[float]:
    """Every number in plain data."""
    found: list[float] = []
    left = [value]
    while left:
        match left.pop():
            case bool():
                pass
            case int() | float() as number:
                found.append(number)
            case dict() as entries:
                left += entries.values()
            case list() | tuple() as items:
                left += items
    return found


def _as(kind: type[Kind], item: object) -> Kind:
    try:
        return msgspec.convert(item, kind)
    except msgspec.ValidationError as fault:
        raise ApiError(f"the server's answer is not understood: {fault}") from None
