"""The command line. Everything heavy is imported by the command that needs it."""

from __future__ import annotations

import sys
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING

import click

from iam_preflight import __version__
from iam_preflight.errors import UsageError

if TYPE_CHECKING:
    from iam_preflight.scan import Report
    from iam_preflight.settings import Settings

FORMATS = ("text", "json", "sarif")
SEVERITIES = ("info", "low", "medium", "high", "critical")


class ExitCode(IntEnum):
    """What the process returns; the highest that applies, and 4 beats 1."""

    CLEAN = 0
    FINDINGS = 1
    USAGE = 2
    NOTHING_TO_SCAN = 3
    NOT_ANALYSED = 4


class _Group(click.Group):
    """Turns our own usage errors into one clear line and exit code 2."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except UsageError as error:
            raise click.UsageError(str(error), ctx=None) from None


def _print_version(ctx: click.Context, _option: click.Parameter, value: bool) -> None:
    if not value or ctx.resilient_parsing:
        return
    click.echo(f"iam-preflight {__version__}")
    ctx.exit()


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Show the version and exit.",
)
def cli() -> None:
    """Find out what every AWS principal will be able to do, before it is deployed."""


@cli.command()
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--format",
    "-f",
    "formats",
    multiple=True,
    type=click.Choice(FORMATS),
    help="Report format; may be given several times, each with its own -o.",
)
@click.option(
    "--output",
    "-o",
    "outputs",
    multiple=True,
    type=click.Path(path_type=Path),
    help="File for the report, in the order of the formats; standard output otherwise.",
)
@click.option(
    "--fail-on",
    type=click.Choice((*SEVERITIES, "never")),
    help="Exit with 1 on findings of this severity and above (default: medium).",
)
@click.option("--select", multiple=True, metavar="RULE", help="Run only these rules or families.")
@click.option("--ignore", multiple=True, metavar="RULE", help="Do not run these rules or families.")
@click.option(
    "--persona",
    type=click.Choice(("regular", "pedantic", "auditor")),
    help="Show what everybody wants, hygiene too, or everything.",
)
@click.option(
    "--config",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Settings file (default: .iam-preflight.yaml, found upwards).",
)
@click.option("--var", "variables", multiple=True, metavar="NAME=VALUE", help="Terraform variable.")
@click.option("--var-file", "variable_files", multiple=True, help="Terraform variable file.")
@click.option(
    "--parameters", multiple=True, metavar="FILE|KEY=VALUE", help="CloudFormation parameters."
)
def scan(
    paths: tuple[Path, ...],
    formats: tuple[str, ...],
    outputs: tuple[Path, ...],
    fail_on: str | None,
    select: tuple[str, ...],
    ignore: tuple[str, ...],
    persona: str | None,
    config: Path | None,
    variables: tuple[str, ...],
    variable_files: tuple[str, ...],
    parameters: tuple[str, ...],
) -> None:
    """Scan Terraform and CloudFormation in PATHS (default: the current folder)."""
    import msgspec

    from iam_preflight.registry import load_rules
    from iam_preflight.scan import ScanOptions
    from iam_preflight.scan import scan as run_scan

    paths = paths or (Path(),)
    settings = _settings(paths, config)
    if persona is not None:
        settings = msgspec.structs.replace(settings, persona=persona)
    registry = load_rules().select(select or settings.select, ignore or settings.ignore)
    options = ScanOptions(
        settings=settings,
        variables=variables,
        variable_files=variable_files,
        parameters=parameters,
    )
    report = run_scan(paths, registry, options)
    _write_reports(report, formats or ("text",), outputs)
    sys.exit(verdict(report, fail_on or settings.fail_on))


def _settings(paths: tuple[Path, ...], config: Path | None) -> Settings:
    from iam_preflight.discovery import find_root
    from iam_preflight.settings import Settings, find_settings, load_settings

    if config is None:
        first = paths[0].resolve()
        folder = first if first.is_dir() else first.parent
        config = find_settings(folder, find_root([p for p in paths if p.exists()] or [folder]))
    return load_settings(config) if config is not None else Settings()


def verdict(report: Report, fail_on: str) -> ExitCode:
    """The exit code of a scan: what could not be analysed beats what was found."""
    from iam_preflight.findings import Severity

    if any(problem.fails_the_scan for problem in report.problems):
        return ExitCode.NOT_ANALYSED
    if report.files == 0:
        return ExitCode.NOTHING_TO_SCAN
    if fail_on != "never":
        limit = Severity[fail_on.upper()]
        if any(finding.severity >= limit for finding in report.shown):
            return ExitCode.FINDINGS
    return ExitCode.CLEAN


def _write_reports(report: Report, formats: tuple[str, ...], outputs: tuple[Path, ...]) -> None:
    import importlib

    if len(outputs) > len(formats):
        raise UsageError("more -o than --format: each report file needs its format")
    for i, name in enumerate(formats):
        module = importlib.import_module(f"iam_preflight.reporters.{name}_report")
        output = outputs[i] if i < len(outputs) else None
        if output is None or str(output) == "-":
            module.write(report, sys.stdout)
            continue
        try:
            output.parent.mkdir(parents=True, exist_ok=True)
            with output.open("w", encoding="utf-8", newline="\n") as stream:
                module.write(report, stream)
        except OSError as error:
            raise UsageError(f"cannot write {output}: {error.strerror}") from None


@cli.command()
@click.argument("rule")
def explain(rule: str) -> None:
    """Show the page of a RULE."""
    from iam_preflight.registry import load_rules

    found = load_rules().get(rule)
    if found is None:
        raise UsageError(f"there is no rule {rule!r}: `iam-preflight rules list` has all")
    click.echo(f"# {found.id}: {found.page()}")


@cli.group()
def rules() -> None:
    """The rules that are installed."""


@rules.command("list")
def list_rules() -> None:
    """List every rule: id, severity, name and title."""
    from iam_preflight.registry import load_rules

    for rule in load_rules():
        click.echo(f"{rule.id:<10} {rule.severity!s:<9} {rule.name:<45} {rule.title()}")


def main() -> None:
    cli(prog_name="iam-preflight")
