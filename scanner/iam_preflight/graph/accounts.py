"""Whose account is it: own, of the organization, AWS's, a known vendor's, or a stranger's.

Own accounts are those that the code says it deploys to, those in the settings, and the holes
that stand for "the account this is deployed to" (S9 of the rule catalogue). A hole that is an
attribute of something in the code is in the account of that thing.
"""

from __future__ import annotations

import functools
import re
from enum import Enum
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct, field

from iam_preflight.knowledge.accounts import AccountKind, known_account
from iam_preflight.knowledge.reading import read_data
from iam_preflight.values import MASK, Reason, Unknown, parts_of, show

if TYPE_CHECKING:
    from collections.abc import Iterable

    from iam_preflight.graph.trust import Grant
    from iam_preflight.policy.document import Document, Pattern
    from iam_preflight.resources import Resource
    from iam_preflight.settings import Settings

_ACCOUNT = re.compile(r"(?<!\d)\d{12}(?!\d)")
_BARE = re.compile(r"\d{12}")
_HOLE = "\ue000"
_WORDS = frozenset({"aws", "cloudfront"})
"""What stands in the place of an account id in ARNs of AWS's own."""


class Ownership(Enum):
    OWN = "own account"
    ORGANIZATION = "account of the organization"
    AWS = "account of AWS itself"
    TRUSTED = "trusted account"
    EXTERNAL = "external account"
    ANYONE = "anyone"
    UNKNOWN = "unknown account"

    @property
    def is_outside(self) -> bool:
        """Whether it is another company's, known or not."""
        return self in (Ownership.TRUSTED, Ownership.EXTERNAL)

    @property
    def is_inside(self) -> bool:
        return self in (Ownership.OWN, Ownership.ORGANIZATION)


class _SourceFile(msgspec.Struct):
    own: frozenset[str]
    organization: frozenset[str]
    aws: frozenset[str]


@functools.cache
def _sources() -> _SourceFile:
    return read_data("account_sources.json", _SourceFile)


class AccountBook(Struct, frozen=True):
    own: frozenset[str]
    organization: frozenset[str]
    """Other accounts of the company: of the organization in the code, or named as first party."""
    trusted: frozenset[str]
    let_in: dict[int, tuple[Document, tuple[Grant, ...]]] = field(default_factory=dict)
    """Whom trust policies let in, as `trust.grants` works it out, by the document's identity."""

    def ownership(self, pattern: Pattern) -> Ownership:
        """Whose account an AWS principal (ARN, account id, `*`) is in."""
        account = account_of(pattern)
        match account:
            case Unknown():
                return _of_hole(account)
            case "*":
                return Ownership.ANYONE
            case None:
                return Ownership.UNKNOWN
            case str():
                return self.of_id(account)

    def of_id(self, account: str) -> Ownership:
        """Whose an account id is; AWS writes words for some of its own (`cloudfront`)."""
        if account in self.own:
            return Ownership.OWN
        if account in self.organization:
            return Ownership.ORGANIZATION
        if account in self.trusted:
            return Ownership.TRUSTED
        if not _BARE.fullmatch(account):
            return Ownership.AWS if account in _WORDS else Ownership.UNKNOWN
        known = known_account(account)
        if known is not None and known.kind is AccountKind.AWS:
            return Ownership.AWS
        return Ownership.EXTERNAL

    @property
    def is_known(self) -> bool:
        """Whether any own account is known, so that others are surely not own."""
        return bool(self.own or self.organization)


def describe(pattern: Pattern) -> str:
    """The account of an AWS principal for people: `account 464622532012 (Datadog)`."""
    account = shown_account(pattern)
    known = known_account(account)
    if known is None:
        return f"account {account}"
    if known.kind is AccountKind.DOCUMENTATION:
        return f"account {account} (an example number)"
    return f"account {account} ({known.name})"


def shown_account(pattern: Pattern) -> str:
    """The account id of an AWS principal for people, masked when it is sensitive."""
    return MASK if pattern.is_sensitive else str(account_of(pattern))


def is_example(account: str) -> bool:
    """Whether an account id is one of those that only stand in examples."""
    known = known_account(account)
    return known is not None and known.kind is AccountKind.DOCUMENTATION


def _of_hole(hole: Unknown) -> Ownership:
    """Whose account a hole will name: that of the thing whose attribute it is."""
    if hole.reason is Reason.ACCOUNT:
        return Ownership.OWN
    if hole.reference is None:
        return Ownership.UNKNOWN
    parts = re.sub(r"\[[^\]]*\]", "", hole.reference.address).split(".")
    is_data = len(parts) > 2 and parts[-3] == "data"
    kind = parts[-2] if len(parts) > 1 else ""
    source = f"data.{kind}" if is_data else kind
    facts = _sources()
    for names, ownership in (
        (facts.organization, Ownership.ORGANIZATION),
        (facts.aws, Ownership.AWS),
        (facts.own, Ownership.OWN),
    ):
        if source in names:
            return ownership
    is_made_here = hole.reason is Reason.COMPUTED and not is_data
    return Ownership.OWN if is_made_here and source.startswith("aws_") else Ownership.UNKNOWN


def account_of(pattern: Pattern) -> str | Unknown | None:
    """The account part of an AWS principal: an id, a hole, `*`, or None where there is none."""
    first = pattern.parts[0] if pattern.parts else ""
    text = "".join(part if isinstance(part, str) else _HOLE for part in pattern.parts)
    holes = list(pattern.holes)
    if text == "*":
        return "*"
    if _BARE.fullmatch(text):
        return text
    if isinstance(first, Unknown) and len(pattern.parts) == 1:
        return first
    if text.startswith("arn:"):
        fields = text.split(":", 5)
        if len(fields) < 6:
            return None
        account = fields[4]
        if account == _HOLE:
            index = ":".join(fields[:4]).count(_HOLE)
            return holes[index]
        if "*" in account or "?" in account:
            return "*"
        if _HOLE not in account:
            return account or None
        return holes[0] if holes else None
    return holes[0] if holes else None


def account_book(resources: Iterable[Resource], settings: Settings) -> AccountBook:
    """What the code and the settings say about accounts."""
    own: set[str] = set(settings.accounts) | set(settings.shared_accounts)
    organization: set[str] = {
        number for number, account in settings.trusted_accounts.items() if account.first_party
    }
    seen: set[int] = set()
    for resource in resources:
        provider = resource.provider
        if id(provider) not in seen:
            seen.add(id(provider))
            own.update(provider.account_ids)
            role = provider.role_arn
            if role is not None and parts_of(role) is not None:
                own.update(_ACCOUNT.findall(show(role)))
        if resource.type == "aws_organizations_account":
            for attribute in ("id", "account_id"):
                text = resource.text(attribute)
                if text and _BARE.fullmatch(text):
                    organization.add(text)
    return AccountBook(
        frozenset(own), frozenset(organization), frozenset(settings.trusted_accounts)
    )
