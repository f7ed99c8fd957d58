"""`iam-preflight scan`: the main job."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from iam_preflight.commands.shared.command import EXIT_CODES, SectionOption
from iam_preflight.commands.shared.inputs import INPUT, JUDGEMENT, input_options
from iam_preflight.commands.shared.output import ReportCommand, output_options
from iam_preflight.errors import UsageError

if TYPE_CHECKING:
    from iam_preflight.commands.shared.inputs import Inputs
    from iam_preflight.commands.shared.output import Output

FIXES = "What to change"


@click.command(
    "scan",
    cls=ReportCommand,
    short_help="Scan Terraform and CloudFormation, the main job.",
    notes=(EXIT_CODES,),
    examples=(
        ("iam-preflight scan", "Everything below the current folder:"),
        (
            "iam-preflight scan infra -f sarif -o iam.sarif -f text",
            "For code scanning and the log:",
        ),
        ("iam-preflight scan --fix --select TAG infra", "Repair what can be repaired safely:"),
    ),
)
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@input_options
@click.option(
    "--changed",
    "is_about_changes",
    cls=SectionOption,
    section=INPUT,
    is_flag=True,
    help="PATHS are files that have changed: scan the root modules and stacks that they belong"
    " to, each as a whole, and nothing else. Passes where they belong to none.",
)
@click.option(
    "--cache/--no-cache",
    "is_caching",
    cls=SectionOption,
    section=INPUT,
    default=None,
    help="Give the report of an earlier scan again where nothing that it was made of has changed"
    " (default: yes, but not in CI). It is kept in the user's cache folder, or where"
    " IAM_PREFLIGHT_CACHE says; `off` keeps none.",
)
@click.option(
    "--baseline",
    cls=SectionOption,
    section=JUDGEMENT,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Do not report the findings that this file knows: see `baseline write`.",
)
@output_options
@click.option(
    "--fix",
    "is_fixing",
    cls=SectionOption,
    section=FIXES,
    is_flag=True,
    help="Apply the safe fixes of shown findings, then report what is left.",
)
@click.option(
    "--diff",
    "is_drafting",
    cls=SectionOption,
    section=FIXES,
    is_flag=True,
    help="Show what --fix would change, and change nothing.",
)
def command(
    paths: tuple[Path, ...],
    inputs: Inputs,
    output: Output,
    is_about_changes: bool,
    is_caching: bool | None,
    baseline: Path | None,
    is_fixing: bool,
    is_drafting: bool,
) -> None:
    """Scan Terraform and CloudFormation in PATHS (default: the current folder).

    Reads the code, works out what every role, user and group will be able to do, and reports
    what goes against the IAM practices. Nothing is sent anywhere and no account is needed.
    """
    from msgspec.structs import replace

    from iam_preflight.commands.shared.progress import Progress
    from iam_preflight.scan import scan, scan_changed

    if is_about_changes and (is_fixing or is_drafting):
        raise UsageError("--changed and --fix do not go together")
    prepared = inputs.prepare(paths, reads_ahead=is_caching is False and not is_about_changes)
    options = prepared.options
    if baseline is not None:
        from iam_preflight.baseline import read_baseline

        options = replace(options, baseline=read_baseline(baseline))
    cache = None
    if is_caching is not False and not (is_fixing or is_drafting):
        from iam_preflight.commands.shared.cache import cache_for

        about = (is_about_changes, output.fail_on, output.with_graph, output.redact)
        cache = cache_for(inputs, prepared, options, is_caching, about)
        known = cache.find() if cache is not None else None
        if known is not None:
            sys.exit(output.write(known))
    with Progress(is_wanted=not output.quiet) as progress:
        options = replace(options, progress=progress)
        if is_fixing or is_drafting:
            from iam_preflight.commands.shared.fixing import draft, fix

            if is_drafting:
                sys.exit(draft(prepared, options))
            report = fix(prepared, options)
        else:
            run = scan_changed if is_about_changes else scan
            tree = cache.tree if cache is not None else None
            report = run(prepared.paths, prepared.registry, options, prepared.top, tree)
            if is_about_changes and not report.files and not report.problems:
                sys.exit(0)
    data = output.data(report)
    if cache is not None:
        cache.keep(data)
    sys.exit(output.write(data))
