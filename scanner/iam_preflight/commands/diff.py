"""`iam-preflight diff`: only what a change adds."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click
from msgspec.structs import replace

from iam_preflight.commands.shared.command import EXIT_CODES, SectionOption
from iam_preflight.commands.shared.inputs import BASE, INPUT, input_options
from iam_preflight.commands.shared.output import ReportCommand, output_options

if TYPE_CHECKING:
    from iam_preflight.commands.shared.inputs import Inputs, Prepared
    from iam_preflight.commands.shared.output import Output
    from iam_preflight.discovery import Tree
    from iam_preflight.scan import ScanOptions

WORKING_TREE = "working tree"


@click.command(
    "diff",
    cls=ReportCommand,
    short_help="Report only what a change adds.",
    notes=(
        (
            "Versions",
            """BASE and HEAD are git revisions. The comparison starts where HEAD grew out of BASE
(the merge base), so that what others did meanwhile is not taken for this change. Without HEAD
the files as they are now are compared. Nothing is checked out.""",
        ),
        EXIT_CODES,
    ),
    examples=(
        ("iam-preflight diff main", "What my work adds to main:"),
        (
            "iam-preflight diff origin/main HEAD --settings-from base --suppressions-from base",
            "In a pull request, judged by the rules of its target:",
        ),
    ),
)
@click.argument("base")
@click.argument("head", required=False)
@click.option(
    "--path",
    "-p",
    "paths",
    cls=SectionOption,
    section=INPUT,
    multiple=True,
    type=click.Path(path_type=Path),
    help="File or folder to compare; may be given several times (default: the current folder).",
)
@click.option(
    "--exact",
    cls=SectionOption,
    section=INPUT,
    is_flag=True,
    help="Compare with BASE itself, not with the merge base.",
)
@input_options
@output_options
def command(
    base: str,
    head: str | None,
    paths: tuple[Path, ...],
    exact: bool,
    inputs: Inputs,
    output: Output,
) -> None:
    """Compare the code of two versions: new, fixed and unchanged findings, new trust and access.

    A finding is new wherever its cause is: in another file, in a variable, or in an ignore that
    is gone. With --settings-from and --suppressions-from, `base` stands for BASE.
    """
    from iam_preflight.commands.shared.progress import Progress
    from iam_preflight.diff import Version, compare
    from iam_preflight.discovery import FolderTree
    from iam_preflight.gittree import Repository

    prepared = inputs.without_base().prepare(paths)
    repository = Repository(prepared.top)
    start, end = repository.commit(base), repository.commit(head or "HEAD")
    if not exact:
        start = repository.merge_base(start, end)
    with ExitStack() as stack, Progress(is_wanted=not output.quiet) as progress:
        old = stack.enter_context(repository.tree(start))
        new = stack.enter_context(repository.tree(end)) if head is not None else None
        judged = replace(prepared.options, progress=progress)
        after = _after(judged, inputs, prepared, old, new)
        versions = (
            Version(old, base, _before(judged, inputs, prepared, old)),
            Version(new or FolderTree(prepared.top), head or WORKING_TREE, after),
        )
        inside = [path.resolve().relative_to(prepared.top).as_posix() for path in prepared.paths]
        # the settings that judge the head also say which rules there are
        registry = inputs.selected(prepared.finder.registry, after.settings)
        report = compare(*versions, inside, registry, str(prepared.top))
    sys.exit(output.deliver(report))


def _before(options: ScanOptions, inputs: Inputs, prepared: Prepared, old: Tree) -> ScanOptions:
    """The base is judged by its own settings, unless a revision for both is named."""
    if inputs.settings_from not in (None, BASE):
        return replace(options, base=None)
    settings, folder = inputs.found(prepared.finder, old)
    return replace(options, settings=settings, settings_folder=folder, base=None)


def _after(
    options: ScanOptions, inputs: Inputs, prepared: Prepared, old: Tree, new: Tree | None
) -> ScanOptions:
    """The head is judged by its own settings and ignores, or by those of the base."""
    if inputs.suppressions_from == BASE:
        options = replace(options, base=old, base_name="the base")
    if inputs.settings_from not in (None, BASE):
        return options
    tree = old if inputs.settings_from == BASE else new
    settings, folder = inputs.found(prepared.finder, tree)
    return replace(options, settings=settings, settings_folder=folder)
