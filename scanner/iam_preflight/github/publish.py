"""Telling people about a report. Whatever goes wrong here, the verdict stays what it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

from msgspec import Struct

from iam_preflight.github import body, changed, forks, workflow
from iam_preflight.github.client import ApiError
from iam_preflight.github.comment import BOT, Run, Sticky, post
from iam_preflight.reporters import github_report
from iam_preflight.reporters.model import Options

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from iam_preflight.github.body import Frame
    from iam_preflight.github.client import Client
    from iam_preflight.github.context import Context
    from iam_preflight.gittree import Repository
    from iam_preflight.reporters.model import Report

_PERMISSIONS = {
    "comment": "pull-requests: write",
    "report of the run": "actions: read",
}
FORK = (
    "no comment: the pull request comes from a fork, whose runs may only read;"
    " see docs/ci/forks.md for a second workflow that comments"
)


class Wanted(Struct, frozen=True):
    """What is to be told, and where."""

    comment: bool = True
    annotations: bool = True
    summary: bool = True
    name: str = ""
    author: str = BOT
    number: int = 0
    """The pull request, where the event does not say it."""


class Publisher(Struct, frozen=True):
    """Tells one report in every way that is wanted; each failure is one notice in the log."""

    context: Context
    wanted: Wanted
    environment: Mapping[str, str]
    stream: TextIO
    client: Client | None
    """None without a token."""

    def publish(self, report: Report, repository: Repository | None, base: str) -> None:
        """`base` is the commit that the report compares with, or nothing."""
        if self.context.event.pull_request is not None:
            report = body.with_names(report, self.context.event.pull_request)
        frame = body.frame_of(self.context, self.wanted.name)
        if self.wanted.annotations:
            self._attempt("annotations", lambda: self._annotate(report, repository, base))
        if self.wanted.summary:
            self._attempt("job summary", lambda: self._summarise(report, frame))
        if self.wanted.comment:
            self._attempt("comment", lambda: self._comment(report, frame))

    def publish_run(self, artifact: str) -> None:
        """The report that the run of a fork has left, on its pull request."""
        self._attempt("report of the run", lambda: self._comment_on_run(artifact))

    # ---- one after the other

    def _annotate(self, report: Report, repository: Repository | None, base: str) -> None:
        lines: changed.Lines = {}
        if repository is not None and base:
            files = (finding.place.file for finding in report.shown)
            lines = changed.changed_lines(repository, base, files)
        told = changed.ordered(report, changed.on_lines(lines))
        github_report.write(told, self.stream, Options())
        self.stream.flush()

    def _summarise(self, report: Report, frame: Frame) -> None:
        workflow.add_summary(body.summary(report, frame), self.environment)

    def _comment(self, report: Report, frame: Frame) -> None:
        context = self.context
        pull = context.event.pull_request
        number = self.wanted.number or (pull.number if pull is not None else 0)
        if not number:
            return
        if context.is_from_fork:
            self._notice(FORK)
            return
        run = Run(context.run_id, context.run_attempt)
        sticky = Sticky(context.repository, number, self.wanted.author, frame.name, run)
        self._post(report, frame, sticky, is_secondhand=False)

    def _comment_on_run(self, artifact: str) -> None:
        run = self.context.event.workflow_run
        if run is None or self.client is None:
            self._notice("there is no run to report on, or no token")
            return
        if run.event != "pull_request":
            return
        repository = self.context.repository
        pull = forks.pull_of_run(self.client, repository, run)
        report = forks.report_of_run(self.client, repository, run, artifact)
        url = f"{self.context.server_url}/{repository}/actions/runs/{run.id}"
        frame = body.Frame(name=self.wanted.name, run_url=url, is_secondhand=True)
        made = Run(run.id, run.run_attempt)
        sticky = Sticky(repository, pull.number, self.wanted.author, frame.name, made)
        self._post(body.with_names(report, pull), frame, sticky, is_secondhand=True)

    def _post(self, report: Report, frame: Frame, sticky: Sticky, *, is_secondhand: bool) -> None:
        if self.client is None:
            self._notice("no comment: there is no token")
            return
        posted = post(
            self.client,
            sticky,
            lambda limit: body.comment(report, frame, sticky.marker, limit),
            is_wanted=body.is_worth_a_comment(report),
            is_secondhand=is_secondhand,
        )
        if posted.note:
            self._notice(posted.note)
        if posted.url:
            workflow.set_outputs({"comment-url": posted.url}, self.environment)

    # ---- failures

    def _attempt(self, what: str, do: Callable[[], None]) -> None:
        try:
            do()
        except ApiError as fault:
            self._notice(f"{what}: {fault}{_hint(what, fault.status)}")
        except Exception as fault:  # noqa: BLE001  telling people is never worth a verdict
            self._notice(f"{what}: {type(fault).__name__}: {fault}")

    def _notice(self, text: str) -> None:
        workflow.notice(text, self.stream)


def _hint(what: str, status: int) -> str:
    permission = _PERMISSIONS.get(what, "")
    if status not in (401, 403, 404) or not permission:
        return ""
    return f" (does the job have the permission {permission}?)"
