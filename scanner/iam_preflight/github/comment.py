"""One comment of ours on a pull request, kept up to date.

It is found again by a marker at its very start, and only among comments of our own author:
anybody can write the marker.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from iam_preflight.github.client import ApiError, UnsureError
from iam_preflight.github.context import Account, Data

if TYPE_CHECKING:
    from collections.abc import Callable

    from iam_preflight.github.client import Client

LIMIT = 60_000
"""Bytes. GitHub takes 65,536 characters; what we add around the text is in the limit."""
SHORT = 8_000
"""Bytes of what is tried when the server finds the comment too long all the same."""
BOT = "github-actions[bot]"
MAX_CREATIONS = 2
_MARKER = re.compile(
    r"<!-- iam-preflight:comment key=([0-9a-f]{16}) run=(\d{1,19}) attempt=(\d{1,9}) -->"
)


class Comment(Data, frozen=True):
    """A comment as the API has it."""

    id: int
    html_url: str = ""
    body: str | None = None
    user: Account | None = None


class Run(Struct, frozen=True, order=True):
    """Later runs have a higher number; a run that is repeated has a higher attempt."""

    number: int
    attempt: int


class Sticky(Struct, frozen=True):
    """Which comment it is: of which pull request, by whom, under which name."""

    repository: str
    number: int
    author: str
    name: str
    run: Run

    @property
    def marker(self) -> str:
        run = f"run={self.run.number} attempt={self.run.attempt}"
        return f"<!-- iam-preflight:comment key={self._key} {run} -->"

    @property
    def _key(self) -> str:
        return hashlib.sha256(self.name.encode("utf-8", "replace")).hexdigest()[:16]

    def run_of(self, comment: Comment) -> Run | None:
        """The run that wrote the comment; None when it is not this comment of ours."""
        author = comment.user.login if comment.user is not None else ""
        found = _MARKER.match(comment.body or "")
        if author != self.author or found is None or found[1] != self._key:
            return None
        return Run(int(found[2]), int(found[3]))


class Posted(Struct, frozen=True):
    """What became of it."""

    url: str = ""
    note: str = ""
    """Something that somebody should know."""


def post(
    client: Client,
    sticky: Sticky,
    body: Callable[[int], str],
    *,
    is_wanted: bool,
    is_secondhand: bool = False,
) -> Posted:
    """Creates or updates the comment. Raises `ApiError`.

    `body` gives the text for a number of bytes. A comment that is not there is created only when
    it is wanted; one that is there always tells the latest. `is_secondhand` leaves a comment
    alone that the run itself has written.
    """
    found = _find(client, sticky)
    if found is None:
        return _create(client, sticky, body) if is_wanted else Posted()
    comment, run = found
    if run > sticky.run or (run == sticky.run and is_secondhand):
        return Posted(comment.html_url, "" if is_secondhand else "a later run has commented")
    try:
        return _update(client, sticky, comment, body)
    except ApiError as fault:
        if fault.status != 404 or not is_wanted:
            raise
        return _create(client, sticky, body)


def _find(client: Client, sticky: Sticky) -> tuple[Comment, Run] | None:
    """Our comment; the oldest, should there be several."""
    path = f"/repos/{sticky.repository}/issues/{sticky.number}/comments"
    for item in client.pages(path):
        comment = _comment(item)
        run = sticky.run_of(comment)
        if run is not None:
            return comment, run
    return None


def _create(client: Client, sticky: Sticky, body: Callable[[int], str]) -> Posted:
    """A new comment; where an answer is lost, it is looked for before it is written again."""
    path = f"/repos/{sticky.repository}/issues/{sticky.number}/comments"
    limit = LIMIT
    for attempt in range(1, MAX_CREATIONS + 2):
        try:
            made = _comment(client.create(path, {"body": body(limit)}).data())
        except UnsureError:
            found = _find(client, sticky)
            if found is not None:
                return Posted(found[0].html_url)
            if attempt > MAX_CREATIONS:
                raise
        except ApiError as fault:
            if fault.status != 422 or limit == SHORT:
                raise
            limit = SHORT
        else:
            return Posted(made.html_url, _unknown_author(made, sticky))
    raise AssertionError("the last try returns or raises")


def _update(client: Client, sticky: Sticky, comment: Comment, body: Callable[[int], str]) -> Posted:
    path = f"/repos/{sticky.repository}/issues/comments/{comment.id}"
    try:
        client.change(path, {"body": body(LIMIT)})
    except ApiError as fault:
        if fault.status != 422:
            raise
        client.change(path, {"body": body(SHORT)})
    return Posted(comment.html_url)


def _comment(item: object) -> Comment:
    try:
        return msgspec.convert(item, Comment)
    except msgspec.ValidationError as fault:
        raise ApiError(f"the server's answer is not understood: {fault}") from None


def _unknown_author(made: Comment, sticky: Sticky) -> str:
    author = made.user.login if made.user is not None else ""
    if author in ("", sticky.author):
        return ""
    return (
        f"the token comments as {author}: set comment-author to it,"
        " or each run writes a comment of its own"
    )
