"""What the runner says about a run: the event, the repository, the pull request.

Texts of the event such as branch names are written by whoever opened the pull request.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from iam_preflight.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_EVENT_BYTES = 32 << 20
_SLUG = re.compile(r"[A-Za-z0-9_.-]{1,100}/[A-Za-z0-9_.-]{1,100}")
_SHA = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")

Kind = TypeVar("Kind")


class Data(msgspec.Struct, frozen=True):
    """A part of an event or answer: what it holds beside our fields is not looked at."""


class Account(Data, frozen=True):
    """Somebody on GitHub."""

    login: str = ""


class RepositoryName(Data, frozen=True):
    """A repository."""

    full_name: str = ""
    owner: Account = Account()


class Side(Data, frozen=True):
    """One side of a pull request."""

    sha: str
    ref: str = ""
    repo: RepositoryName | None = None
    """None when the fork has been deleted."""


class PullRequest(Data, frozen=True):
    """A pull request."""

    number: int
    head: Side
    base: Side


class MergeGroup(Data, frozen=True):
    """Several pull requests that are tried together, in a merge queue."""

    base_sha: str
    head_sha: str


class WorkflowRun(Data, frozen=True):
    """The run that a `workflow_run` follows."""

    id: int
    head_sha: str
    event: str
    run_attempt: int = 1
    head_branch: str | None = None
    head_repository: RepositoryName | None = None


class Event(Data, frozen=True):
    """What set the run off; parts that it has not are None."""

    pull_request: PullRequest | None = None
    merge_group: MergeGroup | None = None
    workflow_run: WorkflowRun | None = None


class Context(Struct, frozen=True):
    """A run of a workflow, or of another build system that sets the same variables."""

    event_name: str
    event: Event
    repository: str
    """`owner/name`; empty where it is not said."""
    api_url: str
    server_url: str
    run_id: int
    run_attempt: int
    sha: str
    workspace: Path
    temporary: Path | None

    @property
    def is_from_fork(self) -> bool:
        """Whether the run has a token that may only read, because a stranger wrote the change."""
        pull = self.event.pull_request
        if pull is None or self.event_name == "pull_request_target":
            return False
        return pull.head.repo is None or pull.head.repo.full_name != self.repository

    @property
    def run_url(self) -> str:
        if not (self.repository and self.run_id):
            return ""
        return f"{self.server_url}/{self.repository}/actions/runs/{self.run_id}"


def context_of(environment: Mapping[str, str]) -> Context:
    """The context that the variables of a runner describe. Raises `UsageError`.

    https://docs.github.com/en/actions/reference/workflows-and-actions/variables
    """
    temporary = environment.get("RUNNER_TEMP")
    return Context(
        event_name=environment.get("GITHUB_EVENT_NAME", ""),
        event=_event(environment.get("GITHUB_EVENT_PATH")),
        repository=checked_slug(environment.get("GITHUB_REPOSITORY", "")),
        api_url=checked_url(environment.get("GITHUB_API_URL") or "https://api.github.com"),
        server_url=checked_url(environment.get("GITHUB_SERVER_URL") or "https://github.com"),
        run_id=_number(environment.get("GITHUB_RUN_ID")),
        run_attempt=_number(environment.get("GITHUB_RUN_ATTEMPT")) or 1,
        sha=environment.get("GITHUB_SHA", ""),
        workspace=Path(environment.get("GITHUB_WORKSPACE") or "."),
        temporary=Path(temporary) if temporary else None,
    )


def _event(path: str | None) -> Event:
    file = Path(path) if path else None
    if file is None or not file.is_file():
        return Event()
    if file.stat().st_size > MAX_EVENT_BYTES:
        raise UsageError(f"the event is larger than {MAX_EVENT_BYTES >> 20} MB")
    return decoded(file.read_bytes(), Event, "the event")


def decoded(data: bytes, kind: type[Kind], what: str) -> Kind:
    """JSON that has to have a shape. Raises `UsageError`."""
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as fault:
        raise UsageError(f"{what} is not understood: {fault}") from None


def checked_slug(text: str) -> str:
    if text and _SLUG.fullmatch(text) is None:
        raise UsageError(f"{text!r} is not the name of a repository such as owner/name")
    return text


def checked_sha(text: str) -> str:
    if _SHA.fullmatch(text) is None:
        raise UsageError(f"{text!r} is not the id of a commit")
    return text


def checked_url(text: str) -> str:
    """An address that a token may be sent to: encrypted, or on this machine."""
    parts = urlsplit(text)
    is_safe = parts.scheme == "https" or parts.hostname in _LOOPBACK
    if parts.scheme not in ("http", "https") or not parts.hostname or not is_safe:
        raise UsageError(f"{text!r} is not an https address")
    if parts.username or parts.query or parts.fragment:
        raise UsageError(f"{text!r} is not the address of a server")
    return text.rstrip("/")


def _number(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdecimal() and len(text) < 20 else 0
