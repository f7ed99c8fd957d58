"""Where reports go and what the process returns."""

from __future__ import annotations

import importlib
import os
import sys
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from msgspec import Struct

from iam_preflight.commands.shared.command import GIVEN, ManualCommand, SectionOption
from iam_preflight.errors import UsageError
from iam_preflight.faults import KeptTo
from iam_preflight.writing import open_output

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TextIO

    from iam_preflight.errors import Problem
    from iam_preflight.reporters.model import Options
    from iam_preflight.reporters.model import Report as Data
    from iam_preflight.scan import Report

OUTPUT = "What to write"
FORMATS = {
    "text": "text_report",
    "json": "json_report",
    "sarif": "sarif_report",
    "junit": "junit_report",
    "markdown": "markdown_report",
    "html": "html_report",
    "github": "github_report",
    "gitlab": "gitlab_report",
    "gitlab-sast": "gitlab_sast_report",
}
SUFFIXES = {
    ".txt": "text",
    ".json": "json",
    ".sarif": "sarif",
    ".xml": "junit",
    ".md": "markdown",
    ".html": "html",
}
SEVERITIES = ("info", "low", "medium", "high", "critical")
NO_WIDTH = 0

Function = TypeVar("Function", bound="Callable[..., Any]")


class ExitCode(IntEnum):
    """What the process returns; 4 beats 1: a verdict on half the code is none."""

    CLEAN = 0
    FINDINGS = 1
    USAGE = 2
    NOTHING_TO_SCAN = 3
    NOT_ANALYSED = 4


_EXIT_CODES = {
    "clean": ExitCode.CLEAN,
    "findings": ExitCode.FINDINGS,
    "nothing-to-scan": ExitCode.NOTHING_TO_SCAN,
    "not-analysed": ExitCode.NOT_ANALYSED,
}


class Target(Struct, frozen=True):
    """One report to write; `path` is None for standard output."""

    format: str
    path: Path | None


class ReportCommand(ManualCommand):
    """Pairs each `-o` with the `-f` before it (or, where there is none, with the next)."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        rest = super().parse_args(ctx, args)
        if not ctx.resilient_parsing:
            ctx.params["targets"] = _pair(ctx.meta[GIVEN])
        return rest


def _pair(given: list[tuple[str, str]]) -> tuple[Target, ...]:
    targets: list[tuple[str | None, Path | None]] = []
    for kind, value in given:
        if kind not in ("formats", "outputs"):
            continue
        if kind == "formats":
            if targets and targets[-1][0] is None:
                targets[-1] = (value, targets[-1][1])
            else:
                targets.append((value, None))
        elif targets and targets[-1][1] is None:
            targets[-1] = (targets[-1][0], Path(value))
        else:
            targets.append((None, Path(value)))
    named = tuple(Target(_format(name, path), path) for name, path in targets)
    stdout = [target for target in named if target.path is None or str(target.path) == "-"]
    if len(stdout) > 1:
        raise UsageError("several reports for standard output: give each but one its own -o FILE")
    return tuple(Target(one.format, None if one in stdout else one.path) for one in named) or (
        Target("text", None),
    )


def _format(name: str | None, path: Path | None) -> str:
    if name is not None:
        return name
    suffix = path.suffix.lower() if path is not None else ""
    if suffix not in SUFFIXES:
        raise UsageError(f"-o {path}: say which --format it is to have")
    return SUFFIXES[suffix]


def _option(*names: str, **keywords: Any) -> Callable[[Function], Function]:
    return click.option(*names, cls=SectionOption, section=OUTPUT, **keywords)


_OPTIONS = (
    _option(
        "--format",
        "-f",
        "formats",
        multiple=True,
        type=click.Choice(tuple(FORMATS)),
        help="Report format; may be given several times, each with its own -o.",
    ),
    _option(
        "--output",
        "-o",
        "outputs",
        multiple=True,
        metavar="FILE",
        help="File for the report of the format before it; - is standard output.",
    ),
    _option(
        "--fail-on",
        type=click.Choice((*SEVERITIES, "never")),
        help="Exit with 1 on findings of this severity and above (default: medium).",
    ),
    _option("--show-suppressed", is_flag=True, help="Report what is ignored in the code, too."),
    _option(
        "--group-by",
        type=click.Choice(("cause", "practice", "framework")),
        default="cause",
        help="How Markdown and HTML order findings (default: cause).",
    ),
    _option(
        "--color",
        type=click.Choice(("auto", "always", "never")),
        default="auto",
        help="Colours in text (default: auto; NO_COLOR and FORCE_COLOR are heeded).",
    ),
    _option(
        "--redact",
        is_flag=True,
        help="Replace account ids, and names that only --account-context has, by numbers.",
    ),
    _option("--quiet", "-q", is_flag=True, help="Only the verdict, no progress."),
)


class Output(Struct, frozen=True):
    """The values of the output options."""

    targets: tuple[Target, ...]
    fail_on: str | None
    show_suppressed: bool
    group_by: str
    color: str
    redact: bool
    quiet: bool

    def deliver(self, report: Report) -> ExitCode:
        """Writes every report and gives the exit code."""
        return self.write(self.data(report))

    @property
    def with_graph(self) -> bool:
        """Whether a report shows the graph."""
        return any(target.format == "html" for target in self.targets)

    def data(self, report: Report) -> Data:
        """What the reports say."""
        from iam_preflight.reporters.present import present

        fail_on = self.fail_on or report.graph.settings.fail_on
        data = present(report, fail_on, with_graph=self.with_graph)
        if self.redact:
            from iam_preflight.reporters.redact import redact

            data = redact(data, report.graph)
        return data

    def write(self, data: Data) -> ExitCode:
        """Writes every report and gives the exit code."""
        faults: list[Problem] = []
        for target in self.targets:
            name = str(target.path or "standard output")
            with KeptTo(name, faults, f"the {target.format} report is not written, or not wholly"):
                self._write(data, target)
        if not self.quiet and all(target.path is not None for target in self.targets):
            with KeptTo("standard error", faults, "the verdict is not told"):
                self._tell(data)
        for fault in faults:
            click.echo(f"Error: {fault.path}: {fault.message}", err=True)
        return ExitCode.NOT_ANALYSED if faults else _EXIT_CODES[data.verdict]

    def _write(self, data: Data, target: Target) -> None:
        module = importlib.import_module(f"iam_preflight.reporters.{FORMATS[target.format]}")
        if target.path is None:
            if self.quiet and target.format == "text":
                self._tell(data, sys.stdout)
                return
            module.write(data, sys.stdout, self._options(sys.stdout))
            return
        try:
            with open_output(target.path) as stream:
                module.write(data, stream, self._options(stream))
        except OSError as error:
            raise UsageError(f"cannot write {target.path}: {error.strerror}") from None

    def _tell(self, data: Data, stream: TextIO | None = None) -> None:
        from iam_preflight.reporters.text_report import write_summary

        stream = stream or sys.stderr
        write_summary(data, stream, self._options(stream))

    def _options(self, stream: TextIO) -> Options:
        from iam_preflight.reporters.model import Options

        is_terminal = stream.isatty()
        return Options(
            show_suppressed=self.show_suppressed,
            group_by=self.group_by,  # type: ignore[arg-type]  # click has checked it
            color=self._has_color(is_terminal, stream),
            width=_terminal_width() if is_terminal else NO_WIDTH,
            here=str(Path.cwd()),
            shows_time=is_terminal or stream is sys.stderr,
        )

    def _has_color(self, is_terminal: bool, stream: TextIO) -> bool:
        if self.color != "auto":
            return self.color == "always" and stream in (sys.stdout, sys.stderr)
        if os.environ.get("NO_COLOR"):
            return False
        if os.environ.get("FORCE_COLOR"):
            return stream in (sys.stdout, sys.stderr)
        return is_terminal and os.environ.get("TERM") != "dumb"


def _terminal_width() -> int:
    import shutil

    return shutil.get_terminal_size().columns


def output_options(function: Function) -> Function:
    """Adds the output options; the function gets them as one `output`."""
    import functools

    @functools.wraps(function)
    def with_output(**given: Any) -> Any:
        given.pop("formats")
        given.pop("outputs")
        names = Output.__struct_fields__
        output = Output(**{name: given.pop(name) for name in names})
        return function(output=output, **given)

    wrapped: Any = with_output
    for option in reversed(_OPTIONS):
        wrapped = option(wrapped)
    result: Function = wrapped
    return result
