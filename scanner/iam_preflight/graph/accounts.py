"""Whose account is it: own, of the organization, AWS's, a known vendor's, or a stranger's.

Own accounts are those that the code says it deploys to, those in the settings, and the holes
that stand for "the account this is deployed to" (S9 of the rule catalogue).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from iam_preflight.values import Reason, Unknown, parts_of, show

if TYPE_CHECKING:
    from collections.abc import Iterable

    from iam_preflight.policy.document import Pattern
    from iam_preflight.resources import Resource
    from iam_preflight.settings import Settings

_ACCOUNT = re.compile(r"(?<!\d)\d{12}(?!\d)")
_BARE = re.compile(r"\d{12}")


class Ownership(Enum):
    OWN = "own account"
    ORGANIZATION = "account of the organization"
    TRUSTED = "trusted account"
    EXTERNAL = "external account"
    ANYONE = "anyone"
    UNKNOWN = "unknown account"


@dataclass(frozen=True, slots=True)
class AccountBook:
    own: frozenset[str]
    organization: frozenset[str]
    trusted: frozenset[str]

    def ownership(self, pattern: Pattern) -> Ownership:
        """Whose account an AWS principal (ARN, account id, `*`) is in."""
        account = account_of(pattern)
        match account:
            case Unknown(reason=Reason.ACCOUNT):
                return Ownership.OWN
            case Unknown():
                return Ownership.UNKNOWN
            case "*":
                return Ownership.ANYONE
            case None:
                return Ownership.UNKNOWN
            case str():
                return self.of_id(account)

    def of_id(self, account: str) -> Ownership:
        if account in self.own:
            return Ownership.OWN
        if account in self.organization:
            return Ownership.ORGANIZATION
        if account in self.trusted:
            return Ownership.TRUSTED
        return Ownership.EXTERNAL


def account_of(pattern: Pattern) -> str | Unknown | None:
    """The account part of an AWS principal: an id, a hole, `*`, or None where there is none."""
    first = pattern.parts[0] if pattern.parts else ""
    text = "".join(part if isinstance(part, str) else "\ue000" for part in pattern.parts)
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
        if account == "\ue000":
            index = ":".join(fields[:4]).count("\ue000")
            return holes[index]
        if "*" in account or "?" in account:
            return "*"
        if _BARE.fullmatch(account):
            return account
        return holes[0] if "\ue000" in account and holes else None
    return holes[0] if holes else None


def account_book(resources: Iterable[Resource], settings: Settings) -> AccountBook:
    """What the code and the settings say about accounts."""
    own: set[str] = set(settings.accounts) | set(settings.shared_accounts)
    organization: set[str] = set()
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
