"""Long-lived credentials: who has which, and which attributes hold what must stay secret.

https://docs.aws.amazon.com/IAM/latest/UserGuide/security-creds.html
"""

from __future__ import annotations

import functools
from enum import Enum
from typing import TYPE_CHECKING

from msgspec import Struct

from iam_preflight.graph.model import Principal
from iam_preflight.graph.secrets import Secrets
from iam_preflight.values import bool_of, items_of, number_of, show

if TYPE_CHECKING:
    from iam_preflight.graph.model import Graph
    from iam_preflight.policy.effective import Effective
    from iam_preflight.resources import Resource
    from iam_preflight.settings import Settings
    from iam_preflight.values import Value

ROOT_NAMES = frozenset({"root", "<root_account>"})
"""How the root user is called where a user's name is asked for."""


class CredentialKind(Enum):
    """What a resource gives its user, as people say it."""

    ACCESS_KEY = "an access key"
    PASSWORD = "a console password"  # noqa: S105
    SSH_KEY = "an SSH key"
    SERVICE = "a service-specific credential"
    SIGNING = "a signing certificate"


KINDS = {
    "aws_iam_access_key": CredentialKind.ACCESS_KEY,
    "aws_iam_user_login_profile": CredentialKind.PASSWORD,
    "aws_iam_user_ssh_key": CredentialKind.SSH_KEY,
    "aws_iam_service_specific_credential": CredentialKind.SERVICE,
    "aws_iam_signing_certificate": CredentialKind.SIGNING,
}
_USER = {
    "aws_iam_user_ssh_key": "username",
    "aws_iam_service_specific_credential": "user_name",
    "aws_iam_signing_certificate": "user_name",
}


class Credential(Struct, frozen=True, eq=False):
    """Something that a user proves itself with until somebody takes it away."""

    kind: CredentialKind
    resource: Resource
    owner: Principal | None
    """The user, where the code makes it."""
    user: Value | None
    """The user as it is written."""

    @property
    def is_active(self) -> bool:
        status = self.resource.text("status")
        return status is None or status.lower() != "inactive"

    @property
    def is_of_root(self) -> bool:
        return self.owner is None and show(self.user).lower() in ROOT_NAMES

    @property
    def user_label(self) -> str:
        """`user robot`, or how the code refers to it."""
        if self.owner is not None:
            return self.owner.label
        return f"user {show(self.user)}" if self.user is not None else "a user"

    @property
    def is_encrypted(self) -> bool:
        """Whether the state holds it only encrypted for somebody's PGP key."""
        return self.resource.get("pgp_key") is not None

    def ends_within(self, days: int) -> bool:
        """Whether it ends by itself; only service-specific credentials can."""
        age = number_of(self.resource.get("credential_age_days"))
        return age is not None and age <= days

    @property
    def must_be_changed(self) -> bool:
        """Whether a password is good for the first sign-in only."""
        return bool_of(self.resource.get("password_reset_required")) is True


class Credentials:
    """Every credential in the code, by its user."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self.all: tuple[Credential, ...] = tuple(
            _credential(resource, graph) for resource in graph.of_type(*KINDS)
        )
        self._by_owner: dict[int, list[Credential]] = {}
        for credential in self.all:
            if credential.owner is not None:
                self._by_owner.setdefault(id(credential.owner), []).append(credential)

    def of(self, user: Principal) -> tuple[Credential, ...]:
        """What a user can sign in with, active or not."""
        return tuple(self._by_owner.get(id(user), ()))

    @functools.cached_property
    def secrets(self) -> Secrets:
        """Where the secrets among them go, and keys that are written into the code."""
        return Secrets(self._graph)

    def has_unknown_groups(self, user: Principal) -> bool:
        """Whether a user is put into groups that the code does not make."""
        return id(user) in self._in_unknown_groups

    @functools.cached_property
    def _in_unknown_groups(self) -> set[int]:
        graph = self._graph
        found: set[int] = set()
        for resource in graph.of_type("aws_iam_user_group_membership"):
            user = graph.principal_named(resource, "user")
            if user is not None and any(
                graph.lookup.find(item, Principal, resource) is None
                for _, item in items_of(resource.get("groups"))
            ):
                found.add(id(user))
        return found

    def of_kind(self, *kinds: CredentialKind) -> tuple[Credential, ...]:
        return tuple(credential for credential in self.all if credential.kind in kinds)


def _credential(resource: Resource, graph: Graph) -> Credential:
    user = resource.get(_USER.get(resource.type, "user"))
    owner = None
    for _, found, _ in graph.lookup.find_all(user, Principal, resource):
        if found.is_user:
            owner = found
            break
    return Credential(KINDS[resource.type], resource, owner, user)


def single_purpose(effective: Effective) -> str:
    """The one thing that a user is for, where AWS knows no other way; empty for all others.

    https://docs.aws.amazon.com/ses/latest/dg/smtp-credentials.html
    https://docs.aws.amazon.com/codecommit/latest/userguide/setting-up-gc.html
    """
    may = effective.possible
    for purpose, patterns in _PURPOSES:
        if may and not may - effective.catalog.expand_all(patterns):
            return purpose
    return ""


_PURPOSES = (
    ("sending mail", ("ses:Send*",)),
    ("CodeCommit", ("codecommit:*",)),
)


def is_of_partner(principal: Principal, settings: Settings) -> bool:
    """Whether name, path or tags say that it is for somebody outside of the company."""
    texts = [principal.name.text, principal.path]
    texts += [text for key in principal.tags.values if (text := principal.tags.text(key))]
    return any(
        _is_word_of(word.lower(), text.lower())
        for word in settings.partner_markers
        for text in texts
    )


def _is_word_of(word: str, text: str) -> bool:
    """Whether a text has the word by itself: `acme-partner`, not `partnership`."""
    before, found, after = text.partition(word)
    return bool(found) and not before[-1:].isalpha() and not after[:1].isalpha()
