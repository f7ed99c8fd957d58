"""What a pull request is compared with, and getting it where the clone does not have it."""

from __future__ import annotations

import base64
import os
import subprocess
from typing import TYPE_CHECKING

from msgspec import Struct

from iam_preflight.errors import UsageError
from iam_preflight.github.context import checked_sha

if TYPE_CHECKING:
    from iam_preflight.github.context import Context
    from iam_preflight.gittree import Repository

FETCH_TIMEOUT = 120.0


class Base(Struct, frozen=True):
    """A commit, and whether it is what the change was put on top of."""

    commit: str
    is_exact: bool


def base_of(context: Context, repository: Repository) -> Base | None:
    """The base of a pull request or merge group; None for events that have none."""
    pull, group = context.event.pull_request, context.event.merge_group
    if pull is not None:
        parents = _parents(repository)
        if len(parents) == 2 and parents[1] == pull.head.sha:
            # checked out is what merging would give: the base is what it was merged into
            return Base(parents[0], is_exact=True)
        return Base(checked_sha(pull.base.sha), is_exact=False)
    if group is not None:
        return Base(checked_sha(group.base_sha), is_exact=True)
    return None


def is_here(repository: Repository, commit: str) -> bool:
    try:
        repository.commit(commit)
    except UsageError:
        return False
    return True


def is_traceable(repository: Repository, base: Base) -> bool:
    """Whether the clone reaches back to where the change left the base."""
    if base.is_exact:
        return True
    try:
        return bool(repository.run("merge-base", base.commit, "HEAD"))
    except UsageError:
        return False


def fetch(context: Context, repository: Repository, commit: str, token: str) -> None:
    """Gets one commit from the server. Raises `UsageError`.

    The token goes by the environment, not by the command line that other processes can read; one
    that the checkout has left in the settings comes first.
    """
    address = f"{context.server_url}/{context.repository}"
    header = f"http.{context.server_url}/.extraheader"
    environment = {**os.environ, "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    if token and not _is_set(repository, header):
        secret = base64.b64encode(f"x-access-token:{token}".encode()).decode("ascii")
        environment |= {
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": header,
            "GIT_CONFIG_VALUE_0": f"AUTHORIZATION: basic {secret}",
        }
    options = ("-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false")
    command = ["git", "-C", str(repository.folder), *options, "fetch", "--quiet", "--no-tags"]
    command += ["--no-recurse-submodules", "--depth=1", address, checked_sha(commit)]
    try:
        done = subprocess.run(  # noqa: S603  no shell; an address and an id that were checked
            command,
            check=False,
            capture_output=True,
            env=environment,
            stdin=subprocess.DEVNULL,
            timeout=FETCH_TIMEOUT,
        )
    except subprocess.TimeoutExpired:
        raise UsageError(f"git fetch took longer than {FETCH_TIMEOUT:.0f} seconds") from None
    except OSError as error:
        raise UsageError(f"git cannot be started: {error.strerror}") from None
    if done.returncode:
        reason = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise UsageError(reason[0] if reason else "git fetch failed")


def _parents(repository: Repository) -> list[str]:
    """The parents that HEAD names, also where a shallow clone does not have them."""
    text = repository.run("cat-file", "commit", "HEAD").decode("utf-8", "replace")
    head, _, _ = text.partition("\n\n")
    return [line[len("parent ") :] for line in head.split("\n") if line.startswith("parent ")]


def _is_set(repository: Repository, name: str) -> bool:
    try:
        return bool(repository.run("config", "--get", name).strip())
    except UsageError:
        return False
