"""Passwords: what is asked of an account's policy, and how those of users get around.

https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_passwords_account-policy.html
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from msgspec import Struct

from iam_preflight.values import (
    Known,
    Reason,
    Unknown,
    bool_of,
    holes_of,
    is_sensitive,
    number_of,
    text_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from iam_preflight.graph.credentials import Credential
    from iam_preflight.resources import Resource
    from iam_preflight.source import Span
    from iam_preflight.values import Assumptions, Value

POLICY = "aws_iam_account_password_policy"
AGE = "max_password_age"


class Shortfall(Struct, frozen=True):
    """One setting of a password policy that is weaker than it should be."""

    attribute: str
    wanted: str
    flaw: str
    """What it means for passwords: `need no symbol`."""
    place: Span
    is_written: bool
    """Whether a value is there; else AWS's default falls short."""
    assumptions: Assumptions = ()

    @property
    def is_about_age(self) -> bool:
        return self.attribute == AGE


class _Wish(Struct, frozen=True):
    attribute: str
    wanted: str
    when_absent: str
    """The flaw of AWS's default; empty where the default will do."""
    judge: Callable[[Value], str | None]
    """The flaw of a written value; None where there is none, or where it is not known."""


def _at_least(least: int, flaw: str) -> Callable[[Value], str | None]:
    def judge(value: Value) -> str | None:
        number = number_of(value)
        return flaw.format(number) if number is not None and number < least else None

    return judge


def _on(flaw: str) -> Callable[[Value], str | None]:
    return lambda value: flaw if bool_of(value) is False else None


def _age(value: Value) -> str | None:
    days = number_of(value)
    if days is None or 0 < days <= MAX_AGE:
        return None
    return f"expire only after {days:g} days" if days else "never expire"


MIN_LENGTH, REMEMBERED, MAX_AGE = 14, 24, 90
_WISHES = (
    _Wish(
        "minimum_password_length",
        str(MIN_LENGTH),
        "may be shorter than 14 characters",
        _at_least(MIN_LENGTH, "may be {:g} characters long"),
    ),
    *(
        _Wish(f"require_{name}", "true", f"need no {what}", _on(f"need no {what}"))
        for name, what in (
            ("uppercase_characters", "upper case letter"),
            ("lowercase_characters", "lower case letter"),
            ("numbers", "number"),
            ("symbols", "symbol"),
        )
    ),
    _Wish(
        "password_reuse_prevention",
        str(REMEMBERED),
        "may be used again at once",
        _at_least(REMEMBERED, "may be used again after {:g} others"),
    ),
    _Wish(AGE, str(MAX_AGE), "never expire", _age),
    _Wish(
        "allow_users_to_change_password",
        "true",
        "",
        _on("cannot be changed by their users"),
    ),
)


def shortfalls(policy: Resource) -> Iterator[Shortfall]:
    """Everything that a password policy asks too little of; each setting once."""
    for wish in _WISHES:
        if policy.get(wish.attribute) is None:
            if wish.when_absent:
                yield Shortfall(
                    wish.attribute, wish.wanted, wish.when_absent, policy.header, is_written=False
                )
            continue
        for given, arm in policy.arms(wish.attribute):
            flaw = wish.judge(arm)
            if flaw is not None:
                yield Shortfall(
                    wish.attribute, wish.wanted, flaw, arm.span, is_written=True, assumptions=given
                )
                break


class Handover(Enum):
    """How a console password that a template sets gets known to others than its user."""

    WRITTEN = "is written in the template"
    DEFAULT = "is the default of a parameter"
    SHOWN = "comes from a parameter that is shown (no NoEcho)"
    STORED = "comes from a plain parameter of Parameter Store (resolve:ssm)"
    KEPT = "may be kept, although somebody else made it up"


def handovers(credential: Credential) -> Iterator[tuple[Assumptions, Handover, Span]]:
    """What is wrong with the password that a login profile sets, and where."""
    for given, arm in credential.resource.arms("password"):
        match arm:
            case Known():
                # a reference stands where it is made, and says nothing of the value
                is_here = (text_of(arm) or "") in arm.span.text
                yield given, Handover.WRITTEN if is_here else Handover.DEFAULT, arm.span
            case Unknown(reason=Reason.SECRET):
                continue
            case _ if any(_is_plain_parameter(hole) for hole in holes_of(arm)):
                yield given, Handover.STORED, arm.span
            case _ if is_sensitive(arm):
                if not credential.must_be_changed:
                    yield given, Handover.KEPT, arm.span
            case _ if any(hole.reason is Reason.PARAMETER for hole in holes_of(arm)):
                yield given, Handover.SHOWN, arm.span


def _is_plain_parameter(hole: Unknown) -> bool:
    """`{{resolve:ssm:…}}`, which reads a `String`: whoever may read parameters reads it, too."""
    return hole.reason is Reason.DATA and hole.label.startswith("ssm:")
