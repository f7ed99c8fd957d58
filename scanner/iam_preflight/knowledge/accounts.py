"""AWS accounts that many people meet: AWS's own, vendors', and those of examples.

Each entry names the page it was taken from. An account that is not here is simply not known.
"""

from __future__ import annotations

import functools
from enum import Enum

import msgspec
from msgspec import Struct

from iam_preflight.knowledge.reading import read_data


class AccountKind(Enum):
    AWS = "aws"
    """AWS's own: delivers logs, hosts images."""
    VENDOR = "vendor"
    """A product's public account: still a third party, but one with a name."""
    DOCUMENTATION = "documentation"
    """A number from examples; in real code it is a placeholder somebody forgot."""


class KnownAccount(Struct, frozen=True):
    id: str
    name: str
    kind: AccountKind
    source: str


class _Entry(msgspec.Struct):
    name: str
    kind: AccountKind
    source: str
    accounts: tuple[str, ...]


class _AccountFile(msgspec.Struct):
    entries: tuple[_Entry, ...]


@functools.cache
def _known_accounts() -> dict[str, KnownAccount]:
    return {
        account: KnownAccount(account, entry.name, entry.kind, entry.source)
        for entry in read_data("known_accounts.json", _AccountFile).entries
        for account in entry.accounts
    }


def known_account(account: str) -> KnownAccount | None:
    """Whose account a twelve-digit id is, where that is public knowledge."""
    return _known_accounts().get(account)
