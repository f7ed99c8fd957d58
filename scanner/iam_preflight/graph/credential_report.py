"""What a credential report says of the users of an account: passwords, keys, second factors.

Ages are counted from the report's own date: when a scan runs makes no difference.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from iam_preflight.dates import moment
from iam_preflight.graph.model import Principal
from iam_preflight.values import bool_of

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator

    from iam_preflight.graph.model import Graph
    from iam_preflight.resources import Resource
    from iam_preflight.source import Span

TYPE = "iam_credential_report"
ROOT = "<root_account>"
_KEYS = ("access_key_1", "access_key_2")


class RecordedKey(Struct, frozen=True):
    """An active access key."""

    number: int
    age: int
    """In days."""
    idle: int
    """For how many days it has not been used; its age where it never was."""
    was_used: bool


class Row(Struct, frozen=True, eq=False):
    """A user as the report has it."""

    resource: Resource
    user: Principal | None
    """The user in the graph: the code's where the code manages it."""
    date: dt.datetime

    @property
    def is_root(self) -> bool:
        return self.resource.text("user") == ROOT

    @property
    def label(self) -> str:
        if self.is_root:
            return "the root user"
        return f"user {self.resource.text('user')}"

    @property
    def is_in_code(self) -> bool:
        return self.user is not None and not self.user.resource.is_recorded

    @property
    def subject(self) -> Resource:
        """What a finding about the user is on: the user in the code, else the row."""
        if self.user is not None and self.is_in_code:
            return self.user.resource
        return self.resource

    @property
    def related(self) -> tuple[tuple[Span, str], ...]:
        """The row, where the finding itself is on the code."""
        return ((self.resource.header, "the account says so"),) if self.is_in_code else ()

    @property
    def has_password(self) -> bool:
        return self.is_root or bool_of(self.resource.get("password_enabled")) is True

    @property
    def has_mfa(self) -> bool:
        return bool_of(self.resource.get("mfa_active")) is True

    @property
    def password_idle(self) -> int | None:
        """For how many days the password has not been used; None without password or dates."""
        if bool_of(self.resource.get("password_enabled")) is not True:
            return None
        return self._days("password_last_used", "password_last_changed", "user_creation_time")

    @property
    def keys(self) -> Iterator[RecordedKey]:
        """The active keys, as far as the report has their dates."""
        for number, name in enumerate(_KEYS, 1):
            if bool_of(self.resource.get(f"{name}_active")) is not True:
                continue
            age = self._days(f"{name}_last_rotated", "user_creation_time")
            used = self._days(f"{name}_last_used_date")
            if age is not None:
                idle = age if used is None else used
                yield RecordedKey(number, age, idle, was_used=used is not None)

    def _days(self, *columns: str) -> int | None:
        """How long ago the first date that there is was."""
        for column in columns:
            found = moment(self.resource.text(column))
            if found is not None:
                return (self.date - found).days
        return None


def rows(graph: Graph) -> Iterator[Row]:
    """The users of every credential report."""
    for resource in graph.of_type(TYPE):
        date = moment(resource.text("report_date"))
        if date is None:
            continue
        users = graph.lookup.named(Principal, resource.text("arn") or "")
        yield Row(resource, users[0] if len(users) == 1 else None, date)
