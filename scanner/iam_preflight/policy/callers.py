"""Who makes a request, and how the principals of a policy name them.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
"""

from __future__ import annotations

import functools
import re
from enum import Enum
from typing import TYPE_CHECKING

from msgspec import Struct

from iam_preflight.policy.context import Presence, pattern_text
from iam_preflight.policy.globs import (
    Relation,
    Wildcards,
    has_symbols,
    relation_in_place,
    text_tokens,
)
from iam_preflight.policy.match import text_matches
from iam_preflight.policy.truth import Truth

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.policy.automaton import Tokens
    from iam_preflight.policy.context import ContextValue
    from iam_preflight.policy.document import Pattern, PrincipalPattern

_ACCOUNT_ID = re.compile(r"\d{12}")
_REGION = re.compile(r"[a-z]{2}(?:-[a-z]+)+-\d")


class CallerKind(Enum):
    USER = "user"
    ROLE = "role"
    """A session of a role, whatever its name."""
    ROOT = "root"
    FEDERATED_USER = "federated user"
    ACCOUNT = "account"
    """Some principal of an account, nobody in particular."""
    SERVICE = "service"
    PROVIDER = "provider"
    """Somebody that an identity provider vouches for."""
    ANONYMOUS = "anonymous"


class Via(Enum):
    """How a principal element names a caller, which decides what else must allow a request."""

    __hash__ = object.__hash__  # `Enum` has one in Python, asked for at every decision

    NOBODY = "nobody"
    ANYONE = "anyone"
    ACCOUNT = "account"
    """Its account: whoever the account's own policies allow."""
    ROLE = "role"
    DIRECT = "direct"
    """The user, the session, the service or the provider itself."""


class Caller(Struct, frozen=True):
    """A principal that makes requests. ARNs and account ids may have holes."""

    kind: CallerKind
    name: Tokens
    """The ARN of the user, role or federated user; the service's or provider's name."""
    account: Tokens = ()
    """The account id; empty for services, providers and the anonymous."""
    session: Tokens = ()
    """The ARN of the role session, where its name is known."""
    is_service_linked: bool = False

    @classmethod
    def role(cls, arn: str | Pattern, session_name: str = "") -> Caller:
        """A session of a role, by the role's ARN."""
        name = _tokens(arn)
        account = _account_of(name)
        session: Tokens = ()
        if session_name:
            session = (
                *"arn:",
                *_segment(name, 1),
                *":sts::",
                *account,
                *":assumed-role/",
                *_after_slash(name),
                *f"/{session_name}",
            )
        linked = ":role/aws-service-role/" in "".join(name)
        return cls(CallerKind.ROLE, name, account, session, linked)

    @classmethod
    def user(cls, arn: str | Pattern) -> Caller:
        name = _tokens(arn)
        return cls(CallerKind.USER, name, _account_of(name))

    @classmethod
    def root(cls, account: str | Pattern, partition: str = "aws") -> Caller:
        number = _tokens(account)
        return cls(CallerKind.ROOT, (*f"arn:{partition}:iam::", *number, *":root"), number)

    @classmethod
    def anyone_in(cls, account: str | Pattern) -> Caller:
        """Some principal of an account that nothing else is known about."""
        return cls(CallerKind.ACCOUNT, (), _tokens(account))

    @classmethod
    def service(cls, name: str) -> Caller:
        """An AWS service, by its principal: `lambda.amazonaws.com`."""
        return cls(CallerKind.SERVICE, tuple(name))

    @classmethod
    def provider(cls, name: str | Pattern) -> Caller:
        """Somebody with a token of an identity provider, by its ARN or host."""
        return cls(CallerKind.PROVIDER, _tokens(name))

    @classmethod
    def anonymous(cls) -> Caller:
        return cls(CallerKind.ANONYMOUS, ())

    @classmethod
    def of(cls, arn: str) -> Caller:
        """The caller that an ARN names: user, role, role session, federated user or root."""
        fields = arn.split(":", 5)
        resource = fields[5] if len(fields) == 6 else ""
        kind, _, rest = resource.partition("/")
        match kind:
            case "assumed-role":
                role, _, session = rest.partition("/")
                return cls.role(f"arn:{fields[1]}:iam::{fields[4]}:role/{role}", session)
            case "role":
                return cls.role(arn)
            case "user":
                return cls.user(arn)
            case "federated-user":
                return cls(CallerKind.FEDERATED_USER, tuple(arn), tuple(fields[4]))
            case "root":
                return cls.root(fields[4], fields[1])
            case _:
                raise ValueError(f"not the ARN of a caller: {arn}")

    @property
    def is_aws(self) -> bool:
        """Whether the caller belongs to an account, so that identity policies apply."""
        return bool(self.account)

    def keys(self) -> dict[str, ContextValue]:
        """What the caller alone puts into a request's context."""
        match self.kind:
            case CallerKind.SERVICE:
                return {
                    "aws:PrincipalIsAWSService": "true",
                    "aws:PrincipalServiceName": "".join(self.name),
                    "aws:PrincipalArn": Presence.ABSENT,
                    "aws:PrincipalAccount": Presence.ABSENT,
                    "aws:PrincipalOrgID": Presence.ABSENT,
                    "aws:username": Presence.ABSENT,
                }
            case CallerKind.ANONYMOUS:
                return {
                    "aws:PrincipalAccount": "anonymous",
                    "aws:PrincipalType": "Anonymous",
                    "aws:PrincipalArn": Presence.ABSENT,
                    "aws:PrincipalIsAWSService": Presence.ABSENT,
                    "aws:PrincipalOrgID": Presence.ABSENT,
                    "aws:PrincipalServiceName": Presence.ABSENT,
                    "aws:username": Presence.ABSENT,
                    "aws:userid": "anonymous",
                }
            case CallerKind.PROVIDER:
                return {
                    "aws:PrincipalAccount": "anonymous",
                    "aws:PrincipalArn": Presence.ABSENT,
                    "aws:PrincipalServiceName": Presence.ABSENT,
                    "aws:username": Presence.ABSENT,
                    "aws:PrincipalIsAWSService": "false",
                }
            case CallerKind.ACCOUNT:
                return {
                    "aws:PrincipalAccount": (self.account,),
                    "aws:PrincipalArn": Presence.PRESENT,
                    "aws:PrincipalIsAWSService": "false",
                    "aws:PrincipalServiceName": Presence.ABSENT,
                }
            case _:
                return {
                    "aws:PrincipalAccount": (self.account,),
                    "aws:PrincipalArn": (self.name,),
                    "aws:PrincipalIsAWSService": "false",
                    "aws:PrincipalServiceName": Presence.ABSENT,
                    "aws:PrincipalType": _TYPES[self.kind],
                    "aws:username": self._username(),
                }

    def texts(self) -> Iterator[str]:
        """The name, account and ARN that the context has of the caller, where they are known."""
        for text in (self.account, self.name, _after_slash(self.name)):
            if text and not has_symbols(text):
                yield "".join(text)

    def _username(self) -> ContextValue:
        return (_after_slash(self.name),) if self.kind is CallerKind.USER else Presence.ABSENT


_TYPES = {
    CallerKind.USER: "User",
    CallerKind.ROLE: "AssumedRole",
    CallerKind.ROOT: "Account",
    CallerKind.FEDERATED_USER: "FederatedUser",
}


def _tokens(value: str | Pattern) -> Tokens:
    return tuple(value) if isinstance(value, str) else pattern_text(value.parts)


def _segment(arn: Tokens, number: int) -> Tokens:
    """One colon-separated part of an ARN; empty where it has none."""
    start = 0
    for _ in range(number):
        try:
            start = arn.index(":", start) + 1
        except ValueError:
            return ()
    end = arn.index(":", start) if ":" in arn[start:] else len(arn)
    return arn[start:end]


def _after_slash(arn: Tokens) -> Tokens:
    """The name at the end of an ARN, without its path."""
    slashes = [i for i, sign in enumerate(arn) if sign == "/"]
    return arn[slashes[-1] + 1 :] if slashes else arn


def _account_of(arn: Tokens) -> Tokens:
    return _segment(arn, 4)


def names(principal: PrincipalPattern, caller: Caller) -> tuple[Truth, Via]:
    """Whether a principal of a statement is, or includes, the caller; and how it says so."""
    pattern = principal.pattern.plain_tokens
    if principal.kind == "*" or (pattern == ("*",) and principal.kind in ("AWS", "Federated")):
        truth = Truth.YES if pattern == ("*",) else Truth.MAYBE
        return truth, Via.ANYONE
    match principal.kind:
        case "AWS" if caller.is_aws:
            return _names_aws(pattern, caller)
        case "Service" if caller.kind is CallerKind.SERVICE:
            return _same(_service_key(pattern), _service_key(caller.name)), Via.DIRECT
        case "Federated" if caller.kind is CallerKind.PROVIDER:
            return _same(pattern, caller.name), Via.DIRECT
        case _:
            return Truth.NO, Via.NOBODY


def is_about_one(principal: PrincipalPattern) -> bool:
    """Whether a principal may be one user or role of an account and not another."""
    if principal.kind != "AWS":
        return False
    pattern = principal.pattern.plain_tokens
    return pattern != ("*",) and _named_account(pattern) is None


@functools.lru_cache(maxsize=65536)
def _names_aws(pattern: Tokens, caller: Caller) -> tuple[Truth, Via]:
    account = _named_account(pattern)
    if account is not None:
        return _same(account, caller.account), Via.ACCOUNT
    best = (Truth.NO, Via.NOBODY)
    direct = caller.kind not in (CallerKind.ROLE, CallerKind.ACCOUNT)
    for name, via in (
        (caller.session, Via.DIRECT),
        (caller.name, Via.DIRECT if direct else Via.ROLE),
    ):
        if name:
            truth = _same(pattern, name)
            if truth > best[0]:
                best = (truth, via)
    if caller.kind is CallerKind.ACCOUNT or (caller.kind is CallerKind.ROLE and not caller.session):
        # which of the account's principals, or which session, is not known
        if best[0] is Truth.NO and _may_be(pattern, caller):
            return Truth.MAYBE, Via.DIRECT
    return best


def is_namesake(principal: PrincipalPattern, caller: Caller) -> bool:
    """Whether a principal is the caller but for an account that nobody knows yet."""
    if principal.kind != "AWS" or not caller.is_aws or principal.pattern.assumptions:
        return False
    return _is_in_place(caller.name, principal.pattern.plain_tokens)


@functools.lru_cache(maxsize=65536)
def _is_in_place(name: Tokens, pattern: Tokens) -> bool:
    return relation_in_place(name, pattern) is Relation.INSIDE


def _may_be(pattern: Tokens, caller: Caller) -> bool:
    if text_matches(_account_of(pattern), caller.account) is Truth.NO:
        return False
    if caller.kind is CallerKind.ACCOUNT:
        return True
    sessions = (*"assumed-role/", *_after_slash(caller.name), "/")
    return _segment(pattern, 5)[: len(sessions)] == sessions


def _named_account(pattern: Tokens) -> Tokens | None:
    """The account that `111122223333` or `arn:aws:iam::111122223333:root` names."""
    if len(pattern) == 1 and len(pattern[0]) > 1:
        return pattern  # a hole alone: an account id, or any ARN
    if _ACCOUNT_ID.fullmatch("".join(pattern)):
        return pattern
    if _segment(pattern, 5) == tuple("root") and _segment(pattern, 2) == tuple("iam"):
        return _account_of(pattern)
    return None


def _same(left: Tokens, right: Tokens) -> Truth:
    return text_matches(left, right)


def _service_key(name: Tokens) -> Tokens:
    """A service principal without region and China's suffix, which name the same service.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html#principal-services
    """
    if any(len(sign) > 1 for sign in name):
        return name
    labels = "".join(name).removesuffix(".cn").split(".")
    return text_tokens(
        ".".join(label for label in labels if not _REGION.fullmatch(label)), Wildcards.NONE
    )
