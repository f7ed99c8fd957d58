"""`iam-preflight baseline`: take what is there for known, and let it only shrink."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
from msgspec.structs import replace

from iam_preflight.commands.shared.command import ManualCommand
from iam_preflight.commands.shared.inputs import input_options
from iam_preflight.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from iam_preflight.baseline import Entry
    from iam_preflight.commands.shared.inputs import Inputs
    from iam_preflight.decisions import Decided
    from iam_preflight.findings import Finding
    from iam_preflight.scan import Report

DEFAULT = ".iam-preflight-baseline.json"

_file_option = click.option(
    "--file",
    "-o",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    default=DEFAULT,
    show_default=True,
    help="The baseline file.",
)
_paths_argument = click.argument("paths", nargs=-1, type=click.Path(path_type=Path))


@click.group("baseline", short_help="Take what is there for known, and let it only shrink.")
def command() -> None:
    """Findings that are known: `scan --baseline FILE` reports only the others.

    The file names no lines, so code may move. Each finding is one line of it, to be read in
    reviews; a second finding of the same kind is not known.
    """


@command.command(
    "write",
    cls=ManualCommand,
    examples=(("iam-preflight baseline write", "Start with what is there today:"),),
)
@_paths_argument
@_file_option
@click.option("--force", is_flag=True, help="Overwrite a file that is there.")
@input_options
def write(paths: tuple[Path, ...], file: Path, force: bool, inputs: Inputs) -> None:
    """Write the shown findings of PATHS to the baseline file."""
    from iam_preflight.baseline import entries_of, write_baseline

    if file.exists() and not force:
        raise UsageError(f"{file} is there: `baseline update` lets it shrink, --force replaces it")
    report = _scan(paths, inputs, ())
    entries = entries_of(_found(report.findings, is_known=False), report.graph.secrets)
    write_baseline(file, entries)
    _tell(file, entries)


@command.command(
    "update",
    cls=ManualCommand,
    examples=(
        ("iam-preflight baseline update", "Drop what has been fixed:"),
        ("iam-preflight baseline update --accept-new", "Take new findings for known, too:"),
    ),
)
@_paths_argument
@_file_option
@click.option("--accept-new", is_flag=True, help="Add findings that are not known yet.")
@input_options
def update(paths: tuple[Path, ...], file: Path, accept_new: bool, inputs: Inputs) -> None:
    """Drop findings that are no longer there from the baseline file.

    Scan the same PATHS as when it was written: what is not scanned counts as fixed.
    """
    from iam_preflight.baseline import entries_of, read_baseline, write_baseline

    before = read_baseline(file)
    report = _scan(paths, inputs, before)
    kept = list(_found(report.findings, is_known=True))
    added = list(_found(report.findings, is_known=False)) if accept_new else []
    entries = entries_of([*kept, *added], report.graph.secrets)
    write_baseline(file, entries)
    _tell(file, entries, before)


@command.command("show", cls=ManualCommand)
@_file_option
def show(file: Path) -> None:
    """List what the baseline file holds, by rule."""
    from iam_preflight.baseline import read_baseline
    from iam_preflight.reporters.escape import visible

    entries = read_baseline(file)
    for entry in entries:
        times = f" ({entry.count} times)" if entry.count > 1 else ""
        where = f"{entry.root}: " if entry.root not in ("", ".") else ""
        click.echo(visible(f"{entry.rule:<10} {where}{entry.address}  {entry.message}{times}"))
    _tell(file, entries)


def _scan(paths: tuple[Path, ...], inputs: Inputs, baseline: tuple[Entry, ...]) -> Report:
    from iam_preflight.commands.shared.progress import Progress
    from iam_preflight.scan import scan

    prepared = inputs.prepare(paths)
    with Progress() as progress:
        options = replace(prepared.options, baseline=baseline, progress=progress)
        report = scan(prepared.paths, prepared.registry, options, prepared.top)
    failing = [problem for problem in report.problems if problem.fails_the_scan]
    if failing:
        raise UsageError(
            f"{failing[0].place}: {failing[0].message}: a baseline needs everything analysed"
        )
    return report


def _found(findings: Iterable[Decided], *, is_known: bool) -> Iterator[Finding]:
    """Every instance that is in the baseline, or that is shown."""
    from iam_preflight.decisions import Outcome

    wanted = Outcome.BASELINE if is_known else Outcome.SHOWN
    for decided in findings:
        if decided.outcome is wanted:
            yield from decided.instances
            yield from decided.folded


def _tell(file: Path, entries: Iterable[Entry], before: Iterable[Entry] | None = None) -> None:
    count = sum(entry.count for entry in entries)
    text = f"{file}: {count} known finding{'' if count == 1 else 's'}"
    if before is not None:
        was = sum(entry.count for entry in before)
        text += f", {was} before"
    click.echo(text, err=True)
