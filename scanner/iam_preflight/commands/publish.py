"""`iam-preflight publish`: tell people on GitHub about a report."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from iam_preflight.commands.shared.command import ManualCommand, SectionOption
from iam_preflight.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from iam_preflight.github.client import Client
    from iam_preflight.github.context import Context
    from iam_preflight.gittree import Repository
    from iam_preflight.reporters.model import Report

WHERE = "Where to tell it"
WHAT = "What to tell"
TOKENS = ("IAM_PREFLIGHT_TOKEN", "GITHUB_TOKEN")


def _switch(name: str, help_text: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    return click.option(
        f"--{name}/--no-{name}",
        cls=SectionOption,
        section=WHERE,
        default=True,
        envvar=f"INPUT_{name.upper()}",
        help=help_text,
    )


@click.command(
    "publish",
    cls=ManualCommand,
    short_help="Tell a pull request on GitHub about a report.",
    notes=(
        (
            "Where it runs",
            """In a GitHub workflow everything is known from the environment. Elsewhere set
GITHUB_REPOSITORY, for GitHub Enterprise Server also GITHUB_API_URL and GITHUB_SERVER_URL, put a
token into IAM_PREFLIGHT_TOKEN, and give --pull-request.""",
        ),
        (
            "Exit codes",
            """\
0  it has been told, or a notice says why not: the verdict is that of the scan
2  the command line or the report is wrong""",
        ),
    ),
    examples=(
        ("iam-preflight publish report.json", "In a step after `scan -f json -o report.json`:"),
        (
            "iam-preflight publish --from-run iam-preflight-report",
            "In a workflow_run, for the pull request of a fork:",
        ),
    ),
)
@click.argument("report", required=False, type=click.Path(path_type=Path, dir_okay=False))
@_switch("comment", "One comment on the pull request that is kept up to date.")
@_switch("annotations", "Annotations on the lines of the pull request.")
@_switch("summary", "The page of the job.")
@click.option(
    "--pull-request",
    "number",
    cls=SectionOption,
    section=WHERE,
    type=click.IntRange(min=1),
    help="Number of the pull request (default: that of the event).",
)
@click.option(
    "--comment-author",
    cls=SectionOption,
    section=WHERE,
    envvar="INPUT_COMMENT_AUTHOR",
    default="github-actions[bot]",
    show_default=True,
    help="Whom the token comments as: only comments of theirs are updated.",
)
@click.option(
    "--name",
    cls=SectionOption,
    section=WHAT,
    envvar="INPUT_NAME",
    default="",
    help="Tells several reports on one pull request apart.",
)
@click.option(
    "--base",
    cls=SectionOption,
    section=WHAT,
    envvar="IAM_PREFLIGHT_BASE",
    default="",
    metavar="COMMIT",
    help="Lines that differ from this commit are annotated first.",
)
@click.option(
    "--from-run",
    "artifact",
    cls=SectionOption,
    section=WHAT,
    envvar="INPUT_ARTIFACT",
    metavar="ARTIFACT",
    help="Take the report from this artifact of the run that a workflow_run follows.",
)
def command(
    report: Path | None,
    comment: bool,
    annotations: bool,
    summary: bool,
    number: int | None,
    comment_author: str,
    name: str,
    base: str,
    artifact: str | None,
) -> None:
    """Tell a pull request on GitHub about REPORT, the JSON of `scan` or `diff`.

    The only command that talks to a server. A failure to tell is a notice and nothing more.
    """
    from iam_preflight.github.comment import BOT
    from iam_preflight.github.context import context_of
    from iam_preflight.github.publish import Publisher, Wanted

    if (report is None) == (artifact is None):
        raise UsageError("give a REPORT, or --from-run and the name of an artifact")
    environment = dict(os.environ)
    context = context_of(environment)
    wanted = Wanted(
        comment=comment,
        annotations=annotations,
        summary=summary,
        name=name.strip(),
        author=comment_author.strip() or BOT,
        number=number or 0,
    )
    client = _client(context, environment)
    publisher = Publisher(context, wanted, environment, sys.stdout, client)
    if report is None:
        publisher.publish_run(str(artifact))
    else:
        publisher.publish(_read(report), _repository(context), base)


def _client(context: Context, environment: Mapping[str, str]) -> Client | None:
    from iam_preflight.github.client import Client

    token = next((environment[name] for name in TOKENS if environment.get(name)), "")
    return Client(context.api_url, token) if token and context.repository else None


def _read(file: Path) -> Report:
    from iam_preflight.reporters.json_report import ReportError, read

    try:
        return read(file.read_bytes())
    except (OSError, ReportError) as fault:
        raise UsageError(f"{file}: {fault}") from None


def _repository(context: Context) -> Repository | None:
    """The clone, to see which lines a change touches; it is no loss where there is none."""
    from iam_preflight.gittree import Repository

    try:
        return Repository(context.workspace)
    except UsageError:
        return None
