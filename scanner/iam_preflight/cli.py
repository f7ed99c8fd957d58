"""The command line: a group whose commands are imported when somebody asks for them."""

from __future__ import annotations

import atexit
import importlib
import os
import pkgutil
import sys
import threading
from pathlib import Path
from typing import NoReturn

import click

from iam_preflight import __version__
from iam_preflight.collector import short_lived_process
from iam_preflight.errors import UsageError

USAGE = 2
NOT_ANALYSED = 4
FIRST = ("scan", "diff", "explain", "baseline", "rules", "init")
"""The order in the help; the others follow by name."""


class Commands(click.Group):
    """Finds its commands as modules of `iam_preflight.commands`."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  as click has it
        folder = Path(__file__).with_name("commands")
        names = [
            info.name.replace("_", "-")
            for info in pkgutil.iter_modules([str(folder)])
            if not info.ispkg
        ]
        return sorted(names, key=lambda name: (FIRST.index(name) if name in FIRST else 99, name))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        module = importlib.import_module(f"iam_preflight.commands.{cmd_name.replace('-', '_')}")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        known = self.list_commands(ctx)
        if args and args[0] not in known and not args[0].startswith("-"):
            from iam_preflight.typed import nearest

            ctx.fail(f"there is no command {args[0]!r}{nearest(args[0], known)}")
        return super().resolve_command(ctx, args)


def _print_version(ctx: click.Context, _option: click.Parameter, value: bool) -> None:
    if not value or ctx.resilient_parsing:
        return
    from iam_preflight.knowledge.age import data_date

    click.echo(f"iam-preflight {__version__} (AWS service reference of {data_date()})")
    ctx.exit()


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="`iam-preflight COMMAND --help` tells more about each.",
)
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


def main() -> None:
    """Runs the command line and ends the process with one of the documented exit codes.

    Our own usage errors are one clear line. A crash and an interruption end with 4, never with
    1: nobody may take them for a list of findings, or for none. `python -X dev` shows where a
    crash comes from; its text may hold what is secret, so that nobody else gets to see it.
    """
    try:
        from iam_preflight.commands.shared.streams import prepare_streams

        prepare_streams()
        with short_lived_process():
            code = _run()
    except (click.Abort, KeyboardInterrupt):
        click.echo("Error: interrupted", err=True)
        code = NOT_ANALYSED
    except click.ClickException as error:
        error.show()
        code = USAGE
    except UsageError as error:
        click.echo(f"Error: {error}", err=True)
        code = USAGE
    except Exception as error:  # noqa: BLE001  the last resort
        from iam_preflight.faults import told

        if sys.flags.dev_mode:
            import traceback

            traceback.print_exc()
        click.echo(f"Error: not finished, {told(error)}", err=True)
        code = NOT_ANALYSED
    _leave(code)


def _leave(code: int) -> NoReturn:
    """Ends the process. Python would free every object that a scan has made, one by one."""
    if threading.active_count() > 1 or sys.stdout is None or sys.stderr is None:
        sys.exit(code)
    sys.stdout.flush()
    sys.stderr.flush()
    atexit._run_exitfuncs()  # noqa: SLF001  as `multiprocessing` does
    os._exit(code)


def _run() -> int:
    """The exit code of the command."""
    from iam_preflight.commands.shared.streams import finish_output

    try:
        code = cli.main(prog_name="iam-preflight", standalone_mode=False)
    except SystemExit as ended:
        code = ended.code
    finish_output()
    return code if isinstance(code, int) else 0
