"""What holds whatever the input is: places are inside their file, and there is an end."""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import re
import signal
from typing import TYPE_CHECKING

from iam_preflight.commands.shared.output import FORMATS
from iam_preflight.errors import ProblemKind
from iam_preflight.reporters.model import Options
from iam_preflight.reporters.present import present
from iam_preflight.values import (
    Choice,
    CycleError,
    Json,
    Known,
    Listing,
    Mapping,
    Text,
    Unknown,
    Value,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from iam_preflight.errors import Problem
    from iam_preflight.scan import Report
    from iam_preflight.source import Span

SECONDS = 20
"""Of processor time, for one small input: more is a hang."""
MOST_VALUES = 20_000
UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


@contextlib.contextmanager
def bounded(seconds: int = SECONDS) -> Iterator[None]:
    """Raises where the block takes more processor time, however busy the machine is."""

    def give_up(_number: int, _frame: object) -> None:
        raise AssertionError(f"still at work after {seconds} seconds")

    before = signal.signal(signal.SIGVTALRM, give_up)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def check_span(span: Span) -> None:
    assert 0 <= span.start <= span.end <= len(span.source.data), (span.start, span.end)


def check_value(value: Value) -> None:
    """Every place in a value; what is worked out on demand is asked for."""
    stack = [value]
    seen = 0
    while stack and seen < MOST_VALUES:
        one = stack.pop()
        seen += 1
        check_span(one.span)
        match one:
            case Known(fragments=fragments):
                for fragment in fragments:
                    check_span(fragment.span)
            case Text(parts=parts):
                for part in parts:
                    check_span(part.span)
            case Listing(items=items, rest=rest):
                stack.extend(items)
                stack.extend([rest] if rest is not None else [])
            case Mapping(entries=entries, rest=rest, key_spans=key_spans):
                for span in (key_spans or {}).values():
                    check_span(span)
                stack.extend([rest] if rest is not None else [])
                for key in entries:
                    with contextlib.suppress(CycleError):
                        stack.append(entries[key])
            case Choice(arms=arms):
                stack.extend(arm for _, arm in arms)
            case Json(value=inner):
                stack.append(inner)
            case Unknown():
                pass


def check_problems(problems: Iterable[Problem]) -> None:
    for problem in problems:
        assert problem.kind not in (ProblemKind.RULE_CRASH, ProblemKind.FAULT), problem.message
        assert problem.message
        if problem.span is not None:
            check_span(problem.span)


def check_report(report: Report, formats: Iterable[str] = FORMATS, never: str = "") -> None:
    """Every place of a report is in its file, and every format can write it.

    None of them shows the text that must `never` be shown, or what acts on a terminal.
    """
    check_problems(report.problems)
    for decided in report.findings:
        finding = decided.finding
        for place in (finding.primary, *finding.related, *finding.steps):
            check_span(place.span)
        for cause in finding.causes:
            check_span(cause)
        for edit in finding.fix.edits if finding.fix is not None else ():
            check_span(edit.span)
    data = present(report, "low", with_graph=True)
    for name in formats:
        module = importlib.import_module(f"iam_preflight.reporters.{FORMATS[name]}")
        stream = io.StringIO()
        module.write(data, stream, Options(show_suppressed=True))
        assert not never or never not in stream.getvalue().lower(), f"{name} shows a secret"
        assert not UNSEEN.search(stream.getvalue()), f"{name} writes what acts on a terminal"
        text = stream.getvalue().encode("utf-8")
        if name in ("json", "sarif", "gitlab", "gitlab-sast"):
            json.loads(text)
