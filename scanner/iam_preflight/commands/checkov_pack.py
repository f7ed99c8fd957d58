"""`iam-preflight checkov-pack`: the checks that checkov can load."""

from __future__ import annotations

import shutil
from pathlib import Path

import click

from iam_preflight.commands.shared.command import ManualCommand
from iam_preflight.errors import UsageError


@click.command(
    "checkov-pack",
    cls=ManualCommand,
    short_help="Print the folder of the custom checks for checkov.",
    examples=(
        (
            'pack="$(iam-preflight checkov-pack)" && checkov -d . --external-checks-dir "$pack"',
            "All rules inside checkov (docs/checkov.md):",
        ),
        ("iam-preflight checkov-pack --export pack", "For a repository that checkov clones:"),
    ),
)
@click.option(
    "--export",
    "folder",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="Copy the checks to a folder of their own, for --external-checks-git.",
)
def command(folder: Path | None) -> None:
    """Print the folder that checkov's --external-checks-dir takes.

    checkov and iam-preflight have to be installed in one environment.
    """
    from iam_preflight.registry import PACK, companion

    pack = companion(PACK)
    if pack is None:
        raise UsageError(f"{PACK} is not installed beside the rules: install iam-preflight anew")
    if folder is None:
        click.echo(pack)
        return
    _export(pack, folder)
    click.echo(f"wrote {folder}: commit it as the only content of a branch", err=True)


def _export(pack: Path, folder: Path) -> None:
    """Copies the modules. checkov walks through all there is: nothing else may be there."""
    modules = sorted(pack.glob("*.py"))
    names = {module.name for module in modules}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        others = sorted(
            entry.name for entry in folder.iterdir() if entry.name not in {".git", *names}
        )
        if others:
            raise UsageError(f"{folder} holds other things ({others[0]}): checkov would read them")
        for module in modules:
            shutil.copyfile(module, folder / module.name)
    except OSError as error:
        raise UsageError(f"cannot write {error.filename}: {error.strerror}") from None
