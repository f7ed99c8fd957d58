"""The known ways to gain privileges in AWS, as typed data.

A method needs permissions on targets; the graph finds the targets, the policy engine says
whether the actor has the permissions. Sources are named in the data file and in each method's
references (pathfinding.cloud, RhinoSecurityLabs, iam-vulnerable).
"""

from __future__ import annotations

import functools
from enum import Enum
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from iam_preflight.knowledge.reading import read_data

if TYPE_CHECKING:
    from collections.abc import Iterator


class MethodKind(Enum):
    __hash__ = object.__hash__  # `Enum` has one in Python, asked for at every attempt

    SELF = "SELF"
    """The actor widens its own permissions."""
    PRINCIPAL = "PRINCIPAL"
    """The actor takes over, or widens, another principal."""
    GUARD = "GUARD"
    """The actor removes what limits it: boundary, deny, SCP, tag."""
    NEW_PASS = "NEW_PASS"  # noqa: S105
    """The actor passes a role to something it makes or reconfigures."""
    EXIST = "EXIST"
    """The actor takes over something that already runs as a role."""
    FEDERATION = "FED"
    ORGANIZATION = "ORG"
    EXPOSE = "EXPOSE"
    """The actor reaches data or code that leads further."""


class Target(Enum):
    """What a permission must be held on."""

    __hash__ = object.__hash__  # `Enum` has one in Python, asked for at every permission

    SELF = "self"
    USER = "user"
    ROLE = "role"
    GROUP = "group"
    OWN_POLICY = "own-policy"
    """A customer-managed policy that is attached to the actor."""
    ROLE_POLICY = "role-policy"
    """A customer-managed policy that is attached to the role."""
    BOUNDARY = "boundary"
    """The policy that is the permissions boundary of the actor, or of whom it reaches."""
    GUARD_POLICY = "guard-policy"
    """The policy that holds the Deny which binds the actor."""
    PASSED_ROLE = "passed-role"
    EXISTING = "existing"
    """A resource that runs as the role."""
    NEW = "new"
    """Something the actor makes and may name as it likes."""
    ANY = "any"
    ARN = "arn"
    """The ARN pattern that the permission carries."""
    ORGANIZATION = "organization"
    IDENTITY_CENTER = "identity-center"
    PROVIDER = "provider"
    DIRECTORY_USER = "directory-user"
    DIRECTORY_GROUP = "directory-group"
    USER_POOL = "user-pool"
    MEMBER_ACCOUNT = "member-account"
    CODE = "code"
    """The bucket or repository that a workload loads its code from."""
    STATE = "state"
    """The bucket that holds Terraform's state."""
    KEY = "key"
    BUCKET = "bucket"
    SECRET = "secret"  # noqa: S105
    PARAMETER = "parameter"


class Gain(Enum):
    ADMIN = "admin"
    TARGET = "target"
    """The permissions of the role, user or group that is reached."""
    UNGUARDED = "unguarded"
    """The actor's own permissions without the limit that is removed."""
    LIMITED = "limited"
    DATA = "data"
    UNKNOWN = "unknown"


class Actor(Enum):
    ANY = "any"
    ROLE = "role"
    USER = "user"


class Certainty(Enum):
    """How sure it is that the method works where its needs are met."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class Permission(Struct, frozen=True):
    """One action that must be allowed on one target."""

    action: str
    target: Target
    arn: str = ""
    """The ARN pattern where the target is `ARN`."""
    context: tuple[tuple[str, str], ...] = ()
    """Keys the request carries; the value `{role}` is the ARN of the passed role."""

    @property
    def is_assume(self) -> bool:
        return self.action == "sts:AssumeRole"


Alternative = tuple[Permission, ...]
"""Permissions that are needed together."""


def is_assuming(item: tuple[Alternative, ...]) -> bool:
    """Whether each alternative of what a method needs is to assume the target as a role."""
    return all(
        any(each.is_assume and each.target is Target.ROLE for each in alternative)
        for alternative in item
    )


class Method(Struct, frozen=True, dict=True):
    id: str
    kind: MethodKind
    actor: Actor
    """Who can use it."""
    needs: tuple[tuple[Alternative, ...], ...]
    """Every item must be met, by any one of its alternatives."""
    gain: Gain
    certainty: Certainty
    trust_services: tuple[str, ...] = ()
    """Services, one of which the passed role must trust; empty for any or none."""
    workloads: tuple[str, ...] = ()
    """Types of resources that can be taken over; empty for any that the actions work on."""
    preconditions: tuple[str, ...] = ()
    """For people: what else has to be so."""
    references: tuple[str, ...] = ()
    is_closed: bool = False
    """AWS takes no new customers for the service."""

    @functools.cached_property
    def is_plain_assume(self) -> bool:
        """Whether it is nothing but assuming a role that admits the actor."""
        return self.actions == ("sts:AssumeRole",)

    @functools.cached_property
    def must_assume(self) -> bool:
        """Whether the target has to be assumed as a role, whatever else the method needs."""
        return any(map(is_assuming, self.needs))

    @property
    def passes_role(self) -> bool:
        return "iam:PassRole" in self.actions

    @functools.cached_property
    def actions(self) -> tuple[str, ...]:
        """Every action that any alternative asks for."""
        return tuple(each.action for each in self._permissions())

    @functools.cached_property
    def targets(self) -> frozenset[Target]:
        """What the permissions are needed on, as far as it is a variable."""
        return frozenset(each.target for each in self._permissions())

    def _permissions(self) -> Iterator[Permission]:
        for item in self.needs:
            for alternative in item:
                yield from alternative


class _Permission(msgspec.Struct):
    action: str
    target: str
    context: dict[str, str] = {}


class _Method(msgspec.Struct):
    id: str
    kind: MethodKind
    actor: Actor
    needs: tuple[tuple[tuple[_Permission, ...], ...], ...]
    gain: Gain
    confidence: Certainty
    trust_services: tuple[str, ...] = ()
    workloads: tuple[str, ...] = ()
    preconditions: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    closed: bool = False


class _MethodFile(msgspec.Struct):
    methods: tuple[_Method, ...]
    configured: frozenset[str]


def _permission(record: _Permission) -> Permission:
    context = tuple(record.context.items())
    if record.target.startswith("arn:"):
        return Permission(record.action, Target.ARN, record.target, context)
    return Permission(record.action, Target(record.target), context=context)


@functools.cache
def escalation_methods() -> tuple[Method, ...]:
    """Every shipped method, read once."""
    return tuple(
        Method(
            record.id,
            record.kind,
            record.actor,
            tuple(
                tuple(tuple(map(_permission, alternative)) for alternative in item)
                for item in record.needs
            ),
            record.gain,
            record.confidence,
            record.trust_services,
            record.workloads,
            record.preconditions,
            record.references,
            record.closed,
        )
        for record in read_data("escalation_methods.json", _MethodFile).methods
    )


@functools.cache
def code_services() -> frozenset[str]:
    """Services that give a role to code: whoever writes the code, or breaks into it, has it."""
    configured = read_data("escalation_methods.json", _MethodFile).configured
    named = {service for method in escalation_methods() for service in method.trust_services}
    return frozenset(named) - configured
