"""The report as a comment and as the page of a job, each within its size."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from iam_preflight.reporters.escape import markdown
from iam_preflight.reporters.fitting import fitted, size
from iam_preflight.reporters.markdown_report import parts
from iam_preflight.reporters.model import Options

if TYPE_CHECKING:
    from iam_preflight.github.context import Context, PullRequest
    from iam_preflight.reporters.model import Report, VerdictName

SUMMARY_LIMIT = 900 << 10
"""Bytes. GitHub takes 1 MiB from a step, and nothing at all of what is larger."""
MAX_NAME = 120
_MARKS: dict[VerdictName, str] = {
    "clean": "✅",
    "findings": "❌",
    "nothing-to-scan": "⚪",
    "not-analysed": "⚠️",
}
_SHORT_SHA = 7


class Frame(Struct, frozen=True):
    """What is said around a report."""

    name: str = ""
    """Tells several reports on one pull request apart."""
    run_url: str = ""
    is_secondhand: bool = False
    """The report was made by the workflow of a fork: it may say what its author likes."""


def frame_of(context: Context, name: str) -> Frame:
    return Frame(name=name, run_url=context.run_url)


def comment(report: Report, frame: Frame, marker: str, limit: int) -> str:
    """The text of the comment, the marker in front, in at most `limit` bytes."""
    where = f"the [run]({frame.run_url})" if frame.run_url else "the report"
    room = limit - size(marker) - 1
    return f"{marker}\n{_text(report, frame, room, where)}"


def summary(report: Report, frame: Frame) -> str:
    return _text(report, replace(frame, run_url=""), SUMMARY_LIMIT, "the report in JSON or SARIF")


def is_worth_a_comment(report: Report) -> bool:
    """Whether there is anything to say where nothing has been said yet."""
    change = report.change
    if report.verdict != "clean" or report.counts.shown:
        return True
    return change is not None and any(
        (change.fixed, change.access, change.paths, change.trust, change.ignores)
    )


def with_names(report: Report, pull: PullRequest) -> Report:
    """The report with the branch instead of what the versions were called in the run."""
    if report.change is None:
        return report
    base, head = pull.base.sha[:_SHORT_SHA], pull.head.sha[:_SHORT_SHA]
    change = msgspec.structs.replace(
        report.change, base=f"{pull.base.ref} ({base})" if pull.base.ref else base, head=head
    )
    return msgspec.structs.replace(report, change=change)


def _text(report: Report, frame: Frame, limit: int, where: str) -> str:
    name = f" · {markdown(_clipped(frame.name))}" if frame.name else ""
    pieces = parts(_named(report), Options(), f"{_MARKS[report.verdict]} IAM Preflight{name}")
    notes = []
    if frame.is_secondhand:
        notes.append(
            "*Reported by the workflow of the pull request itself: what counts is its check.*"
        )
    if frame.run_url:
        notes.append(f"[Details of the run]({frame.run_url})")
    tail = pieces.tail + "".join(f"\n{note}\n" for note in notes)
    return fitted(replace(pieces, tail=tail), limit, where=where)


def _named(report: Report) -> Report:
    """With names of versions that leave room for the rest."""
    if report.change is None:
        return report
    base, head = _clipped(report.change.base), _clipped(report.change.head)
    change = msgspec.structs.replace(report.change, base=base, head=head)
    return msgspec.structs.replace(report, change=change)


def _clipped(text: str) -> str:
    return text if len(text) <= MAX_NAME else f"{text[: MAX_NAME - 1]}…"
